/**
 * 3.8 to 3.10: PMD entries and their pages, one folio's struct pages, reclaim in batches; and what is not modelled.
 */
import { LEVEL_PMD, LEVEL_PTE } from "../../src/kernel/index.ts";
import { Meter, STRUCT_PAGE_LINES, findScheme } from "../../src/schemes/index.ts";
import { type Term, ratioOfTerms, termsOf } from "../../src/study/index.ts";
import { historyOf } from "./folio-sizes.ts";
import type { Batch } from "./histories.ts";
import { type Headline, changeOfRuntime } from "./judge.ts";
import {
  COMPOUND_MAPPED,
  FILE_DOUBLEMAP,
  type Kernel,
  LINUX_6_12,
  SUBPAGES_LOCKED,
  SUBPAGES_SCANNED,
  countHistory,
} from "./kernels.ts";
import { XEON, reworkMachine, termsOfOperation } from "./prices.ts";
import { COMPOUND_REWORK, LAZYFREE_SPEEDUP } from "./published.ts";

const FOLIO = 512;
const ORDER = 9;
const PAGES = 2 ** ORDER;

function entry(kind: Batch["kind"], level: Batch["level"], mm: number): Batch {
  return { kind, folio: FOLIO, order: ORDER, first: 0, pageCount: PAGES, level, table: mm, vma: mm, mm };
}

/** One 2 MiB folio of tmpfs: what is there before, and one map and unmap of it. */
type Mapping = "small pages" | "by PMDs" | "by PMDs a second time" | "by PMDs after PTEs" | "by PTEs";

function historyOfMapping(mapping: Mapping): { readonly before: Batch[]; readonly during: Batch[] } {
  const pmd = [entry("add", LEVEL_PMD, 1), entry("remove", LEVEL_PMD, 1)];
  switch (mapping) {
    case "small pages": {
      const small = {
        folio: FOLIO,
        order: 0,
        first: 0,
        pageCount: 1,
        level: LEVEL_PTE,
        table: 1,
        vma: 1,
        mm: 1,
      } as const;
      return {
        before: [],
        during: [
          { kind: "add", ...small },
          { kind: "remove", ...small },
        ],
      };
    }
    case "by PMDs":
      return { before: [], during: pmd };
    case "by PMDs a second time":
      return { before: [entry("add", LEVEL_PMD, 2)], during: pmd };
    case "by PMDs after PTEs":
      return { before: [entry("add", LEVEL_PTE, 2)], during: pmd };
    case "by PTEs":
      return { before: [], during: [entry("add", LEVEL_PTE, 1), entry("remove", LEVEL_PTE, 1)] };
  }
}

type ReworkMachine = ReturnType<typeof reworkMachine>;

/** The counting of a map and unmap, and the work around it, which is the same under all kernels. */
function termsOfMapping(machine: ReworkMachine, kernel: Kernel, mapping: Mapping): Term[] {
  const { counting } = countHistory(kernel, historyOfMapping(mapping));
  const workNs = workOfMapping(machine, mapping);
  return [
    ...termsOf({ counting, work: {} }, machine.profile),
    { unit: { ns: workNs, low: workNs * 0.75, high: workNs * 1.25 }, times: 1 },
  ];
}

/** Of a small page: what its 18 s leave beside four atomics. Of PTEs of a large folio nothing is published: as many. */
function workOfMapping({ pmdWorkNs, smallPageNs, profile }: ReworkMachine, mapping: Mapping): number {
  const small = smallPageNs - 4 * profile.counting.atomics.ns;
  if (mapping === "small pages") return small;
  return mapping === "by PTEs" ? small * PAGES : pmdWorkNs;
}

const TOLERANCE_POINTS = 15;

