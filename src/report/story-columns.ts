/**
 * A counterexample in columns: a line an access, a column a thread, what was read or changed to the right.
 *
 * Time runs downward. An operation's name stands above its first access; where a schedule repeats, a line says so. Cut to
 * the width, the right column gives way first; a thread's column never gets narrower than a few words.
 */
import type { Story, StoryStep } from "../checker/index.ts";
import { escapeControls, wrapText } from "./display-text.ts";
import type { Styles } from "./styles.ts";

export interface StoryColumnsOptions {
  /** Columns of the terminal; Infinity where there is none. */
  readonly width: number;
  readonly styles: Styles;
}

/** Widest and narrowest column of a thread. */
const THREAD_MOST = 40;
const THREAD_LEAST = 16;
const EFFECT_MOST = 60;
const EFFECT_LEAST = 24;
const GAP = "  ";

/** The story as lines without newlines. */
export function formatStoryColumns(story: Story, { width, styles }: StoryColumnsOptions): string[] {
  const used = story.threads.map((_, thread) => thread).filter((thread) => takesPart(story, thread));
  const numberWidth = String(story.steps.length).length;
  const widths = fitWidths(story, used, width - numberWidth);
  const lines: string[] = [headingOf(story, used, numberWidth, widths)];
  const operations = new Map<number, string>();
  for (const [index, step] of story.steps.entries()) {
    if (index === story.repeatsFrom) lines.push(styles.derived("--- from here on it repeats ---"));
    const begins = operations.get(step.thread) !== step.operation && step.operation !== "";
    operations.set(step.thread, step.operation);
    const own = [...(begins ? [`${step.operation}:`] : []), escapeControls(step.source)];
    lines.push(...rowOf({ number: String(index + 1).padStart(numberWidth), own, step, used, widths }, styles));
  }
  lines[0] = styles.heading(lines[0] ?? "");
  return lines;
}

interface Widths {
  readonly thread: number;
  readonly effect: number;
}

function takesPart(story: Story, thread: number): boolean {
  return story.steps.some((step) => step.thread === thread);
}

function fitWidths(story: Story, used: readonly number[], width: number): Widths {
  const longest = Math.max(THREAD_LEAST, ...story.steps.map(({ source }) => source.length));
  const effects = Math.max(EFFECT_LEAST, ...story.steps.map((step) => effectOf(step).length));
  const thread = Math.min(THREAD_MOST, longest);
  const effect = Math.min(EFFECT_MOST, effects);
  const room = width - GAP.length * (used.length + 1);
  if (used.length * thread + effect <= room) return { thread, effect };
  const narrower = Math.floor((room - EFFECT_LEAST) / Math.max(1, used.length));
  if (narrower >= thread) return { thread, effect: Math.max(EFFECT_LEAST, room - used.length * thread) };
  return { thread: Math.max(THREAD_LEAST, narrower), effect: EFFECT_LEAST };
}

function headingOf(story: Story, used: readonly number[], numberWidth: number, widths: Widths): string {
  const names = used.map((thread) => (story.threads[thread] ?? "").slice(0, widths.thread).padEnd(widths.thread));
  return [" ".repeat(numberWidth), ...names, "what happens"].join(GAP);
}

interface Row {
  readonly number: string;
  /** What stands in the thread's own column. */
  readonly own: readonly string[];
  readonly step: StoryStep;
  readonly used: readonly number[];
  readonly widths: Widths;
}

function rowOf({ number, own, step, used, widths }: Row, styles: Styles): string[] {
  const column = used.indexOf(step.thread);
  const texts = own.flatMap((text) => wrapText(text, widths.thread));
  // What happens stands beside the access, not beside the operation's name.
  const effects = wrapText(escapeControls(effectOf(step)), widths.effect);
  const offset = own.length - 1;
  const height = Math.max(texts.length, effects.length + offset);
  return Array.from({ length: height }, (_, line) => {
    const cells = used.map((_thread, index) => (index === column ? (texts[line] ?? "") : "|").padEnd(widths.thread));
    const head = line === offset ? number : " ".repeat(number.length);
    const effect = effects[line - offset] ?? "";
    return [head, ...cells, styles.derived(effect)].join(GAP).trimEnd();
  });
}

/** What the access read or did, and what changed beside it. */
export function effectOf({ what, changes }: StoryStep): string {
  const beside = changes.filter(({ name }) => !what.includes(name));
  return [what, ...beside.map(({ name, before, after }) => `${name} ${before} -> ${after}`)]
    .filter((text) => text !== "")
    .join("; ");
}
