/**
 * Blocks of runs as row groups of a Parquet file: `mappings-N.parquet`, one a thread.
 *
 * Every column is required, plain and uncompressed, one page a row group: its bytes are the block's words, so writing is
 * a copy (libraries reach 2 to 5 million rows a second here, which is the time of the whole capture). File header and
 * footer are hyparquet-writer's. Reading back seeks to the last `rows * width` bytes of each column chunk.
 */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import type { FileMetaData, SchemaElement } from "hyparquet";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import { ADDRESS_AT, BITS_AT, BLOCK_RUNS, type BlockStore, FRAME_AT, PAGES_AT, STEP_AT, VMA_AT } from "./run-blocks.ts";

/** A column of the mappings table: where it lies in a block, and how wide it is. */
interface MappingColumn {
  readonly name: string;
  readonly at: number;
  readonly bytes: 4 | 8;
}

const COLUMNS: readonly MappingColumn[] = [
  { name: "vma", at: VMA_AT, bytes: 4 },
  { name: "address", at: ADDRESS_AT, bytes: 8 },
  { name: "frame", at: FRAME_AT, bytes: 8 },
  { name: "pages", at: PAGES_AT, bytes: 4 },
  { name: "step", at: STEP_AT, bytes: 4 },
  { name: "bits", at: BITS_AT, bytes: 4 },
];

/** Parquet's schema of the mappings table. */
export const MAPPINGS_SCHEMA: readonly SchemaElement[] = [
  { name: "mappings", num_children: COLUMNS.length },
  ...COLUMNS.map(
    (column): SchemaElement =>
      column.bytes === 8
        ? { name: column.name, type: "INT64", repetition_type: "REQUIRED", converted_type: "UINT_64" }
        : { name: column.name, type: "INT32", repetition_type: "REQUIRED" },
  ),
];

/** A row group in a file: its rows and where each column's values begin. */
export interface StoredGroup {
  readonly path: string;
  readonly rows: number;
  readonly offsets: readonly number[];
}

/** The row groups of a mappings file, or a sentence that says why it is not one of ours. */
export function mappingGroups(path: string, metadata: FileMetaData, fileBytes: number): StoredGroup[] | { wrong: string } {
  const groups: StoredGroup[] = [];
  for (const [index, group] of metadata.row_groups.entries()) {
    const rows = Number(group.num_rows);
    if (rows > BLOCK_RUNS) return { wrong: `row group ${index} has ${rows} rows; at most ${BLOCK_RUNS} are written` };
    const offsets: number[] = [];
    for (const [at, column] of COLUMNS.entries()) {
      const chunk = group.columns[at]?.meta_data;
      if (chunk === undefined || chunk.path_in_schema.join(".") !== column.name) {
        return { wrong: `column ${at} of row group ${index} is not "${column.name}"` };
      }
      const plain = chunk.codec === "UNCOMPRESSED" && chunk.encodings.length === 1 && chunk.encodings[0] === "PLAIN";
      if (!plain) return { wrong: `column "${column.name}" is not plain and uncompressed, as Foliometer writes it` };
      const end = Number(chunk.data_page_offset) + Number(chunk.total_compressed_size);
      const start = end - rows * column.bytes;
      if (start < 4 || end > fileBytes) return { wrong: `column "${column.name}" of row group ${index} leaves the file` };
      offsets.push(start);
    }
    groups.push({ path, rows, offsets });
  }
  return groups;
}

/** Reads row groups, possibly of several files, into blocks. */
export class StoredGroups implements BlockStore {
  private readonly groups: StoredGroup[] = [];
  private readonly files = new Map<string, number>();

  /** Adds a group and returns its handle. */
  addGroup(group: StoredGroup): number {
    if (!this.files.has(group.path)) this.files.set(group.path, openSync(group.path, "r"));
    this.groups.push(group);
    return this.groups.length - 1;
  }

  save(): number {
    throw new Error("a stored capture is not written to");
  }

  load(handle: number, block: Int32Array): void {
    const group = this.groups[handle]!;
    loadGroup(this.files.get(group.path)!, group.offsets, group.rows, block);
  }

  close(): void {
    for (const fd of this.files.values()) closeSync(fd);
    this.files.clear();
  }
}

