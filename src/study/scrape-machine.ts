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
import { reportOnCapture } from "./report-on-capture.ts";

/** Part of the budget for reading again what seems unchanged, because not every change shows. */
const TURN_SHARE = 0.05;
/** Of the first budget, when nothing is known of what the figures take, this much is for them. */
const FIRST_RESERVE_SHARE = 0.5;
/** Of later ones at most this much: some reading is always done. */
const RESERVE_SHARE_MAX = 0.9;
/** The figures may take so many times what they took last. */
const RESERVE_FACTOR = 1.33;

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
  private figuresMs: number | undefined;

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
        : { turnMs: budgetMs * TURN_SHARE, endsAtMs: began + budgetMs - this.reserveMs(budgetMs) }),
    });
    // The assembling of the capture is no reading: it takes its time whatever the budget is.
    const readMs = (capture.cost.phasesMs["list"] ?? 0) + (capture.cost.phasesMs["read"] ?? 0);
    const stalePids = new Set(capture.waiting.filter(isStale).map(({ pid }) => pid));
    const { report, groups } = await studyCapture(capture, this.choice, stalePids);
    const elapsedMs = performance.now() - began;
    this.figuresMs = Math.max(0, elapsedMs - readMs);
    const { user, system } = process.cpuUsage(cpuBefore);
    const { reading } = capture;
    return {
      report,
      groups,
      gaps: gapsOf(report, capture.waiting),
      beganAtMs,
      oldestReadAtMs: capture.oldestReadAtMs,
      budgetMs,
      elapsedMs,
      cpuMs: (user + system) / 1000,
      phasesMs: { read: elapsedMs - this.figuresMs, figures: this.figuresMs },
      processesRead: reading.readProcesses,
      longestStallMs: Math.max(reading.longestScanMs, reading.longestReadMs),
    };
  }

  // oxlint-disable-next-line typescript/require-await -- a source may need time to close, this one does not
  async close(): Promise<void> {
    this.reader.close();
  }

  private reserveMs(budgetMs: number): number {
    if (this.figuresMs === undefined) return budgetMs * FIRST_RESERVE_SHARE;
    return Math.min(this.figuresMs * RESERVE_FACTOR, budgetMs * RESERVE_SHARE_MAX);
  }
}

/** The same for a capture that does not change. The capture stays open, its figures are made once. */
export async function scrapeCapture(capture: Capture, choice: ScrapeChoice): Promise<Scrape> {
  const began = performance.now();
  const cpuBefore = process.cpuUsage();
  const { report, groups } = await studyCapture(capture, choice, new Set());
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
  stalePids: ReadonlySet<number>,
): Promise<{ readonly report: CaptureReport; readonly groups: GroupedFigures }> {
  const report = await reportOnCapture(capture, schemesOf(schemes, capture.machine.mapcountConfig));
  return { report: { ...report, processes: [] }, groups: groupFigures(report, { by, top, stalePids }) };
}

function schemesOf(ids: readonly string[], config: "page" | "nopage" | "unknown"): readonly Scheme[] {
  const own = config === "nopage" ? "nopage" : "page";
  return SCHEMES.filter((scheme) => ids.includes(scheme.id) || scheme.kernelConfig === own);
}

function isStale({ reached, readAtMs }: WaitingProcess): boolean {
  return !reached && readAtMs !== undefined;
}

function gapsOf({ coverage }: CaptureReport, waiting: readonly WaitingProcess[]): ScrapeGaps {
  return {
    unread: waiting.filter(({ reached, readAtMs }) => !reached && readAtMs === undefined).length,
    stale: waiting.filter(isStale).length,
    refused: coverage.processesRefused,
    ended: coverage.processesEnded + waiting.filter(({ reached }) => reached).length,
  };
}
