/**
 * What an answer about a capture rests on: which machine, when, and how much of it was read. Plain data, ready for JSON.
 *
 * An answer about sharing is only as good as the reading was complete: whoever was not read may map anything too.
 */
import type { Capture } from "../capture/index.ts";

/** The machine, the time and the coverage. */
export interface CaptureScope {
  readonly machine: {
    readonly kernelRelease: string;
    readonly architecture: string;
    readonly mapcountConfig: "page" | "nopage" | "unknown";
    readonly pageSizeBytes: number;
    /** Milliseconds since 1970. */
    readonly beganAtMs: number;
    readonly endedAtMs: number;
    readonly bootId: string;
  };
  /** False where only some processes were meant to be read. */
  readonly wholeMachine: boolean;
  readonly coverage: {
    readonly processesRead: number;
    readonly processesRefused: number;
    readonly processesEnded: number;
    readonly framesChecked: number;
    /** Whether every mapped frame was held against /proc/kpagecount: then no mapping by others goes unseen. */
    readonly everyFrameChecked: boolean;
    readonly framesDifferAfterSecondLook: number;
    readonly framesCountedMoreByKernel: number;
    readonly checkRefusal: string | null;
  };
}

/** The scope of a capture. */
export function scopeOf({ machine, processes, agreement, wholeMachine }: Capture): CaptureScope {
  const { kernelRelease, architecture, mapcountConfig, pageSizeBytes, beganAtMs, endedAtMs, bootId } = machine;
  const inState = (wanted: string): number => processes.filter(({ state }) => state === wanted).length;
  return {
    machine: { kernelRelease, architecture, mapcountConfig, pageSizeBytes, beganAtMs, endedAtMs, bootId },
    wholeMachine,
    coverage: {
      processesRead: inState("complete"),
      processesRefused: inState("refused"),
      processesEnded: inState("ended"),
      framesChecked: agreement.framesChecked,
      everyFrameChecked: agreement.everyFrame,
      framesDifferAfterSecondLook: agreement.differAfter,
      framesCountedMoreByKernel: agreement.kernelCountsMore,
      checkRefusal: agreement.refusal,
    },
  };
}

/** Whether nobody with memory was left unread. */
export function isAllRead({ wholeMachine, processes }: Pick<Capture, "wholeMachine" | "processes">): boolean {
  return wholeMachine && processes.every(({ state }) => state === "complete" || state === "shares-mm");
}
