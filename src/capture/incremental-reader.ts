/**
 * Reads the machine again and again, and each time only the processes whose page tables have probably changed.
 *
 * A refresh lists the processes by their stat (process-stat.ts) and puts those that changed into a queue: first who was
 * never read, then who the caller wants first, then the one read longest ago. It reads until its budget of CPU time is
 * used up, at least one; who has to wait keeps the runs of the last reading, and the capture says how many wait and how
 * old the oldest reading is. What is left of a smaller share is spent on unchanged processes, oldest first, because not
 * every change shows (mremap, migration, KSM): all are read anew in turn.
 *
 * Invariant: the ledger holds exactly the runs that the spaces hold. A reading that fails takes its runs back.
 */
import { closeSync, openSync } from "node:fs";
import { type ProcRefusal, procRefusal } from "../kernel/index.ts";
import type { Machine } from "./capture.ts";
import { FrameLedger } from "./frame-ledger.ts";
import {
  type IncrementalCapture,
  type ReadSpace,
  type ReadingNow,
  type WaitingProcess,
  assembleCapture,
} from "./incremental-capture.ts";
import { type SystemCalls, loadSystemCalls } from "./ioctl.ts";
import { openKpageflags, refuseHiddenFrames, refuseOtherPageSizes } from "./live-capture.ts";
import { findFrameCount, readMachine } from "./machine.ts";
import { type PackedRuns, RunsOfSpaces, markChangedGrains, noRuns, packRuns } from "./packed-runs.ts";
import { PagemapReader } from "./pagemap-reader.ts";
import { type OpenedProcess, isStillIn, listPids, openProcess, readUserNames } from "./process-list.ts";
import { readProcessStat } from "./process-stat.ts";
import { ITEM_DONE, VMAS_MAX, closePlan, createReadPlan, publishProcess, publishedItems } from "./read-plan.ts";
import { BLOCK_RUNS, RunBlocks, WORDS_PER_RUN } from "./run-blocks.ts";
import { RunTemplates } from "./run-templates.ts";

/** Templates after which new readings get new ones; the old leave with the last runs that refer to them. */
const TEMPLATES_OF_GENERATION = 12_000;

/** How much one refresh may read. */
export interface RefreshOptions {
  /** CPU time for reading what changed, milliseconds; Infinity: all of it. */
  readonly budgetMs: number;
  /** Within the budget, for reading again what seems unchanged: one process at least; 0: none. */
  readonly turnMs: number;
  /** By the clock: no process is begun when performance.now() has come to this, but the first. */
  readonly endsAtMs?: number;
  /** Processes to be read first, also where they seem unchanged. */
  readonly first?: ReadonlySet<number>;
  /** Awaited between address spaces and long pieces of them. */
  readonly pause?: () => Promise<void>;
}

interface Watched {
  readonly pid: number;
  readonly startTime: string;
  fingerprint: string;
  image: string;
  /** The fingerprint before the last reading; undefined: never read, or to be read in any case. */
  readFingerprint: string | undefined;
  readAtMs: number;
  opened: OpenedProcess | undefined;
  runs: PackedRuns;
  /** The image at the last reading. */
  readImage: string | undefined;
  /** Whose address space it shares. */
  sharesWith: number | undefined;
}

/** The reader. Close it when done; captures of it end with the next refresh. */
export class IncrementalReader {
  private readonly flagsFd: number;
  private readonly countsFd: number;
  private readonly machine: Machine;
  private readonly ledger: FrameLedger;
  private readonly calls: SystemCalls | undefined;
  private readonly notes: string[] = [];
  private readonly plan = createReadPlan();
  private readonly scratch = new Int32Array(BLOCK_RUNS * WORDS_PER_RUN);
  private readonly userNameOf = readUserNames();
  private readonly watched = new Map<number, Watched>();
  private templates = new RunTemplates();
  /** Of the process that is being read. */
  private runs = runsWith(this.templates);
  private now = newReading();
  /** Due when the budget of this refresh was used up. */
  private notReached: ReadonlySet<number> = new Set();
  /** Those that shared an address space with one that has left it, or that is counted elsewhere now. */
  private readonly released = new Set<Watched>();

