/**
 * What is known of every frame, kept from one reading to the next: how often it is mapped, what it holds, its folio.
 *
 * Runs are booked and taken back in one difference table, so a process read again costs its own runs; a prefix sum makes
 * mapcounts of it. Flags are read again only where some run changed (a frame that was freed and came back as something
 * else was unmapped in between), and of a few other frames in turn: a folio may be split while its entries stay as they
 * are. Changes are scattered over memory, so they are marked in grains of 64 frames; a grain into which a large folio
 * reaches from outside has its whole block of 512 read.
 */
import { type FolioKind, FolioColumns, HPAGE_PMD_NR } from "../kernel/index.ts";
import { FolioScanner, type FoundFolios } from "./folio-scan.ts";
import { type FrameDifference, type FrameTable, countRun, createDifference, indexFolios } from "./frame-table.ts";
import { windowsOf } from "./frame-windows.ts";
import { GRAIN_SHIFT } from "./packed-runs.ts";
import { BITS_AT, FRAME_AT, PAGES_AT, RUN_PRESENT, RUN_TEMPLATE, type RunSource, STEP_AT } from "./run-blocks.ts";

const GRAIN_FRAMES = 1 << GRAIN_SHIFT;
const GRAINS_OF_BLOCK = HPAGE_PMD_NR >> GRAIN_SHIFT;
/** Mapped blocks whose flags are read again in turn at each update: all of them after so many updates. */
const UPDATES_PER_ROUND = 32;

/** A large folio as kpageflags shows it. */
type KnownFolios = Pick<FoundFolios, "headPfn" | "order" | "kind" | "headExclusive">;

/** The frames of the machine at one moment. The tables are the ledger's own: the next update changes them. */
export interface LedgerState {
  readonly frames: FrameTable;
  readonly folios: FolioColumns;
  readonly kpageflagsBytes: number;
  readonly foliosTorn: number;
}

/** The ledger. */
export class FrameLedger {
  /** Where readers count the runs that they find. */
  readonly difference: FrameDifference;
  /** Set to 1 by whoever changes runs, for the grains that they lie in (packed-runs.ts). */
  readonly changedGrains: Uint8Array;
  private readonly frameCount: number;
  private readonly mapcount: Int32Array<SharedArrayBuffer>;
  private readonly kind: Uint8Array<SharedArrayBuffer>;
  private readonly blockMapped: Uint8Array;
  private known: KnownFolios = { headPfn: [], order: [], kind: [], headExclusive: [] };
  private nextInTurn = 0;

  constructor(frameCount: number) {
    const blocks = Math.ceil(frameCount / HPAGE_PMD_NR);
    this.frameCount = frameCount;
    this.difference = createDifference(frameCount);
    this.changedGrains = new Uint8Array(blocks * GRAINS_OF_BLOCK);
    this.mapcount = new Int32Array(new SharedArrayBuffer((frameCount + 1) * 4));
    this.kind = new Uint8Array(new SharedArrayBuffer(Math.max(1, frameCount)));
    this.blockMapped = new Uint8Array(blocks);
  }

  /** Books runs (1) or takes them back (-1), those of templates too. */
  count(runs: RunSource, sign: 1 | -1): void {
    runs.forEachRun((block, at) => countIn(this.difference, block, at, sign));
  }

  /** Books what a PagemapReader leaves to be booked: the runs that its records take from templates. */
  countTemplates(runs: RunSource): void {
    runs.forEachBlock((block, count) => {
      for (let at = 0; at < count; at++) {
        if ((block[BITS_AT + at] & RUN_TEMPLATE) === 0) continue;
        runs.templates.forEachRun(block[FRAME_AT + 2 * at], -1, (from, run) => countIn(this.difference, from, run, 1));
      }
    });
  }

