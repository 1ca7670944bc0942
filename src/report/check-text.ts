/**
 * What a check found, for a terminal: a line a property, how far the search went, and each counterexample as a story.
 */
import type { CheckResult, LockOrderEdge, LockOrderFound, PropertyOutcome, Story } from "../checker/index.ts";
import type { TimedCheck } from "./check-json.ts";
import { escapeControls, wrapText } from "./display-text.ts";
import { formatCount, formatDuration, formatQuantity, formatSize } from "./format-number.ts";
import { formatStoryColumns } from "./story-columns.ts";
import type { StyleName, Styles } from "./styles.ts";
import { type Cell, type Column, renderTable } from "./text-table.ts";

export interface CheckTextOptions {
  /** Columns of the terminal; Infinity where there is none. */
  readonly width: number;
  readonly styles: Styles;
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
export function formatCheckText(check: TimedCheck, options: CheckTextOptions): string {
  const { result, elapsedMs, expected } = check;
  const { width, styles } = options;
  const rows = result.properties.map((outcome) => rowOf(outcome, expected?.[outcome.name]));
  const lines = [
    styles.heading(escapeControls(result.configuration)),
    ...wrapText(describeOptions(result), width, "  "),
    "",
    ...renderTable({ columns: COLUMNS, rows }, { width, styles }).lines,
    "",
    ...wrapText(describeFigures(result, elapsedMs), width),
  ];
  for (const outcome of result.properties) {
    if (outcome.outcome === "broken") lines.push("", ...storyLines(outcome.story, options));
  }
  if (result.lockOrder !== undefined) lines.push("", ...lockOrderLines(result.lockOrder, width));
  return `${lines.join("\n")}\n`;
}

function rowOf(outcome: PropertyOutcome, expected: string | undefined): Cell[] {
  const isKnown = expected === outcome.outcome;
  const isMissing = expected !== undefined && (outcome.outcome === "holds" || outcome.outcome === "seen");
  const isBad = outcome.outcome === "broken" || outcome.outcome === "unseen";
  const style: StyleName | undefined = isBad || isMissing ? "uncertain" : undefined;
  const beside = isKnown ? ", as known" : isMissing ? `, which is not what is known of it (${expected})` : "";
  const verdict = `${verdictOf(outcome)}${beside}`;
  return [
    { text: escapeControls(outcome.name) },
    { text: outcome.name === "livelock" ? "in every fair run" : WHEN[outcome.when], style: "faint" },
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

function describeOptions({ options, schedules }: CheckResult): string {
  const memory =
    options.memory === "tso" ? `store buffers of ${options.bufferEntries ?? 2} (TSO)` : "sequential consistency";
  if (schedules !== undefined) return `${memory}, random schedules`;
  const search = options.search === "depth-first" ? "depth first" : "breadth first";
  const reductions = [
    ...(options.partialOrderReduction !== false ? ["partial-order reduction"] : []),
    ...(options.symmetry !== false ? ["symmetry"] : []),
  ];
  return [memory, search, reductions.length === 0 ? "no reduction" : reductions.join(" and ")].join(", ");
}

/** Of fewer states, what one takes says nothing: tables have a least size, and the engine has not compiled yet. */
const RATE_STATES = 10_000;

const COVERAGE: Readonly<Record<CheckResult["coverage"], string>> = {
  complete: "Complete",
  "stopped-at-broken": "Stopped at the broken property",
  "state-limit": "Stopped at the limit of states, explored so far",
  "memory-limit": "Stopped at the limit of memory, explored so far",
  interrupted: "Interrupted, explored so far",
  schedules: "Random schedules",
};

function describeFigures({ coverage, figures, schedules }: CheckResult, elapsedMs: number): string {
  const { states, transitions, depth, bytes } = figures;
  if (schedules !== undefined) {
    const { seed, count, cutShort } = schedules;
    return (
      `${COVERAGE[coverage]}: ${formatQuantity(count, "random schedule", "random schedules")} from seed ${seed}, ` +
      `${formatQuantity(transitions, "step", "steps")}, the longest ${formatCount(depth)}, ` +
      `${formatQuantity(states, "different state", "different states")}, ${formatDuration(elapsedMs)}` +
      `${cutShort > 0 ? `; ${formatCount(cutShort)} were cut short` : ""}. What was not seen may still be there.`
    );
  }
  const isTelling = states >= RATE_STATES && elapsedMs > 0;
  const rate = isTelling ? `, ${formatCount(Math.round((states / elapsedMs) * 1000))} states a second` : "";
  const perState = isTelling ? ` (${Math.round(bytes / states)} bytes a state)` : "";
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

function lockOrderLines(order: LockOrderFound, width: number): string[] {
  const { edges, cycles, hasMoreCycles, states, isComplete } = order;
  const edgeLines = edges.flatMap((edge) => wrapText(describeEdge(edge), width - 2, "  ").map((line) => `  ${line}`));
  const where = isComplete
    ? `all ${formatQuantity(states, "state", "states")} without reductions`
    : `the first ${formatQuantity(states, "state", "states")} without reductions, not all`;
  const cycleLines = cycles.flatMap((cycle) =>
    wrapText(`Cycle: ${[...cycle, cycle[0] ?? ""].join(" -> ")}`, width, "  "),
  );
  const noCycle = isComplete ? "There is an order of locks: no cycle." : "No cycle so far.";
  return [
    ...wrapText(`Locks held while another was asked for, in ${where}:`, width),
    ...(edgeLines.length === 0 ? ["  none"] : edgeLines),
    ...(cycles.length === 0 ? [noCycle] : cycleLines),
    ...(hasMoreCycles ? ["There are more cycles than these."] : []),
  ];
}

function describeEdge({ held, asked, thread, source }: LockOrderEdge): string {
  return escapeControls(`${held} -> ${asked} (${thread}: ${source})`);
}

const SUMMARY_COLUMNS: readonly Column[] = [
  { heading: "case", align: "left", rank: 0 },
  { heading: "verdict", align: "left", rank: 0, cutTo: 40 },
  { heading: "states", align: "right", rank: 0 },
  { heading: "transitions", align: "right", rank: 2 },
  { heading: "depth", align: "right", rank: 3 },
  { heading: "time", align: "right", rank: 1 },
];

/** Many checks, a line each, with a newline at its end. */
export function formatCheckSummary(checks: readonly TimedCheck[], { width, styles }: CheckTextOptions): string {
  const rows = checks.map((check): Cell[] => {
    const { states, transitions, depth } = check.result.figures;
    const { text, style } = summaryOf(check);
    return [
      { text: escapeControls(check.case ?? check.result.configuration) },
      { text, ...(style === undefined ? {} : { style }) },
      { text: formatCount(states) },
      { text: formatCount(transitions) },
      { text: formatCount(depth) },
      { text: formatDuration(check.elapsedMs) },
    ];
  });
  const [first] = checks;
  const scheme = first?.scheme === undefined ? "" : `${first.scheme}: `;
  const { lines, leftOut } = renderTable({ columns: SUMMARY_COLUMNS, rows }, { width, styles });
  const hint = `${scheme}${formatQuantity(checks.length, "case", "cases")}; --case ID tells the story of one.`;
  const missing = leftOut.length === 0 ? [] : wrapText(`No room for: ${leftOut.join(", ")}.`, width);
  return `${[...lines, "", ...wrapText(hint, width), ...missing].join("\n")}\n`;
}

function summaryOf({ result, expected = {} }: TimedCheck): { readonly text: string; readonly style?: StyleName } {
  const namesOf = (wanted: PropertyOutcome["outcome"]): string[] =>
    result.properties.filter(({ outcome }) => outcome === wanted).map(({ name }) => name);
  const asKnown = (names: readonly string[], outcome: string): string =>
    names.every((name) => expected[name] === outcome) ? ", as known" : "";
  const [broken, unseen] = [namesOf("broken"), namesOf("unseen")];
  const missing = Object.keys(expected).filter(
    (name) => result.coverage === "complete" && !broken.includes(name) && !unseen.includes(name),
  );
  const parts = [
    ...(broken.length === 0 ? [] : [`breaks ${broken.join(", ")}${asKnown(broken, "broken")}`]),
    ...(unseen.length === 0 ? [] : [`never: ${unseen.join(", ")}${asKnown(unseen, "unseen")}`]),
    ...(missing.length === 0 ? [] : [`not what is known of it: ${missing.join(", ")}`]),
  ];
  if (parts.length > 0) return { text: escapeControls(parts.join("; ")), style: "uncertain" };
  if (result.coverage === "complete") return { text: "all properties hold" };
  return { text: `nothing broken so far (${result.coverage})`, style: "uncertain" };
}
