/**
 * Every entry of a capture that is swapped out, as intervals of slots: who shares a slot is read off them.
 *
 * A run of such entries steps by a slot, because what is swapped out together is given slots in a row: up (32 in pagemap's
 * frame field, whose lowest five bits are the area), down, or all on one slot. Any other step is as many intervals of one
 * slot. Areas are types of swap entries (kernel/pagemap-bits.ts); which types are areas depends on the kernel's
 * configuration, so the caller says which ones it wants. Shared memory that was swapped out has no entries.
 */
import { SWAP_TYPES, SWAP_TYPE_MASK, pagemapSwapOffset } from "../kernel/index.ts";
import { BITS_AT, FRAME_AT, PAGES_AT, RUN_SWAP, type RunSource, STEP_AT } from "./run-blocks.ts";
import type { PassTables } from "./run-passes.ts";

/** Intervals of slots, a row each: slots [firstSlot, firstSlot + slots) of an area, all in entries of one VMA. */
export interface SwappedRuns {
  /** Rows in use; columns may be longer. */
  count: number;
  /** Row of the VMA. */
  vma: Int32Array;
  /** Type of the entries, 0 to 31: the area. */
  area: Uint8Array;
  firstSlot: Float64Array;
  slots: Int32Array;
}

/** Rows of a piece. */
const PIECE_ROWS = 16_384;

/** Those of one reader; `isWanted` has 1 at the types that are wanted. In pieces of shared memory. O(runs). */
export function collectSwappedRuns(
  runs: RunSource,
  { mmOfVma, mmAlive }: Pick<PassTables, "mmOfVma" | "mmAlive">,
  isWanted: Uint8Array,
): SwappedRuns[] {
  let found = emptyPiece();
  const pieces = [found];
  const add = (vma: number, area: number, firstSlot: number, slots: number): void => {
    if (found.count === PIECE_ROWS) pieces.push((found = emptyPiece()));
    const row = found.count++;
    found.vma[row] = vma;
    found.area[row] = area;
    found.firstSlot[row] = firstSlot;
    found.slots[row] = slots;
  };
  runs.forEachRun((block, at, vma) => {
    if ((block[BITS_AT + at] & RUN_SWAP) === 0 || mmAlive[mmOfVma[vma]] === 0) return;
    const low = block[FRAME_AT + 2 * at];
    const slot = pagemapSwapOffset(low, block[FRAME_AT + 2 * at + 1]);
    const area = low & SWAP_TYPE_MASK;
    const pages = block[PAGES_AT + at];
    const step = block[STEP_AT + at];
    if (pages === 1 || step === 0 || Math.abs(step) === SWAP_TYPES) {
      if (isWanted[area] === 0) return;
      const slots = step === 0 ? 1 : pages;
      add(vma, area, step < 0 ? slot - (slots - 1) : slot, slots);
      return;
    }
    for (let page = 0; page < pages; page++) {
      const value = slot * SWAP_TYPES + area + step * page;
      if (isWanted[value % SWAP_TYPES] === 1) add(vma, value % SWAP_TYPES, Math.floor(value / SWAP_TYPES), 1);
    }
  });
  return pieces;
}

function emptyPiece(): SwappedRuns {
  const bytes = (size: number): SharedArrayBuffer => new SharedArrayBuffer(PIECE_ROWS * size);
  return {
    count: 0,
    vma: new Int32Array(bytes(4)),
    area: new Uint8Array(bytes(1)),
    firstSlot: new Float64Array(bytes(8)),
    slots: new Int32Array(bytes(4)),
  };
}
