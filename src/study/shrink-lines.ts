/**
 * Scenarios made smaller line by line: which edits there are, and a greedy search for those that keep what is looked for.
 *
 * An edit leaves lines out or makes a number smaller. Tried are a process with all its lines, a mapping with all lines that
 * name it, runs of half the lines, a quarter, ..., one line, and then smaller numbers; what keeps the finding stays, until
 * no single edit does. The search is a generator: it yields a candidate and is told whether it still shows the finding.
 * Invariant: what comes out is legal and shows it.
 */

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

/** A process and those that it forks, with all their lines; the last one first. */
function removalsOfProcesses(lines: readonly string[]): Edit[] {
  const parents = new Map<string, string>();
  for (const line of lines) {
    const [first, command, child] = line.split(/\s+/);
    if (first === "spawn" && command !== undefined) parents.set(command, "");
    else if (command === "fork" && child !== undefined) parents.set(child, first);
  }
  const isBelow = (name: string, ancestor: string): boolean => {
    for (let at: string | undefined = name; at !== undefined && at !== ""; at = parents.get(at)) {
      if (at === ancestor) return true;
    }
    return false;
  };
  return [...parents.keys()].toReversed().map((process) =>
    withoutLines(
      [...lines.keys()].filter((index) => {
        const [first, command, child] = lines[index].split(/\s+/);
        const subject = first === "spawn" ? command : command === "fork" && isBelow(child, process) ? child : first;
        return isBelow(subject, process);
      }),
    ),
  );
}

/** A named mapping with all lines that name it. */
function removalsOfRegions(lines: readonly string[]): Edit[] {
  const names = new Set<string>();
  for (const line of lines) {
    const [, command, name] = line.split(/\s+/);
    if (command === "mmap" && /^[A-Za-z]/.test(name ?? "")) names.add(name);
  }
  return Array.from(names, (name) => {
    const mentions = new RegExp(`\\bmmap ${name}\\b|@${name}\\b`);
    return withoutLines([...lines.keys()].filter((index) => mentions.test(lines[index])));
  });
}

/** What a search has come to. */
export interface ShrunkLines {
  readonly text: string;
  /** Candidates tried. */
  readonly runs: number;
  /** False: the bound on runs ended the search before every edit had failed. */
  readonly isMinimal: boolean;
}

export interface ShrinkOptions {
  /** Whether a candidate may be tried at all. */
  readonly isLegal: (text: string) => boolean;
  /** Candidates tried at most. */
  readonly runsMax: number;
}

/** Yields candidates, is told of each whether it still shows the finding, returns the smallest that did. */
export function* shrinkingLines(
  text: string,
  { isLegal, runsMax }: ShrinkOptions,
): Generator<string, ShrunkLines, boolean> {
  let lines = linesOf(text);
  let runs = 0;
  const tried = new Set<string>();
  function* improve(editsOf: (lines: readonly string[]) => Edit[]): Generator<string, boolean, boolean> {
    let hasImproved = false;
    let edits = editsOf(lines);
    for (let at = 0; at < edits.length && runs < runsMax;) {
      const candidate = edited(lines, edits[at]);
      const candidateText = textOf(candidate);
      const isNew = candidate.length > 0 && !tried.has(candidateText) && isLegal(candidateText);
      tried.add(candidateText);
      if (isNew) runs++;
      if (isNew && (yield candidateText)) {
        lines = candidate;
        edits = editsOf(lines);
        hasImproved = true;
      } else at++;
    }
    return hasImproved;
  }
  let hasImproved = true;
  while (hasImproved && runs < runsMax) {
    hasImproved = yield* improve(removalsOfProcesses);
    hasImproved = (yield* improve(removalsOfRegions)) || hasImproved;
    for (let size = lines.length >> 1; size >= 1; size >>= 1) {
      hasImproved = (yield* improve((now) => runsOfLines(now, size))) || hasImproved;
    }
    if (!hasImproved) hasImproved = yield* improve(simplifications);
  }
  return { text: textOf(lines), runs, isMinimal: !hasImproved && runs < runsMax };
}
