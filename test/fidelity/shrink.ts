/**
 * A failing scenario made small, many scenarios and many candidates at a time: a question costs a boot, whatever is in it.
 *
 * A candidate is the scenario with some edits: lines left out, numbers made smaller. First every edit is tried alone, as
 * many in one question as there are; then those that have kept the failure are put together, as many of them as go (the
 * first one, the first two, the first four...). This is repeated until no single edit keeps the failure. Invariant: what
 * comes out fails in the same way, and parses.
 */
import { parseScenario } from "../../src/scenario/index.ts";
import { type Edit, edited, linesOf, removalsOf, simplifications, textOf } from "../../src/study/shrink-lines.ts";

/** Says of each text whether it still fails in the way that is looked for. */
export type Decide<Job> = (
  questions: readonly { readonly job: Job; readonly texts: readonly string[] }[],
) => Promise<readonly (readonly boolean[])[]>;

const ROUNDS_MAX = 12;
const CANDIDATES_MAX = 60;

/** The scenario up to the dump with this label: what comes behind it has nothing to do with a difference there. */
export function cutBehindDump(text: string, label: string): string {
  const lines = text.split("\n");
  const last = lines.findIndex((line) => line.startsWith(`dump ${label}`));
  return last < 0 ? text : `${lines.slice(0, last + 1).join("\n")}\n`;
}

/** Shrinks the texts of all jobs together. */
export async function shrinkAll<Job>(
  jobs: readonly { readonly job: Job; readonly text: string }[],
  decide: Decide<Job>,
): Promise<string[]> {
  const running = jobs.map(({ job, text }) => ({
    job,
    text,
    search: shrinking(text),
    texts: [] as readonly string[],
    isDone: false,
  }));
  for (const each of running) advance(each, []);
  while (running.some(({ isDone }) => !isDone)) {
    const asked = running.filter(({ isDone }) => !isDone);
    const answers = await decide(asked.map(({ job, texts }) => ({ job, texts })));
    for (const [index, each] of asked.entries()) advance(each, answers[index]);
  }
  return running.map(({ text }) => text);
}

function advance(
  each: {
    search: Generator<readonly string[], string, readonly boolean[]>;
    texts: readonly string[];
    text: string;
    isDone: boolean;
  },
  answers: readonly boolean[],
): void {
  const next = each.search.next(answers);
  if (next.done === true) {
    each.text = next.value;
    each.isDone = true;
  } else each.texts = next.value;
}

/** Yields candidates, gets which of them fail, returns the smallest. */
function* shrinking(text: string): Generator<readonly string[], string, readonly boolean[]> {
  let lines = linesOf(text);
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const removals = yield* goodEdits(lines, removalsOf(lines));
    const edits = removals.length > 0 ? removals : yield* goodEdits(lines, simplifications(lines));
    if (edits.length === 0) break;
    lines = yield* applyMany(lines, edits);
  }
  return textOf(lines);
}

/** The edits that keep the failure, each for itself. */
function* goodEdits(
  lines: readonly string[],
  edits: readonly Edit[],
): Generator<readonly string[], Edit[], readonly boolean[]> {
  const legal = edits.filter((edit) => isLegal(edited(lines, edit)));
  const good: Edit[] = [];
  for (let first = 0; first < legal.length; first += CANDIDATES_MAX) {
    const asked = legal.slice(first, first + CANDIDATES_MAX);
    const answers = yield asked.map((edit) => textOf(edited(lines, edit)));
    good.push(...asked.filter((_, index) => answers[index]));
  }
  return good;
}

/** As many of the edits as keep the failure together, the large ones first; at least the first one. */
function* applyMany(
  lines: readonly string[],
  edits: readonly Edit[],
): Generator<readonly string[], string[], readonly boolean[]> {
  const ordered = edits.toSorted((a, b) => b.size - a.size);
  const sizes: number[] = [];
  for (let size = ordered.length; size > 1; size = size > 8 ? Math.ceil(size * 0.75) : size - 1) sizes.push(size);
  const candidates = sizes
    .map((size) => edited(lines, merged(ordered.slice(0, size))))
    .filter((candidate) => isLegal(candidate));
  const answers = candidates.length === 0 ? [] : yield candidates.map((candidate) => textOf(candidate));
  const largest = candidates.find((_, index) => answers[index]);
  return largest ?? edited(lines, ordered[0]);
}

function merged(edits: readonly Edit[]): Edit {
  const all = new Map<number, string | null>();
  for (const edit of edits) {
    for (const [index, line] of edit) if (all.get(index) !== null) all.set(index, line);
  }
  return all;
}

/** It parses, says something, and does not wait for ksmd where ksmd has nothing to do. */
function isLegal(lines: readonly string[]): boolean {
  const text = textOf(lines);
  if (!/^dump /m.test(text) || !parseScenario(text, "candidate.scn").ok) return false;
  return !text.includes("ksmscan") || / mergeable$/m.test(text.split("ksmscan")[0]);
}
