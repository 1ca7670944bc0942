/**
 * Foliometer as a library: capture the running machine, or open a capture, and ask what every memory figure becomes when
 * the Linux kernel counts mappings of folios differently. The command line uses nothing else.
 *
 * Stable are the ids of schemes, the JSON report (docs/report-json.md) and the capture's files (docs/capture-format.md).
 *
 * @example The report of a stored capture
 * ```ts
 * import { SCHEMES, openCapture, reportOnCapture } from "foliometer";
 *
 * const capture = await openCapture("night");
 * try {
 *   const report = await reportOnCapture(capture, SCHEMES);
 *   for (const { pid, name, schemes } of report.processes) {
 *     console.log(pid, name, schemes["page"]?.pssBytes, schemes["mm-owner"]?.pssBytes);
 *   }
 * } finally {
 *   await capture.close();
 * }
 * ```
 *
 * @example The running machine, read now and kept in memory
 * ```ts
 * import { captureLive, reportOnCapture, findScheme } from "foliometer";
 *
 * const capture = await captureLive({ mappingsPath: (thread) => `/var/tmp/runs-${thread}`, keepMappings: false });
 * ```
 *
 * @example A verdict on every scheme, from a workload
 * ```ts
 * import { SCHEMES, XEON_4210R, compareWorkload, findScheme, findWorkload } from "foliometer";
 *
 * const workload = findWorkload("third-mm");
 * const against = findScheme("page");
 * if (workload !== undefined && against !== undefined) {
 *   const options = { schemes: SCHEMES, against, costs: XEON_4210R };
 *   const { verdicts } = await compareWorkload(workload, { values: {}, seed: 1 }, options);
 *   for (const { line } of verdicts) console.log(line);
 * }
 * ```
 */
export {
  type Agreement,
  BadCapture,
  CannotCapture,
  CannotFreeze,
  CannotWriteCapture,
  type Capture,
  type CaptureProgress,
  type CapturedProcess,
  type FrozenProcesses,
  type LiveCapture,
  type LiveCaptureOptions,
  type Machine,
  type OpenCaptureOptions,
  type ProcessFilter,
  type ProcessState,
  type ReadingCost,
  type StoredCapture,
  type WriteCaptureOptions,
  type WrittenCapture,
  captureLive,
  freezeCgroup,
  freezeProcesses,
  openCapture,
  redactCapture,
  writeCapture,
} from "./capture/index.ts";
export {
  type SmapsRollup,
  type SmapsVma,
  formatSmapsRollup,
  formatSmapsVma,
  parseSmapsRollup,
  parseSmapsText,
} from "./kernel/index.ts";
export {
  PLAIN_STYLES,
  type ProcessSelection,
  type ReportTextOptions,
  chooseStyles,
  formatReportJson,
  formatReportJsonSchema,
  formatReportNdjson,
  formatReportText,
  selectProcesses,
} from "./report/index.ts";
export { BadScenario, type Scenario, ScenarioStopped, scenarioOf } from "./scenario/index.ts";
export { type CostProfile, SCHEMES, type Scheme, findScheme } from "./schemes/index.ts";
export {
  COMPARISON_VERSION,
  type CaptureReport,
  type CgroupReport,
  type CompareOptions,
  type Comparison,
  type FolioOrderReport,
  type HistoryChoice,
  type MachineFigures,
  type MemoryAccount,
  type ProcessFigures,
  type ProcessReport,
  REPORT_VERSION,
  type Range,
  type SmapsUnderScheme,
  type StudyProgress,
  type Verdict,
  type WorkloadFacts,
  XEON_4210R,
  compareHistory,
  compareScenario,
  compareWorkload,
  reportOnCapture,
  smapsUnderScheme,
} from "./study/index.ts";
export { BadWorkload, WORKLOADS, type Workload, findWorkload } from "./workloads/index.ts";
