/**
 * Scenarios made smaller line by line: which edits there are, and a greedy search for those that keep what is looked for.
 *
 * An edit leaves lines out or changes a number. Tried are: touching whole mappings at once, so that many small touches can
 * go; all lines of one kind, the line that all processes have alike, half of the processes, a quarter, ...; runs of half the
 * lines, a quarter, ..., one line; then smaller numbers. With a line go those that make no sense
 * without it: the commands of a process that is not made, uses of a mapping that is not there; the parser says which. What
 * keeps the finding stays, until no single edit does. The search is a generator: it yields a candidate and is told whether
 * it still shows the finding. Invariant: what comes out parses and shows it.
 */
import { parseScenario } from "../scenario/index.ts";

/** New lines by index; null: the line goes. */
export type Edit = ReadonlyMap<number, string | null>;

/** The commands of a scenario, without comments and empty lines. */
export function linesOf(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.split("#")[0].trim())
    .filter((line) => line !== "");
}

export function textOf(lines: readonly string[]): string {
  return `${lines.join("\n")}\n`;
}

/** The lines after an edit. */
export function edited(lines: readonly string[], edit: Edit): string[] {
  return lines.flatMap((line, index) => {
    const changed = edit.get(index);
    return changed === undefined ? [line] : changed === null ? [] : [changed];
  });
}

/** All dumps but the last; runs of half the lines, of a quarter, ..., of one line. */
export function removalsOf(lines: readonly string[]): Edit[] {
  const dumps = [...lines.keys()].filter((index) => lines[index].startsWith("dump ")).slice(0, -1);
  const edits: Edit[] = dumps.length > 1 ? [withoutLines(dumps)] : [];
  for (let size = lines.length >> 1; size >= 1; size >>= 1) edits.push(...runsOfLines(lines, size));
  return edits;
}

function runsOfLines(lines: readonly string[], size: number): Edit[] {
  const edits: Edit[] = [];
  for (let first = 0; first < lines.length; first += size) {
    edits.push(withoutLines(Array.from({ length: Math.min(size, lines.length - first) }, (_, at) => first + at)));
  }
  return edits;
}

function withoutLines(indexes: readonly number[]): Edit {
  return new Map(indexes.map((index) => [index, null]));
}

const PAGE = "4k";

/** One number of a line made smaller: a size to a page or to half, an offset of an address taken away. */
export function simplifications(lines: readonly string[]): Edit[] {
  const edits: Edit[] = [];
  for (const [index, line] of lines.entries()) {
    const words = line.split(" ");
    for (const [at, word] of words.entries()) {
      for (const smaller of smallerWords(word)) {
        edits.push(new Map([[index, words.with(at, smaller).join(" ")]]));
      }
    }
  }
  return edits;
}

function smallerWords(word: string): string[] {
  const offset = /^(?<region>@\w+)\+\w+$/.exec(word)?.groups?.region;
  if (offset !== undefined) return [offset];
  const size = /^(?<count>[0-9]+)(?<unit>[kM])$/.exec(word)?.groups;
  if (size === undefined) return [];
  const pages = (Number(size.count) * (size.unit === "M" ? 1 << 20 : 1 << 10)) / 4096;
  const half = Math.floor(pages / 2);
  return [...new Set([PAGE, `${half * 4}k`])].filter((each) => half > 0 && each !== word);
}

/** The first touch of each mapping touches all of it. */
function coarsened(lines: readonly string[]): Edit[] {
  const sizes = new Map<string, string>();
  const edit = new Map<number, string>();
  for (const [index, line] of lines.entries()) {
    const [process, command, name, , size] = line.split(/\s+/);
    if (command === "mmap") sizes.set(name, size);
    const touched = /^(?<start>\S+ touch @(?<region>\w+))\S* \S+(?<rest>.*)$/.exec(line)?.groups;
    const whole = touched === undefined ? undefined : sizes.get(touched.region);
    if (touched === undefined || whole === undefined || process === undefined) continue;
    edit.set(index, `${touched.start} ${whole}${touched.rest}`);
    sizes.delete(touched.region);
  }
  return edit.size === 0 ? [] : [edit];
}

/** Fewer lines alike than these are left to the search by runs. */
const ALIKE_LEAST = 3;

