/**
 * The runs of a stored capture in one order, whoever read them: by VMA, then by address.
 *
 * Reader threads take work as it comes, so two captures of a machine at rest have the same runs in other orders and other
 * files. Each file is made of ascending stretches, mostly one (a reader's items ascend by address space, and an item is read
 * from below), and what one reader did not take another did: the stretches are merged. That costs a comparison for every
 * item, not a sort of a million runs.
 */
import { join } from "node:path";
import { type ManifestFile, measureFile } from "./manifest.ts";
import { readMappingGroups, writeMappingFooter } from "./mapping-file.ts";
import { MAPPING_COLUMNS, MappingPart, type StoredGroup, StoredGroups, partName } from "./mapping-part.ts";
import type { RecordedTable, WordColumn } from "./recording-table.ts";
import { BLOCK_RUNS, VMA_AT, WORDS_PER_RUN, pageOfRun } from "./run-layout.ts";
import { MAPPINGS_TABLE } from "./table-schema.ts";

/** Reads the runs of mappings files and puts them in order. Throws BadCapture. O(runs + segments * stretches). */
export function readRuns(paths: readonly string[]): RecordedTable {
  const groups = paths.flatMap((path) => readMappingGroups(path));
  const rows = groups.reduce((sum, group) => sum + group.rows, 0);
  // Twice, because where a run goes is known only when all are: the files are in memory anyway, and the runs are not.
  const segments = mergeStretches(readKeys(groups, rows)).toSorted((a, b) => a.from - b.from);
  const columns = MAPPING_COLUMNS.map(({ bytes }, index): WordColumn => {
    const width = bytes === 4 ? 1 : 2;
    return { spec: MAPPINGS_TABLE.columns[index], words: new Int32Array(rows * width), width };
  });
  let at = 0;
  forEachGroup(groups, (block, first, count) => {
    for (let row = 0; row < count;) {
      while (segments[at].end <= first + row) at++;
      const { from, end, to } = segments[at];
      const taken = Math.min(end - first, count) - row;
      for (const [index, { words, width }] of columns.entries()) {
        const source = MAPPING_COLUMNS[index].at + row * width;
        words.set(block.subarray(source, source + taken * width), (to + first + row - from) * width);
      }
      row += taken;
    }
  });
  return { schema: MAPPINGS_TABLE, rows, columns };
}

/** Calls back with each group's block, the number of its first row, and its rows. */
function forEachGroup(
  groups: readonly StoredGroup[],
  visit: (block: Int32Array, first: number, count: number) => void,
): void {
  const store = new StoredGroups();
  try {
    const block = new Int32Array(BLOCK_RUNS * WORDS_PER_RUN);
    let first = 0;
    for (const group of groups) {
      store.load(store.addGroup(group), block);
      visit(block, first, group.rows);
      first += group.rows;
    }
  } finally {
    store.close();
  }
}

/** What runs are ordered by, as they stand in the files. */
interface Keys {
  readonly vma: Int32Array;
  readonly page: Float64Array;
}

function readKeys(groups: readonly StoredGroup[], rows: number): Keys {
  const keys = { vma: new Int32Array(rows), page: new Float64Array(rows) };
  forEachGroup(groups, (block, first, count) => {
    keys.vma.set(block.subarray(VMA_AT, VMA_AT + count), first);
    for (let row = 0; row < count; row++) keys.page[first + row] = pageOfRun(block, row);
  });
  return keys;
}

function compareRows({ vma, page }: Keys, a: number, b: number): number {
  return vma[a] - vma[b] || page[a] - page[b];
}

/** Ascending rows [from, end) of the files, not yet taken. */
interface Stretch {
  from: number;
  readonly end: number;
}

/** Rows [from, end) of the files, which go to row `to`. */
interface Segment {
  readonly from: number;
  readonly end: number;
  readonly to: number;
}

/** The segments of all stretches in the order of their runs: each goes on until another stretch has a run before its next. */
function mergeStretches(keys: Keys): Segment[] {
  const byHead = (a: Stretch, b: Stretch): number => compareRows(keys, a.from, b.from);
  const open = findStretches(keys).sort(byHead);
  const segments: Segment[] = [];
  let to = 0;
  for (let first = open.shift(); first !== undefined; first = open.shift()) {
    const { from } = first;
    const end = open.length === 0 ? first.end : firstBehind(keys, first, open[0].from);
    segments.push({ from, end, to });
    to += end - from;
    if (end === first.end) continue;
    first.from = end;
    let place = 0;
    while (place < open.length && byHead(open[place], first) < 0) place++;
    open.splice(place, 0, first);
  }
  return segments;
}

function findStretches(keys: Keys): Stretch[] {
  const rows = keys.vma.length;
  const stretches: Stretch[] = [];
  let from = 0;
  for (let row = 1; row <= rows; row++) {
    if (row < rows && compareRows(keys, row - 1, row) <= 0) continue;
    stretches.push({ from, end: row });
    from = row;
  }
  return stretches;
}

/** The first row of a stretch behind another row, in the order of runs; at least the second, and at most its end. */
function firstBehind(keys: Keys, { from, end }: Stretch, other: number): number {
  let low = from + 1;
  for (let high = end; low < high;) {
    const middle = (low + high) >>> 1;
    if (compareRows(keys, middle, other) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
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
