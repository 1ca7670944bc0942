import { expect, test } from "vitest";
import { parseScenario, scenarioOf } from "../scenario/index.ts";
import { SCHEMES, findScheme } from "../schemes/index.ts";
import { compareScenario } from "./compare-workload.ts";
import type { Comparison } from "./comparison.ts";
import { XEON_4210R } from "./cost-profile-xeon-4210r.ts";
import { FAMILY_SIZES, scanFamilies } from "./scan-families.ts";
import { isScan } from "./scan-tally.ts";

async function compared(text: string): Promise<Comparison> {
  const against = findScheme("page");
  if (against === undefined) throw new Error("no scheme page");
  return compareScenario(scenarioOf(text, "test.scn", "model"), {
    schemes: SCHEMES,
    against,
    costs: XEON_4210R,
    witnesses: false,
  });
}

function countsOf(comparison: Comparison, operation: string, id: string) {
  const row = comparison.operations.find((each) => each.operation === operation);
  const at = comparison.schemes.findIndex((scheme) => scheme.id === id);
  if (row === undefined || at < 0) throw new Error(`no ${operation} under ${id}`);
  return { items: row.count, counting: row.byScheme[at].counting, ratio: row.byScheme[at].ratio.middle };
}

/** One folio of 16 pages, and as many more address spaces with it as there are children. */
const anonymous = (children: number): string => scanFamilies(children)[0];

test("a scan of pages costs nothing more where each page has a count, and a walk an item where none has", async () => {
  const comparison = await compared(anonymous(3));
  expect(countsOf(comparison, "scan pages", "page").counting.vmasVisited).toBe(0);
  // After the first touch one VMA has the folio, after each fork one more.
  const { items, counting } = countsOf(comparison, "scan pages", "none");
  expect(items).toBe(4);
  expect(counting.vmasVisited).toBe(1 + 2 + 3 + 4);
  // A page has one entry in each VMA.
  expect(counting.entriesExamined).toBe(1 + 2 + 3 + 4);
});

test("a scan of pages looks at one entry in each VMA, of a PMD-mapped folio at the PMD entry", async () => {
  const lines = ["spawn P", "P mmap a 0x200000000 2M rw anon,priv", "P madvise @a 2M hugepage", "P touch @a 4k w"];
  const comparison = await compared([...lines, "P fork C1", "P fork C2", ""].join("\n"));
  const { items, counting } = countsOf(comparison, "scan pages", "none");
  expect(items).toBe(3);
  expect(counting).toMatchObject({ vmasVisited: 1 + 2 + 3, tablesVisited: 6, pageTableLocks: 6, entriesExamined: 6 });
});

test("a scan for references walks all entries of the folio, and only where mappings are not told from others", async () => {
  const comparison = await compared(anonymous(2));
  expect(countsOf(comparison, "scan references", "none").counting.entriesExamined).toBe(16 * (1 + 2 + 3));
  expect(countsOf(comparison, "scan references", "total").counting.entriesExamined).toBe(0);
});

test("a scan for mapped folios ends at the first entry", async () => {
  const comparison = await compared(anonymous(2));
  expect(countsOf(comparison, "scan mapped", "none").counting).toMatchObject({ vmasVisited: 3, entriesExamined: 3 });
  expect(countsOf(comparison, "scan mapped", "mm-owner").ratio).toBe(1);
});

test("a scan for sharing ends at the first entry of another address space, and looks at all where there is none", async () => {
  const lines = anonymous(1).trimEnd().split("\n");
  const alone = await compared(`${lines.slice(0, -1).join("\n")}\n`);
  for (const id of ["none", "total"]) expect(countsOf(alone, "scan sharing", id).counting.entriesExamined, id).toBe(16);
  expect(countsOf(alone, "scan sharing", "page").counting.entriesExamined).toBe(0);
  // After the fork parent or child asks: the other's first entry, for the child that of the first VMA, is enough.
  const both = countsOf(await compared(anonymous(1)), "scan sharing", "none").counting;
  expect([16 + 1, 16 + 16 + 1]).toContain(both.entriesExamined);
});

test("the more address spaces may map a folio, the longer a walk takes: the families grow without end", async () => {
  const ratios = await Promise.all(
    [2, 16, 64].map(async (children) => countsOf(await compared(anonymous(children)), "scan pages", "none").ratio),
  );
  expect(ratios).toEqual([...ratios].sort((a, b) => a - b));
  expect(ratios[2]).toBeGreaterThan(10);
});

test("every member of the families is a scenario", () => {
  for (const text of FAMILY_SIZES.flatMap(scanFamilies))
    expect(parseScenario(text, "family.scn", "model").ok).toBe(true);
});

test("scans are told from operations of a history by their names", () => {
  expect(["scan pages", "scan sharing", "scan mapped", "scan references"].every(isScan)).toBe(true);
  expect(["fork", "exit", "copy", "mprotect"].some(isScan)).toBe(false);
});
