/**
 * How much of the machine a report rests on, and whether that is enough to be called complete.
 */
import type { CaptureReport, ProcessReport } from "../study/index.ts";
import { escapeControls } from "./display-text.ts";
import { formatCount, formatQuantity, formatShare, formatSize } from "./format-number.ts";

/** A part of the checked frames that may still disagree after a second look: what moves while one reads. */
export const FRAMES_DIFFER_AT_MOST = 0.02;

/** Refusals told one by one. */
const REFUSALS_TOLD = 3;

/** What the comparison with /proc/kpagecount found; CaptureReport's coverage has this shape. */
export type FrameCheck = Pick<
  CaptureReport["coverage"],
  "framesChecked" | "everyFrameChecked" | "framesDifferAfterSecondLook" | "framesCountedMoreByKernel" | "checkRefusal"
>;

/** Frames that disagree. Where processes were chosen, a frame that others map too is no disagreement. */
export function disagreeing(check: FrameCheck, wholeMachine: boolean): number {
  return check.framesDifferAfterSecondLook - (wholeMachine ? 0 : check.framesCountedMoreByKernel);
}

/** Why a capture is incomplete, one sentence each; empty if it is complete. */
export function findGaps(
  coverage: FrameCheck & { readonly processesRefused: number },
  wholeMachine: boolean,
): string[] {
  const gaps: string[] = [];
  if (coverage.processesRefused > 0) {
    gaps.push(`${formatQuantity(coverage.processesRefused, "process", "processes")} could not be read.`);
  }
  const differ = disagreeing(coverage, wholeMachine);
  if (differ > coverage.framesChecked * FRAMES_DIFFER_AT_MOST) {
    gaps.push(
      `${formatShare(differ, coverage.framesChecked)} of the frames checked still disagree with /proc/kpagecount.`,
    );
  }
  return gaps;
}

/** The paragraphs on coverage. */
export function describeCoverage(report: CaptureReport): string[] {
  return [
    describeProcesses(report),
    ...describeRefusals(report.processes),
    describeFrames(report.coverage, report.wholeMachine),
  ];
}

function describeProcesses({ coverage, processes, wholeMachine, cost }: CaptureReport): string {
  const sharing = processes.filter(({ state }) => state === "shares-mm");
  const parts = [
    `${formatQuantity(coverage.processesRead, "process", "processes")} read` +
      (wholeMachine ? "" : " (a choice, not the whole machine)"),
    `${formatCount(coverage.processesRefused)} refused`,
    `${formatCount(coverage.processesEnded)} ended meanwhile`,
  ];
  if (sharing.length > 0) parts.push(`${formatCount(sharing.length)} sharing another's address space, counted there`);
  if (coverage.changedBytes > 0) parts.push(`${formatSize(coverage.changedBytes)} moved while being read, not counted`);
  return `Coverage: ${parts.join(", ")}; ${formatCount(cost.entriesPresent)} page-table entries.`;
}

function describeRefusals(processes: readonly ProcessReport[]): string[] {
  const refused = processes.filter(({ state }) => state === "refused");
  const told = refused.slice(0, REFUSALS_TOLD).map(({ pid, name, refusal }) => {
    return `Refused: ${pid} ${escapeControls(name)}. ${escapeControls(refusal ?? "")}`.trim();
  });
  const left = refused.length - told.length;
  return left > 0 ? [...told, `Refused: ${formatQuantity(left, "more process", "more processes")}; see --json.`] : told;
}

/** The comparison in a sentence. */
export function describeFrames(check: FrameCheck, wholeMachine: boolean): string {
  if (check.checkRefusal !== null) return `Check: none. ${escapeControls(check.checkRefusal)}`;
  const { framesChecked, framesCountedMoreByKernel: more } = check;
  const differ = disagreeing(check, wholeMachine);
  const checked = `${check.everyFrameChecked ? "all" : "a sample of"} ${formatCount(framesChecked)} mapped frames`;
  const verdict =
    differ === 0 ? "all agree" : `${formatCount(differ)} disagree (${formatShare(differ, framesChecked)})`;
  const others = wholeMachine
    ? `, ${formatCount(more)} of them mapped by someone not read`
    : `; ${formatCount(more)} are mapped by processes not chosen too, and counted as the kernel does`;
  return `Check: ${checked} compared with /proc/kpagecount, ${verdict}${more === 0 ? "" : others}.`;
}
