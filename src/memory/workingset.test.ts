import { expect, test } from "vitest";
import { createTestMachine } from "../../test/memory/machine.ts";
import { ACTIVE, ANON } from "./frames.ts";
import type { Memory } from "./memory.ts";
import { swapOn } from "./swap.ts";
import { NO_SHADOW, evictFromWorkingset, refaultToWorkingset } from "./workingset.ts";

/** Is a page active that returns after `others` more pages of its node were reclaimed? */
function isActiveAfter(memory: Memory, others: number, node = 0): boolean {
  const head = memory.allocator.allocate(0, ANON, node);
  const shadow = evictFromWorkingset(memory, head);
  for (let i = 0; i < others; i++) evictFromWorkingset(memory, head);
  memory.frames.clear(head, ACTIVE);
  refaultToWorkingset(memory, head, shadow);
  return memory.frames.has(head, ACTIVE);
}

test("a page that comes back soon is active, one that was long away is not", () => {
  const memory = createTestMachine("page");
  swapOn(memory, "/dev/ram1");
  expect(isActiveAfter(memory, 0)).toBe(true);
  expect(isActiveAfter(memory, 400)).toBe(true);
  expect(isActiveAfter(memory, 4000)).toBe(false);
});

test("on a node where nothing else lies no page returns soon enough", () => {
  const memory = createTestMachine("page");
  swapOn(memory, "/dev/ram1");
  expect(isActiveAfter(memory, 0, 1)).toBe(false);
});

test("a page without a shadow begins inactive", () => {
  const memory = createTestMachine("page");
  const head = memory.allocator.allocate(0, ANON, 0);
  refaultToWorkingset(memory, head, NO_SHADOW);
  expect(memory.frames.has(head, ACTIVE)).toBe(false);
});

test("a large folio ages its node by all of its pages", () => {
  const memory = createTestMachine("page");
  evictFromWorkingset(memory, memory.allocator.allocate(9, ANON, 1));
  expect(memory.workingset.ages).toEqual([0, 512]);
});
