/**
 * An answer for machines: one JSON document with the answer's own schema name and version. Sizes are bytes as integers;
 * control characters in names are escaped, those above C0 too.
 */
import { escapeJsonControls } from "./display-text.ts";

/** What every answer says of itself. */
export interface Answer {
  readonly schema: string;
  readonly version: number;
}

/** The answer as one document with its last newline. */
export function formatAnswerJson(answer: Answer): string {
  return `${escapeJsonControls(JSON.stringify(answer, null, 2))}\n`;
}

/** A document on a line of its own, where there are several. */
export function formatJsonLine(document: unknown): string {
  return `${escapeJsonControls(JSON.stringify(document))}\n`;
}
