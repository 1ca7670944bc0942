export * from "./capture-report.ts";
export { reportOnCapture } from "./report-on-capture.ts";
