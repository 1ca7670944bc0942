/**
 * Runs as pieces of files are the runs that the differences make, one after the other, in memory.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { BadCapture } from "./bad-capture.ts";
import { readMappingGroups } from "./mapping-file.ts";
import { MAPPING_COLUMNS, StoredGroups } from "./mapping-part.ts";
import { applyDifference, differenceOf } from "./recording-difference.ts";
import { writeRuns } from "./recording-runs.ts";
import { type RecordedTable, sourcesOf, toAbsolute, toRelative } from "./recording-table.ts";
import { BLOCK_RUNS, WORDS_PER_RUN } from "./run-layout.ts";
import { RunPieces } from "./run-pieces.ts";
import { MAPPINGS_TABLE } from "./table-schema.ts";

const place = mkdtempSync(join(tmpdir(), "run-pieces-"));
afterAll(() => rmSync(place, { recursive: true, force: true }));

let directories = 0;
function newDirectory(): string {
  const path = join(place, String(directories++));
  mkdirSync(path);
  return path;
}

/** One page mapped, in a VMA. */
type Run = readonly [vma: number, page: number, frame: number];

/** In the order in which a recording keeps them. */
function tableOf(runs: readonly Run[]): RecordedTable {
  const ordered = runs.toSorted(([vma, page], [otherVma, otherPage]) => vma - otherVma || page - otherPage);
  const values: Readonly<Record<string, (run: Run) => number>> = {
    vma: ([vma]) => vma,
    address: ([, page]) => page * 4096,
    frame: ([, , frame]) => frame,
    pages: () => 1,
  };
  const columns = MAPPINGS_TABLE.columns.map((spec) => {
    const of = values[spec.name] ?? (() => 0);
    if (spec.type === "int32") return { spec, words: Int32Array.from(ordered, of), width: 1 as const };
    return { spec, words: Int32Array.from(ordered.flatMap((run) => [of(run), 0])), width: 2 as const };
  });
  return { schema: MAPPINGS_TABLE, rows: runs.length, columns };
}

function rowsOf(table: RecordedTable): unknown[] {
  const sources = Object.values(sourcesOf(table));
  return Array.from({ length: table.rows }, (_, row) => sources.map((source) => source(row)));
}

/** All columns, one behind the other: two tables of tens of thousands of rows are compared at once. */
function bytesOf({ columns }: RecordedTable): Buffer {
  return Buffer.concat(columns.flatMap((column) => ("words" in column ? [Buffer.from(column.words.buffer)] : [])));
}

/** The runs in a file, in its order: readRuns would put them in another. */
function runsIn(path: string): RecordedTable {
  const groups = readMappingGroups(path);
  const rows = groups.reduce((sum, group) => sum + group.rows, 0);
  const columns = MAPPINGS_TABLE.columns.map((spec) => {
    const width: 1 | 2 = spec.type === "int32" ? 1 : 2;
    return { spec, words: new Int32Array(rows * width), width };
  });
  const store = new StoredGroups();
  const block = new Int32Array(BLOCK_RUNS * WORDS_PER_RUN);
  let before = 0;
  for (const group of groups) {
    store.load(store.addGroup(group), block);
    for (const [index, { words, width }] of columns.entries()) {
      const { at } = MAPPING_COLUMNS[index];
      words.set(block.subarray(at, at + group.rows * width), before * width);
    }
    before += group.rows;
  }
  store.close();
  return { schema: MAPPINGS_TABLE, rows, columns };
}

/** The key in a file, then every later capture as the difference to the one before; all by way of pieces. */
function throughPieces(captures: readonly (readonly Run[])[]): RecordedTable[] {
  const [key, ...later] = captures;
  const directory = newDirectory();
  const { name } = writeRuns(tableOf(key), directory);
  let pieces = RunPieces.ofKey([join(directory, name)]);
  let before = toRelative(tableOf(key));
  const made = [pieces];
  for (const runs of later) {
    const now = toRelative(tableOf(runs));
    const difference = differenceOf(before, now);
    pieces = pieces.after(difference);
    before = applyDifference(before, difference);
    made.push(pieces);
  }
  const read: RecordedTable[] = [];
  for (const each of made) {
    const to = newDirectory();
    const file = each.write(to);
    expect(file.rows).toBe(each.rows);
    read.push(runsIn(join(to, file.name)));
  }
  return read;
}

const run = fc.tuple(fc.nat(3), fc.nat(5), fc.nat(2));
const capture = fc.uniqueArray(run, { selector: ([vma, page]) => `${vma} ${page}`, maxLength: 20 });

test("every capture made of pieces has its runs, however often what was before is copied", () => {
  fc.assert(
    fc.property(fc.array(capture, { minLength: 1, maxLength: 5 }), (captures) => {
      expect(throughPieces(captures).map(rowsOf)).toEqual(captures.map((runs) => rowsOf(tableOf(runs))));
    }),
    { numRuns: 60 },
  );
});

test("pieces across row groups: a VMA that comes or goes in the middle of 70,000 runs", () => {
  const key = Array.from({ length: 2 * BLOCK_RUNS + 5000 }, (_, at): Run => [Math.floor(at / 100), at % 100, at]);
  const without = (vma: number): Run[] =>
    key.filter(([of]) => of !== vma).map(([of, page, frame]) => [of > vma ? of - 1 : of, page, frame]);
  // Row 32,768 begins the second row group, in the middle of VMA 327.
  const captures = [key, without(327), key.filter(([, page]) => page !== 68), key];
  const made = throughPieces(captures);
  for (const [at, runs] of captures.entries()) expect(bytesOf(made[at]).equals(bytesOf(tableOf(runs)))).toBe(true);
});

test("a difference may copy rows twice and backwards", () => {
  const directory = newDirectory();
  const key: readonly Run[] = [
    [0, 0, 10],
    [0, 1, 11],
    [5, 0, 12],
    [9, 0, 13],
  ];
  const { name } = writeRuns(tableOf(key), directory);
  const first = {
    steps: { copyFrom: Int32Array.of(2, 0, 1), copyRows: Int32Array.of(2, 1, 3), insertRows: Int32Array.of(0, 1, 0) },
    inserted: toRelative(tableOf([[1, 7, 99]])),
  };
  const second = {
    steps: { copyFrom: Int32Array.of(3, 1), copyRows: Int32Array.of(2, 6), insertRows: Int32Array.of(0, 0) },
    inserted: toRelative(tableOf([])),
  };
  const pieces = RunPieces.ofKey([join(directory, name)])
    .after(first)
    .after(second);
  const to = newDirectory();
  const wanted = toAbsolute(applyDifference(applyDifference(toRelative(tableOf(key)), first), second));
  expect(rowsOf(runsIn(join(to, pieces.write(to).name)))).toEqual(rowsOf(wanted));
});

test("a key whose file is gone since it was listed is named as damaged", () => {
  const directory = newDirectory();
  const { name } = writeRuns(tableOf([[0, 0, 1]]), directory);
  const pieces = RunPieces.ofKey([join(directory, name)]);
  rmSync(join(directory, name));
  expect(() => pieces.write(newDirectory())).toThrow(BadCapture);
});
