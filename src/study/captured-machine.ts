/**
 * A captured machine on the entry machine: every address space, and every entry that maps a folio.
 *
 * A capture shows which page maps which frame and not how that came about. So entries are added address space by address
 * space, parents before their children and else in the order of pids; where a scheme's state depends on the order (owner
 * slots, the shared bit: docs/history.md) it is that of this order. Frames are numbered anew, without the holes of frames
 * that nobody maps: large folios first, so that each is aligned. What is left out is counted: pages that no scheme counts
 * (zero pages, device memory), and hugetlb pages of sizes that no single entry maps.
 */
import type { Capture, CapturedProcess } from "../capture/index.ts";
import {
  FRAME_KIND_MASK,
  FRAME_LARGE,
  HPAGE_PMD_NR,
  HPAGE_PMD_ORDER,
  HPAGE_PUD_ORDER,
  KIND_ANON,
  KIND_FILE,
  KIND_HUGETLB,
  KIND_KSM,
  KIND_NONE,
  KIND_SHMEM,
  KIND_UNCOUNTED,
  LEVEL_PMD,
  LEVEL_PUD,
  isAnonKind,
} from "../kernel/index.ts";
import { ANON, FILE, FREE, type FrameKind, HUGETLB_ANON, HUGETLB_FILE, KSM, SHMEM } from "../memory/index.ts";
import { EntryMachine } from "../scenario/index.ts";
import type { Scheme } from "../schemes/index.ts";
import { BadWhatIf } from "./capture-what-if-steps.ts";
import { type SortedRuns, sortByVma } from "./captured-runs.ts";

/** Page-table entries of a machine that can be studied: each is told to every scheme. */
const ENTRIES_MAX = 2 ** 24;

/** What became of the capture. */
export interface CapturedMachineFacts {
  readonly processes: number;
  readonly addressSpaces: number;
  readonly folios: number;
  readonly entries: number;
  /** Pages mapped that no scheme counts, and pages of hugetlb folios whose size no entry has. */
  readonly pagesNotCounted: number;
  readonly hugetlbPagesLeftOut: number;
}

/** The machine, and which process is where on it. */
export interface CapturedMachine {
  readonly machine: EntryMachine;
  /** Address space by pid; several pids may have one. */
  readonly mmOfPid: ReadonlyMap<number, number>;
  /** Present pages by pid: no process has more to copy. */
  readonly pagesOfPid: ReadonlyMap<number, number>;
  readonly facts: CapturedMachineFacts;
}

export interface CapturedMachineOptions {
  readonly schemes: readonly Scheme[];
  readonly seed: number;
  /** Frames for copies that steps may make, given the present pages of each process. */
  readonly spareFrames: (pagesOfPid: ReadonlyMap<number, number>) => number;
}

/** Builds the machine. Throws BadWhatIf where the capture holds more than can be studied. O(entries * schemes). */
export async function buildCapturedMachine(
  capture: Capture,
  options: CapturedMachineOptions,
): Promise<CapturedMachine> {
  const runs = sortByVma(await capture.presentRuns(), capture.vmas.length);
  const survey = surveyRuns(capture, runs);
  if (survey.entries > ENTRIES_MAX) {
    throw new BadWhatIf(
      `The capture has ${survey.entries} page-table entries; a what-if takes ${ENTRIES_MAX}: capture fewer processes.`,
    );
  }
  const places = new FramePlaces(capture);
  const machine = new EntryMachine({
    schemes: options.schemes,
    seed: options.seed,
    frameCount: places.count + options.spareFrames(survey.pagesOfPid),
    leafEntries: survey.mapsPartsByPmd ? "any-part" : "whole-folio",
  });
  const builder = new Builder(capture, runs, { places, machine, hasAnon: survey.hasAnon });
  const mmOfPid = new Map<number, number>();
  const mmOfRow = new Map<number, number>();
  for (const process of replayOrder(capture.processes)) {
    const known = mmOfRow.get(process.mm);
    const mm = known ?? builder.addProcess(process);
    mmOfRow.set(process.mm, mm);
    mmOfPid.set(process.pid, mm);
  }
  return {
    machine,
    mmOfPid,
    pagesOfPid: survey.pagesOfPid,
    facts: {
      processes: mmOfPid.size,
      addressSpaces: mmOfRow.size,
      folios: machine.mappedFolios().length,
      entries: survey.entries,
      pagesNotCounted: builder.pagesNotCounted,
      hugetlbPagesLeftOut: builder.hugetlbPagesLeftOut,
    },
  };
}

