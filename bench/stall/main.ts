/**
 * The stall bench: how long is a process held while somebody reads its page tables? The target touches 4 GiB in 4 KiB
 * pages and then maps, touches and unmaps on processor 0; a reader on processor 1 reads it once a second. All readers take
 * turns within one run.
 *
 *     node build/bench/stall/main.js [--rounds N] [--seconds S] [--mib M] [--json] [--strict]
 *
 * The bars: with our readers p99.9 of an iteration is at most 0.25 ms, and in the same run `cat smaps` holds the target
 * for tens of milliseconds. A missed bar is a result; it fails the run only with --strict.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { readMachine, summarize } from "../capture/measure.ts";
import { endChildren, packageRoot, runToEnd, startedPid } from "../capture/processes.ts";
import { formatCount, formatNumber, formatTable } from "../capture/table.ts";
import { type Undo, createUndo, runMain, undoOnSignals } from "../capture/undo.ts";
import { READERS, type Reader, type ReaderPlace } from "./readers.ts";

const TARGET_CPU = 0;
const READER_CPU = 1;
const OURS_P999_MS_MOST = 0.25;
const SMAPS_MAX_MS_LEAST = 10;
const NS_PER_MS = 1e6;

/** Iterations of the target during one measurement; times in milliseconds. */
interface Stall {
  readonly readings: number;
  readonly iterations: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

interface ReaderStalls {
  readonly name: string;
  readonly isOurs: boolean;
  readonly rounds: Stall[];
}

interface Bar {
  readonly text: string;
  readonly value: number | undefined;
  readonly met: boolean;
}

/** The target, waiting for lines. */
interface Target {
  readonly pid: number;
  measure(seconds: number): Promise<Omit<Stall, "readings">>;
}

/** Goes before a command; nothing where this process may not give what it says. */
function allowedPrefix(...prefix: readonly string[]): readonly string[] {
  const [program = "", ...args] = prefix;
  const { status, stderr } = spawnSync(program, [...args, "true"], { encoding: "utf8" });
  return status === 0 && stderr === "" ? prefix : [];
}

async function startTarget(directory: string, mib: number, prefix: readonly string[], undo: Undo): Promise<Target> {
  const program = join(directory, "target");
  const source = join(packageRoot(), "bench/stall/target.c");
  await runToEnd("gcc", ["-O2", "-Wall", "-o", program, source]);
  const argv = [...prefix, program, String(TARGET_CPU), String(mib)];
  const child = spawn(argv[0] ?? program, argv.slice(1), { detached: true, stdio: ["pipe", "pipe", "inherit"] });
  const pid = await startedPid(child, "target");
  await undo.add("target", async () => await endChildren([child], "SIGTERM", 10_000));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]() as AsyncIterator<string, undefined>;
  const next = async (): Promise<string> => {
    const line = await lines.next();
    if (line.done === true) throw new Error("the target ended");
    return line.value;
  };
  if ((await next()) !== "ready") throw new Error("the target did not become ready");
  return {
    pid,
    async measure(seconds) {
      child.stdin.write(`${seconds * 1000}\n`);
      const [iterations, ...ns] = (await next()).split(" ").map(Number);
      const [p50Ms, p99Ms, p999Ms, maxMs] = ns.map((value) => value / NS_PER_MS);
      if (maxMs === undefined) throw new Error("the target's answer is not complete");
      return { iterations: iterations ?? 0, p50Ms: p50Ms ?? 0, p99Ms: p99Ms ?? 0, p999Ms: p999Ms ?? 0, maxMs };
    },
  };
}

async function measureOne(reader: Reader, place: ReaderPlace, target: Target, seconds: number): Promise<Stall> {
  let isOver = false;
  let begin = (): void => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const reading = reader.read(place, { begin, isOver: () => isOver });
  // If reading fails first, `begun` is not waited for; if it fails later, the measurement is all the same.
  await Promise.race([begun, reading]);
  reading.catch(() => undefined);
  const stall = await target.measure(seconds);
  isOver = true;
  return { readings: await reading, ...stall };
}

