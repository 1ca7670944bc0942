/**
 * The machine's figures again and again, each time within a budget of time: what a monitor scrapes.
 *
 * Page tables are read incrementally (capture/incremental-reader.ts) until what remains of the budget is what the figures
 * took last time, and a third more. Whoever could not be read in that time is told apart: no reading at all, or an earlier
 * one that stands in. Nothing here keeps a figure from one scrape to the next.
 */
import { type Capture, IncrementalReader, type WaitingProcess } from "../capture/index.ts";
import { SCHEMES, type Scheme } from "../schemes/index.ts";
import type { CaptureReport } from "./capture-report.ts";
import { type FigureGrouping, type GroupedFigures, groupFigures } from "./group-figures.ts";
import { orderSchemes, reportOnSums, sumCapture } from "./report-on-capture.ts";

/** Part of the budget for reading again what seems unchanged, because not every change shows. */
const TURN_SHARE = 0.05;
/** Of the first budget, when nothing is known of what the figures take, this much is for them. */
const FIRST_RESERVE_SHARE = 0.5;
/** Of later ones at most this much: some reading is always done. */
const RESERVE_SHARE_MAX = 0.9;
/** The figures may take so many times what they took last. */
const RESERVE_FACTOR = 1.33;

/**
 * How much of a budget is kept for the figures: what they took last and a third more, but not all. The first ones look at
 * every frame and run code that is not compiled yet, so they say little about the second. Milliseconds; exported for its
 * test.
 */
export function reserveForFigures(
  last: { readonly figuresMs: number; readonly isFirst: boolean } | undefined,
  budgetMs: number,
): number {
  if (last === undefined) return budgetMs * FIRST_RESERVE_SHARE;
  const share = last.isFirst ? FIRST_RESERVE_SHARE : RESERVE_SHARE_MAX;
  return Math.min(last.figuresMs * RESERVE_FACTOR, budgetMs * share);
}

/** What to scrape. */
export interface ScrapeChoice {
  readonly by: FigureGrouping;
  /** Groups kept; Infinity: all. */
  readonly top: number;
  /** Scheme ids; the kernel's own is always one. */
  readonly schemes: readonly string[];
}

/** Processes that the figures lack, or have from an earlier reading. */
export interface ScrapeGaps {
  /** Never read: the budget was used up before. */
  readonly unread: number;
  /** Changed since they were read, and the budget was used up before they could be read again. */
  readonly stale: number;
  /** The kernel refused. */
  readonly refused: number;
  /** Ended, or became another program, while they were read. */
  readonly ended: number;
}

/** One scrape. Times are milliseconds; points in time since 1970. */
export interface Scrape {
  /** All of a report but its processes, which are in `groups`. */
  readonly report: CaptureReport;
  readonly groups: GroupedFigures;
  readonly gaps: ScrapeGaps;
  readonly beganAtMs: number;
  /** When the oldest part was read. */
  readonly oldestReadAtMs: number;
  /** Infinity: without a limit. */
  readonly budgetMs: number;
  readonly elapsedMs: number;
  /** Of this process, all threads. */
  readonly cpuMs: number;
  readonly phasesMs: { readonly read: number; readonly figures: number };
  /** Processes read for this scrape. */
  readonly processesRead: number;
  /** The longest that one target can have waited for us: one call of PAGEMAP_SCAN, or one read of its pagemap. */
  readonly longestStallMs: number;
}

/** Where scrapes come from. */
export interface ScrapeSource {
  /** One at a time. Infinity: without a limit. */
  scrape(budgetMs: number): Promise<Scrape>;
  /** Not for the middle of a scrape, unless its result is wanted by nobody. */
  close(): Promise<void>;
}

/** Scrapes the running machine. */
export class MachineScraper implements ScrapeSource {
  private readonly choice: ScrapeChoice;
  private readonly reader = new IncrementalReader();
  /** Room for the class of every frame, kept: it is four bytes for each page of the machine. */
  private table: Int32Array<SharedArrayBuffer> | undefined;
  private last: { readonly figuresMs: number; readonly isFirst: boolean } | undefined;

  /** Throws CannotCapture where the machine cannot be read. */
  constructor(choice: ScrapeChoice) {
    this.choice = choice;
  }

