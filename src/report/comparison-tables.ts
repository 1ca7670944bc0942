/**
 * The tables of a comparison, before it is known whether they become text, Markdown or HTML.
 *
 * A row a scheme wherever there is a figure for every scheme, because there are more schemes than columns fit. A figure
 * that is not as good as the truth carries a mark, and the note below the table explains it; "=" stands for "always as the
 * truth has it", so that what deviates stands out. Schemes that come out alike share a row where rows are long.
 */
import type { Comparison, DecisionOfScheme, DecisionRow, FlippedDecisions, OperationRow } from "../study/index.ts";
import type { Guarantee } from "../schemes/index.ts";
import { formatCount, formatQuantity, formatSize } from "./format-number.ts";

/** How a cell stands out: not at all, as a deviation that was declared, or as something that must not be. */
export type CellTone = "plain" | "good" | "notable" | "bad";

export interface ComparisonCell {
  readonly text: string;
  readonly tone: CellTone;
}

export interface ComparisonTable {
  readonly title: string;
  readonly columns: readonly { readonly heading: string; readonly align: "left" | "right" }[];
  readonly rows: readonly (readonly ComparisonCell[])[];
  /** Sentences below the table. */
  readonly notes: readonly string[];
}

const PER_MILLE = 1000;
/** Below this a difference in time is not worth a reader's eye. */
const NOTABLE_RATIO = 1.05;

/** All tables, in the order in which they are read. */
export function comparisonTables(comparison: Comparison): readonly ComparisonTable[] {
  return [
    verdictTable(comparison),
    questionTable(comparison),
    decisionTable(comparison),
    operationTable(comparison),
    stateTable(comparison),
  ];
}

/** What was compared, as pairs for a header. */
export function comparisonFacts({
  workload,
  sample,
  kernel,
  against,
  costs,
  notes,
  excluded,
}: Comparison): readonly (readonly [string, string])[] {
  const parameters = Object.entries(workload.parameters).map(([name, value]) => `${name}=${value}`);
  return [
    ["workload", `${workload.id}: ${workload.title}`],
    ["source", workload.source],
    ["parameters", [...parameters, `seed=${workload.seed}`].join(" ")],
    [
      "history",
      `${formatQuantity(workload.steps, "step", "steps")}, ` +
        `${formatQuantity(workload.events, "batch", "batches")} of mapping events; at most ` +
        `${formatQuantity(workload.processesMax, "process", "processes")}, ` +
        `${formatQuantity(workload.foliosMax, "folio", "folios")}, ` +
        `${formatSize(workload.mappedBytesMax)} mapped`,
    ],
    [
      "asked",
      `about ${formatCount(sample.foliosAsked)} of ${formatCount(sample.foliosTouched)} times that a step touched a folio ` +
        `(${formatCount(sample.foliosPerStep)} folios a step at most, ${formatCount(sample.pagesPerFolio)} pages and ` +
        `${formatCount(sample.askersPerFolio)} askers of each)`,
    ],
    [
      "kernel",
      kernel === ""
        ? `decides nothing here; costs are compared with ${against}`
        : `counts and decides by ${kernel}; costs are compared with ${against}`,
    ],
    ["prices", `${costs.name} (${costs.source})`],
    ...excluded.map(({ id, reason }) => ["left out", `${id}: ${reason}`] as const),
    ...notes.map((note) => ["note", note] as const),
  ];
}

const plain = (text: string): ComparisonCell => ({ text, tone: "plain" });

function verdictTable({ schemes, verdicts }: Comparison): ComparisonTable {
  return {
    title: "Verdict",
    columns: [
      { heading: "scheme", align: "left" },
      { heading: "verdict", align: "left" },
    ],
    rows: verdicts.map(({ scheme, line, breaks, catastrophic }, index) => [
      plain(schemes[index]?.id ?? scheme),
      // The sentence names its scheme, for whoever quotes it.
      {
        text: line.replace(`${scheme}: `, ""),
        tone: breaks.length > 0 ? "bad" : catastrophic.length > 0 ? "notable" : "plain",
      },
    ]),
    notes: [],
  };
}

/** One letter a guarantee. */
const GUARANTEE_LETTERS: Readonly<Record<Guarantee, string>> = {
  exact: "E",
  "exact-or-unknown": "X",
  probable: "P",
  "one-sided": "O",
  estimate: "S",
  unknown: "U",
};

function questionTable({ schemes, questions }: Comparison): ComparisonTable {
  return {
    title: "Questions: how often a scheme's answer is not the truth, in per mille",
    columns: [
      { heading: "scheme", align: "left" },
      ...questions.map(({ question }) => ({ heading: question, align: "right" as const })),
    ],
    rows: [
      [plain("(asked)"), ...questions.map(({ asked }) => plain(formatCount(asked)))],
      ...schemes.map(({ id }, index) => [
        plain(id),
        ...questions.map(({ asked, byScheme }): ComparisonCell => answerCell(asked, byScheme[index])),
      ]),
    ],
    notes: [
      "E exact, X exact or unknown, P exact but for a stated chance, O wrong in the harmless direction only, S estimate, " +
        "U not answered: what the scheme declares.",
      "= always the truth; ~ not the truth, but as declared; ? no answer: the reverse map must be asked; ! against what it " +
        "declares.",
    ],
  };
}

