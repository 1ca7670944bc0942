/**
 * What of Parquet a capture uses, and the check that a file uses no more.
 *
 * Every column chunk is one page, plain and uncompressed, without dictionary or index; columns are flat. A file of any
 * other shape was rewritten by another tool. The narrow shape is also what makes reading safe: before the library
 * decodes anything, footer, page headers and definition levels have been walked here, so that no length in the file can
 * ask for more memory than a small multiple of the file itself, nor for unbounded time.
 */
import { fstatSync, readSync } from "node:fs";
import { type FileMetaData, type SchemaElement, parquetMetadata } from "hyparquet";
import { BadCapture } from "./bad-capture.ts";
import type { ColumnSpec, ColumnType, TableSchema } from "./table-schema.ts";

/** `created_by` of every file we write. */
export const CREATED_BY = "foliometer";

const MAGIC = 0x31524150;
/** Magic, length of the footer, magic. */
const FILE_BYTES_MIN = 12;
/** A footer describes chunks: a file that is mostly footer is none of ours. */
const FOOTER_BYTES_FREE = 65_536;
const FOOTER_SHARE = 8;
const THRIFT_DEPTH_MAX = 12;

const PARQUET_TYPES: Readonly<Record<ColumnType, Pick<SchemaElement, "type" | "converted_type">>> = {
  boolean: { type: "BOOLEAN" },
  int32: { type: "INT32" },
  int64: { type: "INT64" },
  uint64: { type: "INT64", converted_type: "UINT_64" },
  double: { type: "DOUBLE" },
  text: { type: "BYTE_ARRAY", converted_type: "UTF8" },
};

/** The Parquet schema of a table. */
export function parquetSchemaOf({ columns }: TableSchema): SchemaElement[] {
  return [{ name: "root", num_children: columns.length }, ...columns.map(schemaElement)];
}

function schemaElement({ name, type, nullable }: ColumnSpec): SchemaElement {
  return { name, ...PARQUET_TYPES[type], repetition_type: nullable ? "OPTIONAL" : "REQUIRED" };
}

/** A chunk of one column: where it lies in the file and how many rows it has. */
export interface PlainChunk {
  readonly start: number;
  readonly bytes: number;
  readonly rows: number;
}

/** A footer that was found to be of our shape. */
export interface PlainFooter {
  readonly metadata: FileMetaData;
  readonly rows: number;
  readonly groups: readonly { readonly rows: number; readonly chunks: readonly PlainChunk[] }[];
}

/** Bytes [start, start + length) of an open file; BadCapture "truncated" where it ends before. */
export function readExactly(fd: number, path: string, start: number, length: number): Buffer<ArrayBuffer> {
  const bytes = Buffer.alloc(length);
  for (let done = 0; done < length;) {
    const got = readSync(fd, bytes, done, length - done, start + done);
    if (got === 0) throw new BadCapture("truncated", path, `ends at byte ${start + done}`);
    done += got;
  }
  return bytes;
}

/** Reads a file's footer and checks that the file is the table, in our shape. Throws BadCapture. */
export function readPlainFooter(fd: number, path: string, schema: TableSchema): PlainFooter {
  const { metadata, footerStart } = readFooter(fd, path);
  const foreign = (problem: string): BadCapture => new BadCapture("foreign", path, problem);
  if (metadata.created_by !== CREATED_BY) throw foreign("was written by another program");
  checkSchema(metadata, schema, foreign);
  let rows = 0;
  const groups = metadata.row_groups.map((group) => {
    const groupRows = countOf(group.num_rows);
    if (groupRows < 1 || group.columns.length !== schema.columns.length)
      throw foreign("has a row group that is not ours");
    rows += groupRows;
    const chunks = group.columns.map(({ meta_data: meta }, index) => {
      const plain =
        meta !== undefined &&
        meta.codec === "UNCOMPRESSED" &&
        meta.encodings.every((encoding) => encoding === "PLAIN") &&
        meta.dictionary_page_offset === undefined &&
        meta.index_page_offset === undefined &&
        meta.path_in_schema.length === 1 &&
        meta.path_in_schema[0] === schema.columns[index].name;
      if (!plain) throw foreign(`holds the column "${schema.columns[index].name}" in another encoding or compressed`);
      if (countOf(meta.num_values) !== groupRows) throw foreign("has columns of different lengths");
      const start = countOf(meta.data_page_offset);
      const bytes = countOf(meta.total_compressed_size);
      if (start < 4 || bytes < 1 || start + bytes > footerStart) {
        throw new BadCapture("damaged", path, "points to a place outside of itself");
      }
      return { start, bytes, rows: groupRows };
    });
    return { rows: groupRows, chunks };
  });
  if (rows !== countOf(metadata.num_rows)) throw new BadCapture("damaged", path, "contradicts itself about its rows");
  return { metadata, rows, groups };
}

/** Whether a Parquet file names us as its writer; undefined if it is not a readable Parquet file. */
export function isWrittenByUs(fd: number, path: string): boolean | undefined {
  try {
    return readFooter(fd, path).metadata.created_by === CREATED_BY;
  } catch (error) {
    if (error instanceof BadCapture) return undefined;
    throw error;
  }
}

