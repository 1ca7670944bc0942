/**
 * Writes and reads one table of a capture as a Parquet file of the shape that plain-parquet.ts describes.
 *
 * The library encodes and decodes; before it decodes, each page is measured here: its header, the exact length that its
 * values must have, and its definition levels, whose run lengths the library would otherwise believe.
 */
import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, writeSync } from "node:fs";
import { type DecodedArray, type FileMetaData, parquetRead } from "hyparquet";
import { deserializeTCompactProtocol } from "hyparquet/src/thrift.js";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import { BadCapture } from "./bad-capture.ts";
import {
  CREATED_BY,
  type PlainChunk,
  parquetSchemaOf,
  readExactly,
  readPlainFooter,
  varintAt,
  walkStruct,
} from "./plain-parquet.ts";
import type { ColumnSpec, ColumnType, TableSchema } from "./table-schema.ts";

/** Rows of a row group: a few MiB of values while it is written. */
const GROUP_ROWS = 8192;
/** Longest header of one of our pages. */
const PAGE_HEADER_BYTES_MAX = 64;
const DATA_PAGE_V2 = 3;

/** The size and content of a file, as the manifest notes them. */
export interface WrittenFile {
  readonly bytes: number;
  readonly rows: number;
  readonly sha256: string;
}

/** A value of a column, by row. */
export type ColumnSource = (row: number) => string | number | bigint | boolean | null;

/**
 * Writes a table row group by row group, so that only a group's values are in memory at once. The columns are given by
 * name; numbers of 64-bit columns may be plain numbers.
 */
export function writeTable(
  path: string,
  schema: TableSchema,
  rows: number,
  columns: Readonly<Record<string, ColumnSource>>,
): WrittenFile {
  const fd = openSync(path, "wx", 0o600);
  try {
    const writer = new ByteWriter();
    const parquet = new ParquetWriter({
      writer,
      schema: parquetSchemaOf(schema),
      codec: "UNCOMPRESSED",
      statistics: false,
      createdBy: CREATED_BY,
    });
    const hash = createHash("sha256");
    const flush = (): void => {
      hash.update(writer.getBytes());
      writeAll(fd, writer.getBytes());
      writer.index = 0;
    };
    for (let first = 0; first < rows; first += GROUP_ROWS) {
      const length = Math.min(GROUP_ROWS, rows - first);
      const columnData = schema.columns.map(({ name, type }) => ({
        name,
        data: valuesOf(columns[name], type, first, length),
        encoding: "PLAIN" as const,
        offsetIndex: false,
      }));
      // Without a promise in the writer, neither of these returns one.
      void parquet.write({ columnData, rowGroupSize: length, pageSize: 0 });
      flush();
    }
    void parquet.finish();
    flush();
    return { bytes: writer.offset, rows, sha256: hash.digest("hex") };
  } finally {
    closeSync(fd);
  }
}

function valuesOf(source: ColumnSource, type: ColumnType, first: number, length: number): DecodedArray {
  const wide = type === "int64" || type === "uint64";
  return Array.from({ length }, (_, index) => {
    const value = source(first + index);
    return wide && typeof value === "number" ? BigInt(value) : value;
  });
}

/** Writes all bytes at the file's position. */
function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
}

/** Values of a column that was read: texts, low and high words (uint64), or numbers with NaN for null. */
export type ReadColumn =
  | { readonly spec: ColumnSpec; readonly texts: (string | null)[] }
  | { readonly spec: ColumnSpec; readonly words: Int32Array }
  | { readonly spec: ColumnSpec; readonly numbers: Float64Array };

/** The columns of a table that was read. Asking for a column that the schema does not have so is a bug. */
export class TableColumns {
  readonly rows: number;
  private readonly path: string;
  private readonly columns: ReadonlyMap<string, ReadColumn>;

  constructor(path: string, rows: number, columns: ReadonlyMap<string, ReadColumn>) {
    this.path = path;
    this.rows = rows;
    this.columns = columns;
  }

  /** An int32, int64, double or boolean (0 or 1) column; NaN stands for null. */
  numbers(name: string): Float64Array {
    const column = this.columns.get(name);
    if (column === undefined || !("numbers" in column)) throw new Error(`the table has no column of numbers "${name}"`);
    return column.numbers;
  }

  /** A uint64 column as low and high words. */
  words(name: string): Int32Array {
    const column = this.columns.get(name);
    if (column === undefined || !("words" in column)) throw new Error(`the table has no column of words "${name}"`);
    return column.words;
  }

  /** A text column without nulls. */
  texts(name: string): string[] {
    const texts = this.nullableTexts(name);
    if (this.columns.get(name)?.spec.nullable !== false) throw new Error(`the column "${name}" is nullable`);
    return texts as string[];
  }

