/**
 * A comparison for machines: one JSON document, whose shape is that of study/comparison.ts. Sizes are bytes, times are
 * nanoseconds, ratios that have no value are null.
 */
import type { Comparison } from "../study/index.ts";
import { escapeJsonControls } from "./display-text.ts";

/** The document with its last newline. */
export function formatComparisonJson(comparison: Comparison): string {
  return `${escapeJsonControls(JSON.stringify(comparison, null, 1))}\n`;
}
