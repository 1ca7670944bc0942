/**
 * Who maps a page of the running machine, with pagemap of the needed ranges only.
 *
 * From the asked process's entry the frame is known, from kpageflags its folio; every other process is looked at only
 * where it can map the same pages (candidate-places.ts): some KiB of pagemap each, and maps only of those that do or of
 * those that have the file. Then the kernel's counts are held against what was found. A difference is looked at a second
 * time, because others go on while one reads; what remains is for the caller to search every page table for.
 */
import { closeSync, openSync, readFileSync } from "node:fs";
import {
  KPF_COMPOUND_HEAD,
  KPF_COMPOUND_TAIL,
  type MapsVma,
  type ProcRefusal,
  ProcTextError,
  frameKind,
} from "../kernel/index.ts";
import {
  type AskedPages,
  CandidatePlaces,
  GAP_PAGES,
  inodeTextOf,
  pageInFile,
  placesInVmas,
} from "./candidate-places.ts";
import type { Machine } from "./capture.ts";
import { EntryRanges, type PageRange, joinRanges } from "./entry-ranges.ts";
import { type FolioAround, readFolioAround } from "./folio-around.ts";
import { type FoundMappings, framesIn, judgeCounts } from "./found-mappings.ts";
import { FRAME_LARGE } from "./frame-table.ts";
import { type SystemCalls, loadSystemCalls } from "./ioctl.ts";
import { CannotCapture, openKpageflags, refuseOtherPageSizes } from "./live-capture.ts";
import { eachFrame, readKernelCounts } from "./kpage-files.ts";
import { findFrameCount, readMachine } from "./machine.ts";
import { NarrowHits } from "./narrow-hits.ts";
import { type OpenedProcess, isStillIn, listPids, openProcess } from "./process-list.ts";
import { RUN_FILE, RUN_PRESENT } from "./run-layout.ts";
import { type SelectedRun, cutToIntervals, intervalsOf } from "./selected-runs.ts";

/** Pages of the running machine to ask about. */
export type NarrowQuestion =
  /** The folio at a page of a process. */
  | { readonly kind: "address"; readonly pid: number; readonly page: number }
  /** All pages of some VMAs of a process. */
  | { readonly kind: "vmas"; readonly pid: number; readonly wants: (vma: MapsVma) => boolean }
  /** Pages of a file, from startPage up to, not including, endPage; with `folio` the folio of the first of them. */
  | {
      readonly kind: "file";
      readonly file: FileIdentity;
      readonly startPage: number;
      readonly endPage: number;
      readonly folio: boolean;
    };

/** A file: by device and inode as maps prints them, or by the name that maps prints. Inodes may be beyond 2^53. */
export type FileIdentity = { readonly device: string; readonly inodeText: string } | { readonly name: string };

/** True of VMAs of the file; what has a name and no file, as [heap], is none. */
export function isVmaOfFile(vma: MapsVma, file: FileIdentity): boolean {
  if ("name" in file) return vma.inode !== 0 && vma.name === file.name;
  return vma.device === file.device && inodeTextOf(vma) === file.inodeText;
}

/** What was found instead of a folio. */
export type NothingThere =
  /** No such process, or it has no memory of its own. */
  | { readonly state: "no-process" }
  | { readonly state: "refused"; readonly refusal: ProcRefusal }
  /** The process ended, or executed another program, while it was read. */
  | { readonly state: "ended" }
  /** No VMA is there. */
  | { readonly state: "not-mapped" }
  /** A VMA, and no entry in its page table. */
  | { readonly state: "empty"; readonly vma: MapsVma }
  /** VMAs, and of the pages asked about none is mapped: never touched, dropped, swapped out, or of a file and not mapped. */
  | { readonly state: "none-present"; readonly vma: MapsVma }
  /** An entry that is not present; `frame` is pagemap's frame field: type and offset. */
  | { readonly state: "not-present"; readonly vma: MapsVma; readonly bits: number; readonly frame: number }
  /** A frame outside of /proc/kpageflags: device memory, which has no count. */
  | { readonly state: "beyond-frames"; readonly vma: MapsVma; readonly frame: number }
  /** More pages than are read one range at a time: ask a capture. */
  | { readonly state: "too-many"; readonly pages: number };

/** The answer. `machine` is there whenever the question could be asked. */
export type NarrowAnswer =
  | { readonly found: FoundMappings }
  | { readonly nothing: NothingThere; readonly machine: Machine };

/**
 * Beyond so many pages of a question (256 MiB), or runs of an answer, reading range by range has no advantage: a capture
 * skips what is empty and keeps its runs in columns.
 */