  /**
   * Sums up what was booked and reads the flags that may have changed, from an open /proc/kpageflags. `ksmBitMeansKsm` as
   * in kernel/kpageflags-bits.ts. O(frames of touched blocks + folios).
   */
  update(flagsFd: number, ksmBitMeansKsm: boolean): LedgerState {
    this.sum();
    const { mapcount, kind, frameCount } = this;
    const scannerOf = (): FolioScanner =>
      new FolioScanner({ fd: flagsFd, mapcount, kind, ksmBitMeansKsm, wantSmall: false });
    const whole = this.blocksInTurn();
    const ofGrains = this.scanGrains(scannerOf(), whole);
    const ofBlocks = this.scanBlocks(scannerOf(), whole);
    this.changedGrains.fill(0);
    const frames: FrameTable = {
      frameCount,
      mapcount,
      kind,
      corrected: [],
      blockMapped: this.blockMapped,
      blockFirstFolio: new Int32Array(new SharedArrayBuffer((this.blockMapped.length + 1) * 4)),
    };
    const folios = columnsOf(this.known);
    indexFolios(frames, folios);
    return {
      frames,
      folios,
      kpageflagsBytes: ofGrains.bytesRead + ofBlocks.bytesRead,
      foliosTorn: ofGrains.torn + ofBlocks.torn,
    };
  }

  /** The prefix sum over the blocks that any run ever ended in or spans now. */
  private sum(): void {
    const { mapcount, blockMapped, frameCount } = this;
    const { table, touched } = this.difference;
    let sum = 0;
    for (let block = 0; block < blockMapped.length; block++) {
      const start = block * HPAGE_PMD_NR;
      const end = Math.min(frameCount, start + HPAGE_PMD_NR);
      if (touched[block] === 0) {
        if (sum === 0 && blockMapped[block] === 0) continue;
        mapcount.fill(sum, start, end);
        blockMapped[block] = sum === 0 ? 0 : 1;
        continue;
      }
      let any = 0;
      for (let pfn = start; pfn < end; pfn++) {
        sum = (sum + table[pfn]) | 0;
        mapcount[pfn] = sum;
        any |= sum;
      }
      blockMapped[block] = any === 0 ? 0 : 1;
    }
  }

  /** Scans the grains that changed; marks the blocks that must be scanned whole instead. */
  private scanGrains(scanner: FolioScanner, whole: Uint8Array): FoundFolios {
    const { known, blockMapped, changedGrains } = this;
    markLargerThanGrains(known, changedGrains, whole);
    for (let block = 0; block < whole.length; block++) {
      if (blockMapped[block] === 0) continue;
      const firstGrain = block * GRAINS_OF_BLOCK;
      for (let grain = firstGrain; grain < firstGrain + GRAINS_OF_BLOCK && whole[block] === 0; grain++) {
        if (changedGrains[grain] === 0) continue;
        if (!this.isMapped(grain)) this.forgetGrain(grain);
        else if (!scanner.scanGrain(grain * GRAIN_FRAMES)) whole[block] = 1;
      }
    }
    this.known = mergeFolios(known, scanner.found, changedGrains);
    return scanner.found;
  }

  private isMapped(grain: number): boolean {
    const { mapcount, frameCount } = this;
    const end = Math.min(frameCount, (grain + 1) * GRAIN_FRAMES);
    for (let pfn = grain * GRAIN_FRAMES; pfn < end; pfn++) if (mapcount[pfn] !== 0) return true;
    return false;
  }

  private forgetGrain(grain: number): void {
    this.kind.fill(0, grain * GRAIN_FRAMES, Math.min(this.frameCount, (grain + 1) * GRAIN_FRAMES));
  }

  /** Scans blocks, all of them forgotten first: a gigantic folio found in one is known in all. */
  private scanBlocks(scanner: FolioScanner, blocks: Uint8Array): FoundFolios {
    const { kind, frameCount, blockMapped } = this;
    const grains = new Uint8Array(this.changedGrains.length);
    const mapped = new Uint8Array(blocks.length);
    for (let block = 0; block < blocks.length; block++) {
      if (blocks[block] === 0) continue;
      mapped[block] = blockMapped[block];
      kind.fill(0, block * HPAGE_PMD_NR, Math.min(frameCount, (block + 1) * HPAGE_PMD_NR));
      grains.fill(1, block * GRAINS_OF_BLOCK, (block + 1) * GRAINS_OF_BLOCK);
    }
    const [windows] = windowsOf(mapped, frameCount, 1);
    for (let at = 0; at < windows.length; at += 2) scanner.scan(windows[at], windows[at + 1]);
    this.known = mergeFolios(this.known, scanner.found, grains);
    return scanner.found;
  }

