/**
 * What is known of every frame, kept from one reading to the next: how often it is mapped, what it holds, its folio.
 *
 * Runs are booked and taken back in one difference table, so a process read again costs its own runs; a prefix sum makes
 * mapcounts of it. Flags are read again only in blocks of 512 frames in which some run changed (a frame that was freed and
 * came back as something else was unmapped in between), and in a few others in turn: a folio may be split while its
 * entries stay as they are.
 */
import { type FolioKind, FolioColumns, HPAGE_PMD_NR } from "../kernel/index.ts";
import { FolioScanner, type FoundFolios } from "./folio-scan.ts";
import { type FrameDifference, type FrameTable, countRun, createDifference, indexFolios } from "./frame-table.ts";
import { windowsOf } from "./frame-windows.ts";
import { BITS_AT, FRAME_AT, PAGES_AT, RUN_PRESENT, RUN_TEMPLATE, type RunSource, STEP_AT } from "./run-blocks.ts";

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
  /** Set to 1 by whoever changes runs, for the blocks of 512 frames that they lie in. */
  readonly changedBlocks: Uint8Array;
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
    this.changedBlocks = new Uint8Array(blocks);
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
    const asked = this.blocksToRead();
    const { kind, mapcount, frameCount } = this;
    for (let block = 0; block < asked.length; block++) {
      if (asked[block] === 1) kind.fill(0, block * HPAGE_PMD_NR, Math.min(frameCount, (block + 1) * HPAGE_PMD_NR));
    }
    const scanner = new FolioScanner({ fd: flagsFd, mapcount, kind, ksmBitMeansKsm, wantSmall: false });
    const mappedAndAsked = asked.map((is, block) => is & this.blockMapped[block]);
    const [windows] = windowsOf(mappedAndAsked, frameCount, 1);
    for (let at = 0; at < windows.length; at += 2) scanner.scan(windows[at], windows[at + 1]);
    this.known = mergeFolios(this.known, scanner.found, asked);
    this.changedBlocks.fill(0);
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
    return { frames, folios, kpageflagsBytes: scanner.found.bytesRead, foliosTorn: scanner.found.torn };
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

  /** 1 for blocks that changed and for the mapped ones whose turn it is. */
  private blocksToRead(): Uint8Array {
    const asked = this.changedBlocks.slice();
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

function countIn(difference: FrameDifference, block: Int32Array, at: number, sign: 1 | -1): void {
  if ((block[BITS_AT + at] & RUN_PRESENT) === 0 || block[FRAME_AT + 2 * at + 1] !== 0) return;
  countRun(difference, block[FRAME_AT + 2 * at] >>> 0, block[PAGES_AT + at], block[STEP_AT + at], sign);
}

/**
 * Folios whose head lies outside the blocks that were read again, and those found in them, in ascending order. Of two that
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
      if (asked[Math.floor(known.headPfn[old] / HPAGE_PMD_NR)] === 0) add(known, old);
    }
    add(found, at);
  }
  for (; old < known.headPfn.length; old++) {
    if (asked[Math.floor(known.headPfn[old] / HPAGE_PMD_NR)] === 0) add(known, old);
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
