/**
 * Reads kpageflags around the frames that are mapped and finds the folios there.
 *
 * A large folio is a frame flagged as compound head and the compound tails behind it; its order is the length's binary
 * logarithm. All flags but head, tail, buddy and poison come from the head (kernel-facts 3.9). Windows are blocks of 512
 * frames, so folios up to PMD size lie wholly inside one; a window that opens on a tail belongs to a gigantic hugetlb
 * folio, whose head is looked for at the aligned frames below. The flags are read after the page tables: a compound whose
 * length is no power of two, or that is not aligned, or tails without a head, were changing under the reader and are
 * counted as torn.
 */
import { readSync } from "node:fs";
import {
  type FolioKind,
  HPAGE_PMD_NR,
  KIND_NONE,
  KPF_BUDDY,
  KPF_COMPOUND_HEAD,
  KPF_COMPOUND_TAIL,
  KPF_OWNER_2_HIGH,
  KPF_PGTABLE,
  KPF_SLAB,
  frameKind,
  isAnonKind,
} from "../kernel/index.ts";
import { FRAME_LARGE } from "./frame-table.ts";

/** Frames read by one system call: 256 KiB. */
const BUFFER_FRAMES = 32_768;
/** Frames of a grain, which may be scanned by itself. */
const GRAIN_FRAMES = 64;
const GIGANTIC_ORDER_MAX = 18;
/** A frame with one of these was freed and put to other use after the page table that maps it was read. */
const NEVER_MAPPED = KPF_BUDDY | KPF_SLAB | KPF_PGTABLE;

/** What a scan found, as plain columns for the way between threads. */
export interface FoundFolios {
  headPfn: number[];
  order: number[];
  kind: number[];
  headExclusive: number[];
  /** Heads' flags, low and high word. */
  flagsLow: number[];
  flagsHigh: number[];
  /** Runs of small mapped frames with equal flags, if asked for. */
  small: SmallFrameRuns;
  torn: number;
  bytesRead: number;
}

/** Runs of small mapped frames with equal flags. */
export interface SmallFrameRuns {
  pfn: number[];
  frames: number[];
  flagsLow: number[];
  flagsHigh: number[];
}

/** Scans windows of kpageflags; one per thread. */
export class FolioScanner {
  private readonly bytes = Buffer.allocUnsafeSlow(BUFFER_FRAMES * 8);
  private readonly words = new Int32Array(this.bytes.buffer, this.bytes.byteOffset, BUFFER_FRAMES * 2);
  private readonly one = Buffer.allocUnsafeSlow(8);
  private readonly fd: number;
  private readonly mapcount: Int32Array;
  private readonly kind: Uint8Array;
  private readonly ksmBitMeansKsm: boolean;
  private readonly wantSmall: boolean;
  readonly found: FoundFolios = {
    headPfn: [],
    order: [],
    kind: [],
    headExclusive: [],
    flagsLow: [],
    flagsHigh: [],
    small: { pfn: [], frames: [], flagsLow: [], flagsHigh: [] },
    torn: 0,
    bytesRead: 0,
  };

  constructor(options: {
    fd: number;
    mapcount: Int32Array;
    kind: Uint8Array;
    /** False on kernels that set KPF_KSM on every anonymous page. */
    ksmBitMeansKsm: boolean;
    /** Also collect the flags of small frames: a capture file keeps them. */
    wantSmall: boolean;
  }) {
    this.fd = options.fd;
    this.mapcount = options.mapcount;
    this.kind = options.kind;
    this.ksmBitMeansKsm = options.ksmBitMeansKsm;
    this.wantSmall = options.wantSmall;
  }

  /** Scans frames [start, start + count); both multiples of 512 but for the end of memory. */
  scan(start: number, count: number): void {
    for (let pfn = start; pfn < start + count; pfn += BUFFER_FRAMES) {
      const wanted = Math.min(BUFFER_FRAMES, start + count - pfn);
      const got = readSync(this.fd, this.bytes, 0, wanted * 8, pfn * 8) >>> 3;
      this.found.bytesRead += got * 8;
      this.decode(pfn, got);
      if (got < wanted) return;
    }
  }

  /**
   * Scans the 64 frames from `start` on, a multiple of 64, by themselves. Returns false, and changes nothing, where a large
   * folio may reach over their edge: one that begins before them, or fills them all (a smaller one is aligned to its size).
   */
  scanGrain(start: number): boolean {
    const { words } = this;
    const got = readSync(this.fd, this.bytes, 0, GRAIN_FRAMES * 8, start * 8) >>> 3;
    this.found.bytesRead += got * 8;
    if (got === 0) return true;
    if ((words[0] & KPF_COMPOUND_TAIL) !== 0) return false;
    if ((words[0] & KPF_COMPOUND_HEAD) !== 0) {
      let index = 1;
      while (index < got && (words[2 * index] & KPF_COMPOUND_TAIL) !== 0) index++;
      if (index === got) return false;
    }
    const end = Math.min(start + got, this.kind.length);
    this.kind.fill(0, start, end);
    this.decode(start, end - start);
    return true;
  }