const PAGES_MAX = 2 ** 16;
const RUNS_MAX = 2 ** 17;
/** Many VMAs may show the same pages of a file: so many pages of them are read, 32 MiB of pagemap. */
const SHOWN_PAGES_MAX = 2 ** 22;

/**
 * Asks the running machine. `found` may lack mappings: `judgeCounts` tells.
 * Throws CannotCapture where page frame numbers cannot be read at all.
 */
export function readNarrowly(question: NarrowQuestion): NarrowAnswer {
  const flagsFd = openKpageflags();
  try {
    const search = new NarrowSearch(flagsFd);
    const first = search.ask(question);
    if ("nothing" in first || !judgeCounts(first.found).startsWith("kernel-counts")) return first;
    return search.ask(question);
  } finally {
    closeSync(flagsFd);
  }
}

/** The frames that are asked about and where candidates for them are. */
interface Target {
  readonly folio: FolioAround | undefined;
  readonly askedFrame: number;
  readonly intervals: Float64Array;
  readonly asked: readonly AskedPages[];
}

/** What the search says instead of a target. */
type TargetOrNothing = { readonly target: Target } | { readonly nothing: NothingThere };

class NarrowSearch {
  private readonly started = performance.now();
  private readonly flagsFd: number;
  private readonly machine: Machine;
  private readonly calls: SystemCalls | undefined;
  private readonly entries: EntryRanges;
  private readonly ksmBitMeansKsm: boolean;

  constructor(flagsFd: number) {
    this.flagsFd = flagsFd;
    this.machine = readMachine(findFrameCount(flagsFd));
    refuseOtherPageSizes(this.machine);
    const loaded = loadSystemCalls();
    this.calls = "calls" in loaded ? loaded.calls : undefined;
    this.entries = new EntryRanges(this.calls);
    this.ksmBitMeansKsm = this.machine.ksmPagesShared > 0;
  }

  ask(question: NarrowQuestion): NarrowAnswer {
    const aimed = question.kind === "file" ? this.aimAtFile(question) : this.aimAtProcess(question);
    if ("nothing" in aimed) return { nothing: aimed.nothing, machine: this.machine };
    const found = this.find(aimed.target);
    if (found !== undefined) return { found };
    return { nothing: { state: "too-many", pages: framesIn(aimed.target.intervals) }, machine: this.machine };
  }

  private aimAtProcess(question: Exclude<NarrowQuestion, { kind: "file" }>): TargetOrNothing {
    const opened = openProcess(question.pid);
    if (opened === undefined) return { nothing: { state: "no-process" } };
    if (opened.refusal !== null) return { nothing: { state: "refused", refusal: opened.refusal } };
    try {
      const aimed =
        question.kind === "address" ? this.aimAtPage(opened, question.page) : this.aimAtVmas(opened, question);
      return isStillIn(opened) === false ? { nothing: { state: "ended" } } : aimed;
    } finally {
      closeSync(opened.pagemapFd);
    }
  }

  private aimAtPage({ vmas, pagemapFd }: OpenedProcess, page: number): TargetOrNothing {
    const vma = vmas.find(({ startPage, endPage }) => startPage <= page && page < endPage);
    if (vma === undefined) return { nothing: { state: "not-mapped" } };
    const [run] = this.entries.read(pagemapFd, { startPage: page, endPage: page + 1 });
    if (run === undefined) return { nothing: { state: "empty", vma } };
    const { bits, frame } = run;
    if ((bits & RUN_PRESENT) === 0) return { nothing: { state: "not-present", vma, bits, frame } };
    refuseHidden(frame);
    return this.aimAtFolio(frame, vma, page);
  }

  /** A folio's pages are where the asked one is, each as far from it as their frames are. */
  private aimAtFolio(frame: number, vma: MapsVma, page: number): TargetOrNothing {
    const folio = readFolioAround(this.flagsFd, frame, this.ksmBitMeansKsm);
    if (folio === undefined) return { nothing: { state: "beyond-frames", vma, frame } };
    if (folio === "moving") {
      throw new CannotCapture(`The folio of frame 0x${frame.toString(16)} changes faster than it can be read.`);
    }
    const { head, order } = folio;
    const startPage = page + head - frame;
    const asked = [{ vma, startPage, endPage: startPage + 2 ** order }];
    return { target: { folio, askedFrame: frame, intervals: Float64Array.of(head, head + 2 ** order), asked } };
  }

