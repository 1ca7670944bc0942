/**
 * Folios that lie across two page tables: one half of the entries in each.
 *
 *     page tables    |   table 1        |   table 2        |       a table maps 2 MiB
 *     folio                      [ . . . . . . . . ]
 *                                 left     right
 *
 * Page cache does it where a file is mapped at an address that is not aligned as its offset is; anonymous memory where
 * mremap moves it. A count of pairs of a VMA and a table is 2 here for one owner, and 2 for two owners that map a half
 * each: the ambiguity for which Wilcox gave the proposal up (literature 1.6, 1.7).
 */
import { PAGE_KB, TABLE_KB, fillFolios, folioSizeParameter, useFolios } from "./anonymous-folios.ts";
import { drawIndex, drawOne, takeOne } from "./random.ts";
import type { Random, ScenarioWorkload, WorkloadValues } from "./workload.ts";

const SHMEM_ADDRESS = 0x10_0000_0000;
const ANON_ADDRESS = 0x30_0000_0000;
/** Between two folios: each has a border of page tables of its own. */
const SPACING_KB = 2 * TABLE_KB;

/** KiB of a folio left of the border: at least a page, and at most all but one. */
function leftKb({ folioKb, leftPercent }: WorkloadValues): number {
  const pages = folioKb / PAGE_KB;
  return Math.min(Math.max(Math.round((pages * leftPercent) / 100), 1), pages - 1) * PAGE_KB;
}

/** The address of a folio whose border lies `left` KiB behind its begin. */
function addressOf(values: WorkloadValues, base: number, folio: number): number {
  return base + (folio * SPACING_KB + TABLE_KB - leftKb(values)) * 1024;
}

const hex = (address: number): string => `0x${address.toString(16)}`;

function* build(values: WorkloadValues): Generator<string> {
  const { folioKb, folios } = values;
  yield useFolios(folioKb);
  yield `shmthp ${folioKb}kB always`;
  yield "spawn P";
  yield `P memfd 0 ${folios * folioKb}k`;
  // A fault makes large folios only where they would be aligned: they come into the cache by another mapping.
  yield `P mmap whole 0x400000000 ${folios * folioKb}k rw shared fd=0`;
  yield `P touch @whole ${folios * folioKb}k w`;
  yield `P munmap @whole ${folios * folioKb}k`;
  yield* fillFolios({ process: "P", name: "anon", address: 0x2_0000_0000, sizeKb: folios * folioKb });
  for (let folio = 0; folio < folios; folio++) {
    const address = hex(addressOf(values, SHMEM_ADDRESS, folio));
    yield `P mmap shmem${folio} ${address} ${folioKb}k rw shared fd=0 off=${folio * folioKb}k`;
    yield `P touch @shmem${folio} ${folioKb}k w`;
    const moved = hex(addressOf(values, ANON_ADDRESS, folio));
    yield `P mremap @anon+${folio * folioKb}k ${folioKb}k ${folioKb}k ${moved}`;
  }
}

/** A process gives up or takes one half of a folio, of either kind. */
function useHalf(values: WorkloadValues, random: Random, process: string): string {
  const { folioKb, folios } = values;
  const folio = drawIndex(random, folios);
  const left = leftKb(values);
  const [at, sizeKb] = drawOne(random, [[0, left] as const, [left, folioKb - left] as const]);
  const base = drawOne(random, [SHMEM_ADDRESS, ANON_ADDRESS]);
  const range = `${hex(addressOf(values, base, folio) + at * 1024)} ${sizeKb}k`;
  return `${process} ${drawOne(random, [`touch ${range} w`, `touch ${range} r`, `madvise ${range} dontneed`])}`;
}

function* lines(values: WorkloadValues, random: Random): Generator<string> {
  const { folioKb, processes, operations } = values;
  yield* build(values);
  yield "dump one_owner";
  const alive = ["P"];
  for (let number = 1; number <= processes; number++) {
    alive.push(`C${number}`);
    yield `P fork C${number}`;
    for (let operation = 0; operation < operations; operation++) yield useHalf(values, random, drawOne(random, alive));
  }
  yield "dump halves";
  while (alive.length > 1) yield `${takeOne(random, alive)} exit`;
  yield "dump last_process";
  yield `shmthp ${folioKb}kB never`;
}

export const straddlingFolios: ScenarioWorkload = {
  kind: "scenario",
  id: "straddling-folios",
  title: "folios that lie across two page tables",
  about:
    "Every folio lies across the border of two page tables: those of shared memory because they are mapped at such an " +
    "address, the anonymous ones because mremap has moved them. Forked processes write, read and give back the half on one " +
    "side of the border or the other, and exit in random order. A folio that straddles two page tables is one of the " +
    "synthetic traces of the source and the case that (VMA, page table) pairs cannot decide; numbers are guesses.",
  source: "literature 5 (synthetic traces), 1.6 and 1.7 (Wilcox, January and February 2023)",
  parameters: {
    folioKb: folioSizeParameter(64, "Of both kinds of folios."),
    folios: { about: "folios of each kind", default: 64, min: 1, max: 4096 },
    leftPercent: { about: "share of a folio that lies before the border, in percent", default: 50, min: 1, max: 99 },
    processes: { about: "processes forked", default: 12, min: 1, max: 1024 },
    operations: { about: "halves used or given back between two forks", default: 120, min: 6, max: 65_536 },
  },
  memoryBytes: ({ folioKb, folios, processes, operations }) =>
    1024 * folioKb * (3 * folios + Math.min(processes * operations, (processes + 1) * folios)),
  lines,
};