function readFooter(fd: number, path: string): { metadata: FileMetaData; footerStart: number } {
  const fileBytes = fstatSync(fd).size;
  if (fileBytes < FILE_BYTES_MIN) throw new BadCapture("truncated", path, `has only ${fileBytes} bytes`);
  const tail = readExactly(fd, path, fileBytes - 8, 8);
  if (tail.readUInt32LE(4) !== MAGIC) throw new BadCapture("truncated", path, "does not end as a Parquet file does");
  const footerBytes = tail.readUInt32LE(0);
  const footerStart = fileBytes - 8 - footerBytes;
  if (footerStart < 4) throw new BadCapture("damaged", path, "has a footer longer than itself");
  if (footerBytes > FOOTER_BYTES_FREE + fileBytes / FOOTER_SHARE) {
    throw new BadCapture("foreign", path, "consists mostly of its footer");
  }
  const footer = readExactly(fd, path, footerStart, footerBytes + 8);
  if (walkStruct(footer, 0, footerBytes, 0) !== footerBytes) {
    throw new BadCapture("damaged", path, "has a footer that cannot be read");
  }
  try {
    return { metadata: parquetMetadata(footer, { geoparquet: false }), footerStart };
  } catch (error) {
    // Well-formed and still no footer of a Parquet file: the library says so in its own, varied ways.
    throw new BadCapture("damaged", path, `has a footer that makes no sense (${(error as Error).message})`);
  }
}

function checkSchema(metadata: FileMetaData, schema: TableSchema, foreign: (problem: string) => BadCapture): void {
  const wanted = parquetSchemaOf(schema);
  const same =
    metadata.schema.length === wanted.length &&
    wanted.every((element, index) => {
      const found = metadata.schema[index];
      return (
        found.name === element.name &&
        found.type === element.type &&
        found.converted_type === element.converted_type &&
        (index === 0 ? found.num_children === element.num_children : found.num_children === undefined) &&
        (index === 0 || found.repetition_type === element.repetition_type)
      );
    });
  if (!same) throw foreign(`has other columns than the table "${schema.name}"`);
}

/** A 64-bit number of the footer as a count, -1 if it is none. */
function countOf(value: unknown): number {
  const count = typeof value === "bigint" || typeof value === "number" ? Number(value) : -1;
  return Number.isSafeInteger(count) && count >= 0 ? count : -1;
}

/** Thrift's compact types. */
const THRIFT_SIZES = new Map([
  [3, 1],
  [7, 8],
]);
const THRIFT_VARINTS = new Map([
  [4, 5],
  [5, 5],
  [6, 10],
]);
const THRIFT_TRUE = 1;
const THRIFT_FALSE = 2;
const THRIFT_BINARY = 8;
const THRIFT_LIST = 9;
const THRIFT_STRUCT = 12;

/**
 * Walks a struct of Thrift's compact protocol at `at`; returns the offset behind it, or -1 if it is malformed or does not
 * end before `end`. Linear, whatever the bytes: after this, lists have no more elements than the footer has bytes.
 */
export function walkStruct(bytes: Uint8Array, at: number, end: number, depth: number): number {
  if (depth > THRIFT_DEPTH_MAX) return -1;
  let position = at;
  while (position < end) {
    const byte = bytes[position++];
    if (byte === 0) return position;
    if (byte >> 4 === 0) position = varintEnd(bytes, position, end, 5);
    if (position < 0) return -1;
    const type = byte & 0x0f;
    if (type === THRIFT_TRUE || type === THRIFT_FALSE) continue;
    position = walkValue(bytes, position, end, type, depth);
    if (position < 0) return -1;
  }
  return -1;
}

function walkValue(bytes: Uint8Array, at: number, end: number, type: number, depth: number): number {
  const size = THRIFT_SIZES.get(type);
  if (size !== undefined) return at + size <= end ? at + size : -1;
  const digits = THRIFT_VARINTS.get(type);
  if (digits !== undefined) return varintEnd(bytes, at, end, digits);
  if (type === THRIFT_STRUCT) return walkStruct(bytes, at, end, depth + 1);
  if (type === THRIFT_BINARY) {
    const behind = varintEnd(bytes, at, end, 5);
    const length = behind < 0 ? -1 : varintAt(bytes, at);
    return length >= 0 && behind + length <= end ? behind + length : -1;
  }
  return type === THRIFT_LIST ? walkList(bytes, at, end, depth) : -1;
}

function walkList(bytes: Uint8Array, at: number, end: number, depth: number): number {
  if (at >= end || depth > THRIFT_DEPTH_MAX) return -1;
  const type = bytes[at] & 0x0f;
  let size = bytes[at] >> 4;
  let position = at + 1;
  if (size === 15) {
    position = varintEnd(bytes, position, end, 5);
    if (position < 0) return -1;
    size = varintAt(bytes, at + 1);
  }
  // Every element takes a byte at least.
  if (size < 0 || position + size > end) return -1;
  for (let index = 0; index < size && position >= 0; index++) {
    const isBoolean = type === THRIFT_TRUE || type === THRIFT_FALSE;
    position = isBoolean ? position + 1 : walkValue(bytes, position, end, type, depth + 1);
  }
  return position;
}

/** The offset behind a varint of at most `digits` bytes, -1 if there is none. */
function varintEnd(bytes: Uint8Array, at: number, end: number, digits: number): number {
  for (let position = at; position < end && position < at + digits; position++) {
    if (bytes[position] < 0x80) return position + 1;
  }
  return -1;
}

/** The value of a varint that varintEnd has found well-formed. */
export function varintAt(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let position = at, scale = 1; ; position++, scale *= 128) {
    value += (bytes[position] & 0x7f) * scale;
    if (bytes[position] < 0x80) return value;
  }
}
