/**
 * Writes and reads one table of a capture as a Parquet file of the shape that plain-parquet.ts describes.
 *
 * The library encodes and decodes; before it decodes, each page is measured here: its header, the exact length that its
 * values must have, and its definition levels, whose run lengths the library would otherwise believe.
 */
import { createHash } from "node:crypto";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { type DecodedArray, parquetRead } from "hyparquet";
import { deserializeTCompactProtocol } from "hyparquet/src/thrift.js";
import { parquetWriteBuffer } from "hyparquet-writer";
import { BadCapture } from "./bad-capture.ts";
import {
  CREATED_BY,
  type PlainChunk,
  type PlainFooter,
  parquetSchemaOf,
  readExactly,
  readPlainFooter,
  varintAt,
  walkStruct,
} from "./plain-parquet.ts";
import type { ColumnSpec, ColumnType, TableSchema } from "./table-schema.ts";

/** Rows of a row group. */
const GROUP_ROWS = 65_536;
/** Longest header of one of our pages. */
const PAGE_HEADER_BYTES_MAX = 64;
const DATA_PAGE_V2 = 3;

/** Values of one column: typed arrays, or arrays with null where the column is nullable. */
export type ColumnValues =
  | Int32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array
  | readonly (string | number | bigint | boolean | null)[];

/** The size and content of a file, as the manifest notes them. */
export interface WrittenFile {
  readonly bytes: number;
  readonly rows: number;
  readonly sha256: string;
}

/** Writes a table; the columns are given by name. Numbers of int64 columns may be plain numbers. */
export function writeTable(
  path: string,
  schema: TableSchema,
  columns: Readonly<Record<string, ColumnValues>>,
): WrittenFile {
  const columnData = schema.columns.map(({ name, type }) => ({
    name,
    data: encodable(columns[name], type),
    encoding: "PLAIN" as const,
    offsetIndex: false,
  }));
  const bytes = new Uint8Array(
    parquetWriteBuffer({
      columnData,
      schema: parquetSchemaOf(schema),
      codec: "UNCOMPRESSED",
      statistics: false,
      rowGroupSize: GROUP_ROWS,
      pageSize: 0,
      createdBy: CREATED_BY,
    }),
  );
  writeFileSync(path, bytes, { flag: "wx", mode: 0o600 });
  const rows = columns[schema.columns[0].name].length;
  return { bytes: bytes.length, rows, sha256: createHash("sha256").update(bytes).digest("hex") };
}

function encodable(values: ColumnValues, type: ColumnType): DecodedArray {
  const wide = type === "int64" || type === "uint64";
  if (!wide || values instanceof BigInt64Array || values instanceof BigUint64Array) return values as DecodedArray;
  return Array.from(values, (value) => (typeof value === "number" ? BigInt(value) : value));
}

/** The columns of a table that was read. Asking for a column with the wrong type is a bug. */
export class TableColumns {
  readonly rows: number;
  private readonly path: string;
  private readonly columns: ReadonlyMap<string, { readonly spec: ColumnSpec; readonly values: DecodedArray }>;

  constructor(
    path: string,
    rows: number,
    columns: ReadonlyMap<string, { readonly spec: ColumnSpec; readonly values: DecodedArray }>,
  ) {
    this.path = path;
    this.rows = rows;
    this.columns = columns;
  }

  /** An int32, int64 or double column without nulls. */
  numbers(name: string): Float64Array {
    const { values, spec } = this.column(name, ["int32", "int64", "double"], false);
    const numbers = Float64Array.from(values as Iterable<number | bigint>, Number);
    if (spec.type === "int64" && !numbers.every(Number.isSafeInteger)) throw this.damaged(name, "a number beyond 2^53");
    return numbers;
  }

  nullableNumbers(name: string): (number | null)[] {
    const { values } = this.column(name, ["int32", "int64"], true);
    const numbers = Array.from(values as Iterable<number | bigint | null | undefined>, (value) =>
      value === null || value === undefined ? null : Number(value),
    );
    if (!numbers.every((value) => value === null || Number.isSafeInteger(value))) {
      throw this.damaged(name, "a number beyond 2^53");
    }
    return numbers;
  }

  /** A uint64 column as low and high words. */
  words(name: string): Int32Array {
    const values = BigUint64Array.from(this.column(name, ["uint64"], false).values as Iterable<bigint>);
    return new Int32Array(values.buffer);
  }

  texts(name: string): string[] {
    return Array.from(this.column(name, ["text"], false).values as Iterable<string>);
  }

  nullableTexts(name: string): (string | null)[] {
    const { values } = this.column(name, ["text"], true);
    return Array.from(values as Iterable<string | null | undefined>, (value) => value ?? null);
  }

  nullableBooleans(name: string): (boolean | null)[] {
    const { values } = this.column(name, ["boolean"], true);
    return Array.from(values as Iterable<boolean | null | undefined>, (value) => value ?? null);
  }

  /** The error for a value that a check found wrong. */
  damaged(name: string, problem: string): BadCapture {
    return new BadCapture("damaged", this.path, `has ${problem} in the column "${name}"`);
  }

  private column(name: string, types: readonly ColumnType[], nullable: boolean): { spec: ColumnSpec; values: DecodedArray } {
    const column = this.columns.get(name);
    if (column === undefined || !types.includes(column.spec.type) || column.spec.nullable !== nullable) {
      throw new Error(`the table has no ${nullable ? "nullable " : ""}column "${name}" of type ${types.join(" or ")}`);
    }
    return column;
  }
}

