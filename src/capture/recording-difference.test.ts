import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codeTexts } from "./coded-texts.ts";
import { applyDifference, checkSteps, differenceOf } from "./recording-difference.ts";
import { type RecordedTable, sourcesOf, toAbsolute, toRelative } from "./recording-table.ts";
import { PROCESSES_TABLE, type TableSchema } from "./table-schema.ts";

const SCHEMA: TableSchema = {
  name: "things",
  columns: [
    { name: "number", type: "int32", nullable: false },
    { name: "size", type: "int64", nullable: true },
    { name: "word", type: "uint64", nullable: false },
    { name: "text", type: "text", nullable: true },
  ],
};

interface Row {
  readonly number: number;
  readonly size: number | null;
  readonly word: number;
  readonly text: string | null;
}

function tableOf(rows: readonly Row[]): RecordedTable {
  const [number, size, word, text] = SCHEMA.columns;
  const doubles = Float64Array.from(rows, (row) => row.size ?? Number.NaN);
  return {
    schema: SCHEMA,
    rows: rows.length,
    columns: [
      { spec: number, words: Int32Array.from(rows, (row) => row.number), width: 1 },
      { spec: size, words: new Int32Array(doubles.buffer), width: 2 },
      { spec: word, words: Int32Array.from(rows.flatMap((row) => [row.word, -row.word])), width: 2 },
      { spec: text, texts: codeTexts(rows.map((row) => row.text)) },
    ],
  };
}

function rowsOf(table: RecordedTable): unknown[] {
  const sources = Object.values(sourcesOf(table));
  return Array.from({ length: table.rows }, (_, row) => sources.map((source) => source(row)));
}

/** Few values, so that rows repeat. */
const row = fc.record({
  number: fc.integer({ min: 0, max: 3 }),
  size: fc.option(fc.integer({ min: 0, max: 2 })),
  word: fc.integer({ min: 0, max: 1 }),
  text: fc.option(fc.constantFrom("", "a", "b")),
});

const ROWS: readonly Row[] = Array.from({ length: 100 }, (_, index) => ({
  number: index,
  size: index * 4096,
  word: index,
  text: `row ${index}`,
}));

describe("a table and its difference to another", () => {
  test("the difference applied to the old table is the new one, whatever the two are", () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 40 }), fc.array(row, { maxLength: 40 }), (before, after) => {
        const [base, next] = [tableOf(before), tableOf(after)];
        const difference = differenceOf(base, next);
        const lengths = { baseRows: base.rows, inserted: difference.inserted.rows, rows: next.rows };
        expect(checkSteps(difference.steps, lengths)).toBeUndefined();
        expect(rowsOf(applyDifference(base, difference))).toEqual(rowsOf(next));
      }),
      { numRuns: 500 },
    );
  });

  test("no row is new that the old table has", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...ROWS]), (after) => {
        expect(differenceOf(tableOf(ROWS), tableOf(after)).inserted.rows).toBe(0);
      }),
    );
  });

  test("equal tables are one copy", () => {
    const { steps, inserted } = differenceOf(tableOf(ROWS), tableOf(ROWS));
    expect([...steps.copyFrom, ...steps.copyRows, ...steps.insertRows, inserted.rows]).toEqual([0, 100, 0, 0]);
  });

  test("a changed row in the middle is one new row between two copies", () => {
    const changed = ROWS.with(40, { ...ROWS[40], size: null });
    const { steps, inserted } = differenceOf(tableOf(ROWS), tableOf(changed));
    expect(rowsOf(inserted)).toEqual([[40, null, 0xffff_ffd8_0000_0028n, "row 40"]]);
    expect([...steps.copyFrom]).toEqual([0, 41]);
    expect([...steps.copyRows]).toEqual([40, 59]);
  });

  test("a stretch that moved is copied from where it was", () => {
    const moved = [...ROWS.slice(60), ...ROWS.slice(0, 60)];
    const { steps, inserted } = differenceOf(tableOf(ROWS), tableOf(moved));
    expect(inserted.rows).toBe(0);
    expect([...steps.copyFrom]).toEqual([60, 0]);
  });

  test("rows that repeat are found at the place where they are expected", () => {
    const repeated = Array.from({ length: 60 }, (_, index) => ({ ...ROWS[index % 5], number: Math.floor(index / 20) }));
    const changed = repeated.with(30, ROWS[99]);
    expect(differenceOf(tableOf(repeated), tableOf(changed)).steps.copyFrom).toEqual(Int32Array.of(0, 31));
  });

  test("of equal rows the one behind the last stretch is taken, because the rows after it follow", () => {
    const twice = [ROWS[99], ...ROWS.slice(0, 20), ROWS[99], ...ROWS.slice(20, 30)];
    // More rows are left out than are looked at behind a stretch.
    const shorter = [...ROWS.slice(0, 10), ROWS[99], ...ROWS.slice(20, 30)];
    const { steps, inserted } = differenceOf(tableOf(twice), tableOf(shorter));
    expect({ from: [...steps.copyFrom], rows: [...steps.copyRows], inserted: inserted.rows }).toEqual({
      from: [1, 21],
      rows: [10, 11],
      inserted: 0,
    });
  });
});

