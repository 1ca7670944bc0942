/**
 * The watcher's screen as lines of text: what it rests on and what watching costs, the list in view, and what keys do.
 *
 * Pure: a moment, a view and a size in, exactly so many lines out. A list scrolls so that the chosen row is on it. Cost is
 * part of the picture: this program's share of a core, what it read, and the longest call on a target's page tables, which
 * is as long as a target can have been held.
 */
import type { WatchedMoment } from "../study/index.ts";
import { type WidthOf, cutText, escapeControls } from "./display-text.ts";
import { formatCount, formatDuration, formatQuantity, formatShare, formatSize, formatTime } from "./format-number.ts";
import { DERIVED_MARK, type Styles, UNCERTAIN_MARK } from "./styles.ts";
import { type Table, renderTable } from "./text-table.ts";
import { addressOf, foliosTable, processTable, sharersTable, vmaTable } from "./watch-tables.ts";
import { type WatchData, type WatchView, chosenIndex, listedKeys, listedProcesses, listedVmas } from "./watch-view.ts";

/** What watching costs, as its process measures it. */
export interface WatchCost {
  /** CPU time of this process since the moment before by the time between, 0 to the number of processors. */
  readonly cpuShare: number;
  /** Between the moments as wanted, and as it came to be. */
  readonly intervalMs: number;
  readonly elapsedMs: number;
}

/** Where the screen goes. */
export interface ScreenPlace {
  readonly columns: number;
  readonly rows: number;
  readonly styles: Styles;
  readonly widthOf: WidthOf;
}

/** Smaller terminals get a sentence instead. */
export const SCREEN_COLUMNS_MIN = 40;
export const SCREEN_ROWS_MIN = 10;

const HELP: readonly string[] = [
  "Up Down k j PgUp PgDn Home End   choose a row",
  "Enter Right   into a process; into a VMA: its folios, and who shares them",
  "Esc q Left    back; q in the list of processes ends the program",
  "< >           order by the column before or behind       I   turn the order",
  "P U R S       by Pss, Uss, Rss, Swap                     N M by pid, by name",
  "D X           by the difference of Pss, of Uss under the other scheme",
  "C             by the change of Pss since the moment before",
  "/ or \\        filter; Enter keeps it, Esc drops it",
  "Space         freeze, and go on                          h ? this page",
  "Ctrl-Z Ctrl-C suspend, end",
  "",
  "~ as the other scheme would count   ? history decides: a range, its least end",
];

/** Draws the screen: `rows` lines, none wider than `columns`. */
export function formatWatchScreen(data: WatchData, view: WatchView, cost: WatchCost, place: ScreenPlace): string[] {
  const { columns, rows } = place;
  if (columns < SCREEN_COLUMNS_MIN || rows < SCREEN_ROWS_MIN) {
    return fill([cut(`It needs ${SCREEN_COLUMNS_MIN} columns and ${SCREEN_ROWS_MIN} rows.`, place)], rows);
  }
  const head = formatHeader(data, view, cost, place);
  const room = rows - head.length - 1;
  const body = view.help
    ? HELP.slice(0, room).map((line) => cut(line, place))
    : formatBody(data, view, { ...place, rows: room });
  return [...head, ...fill(body, room), place.styles.faint(cut(footerOf(view), place))];
}

/** A line of ours, cut to the screen. */
function cut(text: string, { columns, widthOf }: Omit<ScreenPlace, "rows">): string {
  return cutText(text, columns, widthOf);
}

function fill(lines: readonly string[], rows: number): string[] {
  return Array.from({ length: rows }, (_, index) => lines[index] ?? "");
}

/** The same as text for a log: the header and the whole list, without keys. */
export function formatWatchFrame(
  data: WatchData,
  view: WatchView,
  cost: WatchCost,
  place: Omit<ScreenPlace, "rows">,
): string {
  const wide = { ...place, columns: Number.isFinite(place.columns) ? place.columns : 1000 };
  const head = formatHeader(data, view, cost, { ...wide, rows: Infinity });
  const table = processTable(listedProcesses(data, view), data.moment.schemes, -1);
  return `${[...head, ...draw(table, { ...place, rows: Infinity })].join("\n")}\n`;
}

function formatHeader({ moment }: WatchData, view: WatchView, cost: WatchCost, place: ScreenPlace): string[] {
  const { styles } = place;
  const { machine, reading } = moment;
  const stretched = cost.elapsedMs > cost.intervalMs * 1.5 ? `, took ${formatDuration(cost.elapsedMs)}` : "";
  const clock = `${formatTime(moment.takenAtMs)}, every ${formatDuration(cost.intervalMs)}${stretched}`;
  const refused = moment.processes.filter(({ state }) => state === "refused").length;
  const counted = moment.processes.length - refused;
  const lines = [
    styles.heading(
      cut(
        `foliometer watch  Linux ${escapeControls(machine.kernelRelease)}  ${clock}${view.frozen ? "  FROZEN" : ""}`,
        place,
      ),
    ),
    cut(
      `Memory ${formatSize(machine.memTotalBytes)}, ${formatSize(machine.memAvailableBytes)} available; ` +
        `${formatQuantity(counted, "process", "processes")}${refused > 0 ? `, ${formatCount(refused)} refused` : ""}; ` +
        `Rss ${formatSize(moment.totals.rssBytes)}`,
      place,
    ),
    cut(describeTotals(moment), place),
    cut(
      `Cost ${formatShare(cost.cpuShare, 1)} of a core, read ${formatSize(reading.pagemapBytes + reading.kpageflagsBytes + reading.kpagecountBytes)}; ` +
        `targets held ${heldText(moment)} at most`,
      place,
    ),
    cut(describeAge(moment), place),
    "",
  ];
  lines[lines.length - 1] = styles.heading(cut(describeView(view, moment), place));
  return lines;
}