  private aimAtVmas(
    { vmas, pagemapFd }: OpenedProcess,
    { wants }: Extract<NarrowQuestion, { kind: "vmas" }>,
  ): TargetOrNothing {
    const wanted = vmas.filter(wants);
    if (wanted.length === 0) return { nothing: { state: "not-mapped" } };
    const pages = wanted.reduce((sum, { startPage, endPage }) => sum + endPage - startPage, 0);
    if (pages > PAGES_MAX) return { nothing: { state: "too-many", pages } };
    const runs = wanted.flatMap((vma) => this.entries.read(pagemapFd, vma));
    const intervals = this.insideFrames(intervalsOf(runs));
    if (intervals.length === 0) return { nothing: { state: "none-present", vma: wanted[0] } };
    refuseHidden(intervals[1] - 1);
    // Only where the asked process has something can others have the same.
    const populated = joinRanges(
      runs.map(({ page, pages: length }) => ({ startPage: page, endPage: page + length })),
      GAP_PAGES,
    );
    const asked = wanted.flatMap((vma) =>
      populated.flatMap((range) => {
        const startPage = Math.max(range.startPage, vma.startPage);
        const endPage = Math.min(range.endPage, vma.endPage);
        return startPage < endPage ? [{ vma, startPage, endPage }] : [];
      }),
    );
    return { target: { folio: undefined, askedFrame: -1, intervals, asked } };
  }

  /** Frames of device memory have no count and no flags. */
  private insideFrames(intervals: Float64Array): Float64Array {
    const { frameCount } = this.machine;
    const inside: number[] = [];
    for (let at = 0; at < intervals.length && intervals[at] < frameCount; at += 2) {
      inside.push(intervals[at], Math.min(intervals[at + 1], frameCount));
    }
    return Float64Array.from(inside);
  }

  /** Pages of a file have no process to start from: whoever has a VMA of it shows the frames. */
  private aimAtFile(question: Extract<NarrowQuestion, { kind: "file" }>): TargetOrNothing {
    const { file, startPage, endPage, folio } = question;
    const matches = (vma: MapsVma): boolean => isVmaOfFile(vma, file);
    const needle = "name" in file ? file.name : ` ${file.device} ${file.inodeText} `;
    const pages: SelectedRun[] = [];
    const asked: AskedPages[] = [];
    let sampleVma: MapsVma | undefined;
    let askedPages = 0;
    for (const pid of listPids()) {
      const opened = this.openIfItMaps(pid, needle);
      if (opened === undefined) continue;
      const vmas = opened.vmas.filter(matches);
      try {
        for (const vma of vmas) {
          for (const range of placesInVmas([vma], { matches, ranges: [{ startPage, endPage }] })) {
            askedPages += range.endPage - range.startPage;
            if (!folio && (askedPages > SHOWN_PAGES_MAX || pages.length > RUNS_MAX)) {
              return { nothing: { state: "too-many", pages: askedPages } };
            }
            sampleVma ??= vma;
            const runs = this.readOrNothing(opened.pagemapFd, range).filter(({ bits }) => (bits & RUN_FILE) !== 0);
            const [first] = runs;
            if (first !== undefined && (first.bits & RUN_PRESENT) !== 0 && folio) {
              refuseHidden(first.frame);
              return this.aimAtFolio(first.frame, vma, first.page);
            }
            for (const run of runs) pages.push(run);
            asked.push({ vma, ...range });
          }
        }
      } finally {
        closeSync(opened.pagemapFd);
      }
    }
    if (sampleVma === undefined) return { nothing: { state: "not-mapped" } };
    const intervals = this.insideFrames(intervalsOf(pages));
    if (intervals.length === 0) return { nothing: { state: "none-present", vma: sampleVma } };
    if (framesIn(intervals) > PAGES_MAX) return { nothing: { state: "too-many", pages: framesIn(intervals) } };
    refuseHidden(intervals[1] - 1);
    return { target: { folio: undefined, askedFrame: -1, intervals, asked: onePerRange(asked) } };
  }

  /** Opens a process whose maps hold a text; undefined for the others, and for those that cannot be read. */
  private openIfItMaps(pid: number, needle: string): OpenedProcess | undefined {
    try {
      if (!readFileSync(`/proc/${pid}/maps`, "latin1").includes(needle)) return undefined;
    } catch {
      return undefined;
    }
    const opened = openProcess(pid);
    return opened === undefined || opened.refusal === null ? opened : undefined;
  }

  private readOrNothing(fd: number, range: PageRange): SelectedRun[] {
    try {
      return this.entries.read(fd, range);
    } catch {
      // The process ended; whoever else maps the page is still looked for, and the counts tell whether one is missing.
      return [];
    }
  }