function answerCell(
  asked: number,
  { guarantee, exact, allowed, wrong, unknown }: Comparison["questions"][number]["byScheme"][number],
): ComparisonCell {
  const letter = GUARANTEE_LETTERS[guarantee];
  if (asked === 0) return plain(`${letter} -`);
  if (exact === asked) return { text: `${letter} =`, tone: "good" };
  const parts = [
    ...(wrong > 0 ? [`${perMille(wrong, asked)}!`] : []),
    ...(allowed > 0 ? [`${perMille(allowed, asked)}~`] : []),
    ...(unknown > 0 ? [`${perMille(unknown, asked)}?`] : []),
  ];
  return { text: `${letter} ${parts.join(" ")}`, tone: wrong > 0 ? "bad" : "notable" };
}

/** Whole per mille; what is less than one, but not nothing, is "<1". */
function perMille(part: number, whole: number): string {
  const value = (part / whole) * PER_MILLE;
  return value < 1 ? "<1" : formatCount(Math.round(value));
}

function decisionTable({ schemes, decisions }: Comparison): ComparisonTable {
  const flipped = decisions.filter(({ byScheme }) => byScheme.some(isDifferent));
  const same = decisions.filter(({ asked, byScheme }) => asked > 0 && !byScheme.some(isDifferent));
  const never = decisions.filter(({ asked }) => asked === 0);
  return {
    title: "Decisions that come out otherwise than under the truth",
    columns: [
      { heading: "decision", align: "left" },
      { heading: "asked", align: "right" },
      { heading: "schemes", align: "left" },
      { heading: "flipped ‰", align: "right" },
      { heading: "walks ‰", align: "right" },
      { heading: "instead", align: "left" },
      { heading: "what follows", align: "left" },
      { heading: "bytes", align: "right" },
    ],
    rows: flipped.flatMap((row) =>
      decisionRows(
        row,
        schemes.map(({ id }) => id),
      ),
    ),
    notes: [
      "met: operations of this history asked it; surveyed: asked of folios at rest, as the kernel might at any time. " +
        "walks: the scheme cannot say, the reverse map is asked, and the truth decides.",
      ...(same.length > 0 ? [`The same under all schemes: ${same.map(nameWithCount).join(", ")}.`] : []),
      ...(never.length > 0 ? [`Not asked in this history: ${never.map(({ decision }) => decision).join(", ")}.`] : []),
    ],
  };
}

function nameWithCount({ decision, asked }: DecisionRow): string {
  return `${decision} (${formatCount(asked)})`;
}

function isDifferent({ wrongYes, wrongNo, walks }: DecisionOfScheme): boolean {
  return wrongYes.count > 0 || wrongNo.count > 0 || walks > 0;
}

/** Schemes with the same figures share a row; a scheme that errs both ways has two. */
function decisionRows(row: DecisionRow, ids: readonly string[]): ComparisonCell[][] {
  const groups = new Map<string, { readonly ids: string[]; readonly of: DecisionOfScheme }>();
  row.byScheme.forEach((of, index) => {
    if (!isDifferent(of)) return;
    const key = JSON.stringify([of.walks, of.wrongYes.count, of.wrongYes.bytes, of.wrongNo.count, of.wrongNo.bytes]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { ids: [ids[index]], of });
    else group.ids.push(ids[index]);
  });
  const lines = [...groups.values()].flatMap(({ ids: alike, of }) => linesOfGroup(row, alike, of));
  return lines.map((cells, index) =>
    index === 0
      ? [plain(`${row.decision} (${row.how})`), plain(formatCount(row.asked)), ...cells]
      : [plain(""), plain(""), ...cells],
  );
}

function linesOfGroup(row: DecisionRow, ids: readonly string[], of: DecisionOfScheme): ComparisonCell[][] {
  const walks = of.walks === 0 ? "" : perMille(of.walks, row.asked);
  const flips: { readonly flip: FlippedDecisions; readonly instead: string }[] = [];
  if (of.wrongYes.count > 0) flips.push({ flip: of.wrongYes, instead: `${row.yes}, not ${row.no}` });
  if (of.wrongNo.count > 0) flips.push({ flip: of.wrongNo, instead: `${row.no}, not ${row.yes}` });
  if (flips.length === 0) {
    return [[plain(ids.join(", ")), plain("0"), plain(walks), plain(""), plain("a reverse map walk"), plain("")]];
  }
  return flips.map(({ flip, instead }, index) => [
    plain(ids.join(", ")),
    { text: perMille(flip.count, row.asked), tone: flip.isUnsafe ? "bad" : "notable" },
    plain(index === 0 ? walks : ""),
    plain(instead),
    { text: `${flip.consequence}: ${flip.text}`, tone: flip.isUnsafe ? "bad" : "plain" },
    plain(flip.bytes > 0 ? formatSize(flip.bytes) : ""),
  ]);
}

