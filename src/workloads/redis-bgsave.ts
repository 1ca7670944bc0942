/**
 * Redis saving in the background: a child with all of the memory, while the parent goes on writing it.
 *
 *     parent  =====w===w==w======w=====w===   copies pages: the copy-on-write figure that Redis prints from Private_Dirty
 *     child   ==============================  reads, and may give back what it has written out
 *
 * Two address spaces, so that the owner slots are exact; but a folio of which the parent has copied one page stays shared
 * as a whole, and pages that the child alone still maps are then no longer private by it (literature 4.5).
 */
import { PAGE_KB, fillFolios, folioSizeParameter, useFolios } from "./anonymous-folios.ts";
import { drawIndex, shareOf } from "./random.ts";
import type { Random, ScenarioWorkload, WorkloadValues } from "./workload.ts";

/** Of the writes most go to few pages: eight of ten to a fifth of the data. */
const HOT_WRITES = 0.8;
const HOT_DATA = 0.2;

function drawPage(random: Random, pages: number): number {
  if (random() < HOT_WRITES) return drawIndex(random, Math.ceil(pages * HOT_DATA));
  return drawIndex(random, pages);
}

function* save(values: WorkloadValues, random: Random, number: number): Generator<string> {
  const { folioKb, folios, writes, dismissPercent } = values;
  const child = `save${number}`;
  const dataKb = folios * folioKb;
  yield `redis fork ${child}`;
  const dismissed = shareOf(folios, dismissPercent);
  let done = 0;
  for (let write = 0; write < writes; write++) {
    yield `redis touch @data+${drawPage(random, dataKb / PAGE_KB) * PAGE_KB}k 4k w`;
    // The child goes through the data in order, and gives back values of a page or more when they are written out.
    for (; done < Math.floor((dismissed * (write + 1)) / writes); done++) {
      const folio = Math.floor((done * folios) / dismissed);
      yield `${child} madvise @data+${folio * folioKb}k ${Math.max(folioKb / 2, PAGE_KB)}k dontneed`;
    }
  }
  yield `dump ${child}_done`;
  yield `${child} exit`;
}

function* lines(values: WorkloadValues, random: Random): Generator<string> {
  const { folioKb, folios, saves, writes } = values;
  yield useFolios(folioKb);
  yield "spawn redis";
  yield* fillFolios({ process: "redis", name: "data", address: 0x2_0000_0000, sizeKb: folios * folioKb });
  for (let number = 1; number <= saves; number++) {
    yield* save(values, random, number);
    for (let write = 0; write < Math.ceil(writes / 4); write++) {
      yield `redis touch @data+${drawPage(random, (folios * folioKb) / PAGE_KB) * PAGE_KB}k 4k w`;
    }
  }
  yield "dump saved";
}

export const redisBgsave: ScenarioWorkload = {
  kind: "scenario",
  id: "redis-bgsave",
  title: "BGSAVE of Redis while the parent is written to",
  about:
    "A parent with its data in large folios forks a child that saves them; meanwhile it writes single pages, eight of ten " +
    "writes to a fifth of the data, and goes on writing between two saves. The child gives back a share of what it has " +
    "saved with MADV_DONTNEED, half a folio at a time, as Redis does since 7.0 with values of a page or more. One parent and " +
    "one child, 4 KiB copied a write, and the log line of copy-on-write memory from Private_Dirty are in the source; the " +
    "size of the data, the number of writes and how skewed they are are guesses.",
  source: "literature 4.1 and 5 (Redis BGSAVE); Redis pull request 8974",
  parameters: {
    folioKb: folioSizeParameter(64, "Redis itself switches off folios of 2048."),
    folios: { about: "folios of data", default: 512, min: 1, max: 65_536 },
    saves: { about: "background saves", default: 4, min: 1, max: 256 },
    writes: { about: "pages that the parent writes during one save", default: 600, min: 1, max: 262_144 },
    dismissPercent: {
      about: "share of the folios of which the child gives back a half, in percent",
      default: 10,
      min: 0,
      max: 100,
    },
  },
  memoryBytes: ({ folioKb, folios, writes }) => 1024 * (2 * folios * folioKb + 2 * writes * PAGE_KB),
  lines,
};
