/**
 * VMAs, page tables and counts under random histories of mmap, munmap, mprotect, mremap, mlock, fork and exit: whatever is
 * done, VMAs stay sorted and apart, every entry lies in a VMA, and every count is what the page tables say.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { createTestCountedMachine } from "./machine.ts";
import type { CountedMachine } from "../../src/scenario/index.ts";
import { checkMachine } from "../../src/scenario/index.ts";
import { exitMm } from "../../src/memory/exit.ts";
import { forkMm } from "../../src/memory/fork.ts";
import { drainLru } from "../../src/memory/lru-batches.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, mmapRegion, munmapRange } from "../../src/memory/map.ts";
import { mlockRange, munlockRange } from "../../src/memory/mlock.ts";
import type { Mm } from "../../src/memory/mm.ts";
import { mprotectRange } from "../../src/memory/mprotect.ts";
import { mremapRegion } from "../../src/memory/mremap.ts";
import { ENTRIES_PER_TABLE, isTable, tableOfEntry } from "../../src/memory/page-table.ts";
import { touchPages } from "../../src/memory/touch.ts";
import { changeVmaFlags } from "../../src/memory/vma-change.ts";
import { VM_DONTCOPY, VM_HUGEPAGE, VM_READ, VM_WIPEONFORK, VM_WRITE } from "../../src/memory/vma.ts";

const BASE = 0x200000;
const SPAN = 2048;
const PAGE = 4096;
const PROT_READ_WRITE = VM_READ | VM_WRITE;

const range = { page: fc.nat(SPAN - 1), count: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(512, 1024)) };
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("write", "read"), ...range }) },
  fc.record({
    kind: fc.constantFrom("map", "unmap", "protectRead", "protectWrite", "lock", "unlock", "huge"),
    ...range,
  }),
  fc.record({ kind: fc.constantFrom("dontcopy", "wipe"), ...range }),
  fc.record({ kind: fc.constantFrom("move", "moveKeeping"), ...range, to: fc.nat(SPAN - 1) }),
  fc.record({ kind: fc.constantFrom("fork", "exit"), page: fc.nat(7), count: fc.constant(0) }),
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** One step by the process that the step's number names. */
function run(machine: CountedMachine, mms: Mm[], which: number, taken: Step): void {
  const { memory } = machine;
  const mm = mms[which % mms.length];
  const page = BASE + taken.page;
  const { count } = taken;
  switch (taken.kind) {
    case "write":
    case "read":
      for (const vma of mm.vmasIn(page, page + count)) {
        if (!vma.has(taken.kind === "write" ? VM_WRITE : VM_READ)) continue;
        const start = Math.max(page, vma.start);
        const length = Math.min(page + count, vma.end) - start;
        touchPages(memory, mm, start * PAGE, length * PAGE, PAGE, taken.kind === "write" ? () => 1n : undefined);
      }
      return;
    case "map":
      mmapRegion(memory, mm, page, count, {
        prot: PROT_READ_WRITE,
        flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
        pgoff: 0,
      });
      return;
    case "unmap":
      munmapRange(memory, mm, page, count);
      return;
    case "protectRead":
    case "protectWrite":
      mprotectRange(memory, mm, page, count, taken.kind === "protectRead" ? VM_READ : PROT_READ_WRITE);
      return;
    case "lock":
      mlockRange(memory, mm, page, Math.min(count, 40), { onFault: true });
      return;
    case "unlock":
      munlockRange(memory, mm, page, count);
      return;
    case "huge":
      changeVmaFlags(memory, mm, page, page + count, (vma) => vma.flags | VM_HUGEPAGE);
      return;
    case "dontcopy":
      changeVmaFlags(memory, mm, page, page + count, (vma) => vma.flags ^ VM_DONTCOPY);
      return;
    case "wipe":
      changeVmaFlags(memory, mm, page, page + count, (vma) => vma.flags ^ VM_WIPEONFORK);
      return;
    case "move":
    case "moveKeeping":
      mremapRegion(memory, mm, page, count, count, {
        newPage: BASE + taken.to,
        dontUnmap: taken.kind === "moveKeeping",
      });
      return;
    case "fork":
      if (mms.length < 4) mms.push(forkMm(memory, mm, "child"));
      return;
    case "exit":
      if (mms.length === 1) return;
      mms.splice(mms.indexOf(mm), 1);
      exitMm(memory, mm);
  }
}

/** Sorted, apart, and no page table outside the reach of a VMA. */
function checkAddressSpace(machine: CountedMachine, mm: Mm): void {
  let end = 0;
  for (const vma of mm.vmas) {
    expect(vma.start).toBeGreaterThanOrEqual(end);
    expect(vma.end).toBeGreaterThan(vma.start);
    expect(vma.anonVma === undefined || vma.anonVmaChain.includes(vma.anonVma)).toBe(true);
    for (const anonVma of vma.anonVmaChain) expect(anonVma.vmas.has(vma)).toBe(true);
    end = vma.end;
  }
  for (const { page, table } of pteTables(machine, mm)) {
    for (let i = 0; i < ENTRIES_PER_TABLE; i++) {
      if (machine.memory.tables.get(table, i) !== 0) expect(mm.findVma(page + i)).toBeDefined();
    }
  }
}

function pteTables({ memory: { tables } }: CountedMachine, mm: Mm): { page: number; table: number }[] {
  const found: { page: number; table: number }[] = [];
  const walk = (table: number, level: number, page: number): void => {
    const size = ENTRIES_PER_TABLE ** level;
    for (let i = 0; i < ENTRIES_PER_TABLE; i++) {
      const entry = tables.get(table, i);
      if (!isTable(entry)) continue;
      if (level === 1) found.push({ page: page + i * size, table: tableOfEntry(entry) });
      else walk(tableOfEntry(entry), level - 1, page + i * size);
    }
  };
  walk(mm.pgd, 3, 0);
  return found;
}

test.each(["page", "nopage"] as const)("no history of address spaces makes a count wrong (%s)", (config) => {
  const property = fc.property(
    fc.array(fc.tuple(fc.nat(7), step), { maxLength: 40 }),
    fc.constantFrom(0, 2, 4, 9),
    (steps, order) => {
      const machine = createTestCountedMachine(config);
      if (order > 0) machine.memory.thp.size[order] = "always";
      const mms = [machine.memory.createMm("A")];
      const free = machine.memory.allocator.freeFrames();
      const flags = MAP_PRIVATE | MAP_ANONYMOUS;
      mmapRegion(machine.memory, mms[0], BASE, SPAN, { prot: PROT_READ_WRITE, flags, pgoff: 0 });
      for (const [which, taken] of steps) {
        run(machine, mms, which, taken);
        checkMachine(machine);
        for (const mm of mms) checkAddressSpace(machine, mm);
      }
      for (const mm of mms) exitMm(machine.memory, mm);
      drainLru(machine.memory);
      const zeroFolio = machine.memory.hugeZeroHead === 0 ? 0 : ENTRIES_PER_TABLE;
      expect(machine.memory.allocator.freeFrames()).toBe(free - zeroFolio);
    },
  );
  fc.assert(property, { numRuns: 20 });
});
