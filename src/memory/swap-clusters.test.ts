import * as fc from "fast-check";
import { expect, test } from "vitest";
import { NO_SLOT, SWAP_CLUSTER_SLOTS, SwapClusters } from "./swap-clusters.ts";

/** Clusters over a plain set of taken slots. */
function clustersOf(slotCount: number): {
  take: (order: number) => number;
  free: (slot: number, n: number) => void;
  taken: Set<number>;
} {
  const taken = new Set([0]);
  const clusters = new SwapClusters(slotCount, (slot) => taken.has(slot) || slot >= slotCount);
  return {
    taken,
    take: (order) => {
      const slot = clusters.allocate(order);
      if (slot !== NO_SLOT) for (let i = 0; i < 2 ** order; i++) taken.add(slot + i);
      return slot;
    },
    free: (slot, n) => {
      for (let i = 0; i < n; i++) {
        taken.delete(slot + i);
        clusters.release(slot + i);
      }
    },
  };
}

test("single slots begin behind the header, each larger order in a cluster of its own", () => {
  const { take } = clustersOf(8 * SWAP_CLUSTER_SLOTS);
  expect([take(0), take(4), take(0), take(9), take(4), take(2)]).toEqual([1, 0x200, 2, 0x400, 0x210, 0x600]);
});

test("a cluster that became free goes to the end of the queue, though the order stopped in it", () => {
  const { take, free } = clustersOf(4 * SWAP_CLUSTER_SLOTS);
  expect(take(4)).toBe(0x200);
  free(0x200, 16);
  expect([take(4), take(9), take(9)]).toEqual([0x400, 0x600, 0x200]);
});

test("slots that came back in a cluster of the order go before free clusters", () => {
  const { take, free } = clustersOf(8 * SWAP_CLUSTER_SLOTS);
  for (let i = 1; i < SWAP_CLUSTER_SLOTS; i++) expect(take(0)).toBe(i);
  free(5, 2);
  expect([take(0), take(0), take(0)]).toEqual([5, 6, 0x200]);
});

test("single slots are taken from clusters of large orders when there is nothing else; a large order then fails", () => {
  const { take, free, taken } = clustersOf(2 * SWAP_CLUSTER_SLOTS);
  expect(take(4)).toBe(0x200);
  for (let i = 0; i < 511; i++) take(0);
  expect(take(0)).toBe(0x210);
  while (take(0) !== NO_SLOT) expect(taken.size).toBeLessThanOrEqual(2 * SWAP_CLUSTER_SLOTS);
  expect(taken.size).toBe(2 * SWAP_CLUSTER_SLOTS);
  free(0x203, 1);
  expect(take(4)).toBe(NO_SLOT);
  expect(take(0)).toBe(0x203);
});

test("no slot is handed out twice, blocks are aligned, and single slots are found as long as there are any", () => {
  const step = fc.oneof(fc.constantFrom(0, 0, 0, 2, 4, 9), fc.constant("free" as const));
  fc.assert(
    fc.property(fc.array(fc.tuple(step, fc.nat()), { maxLength: 400 }), (steps) => {
      const slotCount = 3 * SWAP_CLUSTER_SLOTS;
      const { take, free, taken } = clustersOf(slotCount);
      const held: { slot: number; n: number }[] = [];
      for (const [what, choice] of steps) {
        if (what === "free") {
          const [block] = held.splice(choice % Math.max(1, held.length), 1);
          if (block !== undefined) free(block.slot, block.n);
          continue;
        }
        const before = taken.size;
        const slot = take(what);
        if (slot === NO_SLOT) {
          expect(what > 0 || before === slotCount).toBe(true);
          continue;
        }
        expect(slot % 2 ** what).toBe(0);
        expect(taken.size).toBe(before + 2 ** what);
        held.push({ slot, n: 2 ** what });
      }
    }),
  );
});