function operationTable({ schemes, operations: inOrder, against, verdicts }: Comparison): ComparisonTable {
  // Those that differ most come first: on a narrow terminal the last ones have no room.
  const operations = inOrder.toSorted((one, other) => largestRatio(other) - largestRatio(one));
  const base = schemes.findIndex(({ id }) => id === against);
  return {
    title: `Cost of operations, as a ratio to ${against}`,
    columns: [
      { heading: "scheme", align: "left" },
      ...operations.map(({ operation }) => ({ heading: operation, align: "right" as const })),
    ],
    rows: [
      [plain("(times)"), ...operations.map(({ count }) => plain(formatCount(count)))],
      [plain(`(${against}, us each)`), ...operations.map((row) => plain(microsecondsEach(row, base)))],
      ...schemes.map(({ id }, index) => [
        plain(id),
        ...operations.map(({ operation, byScheme }): ComparisonCell => {
          const isCatastrophic = verdicts[index].catastrophic.some((finding) => finding.operation === operation);
          return ratioCell(byScheme[index].ratio, isCatastrophic);
        }),
      ]),
    ],
    notes: [
      "The whole operation: what it does besides counting, counting, questions and the reverse map walks that these make. " +
        "! the verdict calls it catastrophic: at least one step of it takes ten times as long, which an average may hide. " +
        "The range of each ratio is in the JSON form.",
    ],
  };
}

/** The ratio that is farthest from 1, either way, of all of it or of its worst step. */
function largestRatio({ byScheme }: OperationRow): number {
  const factors = byScheme.flatMap(({ ratio, worst }) => [ratio.middle, 1 / ratio.middle, worst.ratio.middle]);
  return Math.max(...factors.filter(Number.isFinite));
}

function microsecondsEach({ count, byScheme }: OperationRow, base: number): string {
  const ns = base < 0 || count === 0 ? 0 : byScheme[base].time.ns / count;
  return (ns / 1000).toFixed(ns < 100_000 ? 2 : 0);
}

function ratioCell(
  { middle, low, high }: OperationRow["byScheme"][number]["ratio"],
  isCatastrophic: boolean,
): ComparisonCell {
  if (!Number.isFinite(middle)) return plain("-");
  if (isCatastrophic) return { text: `${formatRatio(middle)} !`, tone: "bad" };
  const isNotable = middle >= NOTABLE_RATIO && low > 1;
  const isBetter = middle <= 1 / NOTABLE_RATIO && high < 1;
  return { text: formatRatio(middle), tone: isNotable ? "notable" : isBetter ? "good" : "plain" };
}

function formatRatio(ratio: number): string {
  return ratio >= 99.5 ? formatCount(Math.round(ratio)) : ratio.toFixed(ratio >= 9.95 ? 1 : 2);
}

function stateTable({ schemes, hiddenMemory, workload }: Comparison): ComparisonTable {
  return {
    title: "State, and partially mapped anonymous folios that are not seen",
    columns: [
      { heading: "scheme", align: "left" },
      { heading: "bits a folio", align: "right" },
      { heading: "bits a page", align: "right" },
      { heading: "state at most", align: "right" },
      { heading: "hidden folios", align: "right" },
      { heading: "hidden bytes", align: "right" },
      { heading: "steps hidden", align: "right" },
      { heading: "at the end", align: "right" },
    ],
    rows: schemes.map(({ id, stateBits, stateBytes }, index) => {
      const hidden = hiddenMemory[index];
      return [
        plain(id),
        plain(formatCount(stateBits.perFolio)),
        plain(formatCount(stateBits.perPage)),
        plain(formatSize(stateBytes)),
        { text: formatCount(hidden.foliosMax), tone: hidden.foliosMax > 0 ? "notable" : "plain" },
        plain(formatSize(hidden.bytesMax)),
        plain(formatCount(hidden.stepsMax)),
        plain(formatCount(hidden.foliosAtEnd)),
      ];
    }),
    notes: [
      `"state at most": for the ${formatCount(workload.foliosMax)} folios and ${formatSize(workload.mappedBytesMax)} mapped ` +
        "at the fullest moment. hidden: some page of the folio is unmapped and the scheme does not say so; bytes are those of " +
        "the unmapped pages, at most at one time.",
    ],
  };
}

/** A scenario and everybody whom it convicts: "troll: mprotect takes up to 54 times as long". */
export interface ShownFindings {
  readonly scenario: string;
  readonly titles: readonly string[];
}

/** The scenarios of all findings, each once, without the comments that name a finding. */
export function findingsByScenario({ verdicts }: Comparison): readonly ShownFindings[] {
  const found = new Map<string, string[]>();
  for (const { scheme, breaks, catastrophic } of verdicts) {
    for (const { text, scenario } of [...breaks, ...catastrophic]) {
      if (scenario === "") continue;
      const commands = scenario.replaceAll(/^#.*\n/gm, "");
      found.set(commands, [...(found.get(commands) ?? []), `${scheme}: ${text}`]);
    }
  }
  return Array.from(found, ([scenario, titles]) => ({ scenario, titles }));
}