/** Processes that were read, by pid, each behind its parent. */
export function replayOrder(processes: readonly CapturedProcess[]): CapturedProcess[] {
  const read = processes.filter(({ state, mm }) => mm >= 0 && (state === "complete" || state === "shares-mm"));
  const byPid = new Map(read.map((process) => [process.pid, process]));
  const ordered: CapturedProcess[] = [];
  const seen = new Set<number>();
  for (const process of read.toSorted((a, b) => a.pid - b.pid)) {
    const line: CapturedProcess[] = [];
    for (
      let at: CapturedProcess | undefined = process;
      at !== undefined && !seen.has(at.pid);
      at = byPid.get(at.ppid)
    ) {
      seen.add(at.pid);
      line.push(at);
    }
    ordered.push(...line.reverse());
  }
  return ordered;
}

interface RunSurvey {
  readonly entries: number;
  /** By VMA row: 1 if an anonymous page is mapped there, so that fork copies its page tables if it is private. */
  readonly hasAnon: Uint8Array;
  readonly mapsPartsByPmd: boolean;
  readonly pagesOfPid: ReadonlyMap<number, number>;
}

function surveyRuns({ frames, folios, vmas, mmOfVma, processes }: Capture, { runs }: SortedRuns): RunSurvey {
  const hasAnon = new Uint8Array(vmas.length);
  const pagesOfMm = new Map<number, number>();
  let entries = 0;
  const hasLargest = folios.order.subarray(0, folios.count).some((order) => order > HPAGE_PMD_ORDER);
  let mapsPartsByPmd = false;
  for (let row = 0; row < runs.count; row++) {
    const { vma, frame, pages, step, level } = runs;
    const isLeaf = level[row] === LEVEL_PMD;
    entries += isLeaf ? Math.ceil(pages[row] / HPAGE_PMD_NR) : pages[row];
    const mm = mmOfVma[vma[row]];
    pagesOfMm.set(mm, (pagesOfMm.get(mm) ?? 0) + pages[row]);
    for (let i = 0; i < pages[row] && hasAnon[vma[row]] === 0; i++) {
      const kind = frames.kind[frame[row] + step[row] * i] & FRAME_KIND_MASK;
      // Of a private hugetlb mapping it is taken for granted: kpageflags does not tell its pages from the file's.
      if (isAnonKind(kind) || kind === KIND_HUGETLB) hasAnon[vma[row]] = 1;
    }
    if (isLeaf && hasLargest) mapsPartsByPmd ||= isPartOfLarger(folios, frame[row]);
  }
  const pagesOfPid = new Map(processes.map(({ pid, mm }) => [pid, pagesOfMm.get(mm) ?? 0]));
  return { entries, hasAnon, mapsPartsByPmd, pagesOfPid };
}

/** True of a frame in a folio above PMD size that is no hugetlb folio. */
function isPartOfLarger({ count, headPfn, order, kind }: Capture["folios"], pfn: number): boolean {
  for (let row = 0; row < count; row++) {
    if (order[row] <= HPAGE_PMD_ORDER || kind[row] === KIND_HUGETLB) continue;
    if (pfn >= headPfn[row] && pfn < headPfn[row] + 2 ** order[row]) return true;
  }
  return false;
}

/** Where the captured frames are on the machine. */
class FramePlaces {
  /** Frames in use. */
  count = 0;
  /** By captured frame: the machine's, plus 1; 0: not there. */
  private readonly places: Int32Array;
  /** By the machine's frame: the order of the folio that begins there. */
  readonly orders: Uint8Array;

