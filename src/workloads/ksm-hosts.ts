/**
 * A host of virtual machines whose pages ksmd merges: many pages become one, mapped many times, in one address space too.
 *
 *     guest 1  [ image: a b c d a ][ its own ]        stable pages:  a  b  c  d
 *     guest 2  [ image: a b c d a ][ its own ]   -->  mapped         4  2  2  2  times
 *                                                     a write breaks one mapping off again: copy-on-write
 *
 * Large folios are split where pages of them are merged. A merged page is small, so that its count is exact in every scheme
 * that leaves small folios alone; two mappings in one guest look shared to most of them (kernel-facts 2.1).
 */
import { PAGE_KB, folioSizeParameter, mapFolios, useFolios } from "./anonymous-folios.ts";
import { drawIndex, drawOne } from "./random.ts";
import type { Random, ScenarioWorkload, WorkloadValues } from "./workload.ts";

/** A page of the image holds one byte over and over: so many different pages there can be. */
const CONTENTS = 255;
/** Full scans until ksmd has merged what it can: the first sees each page, the second knows that it does not change. */
const SCANS = 3;

function* boot(values: WorkloadValues, name: string): Generator<string> {
  const { folioKb, folios, imagePages, repeatEvery } = values;
  yield `spawn ${name}`;
  yield* mapFolios({ process: name, name: `m_${name}`, address: 0x2_0000_0000, sizeKb: folios * folioKb });
  yield `${name} touch @m_${name} ${folios * folioKb}k w`;
  for (let page = 0; page < imagePagesOf(values); page++) {
    yield `${name} fill @m_${name}+${page * PAGE_KB}k 4k ${1 + ((page % repeatEvery) % CONTENTS)}`;
  }
  yield `${name} madvise @m_${name} ${Math.max(imagePages, 1) * PAGE_KB}k mergeable`;
}

/** The image fits into the guest. */
function imagePagesOf({ folioKb, folios, imagePages }: WorkloadValues): number {
  return Math.min(imagePages, (folios * folioKb) / PAGE_KB);
}

function* lines(values: WorkloadValues, random: Random): Generator<string> {
  const { folioKb, guests, rounds, writes } = values;
  yield useFolios(folioKb);
  const names: string[] = [];
  for (let guest = 1; guest <= guests; guest++) {
    names.push(`g${guest}`);
    yield* boot(values, `g${guest}`);
  }
  yield `ksmscan ${SCANS}`;
  yield "dump merged";
  for (let round = 1; round <= rounds; round++) {
    for (let write = 0; write < writes; write++) {
      const name = drawOne(random, names);
      yield `${name} touch @m_${name}+${drawIndex(random, imagePagesOf(values)) * PAGE_KB}k 4k w`;
    }
    // A guest is restarted: its pages of the image are again those that the others have.
    const victim = drawIndex(random, names.length);
    yield `${names[victim]} exit`;
    names[victim] = `g${guests + round}`;
    yield* boot(values, names[victim]);
    yield `ksmscan ${SCANS}`;
  }
  yield "dump merged_again";
}

export const ksmHosts: ScenarioWorkload = {
  kind: "scenario",
  id: "ksm-hosts",
  title: "guests on one host, merged by KSM",
  about:
    "Guests with memory in large folios have the pages of one image in common, some of them several times in each guest; ksmd " +
    "scans, guests write and so break pages off, one guest after another is restarted and merged anew. That ksmd maps at " +
    "most 256 pages to one and that its folios are small is in the source; sizes, repetition and the rate of writes are " +
    "guesses. Pages of the image have one of 255 contents.",
  source: "literature 5 (KSM sharers per stable node)",
  parameters: {
    folioKb: folioSizeParameter(64, "Of a guest's memory before anything is merged."),
    folios: { about: "folios of a guest", default: 64, min: 2, max: 4096 },
    guests: { about: "guests", default: 6, min: 2, max: 256 },
    imagePages: {
      about: "pages of a guest that every guest has; no more than the guest has",
      default: 192,
      min: 3,
      max: 65_536,
    },
    repeatEvery: { about: "different pages in a row, then the same again", default: 96, min: 2, max: 65_536 },
    rounds: { about: "times that guests write, one restarts and ksmd scans", default: 3, min: 1, max: 256 },
    writes: { about: "pages of the image written in a round", default: 96, min: 1, max: 65_536 },
  },
  memoryBytes: ({ folioKb, folios, guests }) => 1024 * (guests + 1) * folios * folioKb * 2,
  lines,
};
