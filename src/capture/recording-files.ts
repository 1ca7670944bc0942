/**
 * The tables of a recording's captures, from and to their files: a whole capture's, and a difference's.
 *
 * Tables in memory are relative (recording-table.ts), tables of a whole capture on disk are not. What is read from a
 * difference is checked before it is used: sizes and SHA-256, steps that stay within their tables, and lengths that are
 * those of the capture it makes, so that a few bytes cannot ask for more rows than a capture may have.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { BadCapture } from "./bad-capture.ts";
import type { Manifest } from "./manifest.ts";
import { readMappingGroups } from "./mapping-file.ts";
import { type TableColumns, readTable, writeTable } from "./parquet-table.ts";
import { parseTables } from "./read-tables.ts";
import {
  type TableDifference,
  type TableSteps,
  applyDifference,
  checkSteps,
  differenceOf,
} from "./recording-difference.ts";
import {
  type DifferenceFile,
  type EntryDifference,
  STEPS_NAME,
  STEPS_TABLE,
  captureDirectory,
  newRowsName,
} from "./recording-entry.ts";
import { readRuns } from "./recording-runs.ts";
import {
  RECORDED_TABLES,
  type RecordedTable,
  type RecordedTables,
  TableBuilder,
  recordedTable,
  rowsMost,
  sourcesOf,
  tableColumnsOf,
  toAbsolute,
  toRelative,
} from "./recording-table.ts";
import { RunPieces } from "./run-pieces.ts";
import { type StoredFiles, checkStoredFile } from "./stored-files.ts";
import { MAPPINGS_TABLE, TABLES, type TableSchema } from "./table-schema.ts";

/** Which table of a capture has more rows than a recording takes, in words; undefined if none has. */
export function findTooLarge({ files }: Pick<Manifest, "files">): string | undefined {
  for (const schema of RECORDED_TABLES) {
    const most = rowsMost(schema);
    if (rowsIn(files, schema) > most) return `more than ${most} rows in the table "${schema.name}"`;
  }
  return undefined;
}

function rowsIn(files: Manifest["files"], { name }: TableSchema): number {
  return files.reduce((sum, { table, rows }) => sum + (table === name ? rows : 0), 0);
}

/** Reads all tables of a whole capture, whose files must have been checked; the runs are put in order. */
export async function readWholeCapture(directory: string, { files }: Pick<Manifest, "files">): Promise<RecordedTables> {
  const tables = await readSmallTables(directory);
  return tables.set(MAPPINGS_TABLE.name, toRelative(readRuns(partsOf(directory, files))));
}

/** All but the runs. */
async function readSmallTables(directory: string): Promise<Map<string, RecordedTable>> {
  const tables = new Map<string, RecordedTable>();
  for (const schema of TABLES) {
    const table = recordedTable(schema, await readTable(join(directory, `${schema.name}.parquet`), schema));
    tables.set(schema.name, toRelative(table));
  }
  return tables;
}

function partsOf(directory: string, files: Manifest["files"]): string[] {
  return files.filter(({ table }) => table === MAPPINGS_TABLE.name).map(({ name }) => join(directory, name));
}

/** What a capture is made of on the way from its key to it: its tables but for the runs, and those as pieces of files. */
export interface ReplayedCapture {
  readonly tables: RecordedTables;
  readonly runs: RunPieces;
}

/** Reads a key, whose files must have been checked. Throws BadCapture. */
export async function readKey(directory: string, { files }: Pick<Manifest, "files">): Promise<ReplayedCapture> {
  return { tables: await readSmallTables(directory), runs: RunPieces.ofKey(partsOf(directory, files)) };
}

/**
 * The files that a capture would be read from, for opening it: its runs as a file in `directory`, the other tables as
 * they are in memory. `place` stands in errors. Throws BadCapture.
 */
export function storedFilesOf(
  { tables, runs: pieces }: ReplayedCapture,
  manifest: Manifest,
  { directory, place }: { readonly directory: string; readonly place: string },
): StoredFiles {
  const runs = pieces.write(directory);
  const expected = manifest.files.filter(({ table }) => table === MAPPINGS_TABLE.name);
  if (expected.length !== 1 || expected[0].sha256 !== runs.sha256) {
    throw new BadCapture("damaged", place, "makes other mappings than its entry describes");
  }
  const read = TABLES.map((schema) => {
    const path = join(place, `${schema.name}.parquet`);
    return [schema, tableColumnsOf(toAbsolute(tableOf(tables, schema)), path)] as const;
  });
  const facts = parseTables(place, new Map<TableSchema, TableColumns>(read));
  return { manifest, facts, parts: [readMappingGroups(join(directory, runs.name))] };
}

