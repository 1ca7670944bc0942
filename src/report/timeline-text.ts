/**
 * A recording over time as text: Rss, Pss and Uss of the chosen processes together, then the processes whose Pss moved
 * most; or every figure as CSV.
 *
 * How far a process moved is the distance between its least and its most, and one that came or went was at zero before
 * or after. What the table leaves out is a line of its own, so that the columns "first" and "last" add up.
 */
import type { Range, TimelineFigures, TimelineProcess, TimelineReport } from "../study/index.ts";
import { chooseWidth, escapeControls } from "./display-text.ts";
import { EMPTY_CELL } from "./figure-cells.ts";
import { formatCount, formatDifference, formatDuration, formatQuantity, formatTime, kbOf } from "./format-number.ts";
import { type TextPlace, paragraph, title } from "./scope-text.ts";
import { type SparkColumns, formatSparkline, sparkColumns } from "./sparkline.ts";
import { DERIVED_MARK, type Styles, UNCERTAIN_MARK } from "./styles.ts";
import { type Cell, type Column, renderTable } from "./text-table.ts";

export interface TimelineTextOptions {
  /** Columns of the terminal; Infinity where there is none. */
  readonly width: number;
  readonly styles: Styles;
  /** Processes shown at most. */
  readonly top: number;
}

/** Columns of the lines over time. */
const TOTAL_SPARK_COLUMNS = 60;
const PROCESS_SPARK_COLUMNS = 24;

/** A process's way through the recording, in kB. */
interface Moved {
  readonly process: TimelineProcess;
  readonly first: number;
  readonly last: number;
  readonly most: number;
  readonly distance: number;
}

/** The timeline as text, with its last newline. */
export async function formatTimelineText(report: TimelineReport, options: TimelineTextOptions): Promise<string> {
  const texts = report.processes.flatMap(({ command, user }) => [command, user]);
  const place: TextPlace = { ...options, widthOf: await chooseWidth(texts) };
  const lines = describeTimeline(report).flatMap((text) => paragraph(text, place));
  if (report.points.length > 0) {
    lines.push("", title("All chosen processes, kB", place), ...renderTotals(report, place));
    lines.push("", title("Largest movers by Pss, kB", place), ...renderMovers(report, options.top, place));
  }
  const notes = notesOf(report).flatMap((text) => paragraph(text, place));
  return `${[...lines, "", ...notes.map((line) => place.styles.faint(line))].join("\n")}\n`;
}

function describeTimeline({ points, kernelRelease, architecture, intervalMs, scheme, isKernelsOwn }: TimelineReport) {
  const [first, last] = [points.at(0), points.at(-1)];
  if (first === undefined || last === undefined) return ["No capture of this recording could be read."];
  return [
    `Linux ${escapeControls(kernelRelease)} ${escapeControls(architecture)}, ${formatQuantity(points.length, "capture", "captures")} ` +
      `(${first.number} to ${last.number}) from ${formatTime(first.beganAtMs)} to ${formatTime(last.endedAtMs)}, ` +
      `one every ${formatDuration(intervalMs)}. Sizes in kB of 1024 bytes, ` +
      `${isKernelsOwn ? `as this kernel counts (${scheme})` : `as they would be under ${scheme}`}.`,
  ];
}

/** A figure's least or only value: what is drawn and compared. */
const FIGURES: readonly (readonly [string, (figures: TimelineFigures) => Range])[] = [
  ["Rss", ({ rssBytes }) => ({ least: rssBytes, most: rssBytes })],
  ["Pss", ({ pssBytes }) => ({ least: pssBytes, most: pssBytes })],
  ["Uss", ({ ussBytes }) => ussBytes],
  ["Swap", ({ swapBytes }) => ({ least: swapBytes, most: swapBytes })],
];

