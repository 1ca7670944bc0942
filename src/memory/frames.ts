/**
 * Physical memory: one row a page frame, one typed array a column. A folio is its head frame number.
 *
 *     column     bytes  meaning
 *     order        1    of the folio that the frame belongs to, in every one of its frames
 *     state        2    bits 0-2 the kind, the rest page flags; on the head, but for OWNER_2 and HWPOISON
 *     rmapKey      4    folio->mapping and folio->index in one word (rmap-key.ts), on the head
 *
 * Folios are naturally aligned, so head = frame & ~((1 << order) - 1). Mapcounts are not here: whoever counts keeps them
 * (kernel-counts.ts). Reference counts are not stored either: a reference is held by each mapping, by the page cache or
 * the swap cache, by PG_private, or by somebody named in `extra` (kernel-facts 1.7). What few folios have (pins, plain
 * references, mlock_count, poison) lies in maps beside the columns, and the flag RARE says that there is something.
 */
import { type FolioKind, GUP_PIN_COUNTING_BIAS } from "../kernel/index.ts";
import { assert } from "./assert.ts";

/** The kinds of a frame. FREE frames are the allocator's. */
export const FREE = 0;
export const ANON = 1;
export const KSM = 2;
export const FILE = 3;
export const SHMEM = 4;
export const HUGETLB_FILE = 5;
export const HUGETLB_ANON = 6;
/** The zero page and the huge zero folio: mapped, never counted (kernel-facts 3.1). */
export const ZERO = 7;
export type FrameKind = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;
/** The bits of `state` that are the kind. */
export const KIND_MASK = 7;

/** PG_owner_2: PageAnonExclusive of an anonymous page (each page its own), mappedtodisk of a file's (kernel-facts 1.6). */
export const OWNER_2 = 1 << 3;
export const DIRTY = 1 << 4;
export const REFERENCED = 1 << 5;
export const LRU = 1 << 6;
export const ACTIVE = 1 << 7;
export const SWAPBACKED = 1 << 8;
export const UNEVICTABLE = 1 << 9;
export const MLOCKED = 1 << 10;
export const SWAPCACHE = 1 << 11;
export const UPTODATE = 1 << 12;
/** PG_partially_mapped: on the deferred split queue because a page was unmapped (kernel-facts 2.7). */
export const PARTIALLY_MAPPED = 1 << 13;
export const RECLAIM = 1 << 14;
/** Something about this frame lies in the maps `extra` or `poisoned`. */
const RARE = 1 << 15;

/** What few folios have. */
export interface FolioExtra {
  /** FOLL_PIN pins (kernel-facts 1.5): each holds one reference of a large folio, 1,024 of a small one. */
  pins: number;
  /** Plain references: FOLL_GET, pipes, isolation. */
  gets: number;
  /** PG_private: the buffers of a file system, one reference. */
  hasPrivate: boolean;
  /** VM_LOCKED mappings counted on the unevictable list; may count too few (kernel-facts 2.12). */
  mlockCount: number;
}

/** The columns. `count` is fixed: it is the size of the machine. */
export class Frames {
  readonly count: number;
  readonly order: Uint8Array;
  readonly state: Uint16Array;
  /** The same memory two frames at a time, for loops over large folios. */
  private readonly statePairs: Int32Array;
  readonly rmapKey: Int32Array;
  /** What a page holds, by number (page-contents.ts); 0: zeros. Absent if contents are not kept. */
  readonly contents: Int32Array | undefined;
  private readonly extra = new Map<number, FolioExtra>();
  private readonly poisoned = new Set<number>();

  constructor(count: number, keepContents: boolean) {
    this.count = count;
    this.order = new Uint8Array(count);
    this.state = new Uint16Array(count + (count & 1));
    this.statePairs = new Int32Array(this.state.buffer);
    this.rmapKey = new Int32Array(count);
    this.contents = keepContents ? new Int32Array(count) : undefined;
  }

  /** The first frame of the folio that holds this frame. */
  headOf(frame: number): number {
    return frame & ~((1 << this.order[frame]) - 1);
  }

  kindOf(frame: number): FrameKind {
    return (this.state[this.headOf(frame)] & KIND_MASK) as FrameKind;
  }

  setKind(head: number, kind: FrameKind): void {
    this.state[head] = (this.state[head] & ~KIND_MASK) | kind;
  }

