export type {
  Agreement,
  Capture,
  CapturedProcess,
  Machine,
  ProcessState,
  ReadingCost,
  ThpSizeSettings,
} from "./capture.ts";
export { CannotCapture, type LiveCapture, type LiveCaptureOptions, captureLive } from "./live-capture.ts";
export type { CaptureProgress } from "./progress.ts";
export type { ProcessFilter } from "./roster.ts";
export {
  ATTRIBUTES,
  ATTRIBUTE_EXCLUSIVE,
  ATTRIBUTE_FILE,
  ATTRIBUTE_PMD,
  ATTRIBUTE_PMD_HEAD,
  type Histograms,
} from "./run-passes.ts";
export { RUN_FILE } from "./run-blocks.ts";