/** Reads a table. Throws BadCapture for whatever is not what writeTable wrote. */
export async function readTable(path: string, schema: TableSchema): Promise<TableColumns> {
  const fd = openSync(path, "r");
  try {
    const footer = readPlainFooter(fd, path, schema);
    for (const { chunks } of footer.groups) {
      for (const [index, chunk] of chunks.entries()) checkPage(fd, path, schema.columns[index], chunk);
    }
    return new TableColumns(path, footer.rows, await decodeColumns(fd, path, schema, footer));
  } finally {
    closeSync(fd);
  }
}

/** Without a byte order mark's magic: a text that begins with U+FEFF keeps it. */
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

async function decodeColumns(
  fd: number,
  path: string,
  schema: TableSchema,
  { metadata, rows }: PlainFooter,
): Promise<Map<string, { spec: ColumnSpec; values: DecodedArray }>> {
  const pieces = new Map<string, { rowStart: number; columnData: DecodedArray }[]>();
  const slice = (start: number, end = start): ArrayBuffer => readExactly(fd, path, start, end - start).buffer;
  try {
    await parquetRead({
      file: { byteLength: Number.MAX_SAFE_INTEGER, slice },
      metadata,
      parsers: { stringFromBytes: (bytes: Uint8Array) => utf8.decode(bytes) },
      onChunk: ({ columnName, columnData, rowStart }) => {
        pieces.set(columnName, [...(pieces.get(columnName) ?? []), { rowStart, columnData }]);
      },
    });
  } catch (error) {
    // Texts whose lengths do not fit their page end here, in the library's words.
    if (error instanceof BadCapture) throw error;
    throw new BadCapture("damaged", path, `cannot be decoded (${(error as Error).message})`);
  }
  const columns = new Map<string, { spec: ColumnSpec; values: DecodedArray }>();
  for (const spec of schema.columns) {
    const sorted = (pieces.get(spec.name) ?? []).toSorted((a, b) => a.rowStart - b.rowStart);
    const values = sorted.length === 1 ? sorted[0].columnData : sorted.flatMap(({ columnData }) => Array.from(columnData));
    if (values.length !== rows) throw new BadCapture("damaged", path, `lacks values of the column "${spec.name}"`);
    columns.set(spec.name, { spec, values });
  }
  return columns;
}

const VALUE_BYTES: Readonly<Record<ColumnType, number | undefined>> = {
  boolean: undefined,
  int32: 4,
  int64: 8,
  uint64: 8,
  double: 8,
  text: undefined,
};

/** Checks that a chunk is one page of our kind, exactly as long as its rows need. */
function checkPage(fd: number, path: string, spec: ColumnSpec, chunk: PlainChunk): void {
  const bad = (problem: string): BadCapture => new BadCapture("damaged", path, `${problem} (column "${spec.name}")`);
  const bytes = readExactly(fd, path, chunk.start, chunk.bytes);
  const headerBytes = walkStruct(bytes, 0, Math.min(bytes.length, PAGE_HEADER_BYTES_MAX), 0);
  if (headerBytes < 0) throw bad("has a page without a readable header");
  const header = deserializeTCompactProtocol({ view: new DataView(bytes.buffer, 0, headerBytes), offset: 0 });
  const page = header["field_8"] as Readonly<Record<string, unknown>> | undefined;
  const pageBytes = bytes.length - headerBytes;
  const isOurs =
    header["field_1"] === DATA_PAGE_V2 &&
    page !== undefined &&
    header["field_2"] === pageBytes &&
    header["field_3"] === pageBytes &&
    page["field_1"] === chunk.rows &&
    page["field_3"] === chunk.rows &&
    page["field_4"] === 0 &&
    page["field_6"] === 0 &&
    page["field_7"] !== false;
  if (!isOurs) throw new BadCapture("foreign", path, `holds the column "${spec.name}" in pages of another kind`);
  const nulls = Number(page["field_2"]);
  const levelBytes = Number(page["field_5"]);
  if (!(nulls >= 0 && nulls <= (spec.nullable ? chunk.rows : 0))) throw bad("has an impossible number of nulls");
  if (!(levelBytes >= 0 && levelBytes <= pageBytes) || spec.nullable !== levelBytes > 0) {
    throw bad("has levels of an impossible length");
  }
  const levels = bytes.subarray(headerBytes, headerBytes + levelBytes);
  if (spec.nullable && countLevels(levels, chunk.rows) !== chunk.rows - nulls) throw bad("contradicts itself about nulls");
  const values = chunk.rows - nulls;
  const width = VALUE_BYTES[spec.type];
  const wanted = spec.type === "boolean" ? Math.ceil(values / 8) : width === undefined ? undefined : values * width;
  const left = pageBytes - levelBytes;
  if (wanted === undefined ? left < values * 4 : left !== wanted) throw bad("has values of another length than its rows");
}

/** Ones among `rows` definition levels of one bit (Parquet's runs and bit-packed groups), or -1 if they are malformed. */
function countLevels(levels: Uint8Array, rows: number): number {
  let at = 0;
  let seen = 0;
  let ones = 0;
  while (seen < rows) {
    const header = at < levels.length && levels.subarray(at, at + 5).some((byte) => byte < 0x80) ? varintAt(levels, at) : -1;
    if (header < 2) return -1;
    while (levels[at] >= 0x80) at++;
    at++;
    const count = Math.floor(header / 2);
    if (header % 2 === 1) {
      if (at + count > levels.length || seen + count * 8 > rows + 7) return -1;
      for (let row = 0; row < count * 8 && seen < rows; row++, seen++) ones += (levels[at + (row >> 3)] >> (row & 7)) & 1;
      at += count;
    } else {
      if (at >= levels.length || seen + count > rows || levels[at] > 1) return -1;
      seen += count;
      ones += levels[at++] * count;
    }
  }
  return at === levels.length ? ones : -1;
}
