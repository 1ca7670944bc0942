/** Runs that readers wrote in any order are read in one: by VMA, then by address. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { readRuns, writeRuns } from "./recording-runs.ts";
import type { RecordedTable } from "./recording-table.ts";
import { BLOCK_RUNS } from "./run-layout.ts";
import { MAPPINGS_TABLE } from "./table-schema.ts";

const place = mkdtempSync(join(tmpdir(), "recording-runs-"));
afterAll(() => rmSync(place, { recursive: true, force: true }));

let directories = 0;

/** One page in a VMA; beyond 2^20 the address has a high word. */
type Run = readonly [vma: number, page: number];

/** A file with these runs in the order given; the frame tells which is which. */
function fileOf(runs: readonly Run[], firstFrame = 0): string {
  const values: Readonly<Record<string, (run: Run, at: number) => readonly [low: number, high: number]>> = {
    vma: ([vma]) => [vma, 0],
    address: ([, page]) => [(page % 2 ** 20) * 4096, Math.floor(page / 2 ** 20)],
    frame: (_, at) => [firstFrame + at, 0],
    pages: () => [1, 0],
  };
  const columns = MAPPINGS_TABLE.columns.map((spec) => {
    const of = values[spec.name] ?? (() => [0, 0] as const);
    if (spec.type === "int32")
      return { spec, words: Int32Array.from(runs, (run, at) => of(run, at)[0]), width: 1 as const };
    return { spec, words: Int32Array.from(runs.flatMap((run, at) => [...of(run, at)])), width: 2 as const };
  });
  const directory = join(place, String(directories++));
  mkdirSync(directory);
  return join(directory, writeRuns({ schema: MAPPINGS_TABLE, rows: runs.length, columns }, directory).name);
}

/** Runs as "vma page frame". */
function rowsOf({ rows, columns }: RecordedTable): string[] {
  const words = (name: string): Int32Array => {
    const column = columns.find(({ spec }) => spec.name === name);
    return column !== undefined && "words" in column ? column.words : expect.fail(`no column ${name}`);
  };
  const [vma, address, frame] = [words("vma"), words("address"), words("frame")];
  return Array.from({ length: rows }, (_, row) => {
    const page = (address[2 * row] >>> 12) + (address[2 * row + 1] >>> 0) * 2 ** 20;
    return `${vma[row]} ${page} ${frame[2 * row]}`;
  });
}

function inOrder(files: readonly (readonly Run[])[]): string[] {
  let frame = 0;
  return files
    .flatMap((runs) => runs.map(([vma, page]) => [vma, page, frame++] as const))
    .toSorted(([vma, page], [otherVma, otherPage]) => vma - otherVma || page - otherPage)
    .map((run) => run.join(" "));
}

function readFiles(files: readonly (readonly Run[])[]): string[] {
  let frame = 0;
  const paths = files.map((runs) => {
    const path = fileOf(runs, frame);
    frame += runs.length;
    return path;
  });
  return rowsOf(readRuns(paths));
}

const page = fc.oneof(fc.nat(5), fc.constantFrom(2 ** 20, 2 ** 20 + 1, 2 ** 35 - 1));
const runs = fc.uniqueArray(fc.tuple(fc.nat(4), page), { selector: (run) => run.join(" "), maxLength: 24 });

test("whatever stretches they come in, of one file or several", () => {
  fc.assert(
    fc.property(runs, fc.array(fc.nat(24), { maxLength: 3 }), (all, cuts) => {
      const ends = [...cuts, all.length].toSorted((a, b) => a - b);
      const files = ends.map((end, at) => all.slice(at === 0 ? 0 : ends[at - 1], end));
      expect(readFiles(files)).toEqual(inOrder(files));
    }),
    { numRuns: 60 },
  );
});

test("stretches that end in the middle of a row group, and go on in the next", () => {
  const stretch = (vma: number, count: number): Run[] => Array.from({ length: count }, (_, at) => [vma, at] as const);
  const files = [
    [...stretch(7, BLOCK_RUNS - 10), ...stretch(2, 30), ...stretch(9, 5)],
    [...stretch(5, BLOCK_RUNS + 100), ...stretch(1, 50)],
  ];
  expect(readFiles(files).join("\n") === inOrder(files).join("\n")).toBe(true);
});
