/**
 * Reading and writing swap (mm/page_io.c): the ram disk answers at once, so a page is never under writeback at rest.
 *
 * A folio of zeros is not written: its slots say so in the zeromap, and reading them costs no I/O.
 */
import { HPAGE_PMD_ORDER } from "../kernel/index.ts";
import { DIRTY, type FrameKind, SWAPBACKED, UPTODATE } from "./frames.ts";
import { addToLru } from "./lru.ts";
import type { Memory } from "./memory.ts";
import { refaultToWorkingset } from "./workingset.ts";

/** swap_writeout: the folio's contents go to its slots; it is clean then. */
export function writeToSwap(memory: Memory, head: number, slot: number): void {
  const { frames, swap, contents, statistics } = memory;
  const order = frames.order[head];
  const n = 2 ** order;
  let isZero = contents.isKept;
  for (let i = 0; i < n; i++) {
    swap.contents[slot + i] = contents.of(head + i);
    if (isZero && !contents.isZero(head + i)) isZero = false;
  }
  swap.isZero.fill(isZero ? 1 : 0, slot, slot + n);
  frames.clear(head, DIRTY);
  if (isZero) return;
  statistics.count("pswpout", n);
  if (order >= HPAGE_PMD_ORDER) statistics.count("thp_swpout");
}

/** A new folio with what lies at `slot` and behind it, on the list where the page's last absence puts it. */
export function readFromSwap(memory: Memory, slot: number, order: number, kind: FrameKind, node: number): number {
  const { frames, swap, contents, events } = memory;
  const head = memory.allocator.allocate(order, kind, node);
  events.created(head, order, false);
  frames.set(head, SWAPBACKED | UPTODATE);
  refaultToWorkingset(memory, head, swap.shadows[slot]);
  addToLru(memory, head);
  for (let i = 0; i < 2 ** order; i++) contents.set(head + i, swap.contents[slot + i]);
  if (swap.isZero[slot] === 0) memory.statistics.count("pswpin", 2 ** order);
  return head;
}
