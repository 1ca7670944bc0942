/**
 * Foliometer as a library: capture the running machine, or open a capture, and ask what every memory figure becomes when
 * the Linux kernel counts mappings of folios differently. The command line uses nothing else.
 *
 * Stable are the ids of schemes, the JSON report (docs/report-json.md) and the other documents with a `schema` and `version`,
 * and the files of captures (docs/capture-format.md) and recordings (docs/recording.md).
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
 * @example Who shares with whom, and what would come free
 * ```ts
 * import { openCapture, prepareFreeing, studyFreeing, studySharing } from "foliometer";
 *
 * const capture = await openCapture("night");
 * try {
 *   const { groups, pairs } = await studySharing(capture, { by: "program" });
 *   for (const { a, b, shared } of pairs) console.log(groups[a]?.name, groups[b]?.name, shared.bytes);
 *   const { free } = studyFreeing(await prepareFreeing(capture), new Set([4711, 4712]));
 *   console.log(free.freed.least, free.freed.most);
 * } finally {
 *   await capture.close();
 * }
 * ```
 *
 * @example Everybody who maps a page of a capture; readNarrowly asks the running machine
 * ```ts
 * import { SCHEMES, findInCapture, openCapture, reportWho } from "foliometer";
 *
 * const capture = await openCapture("night");
 * const answer = await findInCapture(capture, { kind: "frame", pfn: 0x4a211 }, "capture");
 * if ("found" in answer) {
 *   for (const { process, vma } of reportWho(answer.found, SCHEMES).mappers) console.log(process.pid, vma.start);
 * }
 * await capture.close();
 * ```
 *
 * @example What changed between two captures
 * ```ts
 * import { SCHEMES, diffCaptures, openCapture, readSide } from "foliometer";
 *
 * async function sideOf(directory: string) {
 *   const capture = await openCapture(directory);
 *   const side = await readSide(capture, SCHEMES);
 *   await capture.close();
 *   return { side, source: directory, scheme: "page" };
 * }
 * const [a, b] = [await sideOf("before"), await sideOf("after")];
 * const tolerance = { percent: 5, bytes: 4096 };
 * const { differing, groups } = diffCaptures({ a, b, by: "program", mappingsBy: "name", tolerance });
 * ```
 *
 * @example Every interleaving of threads over a text of one's own
 * ```ts
 * import { StepsError, check } from "foliometer";
 *
 * try {
 *   const { coverage, properties } = check({ name: "mine", texts: [{ name: "mine", text }] });
 *   for (const { name, outcome, story } of properties) console.log(name, outcome, story?.ending);
 * } catch (error) {
 *   if (!(error instanceof StepsError)) throw error;
 *   console.error(error.message);
 * }
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
  type FoundMappings,
  type ListedCapture,
  type LiveCapture,
  type LiveCaptureOptions,
  type Machine,
  type NarrowAnswer,
  type NarrowQuestion,
  type NothingThere,
  type OpenCaptureOptions,
  type ProcessFilter,
  type ProcessState,
  type ReadingCost,
  type RecordLoopOptions,
  type Recorder,
  type Recording,
  type RecordingEnd,
  type StoredCapture,
  type WriteCaptureOptions,
  type WrittenCapture,
  captureLive,
  freezeCgroup,
  freezeProcesses,
  isRecording,
  judgeCounts,
  openCapture,
  openRecorder,
  openRecording,
  readNarrowly,
  recordEvery,
  redactCapture,
  writeCapture,
} from "./capture/index.ts";
export {
  CHECK_CASES,
  type CheckCase,
  type CheckConfiguration,
  type CheckOptions,
  type CheckProgress,
  type CheckResult,
  type CheckWatch,
  type PropertyOutcome,
  type ScheduleOptions,
  type StepMachine,
  type StepText,
  StepsError,
  type Story,
  type StoryStep,
  casesOf,
  check,
  checkMachine,
  checkRandomly,
  elaborate,
  findCase,
  scenarioOfStory,
} from "./checker/index.ts";
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
  type CaptureDiff,
  type CaptureReport,
  type CaptureScope,
  type CaptureSide,
  type CgroupReport,
  type CompareOptions,
  type Comparison,
  type FolioOrderReport,
  type FoliosReport,
  type FreeRanking,
  type FreeReport,
  type Freeing,
  type GroupKey,
  type HistoryChoice,
  type KindBytes,
  type MachineFigures,
  type MemoryAccount,
  type ProcessFigures,
  type ProcessName,
  type ProcessReport,
  REPORT_VERSION,
  type Range,
  type SharingReport,
  type SharingSets,
  type SmapsUnderScheme,
  type StudyProgress,
  type TimelineCapture,
  type TimelineOptions,
  type TimelineReport,
  type Tolerance,
  TooManySharingSets,
  TooMuchSwap,
  type Verdict,
  type WhoQuestion,
  type WhoRangeReport,
  type WhoReport,
  type WorkloadFacts,
  XEON_4210R,
  collectSharingSets,
  compareHistory,
  compareScenario,
  compareWorkload,
  diffCaptures,
  findFolioOwners,
  findInCapture,
  prepareFreeing,
  rankEach,
  rankTogether,
  readSide,
  reportLargeFolios,
  reportOnCapture,
  reportRangeInCapture,
  reportWho,
  reportWhoRange,
  smapsUnderScheme,
  studyFreeing,
  studySharing,
  studyTimeline,
} from "./study/index.ts";
export { BadWorkload, WORKLOADS, type Workload, findWorkload } from "./workloads/index.ts";
