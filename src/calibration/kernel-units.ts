/**
 * From timings of the kernel to units of work: differences of operations that share all but one thing.
 *
 *     a read fault of the zero page    fault + entry set
 *     with a table of its own          fault + entry set + table allocated
 *     an entry moved by mremap         entry cleared + entry set
 *     first write to anonymous memory  fault + entry set + page allocated + page zeroed + its line
 *     a page copied on write           the same, with a copy for the zeroes, and the removal of the old page
 *     last unmapping                   unmapping while another process maps it + page freed
 *     2 MiB by PTEs: fork, unmap       512 entries copied, cleared + counting in one batch
 *
 * Entries are priced as in a batch of 512, where the loop around them is shared, because that is where entries are many; a
 * page on its own costs more, and that is the upper end of their range. What the running kernel's own counting takes is
 * subtracted with the measured prices of its atomics and lines: under CONFIG_PAGE_MAPCOUNT one of each a page of a batch.
 * Where the kernel does not say how it counts, the range holds both.
 */
import type { CalibratedMachine, CalibrationControl, CostUnit, PricedUnit, UnitOrigin } from "./calibrated-profile.ts";
import { atomicOf, lineOf, lockOf } from "./instruction-units.ts";
import { type Formula, type Timings, estimate, widened } from "./order-statistics.ts";

type Middle = Parameters<Formula>[0];
type Config = CalibratedMachine["mapcountConfig"];

/** A page table's pages and entries. */
const TABLE_ENTRIES = 512;

/** Without these timings the kernel gave no folios of 2 MiB. */
const HUGE_TIMINGS = ["huge-fault", "split", "batch-fork", "batch-unmap"] as const;

const tableAllocated = (middle: Middle): number =>
  ((middle("sparse-fault") - middle("zero-fault")) * TABLE_ENTRIES) / (TABLE_ENTRIES - 1);
/** What each page's table adds to it where all entries are used. */
const shareOfTable = (middle: Middle): number => tableAllocated(middle) / TABLE_ENTRIES;
const zeroFault = (middle: Middle): number => middle("zero-fault") - shareOfTable(middle);
const entrySet = (middle: Middle): number => middle("zero-move") / 2;
const fault = (middle: Middle): number => zeroFault(middle) - entrySet(middle);
const pageAllocated = (middle: Middle): number =>
  middle("anon-fault") - middle("zero-fault") - middle("huge-fault") - lineOf(middle);
const pageCopied = (middle: Middle): number =>
  middle("cow-fault") - (middle("anon-fault") - shareOfTable(middle)) + middle("huge-fault") - middle("shared-unmap");
const walkTable = (middle: Middle): number => middle("look-table") - middle("look-nothing") - middle("look");

/** Counting in a batch of a large folio, for each page. */
function countingInBatch(config: Config): Formula {
  return config === "nopage" ? () => 0 : (middle) => atomicOf(middle) + lineOf(middle);
}

const SCAN_TIMINGS = ["scan-zero", "scan-anon"] as const;

function hadAll(repetitions: readonly Timings[], names: readonly string[]): boolean {
  return repetitions.every((timings) => names.every((name) => timings[name] !== undefined));
}

/** Whether every repetition had folios of 2 MiB. */
export function hadHugePages(repetitions: readonly Timings[]): boolean {
  return hadAll(repetitions, HUGE_TIMINGS);
}

/** Why a unit is not among those measured, where the kernel was. A sentence. */
export function whyNotMeasured(unit: CostUnit): string {
  return unit === "page-scanned"
    ? "This kernel has no /proc/self/pagemap."
    : "The kernel gave no folios of 2 MiB (transparent huge pages are off, or memory is in pieces).";
}

/** Units that need no folios of 2 MiB to be measured, and, where there were some, all others. */
export function kernelUnits(repetitions: readonly Timings[], config: Config): Map<CostUnit, PricedUnit> {
  const measured = (formula: Formula, text: string, ...upTo: readonly number[]): PricedUnit => ({
    cost: widened(estimate(repetitions, formula), ...upTo),
    origin: origin("measured", text),
  });
  const middleOf = (formula: Formula): number => estimate(repetitions, formula).ns;
  const move = middleOf((middle) => middle("zero-move"));
  const look = measured((middle) => middle("look"), "mincore of a region that is mapped.");
  const vma = measured(
    (middle) => middle("vma"),
    "One more VMA of a file in which a hole is punched; the lower end is a line without what an unmapping prepares.",
    middleOf((middle) => middle("line-random")),
  );
  const units = new Map<CostUnit, PricedUnit>([
    [
      "fault",
      measured(
        fault,
        "Reading the zero page, without the entry; the upper end is a write to a page that is reused.",
        middleOf((middle) => middle("reuse-fault")),
      ),
    ],
    ["page-freed", measured(freed, "Unmapping small pages that nobody else maps, and such that a child maps.")],
    [
      "entry-set",
      {
        cost: widened(estimate(repetitions, entrySet), 0, move),
        origin: origin("derived", "Half of what mremap takes for an entry that it moves: from nothing to all of it."),
      },
    ],
    ["table-allocated", measured(tableAllocated, "Reading one page in each table, and all pages of tables.")],
    [
      "table-freed",
      measured(tableFreed, "Unmapping tables of one entry, without the entry and the look at 511 empty ones."),
    ],
    ["walk-vma", vma],
    ["walk-table", measured(walkTable, "mincore of one page in table after table, and of one without a table.")],
    ["walk-entry", look],
    ["vmasVisited", vma],
    [
      "tablesVisited",
      measured(
        (middle) => walkTable(middle) - lockOf(middle),
        "As walk-table, without the lock, which is charged apart.",
      ),
    ],
    ["entriesExamined", look],
  ]);
  if (hadAll(repetitions, SCAN_TIMINGS)) {
    const zero = middleOf((middle) => middle("scan-zero"));
    const text = "/proc/self/pagemap of small pages, without the line of struct page; the lower end is the zero page.";
    units.set(
      "page-scanned",
      measured((middle) => middle("scan-anon") - lineOf(middle), text, zero),
    );
  }
  if (hadHugePages(repetitions)) for (const [unit, priced] of hugeUnits(repetitions, config)) units.set(unit, priced);
  return units;
}