  private decode(base: number, count: number): void {
    const { words, kind, mapcount } = this;
    let index = 0;
    if (count > 0 && (words[0] & KPF_COMPOUND_TAIL) !== 0) index = this.skipGiganticTail(base, count);
    while (index < count) {
      const low = words[2 * index];
      const high = words[2 * index + 1];
      if ((low & (KPF_COMPOUND_HEAD | KPF_COMPOUND_TAIL)) === 0) {
        if (mapcount[base + index] !== 0) {
          kind[base + index] = (low & NEVER_MAPPED) !== 0 ? KIND_NONE : frameKind(low, high, this.ksmBitMeansKsm);
          if (this.wantSmall) this.addSmall(base + index, low, high);
        }
        index++;
        continue;
      }
      const head = index++;
      while (index < count && (words[2 * index] & KPF_COMPOUND_TAIL) !== 0) index++;
      if ((low & KPF_COMPOUND_HEAD) === 0) {
        this.found.torn++;
        continue;
      }
      let length = index - head;
      if (index === count && length >= HPAGE_PMD_NR) length = this.giganticLength(base + head, length);
      this.addLarge(base + head, length, low, high);
    }
  }

  /** A window opens inside a folio: finds its head, records it once, and returns the index behind its tails. */
  private skipGiganticTail(base: number, count: number): number {
    const { words } = this;
    let index = 0;
    while (index < count && (words[2 * index] & KPF_COMPOUND_TAIL) !== 0) index++;
    for (let order = 10; order <= GIGANTIC_ORDER_MAX; order++) {
      const head = Math.floor(base / 2 ** order) * 2 ** order;
      const flags = this.readOne(head);
      if (flags === undefined || (flags.low & KPF_COMPOUND_HEAD) === 0) continue;
      const length = this.giganticLength(head, HPAGE_PMD_NR);
      if (head + length > base) this.addLarge(head, length, flags.low, flags.high);
      return index;
    }
    this.found.torn++;
    return index;
  }

  /**
   * Length of a folio of which at least the first `known` frames are: doubled while the frame behind is a tail. A window
   * may end anywhere in it, so doubling begins at a length that a folio can have.
   */
  private giganticLength(head: number, known: number): number {
    let length = 2 ** Math.floor(Math.log2(known));
    while (length < 2 ** GIGANTIC_ORDER_MAX) {
      const flags = this.readOne(head + length);
      if (flags === undefined || (flags.low & KPF_COMPOUND_TAIL) === 0) break;
      length *= 2;
    }
    return length;
  }

  private readOne(pfn: number): { low: number; high: number } | undefined {
    if (readSync(this.fd, this.one, 0, 8, pfn * 8) < 8) return undefined;
    this.found.bytesRead += 8;
    return { low: this.one.readInt32LE(0), high: this.one.readInt32LE(4) };
  }

  private addLarge(head: number, length: number, low: number, high: number): void {
    const { kind, mapcount, found } = this;
    const end = Math.min(head + length, mapcount.length);
    let mapped = false;
    for (let pfn = head; pfn < end && !mapped; pfn++) mapped = mapcount[pfn] !== 0;
    if (!mapped) return;
    if (found.headPfn[found.headPfn.length - 1] === head) return;
    const order = Math.log2(length);
    // Folios are aligned to their size.
    if (!Number.isInteger(order) || head % length !== 0) {
      found.torn++;
      return;
    }
    if ((low & NEVER_MAPPED) !== 0) return;
    const folioKind: FolioKind = frameKind(low, high, this.ksmBitMeansKsm);
    kind.fill(folioKind | FRAME_LARGE, head, end);
    found.headPfn.push(head);
    found.order.push(order);
    found.kind.push(folioKind);
    const exclusive = isAnonKind(folioKind) && (high & KPF_OWNER_2_HIGH) !== 0 && mapcount[head] > 0;
    found.headExclusive.push(exclusive ? 1 : 0);
    found.flagsLow.push(low);
    found.flagsHigh.push(high);
  }

  private addSmall(pfn: number, low: number, high: number): void {
    const { small } = this.found;
    const last = small.pfn.length - 1;
    if (
      last >= 0 &&
      small.pfn[last] + small.frames[last] === pfn &&
      small.flagsLow[last] === low &&
      small.flagsHigh[last] === high
    ) {
      small.frames[last] += 1;
      return;
    }
    small.pfn.push(pfn);
    small.frames.push(1);
    small.flagsLow.push(low);
    small.flagsHigh.push(high);
  }
}
