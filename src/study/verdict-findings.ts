/**
 * What a comparison shows of one scheme: what it breaks, what it makes catastrophically slower, what it loses.
 *
 * Each finding names what it was found by, so that a smaller history can be searched that still shows it
 * (witness-search.ts). Broken are guarantees and decisions whose consequence is never acceptable; catastrophic is what
 * takes ten times as long as under `against` even at the low end of its range: "So ... what's going to be made
 * catastrophically slower by this scheme?" (January 2022). All else is a loss, the most frequent first.
 */
import type { Question } from "../schemes/index.ts";
import type { Comparison, DecisionRow, FlippedDecisions, QuestionRow } from "./comparison.ts";
import type { BrokenGuarantee } from "./question-tally.ts";

/** From this ratio on an operation is catastrophically slower. */
export const CATASTROPHIC_RATIO = 10;

/** How a finding was found, and so how it is looked for again. */
export type FindingKind =
  | { readonly by: "decision"; readonly decision: string }
  | { readonly by: "answer"; readonly question: Question }
  | { readonly by: "operation"; readonly operation: string; readonly ratio: number };

export interface SchemeFinding {
  /** Position of the scheme. */
  readonly row: number;
  readonly kind: FindingKind;
  readonly text: string;
  /** Where the history showed it first; 0: nowhere in particular. */
  readonly line: number;
}

/** What a loss is; the worst kind comes first. */
const IS_WRONG = 0;
const NEEDS_WALK = 1;
const NO_ANSWER = 2;

/** A way in which a scheme is worse than the truth without breaking anything. */
export interface Loss {
  readonly kind: typeof IS_WRONG | typeof NEEDS_WALK | typeof NO_ANSWER;
  /** Of 1000 cases. */
  readonly perMille: number;
  readonly text: string;
}

/** What is needed of a comparison. */
export type FoundSoFar = Omit<Comparison, "verdicts">;

/** Broken guarantees and unsafe decisions of a scheme. */
export function breaksOf(found: FoundSoFar, row: number, broken: readonly BrokenGuarantee[]): SchemeFinding[] {
  const answers = broken
    .filter(({ scheme }) => scheme === row)
    .map(({ question, line, text }): SchemeFinding => {
      const of = found.questions.find((each) => each.question === question);
      const often = of === undefined ? "" : `, ${of.byScheme[row].wrong} of ${of.asked} answers`;
      return { row, kind: { by: "answer", question }, text: `against its guarantee, ${text}${often}`, line };
    });
  const decisions = found.decisions.flatMap((decision): SchemeFinding[] =>
    unsafeFlips(decision, row).map(({ flips, said }) => ({
      row,
      kind: { by: "decision", decision: decision.decision },
      text:
        `${flips.consequence}: ${decision.title} It decides "${said}" ` +
        `wrongly ${flips.count} of ${decision.asked} times: ${flips.text}`,
      line: flips.firstLine,
    })),
  );
  return [...answers, ...decisions];
}

function unsafeFlips(
  { byScheme, yes, no }: DecisionRow,
  row: number,
): { readonly flips: FlippedDecisions; readonly said: string }[] {
  const { wrongYes, wrongNo } = byScheme[row];
  return [
    { flips: wrongYes, said: yes },
    { flips: wrongNo, said: no },
  ].filter(({ flips }) => flips.isUnsafe && flips.count > 0);
}

/** Operations of which at least one step is certainly ten times as slow, the slowest first. */
export function catastrophesOf(found: FoundSoFar, row: number): SchemeFinding[] {
  return found.operations
    .map((operation) => ({ operation, ...operation.byScheme[row] }))
    .filter(({ worst }) => worst.ratio.low >= CATASTROPHIC_RATIO)
    .sort((one, other) => other.worst.ratio.middle - one.worst.ratio.middle)
    .map(({ operation, ratio, worst }) => ({
      row,
      kind: { by: "operation", operation: operation.operation, ratio: worst.ratio.middle },
      text:
        `${operation.operation} takes up to ${times(worst.ratio.middle)} times as long as under ${found.against} ` +
        `(${times(worst.ratio.low)} to ${times(worst.ratio.high)}; ${times(ratio.middle)} times on average)`,
      line: worst.line,
    }));
}

