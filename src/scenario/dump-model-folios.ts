/**
 * The folios of a dump: kpagecount, kpageflags and the raw words of struct page (kernel-facts 1, 3.9).
 *
 * Flags are those of Linux 6.18.15, its quirk included: kpageflags sets KSM on every anonymous page. Small folios in a row
 * that say the same are one entry, F2..F9.
 */
import { HUGETLB_ANON, HUGETLB_FILE, ZERO, hasFolioFlag, refcount } from "../memory/index.ts";
import type { CountedMachine } from "./counted-machine.ts";
import type { FlagRun, FolioDump, LargeFolioDump, SmallFolioDump, ValueRun } from "./dump.ts";
import type { FolioLabels } from "./dump-model-pagemap.ts";

/** The word of the first page of a hugetlb folio: a page type where others have their mapcount (kernel-facts 1.2). */
const HUGETLB_TYPE_WORD = -201_326_591;

/** How a dump names the owner of a slot. */
export type OwnerName = (mmId: number) => string;

/** All folios with labels. */
export function dumpFolios(
  machine: CountedMachine,
  labels: FolioLabels,
  ownerName: OwnerName,
): Record<string, FolioDump> {
  const folios: Record<string, FolioDump> = {};
  let from = -1;
  let said = "";
  let small: SmallFolioDump | undefined;
  const flush = (end: number): void => {
    if (small === undefined) return;
    folios[end - 1 > from ? `F${from + 1}..F${end}` : `F${from + 1}`] = small;
    small = undefined;
  };
  labels.heads.forEach((head, row) => {
    if (labels.pagesOf(row) > 1) {
      flush(row);
      folios[`F${row + 1}`] = dumpLarge(machine, head, ownerName);
      return;
    }
    const dump = dumpSmall(machine, head);
    const says = JSON.stringify(dump);
    if (small !== undefined && says === said) return;
    flush(row);
    small = dump;
    said = says;
    from = row;
  });
  flush(labels.heads.length);
  return folios;
}

function dumpSmall(machine: CountedMachine, head: number): SmallFolioDump {
  const { memory, kernel } = machine;
  const isAnon = memory.frames.isAnon(head);
  return {
    kpagecount: kernel.counter.pageMapcount(head, 0),
    refcount: refcount(memory, head),
    mapcount: kernel.counter.mapcount(head),
    anon_exclusive: isAnon ? (hasFolioFlag(memory, head, "owner2") ? 1 : 0) : -1,
    kpageflags: kpageflags(machine, head, 0),
    pages: 1,
  };
}

function dumpLarge(machine: CountedMachine, head: number, ownerName: OwnerName): LargeFolioDump {
  const { memory, kernel } = machine;
  const { counter } = kernel;
  const pages = 2 ** memory.frames.order[head];
  const isHugetlb = memory.frames.isHugetlb(head);
  const [ownerA, entriesA, ownerB, entriesB] = counter.owners(head);
  const entire = counter.entireMapcount(head);
  const nrMapped = counter.nrPagesMapped(head);
  const slot = (owner: number, entries: number): string =>
    `${owner < 0 || entries === 0 ? "-" : ownerName(owner)}:${entries}`;
  const dump: LargeFolioDump = {
    pages,
    pfn: `0x${head.toString(16)}`,
    kpagecount: runsOf(pages, (page) => counter.pageMapcount(head, page)),
    kpageflags: flagRunsOf(pages, (page) => kpageflags(machine, head, page)),
    raw: {
      order: memory.frames.order[head],
      refcount: refcount(memory, head),
      large_mapcount: counter.largeMapcount(head),
      entire_mapcount: entire,
      nr_pages_mapped: nrMapped < 0 ? -1 : isHugetlb ? 0 : nrMapped,
      pincount: memory.frames.extraOf(head)?.pins ?? 0,
      partially_mapped: hasFolioFlag(memory, head, "partiallyMapped") ? 1 : 0,
      maybe_mapped_shared: !isHugetlb && counter.sharedBit(head) ? 1 : 0,
      entirely: nrMapped >= 0 && entire > 0 && !isHugetlb,
      mm: [slot(ownerA, entriesA), slot(ownerB, entriesB)],
    },
    raw_page_mapcount: runsOf(pages, (page) =>
      isHugetlb ? (page === 0 ? HUGETLB_TYPE_WORD : 0) : counter.rawPageMapcount(head, page),
    ),
  };
  if (!memory.frames.isAnon(head)) return dump;
  return {
    ...dump,
    raw_anon_exclusive: runsOf(pages, (page) => (hasFolioFlag(memory, head + page, "owner2") ? 1 : 0)),
  };
}

function runsOf(pages: number, valueOf: (page: number) => number): ValueRun[] {
  const runs: [number, number, number][] = [];
  for (let page = 0; page < pages; page++) {
    const value = valueOf(page);
    const last = runs.at(-1);
    if (last !== undefined && last[2] === value) last[1] = page;
    else runs.push([page, page, value]);
  }
  return runs;
}

function flagRunsOf(pages: number, flagsOf: (page: number) => string): FlagRun[] {
  const runs: [number, number, string][] = [];
  for (let page = 0; page < pages; page++) {
    const flags = flagsOf(page);
    const last = runs.at(-1);
    if (last !== undefined && last[2] === flags) last[1] = page;
    else runs.push([page, page, flags]);
  }
  return runs;
}

/** Names of the bits that kpageflags sets for a page, lowest first. All but HEAD, TAIL and HWPOISON are the head's. */
export function kpageflags(machine: CountedMachine, head: number, page: number): string {
  const { memory, kernel } = machine;
  const { frames } = memory;
  const kind = frames.kindOf(head);
  const isHugetlb = kind === HUGETLB_ANON || kind === HUGETLB_FILE;
  const isLarge = frames.order[head] > 0;
  const isAnon = frames.isAnon(head);
  const inSwapCache = hasFolioFlag(memory, head, "swapCache");
  const names: readonly (readonly [string, boolean])[] = [
    ["REFERENCED", hasFolioFlag(memory, head, "referenced")],
    ["UPTODATE", hasFolioFlag(memory, head, "uptodate")],
    ["DIRTY", hasFolioFlag(memory, head, "dirty")],
    ["LRU", hasFolioFlag(memory, head, "lru")],
    ["ACTIVE", hasFolioFlag(memory, head, "active")],
    ["RECLAIM", hasFolioFlag(memory, head, "reclaim")],
    ["MMAP", kernel.counter.mapcount(head) > 0],
    ["ANON", isAnon],
    ["SWAPCACHE", inSwapCache && hasFolioFlag(memory, head, "swapBacked")],
    ["SWAPBACKED", hasFolioFlag(memory, head, "swapBacked")],
    ["HEAD", isLarge && page === 0],
    ["TAIL", page > 0],
    ["HUGE", isHugetlb],
    ["UNEVICTABLE", hasFolioFlag(memory, head, "unevictable")],
    ["HWPOISON", frames.isPoisoned(head + page)],
    ["KSM", isAnon],
    ["THP", isLarge && !isHugetlb],
    ["ZERO", kind === ZERO],
    ["MLOCKED", hasFolioFlag(memory, head, "mlocked")],
    ["OWNER_2", hasFolioFlag(memory, head, "owner2")],
    ["PRIVATE", frames.extraOf(head)?.hasPrivate ?? false],
    ["OWNER_PRIVATE", inSwapCache],
  ];
  return names
    .filter(([, isSet]) => isSet)
    .map(([name]) => name)
    .join(",");
}
