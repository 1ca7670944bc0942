/**
 * One folio under two and more VMAs of one address space: who counts VMAs takes them for two owners.
 *
 *     VMA       [  rw            ][  r   ][  rw       ]        mprotect of a part: three VMAs
 *     folio     [ 0  1  2  3  4  5  6  7  8  9 10 11 12 ]
 *     and again [  rw                                 ]        rights restored: they merge
 *
 * mprotect and mlock split VMAs over a folio, mremap takes a part of it elsewhere and back. "I have it mapped, does anybody
 * else?" has the answer no throughout, unless a child lives (literature 6, questions 3 and 21).
 */
import { PAGE_KB, fillFolios, folioSizeParameter, useFolios } from "./anonymous-folios.ts";
import { drawIndex, drawOne } from "./random.ts";
import type { Random, ScenarioWorkload, WorkloadValues } from "./workload.ts";

const MOVED_ADDRESS = 0x20_0000_0000;
const MOVED_SLOT = 0x20_0000;
const WAYS = ["protect", "lock", "move"] as const;

/** What is different about a part of a folio, and the line that ends it. */
interface Part {
  readonly undo: string;
}

/** Makes a part of a folio different. Its first page is never in the part: that is where the process writes. */
function divide(values: WorkloadValues, random: Random, folio: number): { line: string; part: Part } {
  const { folioKb } = values;
  const pages = folioKb / PAGE_KB;
  const first = 1 + drawIndex(random, pages - 1);
  const sizeKb = (1 + drawIndex(random, pages - first)) * PAGE_KB;
  const at = `@heap+${folio * folioKb + first * PAGE_KB}k`;
  switch (drawOne(random, WAYS)) {
    case "protect":
      return { line: `P mprotect ${at} ${sizeKb}k r`, part: { undo: `P mprotect ${at} ${sizeKb}k rw` } };
    case "lock":
      return { line: `P mlock ${at} ${sizeKb}k`, part: { undo: `P munlock ${at} ${sizeKb}k` } };
    case "move": {
      const moved = `0x${(MOVED_ADDRESS + folio * MOVED_SLOT).toString(16)}`;
      const there = `P mremap ${at} ${sizeKb}k ${sizeKb}k ${moved}`;
      return { line: there, part: { undo: `P mremap ${moved} ${sizeKb}k ${sizeKb}k ${at}` } };
    }
  }
}

function* lines(values: WorkloadValues, random: Random): Generator<string> {
  const { folioKb, folios, operations, forkEvery } = values;
  yield useFolios(folioKb);
  yield "spawn P";
  yield* fillFolios({ process: "P", name: "heap", address: 0x2_0000_0000, sizeKb: folios * folioKb });
  const parts = new Map<number, Part>();
  let child = "";
  for (let operation = 1; operation <= operations; operation++) {
    const folio = drawIndex(random, folios);
    const part = parts.get(folio);
    if (part === undefined) {
      const divided = divide(values, random, folio);
      parts.set(folio, divided.part);
      yield divided.line;
    } else {
      parts.delete(folio);
      yield part.undo;
    }
    yield `P touch @heap+${folio * folioKb}k 4k w`;
    if (operation % forkEvery !== 0) continue;
    if (child === "") {
      child = `child${operation}`;
      yield `P fork ${child}`;
    } else {
      yield `${child} exit`;
      child = "";
    }
  }
  yield "dump divided";
}

export const vmaSplits: ScenarioWorkload = {
  kind: "scenario",
  id: "vma-splits",
  title: "folios under two and more VMAs of one address space",
  about:
    "One process changes the rights of a part of a folio, locks a part, or moves a part elsewhere with mremap, and undoes it " +
    "later; after each it writes the folio's first page. From time to time a child is forked, and exits again. One folio under " +
    "several VMAs of one address space is one of the synthetic traces of the source; all numbers are guesses.",
  source: "literature 5 (synthetic traces) and 6 (question 21)",
  parameters: {
    folioKb: folioSizeParameter(64, "A part is at least a page."),
    folios: { about: "folios", default: 128, min: 1, max: 8192 },
    operations: { about: "times that a folio is divided or put together again", default: 1800, min: 2, max: 262_144 },
    forkEvery: {
      about: "operations between a fork and the child's exit, and the other way round",
      default: 60,
      min: 1,
      max: 262_144,
    },
  },
  memoryBytes: ({ folioKb, folios }) => 1024 * folios * folioKb * 4,
  lines,
};
