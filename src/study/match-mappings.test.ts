import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type MapsVma, parseMapsText } from "../kernel/index.ts";
import { matchMappings } from "./match-mappings.ts";

/** Mappings as maps prints them, in short: "start-end perms offset name". */
function vmasOf(...lines: readonly string[]): MapsVma[] {
  const text = lines.map((line) => {
    const [range, perms, offset, name = ""] = line.split(" ");
    return `${range.replaceAll(/[0-9a-f]+/g, (page) => `${page}000`)} ${perms} ${offset} 00:00 0 ${name}\n`;
  });
  return parseMapsText(text.join(""));
}

const pairsOf = (a: MapsVma[], b: MapsVma[], sameSpace: boolean): number[] => [
  ...matchMappings(a, b, { sameSpace }).ofA,
];

test("one address under one name is one mapping, whatever became of its end and rights", () => {
  const a = vmasOf("10-20 rw-p 0 [heap]", "40-50 r--p 0 /lib/a");
  const b = vmasOf("10-30 rw-p 0 [heap]", "35-38 rw-p 0", "40-50 rw-p 0 /lib/a");
  expect(pairsOf(a, b, true)).toEqual([0, 2]);
});

test("a stack that grew downwards is the same, and a file that was deleted too", () => {
  const a = vmasOf("40-50 r--p 0 /lib/a", "90-a0 rw-p 0 [stack]");
  const b = vmasOf("40-50 r--p 0 /lib/a", "80-a0 rw-p 0 [stack]");
  const deleted = b.map((vma) => (vma.name === "/lib/a" ? { ...vma, name: "/lib/a (deleted)" } : vma));
  expect(pairsOf(a, deleted, true)).toEqual([0, 1]);
});

test("anonymous memory elsewhere in one address space is other memory; in another one it is matched in order", () => {
  const [a, b] = [vmasOf("10-20 rw-p 0", "40-50 rw-p 0"), vmasOf("60-70 rw-p 0", "80-90 rw-p 0")];
  expect(pairsOf(a, b, true)).toEqual([-1, -1]);
  expect(pairsOf(a, b, false)).toEqual([0, 1]);
});

test("a library loaded again is matched part by part, and equal size goes before order", () => {
  const a = vmasOf("10-12 r-xp 0 /lib/a", "12-14 rw-p 2000 /lib/a", "20-28 rw-p 0", "30-31 rw-p 0");
  const b = vmasOf("50-51 rw-p 0", "60-62 rw-p 2000 /lib/a", "70-72 r-xp 0 /lib/a", "80-88 rw-p 0");
  expect(pairsOf(a, b, false)).toEqual([2, 1, 3, 0]);
  expect(pairsOf(a, b, true)).toEqual([2, 1, -1, -1]);
});

test("what differs in rights or offset is another part of a library", () => {
  const a = vmasOf("10-12 r-xp 0 /lib/a", "12-14 rw-p 0 /lib/a", "14-16 rw-p 2000 /lib/a");
  const b = vmasOf("50-53 rw-p 2000 /lib/a", "60-63 rw-p 0 /lib/a", "70-73 r-xp 0 /lib/a");
  for (const sameSpace of [true, false]) expect(pairsOf(a, b, sameSpace)).toEqual([2, 1, 0]);
});

/** Mappings that do not overlap, in order. */
const spaces = fc
  .array(
    fc.record({
      gap: fc.nat(3),
      pages: fc.integer({ min: 1, max: 4 }),
      perms: fc.constantFrom("rw-p", "r--p"),
      name: fc.constantFrom("", "[heap]", "/lib/a", "/lib/b"),
    }),
    { maxLength: 8 },
  )
  .map((parts) => {
    let page = 16;
    const lines = parts.map(({ gap, pages, perms, name }) => {
      const start = page + gap;
      page = start + pages;
      return `${start.toString(16)}-${page.toString(16)} ${perms} 0 ${name}`.trimEnd();
    });
    return vmasOf(...lines);
  });

test("every mapping has one match at most, of its own name, and exchanging the sides exchanges the answer", () => {
  fc.assert(
    fc.property(spaces, spaces, fc.boolean(), (a, b, sameSpace) => {
      const there = matchMappings(a, b, { sameSpace });
      const back = matchMappings(b, a, { sameSpace });
      expect([...back.ofA]).toEqual([...there.ofB]);
      for (const [rowA, rowB] of there.ofA.entries()) {
        if (rowB < 0) continue;
        expect(there.ofB[rowB]).toBe(rowA);
        expect(b[rowB].name).toBe(a[rowA].name);
      }
      expect(there.pairs()).toHaveLength(a.length + b.length - there.ofA.filter((row) => row >= 0).length);
      expect([...matchMappings(a, a, { sameSpace }).ofA]).toEqual([...a.keys()]);
    }),
  );
});
