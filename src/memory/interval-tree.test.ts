/**
 * Interval trees against a list: the same content in the same order, the same overlaps, and few nodes looked at.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type Interval, IntervalTree } from "./interval-tree.ts";
import { createTestMachine } from "../../test/memory/machine.ts";
import { forkMm } from "./fork.ts";
import { MAP_FIXED, MAP_SHARED, mmapRegion, munmapRange } from "./map.ts";
import { mprotectRange } from "./mprotect.ts";
import { createShmem } from "./shmem.ts";
import { VM_READ, VM_WRITE } from "./vma.ts";

function inOrder(a: Interval, b: Interval): number {
  return a.pgoff - b.pgoff || a.treePlace - b.treePlace;
}

const change = fc.record({
  pgoff: fc.integer({ min: 0, max: 60 }),
  length: fc.integer({ min: 1, max: 40 }),
  deletes: fc.option(fc.nat(), { freq: 2 }),
});
const range = fc.record({ first: fc.integer({ min: 0, max: 110 }), length: fc.integer({ min: 1, max: 30 }) });

test("a tree holds and finds what a list does, in the list's order, after any insertions and removals", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 200 }), fc.array(range, { maxLength: 8 }), (changes, ranges) => {
      const tree = new IntervalTree<Interval>();
      const list: Interval[] = [];
      for (const [at, { pgoff, length, deletes }] of changes.entries()) {
        if (deletes !== null && list.length > 0) {
          const [gone] = list.splice(deletes % list.length, 1);
          expect(tree.delete(gone)).toBe(true);
          expect(tree.delete(gone)).toBe(false);
        } else {
          const item = { pgoff, lastPgoff: pgoff + length - 1, treePlace: at };
          tree.add(item);
          list.push(item);
          list.sort(inOrder);
        }
      }
      tree.check();
      expect(tree.size).toBe(list.length);
      expect([...tree]).toEqual(list);
      for (const { first, length } of ranges) {
        const last = first + length - 1;
        const overlapping = list.filter((item) => item.pgoff <= last && item.lastPgoff >= first);
        expect(tree.overlapping(first, last)).toEqual(overlapping);
      }
    }),
  );
});

test("a search stops at the item that ends it, and has looked at nothing behind", () => {
  const tree = new IntervalTree<Interval>();
  for (let at = 0; at < 100; at++) tree.add({ pgoff: 0, lastPgoff: 9, treePlace: at });
  const costs = { treeNodes: 0 };
  const seen: number[] = [];
  const isDone = tree.visitOverlapping(
    0,
    9,
    ({ treePlace }) => {
      seen.push(treePlace);
      return treePlace < 4;
    },
    costs,
  );
  expect(isDone).toBe(false);
  expect(seen).toEqual([0, 1, 2, 3, 4]);
  expect(costs.treeNodes).toBeLessThanOrEqual(5 + 8);
});

test("one of ten thousand neighbours is found by looking at the nodes on the way to it, not at all of them", () => {
  const tree = new IntervalTree<Interval>();
  for (let at = 0; at < 10_000; at++) tree.add({ pgoff: at * 16, lastPgoff: at * 16 + 15, treePlace: at });
  tree.check();
  let most = 0;
  for (let at = 0; at < 10_000; at += 97) {
    const costs = { treeNodes: 0 };
    const found: number[] = [];
    tree.visitOverlapping(at * 16 + 3, at * 16 + 5, ({ pgoff }) => found.push(pgoff) > 0, costs);
    expect(found).toEqual([at * 16]);
    most = Math.max(most, costs.treeNodes);
  }
  // An AVL tree of 10,000 nodes is at most 18 high, and one child more is looked at on each level at most.
  expect(most).toBeLessThanOrEqual(2 * 18);
});

test("ten thousand VMAs of one file are split, merged, forked and unmapped, and its tree is the list of those that are there", () => {
  const memory = createTestMachine("page");
  const mm = memory.createMm("A");
  const file = createShmem(memory, "/memfd:a", 20_000 * 4096);
  const start = 0x200000;
  const flags = MAP_SHARED | MAP_FIXED;
  const prot = VM_READ | VM_WRITE;
  expect(mmapRegion(memory, mm, start, 20_000, { prot, flags, pgoff: 0, file })).toBe(start);
  for (let at = 1; at < 20_000; at += 2) expect(mprotectRange(memory, mm, start + at, 1, VM_READ)).toBe(0);
  expect(file.vmas.size).toBe(20_000);
  file.vmas.check();
  expect([...file.vmas]).toEqual(mm.vmas);
  const child = forkMm(memory, mm, "B");
  expect(file.vmas.size).toBe(40_000);
  expect(file.vmas.overlapping(777, 777).map((vma) => vma.mm)).toEqual([mm, child]);
  expect(munmapRange(memory, child, start, 20_000)).toBe(0);
  for (let at = 1; at < 20_000; at += 2) expect(mprotectRange(memory, mm, start + at, 1, prot)).toBe(0);
  expect(file.vmas.size).toBe(1);
  expect(file.vmas.overlapping(19_999, 30_000)).toEqual(mm.vmas);
});
