/**
 * /proc/PID/pagemap of one VMA of the model, page by page and as the runs that a dump shows (kernel-facts 3.7).
 *
 * Runs follow the lab's rules, labels included: a run goes on while the bits are equal and the frames consecutive; small
 * folios in a row get one run with a first and a last label; one page mapped again and again (KSM) is counted; a folio gets
 * its label when its first page is printed.
 */
import {
  type Memory,
  type Vma,
  ZERO,
  VM_SOFTDIRTY,
  findPmdTable,
  frameOfEntry,
  hasEntryFlag,
  isNotPresent,
  isPresent,
  isSwapEntry,
  isTable,
  offsetOfEntry,
  pmdEntryOf,
  pteIndex,
  tableOfEntry,
  typeOfEntry,
} from "../memory/index.ts";
import type { CountedMachine } from "./counted-machine.ts";
import type { PagemapRun } from "./dump.ts";

/** Bits of a page of the columns. */
export const PM_PRESENT = 1;
export const PM_SWAP = 2;
export const PM_FILE = 4;
export const PM_EXCLUSIVE = 8;
export const PM_SOFT_DIRTY = 16;
export const PM_UFFD_WP = 32;
export const PM_GUARD = 64;

/** What the entry of each page says: frame if present, offset if swapped. */
export class PagemapColumns {
  readonly bits: Uint8Array;
  readonly value: Float64Array;
  /** The number of the swap type: a device's, or one of the special types behind all devices. */
  readonly swapType: Uint8Array;
  /** 1: a PMD maps the page. */
  readonly isHuge: Uint8Array;

  constructor(pageCount: number) {
    this.bits = new Uint8Array(pageCount);
    this.value = new Float64Array(pageCount);
    this.swapType = new Uint8Array(pageCount);
    this.isHuge = new Uint8Array(pageCount);
  }
}

/** Numbers of the swap types that are no devices, as this kernel configuration has them. */
const SWAP_TYPES = { hwpoison: 30, migration: 29, marker: 31 } as const;
const MARKER_OFFSETS: Readonly<Record<number, number>> = { 3: 1, 4: 4, 5: 2 };

/** Reads the VMA's entries. */
export function readPagemap(machine: CountedMachine, vma: Vma): PagemapColumns {
  const { memory } = machine;
  const columns = new PagemapColumns(vma.end - vma.start);
  const always = memory.hasSoftDirty && vma.has(VM_SOFTDIRTY) ? PM_SOFT_DIRTY : 0;
  for (let page = vma.start; page < vma.end;) {
    const pmd = pmdEntryOf(memory, vma.mm, page);
    const end = Math.min(vma.end, page - pteIndex(page) + 512);
    // An entry of hugetlb is huge even if it is empty.
    const isHugeHole = vma.isHugetlb && pmd === 0 && findPmdTable(memory, vma.mm, page) !== 0;
    for (let at = page; at < end; at++) {
      const row = at - vma.start;
      columns.bits[row] = always;
      if (isHugeHole) columns.isHuge[row] = 1;
      if (isTable(pmd)) readPte(machine, columns, row, memory.tables.get(tableOfEntry(pmd), pteIndex(at)));
      else if (isPresent(pmd)) readPmd(machine, columns, row, pmd, pteIndex(at));
      else if (isNotPresent(pmd)) readNotPresent(columns, row, pmd);
    }
    page = end;
  }
  return columns;
}

function isExclusive({ kernel }: CountedMachine, head: number, pageIndex: number): boolean {
  if (kernel.scheme.rules.privateBy === "page-mapcount") return kernel.counter.pageMapcount(head, pageIndex) === 1;
  return !kernel.counter.isMaybeMappedShared(head);
}

function readPte(machine: CountedMachine, columns: PagemapColumns, row: number, entry: number): void {
  if (!isPresent(entry)) {
    if (entry !== 0) readNotPresent(columns, row, entry);
    return;
  }
  const { frames } = machine.memory;
  const frame = frameOfEntry(entry);
  let bits = PM_PRESENT | softBits(entry);
  if (frames.kindOf(frame) !== ZERO) {
    const head = frames.headOf(frame);
    if (!frames.isAnon(head)) bits |= PM_FILE;
    if (isExclusive(machine, head, frame - head)) bits |= PM_EXCLUSIVE;
  }
  columns.bits[row] |= bits;
  columns.value[row] = frame;
}

/** A PMD leaf: all its pages share the exclusiveness of its first one, and the huge zero folio looks like a file. */
function readPmd(machine: CountedMachine, columns: PagemapColumns, row: number, pmd: number, index: number): void {
  const { frames } = machine.memory;
  const head = frameOfEntry(pmd);
  let bits = PM_PRESENT | softBits(pmd);
  if (!frames.isAnon(head)) bits |= PM_FILE;
  if (isExclusive(machine, head, 0)) bits |= PM_EXCLUSIVE;
  columns.bits[row] |= bits;
  columns.value[row] = head + index;
  columns.isHuge[row] = 1;
}

function softBits(entry: number): number {
  return (hasEntryFlag(entry, "softDirty") ? PM_SOFT_DIRTY : 0) | (hasEntryFlag(entry, "uffdWp") ? PM_UFFD_WP : 0);
}

