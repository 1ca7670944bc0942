import { expect, test } from "vitest";
import { createTestMachine } from "../../test/memory/machine.ts";
import { EINVAL, ENOENT, ENOMEM, ESRCH } from "./errno.ts";
import { exitMm } from "./exit.ts";
import { forkMm } from "./fork.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, mmapRegion } from "./map.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { PTE_UFFD_WP, PTE_WRITE } from "./page-table.ts";
import { pteOf } from "./table-walk.ts";
import { touchPages } from "./touch.ts";
import { userfaultWriteProtect } from "./uffd-wp.ts";
import { VM_READ, VM_UFFD_WP, VM_WRITE } from "./vma.ts";

const BASE = 0x200000;
const PAGE = 4096;

function process(memory: Memory): Mm {
  const mm = memory.createMm("A");
  const request = { prot: VM_READ | VM_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, pgoff: 0 };
  expect(mmapRegion(memory, mm, BASE, 16, request)).toBe(BASE);
  expect(touchPages(memory, mm, BASE * PAGE, 8 * PAGE, PAGE, () => 1n)).toBe("ok");
  return mm;
}

function protect(memory: Memory, mm: Mm, page: number, count: number, on = true): number {
  return userfaultWriteProtect(memory, mm, page * PAGE, count * PAGE, on);
}

test("registration splits the VMA; present pages are protected, holes are not", () => {
  const memory = createTestMachine("page");
  const mm = process(memory);
  expect(protect(memory, mm, BASE + 4, 8)).toBe(0);
  expect(mm.vmas.map((vma) => [vma.start - BASE, vma.has(VM_UFFD_WP)])).toEqual([
    [0, false],
    [4, true],
    [12, false],
  ]);
  const bits = [3, 4, 7, 8].map((i) => pteOf(memory, mm, BASE + i) & (PTE_UFFD_WP | PTE_WRITE));
  expect(bits).toEqual([PTE_WRITE, PTE_UFFD_WP, PTE_UFFD_WP, 0]);
});

test("what is taken back may be written again at once if it is exclusive, and stays registered", () => {
  const memory = createTestMachine("page");
  const mm = process(memory);
  protect(memory, mm, BASE, 16);
  expect(protect(memory, mm, BASE, 2, false)).toBe(0);
  expect(pteOf(memory, mm, BASE) & (PTE_UFFD_WP | PTE_WRITE)).toBe(PTE_WRITE);
  expect(mm.findVma(BASE)?.has(VM_UFFD_WP)).toBe(true);
});

test("the walk ends at the first VMA that is not registered, and what was before it is done", () => {
  const memory = createTestMachine("page");
  const mm = process(memory);
  protect(memory, mm, BASE, 4);
  expect(protect(memory, mm, BASE + 1, 8, false)).toBe(-ENOENT);
  expect(pteOf(memory, mm, BASE + 1) & PTE_UFFD_WP).toBe(0);
  expect(pteOf(memory, mm, BASE) & PTE_UFFD_WP).not.toBe(0);
});

test("a child's entries are not protected, and its inherited descriptor acts on the parent", () => {
  const memory = createTestMachine("page");
  const mm = process(memory);
  protect(memory, mm, BASE, 4);
  const child = forkMm(memory, mm, "B");
  expect(pteOf(memory, child, BASE) & PTE_UFFD_WP).toBe(0);
  expect(protect(memory, child, BASE, 1, false)).toBe(0);
  expect(pteOf(memory, mm, BASE) & PTE_UFFD_WP).toBe(0);
  exitMm(memory, mm);
  expect(protect(memory, child, BASE, 1, false)).toBe(-ESRCH);
  expect(protect(memory, child, BASE, 1)).toBe(-ENOMEM);
});

test("bad ranges and shared memory are refused", () => {
  const memory = createTestMachine("page");
  const mm = process(memory);
  expect(userfaultWriteProtect(memory, mm, BASE * PAGE + 1, PAGE, true)).toBe(-EINVAL);
  expect(protect(memory, mm, BASE, 0)).toBe(-EINVAL);
  expect(protect(memory, mm, BASE + 1000, 4)).toBe(-EINVAL);
  const request = { prot: VM_READ | VM_WRITE, flags: MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, pgoff: 0 };
  expect(mmapRegion(memory, mm, BASE + 512, 4, request)).toBe(BASE + 512);
  expect(protect(memory, mm, BASE + 512, 4)).toBe(-EINVAL);
});