describe("steps from a file", () => {
  const steps = (from: number, copied: number, inserted: number) => ({
    copyFrom: Int32Array.of(from),
    copyRows: Int32Array.of(copied),
    insertRows: Int32Array.of(inserted),
  });
  test.each([
    ["copy behind the end", steps(5, 6, 0), "rows which do not exist"],
    ["copy before the start", steps(-1, 1, 0), "negative"],
    ["copy less than nothing", steps(5, -1, 7), "negative"],
    ["insert what is not there", steps(0, 3, 3), "another number of rows than there are"],
    ["make too little", steps(0, 2, 2), "than the capture has"],
    ["make too much", steps(0, 6, 2), "than the capture has"],
  ])("%s: refused", (_, made, problem) => {
    expect(checkSteps(made, { baseRows: 10, inserted: 2, rows: 6 })).toContain(problem);
  });
  test("that fit are accepted", () => {
    expect(checkSteps(steps(6, 4, 2), { baseRows: 10, inserted: 2, rows: 6 })).toBeUndefined();
  });
});

describe("columns that point to rows", () => {
  function processes(places: readonly (readonly [mm: number, first: number, end: number])[]): RecordedTable {
    const values: Readonly<Record<string, (row: number) => number>> = {
      pid: (at) => places[at][2] - places[at][1],
      mm: (at) => places[at][0],
      first_vma: (at) => places[at][1],
      end_vma: (at) => places[at][2],
    };
    return {
      schema: PROCESSES_TABLE,
      rows: places.length,
      columns: PROCESSES_TABLE.columns.map((spec) => {
        if (spec.type === "text") return { spec, texts: codeTexts(places.map(() => null)) };
        const of = values[spec.name] ?? (() => 0);
        const isNarrow = spec.type === "int32" && !spec.nullable;
        if (isNarrow) return { spec, words: Int32Array.from(places, (_, at) => of(at)), width: 1 as const };
        return { spec, words: new Int32Array(places.length * 2), width: 2 as const };
      }),
    };
  }

  test("survive being made relative, whatever is in them", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer(), fc.integer(), fc.integer())), (places) => {
        const table = processes(places);
        expect(rowsOf(toAbsolute(toRelative(table)))).toEqual(rowsOf(table));
      }),
    );
  });

  test("a process that is gone changes its own place, not those of the processes behind it", () => {
    const places = Array.from({ length: 50 }, (_, at) => [at, at * 10, at * 10 + 10] as const);
    const after = [
      ...places.slice(0, 20),
      ...places.slice(21).map(([mm, first, end]) => [mm - 1, first - 10, end - 10] as const),
    ];
    const [base, next] = [toRelative(processes(places)), toRelative(processes(after))];
    expect(differenceOf(base, next).inserted.rows).toBe(0);
    expect(rowsOf(toAbsolute(applyDifference(base, differenceOf(base, next))))).toEqual(rowsOf(processes(after)));
  });
});