function reworkHeadlines(): Headline[] {
  const machine = reworkMachine();
  const change = (kernel: Kernel, mapping: Mapping): NonNullable<Headline["model"]> =>
    changeOfRuntime(
      ratioOfTerms(termsOfMapping(machine, kernel, mapping), termsOfMapping(machine, FILE_DOUBLEMAP, mapping)),
    );
  const row = (
    mapping: Mapping,
    kernel: Kernel,
    published: Headline["published"],
    basis: Headline["basis"] = "predicted",
  ): Headline => ({
    section: "3.8",
    series: `mmap and munmap of tmpfs, ${mapping}`,
    label: kernel.title,
    published,
    model: change(kernel, mapping),
    basis,
    tolerance: TOLERANCE_POINTS,
  });
  const figure = (after: number, before: number): Headline["published"] => ({
    kind: "figure",
    value: (after / before - 1) * 100,
  });
  const { pmds, secondPmds, pmdsAfterPtes, ptesWithin } = COMPOUND_REWORK;
  return [
    row("small pages", COMPOUND_MAPPED, { kind: "figure", value: 0 }),
    row("by PMDs", SUBPAGES_SCANNED, figure(pmds.patch1, pmds.doublemap), "fitted"),
    row("by PMDs", SUBPAGES_LOCKED, figure(pmds.patch2, pmds.doublemap)),
    row("by PMDs a second time", SUBPAGES_SCANNED, figure(secondPmds.patch1, secondPmds.doublemap)),
    row("by PMDs a second time", SUBPAGES_LOCKED, figure(secondPmds.patch2, secondPmds.doublemap)),
    row("by PMDs after PTEs", SUBPAGES_LOCKED, figure(pmdsAfterPtes.scanned, pmdsAfterPtes.doublemap), "fitted"),
    row("by PMDs after PTEs", COMPOUND_MAPPED, figure(pmdsAfterPtes.compoundMapped, pmdsAfterPtes.doublemap)),
    row("by PTEs", COMPOUND_MAPPED, { kind: "within", value: ptesWithin }),
  ];
}

/** 3.9: total_mapcount of a 2 MiB folio, by the meter of `doublemap`. */
function totalMapcountHeadline(): Headline {
  const scheme = findScheme("doublemap");
  if (scheme === undefined) throw new Error("there is no scheme doublemap");
  const meter = new Meter();
  const orders = new Uint8Array(FOLIO + PAGES).fill(ORDER, FOLIO, FOLIO + 1);
  const counter = scheme.createCounter({ frameCount: FOLIO + PAGES, orders, meter });
  counter.add(FOLIO, 0, PAGES, LEVEL_PMD, 1, 1, 1);
  const before = meter.totals[STRUCT_PAGE_LINES];
  counter.mappings(FOLIO);
  const lines = meter.totals[STRUCT_PAGE_LINES] - before;
  return {
    section: "3.9",
    series: "total_mapcount of 2 MiB",
    label: "doublemap",
    published: { kind: "figure", value: PAGES },
    model: { middle: lines, low: lines, high: lines },
    basis: "predicted",
    tolerance: 0,
    unit: "cache lines",
  };
}

const RECLAIM_ORDER = 4;

/** 3.10: entries are found by a walk and cleared; page by page, or all of a folio at once. */
function lazyfreeHeadline(): Headline {
  const history = historyOf("munmap", RECLAIM_ORDER);
  const reclaimed = { ...history, work: { ...history.work, "walk-entry": history.pages } };
  const single: Kernel = { ...LINUX_6_12, batches: { ...LINUX_6_12.batches, zap: false } };
  const { middle, low, high } = ratioOfTerms(
    termsOfOperation(XEON, single, reclaimed),
    termsOfOperation(XEON, LINUX_6_12, reclaimed),
  );
  return {
    section: "3.10",
    series: "reclaim of lazyfree folios, in batches",
    label: "64 KiB",
    published: { kind: "figure", value: LAZYFREE_SPEEDUP },
    model: { middle, low, high },
    basis: "predicted",
    tolerance: 0.5,
    unit: "times as fast",
    remark:
      "page by page, the folio is put on the deferred split queue and every page is flushed alone; no price of either is " +
      "published, so the gain of batching is that of munmap",
  };
}

function notModelled(section: string, series: string, label: string, value: number, remark: string): Headline {
  return {
    section,
    series,
    label,
    published: { kind: "figure", value },
    basis: "not modelled",
    tolerance: 0,
    remark,
  };
}

const NO_PRICES = "no time of this machine is published that would fix a price";

/** Rows of other machines, which have one figure and no time. */
function unmodelledHeadlines(): Headline[] {
  return [
    notModelled("3.1", "fork, rmap batching, Apple M2", "4 KiB", 13.5, `${NO_PRICES}; the cause is the code's size`),
    notModelled("3.1", "fork, rmap batching, Apple M2", "2 MiB", -20, NO_PRICES),
    notModelled("3.5", "munmap without page mapcounts, AmpereOne", "up to", -70, NO_PRICES),
    notModelled("3.5", "fork without page mapcounts, AmpereOne", "up to", -10, NO_PRICES),
    notModelled("3.5", "reuse-byte, AmpereOne", "up to", -54, NO_PRICES),
    notModelled(
      "3.10",
      "reclaim skips PMD-mapped folios redirtied",
      "2 MiB",
      3.5,
      "a decision, not a cost of counting",
    ),
  ];
}

/** 3.8 to 3.10, and all rows that are shown without a figure of the model. */
export function otherHeadlines(): Headline[] {
  return [...reworkHeadlines(), totalMapcountHeadline(), lazyfreeHeadline(), ...unmodelledHeadlines()];
}
