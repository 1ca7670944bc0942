/**
 * The verdict on a scheme: what it breaks, what it makes ten times slower, what it frees, in a sentence to be quoted.
 */
import type { Finding, Verdict } from "./comparison.ts";
import type { BrokenGuarantee } from "./question-tally.ts";
import {
  type FoundSoFar,
  type Loss,
  type SchemeFinding,
  breaksOf,
  catastrophesOf,
  lossesOf,
} from "./verdict-findings.ts";

/** One a scheme; findings have no scenario yet. */
export function verdictsOf(found: FoundSoFar, broken: readonly BrokenGuarantee[]): Verdict[] {
  return found.schemes.map((_, row) => verdictOf(found, row, { broken, scenarios: new Map() }));
}

/** Everything that deserves a witness. */
export function findingsOf(found: FoundSoFar, broken: readonly BrokenGuarantee[]): SchemeFinding[] {
  return found.schemes.flatMap((_, row) => [...breaksOf(found, row, broken), ...catastrophesOf(found, row)]);
}

/** The verdict on one scheme. `scenarios`: witnesses by the text of the finding. */
export function verdictOf(
  found: FoundSoFar,
  row: number,
  {
    broken,
    scenarios,
  }: { readonly broken: readonly BrokenGuarantee[]; readonly scenarios: ReadonlyMap<string, string> },
): Verdict {
  const scheme = found.schemes[row];
  const against = found.schemes.find(({ id }) => id === found.against);
  if (against === undefined) throw new Error(`invariant: ${found.against} is among the schemes compared`);
  const withScenario = ({ text }: SchemeFinding): Finding => ({
    text,
    scenario: scenarios.get(witnessKey(row, text)) ?? "",
  });
  const breaks = breaksOf(found, row, broken);
  const catastrophes = catastrophesOf(found, row);
  const losses = lossesOf(found, row);
  const freesBitsPerPage = against.stateBits.perPage - scheme.stateBits.perPage;
  const freesBitsPerFolio = against.stateBits.perFolio - scheme.stateBits.perFolio;
  const frees = freesText(freesBitsPerPage, freesBitsPerFolio);
  return {
    scheme: scheme.id,
    breaks: breaks.map(withScenario),
    loses: losses.map(({ text }) => text),
    catastrophic: catastrophes.flatMap((finding) =>
      finding.kind.by === "operation"
        ? [{ ...withScenario(finding), operation: finding.kind.operation, ratio: finding.kind.ratio }]
        : [],
    ),
    freesBitsPerPage,
    freesBitsPerFolio,
    line: `${scheme.id}: ${[breaksText(breaks), ...losesTexts(losses), slowText(catastrophes), frees].join("; ")}.`,
  };
}

/** By this a witness is found again. */
export function witnessKey(row: number, text: string): string {
  return `${row} ${text}`;
}

function breaksText(breaks: readonly SchemeFinding[]): string {
  if (breaks.length === 0) return "breaks nothing";
  const more = breaks.length > 1 ? ` (and ${breaks.length - 1} more)` : "";
  return `breaks: ${breaks[0].text}${more}`;
}

const LOSSES_QUOTED = 2;

function losesTexts(losses: readonly Loss[]): string[] {
  return losses.slice(0, LOSSES_QUOTED).map(({ text }) => text);
}

function slowText(catastrophes: readonly SchemeFinding[]): string {
  if (catastrophes.length === 0) return "slower nowhere by 10 times";
  const named = catastrophes.map(({ kind }) =>
    kind.by === "operation" ? `${kind.operation} (${Math.round(kind.ratio)} times)` : "",
  );
  return `catastrophically slower: ${named.join(", ")}`;
}

function freesText(bitsPerPage: number, bitsPerFolio: number): string {
  const parts = [
    { bits: bitsPerPage, of: "a page" },
    { bits: bitsPerFolio, of: "a folio" },
  ];
  const amounts = (sign: number): string =>
    parts
      .filter(({ bits }) => bits * sign > 0)
      .map(({ bits, of }) => `${amountText(Math.abs(bits))} ${of}`)
      .join(" and ");
  const texts = [
    { verb: "frees", amount: amounts(1) },
    { verb: "needs", amount: amounts(-1) },
  ].filter(({ amount }) => amount !== "");
  if (texts.length === 0) return "frees nothing";
  return texts.map(({ verb, amount }) => `${verb} ${amount}${verb === "needs" ? " more" : ""}`).join(", ");
}

function amountText(bits: number): string {
  return bits % 8 === 0 ? `${bits / 8} bytes` : `${bits} bits`;
}
