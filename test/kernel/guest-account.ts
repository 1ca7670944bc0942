/**
 * What the guest says of itself: one line of JSON, written by guest-session.mjs.
 *
 * Beside each other: what the kernel printed of processes that stand still, before and after, and what Foliometer made
 * of them. Arrays of an area have one element a page, -1 where nothing is mapped.
 */
import type { CaptureReport } from "../../src/study/index.ts";

/** What pagemap, kpagecount and kpageflags print of the pages of an area. */
export interface AreaAccount {
  readonly frames: readonly number[];
  /** pagemap's bit 56, 0 or 1. */
  readonly exclusive: readonly number[];
  readonly kpagecount: readonly number[];
  /** 1: a page of a large folio. */
  readonly large: readonly number[];
  /** 1: KPF_KSM is set. */
  readonly ksmFlag: readonly number[];
}

/** What the kernel prints of a process. */
export interface ProcessAccount {
  readonly pid: number;
  /** smaps_rollup. */
  readonly rollup: string;
  readonly areas: Readonly<Record<string, AreaAccount>>;
}

/** What Foliometer counted on the pages of an area. */
export interface AreaCounts {
  readonly precise: readonly number[];
  /** The average of the page's folio, as a kernel without mapcounts in its pages would print it. */
  readonly average: readonly number[];
  /** OBSERVED_... of the page's folio, -1 for a small one. */
  readonly observed: readonly number[];
  /** 1: the kernel counted the frame differently, twice. */
  readonly doubted: readonly number[];
}

/** Text of smaps_rollup under a scheme, for the history that leaves the least private memory and for the other. */
export interface RollupUnderScheme {
  readonly least: string;
  readonly most: string;
}

/** A capture and what was made of it. */
export interface CaptureAccount {
  readonly report: CaptureReport;
  readonly ksmPagesShared: number;
}

/** A capture of the whole machine, looked at page by page. */
export interface CountedCapture extends CaptureAccount {
  /** By process and area. */
  readonly counts: Readonly<Record<string, Readonly<Record<string, AreaCounts>>>>;
}

/** And smaps_rollup under every scheme, by process and scheme. */
export interface CaptureWithRollups extends CountedCapture {
  readonly rollups: Readonly<Record<string, Readonly<Record<string, RollupUnderScheme>>>>;
}

/** Everything. Processes go by the names that the session gave them. */
export interface GuestAccount {
  readonly release: string;
  readonly before: Readonly<Record<string, ProcessAccount>>;
  readonly after: Readonly<Record<string, ProcessAccount>>;
  /** Taken where the kernel's configuration can be read nowhere. */
  readonly silent: CountedCapture;
  /** Taken with the configuration under /boot. */
  readonly configured: CaptureWithRollups;
  /** Only the processes that have a parent among the known ones or no family, without those they share memory with. */
  readonly alone: CaptureAccount;
  /** `foliometer report --json`; null if there is no such program in dist/. */
  readonly command: { readonly status: number | null; readonly errors: string; readonly output: string } | null;
}
