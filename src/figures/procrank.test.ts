import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ProcrankAccount } from "./procrank.ts";
import { redisCopyOnWriteBytes } from "./redis-copy-on-write.ts";

function procrankOf(counts: readonly number[]): ProcrankAccount {
  const account = new ProcrankAccount();
  for (const count of counts) account.addPage(count);
  return account;
}

test("three pages that three processes map are 4,095 bytes of Pss to procrank, and none of Uss", () => {
  expect(procrankOf([3, 3, 3])).toMatchObject({ pssBytes: 4095, ussBytes: 0 });
});

test("a page alone is all of it, and a zero page nothing", () => {
  expect(procrankOf([1, 0])).toMatchObject({ pssBytes: 4096, ussBytes: 4096 });
});

test("an average of 1 makes shared pages private, and private ones half a page each with an average of 2", () => {
  // Four pages, of which two are mapped twice: 6 entries average to 2.
  expect(procrankOf([2, 2, 1, 1])).toMatchObject({ pssBytes: 12_288, ussBytes: 8192 });
  expect(procrankOf([2, 2, 2, 2])).toMatchObject({ pssBytes: 8192, ussBytes: 0 });
});

test("Uss is never above Pss, and Pss never above what is mapped", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(5000), { maxLength: 200 }), (counts) => {
      const { pssBytes, ussBytes } = procrankOf(counts);
      expect(ussBytes).toBeLessThanOrEqual(pssBytes);
      expect(pssBytes).toBeLessThanOrEqual(counts.length * 4096);
      expect(Number.isInteger(pssBytes)).toBe(true);
    }),
  );
});

test("Redis adds up Private_Dirty of all VMAs, and nothing else", () => {
  expect(redisCopyOnWriteBytes([])).toBe(0);
  expect(
    redisCopyOnWriteBytes([
      { Private_Dirty: 64, Private_Clean: 8, Shared_Dirty: 4032 },
      { Private_Dirty: 4, Pss: 4 },
      { Rss: 0 },
    ]),
  ).toBe(69_632);
});
