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

/** Why a capture is incomplete, one sentence each; empty if it is complete. */
export function findGaps(
  coverage: Pick<CaptureReport["coverage"], "processesRefused" | "framesChecked" | "framesDifferAfterSecondLook">,
): string[] {
  const gaps: string[] = [];
  if (coverage.processesRefused > 0) {
    gaps.push(`${formatQuantity(coverage.processesRefused, "process", "processes")} could not be read.`);
  }
  if (coverage.framesDifferAfterSecondLook > coverage.framesChecked * FRAMES_DIFFER_AT_MOST) {
    gaps.push(
      `${formatShare(coverage.framesDifferAfterSecondLook, coverage.framesChecked)} of the frames checked still ` +
        "disagree with /proc/kpagecount.",
    );
  }
  return gaps;
}

/** The paragraphs on coverage. */
export function describeCoverage(report: CaptureReport): string[] {
  return [describeProcesses(report), ...describeRefusals(report.processes), describeFrames(report.coverage)];
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

function describeFrames(coverage: CaptureReport["coverage"]): string {
  if (coverage.checkRefusal !== null) return `Check: none. ${escapeControls(coverage.checkRefusal)}`;
  const { framesChecked, framesDifferAfterSecondLook: differ, framesCountedMoreByKernel: more } = coverage;
  const checked = `${coverage.everyFrameChecked ? "all" : "a sample of"} ${formatCount(framesChecked)} mapped frames`;
  const verdict =
    differ === 0 ? "all agree" : `${formatCount(differ)} disagree (${formatShare(differ, framesChecked)})`;
  const outside = more === 0 ? "" : `, ${formatCount(more)} of them mapped by someone not read`;
  return `Check: ${checked} compared with /proc/kpagecount, ${verdict}${outside}.`;
}
