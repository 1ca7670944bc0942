/**
 * Who shares swap with whom: every slot that entries hold belongs to the set of address spaces that hold it.
 *
 * After a fork both tables have an entry for each slot (kernel-facts 5, "Swap entries: swap_map +1"), and the slot is free
 * when the last of them goes. The ends of all intervals of slots, sorted, are swept once, as sharing-sets.ts does it with
 * frames. What is not here: swapped shared memory, which has no entries, and slots that a page in the swap cache keeps.
 */
import type { Capture, SwappedRuns } from "../capture/index.ts";
import { SWAP_KIND_SWAP, SWAP_TYPES, swapTypeTable } from "../kernel/index.ts";
import { MmSets, MmTally } from "./mm-sets.ts";
import { type KeyedWords, sortByKey } from "./radix-sort.ts";
import { swapLayoutOf } from "./swap-layout.ts";

/** The sets of a capture and the slots of each; numbered and listed as in SharingSets. */
export interface SwapSets {
  readonly count: number;
  readonly firstMember: Int32Array;
  readonly members: Int32Array;
  /** Slots that exactly the members hold, a page each. */
  readonly slots: Float64Array;
}

/** The keys of the sort have 32 bits: slots of all areas together, 16 TiB. */
const SLOTS_MAX = 2 ** 32 - 2;

/** A machine with more swap than this program counts; in one sentence. */
export class TooMuchSwap extends Error {
  constructor() {
    super(`The swap entries reach beyond slot ${SLOTS_MAX} (16 TiB of swap): who shares them cannot be counted.`);
    this.name = "TooMuchSwap";
  }
}

/**
 * Finds the sets. A machine where nobody has swap costs nothing: its entries are not looked at. O(runs + intervals + sum of
 * the sizes of the sets met). Throws TooMuchSwap, TooManySharingSets.
 */
export async function collectSwapSets(
  capture: Pick<Capture, "machine" | "mmAlive" | "mmOfVma" | "processes" | "swappedRuns">,
): Promise<SwapSets> {
  const hasSwap = capture.processes.some(({ state, status }) => state === "complete" && status.vmSwapBytes !== 0);
  const isArea = swapTypeTable(swapLayoutOf(capture.machine)).map((kind) => (kind === SWAP_KIND_SWAP ? 1 : 0));
  const parts = hasSwap ? await capture.swappedRuns(isArea) : [];
  return sweep(endsOf(parts, capture.mmOfVma), capture.mmAlive.length);
}

/** The two ends of every interval by slot, each sorted; the word is the row of the mm. */
interface SlotEnds {
  readonly starts: KeyedWords;
  readonly ends: KeyedWords;
}

function endsOf(parts: readonly SwappedRuns[], mmOfVma: Int32Array): SlotEnds {
  const { bases, end } = placeAreas(parts);
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  const empty = (): KeyedWords => ({ keys: new Uint32Array(count), words: new Int32Array(count) });
  const [starts, ends] = [empty(), empty()];
  let at = 0;
  for (const { count: rows, vma, area, firstSlot, slots } of parts) {
    for (let row = 0; row < rows; row++) {
      const first = bases[area[row]] + firstSlot[row];
      starts.keys[at] = first;
      ends.keys[at] = first + slots[row];
      starts.words[at] = ends.words[at] = mmOfVma[vma[row]];
      at++;
    }
  }
  return { starts: sortByKey(starts, end + 1, empty()), ends: sortByKey(ends, end + 1, empty()) };
}

/** One numbering for the slots of all areas, one area behind the other. */
function placeAreas(parts: readonly SwappedRuns[]): { readonly bases: Float64Array; readonly end: number } {
  const sizes = new Float64Array(SWAP_TYPES);
  for (const { count, area, firstSlot, slots } of parts) {
    for (let row = 0; row < count; row++) {
      sizes[area[row]] = Math.max(sizes[area[row]], firstSlot[row] + slots[row]);
    }
  }
  const bases = new Float64Array(SWAP_TYPES);
  let end = 0;
  for (const [area, size] of sizes.entries()) {
    bases[area] = end;
    end += size;
  }
  if (end > SLOTS_MAX) throw new TooMuchSwap();
  return { bases, end };
}

function sweep({ starts, ends }: SlotEnds, rows: number): SwapSets {
  const sets = new MmSets();
  const tally = new MmTally(rows);
  const slots: number[] = [];
  const count = starts.keys.length;
  let start = 0;
  let from = 0;
  for (let end = 0; end < count;) {
    const at = start < count && starts.keys[start] < ends.keys[end] ? starts.keys[start] : ends.keys[end];
    if (at > from && tally.size > 0) {
      const set = sets.find(tally);
      slots[set] = (slots[set] ?? 0) + at - from;
    }
    while (end < count && ends.keys[end] === at) tally.leave(ends.words[end++]);
    while (start < count && starts.keys[start] === at) tally.enter(starts.words[start++]);
    from = at;
  }
  const { firstMember, members } = sets;
  return { count: sets.count, firstMember, members, slots: Float64Array.from(slots) };
}
