/**
 * Which process, which mapping and which pages a wish is about.
 */
import { type Area, HUGETLB_PAGES, type SymbolicMachine, type SymbolicProcess } from "./symbolic-machine.ts";
import { SHARES, type Wish } from "./wishes.ts";

/** Pages of a process. */
export interface PageRange {
  readonly process: SymbolicProcess;
  readonly area: Area;
  readonly firstPage: number;
  readonly pageCount: number;
}

/** 64 kB: what folios of several sizes are multiples or parts of. */
const ALIGNED_PAGES = 16;

export function pickProcess({ processes }: SymbolicMachine, wish: Wish): SymbolicProcess | undefined {
  return processes.length === 0 ? undefined : processes[wish.process % processes.length];
}

function isOrdinary({ mapping }: Area): boolean {
  return mapping.memory !== "hugetlb";
}

/** The mapping of the wish among those that fit; mappings of huge pages only where asked for. */
export function pickArea(
  process: SymbolicProcess,
  wish: Wish,
  fits: (area: Area) => boolean = isOrdinary,
): Area | undefined {
  const areas = process.areas().filter(fits);
  return areas.length === 0 ? undefined : areas[wish.area % areas.length];
}

/** The pages of the mapping that the wish is about. */
export function cutRange(area: Area, { grain, from, length }: Wish): { firstPage: number; pageCount: number } {
  const unit = area.mapping.memory === "hugetlb" ? HUGETLB_PAGES : 1;
  const units = Math.floor(area.pageCount / unit);
  const first = Math.floor((units * from) / SHARES);
  const count = Math.max(1, Math.min(units - first, Math.ceil((units * (length + 1)) / SHARES)));
  const cut = (start: number, pages: number): { firstPage: number; pageCount: number } => ({
    firstPage: area.firstPage + start * unit,
    pageCount: Math.max(1, pages) * unit,
  });
  switch (grain) {
    case "whole":
      return cut(0, units);
    case "page":
      return cut(first, 1);
    case "part":
      return cut(first, count);
    case "half":
      return from < SHARES / 2 ? cut(0, units >> 1) : cut(units >> 1, units - (units >> 1));
    case "aligned": {
      const start = first - (first % ALIGNED_PAGES);
      return cut(start, Math.min(units - start, Math.ceil(count / ALIGNED_PAGES) * ALIGNED_PAGES));
    }
  }
}

const FOCUS_TURN = 40;

/** Every other time the mapping that the wish before was about, in whatever process: what one does the other sees. */
function focusedArea(
  { focus }: SymbolicMachine,
  process: SymbolicProcess,
  wish: Wish,
  fits: (area: Area) => boolean = isOrdinary,
): Area | undefined {
  if (!process.pages.has(focus) || choose([true, false], wish, FOCUS_TURN)) return undefined;
  return process
    .areas()
    .find((area) => area.firstPage <= focus && focus < area.firstPage + area.pageCount && fits(area));
}

/** Process, mapping and pages of a wish, whatever state they are in. */
export function pickRange(machine: SymbolicMachine, wish: Wish, fits?: (area: Area) => boolean): PageRange | undefined {
  const process = pickProcess(machine, wish);
  if (process === undefined) return undefined;
  const area = focusedArea(machine, process, wish, fits) ?? pickArea(process, wish, fits);
  if (area === undefined) return undefined;
  const range = cutRange(area, wish);
  machine.focus = range.firstPage;
  return { process, area, ...range };
}

/** The first run of pages in the range that fit. */
export function firstRun(range: PageRange, fits: (page: number) => boolean): PageRange | undefined {
  const end = range.firstPage + range.pageCount;
  let first = range.firstPage;
  while (first < end && !fits(first)) first++;
  let last = first;
  while (last < end && fits(last)) last++;
  return last > first ? { ...range, firstPage: first, pageCount: last - first } : undefined;
}

/** An element of a list by the wish's free number; `turn` gives several independent choices to one wish. */
export function choose<T>(values: readonly T[], { choice }: Pick<Wish, "choice">, turn = 0): T {
  // Neighbouring turns must not choose alike: the number is spread by a multiplication first.
  const spread = Math.imul(choice + 1, 0x9e3779b1 + 0x6a09e667 * turn) >>> 8;
  return values[spread % values.length];
}
