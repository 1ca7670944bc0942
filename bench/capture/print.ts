/**
 * The results of the capture bench as text: the machine and its census, all
 * commands, the bars, and the Redis child.
 */

import type { Judgement } from "./bars.ts";
import { type Machine, type Sample, type Series, type Summary, figuresOf, summarize } from "./measure.ts";
import type { KernelFigures, SchemeFigures } from "./redis-child.ts";
import { formatCount, formatNumber, formatTable } from "./table.ts";

export interface Census {
  readonly processes: number;
  readonly refusedProcesses: number;
  readonly vmas: number;
  readonly vmasOver1TiB: number;
  readonly virtualPages: number;
  readonly presentEntries: number;
  readonly mappedPfnWindows: number;
}

export interface Results {
  readonly machine: Machine;
  readonly census: Census;
  readonly runs: number;
  readonly series: readonly Series[];
  readonly bars: readonly Judgement[];
  readonly missing: readonly string[];
  readonly redisChild: {
    readonly pid: number;
    readonly kernel: KernelFigures | undefined;
    readonly schemes: readonly SchemeFigures[];
    readonly note: string | undefined;
  };
}

const MB = 1e6;

function formatFigure(figure: keyof Sample, value: number | undefined): string | undefined {
  if (value === undefined) return undefined;
  return figure === "peakRssBytes" ? formatNumber(value / MB, 0) : formatNumber(value, 3);
}

function formatHead(results: Results): string {
  const { machine, census } = results;
  return [
    `Machine   ${machine.cpu}, ${machine.cores} cores, ${(machine.memoryBytes / 2 ** 30).toFixed(1)} GiB, Linux ${machine.kernel}, ${machine.pageMapcount}, Node ${machine.node}`,
    `Workload  ${formatCount(census.processes)} processes (${census.refusedProcesses} refused), ${formatCount(census.vmas)} VMAs, ${formatCount(census.virtualPages)} virtual pages, ${formatCount(census.presentEntries)} present entries`,
    `Runs      ${results.runs} of each command, in turn`,
  ].join("\n");
}

function formatCommands(all: readonly Series[]): string {
  const rows = all.map((series) => {
    const of = (figure: keyof Sample): Summary | undefined => summarize(figuresOf(series, figure));
    const wall = of("wallSeconds");
    return [
      series.name,
      formatNumber(wall?.median, 3),
      formatNumber(wall?.min, 3),
      formatNumber(wall?.max, 3),
      formatNumber(of("userSeconds")?.median, 2),
      formatNumber(of("sysSeconds")?.median, 2),
      formatFigure("peakRssBytes", of("peakRssBytes")?.median),
      series.failures.length === 0 ? "" : String(series.failures.length),
    ];
  });
  return formatTable(["command", "wall s", "min", "max", "user s", "sys s", "RSS MB", "failed"], rows);
}

function formatBars(bars: readonly Judgement[]): string {
  const rows = bars.map((bar) => [
    `${bar.subject}, ${bar.figure === "peakRssBytes" ? "peak RSS MB" : "wall s"}`,
    formatFigure(bar.figure, bar.ours?.median),
    formatFigure(bar.figure, bar.ours?.min),
    formatFigure(bar.figure, bar.ours?.max),
    bar.peer,
    formatFigure(bar.figure, bar.theirs?.median),
    formatNumber(bar.ratio, 3),
    bar.bar,
    bar.met === undefined ? undefined : bar.met ? "met" : "MISSED",
  ]);
  return formatTable(["figure", "median", "min", "max", "peer", "peer's", "ratio", "bar", ""], rows);
}

function kb(bytes: number): string {
  return formatCount(Math.round(bytes / 1024));
}

function formatRedisChild(child: Results["redisChild"]): string {
  const rows = child.schemes.map((figures) => [figures.scheme, kb(figures.pssBytes), kb(figures.ussBytes)]);
  if (child.kernel !== undefined) rows.push(["smaps_rollup", kb(child.kernel.pssBytes), kb(child.kernel.privateBytes)]);
  const table = formatTable([`Redis child, pid ${child.pid}`, "Pss kB", "Uss kB"], rows);
  return child.note === undefined ? table : `${table}\n${child.note}`;
}

/** All of it, ready for stdout. */
export function formatResults(results: Results): string {
  const failures = results.series.flatMap((series) => [...new Set(series.failures)]);
  const notes = [...results.missing, ...failures];
  return [
    formatHead(results),
    formatCommands(results.series),
    `${formatBars(results.bars)}\n\nratio: median over the rounds of ours / peer's. MB: 10^6 bytes. kB: 1024 bytes.`,
    formatRedisChild(results.redisChild),
    ...(notes.length === 0 ? [] : [notes.join("\n")]),
  ].join("\n\n");
}
