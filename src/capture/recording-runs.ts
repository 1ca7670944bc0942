/**
 * The runs of a stored capture in one order, whoever read them: by VMA, then by address.
 *
 * Reader threads take work as it comes, so two captures of a machine at rest have the same runs in other orders and other
 * files. Each file is made of ascending stretches (a reader's items ascend by address space, and an item is read from
 * below). The stretches are put in order as wholes, which costs a copy, not a sort of a million runs.
 */
import { join } from "node:path";
import { type ManifestFile, measureFile } from "./manifest.ts";
import { readMappingGroups, writeMappingFooter } from "./mapping-file.ts";
import { MAPPING_COLUMNS, MappingPart, type StoredGroup, StoredGroups, partName } from "./mapping-part.ts";
import type { RecordedTable, WordColumn } from "./recording-table.ts";
import { BLOCK_RUNS, VMA_AT, WORDS_PER_RUN } from "./run-layout.ts";
import { MAPPINGS_TABLE } from "./table-schema.ts";

/** Columns as indexes of the table's columns. */
const VMA = 0;
const ADDRESS = 1;

/** Reads the runs of mappings files and puts them in order. Throws BadCapture. */
export function readRuns(paths: readonly string[]): RecordedTable {
  const groups = paths.flatMap((path) => readMappingGroups(path));
  const rows = groups.reduce((sum, group) => sum + group.rows, 0);
  return inOrder(loadColumns(groups, rows));
}

function loadColumns(groups: readonly StoredGroup[], rows: number): RecordedTable {
  const columns = MAPPING_COLUMNS.map(({ bytes }, index): WordColumn => {
    const width = bytes === 4 ? 1 : 2;
    return { spec: MAPPINGS_TABLE.columns[index], words: new Int32Array(rows * width), width };
  });
  const store = new StoredGroups();
  try {
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
  } finally {
    store.close();
  }
  return { schema: MAPPINGS_TABLE, rows, columns };
}

/** A stretch of ascending rows. */
interface Stretch {
  readonly from: number;
  readonly end: number;
}

function inOrder(table: RecordedTable): RecordedTable {
  const [vma, address] = [wordsOf(table, VMA), wordsOf(table, ADDRESS)];
  const compare = (a: number, b: number): number =>
    vma[a] - vma[b] ||
    (address[2 * a + 1] >>> 0) - (address[2 * b + 1] >>> 0) ||
    (address[2 * a] >>> 0) - (address[2 * b] >>> 0);
  const stretches: Stretch[] = [];
  let from = 0;
  for (let row = 1; row <= table.rows; row++) {
    if (row < table.rows && compare(row - 1, row) <= 0) continue;
    stretches.push({ from, end: row });
    from = row;
  }
  if (stretches.length <= 1) return table;
  stretches.sort((a, b) => compare(a.from, b.from));
  const columns = table.columns.map((column): WordColumn => {
    if (!("words" in column)) throw new Error("the mappings have no texts");
    const { words, width } = column;
    const ordered = new Int32Array(words.length);
    let before = 0;
    for (const stretch of stretches) {
      ordered.set(words.subarray(stretch.from * width, stretch.end * width), before * width);
      before += stretch.end - stretch.from;
    }
    return { ...column, words: ordered };
  });
  return { ...table, columns };
}

function wordsOf({ columns }: RecordedTable, index: number): Int32Array {
  const column = columns[index];
  if (!("words" in column)) throw new Error("the mappings have no texts");
  return column.words;
}

/** Writes the runs as the one mappings file of the capture in a directory. */
export function writeRuns(table: RecordedTable, directory: string): ManifestFile {
  const writer = new RunsWriter(directory);
  try {
    const columns = MAPPING_COLUMNS.map((_, index) => wordsOf(table, index));
    writer.append(columns, { from: 0, rows: table.rows, vmaChange: 0 });
    return writer.finish();
  } finally {
    writer.close();
  }
}

/** The one mappings file of a capture, stretch by stretch, in the order of its rows. */
export class RunsWriter {
  private readonly path: string;
  private readonly part: MappingPart;
  private readonly block = new Int32Array(BLOCK_RUNS * WORDS_PER_RUN);
  private filled = 0;
  private rows = 0;

  /** In a directory that has no such file. */
  constructor(directory: string) {
    this.path = join(directory, partName(0));
    this.part = new MappingPart(this.path);
  }

  /** Appends rows of columns, which are in the order of MAPPING_COLUMNS; their VMAs are moved by `vmaChange` rows. */
  append(columns: readonly Int32Array[], stretch: { from: number; rows: number; vmaChange: number }): void {
    const { block } = this;
    for (let done = 0; done < stretch.rows;) {
      const rows = Math.min(BLOCK_RUNS - this.filled, stretch.rows - done);
      const from = stretch.from + done;
      for (const [index, { at, bytes }] of MAPPING_COLUMNS.entries()) {
        const width = bytes / 4;
        const words = columns[index].subarray(from * width, (from + rows) * width);
        block.set(words, at + this.filled * width);
      }
      if (stretch.vmaChange !== 0) {
        for (let row = this.filled; row < this.filled + rows; row++) block[VMA_AT + row] += stretch.vmaChange;
      }
      this.filled += rows;
      done += rows;
      if (this.filled === BLOCK_RUNS) this.flush();
    }
  }

  private flush(): void {
    if (this.filled > 0) this.part.save(this.block, this.filled);
    this.rows += this.filled;
    this.filled = 0;
  }

  /** The whole file. */
  finish(): ManifestFile {
    this.flush();
    writeMappingFooter(this.path, this.part.finish());
    return { name: partName(0), table: MAPPINGS_TABLE.name, rows: this.rows, ...measureFile(this.path) };
  }

  /** Always to be called. */
  close(): void {
    this.part.close();
  }
}
