/**
 * A table of a stored capture as a recording holds it in memory: columns that can be compared and copied row by row,
 * whatever is in them, and written back to the very bytes that they were read from.
 *
 *     int32, never null        one 32-bit word a row
 *     uint64                   two words, low and high
 *     int64, double, boolean   two words: the number as a double, NaN for null
 *     text                     one word: its place in a list of the column's texts (coded-texts.ts)
 *
 * Columns that point to rows of other tables (`vma`, `mm`, ...) are kept relative to the row above. A process or VMA that
 * comes or goes then changes one row, and not every row behind it.
 */
import { type CodedTexts, CodedTextsBuilder, codeTexts, textAt } from "./coded-texts.ts";
import { type ColumnSource, type ReadColumn, TableColumns } from "./parquet-table.ts";
import {
  type ColumnSpec,
  MAPPINGS_TABLE,
  PROCESSES_TABLE,
  TABLES,
  type TableSchema,
  VMAS_TABLE,
} from "./table-schema.ts";

/** A column of numbers, as 32-bit words. */
export interface WordColumn {
  readonly spec: ColumnSpec;
  readonly words: Int32Array;
  /** Words a row. */
  readonly width: 1 | 2;
}

/** A column of texts. */
export interface TextColumn {
  readonly spec: ColumnSpec;
  readonly texts: CodedTexts;
}

export type RecordedColumn = WordColumn | TextColumn;

/** A table; its columns are in the order of the schema. */
export interface RecordedTable {
  readonly schema: TableSchema;
  readonly rows: number;
  readonly columns: readonly RecordedColumn[];
}

/** All tables of a capture by name, the mappings too. */
export type RecordedTables = ReadonlyMap<string, RecordedTable>;

/** The tables that a recording keeps, in the order in which its files number them. */
export const RECORDED_TABLES: readonly TableSchema[] = [...TABLES, MAPPINGS_TABLE];

/** Columns that are kept relative to the row above, by table. All are int32 and never null. */
const RELATIVE_COLUMNS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  [PROCESSES_TABLE.name, new Set(["mm", "first_vma", "end_vma"])],
  [VMAS_TABLE.name, new Set(["vma", "mm"])],
  [MAPPINGS_TABLE.name, new Set(["vma"])],
]);

/** Words of one table in memory, 1 GiB: 2^25 runs, or a million VMAs. */
const TABLE_WORDS_MAX = 2 ** 28;

/** Rows of a table that a recording takes: a difference must not ask for more memory than any capture needs. */
export function rowsMost({ columns }: TableSchema): number {
  const words = columns.reduce((sum, spec) => sum + (spec.type === "text" ? 2 : widthOf(spec)), 0);
  return Math.floor(TABLE_WORDS_MAX / words);
}

/** Words that a row of a column of numbers takes. */
export function widthOf({ type, nullable }: ColumnSpec): 1 | 2 {
  return type === "int32" && !nullable ? 1 : 2;
}

/** A table that was read from a file, its columns as they stand there. */
export function recordedTable(schema: TableSchema, table: TableColumns): RecordedTable {
  const columns = schema.columns.map((spec): RecordedColumn => {
    if (spec.type === "text") return { spec, texts: codeTexts(table.nullableTexts(spec.name)) };
    const width = widthOf(spec);
    if (spec.type === "uint64") return { spec, words: table.words(spec.name), width };
    const numbers = table.numbers(spec.name);
    const words = width === 1 ? Int32Array.from(numbers) : new Int32Array(numbers.buffer, numbers.byteOffset);
    return { spec, words, width };
  });
  return { schema, rows: table.rows, columns };
}

/** The columns as a writer of tables wants them. */
export function sourcesOf({ columns }: RecordedTable): Readonly<Record<string, ColumnSource>> {
  return Object.fromEntries(columns.map((column) => [column.spec.name, sourceOf(column)]));
}

