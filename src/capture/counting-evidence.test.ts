import * as fc from "fast-check";
import { expect, test } from "vitest";
import { averageOfMappedPages } from "../kernel/index.ts";
import { testimonyOf } from "./counting-evidence.ts";

const ORDER = 4;
const uneven = fc
  .array(fc.nat(5), { minLength: 2 ** ORDER, maxLength: 2 ** ORDER })
  .filter((found) => found.some((count) => count !== found[0]));
const averageOf = (found: readonly number[]): number =>
  averageOfMappedPages(
    found.reduce((sum, count) => sum + count, 0),
    ORDER,
  );

test("a kernel that prints each page's count counts pages", () => {
  fc.assert(
    fc.property(uneven, fc.boolean(), (found, complete) => {
      expect(testimonyOf(found, found, { complete })).toBe("page");
    }),
  );
});

test("a kernel that prints the folio's average for all its pages does not", () => {
  fc.assert(
    fc.property(uneven, (found) => {
      const average = averageOf(found);
      const printed = found.map(() => average);
      expect(testimonyOf(found, printed, { complete: true })).toBe("nopage");
    }),
  );
});

test("counts of processes that were not read never make a page-counting kernel look otherwise", () => {
  const outside = fc.array(fc.nat(5), { minLength: 2 ** ORDER, maxLength: 2 ** ORDER });
  fc.assert(
    fc.property(uneven, outside, (found, more) => {
      const printed = found.map((count, page) => count + more[page]);
      expect(testimonyOf(found, printed, { complete: false })).not.toBe("nopage");
    }),
  );
});
