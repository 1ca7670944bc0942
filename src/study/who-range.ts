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
import {
  WHO_VERSION,
  type WhoMachine,
  type WhoSearch,
  type WhoVma,
  processesOfMm,
  whoMachineOf,
  whoVmaOf,
} from "./who-maps.ts";

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

/** Pages by what they are, and by how often they are mapped. */
export class RangePages {
  private readonly pages = new Float64Array(KIND_COLUMNS);
  private readonly histogram = new Map<number, number>();
  private large = 0;
  private uncounted = 0;

  /** One frame: its kind byte, and its mappings. */
  add(kindByte: number, mapcount: number): void {
    const kind = kindByte & FRAME_KIND_MASK;
    this.pages[kind]++;
    if ((kindByte & FRAME_LARGE) !== 0) this.large++;
    if (isCounted(kind)) this.histogram.set(mapcount, (this.histogram.get(mapcount) ?? 0) + 1);
    else this.uncounted++;
  }

  finished(): Pick<WhoRangeReport, "present" | "largeBytes" | "uncountedBytes" | "mapcounts"> {
    return {
      present: kindBytesOf(this.pages),
      largeBytes: this.large * PAGE_SIZE_BYTES,
      uncountedBytes: this.uncounted * PAGE_SIZE_BYTES,
      mapcounts: [...this.histogram]
        .map(([mapcount, pages]) => ({ mapcount, pages }))
        .toSorted((a, b) => a.mapcount - b.mapcount),
    };
  }
}

function isCounted(kind: number): boolean {
  return COUNTED_KINDS.some((counted) => counted === kind);
}

/** The answer about the frames in `found`. O(pages mapped). */
export function reportWhoRange(found: FoundMappings): WhoRangeReport {
  const counts = trueCounts(found);
  const pages = new RangePages();
  for (const [place, kindByte] of found.kinds.entries()) pages.add(kindByte, counts[place]);
  const placeOf = placesOf(found.intervals);
  const sums = new MapperSums();
  for (const run of found.runs) sums.add(run.vma, run.pages, aloneIn(run, counts, placeOf));
  return {
    schema: "foliometer-who-range",
    version: WHO_VERSION,
    machine: whoMachineOf(found),
    ...pages.finished(),
    mappers: sums.finished(found),
    search: { ...found.search, counts: judgeCounts(found) },
  };
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

function aloneIn({ frame, pages, step }: SelectedRun, counts: Int32Array, placeOf: (frame: number) => number): number {
  if (step === 0) return pages === 1 && counts[placeOf(frame)] === 1 ? 1 : 0;
  const place = placeOf(step < 0 ? frame - pages + 1 : frame);
  let alone = 0;
  for (let at = place; at < place + pages; at++) if (counts[at] === 1) alone++;
  return alone;
}

/** Pages by VMA. */
export class MapperSums {
  private readonly sums = new Map<number, { pages: number; alone: number }>();

  /** Pages that a VMA maps, and those of them that nobody else does. */
  add(vma: number, pages: number, alone: number): void {
    const sum = this.sums.get(vma);
    if (sum === undefined) this.sums.set(vma, { pages, alone });
    else {
      sum.pages += pages;
      sum.alone += alone;
    }
  }

  finished({ vmas, mmOfVma, processes }: Pick<FoundMappings, "vmas" | "mmOfVma" | "processes">): RangeMapper[] {
    const mappers: RangeMapper[] = [];
    for (const [row, { pages, alone }] of this.sums) {
      const ofMm = processesOfMm(processes, mmOfVma[row]);
      const [process] = ofMm;
      if (process === undefined) continue;
      mappers.push({
        process: nameOf(process),
        sharedWith: ofMm.slice(1).map(({ pid }) => pid),
        vma: whoVmaOf(vmas[row]),
        bytes: pages * PAGE_SIZE_BYTES,
        aloneBytes: alone * PAGE_SIZE_BYTES,
      });
    }
    return mappers.toSorted((a, b) => b.bytes - a.bytes || a.process.pid - b.process.pid);
  }
}
