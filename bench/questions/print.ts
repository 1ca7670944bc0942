/**
 * The results of the bench of questions as text: the machine, every command with its figures, which bars were missed.
 */
import { type Machine, type Sample, type Series, figuresOf, summarize } from "../capture/measure.ts";
import { formatCount, formatNumber, formatTable } from "../capture/table.ts";
import type { Bar, Measured } from "./questions.ts";
import { WATCH_SHARE_MOST, type WatchShare } from "./watch-share.ts";

/** All that was found out. */
export interface Results {
  readonly machine: Machine;
  readonly loadBefore: number;
  readonly loadAfter: number;
  readonly runs: number;
  /** Of the capture that is asked. */
  readonly processes: number;
  readonly presentEntries: number;
  readonly captureBytes: number;
  readonly rows: readonly Row[];
  readonly watched: readonly WatchShare[];
}

/** One command: its rounds, and each of its bars with whether it was met. */
export interface Row {
  readonly series: Series;
  readonly bars: readonly { readonly bar: Bar; readonly met: boolean }[];
}

const MB = 1e6;

/** Holds the rounds of each command against its bars; a command with a failed round meets none. */
export function judge(measured: readonly Measured[], all: readonly Series[]): Row[] {
  return measured.flatMap(({ bars }, index) => {
    const series = all[index];
    if (series === undefined) return [];
    const isMet = ({ figure, atMost }: Bar): boolean => {
      const median = summarize(figuresOf(series, figure))?.median;
      return series.failures.length === 0 && median !== undefined && median <= atMost;
    };
    return [{ series, bars: bars.map((bar) => ({ bar, met: isMet(bar) })) }];
  });
}

/** True when every bar of every row is met, and that of `watch`. */
export function areAllMet({ rows, watched }: Results): boolean {
  return rows.every(({ bars }) => bars.every(({ met }) => met)) && isWatchMet(watched);
}

function isWatchMet(watched: readonly WatchShare[]): boolean {
  const share = summarize(watched.map((each) => each.share))?.median;
  return share === undefined || share <= WATCH_SHARE_MOST;
}

function formatWatched(watched: readonly WatchShare[]): string {
  const of = (figure: keyof WatchShare): string => {
    const all = summarize(watched.map((each) => each[figure] * (figure.startsWith("share") ? 100 : 1)));
    return all === undefined
      ? ""
      : `${formatNumber(all.median, 1)} (${formatNumber(all.min, 1)}-${formatNumber(all.max, 1)})`;
  };
  const peak = summarize(watched.map(({ peakRssBytes }) => peakRssBytes / MB))?.median;
  return [
    `watch --interval 1s, the whole machine: ${of("share")} % of one core from its first moment on, at most ${WATCH_SHARE_MOST * 100} %: ${isWatchMet(watched) ? "met" : "MISSED"};`,
    `${of("moments")} moments in ${of("seconds")} s, ${formatNumber(peak, 0)} MB; ${of("shareFromStart")} % with the first reading and the start.`,
  ].join("\n");
}

function formatBar({ figure, atMost }: Bar): string {
  return figure === "peakRssBytes" ? `${atMost / MB} MB` : `${atMost} s`;
}

function formatRow({ series, bars }: Row): (string | undefined)[] {
  const median = (figure: keyof Sample): number | undefined => summarize(figuresOf(series, figure))?.median;
  const wall = summarize(figuresOf(series, "wallSeconds"));
  const rss = median("peakRssBytes");
  const missed = bars.filter(({ met }) => !met);
  return [
    series.name,
    formatNumber(wall?.median, 3),
    formatNumber(wall?.min, 3),
    formatNumber(wall?.max, 3),
    formatNumber(median("userSeconds"), 2),
    formatNumber(median("sysSeconds"), 2),
    formatNumber(rss === undefined ? undefined : rss / MB, 0),
    bars.length === 0 ? "" : bars.map(({ bar }) => formatBar(bar)).join(", "),
    bars.length === 0
      ? ""
      : missed.length === 0
        ? "met"
        : `MISSED ${missed.map(({ bar }) => formatBar(bar)).join(", ")}`,
  ];
}

/** All of it, ready for stdout. */
export function formatResults(results: Results): string {
  const { machine, rows } = results;
  const failures = rows.flatMap(({ series }) => [...new Set(series.failures)]);
  const header = ["question", "wall s", "min", "max", "user s", "sys s", "RSS MB", "at most", ""];
  return [
    [
      `Machine   ${machine.cpu}, ${machine.cores} cores, ${(machine.memoryBytes / 2 ** 30).toFixed(1)} GiB, Linux ${machine.kernel}, ${machine.pageMapcount}, Node ${machine.node}`,
      `Load      ${results.loadBefore.toFixed(2)} before and ${results.loadAfter.toFixed(2)} after: above 1 without us, seconds are too many`,
      `Capture   ${formatCount(results.processes)} processes, ${formatCount(results.presentEntries)} present entries, ${formatCount(Math.round(results.captureBytes / 1024))} kB of files`,
      `Runs      ${results.runs} of each command, in turn; medians`,
    ].join("\n"),
    formatTable(header, rows.map(formatRow)),
    ...(results.watched.length === 0 ? [] : [formatWatched(results.watched)]),
    "MB: 10^6 bytes. kB: 1024 bytes. The process's own user and system time, all threads.",
    ...(failures.length === 0 ? [] : [failures.join("\n")]),
  ].join("\n\n");
}
