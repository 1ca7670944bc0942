/**
 * What is kept of a capture to compare it with another: its processes, its VMAs and their sums under some schemes.
 *
 * Frames, folios and runs stay behind, so that two captures are compared in the memory of one: the first can be closed
 * before the second is opened.
 */
import type { Capture, CapturedProcess } from "../capture/index.ts";
import type { MappingSums } from "../figures/index.ts";
import type { MapsVma } from "../kernel/index.ts";
import type { Scheme } from "../schemes/index.ts";
import type { CaptureReport } from "./capture-report.ts";
import { type CaptureScope, scopeOf } from "./capture-scope.ts";
import { type MemoryFigures, addRows, emptyTotal, figureColumns, figuresOfTotal } from "./diff-figures.ts";
import { orderSchemes, reportOnSums, sumCapture } from "./report-on-capture.ts";

/** One capture under some schemes. */
export interface CaptureSide {
  readonly scope: CaptureScope;
  readonly report: CaptureReport;
  readonly processes: readonly CapturedProcess[];
  readonly vmas: readonly MapsVma[];
  /** One row a VMA. */
  readonly sums: MappingSums;
  readonly swapPages: Float64Array;
}

/** A capture as one scheme counts. */
export interface SideView {
  readonly side: CaptureSide;
  readonly scheme: string;
  readonly sums: MappingSums;
  /** Columns of a row of sums that its figures are made of. */
  readonly columns: readonly number[];
  readonly swapPages: Float64Array;
}

/** Reads what is needed of a capture under these schemes, the kernel's own among them. The capture stays open. */
export async function readSide(capture: Capture, schemes: readonly Scheme[]): Promise<CaptureSide> {
  const sums = await sumCapture(capture, orderSchemes(capture, schemes));
  return {
    scope: scopeOf(capture),
    report: reportOnSums(capture, sums),
    processes: capture.processes,
    vmas: capture.vmas,
    sums: sums.vmas,
    swapPages: sums.swapPages,
  };
}

/** The side as a scheme counts that it was read with. */
export function viewUnder(side: CaptureSide, scheme: string): SideView {
  const index = side.report.schemes.indexOf(scheme);
  if (index < 0) throw new Error(`the capture was not read with scheme ${scheme}`);
  const { sums, swapPages } = side;
  return { side, scheme, sums, columns: figureColumns(sums.schemeAt(index)), swapPages };
}

/** The scheme by which the captured kernel counts. */
export function ownScheme({ report }: CaptureSide): string {
  return report.schemes[0];
}

/** The scheme that says of every page how often it is mapped: under it kernels compare that count differently. */
export const PRECISE_SCHEME = "page";

/** The scheme under which two sides are compared unless one was asked for: that of both kernels, or the precise one. */
export function commonScheme(a: CaptureSide, b: CaptureSide): string {
  const own = ownScheme(a);
  return own === ownScheme(b) ? own : PRECISE_SCHEME;
}

/** The figures of some VMAs together, rows [from, end). */
export function figuresOf(view: SideView, from: number, end: number): MemoryFigures {
  const total = emptyTotal(view.columns);
  addRows(total, view, from, end);
  return figuresOfTotal(total);
}
