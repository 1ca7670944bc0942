/**
 * The door of the study: captures and histories under many schemes, and the verdict.
 *
 * A history runs on the model, with workloads, decisions and scenarios, which is nearly half of all code. Questions about a
 * capture need none of it, so what runs a history loads its code when called; no file that this door loads at once may
 * import memory, scenario, workloads, checker or decisions but for types (test/tidy/start-up.ts holds it to that).
 */
import type { Capture } from "../capture/index.ts";
import type { Scenario, StudiedHistory } from "../scenario/index.ts";
import type { Scheme } from "../schemes/index.ts";
import type { Workload, WorkloadValues } from "../workloads/index.ts";
import type { WhatIf } from "./capture-what-if.ts";
import type { WorkloadFacts } from "./compare-history.ts";
import type { CompareOptions } from "./compare-workload.ts";
import type { Comparison } from "./comparison.ts";
import type { CounterLimit } from "./counter-limits.ts";

export * from "./capture-report.ts";
export type { CounterLimit, MappingForm } from "./counter-limits.ts";
export type { WhatIf } from "./capture-what-if.ts";
export { BadWhatIf } from "./capture-what-if-steps.ts";
export type { StudyProgress, WorkloadFacts } from "./compare-history.ts";
export type { CompareOptions } from "./compare-workload.ts";
export * from "./question-judge.ts";
export type { SampleBounds } from "./question-sample.ts";
export type { TurnOptions } from "./study-turns.ts";
export type { WitnessBounds } from "./witness-search.ts";
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
export { TooMuchSwap } from "./swap-sets.ts";
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
  prepareSmapsFrom,
  smapsOfProcess,
  smapsUnderScheme,
} from "./smaps-under-scheme.ts";
export { type MemoryStack, type StackReport, sumStacks } from "./stack-sums.ts";
export { type RunningSearch, type TimedSearch, startSearch } from "./search-in-thread.ts";
export type { Schedules, SearchProgress } from "./search-protocol.ts";
export { type FolioQuestion, type WhoFound, type WhoQuestion, findInCapture } from "./who-in-capture.ts";
export * from "./who-maps.ts";
export { type RangeMapper, type WhoRangeReport, reportWhoRange } from "./who-range.ts";
export { reportRangeInCapture } from "./who-range-in-capture.ts";
export { type AnsweredNothing, type FrameNobodyMaps, type WhoNothingReport, reportWhoNothing } from "./who-nothing.ts";
export { type CaptureSide, PRECISE_SCHEME, commonScheme, ownScheme, readSide } from "./capture-side.ts";
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
  findFolioOwners,
  reportLargeFolios,
} from "./large-folios.ts";
export type { Noticed, PartialFolio, PartialFolios, PartialUnderScheme } from "./partial-folios.ts";
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

/** Compares schemes over a workload. Throws BadWorkload for values that it cannot have. */
export async function compareWorkload(
  workload: Workload,
  seeded: { readonly values: WorkloadValues; readonly seed: number },
  options: CompareOptions,
): Promise<Comparison> {
  return (await import("./compare-workload.ts")).compareWorkload(workload, seeded, options);
}

/** Compares schemes over a scenario. Throws ScenarioStopped where the model cannot follow it. */
export async function compareScenario(scenario: Scenario, options: CompareOptions): Promise<Comparison> {
  return (await import("./compare-workload.ts")).compareScenario(scenario, options);
}

/**
 * Compares schemes over any history: a capture with steps that did not happen. There are no witnesses. The machine's
 * schemes are those compared; `options.schemes` that it does not have are named in `excluded`.
 */
export async function compareHistory(
  history: StudiedHistory,
  facts: WorkloadFacts,
  options: CompareOptions,
  processesNow?: () => number,
): Promise<Comparison> {
  return (await import("./compare-workload.ts")).compareHistory(history, facts, options, processesNow);
}

/**
 * The machine of an open capture, and steps on it. The capture may be closed when this has resolved. Throws BadWhatIf for
 * steps that cannot be.
 * @example const whatIf = await openWhatIf(capture, ["fork 1234 2; exit 1234.1"], SCHEMES);
 */
export async function openWhatIf(
  capture: Capture,
  thenTexts: readonly string[],
  schemes: readonly Scheme[],
): Promise<WhatIf> {
  return (await import("./capture-what-if.ts")).openWhatIf(capture, thenTexts, schemes);
}

/** How often a folio can be mapped before the schemes' counters overflow, form by form. About a second. */
export async function counterLimits(schemes: readonly Scheme[]): Promise<CounterLimit[]> {
  return (await import("./counter-limits.ts")).counterLimits(schemes);
}
