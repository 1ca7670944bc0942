/**
 * A server on two NUMA nodes: its memory follows it from node to node, unless a count says that others have it, too.
 *
 *     node 0   [ folio ][ folio ][ folio ][ folio ]
 *                  |        x        |                   x: shared with a helper, stays
 *     node 1   [ folio ]         [ folio ]
 *
 * move_pages(2) and hinting faults both refuse what folio_maybe_mapped_shared says is shared (kernel-facts 4.4); migration
 * then wants every reference accounted for (4.5). Helpers are forked and leave in random order, some by parts, so that
 * "shared" is sometimes true, sometimes long past.
 */
import { PAGE_KB, fillFolios, folioSizeParameter, useFolios } from "./anonymous-folios.ts";
import { drawIndex, drawOne, shuffled } from "./random.ts";
import type { Random, ScenarioWorkload, WorkloadValues } from "./workload.ts";

function* move(values: WorkloadValues, random: Random, process: string, node: number): Generator<string> {
  const { folioKb, folios } = values;
  yield `${process} migrate @heap+${drawIndex(random, folios) * folioKb}k ${folioKb}k ${node}`;
}

/** A round: helpers come, everybody's memory is to be moved to one node, helpers go, and it is tried again. */
function* round(values: WorkloadValues, random: Random, number: number, server: string): Generator<string, string> {
  const { folioKb, folios, helpers, moves } = values;
  const node = number % 2;
  const names = Array.from({ length: helpers }, (_, index) => `h${number}_${index + 1}`);
  for (const name of names) {
    yield `${server} fork ${name}`;
    // It keeps the first part of the heap only.
    const kept = Math.max(1, drawIndex(random, (folios * folioKb) / PAGE_KB)) * PAGE_KB;
    yield `${name} munmap @heap+${kept}k ${folios * folioKb - kept}k`;
  }
  yield `${server} node ${node}`;
  for (let one = 0; one < moves; one++) yield* move(values, random, drawOne(random, [server, ...names]), node);
  yield `dump round${number}_shared`;
  const order = shuffled(random, [server, ...names]);
  if (number % 2 === 1) {
    for (const name of order) if (name !== server) yield `${name} exit`;
  } else {
    // The server is replaced: a helper that has all of the heap goes on in its place.
    const heir = `s${number}`;
    yield `${server} fork ${heir}`;
    for (const name of order) yield `${name} exit`;
    server = heir;
  }
  for (let one = 0; one < moves; one++) yield* move(values, random, server, node);
  yield `${server} touch @heap ${folios * folioKb}k w ${folioKb}k`;
  return server;
}

function* lines(values: WorkloadValues, random: Random): Generator<string> {
  const { folioKb, folios, rounds } = values;
  let server = "s0";
  yield useFolios(folioKb);
  yield `spawn ${server}`;
  yield `${server} node 0`;
  yield* fillFolios({ process: server, name: "heap", address: 0x2_0000_0000, sizeKb: folios * folioKb });
  for (let number = 1; number <= rounds; number++) server = yield* round(values, random, number, server);
  yield "dump moved";
}

export const numaMigration: ScenarioWorkload = {
  kind: "scenario",
  id: "numa-migration",
  title: "memory that follows a server between two NUMA nodes",
  about:
    "A server fills its heap on one node, forks helpers that keep a part of it, is bound to the other node, and single folios " +
    "are moved after it, by the server and by helpers, while they are shared and when helpers have gone; every second time " +
    "the server itself is replaced by a child forked last, which no owner slot may have tracked. move_pages stands for " +
    "hinting faults, which the model does not have: both ask the same question of the count. All numbers are guesses; one " +
    "case in the field had 288 processes that mapped one folio.",
  source: "kernel-facts 4.4 and 4.5, literature 5 (processes mapping one folio)",
  parameters: {
    folioKb: folioSizeParameter(64, "Moved as a whole."),
    folios: { about: "folios of the heap", default: 256, min: 1, max: 65_536 },
    helpers: { about: "helpers of a round", default: 4, min: 1, max: 512 },
    rounds: { about: "times that the server changes its node", default: 12, min: 2, max: 256 },
    moves: {
      about: "folios that are moved while helpers live, and again afterwards",
      default: 96,
      min: 1,
      max: 65_536,
    },
  },
  memoryBytes: ({ folioKb, folios }) => 1024 * 4 * folios * (folioKb + PAGE_KB),
  lines,
};
