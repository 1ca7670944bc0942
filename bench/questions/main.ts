/**
 * The bench of questions: on the workload of the capture bench, how long every question takes that a stored capture
 * answers, how long `who` takes on the running machine, and what part of a core `watch` takes there.
 *
 *     node build/bench/questions/main.js [--runs N] [--scale S] [--json] [--workload FILE] [--only REGEX]
 *
 * --workload takes the line that build/bench/capture/workload.js printed and uses what is already running. Exit code 1:
 * a bar was missed. Bars are those of the whole workload: with a --scale below 1 they prove nothing.
 */
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { measureInTurn, readMachine } from "../capture/measure.ts";
import { packageRoot, runToEnd } from "../capture/processes.ts";
import { type Undo, createUndo, runMain, undoOnSignals } from "../capture/undo.ts";
import { type Workload, startWorkload } from "../capture/workload.ts";
import { findPlace } from "./places.ts";
import { type Results, areAllMet, formatResults, judge } from "./print.ts";
import { type Asked, liveQuestions, storedQuestions } from "./questions.ts";
import { type WatchShare, measureWatch } from "./watch-share.ts";

interface Settings {
  readonly runs: number;
  readonly scale: number;
  readonly json: boolean;
  readonly workloadFile: string | undefined;
  readonly only: RegExp;
}

interface Bench {
  readonly directory: string;
  readonly undo: Undo;
  readonly onProgress: (text: string) => void;
}

type Started = Pick<Workload, "redisChildPid" | "postgresBackendPids">;

function parseSettings(): Settings {
  const { values } = parseArgs({
    options: {
      runs: { type: "string", default: "5" },
      scale: { type: "string", default: "1" },
      json: { type: "boolean", default: false },
      workload: { type: "string" },
      only: { type: "string", default: "" },
    },
  });
  return {
    runs: Number(values.runs),
    scale: Number(values.scale),
    json: values.json,
    workloadFile: values.workload,
    only: new RegExp(values.only),
  };
}

async function openWorkload({ workloadFile, scale }: Settings, { undo, onProgress }: Bench): Promise<Started> {
  if (workloadFile === undefined) return startWorkload({ scale, onProgress, undo });
  return JSON.parse(readFileSync(workloadFile, "utf8")) as Started;
}

/** Runs a command of ours whose exit code 3, "incomplete", is an answer. */
async function runFoliometer(foliometer: readonly string[], args: readonly string[]): Promise<string> {
  const script = '"$@"; code=$?; [ $code -eq 0 ] || [ $code -eq 3 ]';
  return runToEnd("sh", ["-c", script, "sh", ...foliometer, ...args]);
}

/** The formats that this version exports to, as its help lists them. */
async function readExportFormats(foliometer: readonly string[]): Promise<string[]> {
  const help = await runToEnd(foliometer[0] ?? "", [...foliometer.slice(1), "export", "--help"]);
  const list = /^Formats:\n(?<lines>(?: {2}\S.*\n)+)/m.exec(help)?.groups?.["lines"] ?? "";
  const formats = Array.from(list.matchAll(/^ {2}(\w+) /gm), ([, name = ""]) => name);
  if (formats.length === 0) throw new Error("foliometer export --help lists no formats");
  return formats;
}

async function prepare(workload: Started, { directory, onProgress }: Bench): Promise<Asked> {
  const program = join(packageRoot(), "dist/cli/main.js");
  if (!existsSync(program)) throw new Error("dist/cli/main.js is not built (npm run build)");
  const foliometer = [process.execPath, program];
  const [backend] = workload.postgresBackendPids;
  if (backend === undefined) throw new Error("the workload has no backend of PostgreSQL");
  const place = findPlace(workload.redisChildPid, ({ rights, name }) => rights === "rw-p" && name === "");
  const sharedPlace = findPlace(backend, ({ rights }) => rights === "rw-s");
  const captures = [join(directory, "earlier"), join(directory, "later")] as const;
  const captureWithSmaps = join(directory, "with-smaps");
  for (const words of [[captures[0]], [captures[1]], [captureWithSmaps, "--with-smaps"]]) {
    onProgress(`foliometer capture -o ${words.join(" ")}`);
    await runFoliometer(foliometer, ["capture", "-o", ...words, "--quiet"]);
  }
  return {
    foliometer,
    captures,
    captureWithSmaps,
    directory,
    pid: workload.redisChildPid,
    place,
    sharedPlace,
    file: process.execPath,
    exportFormats: await readExportFormats(foliometer),
  };
}

/** What the report says of the capture that is asked. */
interface ReportFacts {
  readonly processes: readonly unknown[];
  readonly cost: { readonly entriesPresent: number };
}

async function runBench(settings: Settings, bench: Bench): Promise<Results> {
  const asked = await prepare(await openWorkload(settings, bench), bench);
  const [capture] = asked.captures;
  const report = JSON.parse(await runFoliometer(asked.foliometer, ["report", capture, "--json"])) as ReportFacts;
  const measured = [...storedQuestions(asked), ...liveQuestions(asked)].filter(({ command }) =>
    settings.only.test(command.name),
  );
  const [loadBefore = 0] = loadavg();
  const all = await measureInTurn(
    measured.map(({ command }) => command),
    { runs: settings.runs, directory: bench.directory, onProgress: bench.onProgress },
  );
  const watched: WatchShare[] = [];
  for (let run = 1; run <= settings.runs && settings.only.test("watch"); run++) {
    const each = await measureWatch(asked.foliometer, bench.undo);
    watched.push(each);
    bench.onProgress(`watch ${run} of ${settings.runs}: ${(each.share * 100).toFixed(1)}% of a core`);
  }
  const [loadAfter = 0] = loadavg();
  return {
    machine: readMachine(),
    loadBefore,
    loadAfter,
    runs: settings.runs,
    processes: report.processes.length,
    presentEntries: report.cost.entriesPresent,
    captureBytes: readdirSync(capture).reduce((sum, name) => sum + statSync(join(capture, name)).size, 0),
    rows: judge(measured, all),
    watched,
  };
}

async function main(): Promise<void> {
  const settings = parseSettings();
  const started = Date.now();
  const onProgress = (text: string): void => {
    process.stderr.write(`${((Date.now() - started) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
  };
  const undo = createUndo();
  undoOnSignals(undo);
  const directory = mkdtempSync(join(tmpdir(), "foliometer-questions-"));
  await undo.add(directory, () => rmSync(directory, { recursive: true, force: true }));
  try {
    const results = await runBench(settings, { directory, undo, onProgress });
    process.stdout.write(settings.json ? `${JSON.stringify(results)}\n` : `${formatResults(results)}\n`);
    if (!areAllMet(results)) process.exitCode = 1;
  } finally {
    for (const failure of await undo.run()) onProgress(failure);
  }
}

await runMain(main);
