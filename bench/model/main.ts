/**
 * The model beside the running kernel: the same scenario, command by command, in one run.
 *
 *     npm run bench:model [-- --rounds N]
 *
 * For each shape of 1 GiB and each of fork, write-all-after-fork and munmap: the median of several rounds of both, kernel
 * and model in turn, and the ratio. Then random operations on single pages, and the model's memory. Needs root and gcc.
 */
import { cpus, release } from "node:os";
import { parseArgs } from "node:util";
import { KernelProgram } from "./kernel-times.ts";
import { bytesPerMappedPage, randomOperationsPerSecond, runOnModel } from "./model-times.ts";
import { MEASURED, SHAPES, type Shape, scenarioOf } from "./scenarios.ts";

const FOLIOS = 512;
const PAGES = FOLIOS * 512;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** The times of the three measured commands of one run. */
function measuredOf(times: readonly { readonly command: string; readonly elapsedMs: number }[]): number[] {
  const find = (start: string): number =>
    times.find(({ command }) => command.startsWith(start))?.elapsedMs ?? Number.NaN;
  return [find("P fork"), find("C touch"), find("P munmap")];
}

interface Row {
  readonly shape: Shape;
  readonly operation: string;
  readonly kernelMs: number;
  readonly modelMs: number;
  readonly bar: number;
}

function compareShape(shape: Shape, rounds: number): Row[] {
  const text = scenarioOf(shape, FOLIOS);
  const kernel: number[][] = [];
  const model: number[][] = [];
  const program = new KernelProgram(text);
  try {
    measuredOf(runOnModel(text));
    for (let round = 0; round < rounds; round++) {
      kernel.push(measuredOf(program.run()));
      model.push(measuredOf(runOnModel(text)));
    }
  } finally {
    program.remove();
  }
  return MEASURED.map((operation, index) => ({
    shape,
    operation,
    kernelMs: median(kernel.map((times) => times[index])),
    modelMs: median(model.map((times) => times[index])),
    bar: shape === "4 KiB pages" ? 1 : 10,
  }));
}

function line(cells: readonly string[]): string {
  const widths = [20, 22, 11, 11, 9, 8, 6];
  return cells.map((cell, index) => (index < 2 ? cell.padEnd(widths[index]) : cell.padStart(widths[index]))).join("  ");
}

function printRows(rows: readonly Row[]): boolean {
  let allMet = true;
  console.log(line(["1 GiB in", "operation", "kernel ms", "model ms", "ratio", "bar", "met"]));
  for (const { shape, operation, kernelMs, modelMs, bar } of rows) {
    const ratio = kernelMs / modelMs;
    const isMet = ratio >= bar;
    allMet &&= isMet;
    console.log(
      line([
        shape,
        operation,
        kernelMs.toFixed(3),
        modelMs.toFixed(3),
        ratio.toFixed(1),
        `>= ${bar}`,
        isMet ? "yes" : "NO",
      ]),
    );
  }
  return allMet;
}

/** Million operations a second: the median of five seeds, after one that is not counted. */
function randomSpeed(): number {
  const speeds = [0, 1, 2, 3, 4, 5].map((seed) => randomOperationsPerSecond(4_000_000, seed));
  return median(speeds.slice(1)) / 1e6;
}

function printLimits(speed: number): boolean {
  let small = Number.NaN;
  runOnModel(scenarioOf("4 KiB pages", FOLIOS), (run, command) => {
    if (command.startsWith("C touch")) small = bytesPerMappedPage(run, 2 * PAGES);
  });
  let sparse = Number.NaN;
  // Every second page, then the others: neighbours have no neighbouring frames. P exits, for it is spawned in every pass.
  const stride = [
    "spawn P",
    "P mmap a 0x200000000 1G rw anon,priv",
    "P touch @a 1G w 8k",
    `P touch @a+4k ${2 ** 30 - 4096} w 8k`,
    "P exit",
  ].join("\n");
  runOnModel(stride, (run, command) => {
    if (command.startsWith("P touch")) sparse = bytesPerMappedPage(run, PAGES);
  });
  console.log(
    `random single-page operations: ${speed.toFixed(2)} million a second (bar: >= 5) ${speed >= 5 ? "met" : "MISSED"}`,
  );
  console.log(
    `model memory per mapped page of 4 KiB: ${small.toFixed(2)} bytes after fork and write-all, ` +
      `${sparse.toFixed(2)} bytes where no table is a run (bar: <= 12) ${small <= 12 && sparse <= 12 ? "met" : "MISSED"}`,
  );
  return speed >= 5 && small <= 12 && sparse <= 12;
}

function main(): void {
  const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" } } });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error("--rounds is a number from 1 on");
  console.log(
    `Linux ${release()}, ${cpus()[0]?.model ?? "unknown CPU"}, ${cpus().length} CPUs, Node ${process.version}; scheme mm-owner, median of ${rounds}`,
  );
  const speed = randomSpeed();
  const rows = SHAPES.flatMap((shape) => compareShape(shape, rounds));
  const met = [printRows(rows), printLimits(speed)];
  process.exitCode = met.every(Boolean) ? 0 : 1;
}

main();
