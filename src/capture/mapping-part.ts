/**
 * Blocks of runs as row groups of a Parquet file, one file a thread.
 *
 * Every column is required, plain and uncompressed, one page a row group: its bytes are the block's words, so writing is
 * a copy (libraries reach 2 to 5 million rows a second here, which is the time of the whole capture). This file writes
 * and reads the row groups; header and footer are mapping-file.ts's, so reader threads load no library. A part that was
 * only a spill stays without a footer and is removed.
 */
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { ADDRESS_AT, BITS_AT, type BlockStore, FRAME_AT, PAGES_AT, STEP_AT, VMA_AT } from "./run-blocks.ts";

/** A column of the mappings table: where it lies in a block, and how wide a value is. */
export interface MappingColumn {
  readonly name: string;
  readonly at: number;
  readonly bytes: 4 | 8;
}

/** The columns in their order in the file. */
export const MAPPING_COLUMNS: readonly MappingColumn[] = [
  { name: "vma", at: VMA_AT, bytes: 4 },
  { name: "address", at: ADDRESS_AT, bytes: 8 },
  { name: "frame", at: FRAME_AT, bytes: 8 },
  { name: "pages", at: PAGES_AT, bytes: 4 },
  { name: "step", at: STEP_AT, bytes: 4 },
  { name: "bits", at: BITS_AT, bytes: 4 },
];

/** The table's name, in its schema and at the head of its files' names. */
export const MAPPINGS_TABLE_NAME = "mappings";

/** A row group: its rows and, for each column, where the chunk (with its page header) and its values begin. */
export interface StoredGroup {
  readonly path: string;
  readonly rows: number;
  readonly chunks: readonly number[];
  readonly offsets: readonly number[];
}

/** Parquet's magic, at the start and the end of a file. */
export const PARQUET_MAGIC = Buffer.from("PAR1", "latin1");

/** Reads row groups, possibly of several files, into blocks. */
export class StoredGroups implements BlockStore {
  private readonly groups: StoredGroup[] = [];
  private readonly files = new Map<string, number>();

  /** Adds a group and returns its handle. */
  addGroup(group: StoredGroup): number {
    if (!this.files.has(group.path)) this.files.set(group.path, openSync(group.path, "r"));
    return this.groups.push(group) - 1;
  }

  /** Closes the files. */
  close(): void {
    for (const fd of this.files.values()) closeSync(fd);
    this.files.clear();
  }

  save(): number {
    throw new Error("a stored capture is not written to");
  }

  load(handle: number, block: Int32Array): void {
    const group = this.groups[handle];
    const fd = this.files.get(group.path);
    if (fd === undefined) throw new Error(`${group.path} was closed while it was read`);
    loadGroup(fd, group, block);
  }
}

function loadGroup(fd: number, group: StoredGroup, block: Int32Array): void {
  const bytes = new Uint8Array(block.buffer, block.byteOffset, block.byteLength);
  for (const [index, column] of MAPPING_COLUMNS.entries()) {
    const length = group.rows * column.bytes;
    const got = readSync(fd, bytes, column.at * 4, length, group.offsets[index]);
    if (got !== length) throw new Error(`${group.path} ends within column "${column.name}"`);
  }
}

/** Writes blocks as row groups, and reads them back. The file appears with the first block. */
export class MappingPart implements BlockStore {
  private fd = -1;
  private offset = 0;
  private readonly written: StoredGroup[] = [];
  private readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  save(block: Int32Array, rows: number): number {
    this.ensureOpen();
    const chunks: number[] = [];
    const offsets: number[] = [];
    for (const column of MAPPING_COLUMNS) {
      const length = rows * column.bytes;
      chunks.push(this.offset);
      this.write(dataPageHeader(length, rows));
      offsets.push(this.offset);
      this.write(new Uint8Array(block.buffer, block.byteOffset + column.at * 4, length));
    }
    return this.written.push({ path: this.path, rows, chunks, offsets }) - 1;
  }

  load(handle: number, block: Int32Array): void {
    loadGroup(this.fd, this.written[handle], block);
  }

  /** The row groups written. The file, which exists now even if it is empty, still lacks its footer. */
  finish(): readonly StoredGroup[] {
    this.ensureOpen();
    return this.written;
  }

  private ensureOpen(): void {
    if (this.fd >= 0) return;
    this.fd = openSync(this.path, "wx+", 0o600);
    this.write(PARQUET_MAGIC);
  }

  private write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) {
      done += writeSync(this.fd, bytes, done, bytes.length - done, this.offset + done);
    }
    this.offset += bytes.length;
  }

  /** Closes the file; rows can no longer be read back. */
  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }
}

/**
 * Parquet's PageHeader of a plain data page without levels, in Thrift's compact protocol: type 0, both sizes, then the
 * DataPageHeader (field 5): number of values, encoding PLAIN (0), level encodings RLE (3).
 */
export function dataPageHeader(bytes: number, values: number): Uint8Array {
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

/** The file name of a thread's runs. */
export function partName(thread: number): string {
  return `${MAPPINGS_TABLE_NAME}-${thread}.parquet`;
}