  /** Throws CannotCapture where the machine cannot be read. */
  constructor() {
    this.flagsFd = openKpageflags();
    this.countsFd = openOrNone("/proc/kpagecount");
    const frameCount = findFrameCount(this.flagsFd);
    this.machine = readMachine(frameCount);
    refuseOtherPageSizes(this.machine);
    this.ledger = new FrameLedger(frameCount);
    const loaded = loadSystemCalls();
    this.calls = "calls" in loaded ? loaded.calls : undefined;
    if ("missing" in loaded) {
      this.notes.push(
        `Holes are read through and huge mappings not told apart, because ${loaded.missing}; ` +
          "processes that share one address space count once each.",
      );
    }
  }

  /** Reads what changed, within the budget. */
  async refresh(options: RefreshOptions): Promise<IncrementalCapture> {
    const now = newReading();
    const began = performance.now();
    this.now = now;
    this.notReached = new Set();
    this.list();
    now.listedMs = cpuMs() - now.cpuBeganMs;
    await this.readDue(options);
    await this.readInTurn(options);
    now.readMs = cpuMs() - now.cpuBeganMs - now.listedMs;
    now.readClockMs = performance.now() - began;
    now.waitingProcesses = [...this.watched.values()].filter(isDue).length;
    const capture = assembleCapture({
      waiting: this.waiting(),
      machine: this.machine,
      ledger: this.ledger,
      flagsFd: this.flagsFd,
      countsFd: this.countsFd,
      spaces: this.spaces(),
      scratch: this.scratch,
      userNameOf: this.userNameOf,
      notes: this.notes,
      now,
    });
    refuseHiddenFrames([now], capture.frames);
    return capture;
  }

  /** Closes its files. */
  close(): void {
    closeSync(this.flagsFd);
    if (this.countsFd >= 0) closeSync(this.countsFd);
  }

  /** Looks at every process; forgets those that ended or became another. */
  private list(): void {
    const seen = new Set<number>();
    for (const pid of listPids()) {
      const stat = readProcessStat(pid);
      if (stat === undefined) continue;
      seen.add(pid);
      const known = this.watched.get(pid);
      if (known !== undefined && known.startTime === stat.startTime) {
        known.fingerprint = stat.fingerprint;
        known.image = stat.image;
        continue;
      }
      if (known !== undefined) this.forget(known);
      this.watched.set(pid, {
        pid,
        ...stat,
        readFingerprint: undefined,
        readAtMs: 0,
        opened: undefined,
        runs: noRuns(this.templates),
        readImage: undefined,
        sharesWith: undefined,
      });
    }
    for (const each of this.watched.values()) if (!seen.has(each.pid)) this.forget(each);
  }

  private forget(each: Watched): void {
    this.replaceRuns(each, noRuns(this.templates));
    this.watched.delete(each.pid);
    this.released.delete(each);
    this.releaseSharers(each.pid);
  }

  /** Whoever shares this process's address space has nothing of its own to show, and must be read. */
  private releaseSharers(pid: number): void {
    for (const other of this.watched.values()) {
      if (other.sharesWith !== pid) continue;
      other.sharesWith = undefined;
      other.readFingerprint = undefined;
      other.opened = undefined;
      this.released.add(other);
    }
  }

  private async readDue({ budgetMs, first, pause, endsAtMs = Infinity }: RefreshOptions): Promise<void> {
    const rank = (each: Watched): number => {
      if (each.opened === undefined) return 0;
      return first?.has(each.pid) === true ? 1 : 2;
    };
    const due = [...this.watched.values()]
      .filter((each) => isDue(each) || first?.has(each.pid) === true)
      .toSorted((a, b) => rank(a) - rank(b) || a.readAtMs - b.readAtMs);
    this.now.changedProcesses = due.length;
    const began = cpuMs();
    for (const [index, each] of due.entries()) {
      if (index > 0 && (cpuMs() - began >= budgetMs || performance.now() >= endsAtMs)) {
        this.notReached = new Set(due.slice(index).map(({ pid }) => pid));
        return;
      }
      await this.read(each, pause);
    }
  }