function renderTotals(report: TimelineReport, place: TextPlace): readonly string[] {
  const { points, processes } = report;
  const spark = columnsFor(report, TOTAL_SPARK_COLUMNS);
  const rows = FIGURES.filter(([name, pick]) => name !== "Swap" || points.some((point) => pick(point).most > 0)).map(
    ([name, pick]): Cell[] => {
      const ranges = points.map(pick);
      const values = points.map((_, index) => sumOfKb(processes, index, pick));
      const isUncertain = ranges.some(({ least, most }) => least !== most);
      const mark = name === "Rss" || name === "Swap" || report.isKernelsOwn ? "" : DERIVED_MARK;
      const [first, last] = [values[0], values[values.length - 1]];
      return [
        { text: `${mark}${name}${isUncertain ? UNCERTAIN_MARK : ""}`, ...styleOf(mark !== "", isUncertain) },
        { text: formatSparkline(values, spark) },
        ...[first, last].map((value) => ({ text: formatCount(value) })),
        changeOf(first, last),
        { text: formatCount(values.reduce((a, b) => Math.min(a, b))) },
        { text: formatCount(values.reduce((a, b) => Math.max(a, b))) },
      ];
    },
  );
  return renderTable(
    {
      columns: [
        { heading: "", align: "left", rank: 0 },
        { heading: "over time", align: "left", rank: 6 },
        { heading: "first", align: "right", rank: 3 },
        { heading: "last", align: "right", rank: 0 },
        { heading: "change", align: "right", rank: 1 },
        { heading: "least", align: "right", rank: 5 },
        { heading: "most", align: "right", rank: 4 },
      ],
      rows,
    },
    place,
  ).lines;
}

/** What the processes' printed figures add up to. */
function sumOfKb(processes: readonly TimelineProcess[], point: number, pick: (figures: TimelineFigures) => Range) {
  return processes.reduce((sum, { figures }) => {
    const at = figures[point];
    return at === null ? sum : sum + kbOf(pick(at).least);
  }, 0);
}

function styleOf(derived: boolean, uncertain: boolean): Pick<Cell, "style"> {
  if (uncertain) return { style: "uncertain" };
  return derived ? { style: "derived" } : {};
}

function changeOf(first: number, last: number): Cell {
  const text = formatDifference(last - first);
  return first === last ? { text, style: "faint" } : { text };
}

function columnsFor({ points, intervalMs }: TimelineReport, most: number): SparkColumns {
  return sparkColumns(
    points.map(({ beganAtMs }) => beganAtMs),
    intervalMs,
    most,
  );
}

/** Those that moved, farthest first; of equals the smaller pid. */
function moversOf({ processes }: TimelineReport): Moved[] {
  return processes
    .map((process): Moved => {
      const values = process.figures.map((figures) => kbOf(figures?.pssBytes ?? 0));
      const most = values.reduce((a, b) => Math.max(a, b), 0);
      const least = values.reduce((a, b) => Math.min(a, b), most);
      return { process, first: values[0], last: values[values.length - 1], most, distance: most - least };
    })
    .sort((a, b) => b.distance - a.distance || b.most - a.most || a.process.pid - b.process.pid);
}

const MOVER_COLUMNS: readonly Column[] = [
  { heading: "PID", align: "right", rank: 0 },
  { heading: "User", align: "left", rank: 9, cutTo: 8, atMost: 12 },
  { heading: "Command", align: "left", rank: 0, cutTo: 12, atMost: 40 },
  { heading: "over time", group: "Pss", align: "left", rank: 6 },
  { heading: "first", group: "Pss", align: "right", rank: 5 },
  { heading: "last", group: "Pss", align: "right", rank: 0 },
  { heading: "change", group: "Pss", align: "right", rank: 1 },
  { heading: "most", group: "Pss", align: "right", rank: 7 },
  { heading: "change", group: "Uss", align: "right", rank: 3 },
  { heading: "change", group: "Rss", align: "right", rank: 4 },
];

function renderMovers(report: TimelineReport, top: number, place: TextPlace): readonly string[] {
  const movers = moversOf(report);
  const spark = columnsFor(report, PROCESS_SPARK_COLUMNS);
  const shown = movers.slice(0, top);
  const rows = shown.map((moved) => moverCells(moved, spark));
  const others = movers.slice(top);
  const sums = others.length === 0 ? [] : [sumCells(`(${formatCount(others.length)})`, "others", others)];
  return renderTable({ columns: MOVER_COLUMNS, rows, sums: [...sums, sumCells("", "total", movers)] }, place).lines;
}

