/**
 * What a check found, for a terminal: a line a property, how far the search went, and each counterexample as a story.
 */
import type { CheckResult, LockOrderEdge, PropertyOutcome, Story } from "../checker/index.ts";
import { escapeControls, wrapText } from "./display-text.ts";
import { formatCount, formatDuration, formatQuantity, formatSize } from "./format-number.ts";
import { formatStoryColumns } from "./story-columns.ts";
import type { StyleName, Styles } from "./styles.ts";
import { type Cell, type Column, renderTable } from "./text-table.ts";

export interface CheckTextOptions {
  /** Columns of the terminal; Infinity where there is none. */
  readonly width: number;
  readonly styles: Styles;
  /** How long the search took, in milliseconds. */
  readonly elapsedMs: number;
  /** What the catalogue knows of this configuration, by property; absent for a configuration of one's own. */
  readonly expected?: Readonly<Record<string, string>>;
  /** Stories are left out: a summary of many checks. */
  readonly withoutStories?: boolean;
}

const COLUMNS: readonly Column[] = [
  { heading: "property", align: "left", rank: 0 },
  { heading: "looked at", align: "left", rank: 1 },
  { heading: "verdict", align: "left", rank: 0 },
];

const WHEN: Readonly<Record<PropertyOutcome["when"], string>> = {
  assert: "where a thread acts",
  always: "in every state",
  never: "in every state",
  quiet: "when nobody is at work",
  sometimes: "must occur",
  "built-in": "in every state",
};

/** The whole text, with a newline at its end. */
export function formatCheckText(result: CheckResult, options: CheckTextOptions): string {
  const { width, styles } = options;
  const rows = result.properties.map((outcome) => rowOf(outcome, options.expected?.[outcome.name]));
  const lines = [
    styles.heading(escapeControls(result.configuration)),
    ...wrapText(describeOptions(result), width, "  "),
    "",
    ...renderTable({ columns: COLUMNS, rows }, { width, styles }).lines,
    "",
    ...wrapText(describeFigures(result, options.elapsedMs), width),
  ];
  if (options.withoutStories !== true) {
    for (const outcome of result.properties) {
      if (outcome.outcome === "broken") lines.push("", ...storyLines(outcome.story, options));
    }
  }
  if (result.lockOrder !== undefined) lines.push("", ...lockOrderLines(result.lockOrder, width));
  return `${lines.join("\n")}\n`;
}

function rowOf(outcome: PropertyOutcome, expected: string | undefined): Cell[] {
  const text = verdictOf(outcome);
  const known = outcome.outcome === "broken" && expected === "broken" ? ", as known" : "";
  const surprise = expected !== undefined && (outcome.outcome === "broken") !== (expected === "broken");
  const style: StyleName | undefined = outcome.outcome === "broken" || surprise ? "uncertain" : undefined;
  const verdict = `${text}${known}${surprise && expected === "broken" ? ", but it is known to break" : ""}`;
  return [
    { text: escapeControls(outcome.name) },
    { text: WHEN[outcome.when], style: "faint" },
    { text: verdict, ...(style === undefined ? {} : { style }) },
  ];
}

/** The outcome in words. */
export function verdictOf(outcome: PropertyOutcome): string {
  switch (outcome.outcome) {
    case "holds":
      return "holds in all states";
    case "holds-so-far":
      return "holds in what was explored";
    case "seen":
      return "occurs";
    case "unseen":
      return "never occurs: what it stands for was not tested";
    case "not-seen-so-far":
      return "not seen in what was explored";
    case "not-checked":
      return "not checked";
    case "broken":
      return `broken after ${formatQuantity(outcome.story.steps.length, "access", "accesses")}`;
  }
}

function describeOptions({ options }: CheckResult): string {
  const memory =
    options.memory === "tso"
      ? `store buffers of ${options.bufferEntries ?? 2} (TSO)`
      : "sequential consistency";
  const search = options.search === "depth-first" ? "depth first" : "breadth first";
  const reductions = [
    ...(options.partialOrderReduction === true ? ["partial-order reduction"] : []),
    ...(options.symmetry === true ? ["symmetry"] : []),
  ];
  return [memory, search, reductions.length === 0 ? "no reduction" : reductions.join(" and ")].join(", ");
}

const COVERAGE: Readonly<Record<CheckResult["coverage"], string>> = {
  complete: "Complete",
  "stopped-at-broken": "Stopped at the broken property",
  "state-limit": "Stopped at the limit of states, explored so far",
  "memory-limit": "Stopped at the limit of memory, explored so far",
  interrupted: "Interrupted, explored so far",
};

function describeFigures({ coverage, figures }: CheckResult, elapsedMs: number): string {
  const { states, transitions, depth, bytes } = figures;
  const rate = elapsedMs > 0 ? `, ${formatCount(Math.round((states / elapsedMs) * 1000))} states a second` : "";
  const perState = states > 0 ? ` (${Math.round(bytes / states)} bytes a state)` : "";
  return (
    `${COVERAGE[coverage]}: ${formatQuantity(states, "state", "states")}, ` +
    `${formatQuantity(transitions, "transition", "transitions")}, depth ${formatCount(depth)}, ` +
    `${formatDuration(elapsedMs)}${rate}, ${formatSize(bytes)}${perState}.`
  );
}

function storyLines(story: Story, { width, styles }: CheckTextOptions): string[] {
  const title = `${story.property}: ${story.ending}`;
  return [
    ...wrapText(escapeControls(title), width).map((line) => styles.heading(line)),
    "",
    ...formatStoryColumns(story, { width, styles }),
  ];
}

function lockOrderLines({ edges, cycles }: NonNullable<CheckResult["lockOrder"]>, width: number): string[] {
  const edgeLines = edges.flatMap((edge) => wrapText(describeEdge(edge), width, "    "));
  const cycleLines =
    cycles.length === 0
      ? ["There is an order of locks: no cycle."]
      : cycles.map((cycle) => `Cycle: ${[...cycle, cycle[0] ?? ""].join(" -> ")}`);
  return ["Locks held while another was asked for:", ...(edgeLines.length === 0 ? ["  none"] : edgeLines), ...cycleLines];
}

function describeEdge({ held, asked, thread, source }: LockOrderEdge): string {
  return escapeControls(`  ${held} -> ${asked}  (${thread}: ${source})`);
}