  private async readInTurn({ turnMs, budgetMs, pause, endsAtMs = Infinity }: RefreshOptions): Promise<void> {
    if (turnMs <= 0) return;
    const limit = Math.min(turnMs, budgetMs - (cpuMs() - this.now.cpuBeganMs - this.now.listedMs));
    const beganAtMs = this.now.atMs;
    const inTurn = [...this.watched.values()]
      .filter((each) => !isDue(each) && each.readAtMs < beganAtMs)
      .toSorted((a, b) => a.readAtMs - b.readAtMs);
    const began = cpuMs();
    for (const [index, each] of inTurn.entries()) {
      // One in any case: otherwise a machine that is always busy would never see its quiet processes again.
      if (performance.now() >= endsAtMs || (index > 0 && cpuMs() - began >= limit)) return;
      await this.read(each, pause);
    }
  }

  /** Reads one process anew, and those that shared with it until now. */
  private async read(each: Watched, pause: (() => Promise<void>) | undefined): Promise<void> {
    await this.readOne(each, pause);
    for (const other of this.released) await this.readOne(other, pause);
  }

  /** Reads a process. What goes wrong with it is its own state, and it stays due if it may go right later. */
  private async readOne(each: Watched, pause: (() => Promise<void>) | undefined): Promise<void> {
    this.released.delete(each);
    await pause?.();
    const { fingerprint } = each;
    const opened = openProcess(each.pid);
    if (opened === undefined) {
      this.forget(each);
      return;
    }
    if (opened.refusal !== null) {
      this.settle(each, { opened, runs: noRuns(this.templates), fingerprint });
      return;
    }
    try {
      const sharer = this.findOwner(each);
      // After the owner is known: whoever executed before that shares nothing any more.
      if (isStillIn(opened) === false) return;
      if (sharer !== undefined) {
        this.settle(each, { opened, runs: noRuns(this.templates), fingerprint, sharesWith: sharer });
        return;
      }
      const runs = await this.readRuns(opened, pause);
      if (runs === undefined) return;
      if ("code" in runs)
        this.settle(each, { opened: { ...opened, refusal: runs }, runs: noRuns(this.templates), fingerprint });
      else this.settle(each, { opened, runs, fingerprint });
      this.now.readProcesses++;
    } finally {
      closeSync(opened.pagemapFd);
    }
  }

  /** Takes a reading as the process's state. New runs are booked already. */
  private settle(
    each: Watched,
    found: {
      readonly opened: OpenedProcess;
      readonly runs: PackedRuns;
      readonly fingerprint: string;
      readonly sharesWith?: number;
    },
  ): void {
    const isOwner = found.sharesWith === undefined && found.opened.refusal === null;
    if (each.opened !== undefined && !(isOwner && isSameImage(each, found.opened))) this.releaseSharers(each.pid);
    this.replaceRuns(each, found.runs);
    each.opened = found.opened;
    each.readAtMs = Date.now();
    each.readFingerprint = found.fingerprint;
    each.readImage = each.image;
    each.sharesWith = found.sharesWith;
  }

  private replaceRuns(each: Watched, runs: PackedRuns): void {
    const before = each.runs;
    markChangedGrains(before, runs, this.ledger.changedGrains);
    this.ledger.count(new RunsOfSpaces(before.templates, [{ runs: before, firstVma: 0 }], this.scratch), -1);
    each.runs = runs;
  }

  /** The process whose address space this one shares (CLONE_VM, vfork), as kcmp says. */
  private findOwner({ pid, image }: Watched): number | undefined {
    const { calls } = this;
    if (calls === undefined) return undefined;
    for (const other of this.watched.values()) {
      if (other.pid === pid || other.sharesWith !== undefined || other.opened === undefined) continue;
      // Not by the VMAs, which are as old as the other's reading.
      if (other.opened.refusal !== null || other.image !== image) continue;
      if (calls.sharesAddressSpace(pid, other.pid) === true) return other.pid;
    }
    return undefined;
  }

