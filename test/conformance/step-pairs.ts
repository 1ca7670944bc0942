/**
 * Which constants make a scheme's text count what its counter counts, and which words both have.
 *
 * A text is written for folios of a few pages; a counter takes a PMD entry for 512 of them however small the folio is, and
 * keeps references itself where the checked programs keep them. The constants bridge that and nothing else.
 */
import { expect } from "vitest";
import { findScheme } from "../../src/schemes/index.ts";
import { SideBySide, type SideBySideOptions } from "./side-by-side.ts";
import type { Shape } from "./small-tables.ts";

/** Three address spaces, with PTEs or a PMD entry each. */
export const HUGE: Shape = { mms: 3, areas: 1, pages: 2, tables: 1 };
/** A folio that straddles two page tables. */
export const STRADDLING: Shape = { mms: 2, areas: 1, pages: 4, tables: 2 };
/** Two VMAs of one address space. */
export const TWO_AREAS: Shape = { mms: 2, areas: 2, pages: 2, tables: 1 };

const OWNER_WORDS = {
  _large_mapcount: "slots.entries",
  "_mm_id[0]": "-slots.ownerA",
  "_mm_id[1]": "-slots.ownerB",
  "_mm_id_mapcount[0]": "slots.entriesA",
  "_mm_id_mapcount[1]": "slots.entriesB",
  mm_ids_shared: "slots.sharedBit",
};
const PAGE_WORDS = { "_mapcount[*]": "counts.ptesOfPage", _entire_mapcount: "counts.entireEntries" };

/** By scheme, in the registry's order. */
export const PAIRS: Readonly<Record<string, Pick<SideBySideOptions, "constants" | "words">>> = {
  page: { words: { ...OWNER_WORDS, "_mapcount[*]": "ptesOfPage", _entire_mapcount: "entireEntries" } },
  "mm-owner": { words: { ...OWNER_WORDS, _entire_mapcount: "entireEntries" } },
  "mapped-pages": { words: { ...OWNER_WORDS, _total_mapped_pages: "mappedPages" } },
  "mm-owner-levels": { constants: { PMD_PAGES: 512 }, words: { ...OWNER_WORDS, _pmd_mapcount: "pmdMapcount" } },
  sums: { words: { _large_mapcount: "entries", _total_mapped_pages: "mappedPages" } },
  doublemap: {
    words: {
      "_mapcount[*]": "counts.ptesOfPage",
      compound_mapcount: "counts.entireEntries",
      PageDoubleMap: "isDoubleMap",
    },
  },
  subpages: { words: PAGE_WORDS },
  none: {},
  "three-state": { words: { times_mapped: "state" } },
  troll: { constants: { UNIT_REFERENCES: 1 }, words: { troll_count: "state", refcount: "state" } },
  "vma-table": { constants: { UNIT_REFERENCES: 1 }, words: { pairs: "pairs", refcount: "pairs" } },
  // The mail's plain walk waits for itself: a test of its own.
  vma: { constants: { UNIT_REFERENCES: 1, REMEDY: 1 }, words: { vmas: "vmas", refcount: "vmas" } },
  "first-page": { words: { ...PAGE_WORDS, _large_mapcount: "entries" } },
  // No PMD entry can map a folio of two pages, says the counter.
  total: { constants: { PMD_SIZED: 0 }, words: { _large_mapcount: "entries" } },
  // The sequence count is at rest between two events.
  "rmap-id": { constants: { SEQUENCES: 2 }, words: { _large_mapcount: "entries", "rmap_value[0]": "values.low" } },
};

/** A scheme's text and counter for one shape; `constants` differ from the pair's. */
export function pairOf(id: string, shape: Shape, constants: Readonly<Record<string, number>> = {}): SideBySide {
  const scheme = findScheme(id);
  if (scheme === undefined) throw new Error(`there is no scheme ${id}`);
  const pair = PAIRS[id];
  return new SideBySide({ scheme, shape, ...pair, constants: { ...pair.constants, ...constants } });
}

/** Joint states by scheme: HUGE, STRADDLING, TWO_AREAS. Without memory of the past they are the page tables' 5^3, 2^8, 5^4. */
export const JOINT_STATES: Readonly<Record<string, readonly [huge: number, straddling: number, twoAreas: number]>> = {
  page: [1461, 511, 1249],
  "mm-owner": [1461, 511, 1249],
  "mapped-pages": [1461, 511, 1249],
  "mm-owner-levels": [1461, 511, 1249],
  sums: [125, 256, 625],
  doublemap: [240, 256, 1482],
  subpages: [125, 256, 625],
  none: [125, 256, 625],
  "three-state": [138, 287, 642],
  troll: [186, 256, 738],
  "vma-table": [125, 256, 625],
  vma: [125, 256, 625],
  "first-page": [125, 256, 625],
  total: [125, 256, 625],
  "rmap-id": [125, 256, 625],
};

/** Compares text and counter in all states of a shape; `index` is the shape's in JOINT_STATES. */
export function expectAgreement(id: string, shape: Shape, index: 0 | 1 | 2): void {
  const { states, isComplete, compared } = pairOf(id, shape).search();
  expect({ states, isComplete }).toEqual({ states: JOINT_STATES[id][index], isComplete: true });
  // Every answer was compared, and those about an address space where there was one.
  for (const each of ["mapped", "mappings", "partial", "pageMapcount", "others", "canReuse"]) {
    expect(compared[each], each).toBeGreaterThanOrEqual(states - 1);
  }
}
