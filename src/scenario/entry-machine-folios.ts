/**
 * The folios of the entry machine: which frames they have, and every reference to them that is no mapping.
 *
 * A folio is its head frame, naturally aligned. Frames are handed out from the bottom up; those of a freed folio serve the
 * next one of the same order. References other than mappings' have a holder each (kernel-facts 1.7): the page cache holds
 * one a page, a pin one of a large folio and 1,024 of a small one, everybody else one.
 */
import { GUP_PIN_COUNTING_BIAS } from "../kernel/index.ts";
import { FREE, type FrameKind } from "../memory/index.ts";
import type { ReferenceView } from "../schemes/index.ts";

interface Holders {
  gets: number;
  pins: number;
}

/** Frames, and who holds their folios beside page tables. */
export class EntryFolios implements ReferenceView {
  readonly frameCount: number;
  /** Of the folio that each frame belongs to. */
  readonly orders: Uint8Array;
  /** By head: page-table entries that map any part. */
  readonly entries: Int32Array;
  private readonly kinds: Uint8Array;
  private readonly isCached: Uint8Array;
  private readonly holders = new Map<number, Holders>();
  private readonly freeHeads: number[][] = [];
  private firstUnused = 0;

  constructor(frameCount: number) {
    this.frameCount = frameCount;
    this.orders = new Uint8Array(frameCount);
    this.entries = new Int32Array(frameCount);
    this.kinds = new Uint8Array(frameCount);
    this.isCached = new Uint8Array(frameCount);
  }

  /** Frames below this one have been handed out at some time. */
  get framesUsed(): number {
    return this.firstUnused;
  }

  /** Takes the frames for a folio: at `head` or, without it, wherever there are some. Throws when there are none. */
  take(order: number, kind: FrameKind, head: number | undefined): number {
    const size = 2 ** order;
    const at = head ?? this.findFree(order) ?? Math.ceil(this.firstUnused / size) * size;
    if (at % size !== 0) throw new Error(`invariant: a folio of order ${order} is aligned, and ${at} is not`);
    if (at + size > this.frameCount) {
      throw new RangeError(`The machine has no ${size} frames left for a folio; it has ${this.frameCount} in all.`);
    }
    if (!this.areFree(at, size)) throw new Error(`invariant: frames are free before folio ${at} takes them`);
    this.orders.fill(order, at, at + size);
    this.kinds.fill(kind, at, at + size);
    this.firstUnused = Math.max(this.firstUnused, at + size);
    return at;
  }

  /** Gives the frames back; nothing refers to the folio any more. */
  giveBack(head: number): void {
    const order = this.orders[head];
    this.kinds.fill(FREE, head, head + 2 ** order);
    this.orders.fill(0, head, head + 2 ** order);
    (this.freeHeads[order] ??= []).push(head);
  }

  /** A head whose folio of this order was freed, unless others have taken its frames since. */
  private findFree(order: number): number | undefined {
    const heads = this.freeHeads[order] ?? [];
    for (let head = heads.pop(); head !== undefined; head = heads.pop()) {
      if (this.areFree(head, 2 ** order)) return head;
    }
    return undefined;
  }

  private areFree(from: number, count: number): boolean {
    for (let frame = from; frame < from + count; frame++) if (this.kinds[frame] !== FREE) return false;
    return true;
  }

  headOf(frame: number): number {
    return frame - (frame % 2 ** this.orders[frame]);
  }

  kindOf(frame: number): FrameKind {
    return this.kinds[frame] as FrameKind;
  }

  setCached(head: number, isCached: boolean): void {
    this.isCached[head] = isCached ? 1 : 0;
  }

  /** Changes the plain references and pins of a folio; neither goes below zero. */
  hold(head: number, gets: number, pins: number): void {
    const holders = this.holders.get(head) ?? { gets: 0, pins: 0 };
    holders.gets += gets;
    holders.pins += pins;
    if (holders.gets < 0 || holders.pins < 0) throw new Error(`invariant: folio ${head} drops references that it has`);
    if (holders.gets === 0 && holders.pins === 0) this.holders.delete(head);
    else this.holders.set(head, holders);
  }

  /** References of those who are neither page tables nor caches. */
  extraReferences(folio: number): number {
    const holders = this.holders.get(folio);
    if (holders === undefined) return 0;
    return holders.gets + holders.pins * (this.orders[folio] === 0 ? GUP_PIN_COUNTING_BIAS : 1);
  }

  references(folio: number): number {
    return this.cacheReferences(folio) + this.extraReferences(folio);
  }

  cacheReferences(folio: number): number {
    return this.isCached[folio] === 0 ? 0 : 2 ** this.orders[folio];
  }

  pins(folio: number): number {
    return this.holders.get(folio)?.pins ?? 0;
  }

  /** True if neither entries nor anybody else refers to the folio. */
  isUnused(head: number): boolean {
    return this.entries[head] === 0 && this.isCached[head] === 0 && !this.holders.has(head);
  }
}
