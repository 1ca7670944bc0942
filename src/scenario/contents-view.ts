/**
 * What is seen through a page-table entry, a pipe or a pin, as the number of a content (memory's page-contents.ts).
 *
 * Safety is a matter of contents and not of flags: a process sees what its entry leads to, a pipe and a pin see the frames
 * that they hold, whatever the entries have come to name since. Nothing here changes the machine: no fault, no access bit.
 */
import {
  type Memory,
  type Mm,
  frameOfEntry,
  isPresent,
  isSwapEntry,
  isTable,
  offsetOfEntry,
  pmdEntryOf,
  pteIndex,
  tableOfEntry,
} from "../memory/index.ts";

const PAGE_BYTES = 4096;

/** What an entry leads to. */
export type SeenPage =
  /** A frame, or a page on swap (`frame` -1), and what it holds. */
  | { readonly kind: "page"; readonly content: number; readonly frame: number }
  /** Nothing yet: the next access faults a page in. */
  | { readonly kind: "nothing" }
  /** A marker or a poisoned page: no access gets through. */
  | { readonly kind: "closed" };

const NOTHING: SeenPage = { kind: "nothing" };
const CLOSED: SeenPage = { kind: "closed" };

/** What the process would find at a page, if it needs no new one for it. */
export function seenThroughEntry(memory: Memory, mm: Mm, page: number): SeenPage {
  const pmd = pmdEntryOf(memory, mm, page);
  const entry = isTable(pmd) ? memory.tables.get(tableOfEntry(pmd), pteIndex(page)) : pmd;
  if (entry === 0) return NOTHING;
  if (isPresent(entry)) {
    const frame = isTable(pmd) ? frameOfEntry(entry) : frameOfEntry(entry) + pteIndex(page);
    return { kind: "page", content: memory.contents.of(frame), frame };
  }
  if (!isSwapEntry(entry)) return CLOSED;
  return { kind: "page", content: contentOfSlot(memory, offsetOfEntry(entry)), frame: -1 };
}

/** A page on swap: the swap cache has it newer than the device, if it has it. */
function contentOfSlot({ swap, contents }: Memory, slot: number): number {
  const cached = swap.cache[slot];
  return cached === 0 ? swap.contents[slot] : contents.of(cached);
}

/** What a process sees from `address` on, page by page; undefined where it has no page yet. */
export function contentsSeenBy(memory: Memory, mm: Mm, address: number, lengthBytes: number): (number | undefined)[] {
  const first = Math.floor(address / PAGE_BYTES);
  const end = Math.ceil((address + lengthBytes) / PAGE_BYTES);
  return Array.from({ length: end - first }, (_, index) => {
    const seen = seenThroughEntry(memory, mm, first + index);
    return seen.kind === "page" ? seen.content : undefined;
  });
}

/** The frames of each of `pageCount` pages of a registered buffer, which may hold one frame for many (io_coalesce_buffer). */
export function framesOfRing(memory: Memory, held: readonly number[], pageCount: number): number[] {
  if (held.length === pageCount) return [...held];
  const frames: number[] = [];
  for (const first of held) {
    const end = memory.frames.headOf(first) + 2 ** memory.frames.order[first];
    for (let frame = first; frame < end && frames.length < pageCount; frame++) frames.push(frame);
  }
  return frames;
}

/** Swap entries among the pages of a range. */
export function isSwappedOut(memory: Memory, mm: Mm, address: number, lengthBytes: number): boolean {
  const first = Math.floor(address / PAGE_BYTES);
  for (let page = first; page < first + Math.ceil(lengthBytes / PAGE_BYTES); page++) {
    const seen = seenThroughEntry(memory, mm, page);
    if (seen.kind !== "page" || seen.frame !== -1) return false;
  }
  return true;
}
