/**
 * One process and one VMA of a moment that is watched: its VMAs under the schemes; the folios of a VMA by order, and who
 * else maps them.
 *
 * The frames of the VMA are marked in a table, and one pass of histograms with the marks as classes counts them for all
 * other VMAs of the machine: the answer costs a pass, however many sharers there are.
 */
import {
  ATTRIBUTES,
  ATTRIBUTE_PMD_HEAD,
  type CapturedProcess,
  ENTRY_PRESENT,
  type IncrementalCapture,
} from "../capture/index.ts";
import { SUM_HUGETLB, SUM_RSS } from "../figures/index.ts";
import { FRAME_KIND_MASK, FRAME_LARGE, KIND_UNCOUNTED, PAGE_SIZE_BYTES, readableVmaName } from "../kernel/index.ts";
import type { ProcessFigures } from "./capture-report.ts";
import { processFigures } from "./report-on-capture.ts";

import type { WatchStudy } from "./watch-figures.ts";

/** A VMA under the schemes. */
export interface WatchedVma {
  readonly startPage: number;
  readonly endPage: number;
  /** As maps prints them: "rw-p". */
  readonly perms: string;
  /** As readable text, not as the bytes that maps prints. */
  readonly name: string;
  readonly rssBytes: number;
  readonly hugetlbBytes: number;
  readonly swapBytes: number;
  readonly schemes: Readonly<Record<string, ProcessFigures>>;
}

/** Folios of one kind and order that a VMA maps. */
export interface WatchedFolios {
  readonly kind: number;
  readonly order: number;
  readonly folios: number;
  /** Bytes of them that the VMA maps. */
  readonly mappedBytes: number;
  /** Folios of which some page is mapped by nobody, and those bytes. */
  readonly partialFolios: number;
  readonly unmappedBytes: number;
  /** Folios that somebody else maps too, or the same process elsewhere. */
  readonly sharedFolios: number;
}

/** Who else maps the frames of a VMA. */
export interface Sharer {
  readonly pid: number;
  readonly name: string;
  readonly bytes: number;
}

/** What lies in one VMA. */
export interface VmaContents {
  readonly vma: WatchedVma;
  /** By kind and order. */
  readonly folios: readonly WatchedFolios[];
  /** Most bytes first. */
  readonly sharers: readonly Sharer[];
}

/** The process of a pid, if the capture has its VMAs. */
function processOf({ capture }: WatchStudy, pid: number): CapturedProcess | undefined {
  return capture.processes.find((process) => process.pid === pid && process.mm >= 0);
}

/** The VMAs of a process in the order of their addresses; undefined: it is gone, or was not read. */
export function studyVmas(study: WatchStudy, pid: number): WatchedVma[] | undefined {
  const process = processOf(study, pid);
  if (process === undefined) return undefined;
  return Array.from({ length: process.endVma - process.firstVma }, (_, at) =>
    describeVma(study, process.firstVma + at),
  );
}

function describeVma({ capture, sums }: WatchStudy, row: number): WatchedVma {
  const { startPage, endPage, read, write, exec, shared, name } = capture.vmas[row];
  const total = new Float64Array(sums.vmas.width);
  sums.vmas.combine(row, row + 1, total);
  const perms = [read ? "r" : "-", write ? "w" : "-", exec ? "x" : "-", shared ? "s" : "p"].join("");
  return {
    startPage,
    endPage,
    perms,
    name: readableVmaName(name),
    rssBytes: total[SUM_RSS] * PAGE_SIZE_BYTES,
    hugetlbBytes: total[SUM_HUGETLB] * PAGE_SIZE_BYTES,
    swapBytes: sums.swapPages[row] * PAGE_SIZE_BYTES,
    schemes: Object.fromEntries(
      sums.schemes.map(({ id }, index) => [id, processFigures(total, sums.vmas.schemeAt(index))]),
    ),
  };
}

/** What lies in the VMA that begins at a page; undefined: there is none, or the process is gone. O(runs). */
export async function studyVma(study: WatchStudy, pid: number, startPage: number): Promise<VmaContents | undefined> {
  const { capture } = study;
  const process = processOf(study, pid);
  if (process === undefined) return undefined;
  let row = process.firstVma;
  while (row < process.endVma && capture.vmas[row].startPage !== startPage) row++;
  if (row === process.endVma) return undefined;
  const marks = new Int32Array(new SharedArrayBuffer(Math.max(4, capture.frames.frameCount * 4)));
  await markFrames(capture, row, marks);
  return {
    vma: describeVma(study, row),
    folios: sumFolios(capture, marks),
    sharers: await collectSharers(capture, row, marks),
  };
}