  /** 1 for the mapped blocks whose turn it is. */
  private blocksInTurn(): Uint8Array {
    const asked = new Uint8Array(this.blockMapped.length);
    let left = Math.ceil(this.blockMapped.reduce((all, is) => all + is, 0) / UPDATES_PER_ROUND);
    for (let seen = 0; seen < asked.length && left > 0; seen++) {
      const block = this.nextInTurn;
      this.nextInTurn = (block + 1) % asked.length;
      if (this.blockMapped[block] === 0) continue;
      asked[block] = 1;
      left--;
    }
    return asked;
  }
}

/** Marks the blocks in which a known folio larger than a grain lies and something changed: it may be one no more. */
function markLargerThanGrains({ headPfn, order }: KnownFolios, changed: Uint8Array, blocks: Uint8Array): void {
  for (let at = 0; at < headPfn.length; at++) {
    if (order[at] <= GRAIN_SHIFT) continue;
    const first = Math.floor(headPfn[at] / HPAGE_PMD_NR);
    const end = Math.min(blocks.length, first + Math.ceil(2 ** order[at] / HPAGE_PMD_NR));
    for (let block = first; block < end; block++) {
      for (let grain = block * GRAINS_OF_BLOCK; grain < (block + 1) * GRAINS_OF_BLOCK; grain++) {
        if (changed[grain] === 1) blocks[block] = 1;
      }
    }
  }
}

function countIn(difference: FrameDifference, block: Int32Array, at: number, sign: 1 | -1): void {
  if ((block[BITS_AT + at] & RUN_PRESENT) === 0 || block[FRAME_AT + 2 * at + 1] !== 0) return;
  countRun(difference, block[FRAME_AT + 2 * at] >>> 0, block[PAGES_AT + at], block[STEP_AT + at], sign);
}

/**
 * Folios whose head lies outside the grains that were read again, and those found in them, in ascending order. Of two that
 * overlap the one found now stays: a gigantic folio is found from any of its blocks.
 */
export function mergeFolios(known: KnownFolios, found: KnownFolios, asked: Uint8Array): KnownFolios {
  const merged: KnownFolios = { headPfn: [], order: [], kind: [], headExclusive: [] };
  let behind = -1;
  let lastWasKnown = false;
  const add = (from: KnownFolios, at: number): void => {
    if (from.headPfn[at] < behind) {
      if (!lastWasKnown || from === known) return;
      for (const column of [merged.headPfn, merged.order, merged.kind, merged.headExclusive]) column.pop();
    }
    merged.headPfn.push(from.headPfn[at]);
    merged.order.push(from.order[at]);
    merged.kind.push(from.kind[at]);
    merged.headExclusive.push(from.headExclusive[at]);
    behind = from.headPfn[at] + 2 ** from.order[at];
    lastWasKnown = from === known;
  };
  let old = 0;
  for (let at = 0; at < found.headPfn.length; at++) {
    const head = found.headPfn[at];
    for (; old < known.headPfn.length && known.headPfn[old] < head; old++) {
      if (asked[Math.floor(known.headPfn[old] / GRAIN_FRAMES)] === 0) add(known, old);
    }
    add(found, at);
  }
  for (; old < known.headPfn.length; old++) {
    if (asked[Math.floor(known.headPfn[old] / GRAIN_FRAMES)] === 0) add(known, old);
  }
  return merged;
}

function columnsOf({ headPfn, order, kind, headExclusive }: KnownFolios): FolioColumns {
  const columns = new FolioColumns(Math.max(1, headPfn.length));
  for (let at = 0; at < headPfn.length; at++) {
    columns.append(headPfn[at], order[at], kind[at] as FolioKind, headExclusive[at] === 1);
  }
  return columns;
}
