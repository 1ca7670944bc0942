/**
 * Keys against pairs of (mapping, index): what goes in comes out, and nothing stays behind.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type Mapping, RmapKeys } from "./rmap-key.ts";

test("a key names its mapping and index until it is released, and the last release of a span forgets it", () => {
  const mappings: Mapping[] = Array.from({ length: 3 }, () => ({ spans: new Map() }));
  const step = fc.record({ mapping: fc.nat(2), index: fc.nat(2000), release: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const keys = new RmapKeys();
      const held: { key: number; mapping: Mapping; index: number }[] = [];
      for (const { mapping, index, release } of steps) {
        held.push({ key: keys.acquire(mappings[mapping], index), mapping: mappings[mapping], index });
        if (release === 0) keys.release(held.shift()?.key ?? 0);
        for (const one of held) {
          expect(one.key).toBeGreaterThan(0);
          expect(keys.mappingOf(one.key)).toBe(one.mapping);
          expect(keys.indexOf(one.key)).toBe(one.index);
        }
      }
      for (const { key } of held) keys.release(key);
      expect(mappings.map(({ spans }) => spans.size)).toEqual([0, 0, 0]);
    }),
  );
});
