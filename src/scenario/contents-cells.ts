/**
 * The shadow of memory: what each page of each process must hold, whatever page tables and counts say.
 *
 * A private page is a cell of its own, copied at fork like a value; a page of a file is one cell for all who map it. What a
 * process never wrote is the file's page, or zeros. A cell usually has one content that is right. It has several where the
 * kernel may choose (MADV_FREE: the old one or zeros) or where a call failed on its way; then the next look settles it,
 * unless the kernel may still choose later. Cells that are forgotten (unmapped, punched) stay as they are for those who
 * hold them: a pin of a page that is gone sees what was there.
 */
import { type FileMapping, type Memory, type Mm, VM_MAYSHARE, VM_SHARED, type Vma } from "../memory/index.ts";

/** Who wrote, and where in the scenario. */
export interface Write {
  readonly process: string;
  readonly line: number;
  readonly source: string;
  readonly before: Write | undefined;
}

/** A page's right contents, by number (page-contents.ts); "any" after memory failed. */
export type Allowed = readonly number[] | "any";

export class Cell {
  allowed: Allowed;
  /** The next look says which of several it is. */
  isOpen = false;
  /** Where the private page is mapped now; undefined: nowhere, or it is a file's. */
  mm: Mm | undefined;
  page = -1;
  /** The last that changed it. */
  write: Write | undefined;

  constructor(allowed: Allowed, write?: Write) {
    this.allowed = allowed;
    this.write = write;
  }

  /** Every right content becomes another. */
  change(change: (content: number) => number, write?: Write): void {
    if (this.allowed !== "any") this.allowed = [...new Set(this.allowed.map(change))];
    if (write !== undefined) this.write = write;
  }

  /** Another content is right too. */
  alsoAllow(content: number): void {
    if (this.allowed !== "any" && !this.allowed.includes(content)) this.allowed = [...this.allowed, content];
  }
}

/** Is the content one of those? Numbers may differ where contents do not: a page filled by words, and one filled at once. */
export function isAllowed({ contents }: Memory, allowed: Allowed, content: number): boolean {
  if (allowed === "any" || allowed.includes(content)) return true;
  return allowed.some((one) => contents.compare(one, content) === 0);
}

const ZEROS = 0;

/** A range of pages as it was mapped: VMAs themselves change under the command. */
export interface MappedRange {
  readonly start: number;
  readonly end: number;
  readonly file: FileMapping | undefined;
  readonly pgoff: number;
  readonly isShared: boolean;
  readonly isHugetlb: boolean;
}

/** Is it shared by all who map the file? */
export function isSharedVma(vma: Vma): boolean {
  return vma.has(VM_SHARED | VM_MAYSHARE);
}

/** The parts of the VMAs in [start, end), as they are now. */
export function mappedRanges(mm: Mm, start: number, end: number): MappedRange[] {
  return mm.vmasIn(start, end).map((vma) => {
    const from = Math.max(start, vma.start);
    return {
      start: from,
      end: Math.min(end, vma.end),
      file: vma.file,
      pgoff: vma.indexOf(from),
      isShared: isSharedVma(vma),
      isHugetlb: vma.isHugetlb,
    };
  });
}

/** All cells of a machine. */
export class ShadowMemory {
  private readonly privates = new Map<Mm, Map<number, Cell>>();
  private readonly files = new Map<FileMapping, Map<number, Cell>>();
  private readonly memory: Memory;

  constructor(memory: Memory) {
    this.memory = memory;
  }

  /** Private pages of a process by page number. */
  privateOf(mm: Mm): Map<number, Cell> {
    let cells = this.privates.get(mm);
    if (cells === undefined) this.privates.set(mm, (cells = new Map<number, Cell>()));
    return cells;
  }

  /** The page of a file; zeros where nobody wrote. */
  cellOfFile(file: FileMapping, index: number): Cell {
    let cells = this.files.get(file);
    if (cells === undefined) this.files.set(file, (cells = new Map<number, Cell>()));
    let cell = cells.get(index);
    if (cell === undefined) cells.set(index, (cell = new Cell([ZEROS])));
    return cell;
  }

