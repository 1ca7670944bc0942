/**
 * Sub-ids that cannot collide: the record's number of values for each order, and no collision where there is most room.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LEVEL_PTE } from "../kernel/index.ts";
import { rmapDigitBits, rmapId, rmapValuesOfOrder } from "./rmap-id.ts";
import { NO, YES } from "./scheme.ts";

test("values of 64 bits by order, as the author's mail has them", () => {
  const last = [2, 5, 9, 10, 12, 15, 21, 30];
  expect(last.map((order) => rmapValuesOfOrder(order))).toEqual([1, 2, 3, 4, 5, 6, 8, 12]);
  expect(last.slice(0, -1).map((order) => rmapValuesOfOrder(order + 1))).toEqual([2, 3, 4, 5, 6, 8, 12]);
});

test("they hold 24 bits of id, but for orders 8 and 9, where base 2^order + 1 leaves 21", () => {
  for (let order = 1; order <= 30; order++) {
    const bits = rmapDigitBits(order) * rmapValuesOfOrder(order);
    if (order === 8 || order === 9) expect(bits).toBe(21);
    else expect(bits, `order ${order}`).toBeGreaterThanOrEqual(24);
  }
});

describe("any mixture of address spaces is shared to each of them", () => {
  test.each([1, 2, 5, 9, 10, 12])("order %d", (order) => {
    const pages = 2 ** order;
    const mostBits = Math.min(24, rmapDigitBits(order) * rmapValuesOfOrder(order));
    // Ids near one another and ids of few bits are those whose averages meet.
    const id = fc.oneof(
      fc.nat(15),
      fc.nat(2 ** mostBits - 1),
      fc.nat(mostBits - 1).map((bit) => 2 ** bit),
    );
    const shares = fc.array(fc.record({ mm: id, entries: fc.integer({ min: 1, max: pages }) }), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(shares, id, (wanted, stranger) => {
        const counter = rmapId.createCounter({ frameCount: pages, orders: [order] });
        const entriesOf = new Map<number, number>();
        let total = 0;
        for (const { mm, entries } of wanted) {
          const given = Math.min(entries, pages - total);
          if (given === 0) continue;
          counter.add(0, 0, given, LEVEL_PTE, 0, 0, mm);
          entriesOf.set(mm, (entriesOf.get(mm) ?? 0) + given);
          total += given;
        }
        const expected = entriesOf.size > 1 ? YES : NO;
        for (const mm of entriesOf.keys()) expect(counter.others(0, mm)).toBe(expected);
        if (total > 1 && !entriesOf.has(stranger)) expect(counter.others(0, stranger)).toBe(YES);
      }),
    );
  });
});

test("two entries of mm 2 are not one of mm 1 and one of mm 3", () => {
  const counter = rmapId.createCounter({ frameCount: 4, orders: [2] });
  counter.add(0, 0, 1, LEVEL_PTE, 0, 0, 1);
  counter.add(0, 1, 1, LEVEL_PTE, 0, 0, 3);
  expect(counter.others(0, 2)).toBe(YES);
});

test("an address space too many is refused", () => {
  const counter = rmapId.createCounter({ frameCount: 512, orders: [9] });
  expect(() => counter.add(0, 0, 1, LEVEL_PTE, 0, 0, 2 ** 21)).toThrow(/no rmap id left/);
});
