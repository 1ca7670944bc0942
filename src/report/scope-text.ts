/**
 * What an answer about a capture rests on, in the lines that stand above and below it.
 */
import type { CaptureScope } from "../study/index.ts";
import { findGaps } from "./coverage.ts";
import { type WidthOf, cutText, escapeControls, wrapText } from "./display-text.ts";
import { formatDuration, formatQuantity, formatTime } from "./format-number.ts";
import type { Styles } from "./styles.ts";

/** Where text goes: columns of the terminal (Infinity: none), styles, and how wide its texts are. */
export interface TextPlace {
  readonly width: number;
  readonly styles: Styles;
  readonly widthOf: WidthOf;
}

/** Paragraphs are broken at this width where the terminal has none or more. */
const PARAGRAPH_COLUMNS = 120;

/** A paragraph of this many columns at most; further lines are indented. */
export function paragraph(text: string, { width, widthOf }: TextPlace): string[] {
  return wrapText(text, Math.min(width, PARAGRAPH_COLUMNS), "  ", widthOf);
}

/** A heading in one line. */
export function title(text: string, { width, styles, widthOf }: TextPlace): string {
  return styles.heading(cutText(text, width, widthOf));
}

/** Which machine, when, how many processes; and what a kB is. */
export function describeScope({ machine, coverage }: CaptureScope, place: TextPlace): string[] {
  const { kernelRelease, architecture, beganAtMs, endedAtMs } = machine;
  const read = formatQuantity(coverage.processesRead, "process", "processes");
  return paragraph(
    `Linux ${escapeControls(kernelRelease)} ${escapeControls(architecture)}, ${read}, captured ` +
      `${formatTime(beganAtMs)} in ${formatDuration(Math.max(0, endedAtMs - beganAtMs))}. ` +
      "Sizes in kB of 1024 bytes.",
    place,
  );
}

/** What the answer may miss, one sentence each. */
export function describeGaps(scope: CaptureScope): string[] {
  const { coverage, wholeMachine } = scope;
  const sentences = findGaps(coverage, wholeMachine);
  if (!wholeMachine) {
    sentences.push(
      "Only some processes were read: what others of the machine map too is known " +
        (coverage.everyFrameChecked ? "by number, not by name." : "for none of the pages."),
    );
  } else if (coverage.processesRefused > 0 && !coverage.everyFrameChecked) {
    sentences.push("What those map that could not be read is not counted as theirs; a capture with --check finds it.");
  }
  return sentences;
}
