import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { CostUnit } from "./calibrated-profile.ts";
import { instructionUnits } from "./instruction-units.ts";
import { parseTimingLine } from "./kernel-timings.ts";
import { hadHugePages, kernelControls, kernelUnits, whyNotMeasured } from "./kernel-units.ts";
import type { Timings } from "./order-statistics.ts";

type Config = "page" | "nopage";

/** A made-up machine: the price of everything that a timing is made of. */
const prices = fc.record({
  loop: fc.integer({ min: 0, max: 3 }),
  atomic: fc.integer({ min: 1, max: 20 }),
  line: fc.integer({ min: 0, max: 9 }),
  fault: fc.integer({ min: 100, max: 2000 }),
  zeroed: fc.integer({ min: 50, max: 900 }),
  copied: fc.integer({ min: 50, max: 900 }),
  allocated: fc.integer({ min: 50, max: 900 }),
  freed: fc.integer({ min: 50, max: 900 }),
  entryCopied: fc.integer({ min: 1, max: 50 }),
  entryMoved: fc.integer({ min: 1, max: 20 }),
  entryCleared: fc.integer({ min: 1, max: 50 }),
  table: fc.integer({ min: 100, max: 2000 }),
  tableFreed: fc.integer({ min: 100, max: 2000 }),
  split: fc.integer({ min: 100, max: 9000 }),
  look: fc.integer({ min: 1, max: 5 }),
  walkTable: fc.integer({ min: 30, max: 300 }),
  vma: fc.integer({ min: 20, max: 300 }),
  scanned: fc.integer({ min: 10, max: 100 }),
});
type Prices = typeof prices extends fc.Arbitrary<infer T> ? T : never;

/** What the C program would print on that machine. */
function timingsOf(of: Prices, config: Config): Timings {
  const zeroFault = of.fault + of.entryMoved / 2 + of.table / 512;
  const inBatch = config === "page" ? of.atomic + of.line : 0;
  const sharedUnmap = of.entryCleared + 2 * of.atomic + of.line;
  return {
    loop: of.loop,
    atomic: of.loop + of.atomic,
    load: 0,
    store: 0,
    lock: of.loop + of.atomic + 1,
    "line-in-order": of.line,
    "line-random": of.line + 1,
    "line-dependent": of.line + 100,
    "zero-fault": zeroFault,
    look: of.look,
    "zero-fork": of.entryCopied + 10,
    "zero-unmap": of.entryCleared + 10,
    "zero-move": of.entryMoved,
    "sparse-fault": of.fault + of.entryMoved / 2 + of.table,
    "look-table": 500 + of.walkTable + of.look,
    "look-nothing": 500,
    "empty-scan": 512 * 1.5,
    "sparse-unmap": of.entryCleared + 10 + 512 * 1.5 + of.tableFreed,
    "anon-fault": zeroFault + of.allocated + of.zeroed + of.line,
    "anon-fork": of.entryCopied + 2 * of.atomic + of.line,
    "shared-unmap": sharedUnmap,
    "reuse-fault": of.fault + 30,
    "cow-fault": zeroFault - of.table / 512 + of.allocated + of.line + of.copied + sharedUnmap,
    "anon-unmap": sharedUnmap + of.freed,
    "huge-fault": of.zeroed,
    split: of.split + 512 * (of.entryMoved / 2) + 512 * inBatch,
    "batch-fork": of.entryCopied + inBatch + of.table / 512,
    "batch-unmap": of.entryCleared + inBatch,
    vma: of.vma,
    "scan-anon": of.scanned + of.line,
    "scan-zero": of.scanned - 5,
  };
}

function without(timings: Timings, names: readonly string[]): Timings {
  return Object.fromEntries(Object.entries(timings).filter(([name]) => !names.includes(name)));
}

const HUGE = ["huge-fault", "split", "batch-fork", "batch-unmap"];

