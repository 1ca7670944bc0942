import type { ExportTable, exportTables as tablesOf } from "./export-tables.ts";

export { formatAnswerJson, formatJsonLine } from "./answer-json.ts";
export { type CalibrationTextOptions, formatCalibrationText } from "./calibration-text.ts";
export { type ListedCase, formatCheckCases, formatCheckCasesJson } from "./check-cases-text.ts";
export { type TimedCheck, formatChecksJson } from "./check-json.ts";
export { type CheckTextOptions, formatCheckSummary, formatCheckText } from "./check-text.ts";
export { formatComparisonHtml } from "./comparison-html.ts";
export { formatComparisonMarkdown } from "./comparison-markdown.ts";
export { formatComparisonsJson, formatSummaryMarkdown, formatSummaryText } from "./comparison-summary.ts";
export { type ComparisonTextOptions, formatComparisonText } from "./comparison-text.ts";
export { formatCounterLimits } from "./counter-limits-text.ts";
export { type CowPlanResults, formatCowPlan } from "./cow-plan-text.ts";
export { FRAMES_DIFFER_AT_MOST, type FrameCheck, describeFrames, findGaps } from "./coverage.ts";
export { formatConsumers } from "./consumer-table.ts";
export { asciiWidth, chooseWidth, cutText, escapeControls, wrapText } from "./display-text.ts";
export {
  formatCount,
  formatDifference,
  formatDuration,
  formatKb,
  formatNanoseconds,
  formatPercentChange,
  formatQuantity,
  formatRange,
  formatShare,
  formatSize,
  formatTime,
} from "./format-number.ts";
export { type ExporterAnswer, type ExporterState, exporterFamilies } from "./exporter-metrics.ts";
export { type ExportHistory, formatExportCsv } from "./export-csv.ts";
export {
  type ExportMetricsOptions,
  captureFamilies,
  formatExportMetrics,
  machineFamilies,
  processFamilies,
} from "./export-openmetrics.ts";
export { type PerfettoOptions, PerfettoTrace, type TracedCapture, formatPerfettoTrace } from "./export-perfetto.ts";
export { formatPprof } from "./export-pprof.ts";
export { type ProcFile, type ProcProcess, formatProcMachine, formatProcProcess } from "./export-proc.ts";
export { type StackValue, formatCollapsedStacks } from "./export-stacks.ts";
export type { ExportTable } from "./export-tables.ts";
export {
  FOLIO_SORT_KEYS,
  type FolioSortKey,
  type FoliosTextOptions,
  formatFoliosText,
  sortFolioOwners,
} from "./folios-text.ts";
export { formatFreeRanking } from "./free-ranking-text.ts";
export { type FreeTextOptions, formatFreeText } from "./free-text.ts";
export {
  type MetricFamily,
  type MetricSample,
  type MetricsDialect,
  OPENMETRICS_CONTENT_TYPE,
  PROMETHEUS_CONTENT_TYPE,
  formatMetrics,
} from "./openmetrics.ts";
export { largestChangePercent } from "./process-lines.ts";
export { type RecordSummary, type RecordedCapture, describeTaken, formatRecordSummary } from "./record-text.ts";
export { formatReportJson, formatReportNdjson } from "./report-json.ts";
export { type ReportTextOptions, formatReportText } from "./report-text.ts";

export { formatComparisonJson } from "./comparison-json.ts";
export { type ScenarioViewOptions, formatScenarioView } from "./scenario-view.ts";
export {
  type ProcessSelection,
  type SelectedProcesses,
  SORT_KEYS,
  type SortKey,
  isInCgroup,
  selectProcesses,
  selectReport,
} from "./select-processes.ts";
export { formatStateGraphDot, formatStateGraphMermaid } from "./state-graph-text.ts";
export { formatStoryColumns } from "./story-columns.ts";
export { formatStoryMermaid } from "./story-mermaid.ts";
export { type SelectedSharing, type SharingSelection, selectSharing } from "./select-sharing.ts";
export { EDGE_FORMATS, type EdgeFormat, formatSharingEdges } from "./sharing-edges.ts";
export { formatSharingHeat } from "./sharing-heat.ts";
export { type SharingTextOptions, formatSharingText } from "./sharing-text.ts";
export { COLOUR_STYLES, PLAIN_STYLES, type StyleName, type Styles, chooseStyles } from "./styles.ts";
export { type TarEntry, formatTarHeader, tarEnd, tarPadding } from "./tar-writer.ts";
export {
  SCREEN_COLUMNS_MIN,
  SCREEN_ROWS_MIN,
  type ScreenPlace,
  type WatchCost,
  formatWatchFrame,
  formatWatchScreen,
} from "./watch-screen.ts";
export {
  WATCH_SORTS,
  type WatchData,
  type WatchSort,
  type WatchView,
  chosenIndex,
  initialView,
  listedKeys,
} from "./watch-view.ts";
export { type Cell, type Column, type Table, type TableOptions, renderTable } from "./text-table.ts";
export { type TimelineTextOptions, formatTimelineCsv, formatTimelineText } from "./timeline-text.ts";
export { formatWhoNothingText } from "./who-nothing-text.ts";
export { formatWhoRangeText } from "./who-range-text.ts";
export { type WhoTextOptions, formatWhoText } from "./who-text.ts";

/** The JSON Schema of the JSON report, as text. Loaded on demand: nothing on the way to a figure needs it. */
export async function formatReportJsonSchema(): Promise<string> {
  const schema = await import("./report-schema.ts");
  return schema.formatReportJsonSchema();
}
export { type DiffTextOptions, formatDiffText } from "./diff-text.ts";
export { DIFF_SORT_KEYS, type DiffSelection, type DiffSortKey, selectDiff } from "./select-diff.ts";

/** Tables for Parquet. Loaded on demand: only they need the columns of the sums. */
export async function exportTables(...given: Parameters<typeof tablesOf>): Promise<readonly ExportTable[]> {
  return (await import("./export-tables.ts")).exportTables(...given);
}