/** What a scheme loses: what it gets wrong, what it must walk for, what it cannot say; the most frequent first. */
export function lossesOf(found: FoundSoFar, row: number): Loss[] {
  return [
    ...found.questions.flatMap((question) => lossesOfAnswers(question, row)),
    ...found.decisions.flatMap((decision) => lossesOfDecisions(decision, row)),
    ...lossesOfOperations(found, row),
    ...hiddenLoss(found, row),
  ].sort((one, other) => one.kind - other.kind || other.perMille - one.perMille);
}

/** What an answer on the allowed side is. */
const ALLOWED_TEXTS: Readonly<Record<Question, string>> = {
  mapped: "takes unmapped folios for mapped",
  mappings: "miscounts `mappings`",
  pageMapcount: "gives another `pageMapcount` than the page's own",
  others: "answers `others` wrongly shared",
  otherVmas: "answers `otherVmas` wrongly shared",
  partial: "misjudges `partial`",
  canReuse: "refuses reuse that was safe",
  stopWalk: "walks on though all mappings are found",
  extraReferences: "miscounts `extraReferences`",
  pinned: "takes folios for pinned that are not",
};

function lossesOfAnswers({ question, asked, byScheme }: QuestionRow, row: number): Loss[] {
  const { allowed, unknown, guarantee } = byScheme[row];
  const losses: Loss[] = [];
  const isGuess = guarantee === "estimate" && question !== "pageMapcount";
  const text = isGuess ? `guesses \`${question}\` wrong` : ALLOWED_TEXTS[question];
  if (allowed > 0) losses.push(loss(IS_WRONG, text, allowed, asked));
  if (unknown > 0) losses.push(loss(NO_ANSWER, `cannot answer \`${question}\``, unknown, asked));
  return losses;
}

function lossesOfDecisions({ decision, asked, byScheme }: DecisionRow, row: number): Loss[] {
  const { wrongYes, wrongNo, walks } = byScheme[row];
  const losses: Loss[] = [];
  for (const flips of [wrongYes, wrongNo]) {
    if (flips.count === 0 || flips.isUnsafe) continue;
    const bytes = flips.bytes > 0 ? `, ${sizeText(flips.bytes)}` : "";
    losses.push(loss(IS_WRONG, `decides \`${decision}\` wrongly (${flips.text}${bytes})`, flips.count, asked));
  }
  if (walks > 0) losses.push(loss(NEEDS_WALK, `walks the reverse map to decide \`${decision}\``, walks, asked));
  return losses;
}

/** Operations that may be ten times as slow: the range of the prices does not tell. */
function lossesOfOperations(found: FoundSoFar, row: number): Loss[] {
  return found.operations.flatMap(({ operation, byScheme }) => {
    const { low, middle, high } = byScheme[row].worst.ratio;
    if (high < CATASTROPHIC_RATIO || low >= CATASTROPHIC_RATIO) return [];
    const text = `may take ten times as long in ${operation}: ${times(middle)} times (${times(low)} to ${times(high)})`;
    return [{ kind: NEEDS_WALK, perMille: 0, text }];
  });
}

function hiddenLoss(found: FoundSoFar, row: number): Loss[] {
  const { foliosMax, bytesMax, stepsMax, foliosAtEnd } = found.hiddenMemory[row];
  if (foliosMax === 0) return [];
  const text =
    `does not see up to ${foliosMax} partially mapped folios with ${sizeText(bytesMax)} unmapped, ` +
    `for up to ${stepsMax} steps, ${foliosAtEnd} at the end`;
  return [{ kind: IS_WRONG, perMille: (foliosMax / Math.max(1, found.workload.foliosMax)) * 1000, text }];
}

function loss(kind: Loss["kind"], text: string, count: number, asked: number): Loss {
  const perMille = (count / asked) * 1000;
  return { kind, perMille, text: `${text} ${perMilleText(perMille)}` };
}

/** "31 per mille", "0.04 per mille", "every time". */
function perMilleText(perMille: number): string {
  if (perMille === 1000) return "every time";
  return `${perMille >= 1 ? Math.round(perMille) : Number(perMille.toPrecision(1))} per mille`;
}

function times(ratio: number): string {
  return ratio >= 100 ? `${Math.round(ratio)}` : `${Number(ratio.toPrecision(2))}`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

function sizeText(bytes: number): string {
  let unit = 0;
  let size = bytes;
  for (; size >= 1024 && unit < UNITS.length - 1; unit++) size /= 1024;
  return `${Number(size.toPrecision(3))} ${UNITS[unit]}`;
}