/** Marks the frames that a VMA's present entries map and that count as its memory: the zero page is everybody's. */
async function markFrames(capture: IncrementalCapture, row: number, marks: Int32Array): Promise<void> {
  const { frames, vmas } = capture;
  const selection = { startPage: new Float64Array(vmas.length), endPage: new Float64Array(vmas.length) };
  selection.startPage[row] = vmas[row].startPage;
  selection.endPage[row] = vmas[row].endPage;
  for (const { frame, pages, step, bits } of await capture.runsOfPages(selection)) {
    const lowest = step < 0 ? frame - pages + 1 : frame;
    const end = step === 0 ? frame + 1 : lowest + pages;
    if ((bits & ENTRY_PRESENT) === 0 || end > frames.frameCount) continue;
    for (let pfn = lowest; pfn < end; pfn++) {
      if ((frames.kind[pfn] & FRAME_KIND_MASK) !== KIND_UNCOUNTED) marks[pfn] = 1;
    }
  }
}

/** Sums over folios of one kind and order. */
class FolioSums {
  private readonly sums = new Map<number, { -readonly [K in keyof WatchedFolios]: WatchedFolios[K] }>();

  /** Adds a folio of which the VMA maps some pages. */
  add(
    kind: number,
    order: number,
    pages: { readonly mapped: number; readonly unmapped: number; readonly shared: boolean },
  ): void {
    const key = order * (FRAME_KIND_MASK + 1) + kind;
    const sum = this.sums.get(key) ?? {
      kind,
      order,
      folios: 0,
      mappedBytes: 0,
      partialFolios: 0,
      unmappedBytes: 0,
      sharedFolios: 0,
    };
    sum.folios++;
    sum.mappedBytes += pages.mapped * PAGE_SIZE_BYTES;
    if (pages.unmapped > 0) sum.partialFolios++;
    sum.unmappedBytes += pages.unmapped * PAGE_SIZE_BYTES;
    if (pages.shared) sum.sharedFolios++;
    this.sums.set(key, sum);
  }

  /** Largest order first. */
  finished(): WatchedFolios[] {
    return [...this.sums].toSorted(([a], [b]) => b - a).map(([, sum]) => sum);
  }
}

/** Folios of the marked frames by kind and order. */
function sumFolios({ frames, folios }: IncrementalCapture, marks: Int32Array): WatchedFolios[] {
  const sums = new FolioSums();
  let row = 0;
  for (let pfn = marks.indexOf(1); pfn >= 0; pfn = marks.indexOf(1, pfn + 1)) {
    const kind = frames.kind[pfn];
    if ((kind & FRAME_LARGE) === 0) {
      sums.add(kind & FRAME_KIND_MASK, 0, { mapped: 1, unmapped: 0, shared: frames.mapcount[pfn] > 1 });
      continue;
    }
    while (row < folios.count && folios.headPfn[row] + 2 ** folios.order[row] <= pfn) row++;
    // A large folio without a row was torn when it was looked at.
    if (row === folios.count || folios.headPfn[row] > pfn) continue;
    const size = 2 ** folios.order[row];
    const behind = Math.min(frames.frameCount, folios.headPfn[row] + size);
    let mapped = 0;
    for (let at = pfn; at < behind; at++) mapped += marks[at];
    const unmapped = size - folios.pagesMapped[row];
    sums.add(folios.kind[row], folios.order[row], { mapped, unmapped, shared: folios.mappedPages[row] > mapped });
    pfn = behind - 1;
  }
  return sums.finished();
}

/** Processes that map marked frames by another VMA than `row`; one pass of histograms with the marks as classes. */
async function collectSharers(
  capture: IncrementalCapture,
  row: number,
  marks: Int32Array<SharedArrayBuffer>,
): Promise<Sharer[]> {
  const pages = new Float64Array(capture.mmAlive.length);
  for (const { triples } of await capture.countClasses(marks, 2)) {
    for (let at = 0; at < triples.length; at += 3) {
      const index = triples[at + 1];
      const isMarked = Math.floor(index / ATTRIBUTES) === 1 && (index & ATTRIBUTE_PMD_HEAD) === 0;
      if (isMarked && triples[at] !== row) pages[capture.mmOfVma[triples[at]]] += triples[at + 2];
    }
  }
  return capture.processes
    .filter(({ mm, state }) => state === "complete" && pages[mm] > 0)
    .map(({ pid, name, mm }) => ({ pid, name, bytes: pages[mm] * PAGE_SIZE_BYTES }))
    .toSorted((a, b) => b.bytes - a.bytes || a.pid - b.pid);
}