function judge(all: readonly ReaderStalls[]): Bar[] {
  const median = (name: string, figure: "p999Ms" | "maxMs"): number | undefined =>
    summarize(all.find((each) => each.name === name)?.rounds.map((round) => round[figure]) ?? [])?.median;
  const ours = all
    .filter(({ isOurs }) => isOurs)
    .map(({ name, rounds }) => {
      const value = median(name, "p999Ms");
      // A reader that never came to read has not held anybody.
      const hasRead = rounds.every(({ readings }) => readings > 0);
      const met = value !== undefined && hasRead && value <= OURS_P999_MS_MOST;
      return { text: `${name}: p99.9 at most ${OURS_P999_MS_MOST} ms`, value, met };
    });
  const value = median("cat smaps", "maxMs");
  const met = value !== undefined && value >= SMAPS_MAX_MS_LEAST;
  return [...ours, { text: `cat smaps: maximum at least ${SMAPS_MAX_MS_LEAST} ms`, value, met }];
}

function formatStalls(all: readonly ReaderStalls[]): string {
  const rows = all.map(({ name, rounds }) => {
    const of = (figure: keyof Stall) => summarize(rounds.map((round) => round[figure]));
    const p999 = of("p999Ms");
    const max = of("maxMs");
    return [
      name,
      formatNumber(of("readings")?.median, 0),
      formatCount(Math.round(of("iterations")?.median ?? 0)),
      formatNumber(of("p50Ms")?.median, 4),
      formatNumber(of("p99Ms")?.median, 4),
      formatNumber(p999?.median, 4),
      `${formatNumber(p999?.min, 3)}-${formatNumber(p999?.max, 3)}`,
      formatNumber(max?.median, 2),
      `${formatNumber(max?.min, 2)}-${formatNumber(max?.max, 2)}`,
    ];
  });
  const header = ["reader", "readings", "iterations", "p50 ms", "p99 ms", "p99.9 ms", "min-max", "max ms", "min-max"];
  return formatTable(header, rows);
}

function formatBars(bars: readonly Bar[]): string {
  const rows = bars.map(({ text, value, met }) => [text, formatNumber(value, 3), met ? "met" : "MISSED"]);
  return formatTable(["bar", "median", "result"], rows);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "10" },
      mib: { type: "string", default: "4096" },
      json: { type: "boolean", default: false },
      strict: { type: "boolean", default: false },
    },
  });
  const [rounds, seconds, mib] = [values.rounds, values.seconds, values.mib].map(Number) as [number, number, number];
  if (!(rounds >= 1 && seconds >= 1 && mib >= 1))
    throw new Error("--rounds, --seconds and --mib are numbers from 1 on");
  if (availableParallelism() < 2) throw new Error("the target and its reader need a processor each");
  const foliometer = join(packageRoot(), "dist/cli/main.js");
  if (!existsSync(foliometer)) throw new Error(`${foliometer} is not built`);
  const undo = createUndo();
  undoOnSignals(undo);
  const directory = mkdtempSync(join(tmpdir(), "foliometer-stall-"));
  await undo.add(directory, () => rmSync(directory, { recursive: true, force: true }));
  try {
    const realtime = allowedPrefix("chrt", "-f", "10");
    const favoured = allowedPrefix("nice", "-n", "-20");
    const target = await startTarget(directory, mib, realtime, undo);
    const prefix = [...favoured, "taskset", "-c", String(READER_CPU)];
    const place: ReaderPlace = { prefix, pid: target.pid, foliometer, directory };
    const all: ReaderStalls[] = READERS.map(({ name, isOurs }) => ({ name, isOurs, rounds: [] }));
    for (let round = 0; round < rounds; round++) {
      for (const [index, reader] of READERS.entries()) {
        const stall = await measureOne(reader, place, target, seconds);
        all[index]?.rounds.push(stall);
        const { p999Ms, maxMs } = stall;
        process.stderr.write(
          `round ${round + 1} of ${rounds}: ${reader.name}: p99.9 ${p999Ms.toFixed(3)} ms, max ${maxMs.toFixed(2)} ms\n`,
        );
      }
    }
    const bars = judge(all);
    const machine = readMachine();
    const head =
      `Machine   ${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}\n` +
      `Target    ${mib} MiB in 4 KiB pages, ${realtime.length > 0 ? "realtime" : "ordinary"} priority; readers: ${favoured.length > 0 ? "nice -20" : "ordinary"}\n` +
      `Rounds    ${rounds} of ${seconds} s for each reader, in turn; medians over the rounds`;
    const text = `${head}\n\n${formatStalls(all)}\n\n${formatBars(bars)}`;
    process.stdout.write(`${values.json ? JSON.stringify({ machine, mib, seconds, readers: all, bars }) : text}\n`);
    if (values.strict && bars.some(({ met }) => !met)) process.exitCode = 1;
  } finally {
    for (const failure of await undo.run()) process.stderr.write(`${failure}\n`);
  }
}

await runMain(main);
