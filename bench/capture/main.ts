/**
 * The capture bench: brings up a workload, finds out how fast the kernel lets
 * anybody read what is mapped (the floor), and holds the capture against that
 * and against its peers, all in one run and in turn.
 *
 *     node build/bench/capture/main.js [--runs N] [--scale S] [--json] [--strict] [--keep] [--workload FILE]
 *
 * --workload takes the line that workload.js printed and uses what is already
 * running. A missed bar is a result; it fails the run only with --strict.
 */

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { NAMES, judge } from "./bars.ts";
import { type Command, type Series, measureInTurn, readMachine } from "./measure.ts";
import { findPeers } from "./peers.ts";
import { type Census, type Results, formatResults } from "./print.ts";
import { endChildren, packageRoot, runToEnd, startedPid, waitFor } from "./processes.ts";
import { readKernelFigures, readSchemeFigures } from "./redis-child.ts";
import { type Undo, createUndo, runMain, undoOnSignals } from "./undo.ts";
import { type Workload, startWorkload } from "./workload.ts";

const SPARSE_START_LIMIT_MS = 30_000;
// An incomplete capture (a process that may not be read) is an answer and ends with 3.
const FOLIOMETER_OK = [0, 3];

interface Settings {
  readonly runs: number;
  readonly scale: number;
  readonly json: boolean;
  readonly strict: boolean;
  readonly keep: boolean;
  readonly workloadFile: string | undefined;
}

interface Bench {
  readonly root: string;
  readonly directory: string;
  readonly undo: Undo;
  readonly onProgress: (text: string) => void;
}

function parseSettings(): Settings {
  const { values } = parseArgs({
    options: {
      runs: { type: "string", default: "5" },
      scale: { type: "string", default: "1" },
      json: { type: "boolean", default: false },
      strict: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
      workload: { type: "string" },
    },
  });
  const { json, strict, keep } = values;
  return { runs: Number(values.runs), scale: Number(values.scale), json, strict, keep, workloadFile: values.workload };
}

async function buildPrograms(bench: Bench): Promise<void> {
  for (const name of ["floor", "sparse"]) {
    const source = join(bench.root, "bench/capture", `${name}.c`);
    await runToEnd("gcc", ["-O2", "-Wall", "-o", join(bench.directory, name), source]);
  }
}

async function openWorkload(settings: Settings, bench: Bench): Promise<Pick<Workload, "redisChildPid">> {
  if (settings.workloadFile === undefined) {
    return await startWorkload({ scale: settings.scale, onProgress: bench.onProgress, undo: bench.undo });
  }
  return JSON.parse(readFileSync(settings.workloadFile, "utf8")) as Workload;
}

async function makePlan(bench: Bench): Promise<Census> {
  const text = await runToEnd(join(bench.directory, "floor"), ["--plan-machine", join(bench.directory, "plan")]);
  return JSON.parse(text) as Census;
}

function foliometer(bench: Bench): string[] {
  return [process.execPath, join(bench.root, "dist/cli/main.js")];
}

function isBuilt(bench: Bench): boolean {
  return existsSync(join(bench.root, "dist/cli/main.js"));
}

function wholeMachineCommands(bench: Bench): Command[] {
  const floor = [join(bench.directory, "floor"), join(bench.directory, "plan")];
  const commands: Command[] = [{ name: NAMES.floor, argv: () => floor }];
  if (!isBuilt(bench)) return commands;
  const captureDirectory = join(bench.directory, "capture");
  const clear = (): void => rmSync(captureDirectory, { recursive: true, force: true });
  const ours = (name: string, args: readonly string[], before?: () => void): Command => {
    const argv = [...foliometer(bench), ...args];
    return { name, argv: () => argv, okExitCodes: FOLIOMETER_OK, ...(before === undefined ? {} : { before }) };
  };
  commands.push(ours(NAMES.reportNow, ["report", "--json"]));
  commands.push(ours(NAMES.capture, ["capture", "-o", captureDirectory], clear));
  commands.push(ours(NAMES.reportCapture, ["report", captureDirectory]));
  return commands;
}

