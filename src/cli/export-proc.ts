/**
 * `foliometer export --format proc`: a /proc as a scheme would print it, as a directory or a tar archive.
 *
 * smaps of a stored capture comes from what was recorded with --with-smaps, of the running machine from the kernel, read
 * after the capture. A process whose smaps cannot be had is left out, counted, and makes the export incomplete.
 */
import type { Capture, CapturedProcess, StoredCapture } from "../capture/index.ts";
import type { SmapsRollup, SmapsVma } from "../kernel/index.ts";
import type { Scheme } from "../schemes/index.ts";
import type { CaptureReport, CaptureSums, HistoryChoice } from "../study/index.ts";
import { UsageError } from "./exit-codes.ts";
import {
  type Owner,
  type ProcTree,
  STDOUT,
  checkStdout,
  checkTarget,
  openProcDirectory,
  writeOutput,
} from "./export-output.ts";

/** What is exported of a capture. */
export interface ProcExport {
  readonly capture: Capture;
  readonly report: CaptureReport;
  /** Of the report's schemes. */
  readonly sums: CaptureSums;
  readonly schemes: readonly Scheme[];
  readonly history: HistoryChoice;
  /** Processes that are wanted. */
  readonly wants: (process: { readonly pid: number }) => boolean;
}

/** What came of it. */
export interface ProcExported {
  /** Processes whose smaps could not be had any more, by pid. */
  readonly missing: ReadonlySet<number>;
  /** Sentences of `foliometer smaps` about VMAs that are estimated. */
  readonly estimated: readonly string[];
}

const ROOT: Owner = { uid: 0, userName: "root" };

/** Throws UsageError if these schemes do not fit the place. */
export function checkProcTarget(target: string, schemeCount: number): void {
  if (!isArchive(target)) {
    checkTarget(target, "directory");
    return;
  }
  checkStdout(target === STDOUT);
  checkTarget(target, "file");
  if (schemeCount > 1) {
    throw new UsageError(
      "An archive holds one scheme, as its readers want it: choose it with --scheme, or give a directory.",
    );
  }
}

function isArchive(target: string): boolean {
  return target === STDOUT || /\.(?:tar|tar\.gz|tgz)$/.test(target);
}

/** Writes it: one scheme directly, several each into a directory of its id. */
export async function writeProc(target: string, given: ProcExport): Promise<ProcExported> {
  const missing = new Set<number>();
  const estimated: string[] = [];
  const { capture, schemes } = given;
  if (target === STDOUT) {
    const { openTar } = await import("./export-tar.ts");
    const tree = openTar(undefined, { gzip: false, modifiedMs: capture.machine.endedAtMs });
    await writeTree(tree, given, schemes[0], { missing, estimated });
    return { missing, estimated };
  }
  await writeOutput(target, isArchive(target) ? "file" : "directory", async (path) => {
    for (const scheme of schemes) {
      const tree = isArchive(target)
        ? (await import("./export-tar.ts")).openTar(path, {
            gzip: !target.endsWith(".tar"),
            modifiedMs: capture.machine.endedAtMs,
          })
        : openProcDirectory(schemes.length > 1 ? `${path}/${scheme.id}` : path);
      await writeTree(tree, given, scheme, { missing, estimated });
    }
  });
  return { missing, estimated };
}

async function writeTree(
  tree: ProcTree,
  { capture, report, sums, history, wants }: ProcExport,
  scheme: Scheme,
  result: { readonly missing: Set<number>; readonly estimated: string[] },
): Promise<void> {
  const [{ formatProcMachine, formatProcProcess }, { prepareSmapsFrom, smapsOfProcess }] = await Promise.all([
    import("../report/index.ts"),
    import("../study/index.ts"),
  ]);
  const prepared = prepareSmapsFrom(capture, sums, { scheme, history });
  for (const { path, text, encoding } of formatProcMachine(capture.machine, meminfoOf(report, scheme.id))) {
    await tree.addFile(path, Buffer.from(text, encoding), ROOT);
  }
  for (const process of capture.processes) {
    const isRead = process.state === "complete" || process.state === "shares-mm";
    if (!isRead || !wants(process)) continue;
    const facts = await factsOf(capture, process);
    if (facts === undefined) {
      result.missing.add(process.pid);
      continue;
    }
    const { vmas, rollup, estimated } = smapsOfProcess(prepared, process, facts.vmas, facts.rollup);
    const owner = { uid: process.uid, userName: process.userName };
    await tree.addDirectory(`${process.pid}`, owner);
    for (const { path, text, encoding } of formatProcProcess({ process, vmas, rollup })) {
      await tree.addFile(path, Buffer.from(text, encoding), owner);
    }
    for (const sentence of estimated) result.estimated.push(`${scheme.id}, process ${process.pid}: ${sentence}`);
  }
  await tree.finish();
}

/** The kernel's own values, moved by what the scheme counts more or less. */
function meminfoOf({ figures, measured, schemes }: CaptureReport, id: string): Record<string, number> {
  const own = figures[schemes[0]];
  const other = figures[id];
  const moved = (value: number | null, change: number): number | undefined =>
    value === null ? undefined : Math.max(0, value + change);
  const anonPages = moved(measured.anonPagesBytes, other.anonPagesBytes - own.anonPagesBytes);
  const mapped = moved(measured.mappedBytes, other.mappedBytes - own.mappedBytes);
  return {
    ...(anonPages === undefined ? {} : { AnonPages: anonPages }),
    ...(mapped === undefined ? {} : { Mapped: mapped }),
  };
}

interface Facts {
  readonly vmas: readonly SmapsVma[];
  readonly rollup?: SmapsRollup;
}

async function factsOf(capture: Capture, process: CapturedProcess): Promise<Facts | undefined> {
  if (isStored(capture)) return storedFacts(capture, process);
  const { readSmapsFacts, readSmapsRollup } = await import("../capture/index.ts");
  const vmas = readSmapsFacts(process.pid);
  if ("code" in vmas || vmas.length === 0) return undefined;
  const rollup = readSmapsRollup(process.pid);
  return "code" in rollup ? { vmas } : { vmas, rollup };
}

function isStored(capture: Capture): capture is StoredCapture {
  return "smapsOf" in capture;
}

function storedFacts(capture: StoredCapture, process: CapturedProcess): Facts | undefined {
  const vmas: SmapsVma[] = [];
  for (let row = process.firstVma; row < process.endVma; row++) {
    const fields = capture.smapsOf(row);
    if (fields !== undefined) vmas.push({ header: capture.vmas[row], fields, extras: [] });
  }
  return vmas.length === 0 ? undefined : { vmas };
}

/** Throws UsageError if a stored capture has no smaps to start from. */
export function checkProcSource(capture: Capture): void {
  if (!isStored(capture)) return;
  for (let row = 0; row < capture.vmas.length; row++) if (capture.smapsOf(row) !== undefined) return;
  throw new UsageError(`${capture.directory} was captured without --with-smaps, so it has no smaps to start from.`);
}
