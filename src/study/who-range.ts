/**
 * Who maps the pages of a whole VMA or file, and how many of them. Plain data, ready for JSON.
 *
 * A page counts for a VMA as often as the VMA maps it, which but for odd mappings is once. "Alone" are pages with one
 * mapping in all, by what was found or, where the kernel counts more, by the kernel.
 */
import { type FoundMappings, type SelectedRun, countFound, judgeCounts, placesOf } from "../capture/index.ts";
import { FRAME_KIND_MASK, FRAME_LARGE, PAGE_SIZE_BYTES } from "../kernel/index.ts";
import { COUNTED_KINDS, KIND_COLUMNS, type KindBytes, kindBytesOf } from "./kind-bytes.ts";
import { type ProcessName, nameOf } from "./mm-groups.ts";
import { WHO_VERSION, type WhoMachine, type WhoSearch, type WhoVma, whoMachineOf, whoVmaOf } from "./who-maps.ts";

/** One VMA's part. */
export interface RangeMapper {
  readonly process: ProcessName;
  /** Other processes with the same address space. */
  readonly sharedWith: readonly number[];
  readonly vma: WhoVma;
  readonly bytes: number;
  /** Of those, mapped by this VMA and nobody else. */
  readonly aloneBytes: number;
}

/** The answer about many pages. */
export interface WhoRangeReport {
  readonly schema: "foliometer-who-range";
  readonly version: typeof WHO_VERSION;
  readonly machine: WhoMachine;
  /** Pages found there, every frame once. */
  readonly present: KindBytes;
  /** Of those, pages of large folios. */
  readonly largeBytes: number;
  /** Frames whose mappings nobody counts: zero pages. */
  readonly uncountedBytes: number;
  /** How many pages have how many mappings, ascending. */
  readonly mapcounts: readonly { readonly mapcount: number; readonly pages: number }[];
  /** Those with the most pages first. */
  readonly mappers: readonly RangeMapper[];
  readonly search: WhoSearch;
}

/** The answer about the frames in `found`. O(pages mapped). */
export function reportWhoRange(found: FoundMappings): WhoRangeReport {
  const counts = trueCounts(found);
  const pages = new Float64Array(KIND_COLUMNS);
  let large = 0;
  let uncounted = 0;
  const histogram = new Map<number, number>();
  for (const [place, kindByte] of found.kinds.entries()) {
    const kind = kindByte & FRAME_KIND_MASK;
    pages[kind]++;
    if ((kindByte & FRAME_LARGE) !== 0) large++;
    if (!isCounted(kind)) uncounted++;
    else histogram.set(counts[place], (histogram.get(counts[place]) ?? 0) + 1);
  }
  return {
    schema: "foliometer-who-range",
    version: WHO_VERSION,
    machine: whoMachineOf(found),
    present: kindBytesOf(pages),
    largeBytes: large * PAGE_SIZE_BYTES,
    uncountedBytes: uncounted * PAGE_SIZE_BYTES,
    mapcounts: [...histogram]
      .map(([mapcount, count]) => ({ mapcount, pages: count }))
      .toSorted((a, b) => a.mapcount - b.mapcount),
    mappers: rangeMappers(found, counts),
    search: { ...found.search, counts: judgeCounts(found) },
  };
}

function isCounted(kind: number): boolean {
  return COUNTED_KINDS.some((counted) => counted === kind);
}

/** Mappings of each frame: those found, or the kernel's where it counts more and counts pages. */
function trueCounts(found: FoundMappings): Int32Array {
  const counts = countFound(found);
  const { kernelCounts, machine, kinds } = found;
  if (kernelCounts === undefined) return counts;
  return counts.map((count, place) => {
    const isAverage = machine.mapcountConfig === "nopage" && (kinds[place] & FRAME_LARGE) !== 0;
    return isAverage ? count : Math.max(count, kernelCounts[place]);
  });
}

function rangeMappers(found: FoundMappings, counts: Int32Array): RangeMapper[] {
  const { runs, vmas, mmOfVma, processes, intervals } = found;
  const placeOf = placesOf(intervals);
  const sums = new Map<number, { pages: number; alone: number }>();
  for (const run of runs) {
    let sum = sums.get(run.vma);
    if (sum === undefined) sums.set(run.vma, (sum = { pages: 0, alone: 0 }));
    sum.pages += run.pages;
    sum.alone += aloneIn(run, counts, placeOf);
  }
  const mappers: RangeMapper[] = [];
  for (const [row, { pages, alone }] of sums) {
    const ofMm = processes.filter(({ mm, state }) => mm === mmOfVma[row] && (state === "complete" || state === "shares-mm"));
    const process = ofMm.find(({ state }) => state === "complete") ?? ofMm[0];
    if (process === undefined) continue;
    mappers.push({
      process: nameOf(process),
      sharedWith: ofMm.filter((each) => each !== process).map(({ pid }) => pid),
      vma: whoVmaOf(vmas[row]),
      bytes: pages * PAGE_SIZE_BYTES,
      aloneBytes: alone * PAGE_SIZE_BYTES,
    });
  }
  return mappers.toSorted((a, b) => b.bytes - a.bytes || a.process.pid - b.process.pid);
}

function aloneIn({ frame, pages, step }: SelectedRun, counts: Int32Array, placeOf: (frame: number) => number): number {
  if (step === 0) return pages === 1 && counts[placeOf(frame)] === 1 ? 1 : 0;
  const place = placeOf(step < 0 ? frame - pages + 1 : frame);
  let alone = 0;
  for (let at = place; at < place + pages; at++) if (counts[at] === 1) alone++;
  return alone;
}
