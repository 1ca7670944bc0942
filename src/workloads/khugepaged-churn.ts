/**
 * Huge pages made and unmade: khugepaged collapses what programs and the kernel break up again.
 *
 *     small pages --collapse--> huge page --DONTNEED of a part--> huge page with a hole, mapped by PTEs
 *          ^                        |                                    |
 *          `--------split-----------'<----------collapse-----------------'
 *
 * Collapse allocates a folio, copies 512 pages and frees what it copied; each of these is a batch of one entry, so it is the
 * dearest thing that happens to counts. Pages shared with a child are counted by khugepaged, one by one (kernel-facts 4.4).
 */
import { PAGE_KB, TABLE_KB, mapFolios, useFolios } from "./anonymous-folios.ts";
import { drawIndex, drawOne, shuffled } from "./random.ts";
import type { Random, ScenarioWorkload, WorkloadValues } from "./workload.ts";

const TABLE_PAGES = TABLE_KB / PAGE_KB;

type Break = "hole" | "split" | "protect";
const BREAKS: readonly Break[] = ["hole", "hole", "split", "protect"];

/** One huge page is broken up in one of the ways that programs and the kernel have. */
function* breakUp(values: WorkloadValues, random: Random, atKb: number): Generator<string> {
  const pages = 1 + drawIndex(random, values.holePages);
  const holeKb = atKb + drawIndex(random, TABLE_PAGES - pages + 1) * PAGE_KB;
  switch (drawOne(random, BREAKS)) {
    case "hole":
      yield `app madvise @heap+${holeKb}k ${pages * PAGE_KB}k dontneed`;
      yield `app touch @heap+${holeKb}k ${pages * PAGE_KB}k w`;
      return;
    case "split":
      yield `split app @heap+${atKb}k 4k`;
      return;
    case "protect":
      yield `app mprotect @heap+${holeKb}k ${pages * PAGE_KB}k r`;
      yield `app mprotect @heap+${holeKb}k ${pages * PAGE_KB}k rw`;
      return;
  }
}

function* lines(values: WorkloadValues, random: Random): Generator<string> {
  const { ranges, rounds, childPages } = values;
  const all = Array.from({ length: ranges }, (_, range) => range * TABLE_KB);
  const heapKb = ranges * TABLE_KB;
  yield "spawn app";
  yield* mapFolios({ process: "app", name: "heap", address: 0x2_0000_0000, sizeKb: heapKb });
  // No size is enabled yet: small pages.
  yield `app touch @heap ${heapKb}k w`;
  yield useFolios(TABLE_KB);
  for (let round = 1; round <= rounds; round++) {
    const child = `child${round}`;
    yield `app fork ${child}`;
    for (let write = 0; write < childPages; write++) {
      yield `${child} touch @heap+${drawIndex(random, ranges * TABLE_PAGES) * PAGE_KB}k 4k w`;
    }
    const order = shuffled(random, all);
    const shared = order.slice(0, Math.ceil(order.length / 2));
    for (const atKb of shared) yield `app madvise @heap+${atKb}k ${TABLE_KB}k collapse`;
    yield `dump round${round}_shared`;
    yield `${child} exit`;
    for (const atKb of order.slice(shared.length)) yield `app madvise @heap+${atKb}k ${TABLE_KB}k collapse`;
    for (const atKb of order) yield* breakUp(values, random, atKb);
  }
  yield "dump broken";
}

export const khugepagedChurn: ScenarioWorkload = {
  kind: "scenario",
  id: "khugepaged-churn",
  title: "huge pages collapsed and broken up again",
  about:
    "A process has 2 MiB ranges of small pages. In each round it forks a child, which writes some pages; half of the ranges " +
    "are collapsed while the child lives and half when it has exited; then every huge page is broken up, by a hole that is " +
    "filled again, by splitting the folio, or by changing the rights of a part. MADV_COLLAPSE stands for khugepaged, which " +
    "sleeps in the model; it asks the same counts, but has no limit on shared pages. All numbers are guesses.",
  source: "kernel-facts 4.4 and 4.5 (collapse)",
  parameters: {
    ranges: { about: "ranges of 2 MiB", default: 8, min: 1, max: 1024 },
    rounds: { about: "times that everything is collapsed and broken up", default: 6, min: 1, max: 256 },
    childPages: { about: "pages that the child of a round writes", default: 48, min: 1, max: 65_536 },
    holePages: {
      about: "pages of a hole or of a part with other rights, at most",
      default: 64,
      min: 1,
      max: TABLE_PAGES,
    },
  },
  memoryBytes: ({ ranges, childPages }) => 1024 * (3 * ranges * TABLE_KB + TABLE_KB + childPages * PAGE_KB),
  lines,
};
