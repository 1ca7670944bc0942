import { expect, test } from "vitest";
import { createTestMachine } from "../../test/memory/machine.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, mmapRegion, munmapRange } from "./map.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { frameOfEntry, isPresent } from "./page-table.ts";
import { pmdEntryOf, pteOf } from "./table-walk.ts";
import { allowableOrders, thpEligible } from "./thp-orders.ts";
import { touchPages } from "./touch.ts";
import { VM_HUGEPAGE, VM_NOHUGEPAGE, VM_READ, VM_WRITE, type Vma } from "./vma.ts";

const BASE = 0x200000;
const PAGE = 4096;

function mapped(memory: Memory, page: number, count: number): { mm: Mm; vma: Vma } {
  const mm = memory.createMm("P");
  const request = { prot: VM_READ | VM_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, pgoff: 0 };
  mmapRegion(memory, mm, page, count, request);
  const vma = mm.findVma(page);
  if (vma === undefined) throw new Error("not mapped");
  return { mm, vma };
}

/** The order of the folio that a write at `page` gets. */
function orderAt(memory: Memory, mm: Mm, page: number, isWrite = true): number {
  touchPages(memory, mm, page * PAGE, 1, PAGE, isWrite ? () => 1n : undefined);
  const pmd = pmdEntryOf(memory, mm, page);
  return memory.frames.order[frameOfEntry(isPresent(pmd) ? pmd : pteOf(memory, mm, page))];
}

test("a fault takes the largest allowed size whose aligned block lies in the VMA", () => {
  const memory = createTestMachine("page");
  memory.thp.size[2] = memory.thp.size[4] = memory.thp.size[9] = "always";
  const { mm } = mapped(memory, BASE + 4, 1024);
  expect(orderAt(memory, mm, BASE + 5)).toBe(2);
  expect(orderAt(memory, mm, BASE + 31)).toBe(4);
  expect(orderAt(memory, mm, BASE + 600)).toBe(9);
  expect(orderAt(memory, mm, BASE + 1027)).toBe(2);
});

test("a page that is there, even the zero page, makes the block around it smaller", () => {
  const memory = createTestMachine("page");
  memory.thp.size[4] = "always";
  const { mm } = mapped(memory, BASE, 64);
  orderAt(memory, mm, BASE + 3, false);
  expect(orderAt(memory, mm, BASE + 4)).toBe(0);
  expect(orderAt(memory, mm, BASE + 16)).toBe(4);
});

test("an empty page table is enough to rule a PMD entry out", () => {
  const memory = createTestMachine("page");
  const { mm } = mapped(memory, BASE, 512);
  orderAt(memory, mm, BASE);
  memory.thp.size[9] = "always";
  expect(orderAt(memory, mm, BASE + 8)).toBe(0);
  munmapRange(memory, mm, BASE, 512);
  const fresh = mapped(memory, BASE, 512);
  expect(orderAt(memory, fresh.mm, BASE + 8)).toBe(9);
});

test("reading where a huge page may be maps the huge zero folio", () => {
  const memory = createTestMachine("page");
  memory.thp.size[9] = "always";
  const { mm } = mapped(memory, BASE, 512);
  expect(orderAt(memory, mm, BASE, false)).toBe(9);
  expect(frameOfEntry(pmdEntryOf(memory, mm, BASE))).toBe(memory.hugeZeroHead);
  orderAt(memory, mm, BASE + 7);
  expect(frameOfEntry(pmdEntryOf(memory, mm, BASE))).not.toBe(memory.hugeZeroHead);
});

test("a size follows its own switch, the hint, and the global switch if it inherits", () => {
  const memory = createTestMachine("nopage");
  const { vma } = mapped(memory, BASE, 512);
  memory.thp.size[4] = "madvise";
  memory.thp.size[5] = "inherit";
  memory.thp.size[6] = "always";
  expect(allowableOrders(memory, vma, "fault")).toBe(1 << 6);
  vma.flags |= VM_HUGEPAGE;
  expect(allowableOrders(memory, vma, "fault")).toBe((1 << 4) | (1 << 5) | (1 << 6));
  memory.thp.enabled = "never";
  expect(allowableOrders(memory, vma, "fault")).toBe((1 << 4) | (1 << 6));
  vma.flags = (vma.flags & ~VM_HUGEPAGE) | VM_NOHUGEPAGE;
  expect(allowableOrders(memory, vma, "fault")).toBe(0);
});

test("THPeligible wants the last aligned block to fit, and drops only the orders above the first that does", () => {
  const memory = createTestMachine("page");
  memory.thp.size[9] = "always";
  const { vma } = mapped(memory, BASE + 1, 512);
  expect(thpEligible(memory, vma)).toBe(false);
  memory.thp.size[8] = "always";
  expect(allowableOrders(memory, vma, "smaps")).toBe(1 << 8);
});