function sourceOf(column: RecordedColumn): ColumnSource {
  if ("texts" in column) return (row) => textAt(column.texts, row);
  const { spec, words } = column;
  if (column.width === 1) return (row) => words[row];
  if (spec.type === "uint64") {
    return (row) => (BigInt(words[2 * row + 1] >>> 0) << 32n) | BigInt(words[2 * row] >>> 0);
  }
  const numbers = new Float64Array(words.buffer, words.byteOffset, words.length / 2);
  const ofRow = spec.type === "boolean" ? (row: number) => numbers[row] === 1 : (row: number) => numbers[row];
  return spec.nullable ? (row) => (Number.isNaN(numbers[row]) ? null : ofRow(row)) : ofRow;
}

/** The table as it would have been read from the file at `path`, which stands in errors. The columns are shared. */
export function tableColumnsOf({ rows, columns }: RecordedTable, path: string): TableColumns {
  const read = (column: RecordedColumn): ReadColumn => {
    const { spec } = column;
    if ("texts" in column) return { spec, texts: Array.from(column.texts.codes, (code) => column.texts.values[code]) };
    const { words, width } = column;
    if (spec.type === "uint64") return { spec, words };
    const numbers = width === 1 ? Float64Array.from(words) : new Float64Array(words.buffer, words.byteOffset, rows);
    return { spec, numbers };
  };
  return new TableColumns(path, rows, new Map(columns.map((column) => [column.spec.name, read(column)])));
}

/** The table with the columns that point to rows made relative to the row above. */
export function toRelative(table: RecordedTable): RecordedTable {
  return mapRelative(table, (words) => {
    const relative = new Int32Array(words.length);
    for (let row = 0; row < words.length; row++) relative[row] = words[row] - (row === 0 ? 0 : words[row - 1]);
    return relative;
  });
}

/** The way back from `toRelative`. */
export function toAbsolute(table: RecordedTable): RecordedTable {
  return mapRelative(table, (words) => {
    const absolute = new Int32Array(words.length);
    let sum = 0;
    for (let row = 0; row < words.length; row++) {
      sum = (sum + words[row]) | 0;
      absolute[row] = sum;
    }
    return absolute;
  });
}

function mapRelative(table: RecordedTable, change: (words: Int32Array) => Int32Array): RecordedTable {
  const relative = RELATIVE_COLUMNS.get(table.schema.name);
  if (relative === undefined) return table;
  const columns = table.columns.map((column) =>
    "words" in column && relative.has(column.spec.name) ? { ...column, words: change(column.words) } : column,
  );
  return { ...table, columns };
}

/** Collects rows of tables of one schema into a new table of a length known beforehand. */
export class TableBuilder {
  private readonly schema: TableSchema;
  private readonly columns: readonly (WordColumn | { readonly spec: ColumnSpec; readonly texts: CodedTextsBuilder })[];
  private rows = 0;

  constructor(schema: TableSchema, rows: number) {
    this.schema = schema;
    this.columns = schema.columns.map((spec) => {
      if (spec.type === "text") return { spec, texts: new CodedTextsBuilder(rows) };
      const width = widthOf(spec);
      // A buffer of whole doubles, because wide columns are read as such.
      return { spec, words: new Int32Array(rows * width), width };
    });
  }

  /** Appends rows [from, end) of a table. */
  append(table: RecordedTable, from: number, end: number): void {
    for (const [index, target] of this.columns.entries()) {
      const source = table.columns[index];
      if ("words" in target && "words" in source) {
        target.words.set(source.words.subarray(from * target.width, end * target.width), this.rows * target.width);
      } else if ("texts" in target && "texts" in source) {
        target.texts.append(source.texts, from, end);
      } else throw new Error(`the tables differ in what "${target.spec.name}" is`);
    }
    this.rows += end - from;
  }

  /** The table; all its rows must have been appended. */
  finish(): RecordedTable {
    const columns = this.columns.map((column) =>
      "words" in column ? column : { spec: column.spec, texts: column.texts.finish() },
    );
    return { schema: this.schema, rows: this.rows, columns };
  }
}