function moverCells({ process, first, last, most }: Moved, spark: SparkColumns): Cell[] {
  const { pid, user, name, command, figures } = process;
  const change = (pick: (each: TimelineFigures) => Range): Cell => {
    const at = (each: TimelineFigures | null | undefined): Range =>
      each === null || each === undefined ? { least: 0, most: 0 } : pick(each);
    const [from, to] = [at(figures.at(0)), at(figures.at(-1))];
    const cell = changeOf(kbOf(from.least), kbOf(to.least));
    const isUncertain = to.most - from.most !== to.least - from.least;
    return isUncertain ? { text: `${cell.text}${UNCERTAIN_MARK}`, style: "uncertain" } : cell;
  };
  const pss = figures.map((each) => (each === null ? null : kbOf(each.pssBytes)));
  return [
    { text: String(pid) },
    { text: escapeControls(user) },
    { text: escapeControls(command === "" ? name : command) },
    { text: formatSparkline(pss, spark) },
    figures[0] === null ? { text: "-", style: "faint" } : { text: formatCount(first) },
    figures.at(-1) === null ? { text: "-", style: "faint" } : { text: formatCount(last) },
    changeOf(first, last),
    { text: formatCount(most) },
    change(({ ussBytes }) => ussBytes),
    change(({ rssBytes }) => ({ least: rssBytes, most: rssBytes })),
  ];
}

function sumCells(count: string, label: string, moved: readonly Moved[]): Cell[] {
  const first = moved.reduce((sum, each) => sum + each.first, 0);
  const last = moved.reduce((sum, each) => sum + each.last, 0);
  return [
    { text: count, style: "sum" },
    EMPTY_CELL,
    { text: label, style: "sum" },
    EMPTY_CELL,
    { text: formatCount(first), style: "sum" },
    { text: formatCount(last), style: "sum" },
    { text: formatDifference(last - first), style: "sum" },
  ];
}

function notesOf({ points, unread, isKernelsOwn, processes }: TimelineReport): string[] {
  const notes = ["Each line over time is drawn between its own least and most; a blank is a time without a capture."];
  const missed = points.reduce((sum, { missedIntervals }) => sum + missedIntervals, 0);
  const longest = points.reduce((most, { beganAtMs, endedAtMs }) => Math.max(most, endedAtMs - beganAtMs), 0);
  if (points.length > 0) notes.push(`No capture is a moment: reading one took ${formatDuration(longest)} at most.`);
  if (missed > 0) {
    notes.push(`${formatQuantity(missed, "interval", "intervals")} left out: the capture before was not done.`);
  }
  if (processes.some(({ figures }) => figures.includes(null))) {
    notes.push("-: not there in that capture; it counts as zero in changes and sums.");
  }
  const ranged = ({ ussBytes }: TimelineFigures): boolean => ussBytes.least !== ussBytes.most;
  if (points.some(ranged)) {
    notes.push(`${UNCERTAIN_MARK}: the least that a history leaves; --csv and --json have both ends.`);
  }
  if (!isKernelsOwn) notes.push(`${DERIVED_MARK}: not what this kernel prints.`);
  const refused = points.reduce((most, { processesRefused }) => Math.max(most, processesRefused), 0);
  if (refused > 0) notes.push(`${formatQuantity(refused, "process", "processes")} refused to be read.`);
  return [...notes, ...unread.map(({ number, reason }) => `Capture ${number} is left out. ${escapeControls(reason)}`)];
}

const CSV_COLUMNS = [
  "capture",
  "began_at",
  "pid",
  "user",
  "name",
  "command",
  "cgroup",
  "rss_bytes",
  "pss_bytes",
  "uss_least_bytes",
  "uss_most_bytes",
  "swap_bytes",
];

/** Every figure of every process: one line a capture and process, sizes in bytes, times as in ISO 8601. */
export function formatTimelineCsv({ points, processes }: TimelineReport): string {
  const lines = [CSV_COLUMNS.join(",")];
  for (const [index, { number, beganAtMs }] of points.entries()) {
    const time = new Date(beganAtMs).toISOString();
    for (const { pid, user, name, command, cgroup, figures } of processes) {
      const at = figures[index];
      if (at === null) continue;
      const texts = [user, name, command, cgroup].map(quote);
      const { rssBytes, pssBytes, ussBytes, swapBytes } = at;
      lines.push([number, time, pid, ...texts, rssBytes, pssBytes, ussBytes.least, ussBytes.most, swapBytes].join(","));
    }
  }
  return `${lines.join("\r\n")}\r\n`;
}

function quote(text: string): string {
  const plain = escapeControls(text);
  return /[",]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
