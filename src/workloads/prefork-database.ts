/**
 * A database that forks a backend for each connection: all of them map one shared buffer pool, and none copies it.
 *
 *     pool (shmem)  [ folio ][ folio ][ folio ][ folio ]    mapped by whom and how far depends on who touched what
 *     backend 1     [=======]          [=======]
 *     backend 2              [=======] [=======] [=======]
 *
 * fork does not copy the page tables of shared memory (kernel-facts 2.9): each backend maps what it touches, in its own
 * time, so mapcounts of the pool go from nothing to as many as there are backends, and PSS is shared by them all.
 */
import { PAGE_KB, folioSizeParameter, mapFolios, useFolios } from "./anonymous-folios.ts";
import { drawIndex, drawOne, takeOne } from "./random.ts";
import type { Random, ScenarioWorkload, WorkloadValues } from "./workload.ts";

/** Share of accesses that change a buffer. */
const WRITES = 0.3;
/** Buffers are 8 KiB, as PostgreSQL's. */
const BUFFER_KB = 8;

/** A query: some buffers of the pool, and memory to sort in that is given back. */
function* query(values: WorkloadValues, random: Random, backend: string): Generator<string> {
  const { folioKb, folios, buffers, sortFolios } = values;
  const pool = (folios * folioKb) / BUFFER_KB;
  for (let buffer = 0; buffer < buffers; buffer++) {
    const at = drawIndex(random, pool) * BUFFER_KB;
    yield `${backend} touch @pool+${at}k ${BUFFER_KB}k ${random() < WRITES ? "w" : "r"}`;
  }
  if (sortFolios === 0) return;
  const sizeKb = sortFolios * folioKb;
  yield `${backend} touch @sort ${sizeKb}k w`;
  yield `${backend} madvise @sort+${PAGE_KB}k ${sizeKb - PAGE_KB}k dontneed`;
}

function* lines(values: WorkloadValues, random: Random): Generator<string> {
  const { folioKb, folios, backends, connections, queries, sortFolios } = values;
  yield useFolios(folioKb);
  yield `shmthp ${folioKb}kB always`;
  yield "spawn main";
  yield `main memfd 0 ${folios * folioKb}k`;
  yield `main mmap pool 0x200000000 ${folios * folioKb}k rw shared fd=0`;
  if (sortFolios > 0)
    yield* mapFolios({ process: "main", name: "sort", address: 0x8_0000_0000, sizeKb: sortFolios * folioKb });
  const alive: string[] = [];
  for (let connection = 1; connection <= connections; connection++) {
    if (alive.length === backends) yield `${takeOne(random, alive)} exit`;
    const backend = `backend${connection}`;
    alive.push(backend);
    yield `main fork ${backend}`;
    for (let number = 0; number < queries; number++) yield* query(values, random, drawOne(random, alive));
  }
  yield "dump connected";
  while (alive.length > 1) yield `${takeOne(random, alive)} exit`;
  yield "dump one_backend";
  yield `${alive[0]} exit`;
  yield `shmthp ${folioKb}kB never`;
}

export const preforkDatabase: ScenarioWorkload = {
  kind: "scenario",
  id: "prefork-database",
  title: "database backends on one shared buffer pool",
  about:
    "A main process maps a pool of shared memory in large folios and forks a backend for each connection; queries of the " +
    "backends read and write buffers of 8 KiB at random places and sort in private memory that they give back. N address " +
    "spaces that map the same shmem folios without copying is one of the synthetic traces of the source, which has no " +
    "figures for it but the pattern (N from 100 to 1,000): all sizes here are guesses.",
  source: "literature 5 (synthetic traces; gaps)",
  parameters: {
    folioKb: folioSizeParameter(64, "Of shared memory, as shmem_enabled allows it."),
    folios: { about: "folios of the pool", default: 256, min: 1, max: 65_536 },
    backends: { about: "backends alive at once, at most", default: 24, min: 2, max: 1024 },
    connections: { about: "connections over the whole history", default: 64, min: 2, max: 16_384 },
    queries: { about: "queries that run between two connections, each by some backend", default: 4, min: 1, max: 1024 },
    buffers: { about: "buffers that a query touches", default: 12, min: 1, max: 1024 },
    sortFolios: { about: "folios that a query sorts in", default: 1, min: 0, max: 1024 },
  },
  memoryBytes: ({ folioKb, folios, backends, sortFolios }) => 1024 * folioKb * (folios + (backends + 1) * sortFolios),
  lines,
};