function readNotPresent(columns: PagemapColumns, row: number, entry: number): void {
  let bits = PM_SWAP | softBits(entry);
  const type = typeOfEntry(entry);
  const marker = MARKER_OFFSETS[type];
  columns.value[row] = marker ?? offsetOfEntry(entry);
  columns.swapType[row] =
    marker !== undefined
      ? SWAP_TYPES.marker
      : isSwapEntry(entry)
        ? 0
        : type === 1
          ? SWAP_TYPES.hwpoison
          : SWAP_TYPES.migration;
  if (marker === 4) bits |= PM_GUARD;
  if (marker === 1) bits |= PM_UFFD_WP;
  columns.bits[row] |= bits;
}

/** Labels of one dump: folios in the order in which they first appear. */
export class FolioLabels {
  readonly heads: number[] = [];
  private readonly rowOf = new Map<number, number>();
  private readonly memory: Memory;

  constructor(memory: Memory) {
    this.memory = memory;
  }

  /** The label's row of the folio that holds this frame, if it has one. */
  find(frame: number): number | undefined {
    return this.rowOf.get(this.memory.frames.headOf(frame));
  }

  /** The same; gives it the next label if it has none. */
  of(frame: number): number {
    const head = this.memory.frames.headOf(frame);
    let row = this.rowOf.get(head);
    if (row === undefined) {
      row = this.heads.push(head) - 1;
      this.rowOf.set(head, row);
    }
    return row;
  }

  pagesOf(row: number): number {
    return 2 ** this.memory.frames.order[this.heads[row]];
  }
}

/** The runs of a VMA's pagemap. */
export function pagemapRuns(memory: Memory, vma: Vma, columns: PagemapColumns, labels: FolioLabels): PagemapRun[] {
  const runs: PagemapRun[] = [];
  const base = `0x${(vma.start * 4096).toString(16)}`;
  for (let row = 0; row < columns.bits.length;) {
    if (columns.bits[row] === 0) {
      row++;
      continue;
    }
    const run = runAt(memory, columns, row, labels);
    const flags = `${lettersOf(columns.bits[row])}${columns.isHuge[row] === 1 ? "H" : "-"}`;
    runs.push({ base, page: row, n: run.n, flags, where: run.where });
    row += run.n;
  }
  return runs;
}

function lettersOf(bits: number): string {
  const letters: readonly (readonly [number, string])[] = [
    [PM_PRESENT, "P"],
    [PM_SWAP, "S"],
    [PM_FILE, "F"],
    [PM_EXCLUSIVE, "X"],
    [PM_SOFT_DIRTY, "d"],
    [PM_UFFD_WP, "w"],
    [PM_GUARD, "g"],
  ];
  return letters.map(([bit, letter]) => ((bits & bit) === 0 ? "-" : letter)).join("");
}

interface Run {
  readonly n: number;
  readonly where: string;
}

function runAt(memory: Memory, columns: PagemapColumns, row: number, labels: FolioLabels): Run {
  const { bits, value, swapType } = columns;
  if ((bits[row] & PM_PRESENT) !== 0) return presentRun(memory, columns, row, labels);
  const isSwap = (bits[row] & PM_SWAP) !== 0;
  const isSlot = isSwap && swapType[row] === 0;
  let n = 1;
  while (row + n < bits.length && bits[row + n] === bits[row] && swapType[row + n] === swapType[row]) {
    if (value[row + n] !== value[row] + (isSlot ? n : 0)) break;
    n++;
  }
  return { n, where: isSwap ? `swap type=${swapType[row]} off=0x${value[row].toString(16)}` : "" };
}

function presentRun(memory: Memory, columns: PagemapColumns, row: number, labels: FolioLabels): Run {
  const { bits, value, isHuge } = columns;
  const isZero = memory.frames.kindOf(value[row]) === ZERO;
  let repeats = 1;
  while (row + repeats < bits.length && bits[row + repeats] === bits[row] && value[row + repeats] === value[row])
    repeats++;
  const label = isZero ? -1 : labels.of(value[row]);
  const index = isZero ? 0 : value[row] - labels.heads[label];
  if (repeats > 1 && !isZero) return { n: repeats, where: `F${label + 1}[${index}-${index}]*${repeats}` };
  if (!isZero && labels.pagesOf(label) === 1) return smallRun(memory, columns, row, labels, label);
  let n = 1;
  while (row + n < bits.length && bits[row + n] === bits[row] && isHuge[row + n] === isHuge[row]) {
    const next = value[row + n];
    if (isZero ? next !== value[row] && next !== value[row] + n : next !== value[row] + n) break;
    if (!isZero && index + n >= labels.pagesOf(label)) break;
    n++;
  }
  return { n, where: isZero ? "ZERO" : `F${label + 1}[${index}-${index + n - 1}]` };
}

/** Small folios in a row: the next one is new, or carries the next label already. */
function smallRun(memory: Memory, columns: PagemapColumns, row: number, labels: FolioLabels, first: number): Run {
  const { bits, value } = columns;
  let last = first;
  let n = 1;
  for (; row + n < bits.length; n++) {
    const next = value[row + n];
    if (bits[row + n] !== bits[row] || memory.frames.kindOf(next) === ZERO) break;
    const found = labels.find(next);
    if (found === undefined ? labels.heads.length !== last + 1 : found !== last + 1) break;
    const label = labels.of(next);
    if (labels.pagesOf(label) !== 1) break;
    last = label;
  }
  return { n, where: last > first ? `F${first + 1}..F${last + 1}` : `F${first + 1}[0-0]` };
}
