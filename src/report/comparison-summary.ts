/**
 * The verdict over many workloads: a row a scheme, as text, as Markdown with everything behind it, or as JSON.
 *
 * "Breaks" counts workloads in which a scheme made an unsafe decision or broke a guarantee. An operation is named with the
 * largest ratio that any workload showed, and that workload; a loss is not added up: workloads are examples, and a sum over
 * them would weigh what nobody has measured.
 */
import type { ComparedScheme, Comparison } from "../study/index.ts";
import { formatComparisonMarkdown, markdownTable } from "./comparison-markdown.ts";
import type { ComparisonCell, ComparisonTable } from "./comparison-tables.ts";
import { type ComparisonTextOptions, drawTable } from "./comparison-text.ts";
import { escapeJsonControls } from "./display-text.ts";
import { formatCount, formatSize } from "./format-number.ts";

/** Operations named in a row. */
const NAMED_MOST = 4;

const plain = (text: string): ComparisonCell => ({ text, tone: "plain" });

/** The summary for a terminal with its last newline. */
export function formatSummaryText(comparisons: readonly Comparison[], options: ComparisonTextOptions): string {
  return `${drawTable(summaryTable(comparisons), options).join("\n")}\n`;
}

/** The summary and each comparison behind it, as a document. */
export function formatSummaryMarkdown(comparisons: readonly Comparison[]): string {
  return [
    "# Verdicts",
    "",
    "What `foliometer compare all --markdown` prints: every workload at its default size, all schemes, today's rules of",
    "copy-on-write. What the questions and schemes are says [schemes.md](schemes.md), the decisions",
    "[decisions.md](decisions.md), the workloads [workloads.md](workloads.md), what is left out [fidelity.md](fidelity.md).",
    "",
    ...markdownTable(summaryTable(comparisons), "##"),
    ...comparisons.map((comparison) => formatComparisonMarkdown(comparison)),
  ].join("\n");
}

/** All comparisons as one JSON document with its last newline. */
export function formatComparisonsJson(comparisons: readonly Comparison[]): string {
  const document = { schema: "foliometer-comparisons", version: 1, comparisons };
  return `${escapeJsonControls(JSON.stringify(document, null, 1))}\n`;
}

function summaryTable(comparisons: readonly Comparison[]): ComparisonTable {
  const ids = [...new Set(comparisons.flatMap(({ schemes }) => schemes.map(({ id }) => id)))];
  const against = againstOf(comparisons);
  return {
    title: `Verdicts over ${formatCount(comparisons.length)} workloads`,
    columns: [
      { heading: "scheme", align: "left" },
      { heading: "breaks in", align: "right" },
      { heading: "10 times slower, or more, in", align: "left" },
      { heading: "unseen at most", align: "right" },
      { heading: "others wrong, at most", align: "right" },
      { heading: "bits a page", align: "right" },
      { heading: "bits a folio", align: "right" },
    ],
    rows: ids.map((id) => [...historyCells(id, comparisons), ...stateCells(id, comparisons)]),
    notes: [
      "breaks in: workloads with an unsafe decision or a broken guarantee. unseen: unmapped pages of partially mapped " +
        "anonymous folios that the scheme does not see, at one time. others wrong: answers to `others` that are not the " +
        `truth, in per mille. bits: what the scheme does without, against ${against}; negative: it needs more.`,
      ...comparisons
        .filter((comparison) => comparison.against !== against)
        .map(
          ({ workload, against: other }) =>
            `${against} cannot count ${workload.id}: there times are compared with ${other}.`,
        ),
    ],
  };
}

/** What most are compared with: only a workload that this scheme cannot count is compared with another. */
function againstOf(comparisons: readonly Comparison[]): string {
  const times = new Map<string, number>();
  for (const { against } of comparisons) times.set(against, (times.get(against) ?? 0) + 1);
  return [...times].reduce((most, each) => (each[1] > most[1] ? each : most), ["", 0] as const)[0];
}

/** A property of the scheme and of no history. */
function stateCells(id: string, comparisons: readonly Comparison[]): ComparisonCell[] {
  const bitsOf = (wanted: string): ComparedScheme["stateBits"] | undefined =>
    comparisons.flatMap(({ schemes }) => schemes).find((scheme) => scheme.id === wanted)?.stateBits;
  const base = bitsOf(againstOf(comparisons));
  const own = bitsOf(id);
  if (base === undefined || own === undefined) return [plain(""), plain("")];
  return [plain(formatCount(base.perPage - own.perPage)), plain(formatCount(base.perFolio - own.perFolio))];
}

/** What the workloads showed. */
function historyCells(id: string, comparisons: readonly Comparison[]): ComparisonCell[] {
  let breaks = 0;
  let unseenBytes = 0;
  let othersWrong = 0;
  const slow = new Map<string, { readonly ratio: number; readonly workload: string }>();
  for (const { schemes, verdicts, hiddenMemory, questions, workload } of comparisons) {
    const row = schemes.findIndex((scheme) => scheme.id === id);
    if (row < 0) continue;
    const verdict = verdicts[row];
    if (verdict.breaks.length > 0) breaks++;
    unseenBytes = Math.max(unseenBytes, hiddenMemory[row].bytesMax);
    for (const { question, asked, byScheme } of questions) {
      if (question !== "others" || asked === 0) continue;
      const { allowed, wrong } = byScheme[row];
      othersWrong = Math.max(othersWrong, (1000 * (allowed + wrong)) / asked);
    }
    for (const { operation, ratio } of verdict.catastrophic) {
      if (ratio > (slow.get(operation)?.ratio ?? 0)) slow.set(operation, { ratio, workload: workload.id });
    }
  }
  const named = [...slow].sort(([, one], [, other]) => other.ratio - one.ratio);
  const more = named.length > NAMED_MOST ? `, and ${named.length - NAMED_MOST} more` : "";
  const texts = named
    .slice(0, NAMED_MOST)
    .map(([operation, { ratio, workload }]) => `${operation} (${formatCount(Math.round(ratio))}, ${workload})`);
  return [
    plain(id),
    { text: formatCount(breaks), tone: breaks > 0 ? "bad" : "plain" },
    {
      text: named.length === 0 ? "nothing" : `${texts.join(", ")}${more}`,
      tone: named.length > 0 ? "notable" : "plain",
    },
    plain(formatSize(unseenBytes)),
    plain(othersWrong > 0 && othersWrong < 1 ? "<1" : formatCount(Math.round(othersWrong))),
  ];
}
