/**
 * Two owner slots and the shared bit: "I have it mapped, does anybody else?" in constant state (Hildenbrand, Linux 6.15).
 *
 * A large folio keeps its total number of entries, two (mm id, entries) slots and one bit. Invariants at rest
 * (kernel-facts 2.2): a slot is free exactly when its count is zero; the slots' sum never exceeds the total; the bit
 * clear and the folio mapped means that one slot has all entries, so "exclusive" is never wrong. The bit set may be
 * stale: a third mm, which got no slot, can outlive both owners (kernel-facts 2.5).
 *
 * Counts here are natural numbers; the kernel stores them minus one. All steps of one call are one critical section of
 * the kernel's bit spinlock.
 */
import type { FolioColumns } from "../kernel/index.ts";
import { HPAGE_PMD_ORDER, KIND_HUGETLB, OBSERVED_EXCLUSIVE, OBSERVED_UNKNOWN } from "../kernel/index.ts";
import type { Meter } from "./meter.ts";
import { type Answer, EITHER, NO, YES } from "./scheme.ts";

/** A slot's owner is an mm's number plus one; this is a free slot, as MM_ID_DUMMY is to the kernel. */
export const NO_OWNER = 0;

/** The slots of the folios whose head frame is below `count`. Nothing is touched before a folio is mapped. */
export class OwnerSlots {
  /** Page-table entries mapping any part (the kernel's _large_mapcount + 1). */
  readonly entries: Int32Array;
  readonly ownerA: Int32Array;
  readonly ownerB: Int32Array;
  readonly entriesA: Int32Array;
  readonly entriesB: Int32Array;
  readonly sharedBit: Uint8Array;

  constructor(count: number) {
    this.entries = new Int32Array(count);
    this.ownerA = new Int32Array(count);
    this.ownerB = new Int32Array(count);
    this.entriesA = new Int32Array(count);
    this.entriesB = new Int32Array(count);
    this.sharedBit = new Uint8Array(count);
  }

  /** folio_add_return_large_mapcount: n entries of `mm` appear; returns the new total. */
  add(folio: number, n: number, mm: number): number {
    const owner = mm + 1;
    const total = (this.entries[folio] += n);
    if (this.ownerA[folio] === owner) this.entriesA[folio] += n;
    else if (this.ownerB[folio] === owner) this.entriesB[folio] += n;
    else if (this.ownerA[folio] === NO_OWNER) {
      this.ownerA[folio] = owner;
      this.entriesA[folio] = n;
      if (total !== n) this.sharedBit[folio] = 1;
    } else if (this.ownerB[folio] === NO_OWNER) {
      this.ownerB[folio] = owner;
      this.entriesB[folio] = n;
      this.sharedBit[folio] = 1;
    }
    return total;
  }

  /** folio_sub_return_large_mapcount: n entries of `mm` disappear; returns the new total. */
  subtract(folio: number, n: number, mm: number): number {
    const owner = mm + 1;
    const total = (this.entries[folio] -= n);
    if (this.ownerA[folio] === owner) {
      // A slot that still has entries ends the call: the bit is not looked at again.
      if ((this.entriesA[folio] -= n) > 0) return total;
      this.entriesA[folio] = 0;
      this.ownerA[folio] = NO_OWNER;
    } else if (this.ownerB[folio] === owner) {
      if ((this.entriesB[folio] -= n) > 0) return total;
      this.entriesB[folio] = 0;
      this.ownerB[folio] = NO_OWNER;
    }
    if (this.entriesA[folio] === total || this.entriesB[folio] === total) this.sharedBit[folio] = 0;
    return total;
  }

  /** folio_maybe_mapped_shared of a large folio: one entry is never shared, whatever the bit says. */
  maybeMappedShared(folio: number): Answer {
    if (this.entries[folio] <= 1) return NO;
    return this.sharedBit[folio] === 1 ? YES : NO;
  }

  /** The slots as [mm, entries, mm, entries]; mm -1 is a free slot. */
  owners(folio: number): readonly [number, number, number, number] {
    return [this.ownerA[folio] - 1, this.entriesA[folio], this.ownerB[folio] - 1, this.entriesB[folio]];
  }
}

/** The costs of one add or subtract: the lock, the words under it, one change of the reference count. */
export function chargeOwnerSlots(meter: Meter): void {
  meter.chargeReferences();
  meter.chargeLargeMapcountLock();
  // The large mapcount, both ids in one word, the count of a slot.
  meter.chargePlain(3, 2);
}

/**
 * What folio_maybe_mapped_shared may answer about a large folio at rest: every value that some history could have left
 * (docs/history.md has the argument and its one exception; test/conformance/history.test.ts searches all short lives).
 *
 * - two address spaces: the bit is set, because a clear bit means that one slot has all entries;
 * - one entry: not shared, whatever the bit;
 * - one address space with more entries: both values, unless its head page is exclusively its own and the folio is
 *   smaller than a PMD entry. Exclusiveness was given when this mm held all entries in a slot; it never lost that slot
 *   since, so whoever came and went, the last to go cleared the bit. Under a PMD entry exclusiveness is given by the
 *   reference count alone, to an mm without a slot too, and outlives the entry's split.
 *
 * Mappings outside belong to an unknown number of address spaces that were not read, and their level is unknown.
 */
export function sharedAtRest(folios: FolioColumns, row: number): Answer {
  const observed = folios.observed[row];
  if (observed !== OBSERVED_UNKNOWN) return observed === OBSERVED_EXCLUSIVE ? NO : YES;
  const entries = folios.entries[row];
  const outside = folios.mappedOutside[row];
  const order = folios.order[row];
  // A hugetlb entry maps the whole folio, so it shows outside as that many pages.
  if (folios.kind[row] === KIND_HUGETLB) return entries + outside / 2 ** order > 1 ? YES : NO;
  if (folios.mmCount[row] + (outside > 0 ? 1 : 0) >= 2) return YES;
  if (entries + outside <= 1) return NO;
  if (outside > 0) return EITHER;
  return folios.headExclusive[row] === 1 && order < HPAGE_PMD_ORDER ? NO : EITHER;
}