  /** The runs of an address space, booked; undefined: it ended or refused to be read further, and nothing is booked. */
  private async readRuns(
    opened: OpenedProcess,
    pause: (() => Promise<void>) | undefined,
  ): Promise<PackedRuns | ProcRefusal | undefined> {
    const { plan, ledger, now } = this;
    const tooMany = procRefusal("ENOMEM", `/proc/${opened.pid}/pagemap (limited to ${VMAS_MAX} VMAs)`);
    if (opened.vmas.length > VMAS_MAX) return tooMany;
    for (const [row, vma] of opened.vmas.entries()) {
      plan.vmas.startPage[row] = vma.startPage;
      plan.vmas.endPage[row] = vma.endPage;
      plan.vmas.shared[row] = vma.shared ? 1 : 0;
    }
    plan.control.fill(0);
    const place = { mm: 0, fd: opened.pagemapFd, firstVma: 0, endVma: opened.vmas.length };
    if (!publishProcess(plan, place)) return tooMany;
    closePlan(plan);
    if (this.templates.count > TEMPLATES_OF_GENERATION) {
      this.templates = new RunTemplates();
      this.runs = runsWith(this.templates);
    }
    const { runs } = this;
    runs.clear();
    const reader = new PagemapReader(plan.vmas, runs, ledger.difference, this.calls);
    let status: number = ITEM_DONE;
    for (let item = 0; item < publishedItems(plan) && status === ITEM_DONE; item++) {
      if (item > 0) await pause?.();
      status = reader.readItem(plan, item);
      now.pagemapBytes += reader.bytesRead;
    }
    runs.finish();
    const { totals } = reader;
    now.entriesPresent += totals.entriesPresent;
    now.pagemapReads += totals.reads;
    now.scans += totals.scans;
    now.longestScanMs = Math.max(now.longestScanMs, totals.longestScanMs);
    now.longestReadMs = Math.max(now.longestReadMs, totals.longestReadMs);
    ledger.countTemplates(runs);
    if (status === ITEM_DONE) return packRuns(runs);
    ledger.count(runs, -1);
    return undefined;
  }

  private waiting(): WaitingProcess[] {
    return [...this.watched.values()].filter(isDue).map(({ pid, opened, readAtMs }) => ({
      pid,
      reached: !this.notReached.has(pid),
      readAtMs: opened === undefined ? undefined : readAtMs,
    }));
  }

  private spaces(): ReadSpace[] {
    return [...this.watched.values()]
      .toSorted((a, b) => a.pid - b.pid)
      .flatMap(({ pid, opened, runs, sharesWith, readAtMs }) =>
        opened === undefined ? [] : [{ pid, opened, runs, sharesWith, readAtMs }],
      );
  }
}

function runsWith(templates: RunTemplates): RunBlocks {
  return new RunBlocks(undefined, { memoryBlocks: 0, saveEveryBlock: false, useTemplates: true, templates });
}

function isDue(each: Watched): boolean {
  return each.fingerprint !== each.readFingerprint;
}

/** Whether a process can be in the address space that it was read in before. */
function isSameImage({ opened, image, readImage }: Watched, { status, vmas }: OpenedProcess): boolean {
  return image === readImage && opened?.status.name === status.name && opened.vmas[0]?.startPage === vmas[0]?.startPage;
}

function newReading(): ReadingNow {
  return {
    atMs: Date.now(),
    cpuBeganMs: cpuMs(),
    listedMs: 0,
    readMs: 0,
    readClockMs: 0,
    readProcesses: 0,
    changedProcesses: 0,
    waitingProcesses: 0,
    entriesPresent: 0,
    pagemapBytes: 0,
    pagemapReads: 0,
    scans: 0,
    longestScanMs: 0,
    longestReadMs: 0,
  };
}

/** CPU time of this process so far, milliseconds: what a budget is measured by, whoever else the machine is busy with. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function openOrNone(path: string): number {
  try {
    return openSync(path, "r");
  } catch {
    // Counts are only compared: without them the capture says that nothing was.
    return -1;
  }
}
