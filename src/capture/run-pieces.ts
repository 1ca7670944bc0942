/**
 * The runs of a recorded capture as pieces of its key's file and of rows that came later.
 *
 *     key's runs    a b c d e f          a later capture     a b | X | d e f | g
 *     came later    X g                  as pieces           key 0-1, later 0, key 3-5, later 1
 *
 * A key has a million runs and each capture behind it a few thousand others. So a difference is applied to the list of
 * pieces, and runs are copied once, from file to file, when a capture is opened: one block is in memory however many
 * captures lie between. VMAs are relative to the row above (recording-table.ts), so that a piece means the same rows
 * wherever it stands; of the key's file, whose rows are absolute, a piece is moved by one number.
 */
import { BadCapture } from "./bad-capture.ts";
import type { ManifestFile } from "./manifest.ts";
import { readMappingGroups } from "./mapping-file.ts";
import { MAPPING_COLUMNS, type StoredGroup, StoredGroups } from "./mapping-part.ts";
import type { TableDifference } from "./recording-difference.ts";
import { RunsWriter } from "./recording-runs.ts";
import { type RecordedTable, TableBuilder } from "./recording-table.ts";
import { BLOCK_RUNS, VMA_AT, WORDS_PER_RUN } from "./run-layout.ts";
import { MAPPINGS_TABLE } from "./table-schema.ts";

/** Rows [from, from + rows) of the key's file, or of the rows that came later. */
interface Piece {
  readonly isOfKey: boolean;
  readonly from: number;
  readonly rows: number;
}

/** The runs of one capture. */
export class RunPieces {
  readonly rows: number;
  private readonly key: readonly StoredGroup[];
  private readonly later: RecordedTable;
  private readonly pieces: readonly Piece[];

  private constructor(key: readonly StoredGroup[], later: RecordedTable, pieces: readonly Piece[]) {
    this.key = key;
    this.later = later;
    this.pieces = pieces;
    this.rows = rowsOf(pieces);
  }

  /** Those of a key, whose files hold them in their order. Throws BadCapture. */
  static ofKey(paths: readonly string[]): RunPieces {
    const key = paths.flatMap((path) => readMappingGroups(path));
    const rows = key.reduce((sum, group) => sum + group.rows, 0);
    const later = new TableBuilder(MAPPINGS_TABLE, 0).finish();
    return new RunPieces(key, later, rows === 0 ? [] : [{ isOfKey: true, from: 0, rows }]);
  }

  /**
   * The runs that a difference makes out of these; its steps have been checked (checkSteps). Rows that came later and
   * are not there any more are forgotten. O(pieces + steps + rows that came later).
   */
  after({ steps, inserted }: TableDifference): RunPieces {
    const { copyFrom, copyRows, insertRows } = steps;
    const made = new PieceList();
    const starts = startsOf(this.pieces);
    const later = new LaterRows(this.later, inserted);
    let next = 0;
    for (let step = 0; step < copyFrom.length; step++) {
      const end = copyFrom[step] + copyRows[step];
      for (let row = copyFrom[step], at = pieceAt(starts, row); row < end; at++) {
        const piece = this.pieces[at];
        const skipped = row - starts[at];
        const rows = Math.min(piece.rows - skipped, end - row);
        made.add(
          piece.isOfKey,
          piece.isOfKey ? piece.from + skipped : later.keep("old", piece.from + skipped, rows),
          rows,
        );
        row += rows;
      }
      if (insertRows[step] > 0) made.add(false, later.keep("new", next, insertRows[step]), insertRows[step]);
      next += insertRows[step];
    }
    return new RunPieces(this.key, later.finish(), made.pieces);
  }

  /** Writes them as the one mappings file of a capture in a directory. O(rows), one block in memory. */
  write(directory: string): ManifestFile {
    const source = new KeyReader(this.key);
    const writer = new RunsWriter(directory);
    try {
      const later = this.later.columns.map((column) => ("words" in column ? column.words : new Int32Array(0)));
      const absolute = new Int32Array(this.later.rows);
      const columns = [absolute, ...later.slice(1)];
      let above = 0;
      for (const { isOfKey, from, rows } of this.pieces) {
        if (isOfKey) above = source.copy(writer, { from, rows, above });
        else {
          for (let row = from; row < from + rows; row++) absolute[row] = above = (above + later[0][row]) | 0;
          writer.append(columns, { from, rows, vmaChange: 0 });
        }
      }
      return writer.finish();
    } finally {
      source.close();
      writer.close();
    }
  }
}

function rowsOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { rows }) => sum + rows, 0);
}

/** The row that each piece begins with, and the end. */
function startsOf(pieces: readonly Piece[]): Float64Array {
  const starts = new Float64Array(pieces.length + 1);
  for (const [at, { rows }] of pieces.entries()) starts[at + 1] = starts[at] + rows;
  return starts;
}

/** The piece that holds a row. */
function pieceAt(starts: Float64Array, row: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (starts[middle] <= row) low = middle;
    else high = middle;
  }
  return low;
}

/** Pieces in their order; neighbours that belong together become one. */
class PieceList {
  readonly pieces: Piece[] = [];

  add(isOfKey: boolean, from: number, rows: number): void {
    if (rows === 0) return;
    const last = this.pieces.at(-1);
    if (last?.isOfKey === isOfKey && last.from + last.rows === from) {
      this.pieces[this.pieces.length - 1] = { isOfKey, from: last.from, rows: last.rows + rows };
    } else this.pieces.push({ isOfKey, from, rows });
  }
}

/** The rows that are still there of those that came with this difference and before. */
class LaterRows {
  private readonly tables: Readonly<Record<"old" | "new", RecordedTable>>;
  private readonly kept: { readonly age: "old" | "new"; readonly from: number; readonly rows: number }[] = [];
  private rows = 0;

  constructor(old: RecordedTable, inserted: RecordedTable) {
    this.tables = { old, new: inserted };
  }

  /** Keeps rows of one of both; returns where they will be. */
  keep(age: "old" | "new", from: number, rows: number): number {
    this.kept.push({ age, from, rows });
    this.rows += rows;
    return this.rows - rows;
  }

  finish(): RecordedTable {
    const builder = new TableBuilder(MAPPINGS_TABLE, this.rows);
    for (const { age, from, rows } of this.kept) builder.append(this.tables[age], from, from + rows);
    return builder.finish();
  }
}

/** Reads a key's runs, a group at a time. */
class KeyReader {
  private readonly groups: readonly StoredGroup[];
  private readonly starts: Float64Array;
  private readonly store = new StoredGroups();
  private readonly handles: number[] = [];
  private readonly block = new Int32Array(BLOCK_RUNS * WORDS_PER_RUN);
  private readonly columns: readonly Int32Array[];
  private loaded = -1;

  /** Throws BadCapture if the files are gone since they were listed. */
  constructor(groups: readonly StoredGroup[]) {
    this.groups = groups;
    this.starts = new Float64Array(groups.length + 1);
    for (const [at, { rows }] of groups.entries()) this.starts[at + 1] = this.starts[at] + rows;
    this.columns = MAPPING_COLUMNS.map(({ at }) => this.block.subarray(at));
    for (const group of groups) this.handles.push(this.add(group));
  }

  private add(group: StoredGroup): number {
    try {
      return this.store.addGroup(group);
    } catch (error) {
      this.store.close();
      const { code } = error as NodeJS.ErrnoException;
      throw new BadCapture("damaged", group.path, `can be read no more (${code})`);
    }
  }

  /** Copies a piece behind a row whose VMA is `above`; returns the VMA of its last row. */
  copy(writer: RunsWriter, { from, rows, above }: { from: number; rows: number; above: number }): number {
    const vmaChange = above - (from === 0 ? 0 : this.vmaOf(from - 1));
    let last = above;
    for (let row = from, at = pieceAt(this.starts, row); row < from + rows; at++) {
      this.load(at);
      const skipped = row - this.starts[at];
      const taken = Math.min(this.groups[at].rows - skipped, from + rows - row);
      writer.append(this.columns, { from: skipped, rows: taken, vmaChange });
      last = this.block[VMA_AT + skipped + taken - 1] + vmaChange;
      row += taken;
    }
    return last;
  }

  private vmaOf(row: number): number {
    const at = pieceAt(this.starts, row);
    this.load(at);
    return this.block[VMA_AT + row - this.starts[at]];
  }

  private load(at: number): void {
    if (this.loaded !== at) this.store.load(this.handles[at], this.block);
    this.loaded = at;
  }

  close(): void {
    this.store.close();
  }
}