  /** Looks at every process where it can have the frames; undefined where they have too much of it. */
  private find({ folio, askedFrame, intervals, asked }: Target): FoundMappings | undefined {
    const places = new CandidatePlaces(asked.map((each) => ({ ...each, startPage: Math.max(0, each.startPage) })));
    const hits = new NarrowHits(this.calls);
    let processesRead = 0;
    let processesRefused = 0;
    for (const pid of listPids()) {
      const looked = this.lookAt(pid, places, intervals);
      if (looked === "refused") processesRefused++;
      if (typeof looked === "string") continue;
      processesRead++;
      if (looked.hasSome) this.openHit(pid, looked.ranges, intervals, hits);
      if (hits.runs.length > RUNS_MAX) break;
    }
    hits.close();
    if (hits.runs.length > RUNS_MAX) return undefined;
    return {
      machine: { ...this.machine, endedAtMs: Date.now() },
      folio,
      askedFrame,
      intervals,
      kinds: this.readKinds(intervals, folio),
      processes: hits.processes,
      vmas: hits.vmas,
      mmOfVma: hits.mmOfVma,
      runs: hits.runs,
      kernelCounts: readKernelCounts(intervals),
      mappedOutside: 0,
      search: {
        how: "candidates",
        processesRead,
        processesRefused,
        pagemapBytes: this.entries.bytesRead,
        elapsedMs: performance.now() - this.started,
      },
    };
  }

  /** A first look, without opening more than a pagemap where that is enough. */
  private lookAt(
    pid: number,
    places: CandidatePlaces,
    intervals: Float64Array,
  ): { readonly ranges: readonly PageRange[]; readonly hasSome: boolean } | "gone" | "refused" {
    let fd = -1;
    try {
      const ranges = places.rangesOf(pid);
      fd = openSync(`/proc/${pid}/pagemap`, "r");
      const cut: SelectedRun[] = [];
      for (const range of ranges) for (const run of this.entries.read(fd, range)) cutPresent(run, intervals, cut);
      return { ranges, hasSome: cut.length > 0 };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (error instanceof ProcTextError) return "refused";
      // A kernel thread has no memory: ESRCH too.
      if (code === "ENOENT" || code === "ESRCH") return "gone";
      if (code === undefined) throw error;
      return "refused";
    } finally {
      if (fd >= 0) closeSync(fd);
    }
  }

  /** Opens a process that has some of the frames, with its VMAs, and reads its ranges from the very same address space. */
  private openHit(pid: number, ranges: readonly PageRange[], intervals: Float64Array, hits: NarrowHits): void {
    const opened = openProcess(pid);
    if (opened === undefined || opened.refusal !== null) return;
    const runs: SelectedRun[] = [];
    for (const range of ranges) {
      for (const run of this.readOrNothing(opened.pagemapFd, range)) cutPresent(run, intervals, runs);
    }
    if (runs.length === 0 || isStillIn(opened) === false) closeSync(opened.pagemapFd);
    else hits.add(opened, runs);
  }

  private readKinds(intervals: Float64Array, folio: FolioAround | undefined): Uint8Array {
    const kinds = new Uint8Array(framesIn(intervals));
    if (folio !== undefined) return kinds.fill(folio.kind | (folio.order > 0 ? FRAME_LARGE : 0));
    eachFrame(this.flagsFd, intervals, (place, low, high) => {
      const large = (low & LARGE_BITS) !== 0 ? FRAME_LARGE : 0;
      kinds[place] = frameKind(low, high, this.ksmBitMeansKsm) | large;
    });
    return kinds;
  }
}

const LARGE_BITS = KPF_COMPOUND_HEAD | KPF_COMPOUND_TAIL;

function cutPresent(run: SelectedRun, intervals: Float64Array, found: SelectedRun[]): void {
  if ((run.bits & RUN_PRESENT) !== 0) cutToIntervals(run, intervals, found);
}

/** Stretches of a file that several VMAs show are looked for once. */
function onePerRange(asked: readonly AskedPages[]): AskedPages[] {
  const known = new Set<string>();
  return asked.filter(({ vma, startPage, endPage }) => {
    const key = `${pageInFile(vma, startPage)} ${endPage - startPage}`;
    if (known.has(key)) return false;
    known.add(key);
    return true;
  });
}

/** To an opener without CAP_SYS_ADMIN every frame number is 0 (kernel-facts 3.11), which no process maps. */
function refuseHidden(frame: number): void {
  if (frame > 0) return;
  throw new CannotCapture(
    "The kernel hides the page frame numbers in /proc/PID/pagemap: that needs CAP_SYS_ADMIN, which root in a container may lack.",
  );
}