  cellsOfFile(file: FileMapping): ReadonlyMap<number, Cell> {
    return this.files.get(file) ?? new Map<number, Cell>();
  }

  /** The cell that a process reads at a page of a range; undefined: zeros that nobody wrote yet. */
  cellRead(mm: Mm, range: MappedRange, page: number): Cell | undefined {
    const own = range.isShared ? undefined : this.privates.get(mm)?.get(page);
    if (own !== undefined || range.file === undefined) return own;
    return this.cellOfFile(range.file, range.pgoff + page - range.start);
  }

  /** The cell that a process writes: a private page becomes its own. */
  cellWritten(mm: Mm, range: MappedRange, page: number): Cell {
    if (range.isShared && range.file !== undefined) {
      return this.cellOfFile(range.file, range.pgoff + page - range.start);
    }
    return this.ownCell(mm, range, page);
  }

  /** The private cell of a page, made from what it read until now. */
  ownCell(mm: Mm, range: MappedRange, page: number): Cell {
    const cells = this.privateOf(mm);
    const known = cells.get(page);
    if (known !== undefined) return known;
    const source = this.cellRead(mm, range, page);
    const cell = new Cell(source?.allowed ?? [ZEROS], source?.write);
    cell.isOpen = cell.allowed !== "any" && cell.allowed.length > 1;
    this.place(cell, mm, page);
    return cell;
  }

  /** The private cell is mapped here from now on. */
  place(cell: Cell, mm: Mm, page: number): void {
    this.privateOf(mm).set(page, cell);
    cell.mm = mm;
    cell.page = page;
  }

  /** The process has no page of its own there any more. */
  drop(mm: Mm, page: number): void {
    const cells = this.privates.get(mm);
    const cell = cells?.get(page);
    if (cells === undefined || cell === undefined) return;
    cell.mm = undefined;
    cells.delete(page);
  }

  /** Private pages of a process in [start, end), in no order. */
  privateIn(mm: Mm, start: number, end: number): [number, Cell][] {
    return [...(this.privates.get(mm) ?? [])].filter(([page]) => page >= start && page < end);
  }

  /** The process is gone. */
  forget(mm: Mm): void {
    for (const cell of this.privates.get(mm)?.values() ?? []) cell.mm = undefined;
    this.privates.delete(mm);
  }

  /** fork: the child has copies of the pages that its VMAs cover, but for those that are wiped. */
  fork(parent: Mm, child: Mm, isInherited: (vma: Vma) => boolean): void {
    for (const [page, cell] of this.privates.get(parent) ?? []) {
      const vma = child.findVma(page);
      if (vma === undefined || !isInherited(vma)) continue;
      const copy = new Cell(cell.allowed, cell.write);
      this.place(copy, child, page);
    }
  }

  /** Bytes [from, to) of a file become `byte`; `write` says who did it. */
  fillFile(file: FileMapping, from: number, to: number, byte: number, write: Write | undefined): void {
    const { contents } = this.memory;
    for (let at = from; at < to;) {
      const index = Math.floor(at / 4096);
      const base = index * 4096;
      const end = Math.min(to, base + 4096);
      const cell = this.cellOfFile(file, index);
      const isWhole = end - at === 4096;
      const [first, last] = [at - base, end - base];
      if (isWhole) {
        cell.allowed = [contents.filled(byte)];
        cell.write = write ?? cell.write;
      } else cell.change((content) => contents.withFilledBytes(content, first, last, byte), write);
      at = end;
    }
  }

  /** Pages [first, end) of a file are gone; who holds them still sees them, or zeros where a folio could not be taken apart. */
  removeFilePages(file: FileMapping, first: number, end: number): void {
    const cells = this.files.get(file);
    for (const [index, cell] of cells ?? []) {
      if (index < first || index >= end) continue;
      cell.alsoAllow(ZEROS);
      cells?.delete(index);
    }
  }
}
