/**
 * Page tables against plain arrays of 512 numbers: whether a table is a run or spread out is nobody's business but its own.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  LEAF_FLAGS,
  NEXT_FRAME,
  PTE_DIRTY,
  PTE_WRITE,
  PTE_YOUNG,
  PageTables,
  frameOfEntry,
  notPresentEntry,
  offsetOfEntry,
  presentEntry,
  typeOfEntry,
} from "./page-table.ts";

const flagsArbitrary = fc
  .integer({ min: 0, max: 7 })
  .map((bits) => (bits & 1 ? PTE_WRITE : 0) | (bits & 2 ? PTE_DIRTY : 0) | (bits & 4 ? PTE_YOUNG : 0));

const stepArbitrary = fc.oneof(
  fc.record({ kind: fc.constant("set"), index: fc.nat(511), frame: fc.nat(100_000), flags: flagsArbitrary }),
  fc.record({ kind: fc.constant("empty"), index: fc.nat(511) }),
  fc.record({ kind: fc.constant("run"), frame: fc.nat(100_000), flags: flagsArbitrary }),
  fc.record({
    kind: fc.constant("batch"),
    index: fc.nat(511),
    n: fc.nat(512),
    frame: fc.nat(100_000),
    flags: flagsArbitrary,
  }),
  fc.record({ kind: fc.constant("clear"), index: fc.nat(511), n: fc.nat(512) }),
  fc.record({ kind: fc.constant("fold") }),
);

test("a table answers as 512 plain words would, whatever was written and in whatever way", () => {
  fc.assert(
    fc.property(fc.array(stepArbitrary, { maxLength: 30 }), (steps) => {
      const tables = new PageTables();
      const other = tables.allocate();
      const table = tables.allocate();
      const plain = Array<number>(512).fill(0);
      for (const step of steps) {
        if (step.kind === "set") {
          plain[step.index] = presentEntry(step.frame, step.flags);
          tables.set(table, step.index, plain[step.index]);
        } else if (step.kind === "empty") {
          plain[step.index] = 0;
          tables.set(table, step.index, 0);
        } else if (step.kind === "fold") tables.fold(table);
        else if (step.kind === "run") {
          for (let i = 0; i < 512; i++) plain[i] = presentEntry(step.frame + i, step.flags);
          tables.setRun(table, plain[0]);
        } else {
          const n = Math.min(step.n, 512 - step.index);
          const first = step.kind === "batch" ? presentEntry(step.frame, step.flags) : 0;
          for (let i = 0; i < n; i++) plain[step.index + i] = first === 0 ? 0 : first + i * NEXT_FRAME;
          if (first === 0) tables.clearBatch(table, step.index, n);
          else tables.setBatch(table, step.index, n, first);
        }
      }
      expect(plain.map((_, index) => tables.get(table, index))).toEqual(plain);
      expect(tables.usedEntries(table)).toBe(plain.filter((entry) => entry !== 0).length);
      expect(tables.usedEntries(other)).toBe(0);
    }),
  );
});

test("an entry gives back what it was made of, up to the largest frame and slot", () => {
  const entry = presentEntry(2 ** 25 - 1, PTE_WRITE | PTE_DIRTY);
  expect(frameOfEntry(entry)).toBe(2 ** 25 - 1);
  expect(entry & LEAF_FLAGS & ~3).toBe(PTE_WRITE | PTE_DIRTY);
  const swap = notPresentEntry(4, 2 ** 22 - 1, 0);
  expect(typeOfEntry(swap)).toBe(4);
  expect(offsetOfEntry(swap)).toBe(2 ** 22 - 1);
});

test("a freed table comes back empty", () => {
  const tables = new PageTables();
  const table = tables.allocate();
  tables.setRun(table, presentEntry(512, 0));
  tables.free(table);
  const again = tables.allocate();
  expect(again).toBe(table);
  expect(tables.get(again, 7)).toBe(0);
  expect(tables.usedBytes()).toBe(10);
});