  nullableTexts(name: string): (string | null)[] {
    const column = this.columns.get(name);
    if (column === undefined || !("texts" in column)) throw new Error(`the table has no column of texts "${name}"`);
    return column.texts;
  }

  /** The error for a value that a check found wrong. */
  damaged(name: string, problem: string): BadCapture {
    return new BadCapture("damaged", this.path, `has ${problem} in the column "${name}"`);
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
    const columns = new Map(schema.columns.map((spec) => [spec.name, emptyColumn(spec, footer.rows)]));
    let before = 0;
    for (const [index, { rows }] of footer.groups.entries()) {
      const values = await decodeGroup(fd, path, footer.metadata, index);
      for (const { name } of schema.columns) {
        const column = columns.get(name);
        const decoded = values.get(name);
        if (column === undefined || decoded?.length !== rows) {
          throw new BadCapture("damaged", path, `lacks values of the column "${name}"`);
        }
        fillColumn(path, column, before, decoded);
      }
      before += rows;
    }
    return new TableColumns(path, footer.rows, columns);
  } finally {
    closeSync(fd);
  }
}

function emptyColumn(spec: ColumnSpec, rows: number): ReadColumn {
  if (spec.type === "text") return { spec, texts: [] };
  if (spec.type === "uint64") return { spec, words: new Int32Array(2 * rows) };
  return { spec, numbers: new Float64Array(rows) };
}

/** Takes over the values of a row group: a compact form, so that the library's arrays can go. */
function fillColumn(path: string, column: ReadColumn, before: number, values: DecodedArray): void {
  if ("texts" in column) {
    for (const value of values as Iterable<string | null | undefined>) column.texts.push(value ?? null);
    return;
  }
  if ("words" in column) {
    const wide = BigUint64Array.from(values as Iterable<bigint>);
    column.words.set(new Int32Array(wide.buffer), 2 * before);
    return;
  }
  const { numbers, spec } = column;
  let row = before;
  for (const value of values as Iterable<number | bigint | boolean | null | undefined>) {
    const number = value === null || value === undefined ? Number.NaN : Number(value);
    if (typeof value === "bigint" && !Number.isSafeInteger(number)) {
      throw new BadCapture("damaged", path, `has a number beyond 2^53 in the column "${spec.name}"`);
    }
    numbers[row++] = number;
  }
}

/** Without a byte order mark's magic: a text that begins with U+FEFF keeps it. */
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

async function decodeGroup(
  fd: number,
  path: string,
  metadata: FileMetaData,
  index: number,
): Promise<Map<string, DecodedArray>> {
  const columns = new Map<string, DecodedArray>();
  const group = metadata.row_groups[index];
  try {
    await parquetRead({
      file: {
        byteLength: fstatSync(fd).size,
        slice: (start, end = start) => readExactly(fd, path, start, end - start).buffer,
      },
      metadata: { ...metadata, row_groups: [group], num_rows: group.num_rows },
      parsers: { stringFromBytes: (bytes: Uint8Array) => utf8.decode(bytes) },
      // One page a chunk, so one call a column.
      onChunk: ({ columnName, columnData }) => columns.set(columnName, columnData),
    });
  } catch (error) {
    // Texts whose lengths do not fit their page end here, in the library's words.
    if (error instanceof BadCapture) throw error;
    throw new BadCapture("damaged", path, `cannot be decoded (${(error as Error).message})`);
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
  if (spec.nullable && countLevels(levels, chunk.rows) !== chunk.rows - nulls)
    throw bad("contradicts itself about nulls");
  const values = chunk.rows - nulls;
  const width = VALUE_BYTES[spec.type];
  const wanted = spec.type === "boolean" ? Math.ceil(values / 8) : width === undefined ? undefined : values * width;
  const left = pageBytes - levelBytes;
  if (wanted === undefined ? left < values * 4 : left !== wanted)
    throw bad("has values of another length than its rows");
}

/** Ones among `rows` definition levels of one bit (Parquet's runs and bit-packed groups), or -1 if they are malformed. */
function countLevels(levels: Uint8Array, rows: number): number {
  let at = 0;
  let seen = 0;
  let ones = 0;
  while (seen < rows) {
    const header =
      at < levels.length && levels.subarray(at, at + 5).some((byte) => byte < 0x80) ? varintAt(levels, at) : -1;
    if (header < 2) return -1;
    while (levels[at] >= 0x80) at++;
    at++;
    const count = Math.floor(header / 2);
    if (header % 2 === 1) {
      if (at + count > levels.length || seen + count * 8 > rows + 7) return -1;
      for (let row = 0; row < count * 8 && seen < rows; row++, seen++)
        ones += (levels[at + (row >> 3)] >> (row & 7)) & 1;
      at += count;
    } else {
      if (at >= levels.length || seen + count > rows || levels[at] > 1) return -1;
      seen += count;
      ones += levels[at++] * count;
    }
  }
  return at === levels.length ? ones : -1;
}