describe("units from timings", () => {
  test("are the prices that the timings were made of, whatever these are and however the kernel counts", () => {
    fc.assert(
      fc.property(
        prices,
        fc.constantFrom<Config>("page", "nopage"),
        fc.integer({ min: 1, max: 4 }),
        (of, config, count) => {
          const rows = Array<Timings>(count).fill(timingsOf(of, config));
          const units = kernelUnits(rows, config);
          const expected: Partial<Record<CostUnit, number>> = {
            fault: of.fault,
            "page-copied": of.copied,
            "page-zeroed": of.zeroed,
            "page-allocated": of.allocated,
            "page-freed": of.freed,
            "entry-copied": of.entryCopied,
            "entry-set": of.entryMoved / 2,
            "entry-cleared": of.entryCleared,
            "table-allocated": of.table,
            "table-freed": of.tableFreed,
            "pmd-split": of.split,
            "walk-vma": of.vma,
            "walk-table": of.walkTable,
            "walk-entry": of.look,
            vmasVisited: of.vma,
            tablesVisited: of.walkTable - of.atomic - 1,
            entriesExamined: of.look,
            "page-scanned": of.scanned,
          };
          expect([...units.keys()].sort()).toEqual(Object.keys(expected).sort());
          for (const [unit, ns] of Object.entries(expected)) {
            const { cost } = units.get(unit as CostUnit)!;
            expect(cost.ns, unit).toBeCloseTo(ns, 6);
            expect(cost.low).toBeLessThanOrEqual(cost.ns);
            expect(cost.high).toBeGreaterThanOrEqual(cost.ns);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  test("an atomic, a line and a lock are what the loops took, without the loop around them", () => {
    fc.assert(
      fc.property(prices, (of) => {
        const units = instructionUnits([timingsOf(of, "page")], { language: "C", workingSet: "1 MiB" });
        expect(units.get("atomics")?.cost).toEqual({ ns: of.atomic, low: of.atomic, high: of.atomic });
        expect(units.get("structPageLines")?.cost.ns).toBe(of.line);
        expect(units.get("largeMapcountLocks")?.cost.ns).toBe(1);
        expect(units.get("referenceOperations")?.cost).toEqual({ ns: 0, low: 0, high: 0 });
      }),
      { numRuns: 40 },
    );
  });

  test("JavaScript's ranges are wider than C's by its loop, to both sides", () => {
    const rows = [{ ...timingsOf(fc.sample(prices, { numRuns: 1, seed: 1 })[0], "page"), loop: 2, atomic: 7 }];
    const [c, js] = (["C", "JavaScript"] as const).map(
      (language) => instructionUnits(rows, { language, workingSet: "1 MiB" }).get("atomics")?.cost,
    );
    expect(c).toEqual({ ns: 5, low: 5, high: 5 });
    expect(js).toEqual({ ns: 5, low: 3, high: 7 });
  });

  test("where the kernel does not say how it counts, the range holds both", () => {
    const of = { ...fc.sample(prices, { numRuns: 1, seed: 2 })[0], atomic: 6, line: 4 };
    const rows = [timingsOf(of, "page")];
    const [page, unknown] = (["page", "unknown"] as const).map(
      (config) => kernelUnits(rows, config).get("entry-copied")!.cost,
    );
    expect(unknown.ns).toBe(page.ns);
    expect(unknown.high).toBeGreaterThanOrEqual(page.ns + 10);
  });
});

describe("a kernel that gives no folios of 2 MiB", () => {
  const rows = [without(timingsOf(fc.sample(prices, { numRuns: 1, seed: 3 })[0], "page"), HUGE)];

  test("leaves out what cannot be measured without them, and nothing else", () => {
    expect(hadHugePages(rows)).toBe(false);
    const units = new Set(kernelUnits(rows, "page").keys());
    const missing = ["entry-cleared", "entry-copied", "page-allocated", "page-copied", "page-zeroed", "pmd-split"];
    for (const unit of missing) expect(units).not.toContain(unit);
    expect(units.size).toBe(12);
    for (const unit of missing) expect(whyNotMeasured(unit as CostUnit)).toMatch(/2 MiB.*\.$/);
  });

  test("has controls all the same", () => {
    expect(kernelControls(rows).map(({ name }) => name)).toContain("fault that copies");
  });
});

test("without pagemap everything else is measured, and the reason is given", () => {
  const rows = [without(timingsOf(fc.sample(prices, { numRuns: 1, seed: 4 })[0], "page"), ["scan-anon", "scan-zero"])];
  expect([...kernelUnits(rows, "page").keys()]).not.toContain("page-scanned");
  expect(kernelUnits(rows, "page").size).toBe(17);
  expect(whyNotMeasured("page-scanned")).toBe("This kernel has no /proc/self/pagemap.");
});

test("lines of the program are timings or nothing", () => {
  expect(parseTimingLine("timing 3 cow-fault 812.50000")).toEqual({ repetition: 3, name: "cow-fault", ns: 812.5 });
  expect(parseTimingLine("timing 0 zero-unmap -0.12500")?.ns).toBe(-0.125);
  for (const text of ["", "timing x y 1.0", "timing 1 y nan", "  timing 1 y 1.0"]) {
    expect(parseTimingLine(text)).toBeUndefined();
  }
});
