/**
 * The door of the study: captures and histories under many schemes, and the verdict.
 */
export * from "./capture-report.ts";
export { type CounterLimit, type MappingForm, counterLimits, leafEntriesThatFit } from "./counter-limits.ts";
export { type CaptureHistory, createCaptureHistory } from "./capture-history.ts";
export { type WhatIf, openWhatIf } from "./capture-what-if.ts";
export { BadWhatIf, type WhatIfStep, parseWhatIf } from "./capture-what-if-steps.ts";
export {
  type StudyOptions,
  type StudyProgress,
  type StudiedComparison,
  type WorkloadFacts,
  comparingHistory,
} from "./compare-history.ts";
export { type CompareOptions, compareHistory, compareScenario, compareWorkload } from "./compare-workload.ts";
export * from "./question-judge.ts";
export { DEFAULT_BOUNDS, type SampleBounds } from "./question-sample.ts";
export { type TurnOptions, runInTurns } from "./study-turns.ts";
export { type WitnessBounds } from "./witness-search.ts";
export * from "./comparison.ts";
export * from "./cost-model.ts";
export { XEON_4210R } from "./cost-profile-xeon-4210r.ts";
export { type CaptureScope, scopeOf } from "./capture-scope.ts";
export {
  FREE_VERSION,
  type FreeReport,
  type FreedMemory,
  type Freeing,
  type Holder,
  type KeptSpace,
  prepareFreeing,
  studyFreeing,
} from "./freed-memory.ts";
export { type FreeRanking, type RankedProcess, TOGETHER_MAX, rankEach, rankTogether } from "./freed-ranking.ts";
export { COUNTED_KINDS, KIND_COLUMNS, type KindBytes, kindBytesOf } from "./kind-bytes.ts";
export {
  FIGURE_GROUPS,
  type FigureGroup,
  type FigureGrouping,
  type GroupedFigures,
  type SummableFigures,
  groupFigures,
} from "./group-figures.ts";
export { GROUP_KEYS, type GroupKey, type MmGroup, type MmGroups, type ProcessName, groupMms } from "./mm-groups.ts";
export { TooManySharingSets } from "./mm-sets.ts";
export { type CaptureSums, orderSchemes, reportOnCapture, reportOnSums, sumCapture } from "./report-on-capture.ts";
export {
  MachineScraper,
  type Scrape,
  type ScrapeChoice,
  type ScrapeGaps,
  type ScrapeSource,
  scrapeCapture,
} from "./scrape-machine.ts";
export {
  SHARING_VERSION,
  type SharingGroup,
  type SharingPair,
  type SharingReport,
  studySharing,
} from "./sharing-matrix.ts";
export { type SharingSets, collectSharingSets } from "./sharing-sets.ts";
export {
  type HistoryChoice,
  type PreparedSmaps,
  type SmapsUnderScheme,
  prepareSmaps,
  smapsOfProcess,
  smapsUnderScheme,
} from "./smaps-under-scheme.ts";
export {
  type Edit,
  type ShrunkLines,
  edited,
  linesOf,
  removalsOf,
  shrinkingLines,
  simplifications,
  textOf,
} from "./shrink-lines.ts";
export { type MemoryStack, type StackReport, sumStacks } from "./stack-sums.ts";
export { type RunningSearch, type TimedSearch, startSearch } from "./search-in-thread.ts";
export type { Schedules, SearchProgress } from "./search-protocol.ts";
export { type FolioQuestion, type WhoFound, type WhoQuestion, findInCapture } from "./who-in-capture.ts";
export * from "./who-maps.ts";
export { type RangeMapper, type WhoRangeReport, reportWhoRange } from "./who-range.ts";
export { reportRangeInCapture } from "./who-range-in-capture.ts";
export { type AnsweredNothing, type WhoNothingReport, reportWhoNothing } from "./who-nothing.ts";
export { type CaptureSide, ownScheme, readSide } from "./capture-side.ts";
export {
  type CaptureDiff,
  type DiffScope,
  type GroupChange,
  type GroupPresence,
  diffCaptures,
} from "./diff-captures.ts";
export type { MemoryFigures, Tolerance } from "./diff-figures.ts";
export type { FolioChange, MachineChange } from "./diff-machine.ts";
export { MAPPING_KEYS, type MappingChange, type MappingKey } from "./diff-mappings.ts";
export {
  WATCH_VERSION,
  type WatchStudy,
  type WatchedMoment,
  type WatchedProcess,
  studyMoment,
} from "./watch-figures.ts";
export {
  type Sharer,
  type VmaContents,
  type WatchedFolios,
  type WatchedVma,
  studyVma,
  studyVmas,
} from "./watch-vma.ts";
export {
  FOLIO_OWNER_KEYS,
  type FolioOwner,
  type FolioOwnerKey,
  type FolioOwners,
  type FoliosReport,
  type PartialFolio,
  type PartialUnderScheme,
  findFolioOwners,
  reportLargeFolios,
} from "./large-folios.ts";
export { type UnderusedFolio, type UnderusedFolios, studyUnderused } from "./underused-folios.ts";
export {
  TIMELINE_VERSION,
  type TimelineCapture,
  type TimelineFigures,
  type TimelineOptions,
  type TimelinePoint,
  type TimelineProcess,
  type TimelineReport,
  studyTimeline,
} from "./timeline.ts";