  constructor({ frames, folios }: Capture) {
    this.places = new Int32Array(frames.frameCount);
    const rows = Array.from({ length: folios.count }, (_, row) => row).filter((row) => isCounted(folios.kind[row]));
    rows.sort((a, b) => folios.order[b] - folios.order[a] || a - b);
    const largePages = rows.reduce((sum, row) => sum + 2 ** folios.order[row], 0);
    this.orders = new Uint8Array(largePages);
    for (const row of rows) {
      const size = 2 ** folios.order[row];
      const head = folios.headPfn[row];
      this.orders.fill(folios.order[row], this.count, this.count + size);
      for (let page = 0; page < size && head + page < frames.frameCount; page++)
        this.places[head + page] = ++this.count;
      this.count = Math.ceil(this.count / size) * size;
    }
    const { kind, mapcount, blockMapped } = frames;
    // Their mapcount is the kernel's, which may say 0 of a frame that an entry was read for.
    const corrected = new Set(frames.corrected);
    for (let block = 0; block < blockMapped.length; block++) {
      if (blockMapped[block] === 0) continue;
      const end = Math.min(frames.frameCount, (block + 1) * HPAGE_PMD_NR);
      for (let pfn = block * HPAGE_PMD_NR; pfn < end; pfn++) {
        const isSmall = (kind[pfn] & FRAME_LARGE) === 0 && (mapcount[pfn] > 0 || corrected.has(pfn));
        if (isSmall && isCounted(kind[pfn] & FRAME_KIND_MASK)) this.places[pfn] = ++this.count;
      }
    }
  }

  /** The machine's frame for a captured one, -1 if it has none. */
  placeOf(pfn: number): number {
    return this.places[pfn] - 1;
  }

  /** Order of the folio that this frame of the machine belongs to. */
  orderOf(frame: number): number {
    return frame < this.orders.length ? this.orders[frame] : 0;
  }
}

function isCounted(kind: number): boolean {
  return kind !== KIND_NONE && kind !== KIND_UNCOUNTED;
}

/** Adds processes to the machine. */
class Builder {
  pagesNotCounted = 0;
  hugetlbPagesLeftOut = 0;
  private readonly capture: Capture;
  private readonly sorted: SortedRuns;
  private readonly places: FramePlaces;
  private readonly machine: EntryMachine;
  private readonly hasAnon: Uint8Array;

  constructor(
    capture: Capture,
    sorted: SortedRuns,
    to: { readonly places: FramePlaces; readonly machine: EntryMachine; readonly hasAnon: Uint8Array },
  ) {
    this.capture = capture;
    this.sorted = sorted;
    this.places = to.places;
    this.machine = to.machine;
    this.hasAnon = to.hasAnon;
  }

  /** An address space with all its entries; returns it. */
  addProcess({ firstVma, endVma }: CapturedProcess): number {
    const { machine, capture, sorted } = this;
    const mm = machine.createMm();
    for (let row = firstVma; row < endVma; row++) {
      const { startPage, endPage, shared } = capture.vmas[row];
      const vma = machine.createVma(mm, startPage, endPage - startPage, !shared && this.hasAnon[row] === 1);
      for (let at = sorted.firstOf[row]; at < sorted.firstOf[row + 1]; at++) this.addRun(sorted.rows[at], vma, shared);
    }
    return mm;
  }

  private addRun(row: number, vma: number, isShared: boolean): void {
    const { page, frame, pages, step } = this.sorted.runs;
    for (let done = 0; done < pages[row];) {
      const pfn = frame[row] + step[row] * done;
      const at = { row, vma, pfn, page: page[row] + done, left: pages[row] - done, isShared };
      done += this.addPiece(at);
    }
  }

  /** Adds entries from one frame on; returns how many pages of the run that settles. */
  private addPiece(at: Piece): number {
    const { places, machine, capture } = this;
    const frame = places.placeOf(at.pfn);
    if (frame < 0) {
      this.pagesNotCounted++;
      return 1;
    }
    const kind = capture.frames.kind[at.pfn] & FRAME_KIND_MASK;
    const order = places.orderOf(frame);
    if (kind === KIND_HUGETLB) return this.addHugetlb(at, frame, order);
    const step = this.sorted.runs.step[at.row];
    if (order > 0 && step === 1) return this.addLarge(at, frame, order, kind);
    if (order > 0) {
      this.createFolio(frame - (frame % 2 ** order), order, kind, at.isShared);
      machine.mapStretch({ page: at.page, frame, pages: 1, step: 1 }, at.vma);
      return 1;
    }
    return this.addSmall(at, frame, step);
  }