  async scrape(budgetMs: number): Promise<Scrape> {
    const began = performance.now();
    const beganAtMs = Date.now();
    const cpuBefore = process.cpuUsage();
    const capture = await this.reader.refresh({
      budgetMs: Infinity,
      ...(budgetMs === Infinity
        ? { turnMs: 0 }
        : { turnMs: budgetMs * TURN_SHARE, endsAtMs: began + budgetMs - reserveForFigures(this.last, budgetMs) }),
    });
    const stalePids = new Set(capture.waiting.filter(isStale).map(({ pid }) => pid));
    const { report, groups } = await studyCapture(capture, this.choice, { stalePids, table: this.tableFor(capture) });
    const elapsedMs = performance.now() - began;
    const { reading } = capture;
    // The assembling of the capture is no reading: it takes its time whatever the budget is.
    const figuresMs = elapsedMs - reading.readClockMs;
    this.last = { figuresMs, isFirst: this.last === undefined };
    const { user, system } = process.cpuUsage(cpuBefore);
    return {
      report,
      groups,
      gaps: gapsOf(report, capture.waiting),
      beganAtMs,
      oldestReadAtMs: capture.oldestReadAtMs,
      budgetMs,
      elapsedMs,
      cpuMs: (user + system) / 1000,
      phasesMs: { read: reading.readClockMs, figures: figuresMs },
      processesRead: reading.readProcesses,
      longestStallMs: Math.max(reading.longestScanMs, reading.longestReadMs),
    };
  }

  /** The frames of a machine do not change in number. */
  private tableFor({ frames }: Capture): Int32Array<SharedArrayBuffer> {
    this.table ??= new Int32Array(new SharedArrayBuffer(Math.max(4, frames.frameCount * 4)));
    return this.table;
  }

  // oxlint-disable-next-line typescript/require-await -- a source may need time to close, this one does not
  async close(): Promise<void> {
    this.reader.close();
  }
}

/** The same for a capture that does not change. The capture stays open, its figures are made once. */
export async function scrapeCapture(capture: Capture, choice: ScrapeChoice): Promise<Scrape> {
  const began = performance.now();
  const cpuBefore = process.cpuUsage();
  const { report, groups } = await studyCapture(capture, choice, { stalePids: new Set() });
  const elapsedMs = performance.now() - began;
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    report,
    groups,
    gaps: gapsOf(report, []),
    beganAtMs: capture.machine.beganAtMs,
    oldestReadAtMs: capture.machine.beganAtMs,
    budgetMs: Infinity,
    elapsedMs,
    cpuMs: (user + system) / 1000,
    phasesMs: { read: 0, figures: elapsedMs },
    processesRead: 0,
    longestStallMs: capture.cost.longestScanMs,
  };
}

async function studyCapture(
  capture: Capture,
  { by, top, schemes }: ScrapeChoice,
  { stalePids, table }: { readonly stalePids: ReadonlySet<number>; readonly table?: Int32Array<SharedArrayBuffer> },
): Promise<{ readonly report: CaptureReport; readonly groups: GroupedFigures }> {
  const ordered = orderSchemes(capture, schemesOf(schemes, capture.machine.mapcountConfig));
  const report = reportOnSums(capture, await sumCapture(capture, ordered, table));
  return { report: { ...report, processes: [] }, groups: groupFigures(report, { by, top, stalePids }) };
}

function schemesOf(ids: readonly string[], config: "page" | "nopage" | "unknown"): readonly Scheme[] {
  const own = config === "nopage" ? "nopage" : "page";
  return SCHEMES.filter((scheme) => ids.includes(scheme.id) || scheme.kernelConfig === own);
}

function isStale({ reached, readAtMs }: WaitingProcess): boolean {
  return !reached && readAtMs !== undefined;
}

/** Who is missing, by whom the reader still waits for and the report's coverage. Exported for its test. */
export function gapsOf({ coverage }: Pick<CaptureReport, "coverage">, waiting: readonly WaitingProcess[]): ScrapeGaps {
  return {
    unread: waiting.filter(({ reached, readAtMs }) => !reached && readAtMs === undefined).length,
    stale: waiting.filter(isStale).length,
    refused: coverage.processesRefused,
    ended: coverage.processesEnded + waiting.filter(({ reached }) => reached).length,
  };
}
