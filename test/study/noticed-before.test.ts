/**
 * Why `foliometer folios` says "depends on the past" of a partially mapped folio: two histories that leave the same page
 * tables, on the model, which counts as Linux does (docs/model.md). In one the kernel without mapcounts in pages has put the
 * folio on its list for splitting, in the other it has not; the kernel with them has in both.
 */
import { expect, test } from "vitest";
import { type Dump, parseScenario, runScenario } from "../../src/scenario/index.ts";
import { findScheme } from "../../src/schemes/index.ts";

const BEGIN = `thp 2048kB madvise
spawn P
P mmap a 0x200000000 2M rw anon,priv
P madvise @a 2M hugepage
P touch @a 4k w
`;
const UNMAPPED_BEFORE = `${BEGIN}P munmap @a+1M 48k\nP fork C\ndump end\n`;
const UNMAPPED_AFTER = `${BEGIN}P fork C\nP munmap @a+1M 48k\nC munmap @a+1M 48k\ndump end\n`;

function endOf(text: string, config: "page" | "nopage"): Dump {
  const parsed = parseScenario(text, "history.scn", "model");
  if (!parsed.ok) return expect.fail(JSON.stringify(parsed.errors));
  const scheme = findScheme(config === "page" ? "page" : "mm-owner") ?? expect.fail();
  const { record } = runScenario(parsed.scenario, { config, schemes: [scheme] });
  return record.steps.at(-1)?.dump ?? expect.fail();
}

const noticed = (dump: Dump): unknown => dump.mthp?.["2048kB"]?.nr_anon_partially_mapped ?? 0;
const tables = (dump: Dump): unknown => Object.values(dump.processes).map(({ pagemap }) => pagemap);

test("one state of page tables, noticed or not: only a mapcount in every page sees it in both histories", () => {
  const [before, after] = [endOf(UNMAPPED_BEFORE, "nopage"), endOf(UNMAPPED_AFTER, "nopage")];
  expect(tables(before)).toEqual(tables(after));
  expect([noticed(before), noticed(after)]).toEqual([1, 0]);
  expect([UNMAPPED_BEFORE, UNMAPPED_AFTER].map((text) => noticed(endOf(text, "page")))).toEqual([1, 1]);
});