/** The sparse process lives only while it is measured: the other commands would have to read it too. */
async function measureSparse(settings: Settings, bench: Bench): Promise<Series[]> {
  if (!isBuilt(bench)) return [];
  const child = spawn(join(bench.directory, "sparse"), { detached: true, stdio: ["ignore", "pipe", "ignore"] });
  child.on("error", () => undefined);
  const pid = await startedPid(child, "sparse");
  const end = async (): Promise<void> => await endChildren([child], "SIGTERM", 10_000);
  await bench.undo.add("sparse", end);
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  await waitFor("the sparse process to touch its pages", SPARSE_START_LIMIT_MS, () => {
    if (child.exitCode !== null) throw new Error(`sparse ended with ${child.exitCode}`);
    return out.includes("ready\n") ? true : undefined;
  });
  const captureDirectory = join(bench.directory, "sparse-capture");
  const argv = [...foliometer(bench), "capture", "--pid", String(pid), "-o", captureDirectory];
  const before = (): void => rmSync(captureDirectory, { recursive: true, force: true });
  const command = { name: NAMES.sparse, argv: () => argv, before, okExitCodes: FOLIOMETER_OK };
  const all = await measureInTurn([command], {
    runs: settings.runs,
    directory: bench.directory,
    onProgress: bench.onProgress,
  });
  await end();
  return all;
}

async function readRedisChild(bench: Bench, pid: number): Promise<Results["redisChild"]> {
  const kernel = existsSync(`/proc/${pid}/smaps_rollup`) ? readKernelFigures(pid) : undefined;
  if (!isBuilt(bench))
    return { pid, kernel, schemes: [], note: "dist/cli/main.js is not built: no figures of foliometer" };
  const [node, ...args] = foliometer(bench);
  const file = join(bench.directory, "report.json");
  // Through a shell for the exit code 3, which is an answer here.
  const script = `"$@" > '${file}'; code=$?; [ $code -eq 0 ] || [ $code -eq 3 ]`;
  await runToEnd("sh", ["-c", script, "sh", node ?? "node", ...args, "report", "--json"]);
  const schemes = readSchemeFigures(JSON.parse(readFileSync(file, "utf8")), pid);
  const note = schemes.length === 0 ? "report --json has no figures for this pid" : undefined;
  return { pid, kernel, schemes, note };
}

async function runBench(settings: Settings, bench: Bench): Promise<Results> {
  await buildPrograms(bench);
  const workload = await openWorkload(settings, bench);
  const peers = await findPeers(bench.onProgress);
  const census = await makePlan(bench);
  const measuring = { runs: settings.runs, directory: bench.directory, onProgress: bench.onProgress };
  const series = await measureInTurn([...wholeMachineCommands(bench), ...peers.commands], measuring);
  const redisChild = await readRedisChild(bench, workload.redisChildPid);
  series.push(...(await measureSparse(settings, bench)));
  const missing = isBuilt(bench)
    ? peers.missing
    : ["foliometer: dist/cli/main.js is not built (npm run build)", ...peers.missing];
  return { machine: readMachine(), census, runs: settings.runs, series, bars: judge(series), missing, redisChild };
}

async function main(): Promise<void> {
  const settings = parseSettings();
  const started = Date.now();
  const onProgress = (text: string): void => {
    process.stderr.write(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
  };
  const undo = createUndo();
  undoOnSignals(undo);
  const directory = mkdtempSync(join(tmpdir(), "foliometer-bench-"));
  await undo.add(directory, () => rmSync(directory, { recursive: true, force: true }));
  try {
    const results = await runBench(settings, { root: packageRoot(), directory, undo, onProgress });
    process.stdout.write(settings.json ? `${JSON.stringify(results)}\n` : `${formatResults(results)}\n`);
    if (settings.strict && results.bars.some((bar) => bar.met === false || bar.ours === undefined))
      process.exitCode = 1;
    if (settings.keep && settings.workloadFile === undefined) {
      onProgress(`the workload stays up until SIGINT or SIGTERM reaches pid ${process.pid}`);
      // Never settles: a signal takes the way out.
      await new Promise(() => setInterval(() => undefined, 2 ** 30));
    }
  } finally {
    for (const failure of await undo.run()) onProgress(failure);
  }
}

await runMain(main);