/** Lines that are alike go together: of one kind, or the same but for the process; then processes by halves. */
function kindredOf(lines: readonly string[]): Edit[] {
  const kinds = groupLines(lines, (line) => line.replaceAll(/\b\w*\d\w*/g, "*"));
  const sameButForProcess = groupLines(lines, (line) => {
    const [process] = line.split(" ");
    return line.replaceAll(new RegExp(String.raw`\b${process}(?![A-Za-z0-9])`, "g"), "*");
  });
  const processes = [...groupLines(lines, processOf).values()];
  const runs: Edit[] = [];
  for (let size = processes.length >> 1; size >= 1; size >>= 1) {
    for (let first = 0; first < processes.length; first += size) {
      runs.push(withoutLines(processes.slice(first, first + size).flat()));
    }
  }
  const alike = [...kinds.values(), ...sameButForProcess.values()].filter(({ length }) => length >= ALIKE_LEAST);
  return [...alike.sort((a, b) => b.length - a.length).map(withoutLines), ...runs];
}

/** The process that a line makes, or that runs it. */
function processOf(line: string): string {
  const words = line.split(" ");
  return words[0] === "spawn" ? (words[1] ?? "") : (words[0] ?? "");
}

function groupLines(lines: readonly string[], keyOf: (line: string) => string): Map<string, number[]> {
  const groups = new Map<string, number[]>();
  for (const [index, line] of lines.entries()) {
    const key = keyOf(line);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [index]);
    else group.push(index);
  }
  return groups;
}

/** The lines without those that the parser complains of; undefined: nothing is left. */
export function withoutDangling(lines: readonly string[]): readonly string[] | undefined {
  let kept = lines;
  while (kept.length > 0) {
    const parsed = parseScenario(textOf(kept), "candidate.scn", "model");
    if (parsed.ok) return kept;
    const wrong = new Set(parsed.errors.map(({ line }) => line - 1));
    const fewer = kept.filter((_, index) => !wrong.has(index));
    // What is wrong with the text as a whole no line can mend.
    if (fewer.length === kept.length) return undefined;
    kept = fewer;
  }
  return undefined;
}

/** What a search has come to. */
export interface ShrunkLines {
  readonly text: string;
  /** Candidates tried. */
  readonly runs: number;
  /** False: the bound on runs ended the search before every edit had failed. */
  readonly isMinimal: boolean;
}

export interface ShrinkBounds {
  /** Candidates tried at most. */
  readonly runsMax: number;
  /** Lines of all candidates tried, at most: what a candidate costs grows with them. */
  readonly linesMax: number;
}

/** Yields candidates, is told of each whether it still shows the finding, returns the smallest that did. */
export function* shrinkingLines(
  text: string,
  { runsMax, linesMax }: ShrinkBounds,
): Generator<string, ShrunkLines, boolean> {
  let lines: readonly string[] = linesOf(text);
  let runs = 0;
  let linesTried = 0;
  const tried = new Set<string>([textOf(lines)]);
  const isSpent = (): boolean => runs >= runsMax || linesTried >= linesMax;
  function* improve(editsOf: (lines: readonly string[]) => Edit[]): Generator<string, boolean, boolean> {
    let hasImproved = false;
    let edits = editsOf(lines);
    for (let at = 0; at < edits.length && !isSpent();) {
      const candidate = withoutDangling(edited(lines, edits[at]));
      const candidateText = candidate === undefined ? "" : textOf(candidate);
      const isNew = candidate !== undefined && !tried.has(candidateText);
      tried.add(candidateText);
      if (isNew) {
        runs++;
        linesTried += candidate.length;
      }
      if (isNew && (yield candidateText)) {
        lines = candidate;
        edits = editsOf(lines);
        hasImproved = true;
      } else at++;
    }
    return hasImproved;
  }
  yield* improve(coarsened);
  yield* improve(kindredOf);
  let hasImproved = true;
  while (hasImproved && !isSpent()) {
    hasImproved = false;
    for (let size = lines.length >> 1; size >= 1; size >>= 1) {
      hasImproved = (yield* improve((now) => runsOfLines(now, size).reverse())) || hasImproved;
    }
    if (!hasImproved) hasImproved = yield* improve(simplifications);
  }
  return { text: textOf(lines), runs, isMinimal: !hasImproved && !isSpent() };
}
