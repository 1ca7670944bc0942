/**
 * A server that forks a child for every request: many address spaces have the same folios for a short time.
 *
 *     S  ========================================  a heap of large folios
 *     C1 ====w====w===             exits            a child writes one page of some folios, and goes
 *     C2    ===w=========w======== exits
 *
 * The case that the two owner slots were made for (a fork and a child that does not live long), and its worst: with more
 * children than slots at once most owners are untracked, and the shared bit must be got rid of again (kernel-facts 2.2).
 */
import { PAGE_KB, fillFolios, folioSizeParameter, useFolios } from "./anonymous-folios.ts";
import { drawDistinct, drawIndex, shareOf, takeOne } from "./random.ts";
import type { Random, ScenarioWorkload, WorkloadValues } from "./workload.ts";

function* lines(values: WorkloadValues, random: Random): Generator<string> {
  const { folioKb, folios, children, atOnce, writePercent } = values;
  yield useFolios(folioKb);
  yield "spawn S";
  yield* fillFolios({ process: "S", name: "heap", address: 0x2_0000_0000, sizeKb: folios * folioKb });
  const alive: string[] = [];
  for (let child = 1; child <= children; child++) {
    if (alive.length === atOnce) yield `${takeOne(random, alive)} exit`;
    const name = `C${child}`;
    alive.push(name);
    yield `S fork ${name}`;
    for (const folio of drawDistinct(random, shareOf(folios, writePercent), folios)) {
      const page = drawIndex(random, folioKb / PAGE_KB);
      yield `${name} touch @heap+${folio * folioKb + page * PAGE_KB}k 4k w`;
    }
  }
  yield "dump children_run";
  while (alive.length > 0) yield `${takeOne(random, alive)} exit`;
  // What the server writes now it owns alone: reused, unless a count says that somebody else has it.
  yield `S touch @heap ${folios * folioKb}k w ${folioKb}k`;
  yield "dump children_gone";
}

export const forkServer: ScenarioWorkload = {
  kind: "scenario",
  id: "fork-server",
  title: "a server that forks a child for each request",
  about:
    "A parent with a heap of large folios forks children that each write one page in a share of the folios and exit in " +
    "random order, never more than `atOnce` of them alive. Many children with a mean life is one of the synthetic traces " +
    "of the source; 20 children is the number of David Hildenbrand's own test, 256 that of the kernel robot's. Heap, share " +
    "of pages written and children at once are guesses.",
  source: "literature 5 (synthetic traces; processes mapping one folio)",
  parameters: {
    folioKb: folioSizeParameter(64, "64 is the size with which large anonymous folios are most often measured."),
    folios: { about: "folios of the heap", default: 384, min: 1, max: 65_536 },
    children: { about: "children over the whole history", default: 40, min: 1, max: 4096 },
    atOnce: { about: "children alive at once, at most", default: 8, min: 1, max: 256 },
    writePercent: {
      about: "share of the folios in which a child writes a page, in percent",
      default: 5,
      min: 1,
      max: 100,
    },
  },
  memoryBytes: ({ folioKb, folios, atOnce, writePercent }) =>
    1024 * (folios * folioKb + (atOnce + 1) * (shareOf(folios, writePercent) + folios) * PAGE_KB),
  lines,
};