function loadGroup(fd: number, offsets: readonly number[], rows: number, block: Int32Array): void {
  const bytes = new Uint8Array(block.buffer, block.byteOffset, block.byteLength);
  for (const [index, column] of COLUMNS.entries()) {
    const length = rows * column.bytes;
    const got = readSync(fd, bytes, column.at * 4, length, offsets[index]!);
    if (got !== length) throw new Error(`the mappings file ended within column "${column.name}"`);
  }
}

/** Where a thread's part goes. */
export interface MappingPartOptions {
  readonly path: string;
  readonly createdBy: string;
}

/** Writes a mappings file block by block, and reads blocks back while it is open. The file appears with the first block. */
export class MappingPart implements BlockStore {
  private fd = -1;
  private offset = 0;
  private readonly written: { rows: number; offsets: number[] }[] = [];
  private readonly footer = new ByteWriter();
  private readonly parquet: ParquetWriter;
  private readonly path: string;

  constructor(options: MappingPartOptions) {
    this.path = options.path;
    this.parquet = new ParquetWriter({
      writer: this.footer,
      schema: [...MAPPINGS_SCHEMA],
      codec: "UNCOMPRESSED",
      createdBy: options.createdBy,
    });
  }

  save(block: Int32Array, rows: number): number {
    this.ensureOpen();
    const groupStart = this.offset;
    const offsets: number[] = [];
    const columns = COLUMNS.map((column) => {
      const chunkStart = this.offset;
      const length = rows * column.bytes;
      this.write(dataPageHeader(length, rows));
      offsets.push(this.offset);
      this.write(new Uint8Array(block.buffer, block.byteOffset + column.at * 4, length));
      const size = BigInt(this.offset - chunkStart);
      return {
        file_offset: BigInt(chunkStart),
        meta_data: {
          type: column.bytes === 8 ? ("INT64" as const) : ("INT32" as const),
          encodings: ["PLAIN" as const],
          path_in_schema: [column.name],
          codec: "UNCOMPRESSED" as const,
          num_values: BigInt(rows),
          total_uncompressed_size: size,
          total_compressed_size: size,
          data_page_offset: BigInt(chunkStart),
        },
      };
    });
    const size = BigInt(this.offset - groupStart);
    this.parquet.row_groups.push({ columns, total_byte_size: size, num_rows: BigInt(rows), total_compressed_size: size });
    this.parquet.num_rows += BigInt(rows);
    return this.written.push({ rows, offsets }) - 1;
  }

  load(handle: number, block: Int32Array): void {
    const group = this.written[handle]!;
    loadGroup(this.fd, group.offsets, group.rows, block);
  }

  /** Writes the footer and closes; returns the rows written. A part without a block is an empty table. */
  finish(): number {
    this.ensureOpen();
    this.footer.index = 0;
    this.footer.offset = this.offset;
    void this.parquet.finish();
    this.write(this.footer.getBytes());
    closeSync(this.fd);
    return Number(this.parquet.num_rows);
  }

  /** Closes without a footer: the file was a spill and is going to be removed. */
  abandon(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }

  private ensureOpen(): void {
    if (this.fd >= 0) return;
    this.fd = openSync(this.path, "wx+", 0o600);
    this.write(this.footer.getBytes());
  }

  private write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.fd, bytes, done, bytes.length - done, this.offset + done);
    this.offset += bytes.length;
  }
}

/**
 * Parquet's PageHeader of a plain data page without levels, in Thrift's compact protocol: type 0, both sizes, then the
 * DataPageHeader (field 5): number of values, encoding PLAIN (0), level encodings RLE (3).
 */
function dataPageHeader(bytes: number, values: number): Uint8Array {
  const out: number[] = [0x15, 0x00, 0x15];
  pushVarint(out, bytes * 2);
  out.push(0x15);
  pushVarint(out, bytes * 2);
  out.push(0x2c, 0x15);
  pushVarint(out, values * 2);
  out.push(0x15, 0x00, 0x15, 0x06, 0x15, 0x06, 0x00, 0x00);
  return Uint8Array.from(out);
}

function pushVarint(out: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    out.push((rest & 0x7f) | 0x80);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
}
