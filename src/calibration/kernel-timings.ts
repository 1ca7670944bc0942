/**
 * The C program compiled and run, in a temporary directory that is gone afterwards however that came about.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { CannotMeasure } from "./bad-cost-profile.ts";
import { KERNEL_TIMER_PROGRAM } from "./kernel-timer-program.ts";
import type { Timings } from "./order-statistics.ts";

export interface KernelTimerSizes {
  readonly repetitions: number;
  /** Of each loop over instructions. */
  readonly operations: number;
  /** A power of two, at least 2^20: lines of the working set. */
  readonly lines: number;
  /** Of 4 KiB, in each region of small pages; a multiple of 512. */
  readonly pages: number;
  /** A power of two. */
  readonly tables: number;
  /** Of 2 MiB. */
  readonly folios: number;
}

/** One line of the program's output. */
const TIMING_LINE = /^timing (?<repetition>\d+) (?<name>[a-z-]+) (?<ns>-?\d+\.\d+)$/;

/**
 * The timings of all repetitions but the first. `onRepetition` is told those done. Throws CannotMeasure with a sentence
 * where there is no compiler, or where the kernel refuses something.
 */
export async function timeKernel(sizes: KernelTimerSizes, onRepetition: (done: number) => void): Promise<Timings[]> {
  const folder = mkdtempSync(join(tmpdir(), "foliometer-calibrate-"));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    return await run(compile(folder), sizes, onRepetition);
  } finally {
    process.off("exit", remove);
    remove();
  }
}

function compile(folder: string): string {
  const [source, program] = [join(folder, "timer.c"), join(folder, "timer")];
  writeFileSync(source, KERNEL_TIMER_PROGRAM);
  const { status, error, stderr } = spawnSync("gcc", ["-O2", "-o", program, source], { encoding: "utf8" });
  if (error !== undefined) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new CannotMeasure(
      code === "ENOENT"
        ? "There is no gcc, without which the kernel's own work cannot be measured."
        : `The compiler does not start: ${code}.`,
    );
  }
  if (status !== 0) throw new CannotMeasure(`gcc cannot compile the program: ${stderr.split("\n")[0]}.`);
  return program;
}

async function run(program: string, sizes: KernelTimerSizes, onRepetition: (done: number) => void): Promise<Timings[]> {
  const { repetitions, operations, lines, pages, tables, folios } = sizes;
  const args = [repetitions, operations, lines, pages, tables, folios].map(String);
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  const end = (): void => {
    child.kill("SIGKILL");
  };
  process.once("exit", end);
  let complaints = "";
  child.stderr.on("data", (chunk: Buffer) => (complaints += chunk.toString("utf8")));
  const rows: Record<string, number>[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => {
    const timing = parseTimingLine(line);
    if (timing === undefined) return;
    if (timing.repetition === rows.length) {
      rows.push({});
      onRepetition(timing.repetition);
    }
    rows[timing.repetition][timing.name] = timing.ns;
  });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status) => resolve(status));
    });
    if (code === 0) return rows.slice(1);
    throw new CannotMeasure(
      `The program that measures the kernel ended with ${code ?? "a signal"}: ${complaints.trim() || "it said nothing"}.`,
    );
  } finally {
    process.off("exit", end);
  }
}

/** A line of the program's output; undefined for any other text. */
export function parseTimingLine(
  line: string,
): { readonly repetition: number; readonly name: string; readonly ns: number } | undefined {
  const groups = TIMING_LINE.exec(line)?.groups;
  if (groups === undefined) return undefined;
  return { repetition: Number(groups.repetition), name: groups.name, ns: Number(groups.ns) };
}