  private addLarge({ row, vma, page, left }: Piece, frame: number, order: number, kind: number): number {
    const { machine } = this;
    const head = frame - (frame % 2 ** order);
    this.createFolio(head, order, kind, false);
    const inFolio = Math.min(left, head + 2 ** order - frame);
    const level = this.sorted.runs.level[row];
    const isHuge = level === LEVEL_PMD && page % HPAGE_PMD_NR === 0 && frame % HPAGE_PMD_NR === 0;
    if (isHuge && inFolio >= HPAGE_PMD_NR) {
      const pages = inFolio - (inFolio % HPAGE_PMD_NR);
      machine.map(head, frame - head, pages, LEVEL_PMD, vma, page);
      return pages;
    }
    machine.mapStretch({ page, frame, pages: inFolio, step: 1 }, vma);
    return inFolio;
  }

  /** Small folios whose frames step as the run does. */
  private addSmall({ pfn, vma, page, left, isShared }: Piece, frame: number, step: number): number {
    const { places, machine, capture } = this;
    const { kind } = capture.frames;
    const most = step === 0 ? 1 : left;
    let pages = 1;
    while (pages < most) {
      const next = pfn + step * pages;
      // Below frame 0 there is none, and "none" is -1 too.
      if (frame + step * pages < 0 || places.placeOf(next) !== frame + step * pages || (kind[next] & FRAME_LARGE) !== 0)
        break;
      pages++;
    }
    for (let i = 0; i < pages; i++) {
      this.createFolio(frame + step * i, 0, kind[pfn + step * i] & FRAME_KIND_MASK, isShared);
    }
    machine.mapStretch({ page, frame, pages, step: step < 0 ? -1 : 1 }, vma);
    return pages;
  }

  /** A hugetlb folio is mapped by one entry, whatever pieces its runs come in. */
  private addHugetlb({ vma, page, left, isShared }: Piece, frame: number, order: number): number {
    const size = 2 ** order;
    const head = frame - (frame % size);
    const inFolio = Math.min(left, head + size - frame);
    if (order !== HPAGE_PMD_ORDER && order !== HPAGE_PUD_ORDER) {
      this.hugetlbPagesLeftOut += inFolio;
      return inFolio;
    }
    if (frame === head) {
      this.createFolio(head, order, KIND_HUGETLB, isShared);
      this.machine.map(head, 0, size, order === HPAGE_PMD_ORDER ? LEVEL_PMD : LEVEL_PUD, vma, page);
    }
    return inFolio;
  }

  /** Makes the folio when it is met for the first time. */
  private createFolio(head: number, order: number, kind: number, isShared: boolean): void {
    const { machine } = this;
    if (machine.kindOf(head) !== FREE) return;
    const frameKind = frameKindOf(kind, isShared);
    machine.createFolio(order, frameKind, head);
    const isCached = frameKind === FILE || frameKind === SHMEM || frameKind === HUGETLB_FILE;
    if (isCached) machine.setCached(head, true);
  }
}

interface Piece {
  readonly row: number;
  readonly vma: number;
  readonly pfn: number;
  readonly page: number;
  readonly left: number;
  readonly isShared: boolean;
}

/** A hugetlb page in a shared mapping is a file's, in a private one its owner's. */
function frameKindOf(kind: number, isShared: boolean): FrameKind {
  switch (kind) {
    case KIND_ANON:
      return ANON;
    case KIND_KSM:
      return KSM;
    case KIND_FILE:
      return FILE;
    case KIND_SHMEM:
      return SHMEM;
    default:
      return isShared ? HUGETLB_FILE : HUGETLB_ANON;
  }
}
