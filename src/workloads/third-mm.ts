/**
 * The third address space that outlives both owners: what the two slots cannot track, and the shared bit that stays.
 *
 *     slots    A, -      A, B      A, B     -, B     -, -        C maps the folio alone, the bit says "shared"
 *     A        ============================ exit
 *     B                  ============================ exit
 *     C                            =================================== writes: copied, not reused
 *
 * The trace is T2 of kernel-facts 9.3. C is never tracked, because both slots were taken when it came; when they are free
 * again nobody looks whether it owns everything (kernel-facts 2.2: the bit is only cleared when a slot owns all, or when
 * the folio is unmapped). A scheme that is exact for any number of address spaces sees C alone.
 */
import { PAGE_KB, fillFolios, folioSizeParameter, useFolios } from "./anonymous-folios.ts";
import { drawDistinct, drawIndex, shareOf, takeOne } from "./random.ts";
import type { Random, ScenarioWorkload, WorkloadValues } from "./workload.ts";

/** Between the heaps of two trios: nothing is shared between them. */
const HEAP_ADDRESS = 0x2_0000_0000;

function* trio(values: WorkloadValues, random: Random, number: number): Generator<string> {
  const { folioKb, folios, thirds } = values;
  const [first, second] = [`A${number}`, `B${number}`];
  yield `spawn ${first}`;
  yield* fillFolios({ process: first, name: "heap", address: HEAP_ADDRESS, sizeKb: folios * folioKb });
  yield `${first} fork ${second}`;
  const untracked = Array.from({ length: thirds }, (_, index) => `C${number}_${index + 1}`);
  for (const name of untracked) yield `${first} fork ${name}`;
  // The owners leave one after the other; of those who came later one stays.
  yield `${first} exit`;
  while (untracked.length > 1) yield `${takeOne(random, untracked)} exit`;
  yield `${second} exit`;
  yield* useOf(values, random, untracked[0]);
}

/** What the survivor does with memory that is its own: each step is one that the shared bit decides. */
function* useOf(values: WorkloadValues, random: Random, survivor: string): Generator<string> {
  const { folioKb, folios, writePercent } = values;
  yield `dump ${survivor}_alone ${survivor}`;
  for (const folio of drawDistinct(random, shareOf(folios, writePercent), folios)) {
    const page = drawIndex(random, folioKb / PAGE_KB);
    yield `${survivor} touch @heap+${folio * folioKb + page * PAGE_KB}k 4k w`;
  }
}

function* lines(values: WorkloadValues, random: Random): Generator<string> {
  yield useFolios(values.folioKb);
  for (let number = 1; number <= values.trios; number++) yield* trio(values, random, number);
  yield "dump survivors";
}

export const thirdMm: ScenarioWorkload = {
  kind: "scenario",
  id: "third-mm",
  title: "the third address space that outlives both owners",
  about:
    "Processes A, B and C have the same folios after two forks; A and B hold the two owner slots and exit, and C, which no " +
    "slot ever tracked, is left alone with folios that stay marked as shared. C then writes some of them: every copy is one " +
    "that an exact count would have saved. The worst case for two slots according to the source, seen on a running kernel as " +
    "trace T2. Sizes and the share written are guesses.",
  source: "literature 5 (synthetic traces), kernel-facts 9.3 (T2)",
  parameters: {
    folioKb: folioSizeParameter(64, "The trace was taken with 64."),
    folios: { about: "folios that the three share", default: 128, min: 1, max: 65_536 },
    trios: { about: "how often it happens, each time with processes of its own", default: 12, min: 1, max: 1024 },
    thirds: { about: "address spaces that no slot tracks; one of them survives", default: 2, min: 1, max: 256 },
    writePercent: { about: "share of the folios that the survivor writes, in percent", default: 25, min: 1, max: 100 },
  },
  memoryBytes: ({ folioKb, folios, trios, writePercent }) =>
    1024 * trios * (folios * folioKb + shareOf(folios, writePercent) * PAGE_KB),
  lines,
};