/** The differences of all tables, in the order of RECORDED_TABLES. */
export function compareTables(base: RecordedTables, next: RecordedTables): TableDifference[] {
  return RECORDED_TABLES.map((schema) => differenceOf(tableOf(base, schema), tableOf(next, schema)));
}

/** Writes the files of a difference. */
export function writeDifference(directory: string, differences: readonly TableDifference[]): DifferenceFile[] {
  const steps = differences.flatMap(({ steps: { copyFrom, copyRows, insertRows } }, table) =>
    Array.from(copyFrom, (from, step) => [table, from, copyRows[step], insertRows[step]]),
  );
  const stepSources = STEPS_TABLE.columns.map(
    ({ name }, column) => [name, (row: number) => steps[row][column]] as const,
  );
  const write = (name: string, schema: TableSchema, rows: number, sources: ReturnType<typeof sourcesOf>) => ({
    name,
    ...writeTable(join(directory, name), schema, rows, sources),
  });
  return [
    write(STEPS_NAME, STEPS_TABLE, steps.length, Object.fromEntries(stepSources)),
    ...differences
      .filter(({ inserted }) => inserted.rows > 0)
      .map(({ inserted }) => write(newRowsName(inserted.schema), inserted.schema, inserted.rows, sourcesOf(inserted))),
  ];
}

/** What a difference makes out of the capture before. Throws BadCapture. */
export async function readDifference(
  recording: string,
  number: number,
  { files, capture }: EntryDifference,
  base: ReplayedCapture,
): Promise<ReplayedCapture> {
  const directory = captureDirectory(recording, number);
  const tooLarge = findTooLarge(capture);
  if (tooLarge !== undefined) throw new BadCapture("damaged", directory, `claims ${tooLarge}`);
  for (const file of files) checkStoredFile(directory, file);
  const steps = await readSteps(join(directory, STEPS_NAME));
  const tables = new Map<string, RecordedTable>();
  let { runs } = base;
  for (const [index, schema] of RECORDED_TABLES.entries()) {
    const path = join(directory, newRowsName(schema));
    const isListed = files.some(({ name }) => name === newRowsName(schema));
    if (!isListed && existsSync(path)) throw new BadCapture("damaged", path, "is not listed in the entry");
    const inserted = isListed
      ? recordedTable(schema, await readTable(path, schema))
      : new TableBuilder(schema, 0).finish();
    const difference: TableDifference = { steps: steps[index], inserted };
    const before = schema === MAPPINGS_TABLE ? base.runs : tableOf(base.tables, schema);
    const lengths = { baseRows: before.rows, inserted: inserted.rows, rows: rowsIn(capture.files, schema) };
    const problem = checkSteps(difference.steps, lengths);
    if (problem !== undefined) throw new BadCapture("damaged", join(directory, STEPS_NAME), `has ${problem}`);
    if (before instanceof RunPieces) runs = before.after(difference);
    else tables.set(schema.name, applyDifference(before, difference));
  }
  return { tables, runs };
}

/** Steps by table. */
async function readSteps(path: string): Promise<TableSteps[]> {
  const read = await readTable(path, STEPS_TABLE);
  const [table, from, copied, inserted] = STEPS_TABLE.columns.map(({ name }) => read.numbers(name));
  const rowsOf = RECORDED_TABLES.map((): number[] => []);
  for (const [row, index] of table.entries()) {
    const rows = rowsOf[index];
    if (rows === undefined) throw read.damaged("table", "a table that does not exist");
    rows.push(row);
  }
  return rowsOf.map((rows) => ({
    copyFrom: Int32Array.from(rows, (row) => from[row]),
    copyRows: Int32Array.from(rows, (row) => copied[row]),
    insertRows: Int32Array.from(rows, (row) => inserted[row]),
  }));
}

/** A table that every capture has. */
export function tableOf(tables: RecordedTables, { name }: TableSchema): RecordedTable {
  const table = tables.get(name);
  if (table === undefined) throw new Error(`the recording holds no table "${name}"`);
  return table;
}
