export * from "./capture-report.ts";
export { reportOnCapture } from "./report-on-capture.ts";
export { type HistoryChoice, type SmapsUnderScheme, smapsUnderScheme } from "./smaps-under-scheme.ts";
