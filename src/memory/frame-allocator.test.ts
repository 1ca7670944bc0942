/**
 * The allocator against the rules of any allocator: blocks are aligned, never overlap, and come back whole.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { FrameAllocator, OutOfMemory } from "./frame-allocator.ts";
import { ANON, Frames } from "./frames.ts";

test("blocks are aligned to their size, never overlap, and freeing all gives the largest block back", () => {
  const step = fc.oneof(
    fc.record({ take: fc.constant(true), order: fc.nat(9), node: fc.nat(1) }),
    fc.record({ take: fc.constant(false), which: fc.nat(1000) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const frames = new Frames(8192, false);
      const allocator = new FrameAllocator(frames, 2, 512);
      const taken: number[] = [];
      const owner = new Map<number, number>();
      for (const one of steps) {
        if ("order" in one) {
          const head = allocator.allocateOnNode(one.order, ANON, one.node);
          if (head < 0) continue;
          expect(head % 2 ** one.order).toBe(0);
          expect(allocator.nodeOf(head)).toBe(one.node);
          for (let frame = head; frame < head + 2 ** one.order; frame++) {
            expect(owner.has(frame)).toBe(false);
            owner.set(frame, head);
            expect(frames.headOf(frame)).toBe(head);
          }
          taken.push(head);
        } else if (taken.length > 0) {
          const [head] = taken.splice(one.which % taken.length, 1);
          for (let frame = head; frame < head + 2 ** frames.order[head]; frame++) owner.delete(frame);
          allocator.free(head);
        }
      }
      for (const head of taken) allocator.free(head);
      expect(allocator.freeFrames()).toBe(8192 - 512);
      expect(allocator.allocateOnNode(12, ANON, 1)).toBe(4096);
    }),
  );
});

test("pages taken in order lie in order on a fresh machine", () => {
  const allocator = new FrameAllocator(new Frames(4096, false), 1, 512);
  const heads = Array.from({ length: 600 }, () => allocator.allocate(0, ANON, 0));
  expect(heads).toEqual(heads.map((_, i) => heads[0] + i));
});

test("a full node borrows from the other, a full machine refuses by name", () => {
  const allocator = new FrameAllocator(new Frames(2048, false), 2, 512);
  for (let i = 0; i < 3; i++) allocator.allocate(9, ANON, 1);
  expect(() => allocator.allocate(0, ANON, 1)).toThrow(OutOfMemory);
});