function describeTotals({ schemes, totals }: WatchedMoment): string {
  return schemes
    .map((id, index) => {
      const { pssBytes, ussBytes } = totals.schemes[id];
      const mark = index === 0 ? "" : DERIVED_MARK;
      const uss = `${mark}${formatSize(ussBytes.least)}${ussBytes.least === ussBytes.most ? "" : UNCERTAIN_MARK}`;
      return `${id}: Pss ${mark}${formatSize(pssBytes)} Uss ${uss}`;
    })
    .join("; ");
}

function heldText({ reading }: WatchedMoment): string {
  return `${Math.max(reading.longestScanMs, reading.longestReadMs).toFixed(2)} ms`;
}

/** How old the figures are, and how far off the counts. */
function describeAge({ reading, takenAtMs }: WatchedMoment): string {
  const waiting = reading.processesWaiting;
  const { processesRead, processesChanged, framesChecked, framesDiffer } = reading;
  return (
    `Oldest reading ${formatDuration(Math.max(0, takenAtMs - reading.oldestReadAtMs))}; ` +
    `read ${formatCount(processesRead)}, changed ${formatCount(processesChanged)}` +
    `${waiting > 0 ? `, ${formatCount(waiting)} waiting` : ""}; ` +
    `${formatShare(framesDiffer, framesChecked)} of counts differ now`
  );
}

function describeView(view: WatchView, moment: WatchedMoment): string {
  const filter = view.typing
    ? `  filter: ${escapeControls(view.filter)}_`
    : view.filter === ""
      ? ""
      : `  filter: ${escapeControls(view.filter)}`;
  const order = `by ${view.sort}${view.reverse ? ", turned" : ""}`;
  const owner = moment.processes.find(({ pid }) => pid === view.pid);
  const name = `${view.pid ?? ""} ${escapeControls(owner?.command ?? "(gone)")}`;
  switch (view.level) {
    case "processes":
      return `Processes ${order}${filter}`;
    case "vmas":
      return `VMAs ${order}${filter} of ${name}`;
    case "vma":
      return `VMA at ${addressOf(view.startPage ?? 0)} of ${name}`;
  }
}

function footerOf(view: WatchView): string {
  if (view.typing) return "Enter keeps the filter, Esc drops it";
  if (view.help) return "Any key goes back";
  const space = view.frozen ? "Space go on" : "Space freeze";
  const back = view.level === "processes" ? "q quit" : "Esc back";
  const into = view.level === "vma" ? "" : "Enter into  / filter  < > order  ";
  return `${into}${space}  ${back}  h help`;
}

function draw(table: Table, { columns, styles, widthOf }: ScreenPlace): string[] {
  return [...renderTable(table, { width: columns, styles, widthOf }).lines];
}

function formatBody(data: WatchData, view: WatchView, place: ScreenPlace): string[] {
  if (view.level === "vma") return formatContents(data, place);
  const keys = listedKeys(data, view);
  if (keys.length === 0) return [cut(emptyText(data, view), place)];
  const chosen = chosenIndex(keys, view);
  // Headings take two lines; the chosen row stands in the middle of a list that is longer than the screen.
  const room = Math.max(1, place.rows - 2);
  const top = Math.max(0, Math.min(keys.length - room, chosen - Math.floor(room / 2)));
  const table =
    view.level === "processes"
      ? processTable(listedProcesses(data, view).slice(top, top + room), data.moment.schemes, chosen - top)
      : vmaTable(listedVmas(data, view).slice(top, top + room), data.moment.schemes, chosen - top);
  return draw(table, place);
}

function emptyText({ vmas }: WatchData, view: WatchView): string {
  if (view.level === "vmas" && vmas === undefined) return "The process is gone, or was not read yet.";
  return view.filter === "" ? "Nothing is mapped." : "Nothing matches the filter.";
}

function formatContents({ contents }: WatchData, place: ScreenPlace): string[] {
  if (contents === undefined) return [cut("The mapping is gone, or was not read yet.", place)];
  const { vma, folios, sharers } = contents;
  const name = vma.name === "" ? "[anonymous]" : escapeControls(vma.name);
  const size = formatSize((vma.endPage - vma.startPage) * 4096);
  const mapped = formatSize(vma.rssBytes + vma.hugetlbBytes);
  const foliosLines =
    folios.length === 0 ? ["No page of it is present, or only the zero page."] : draw(foliosTable(folios), place);
  const sharersLines = sharers.length === 0 ? ["Nobody else maps its pages."] : draw(sharersTable(sharers), place);
  const room = Math.max(2, place.rows - 2 - Math.min(foliosLines.length, Math.ceil(place.rows / 2)));
  const shown =
    sharersLines.length > room
      ? [...sharersLines.slice(0, room - 1), moreText(sharersLines.length - room + 1)]
      : sharersLines;
  const above = foliosLines.slice(0, place.rows - 2 - shown.length);
  return [cut(`${vma.perms} ${size}, ${mapped} mapped: ${name}`, place), ...above, "", ...shown];
}

function moreText(count: number): string {
  return `  and ${formatCount(count)} more`;
}