const freed = (middle: Middle): number => middle("anon-unmap") - middle("shared-unmap");
const tableFreed = (middle: Middle): number => middle("sparse-unmap") - middle("empty-scan") - middle("zero-unmap");

/** What needs folios of 2 MiB to be measured. */
function hugeUnits(repetitions: readonly Timings[], config: Config): [CostUnit, PricedUnit][] {
  const middleOf = (formula: Formula): number => estimate(repetitions, formula).ns;
  const counting = countingInBatch(config);
  const unsure = (formula: Formula): number[] => (config === "unknown" ? [middleOf(formula)] : []);
  const measured = (formula: Formula, text: string, ...upTo: readonly number[]): PricedUnit => ({
    cost: widened(estimate(repetitions, formula), ...upTo),
    origin: origin("measured", text),
  });
  const copied: Formula = (middle) => middle("batch-fork") - shareOfTable(middle);
  const cleared: Formula = (middle) => middle("batch-unmap");
  const split: Formula = (middle) => middle("split") - TABLE_ENTRIES * entrySet(middle);
  return [
    ["page-zeroed", measured((middle) => middle("huge-fault"), "A fault of 2 MiB, of which each page is a 512th.")],
    ["page-allocated", measured(pageAllocated, "First writes to small pages, without fault, entry, zeroes and line.")],
    ["page-copied", measured(pageCopied, "Copy-on-write beside a child, instead of zeroes; with its flush.")],
    [
      "entry-copied",
      measured(
        (middle) => copied(middle) - counting(middle),
        `Fork of 2 MiB mapped by PTEs${without(config)}; the upper end is a page on its own.`,
        middleOf((middle) => middle("zero-fork")),
        ...unsure(copied),
      ),
    ],
    [
      "entry-cleared",
      measured(
        (middle) => cleared(middle) - counting(middle),
        `Unmapping 2 MiB mapped by PTEs${without(config)}; the upper end is a page on its own.`,
        middleOf((middle) => middle("zero-unmap")),
        ...unsure(cleared),
      ),
    ],
    [
      "pmd-split",
      measured(
        (middle) => split(middle) - TABLE_ENTRIES * counting(middle),
        `MADV_DONTNEED of a first and of a second page of 2 MiB, without 512 entries set${without(config)}.`,
        ...unsure(split),
      ),
    ],
  ];
}

function without(config: Config): string {
  return config === "nopage" ? "" : ", without an atomic and a line a page for counting";
}

function origin(how: UnitOrigin["how"], text: string): UnitOrigin {
  return { how, by: text };
}

/** Timings that are no units, for whoever wants to hold the units against them. */
export function kernelControls(repetitions: readonly Timings[]): CalibrationControl[] {
  const control = (name: string, formula: Formula, text: string): CalibrationControl => ({
    name,
    cost: estimate(repetitions, formula),
    text,
  });
  const raw = (name: string, timing: string, text: string): CalibrationControl =>
    control(name, (middle) => middle(timing), text);
  return [
    control(
      "small folio counted at fork",
      (middle) => middle("anon-fork") - middle("zero-fork"),
      "Fork of a small page less fork of a zero page: two atomics, a line, and what the kernel does besides for a folio.",
    ),
    control(
      "small folio counted at unmap",
      (middle) => middle("shared-unmap") - middle("zero-unmap"),
      "The same of unmapping.",
    ),
    raw("fault that reuses", "reuse-fault", "Write to a page that was shared and is no longer."),
    raw("fault that copies", "cow-fault", "Write to a page that a child maps, too."),
    raw("fault that zeroes", "anon-fault", "First write to a small page."),
    ...(hadHugePages(repetitions)
      ? [
          raw("fork, 2 MiB by PTEs", "batch-fork", "A page's part of it."),
          raw("unmap, 2 MiB by PTEs", "batch-unmap", "A page's part of it, while another process maps the folio."),
        ]
      : []),
  ];
}
