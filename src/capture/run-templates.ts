/**
 * Runs that many address spaces have in common.
 *
 * The backends of a database map the same gigabytes of shared memory at the same addresses: their pagemaps are equal,
 * entry by entry, over most page tables. A page table's worth of entries (2 MiB of a shared mapping) that was decoded is
 * kept, raw and as runs; where a later pagemap has the very same bytes at the same address, one record refers to those
 * runs instead of repeating them. Comparing 4 KiB costs a tenth of decoding it, and what follows (counting, events,
 * histograms) is done once for all who share it.
 *
 * Only entries that are all present are kept (a swap entry may change under equal bytes of others), and no range that
 * could be mapped by a PMD, because equal entries do not tell the level.
 */
import { HPAGE_PMD_NR } from "../kernel/index.ts";
import { BLOCK_RUNS, RUN_PRESENT, type RunVisitor, WORDS_PER_RUN, writeRun } from "./run-layout.ts";

/** Bytes of pagemap of a granule: one page table. */
const GRANULE_BYTES = HPAGE_PMD_NR * 8;
/** Granules remembered by a reader: 8 GiB of shared mappings, 16 MiB of raw entries. */
const GRANULES_MAX = 4096;
/** Templates kept by a reader; a place whose entries keep changing makes new ones until this is reached. */
const TEMPLATES_MAX = 16_384;
/** A granule with fewer runs is decoded as fast as it is compared. */
const RUNS_WORTH_KEEPING = 4;

/** The templates of one reader. */
export class RunTemplates {
  /** Blocks of runs in the layout of run-layout.ts; a template never crosses blocks. */
  private readonly blocks: Int32Array[] = [];
  private usedInBlock = BLOCK_RUNS;
  private readonly blockOf: number[] = [];
  private readonly firstOf: number[] = [];
  private readonly countOf: number[] = [];
  private readonly pagesOf: number[] = [];
  /** How many address spaces have the template. */
  readonly usesOf: number[] = [];
  private readonly slotOfPage = new Map<number, number>();
  private readonly templateOfSlot: number[] = [];
  private raw: Buffer | undefined;
  private openRuns = 0;
  private openPages = 0;
  private allPresent = true;

  get count(): number {
    return this.firstOf.length;
  }

  /** The template whose entries at `page` were exactly these bytes, or -1. */
  find(page: number, bytes: Buffer, offset: number): number {
    const slot = this.slotOfPage.get(page);
    if (slot === undefined || this.raw === undefined) return -1;
    const same = this.raw.compare(
      bytes,
      offset,
      offset + GRANULE_BYTES,
      slot * GRANULE_BYTES,
      (slot + 1) * GRANULE_BYTES,
    );
    return same === 0 ? this.templateOfSlot[slot] : -1;
  }

  /** Begins a template; runs follow by `append`, then `keep`. What is not kept is overwritten. */
  begin(): void {
    if (this.usedInBlock + HPAGE_PMD_NR > BLOCK_RUNS) {
      this.blocks.push(new Int32Array(BLOCK_RUNS * WORDS_PER_RUN));
      this.usedInBlock = 0;
    }
    this.openRuns = 0;
    this.openPages = 0;
    this.allPresent = true;
  }

  /** A run of the template that was begun; all arguments are 32-bit words. */
  append(
    vma: number,
    addressLow: number,
    addressHigh: number,
    frameLow: number,
    frameHigh: number,
    pages: number,
    step: number,
    bits: number,
  ): void {
    const block = this.blocks[this.blocks.length - 1];
    const at = this.usedInBlock + this.openRuns++;
    writeRun(block, at, vma, addressLow, addressHigh, frameLow, frameHigh, pages, step, bits);
    this.openPages += pages;
    if ((bits & RUN_PRESENT) === 0) this.allPresent = false;
  }

  /** Keeps the template for the place it was read at, if it is worth it; returns its number, or -1. */
  keep(page: number, bytes: Buffer, offset: number): number {
    if (this.openRuns < RUNS_WORTH_KEEPING || !this.allPresent || this.count >= TEMPLATES_MAX) return -1;
    const slot = this.slotOfPage.get(page) ?? this.templateOfSlot.length;
    if (slot >= GRANULES_MAX) return -1;
    this.raw ??= Buffer.allocUnsafeSlow(GRANULES_MAX * GRANULE_BYTES);
    bytes.copy(this.raw, slot * GRANULE_BYTES, offset, offset + GRANULE_BYTES);
    this.slotOfPage.set(page, slot);
    const template = this.count;
    this.templateOfSlot[slot] = template;
    this.blockOf.push(this.blocks.length - 1);
    this.firstOf.push(this.usedInBlock);
    this.countOf.push(this.openRuns);
    this.pagesOf.push(this.openPages);
    this.usesOf.push(0);
    this.usedInBlock += this.openRuns;
    return template;
  }

  /** Calls `visit` for the template's runs, as runs of `vma`. */
  forEachRun(template: number, vma: number, visit: RunVisitor): void {
    const block = this.blocks[this.blockOf[template]];
    const end = this.firstOf[template] + this.countOf[template];
    for (let at = this.firstOf[template]; at < end; at++) visit(block, at, vma);
  }

  /** Present entries in the template. */
  pages(template: number): number {
    return this.pagesOf[template];
  }
}
