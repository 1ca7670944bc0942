/**
 * Times whole commands from outside: wall clock, user and system time and peak
 * resident memory of the process, as GNU time reports them. The commands take
 * turns (A B C, A B C, ...), so that whatever else the machine does falls on all
 * of them alike, and two commands are compared round by round.
 */

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

const GNU_TIME = "/usr/bin/time";
const COMMAND_LIMIT_S = 300;
const STDERR_LIMIT_BYTES = 2048;

/** More rounds than this say nothing new and keep a machine busy for an hour. */
export const RUNS_LIMIT = 50;

export interface Command {
  readonly name: string;
  /** Made anew for each round: a list of pids does not stay true. */
  readonly argv: () => readonly string[];
  readonly cwd?: string;
  readonly before?: () => void;
  /** Exit codes that still are an answer, such as an incomplete capture's. */
  readonly okExitCodes?: readonly number[];
}

export interface Sample {
  readonly wallSeconds: number;
  readonly userSeconds: number;
  readonly sysSeconds: number;
  readonly peakRssBytes: number;
}

/** One command's rounds; a failed round is undefined and its reason is among `failures`. */
export interface Series {
  readonly name: string;
  readonly samples: (Sample | undefined)[];
  readonly failures: string[];
}

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly memoryBytes: number;
  readonly pageMapcount: string;
  readonly node: string;
}

/** Median, least and greatest; undefined for no values at all. */
export function summarize(values: readonly number[]): Summary | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const [min, max] = [sorted.at(0), sorted.at(-1)];
  if (min === undefined || max === undefined) return undefined;
  const half = sorted.length >> 1;
  const median =
    sorted.length % 2 === 1 ? (sorted[half] ?? min) : ((sorted[half - 1] ?? min) + (sorted[half] ?? min)) / 2;
  return { median, min, max };
}

/** The figures of all rounds that succeeded. */
export function figuresOf(series: Series, figure: keyof Sample): number[] {
  return series.samples.flatMap((sample) => (sample === undefined ? [] : [sample[figure]]));
}

/** The median over the rounds of a / b; only rounds in which both succeeded count. */
export function medianRatio(a: Series, b: Series, figure: keyof Sample): number | undefined {
  const ratios = a.samples.flatMap((mine, round) => {
    const theirs = b.samples[round];
    return mine === undefined || theirs === undefined ? [] : [mine[figure] / theirs[figure]];
  });
  return summarize(ratios)?.median;
}

function parseTimes(text: string, wallSeconds: number): { sample: Sample; exitCode: number } | undefined {
  const match = /^([\d.]+) ([\d.]+) (\d+) (\d+)$/m.exec(text);
  if (match === null) return undefined;
  const [userSeconds, sysSeconds, peakRssKiB, exitCode] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
  ];
  return { sample: { wallSeconds, userSeconds, sysSeconds, peakRssBytes: peakRssKiB * 1024 }, exitCode };
}

async function runOnce(command: Command, timesFile: string): Promise<Sample | string> {
  const argv = [
    "-k",
    "5",
    String(COMMAND_LIMIT_S),
    GNU_TIME,
    "-q",
    "-f",
    "%U %S %M %x",
    "-o",
    timesFile,
    ...command.argv(),
  ];
  const began = performance.now();
  const child = spawn("timeout", argv, {
    stdio: ["ignore", "ignore", "pipe"],
    ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
  });
  let err = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err = (err + text).slice(-STDERR_LIMIT_BYTES);
  });
  const exitCode = await new Promise<number | string>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) => resolve(status ?? signal ?? "?"));
  });
  const wallSeconds = (performance.now() - began) / 1000;
  const times = parseTimes(readFileSync(timesFile, "utf8"), wallSeconds);
  const answered = times !== undefined && times.exitCode === exitCode;
  if (answered && (command.okExitCodes ?? [0]).includes(times.exitCode)) return times.sample;
  return `${command.name} ended with ${exitCode}: ${err.trim().split("\n").slice(-3).join(" | ")}`;
}

/** Runs all commands `runs` times in turn. `directory` takes the files of GNU time. */
export async function measureInTurn(
  commands: readonly Command[],
  options: { readonly runs: number; readonly directory: string; readonly onProgress: (text: string) => void },
): Promise<Series[]> {
  if (!existsSync(GNU_TIME)) throw new Error(`no ${GNU_TIME}: apt-get install time`);
  if (!(options.runs >= 1 && options.runs <= RUNS_LIMIT)) throw new Error(`runs must lie between 1 and ${RUNS_LIMIT}`);
  const all: Series[] = commands.map(({ name }) => ({ name, samples: [], failures: [] }));
  for (let round = 0; round < options.runs; round++) {
    for (const [index, command] of commands.entries()) {
      command.before?.();
      const outcome = await runOnce(command, join(options.directory, "times"));
      const series = all[index];
      if (typeof outcome === "string") series?.failures.push(outcome);
      series?.samples.push(typeof outcome === "string" ? undefined : outcome);
      const result = typeof outcome === "string" ? outcome : `${outcome.wallSeconds.toFixed(3)} s`;
      options.onProgress(`round ${round + 1} of ${options.runs}: ${command.name}: ${result}`);
    }
  }
  return all;
}

function readPageMapcount(): string {
  if (!existsSync("/proc/config.gz")) return "unknown";
  const config = gunzipSync(readFileSync("/proc/config.gz")).toString("latin1");
  return /^CONFIG_(?:NO_)?PAGE_MAPCOUNT=y$/m.exec(config)?.[0] ?? "unknown";
}

/** What a reader must know of the machine to judge the seconds. */
export function readMachine(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model ?? "unknown",
    cores: all.length,
    kernel: release(),
    memoryBytes: totalmem(),
    pageMapcount: readPageMapcount(),
    node: process.version,
  };
}
