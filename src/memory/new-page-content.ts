/**
 * How a new page gets its content, and what that costs: copied from another page, or cleared.
 *
 * New frames hold zeros in the model, so clearing changes nothing; but the kernel clears each page before a process may see
 * it, and that is most of what a first touch costs. Whoever watches the work is told of both, in pages of 4 KiB.
 */
import type { Memory } from "./memory.ts";

/** copy_user_highpage, folio_mc_copy: `pageCount` frames from `to` on hold what those from `from` on hold. */
export function copyPages(memory: Memory, from: number, to: number, pageCount: number): void {
  memory.contents.copy(from, to, pageCount);
  memory.watch?.did("page-copied", pageCount);
}

/** clear_user_highpage, folio_zero_user: tells of pages that are handed out cleared. */
export function tellZeroed(memory: Memory, pageCount: number): void {
  memory.watch?.did("page-zeroed", pageCount);
}
