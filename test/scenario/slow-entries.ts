/**
 * The entry machine once more, the slow and obvious way: a list of page-table entries, and VMAs as plain ranges.
 *
 * One object an entry; every question is a filter over all of them. It knows ids of address spaces, VMAs and folios from
 * the machine that it is held against, and nothing else.
 */
import { HPAGE_PMD_NR, LEVEL_PMD, LEVEL_PTE, type Level } from "../../src/kernel/index.ts";
import { FILE, type FrameKind, SHMEM } from "../../src/memory/index.ts";

export interface SlowEntry {
  readonly mm: number;
  readonly vma: number;
  readonly page: number;
  readonly frame: number;
  readonly level: Level;
}

export interface SlowVma {
  readonly id: number;
  readonly mm: number;
  readonly start: number;
  readonly end: number;
  readonly isCopied: boolean;
}

export interface SlowFolio {
  readonly head: number;
  readonly order: number;
  readonly kind: FrameKind;
  isCached: boolean;
  gets: number;
  pins: number;
}

export class SlowEntries {
  entries: SlowEntry[] = [];
  vmas: SlowVma[] = [];
  mms: number[] = [];
  folios: SlowFolio[] = [];

  pagesOf({ level }: SlowEntry): number {
    return level === LEVEL_PMD ? HPAGE_PMD_NR : 1;
  }

  folioOf(frame: number): SlowFolio {
    return this.folios.find(({ head, order }) => frame >= head && frame < head + 2 ** order)!;
  }

  /** Entries of a folio in the order of VMAs and pages. */
  entriesOf(folio: SlowFolio): SlowEntry[] {
    return this.entries
      .filter(({ frame }) => frame >= folio.head && frame < folio.head + 2 ** folio.order)
      .sort((a, b) => a.vma - b.vma || a.page - b.page);
  }

  isFree(mm: number, page: number, pages: number): boolean {
    return !this.entries.some(
      (each) => each.mm === mm && each.page < page + pages && each.page + this.pagesOf(each) > page,
    );
  }

  hasVmaIn(mm: number, start: number, end: number): boolean {
    return this.vmas.some((vma) => vma.mm === mm && vma.start < end && vma.end > start);
  }

  map(vma: SlowVma, page: number, frame: number, pages: number, level: Level = LEVEL_PTE): void {
    if (level === LEVEL_PMD) this.entries.push({ mm: vma.mm, vma: vma.id, page, frame, level });
    else
      for (let i = 0; i < pages; i++)
        this.entries.push({ mm: vma.mm, vma: vma.id, page: page + i, frame: frame + i, level });
  }

  /** A PMD entry across this page: PTEs of anonymous memory, nothing of a file's. */
  cut(mm: number, page: number): void {
    const across = this.entries.find(
      (each) => each.mm === mm && each.page < page && each.page + this.pagesOf(each) > page,
    );
    if (across !== undefined) this.splitLeaf(across);
  }

  splitLeaf(entry: SlowEntry): void {
    this.entries = this.entries.filter((each) => each !== entry);
    const { kind } = this.folioOf(entry.frame);
    if (kind === FILE || kind === SHMEM) return;
    for (let i = 0; i < HPAGE_PMD_NR; i++) {
      this.entries.push({ ...entry, page: entry.page + i, frame: entry.frame + i, level: LEVEL_PTE });
    }
  }

  unmap(mm: number, page: number, pages: number): void {
    this.cut(mm, page);
    this.cut(mm, page + pages);
    this.entries = this.entries.filter((each) => each.mm !== mm || each.page < page || each.page >= page + pages);
  }

  /** Folios without any reference are gone. */
  freeUnused(): void {
    this.folios = this.folios.filter(
      (folio) => folio.isCached || folio.gets > 0 || folio.pins > 0 || this.entriesOf(folio).length > 0,
    );
  }
}