  /** folio_test_anon: KSM pages and private hugetlb pages are anonymous too. */
  isAnon(head: number): boolean {
    const kind = this.state[head] & KIND_MASK;
    return kind === ANON || kind === KSM || kind === HUGETLB_ANON;
  }

  isHugetlb(head: number): boolean {
    const kind = this.state[head] & KIND_MASK;
    return kind === HUGETLB_ANON || kind === HUGETLB_FILE;
  }

  has(frame: number, flag: number): boolean {
    return (this.state[frame] & flag) !== 0;
  }

  set(frame: number, flag: number): void {
    this.state[frame] |= flag;
  }

  clear(frame: number, flag: number): void {
    this.state[frame] &= ~flag;
  }

  /** Sets or clears a flag of `n` consecutive frames (PageAnonExclusive of a batch). */
  setRange(frame: number, n: number, flag: number): void {
    const { state, statePairs } = this;
    if (((frame | n) & 1) !== 0) {
      for (let at = frame; at < frame + n; at++) state[at] |= flag;
      return;
    }
    const both = (flag << 16) | flag;
    for (let at = frame >> 1; at < (frame + n) >> 1; at++) statePairs[at] |= both;
  }

  clearRange(frame: number, n: number, flag: number): void {
    const { state, statePairs } = this;
    if (((frame | n) & 1) !== 0) {
      for (let at = frame; at < frame + n; at++) state[at] &= ~flag;
      return;
    }
    const kept = ~((flag << 16) | flag);
    for (let at = frame >> 1; at < (frame + n) >> 1; at++) statePairs[at] &= kept;
  }

  /** The folio's extra references and marks, or undefined if it has none. */
  extraOf(head: number): Readonly<FolioExtra> | undefined {
    return (this.state[head] & RARE) === 0 ? undefined : this.extra.get(head);
  }

  /** Changes what few folios have; forgets the entry when nothing is left of it. */
  changeExtra(head: number, change: (extra: FolioExtra) => void): void {
    const extra = this.extra.get(head) ?? { pins: 0, gets: 0, hasPrivate: false, mlockCount: 0 };
    change(extra);
    assert(extra.pins >= 0 && extra.gets >= 0 && extra.mlockCount >= 0, "extra references are never negative");
    if (extra.pins === 0 && extra.gets === 0 && !extra.hasPrivate && extra.mlockCount === 0) {
      this.extra.delete(head);
      if (!this.poisoned.has(head)) this.state[head] &= ~RARE;
      return;
    }
    this.extra.set(head, extra);
    this.state[head] |= RARE;
  }

  /** References beside those of mappings and of the page or swap cache: 0 for nearly all folios. */
  extraReferences(head: number): number {
    const extra = this.extraOf(head);
    if (extra === undefined) return 0;
    const perPin = this.order[head] === 0 ? GUP_PIN_COUNTING_BIAS : 1;
    return extra.gets + (extra.hasPrivate ? 1 : 0) + extra.pins * perPin;
  }

  setPoisoned(frame: number): void {
    this.poisoned.add(frame);
    this.state[frame] |= RARE;
  }

  clearPoisoned(frame: number): void {
    this.poisoned.delete(frame);
    if (!this.extra.has(frame)) this.state[frame] &= ~RARE;
  }

  /** PG_hwpoison of this very page. */
  isPoisoned(frame: number): boolean {
    return (this.state[frame] & RARE) !== 0 && this.poisoned.has(frame);
  }

  /** Makes `1 << order` free frames one folio without flags, filled with zeros. */
  prepare(head: number, order: number, kind: FrameKind): void {
    if (order > 0) this.order.fill(order, head, head + (1 << order));
    this.state[head] = kind;
  }

  /** Makes a folio's frames free ones again: small, without flags, zeros. */
  retire(head: number): void {
    const order = this.order[head];
    this.state[head] = FREE;
    if (order > 0) {
      const end = head + (1 << order);
      this.order.fill(0, head, end);
      this.state.fill(0, head, end);
    }
    this.contents?.fill(0, head, head + (1 << order));
  }
}

/** How kernel/ names the kind. */
export function folioKindOf(kind: FrameKind): FolioKind {
  return KIND_OF_FRAME[kind];
}
const KIND_OF_FRAME: readonly FolioKind[] = [0, 1, 2, 3, 4, 5, 5, 6];
