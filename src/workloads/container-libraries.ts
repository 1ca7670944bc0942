/**
 * Containers of one image: unrelated processes that map the same files, each where it happened to run.
 *
 *     library    [ folio          ][ folio          ][ folio ]     page cache, folios as large as the file was written
 *     container  .....[ 64 KiB ]..........[ 64 KiB ]............   windows around the faults (fault-around)
 *     its data   ............................................ww    relocated: private copies
 *
 * File folios have many owners, none of which forked another; most map only a window of each folio, so an average over the
 * folio and a count of the page differ for every page, and Private and Shared with them.
 */
import { PAGE_KB } from "./anonymous-folios.ts";
import { drawIndex, takeOne } from "./random.ts";
import type { Random, ScenarioWorkload, WorkloadValues } from "./workload.ts";

/** Between the libraries of one process. */
const LIBRARY_SPACING = 0x1_0000_0000;

function* start(values: WorkloadValues, random: Random, name: string): Generator<string> {
  const { libraries, libraryKb, faults, dataPages } = values;
  yield `spawn ${name}`;
  for (let library = 0; library < libraries; library++) {
    const address = (0x2_0000_0000 + library * LIBRARY_SPACING).toString(16);
    const region = `${name}_${library}`;
    yield `${name} open ${library} /mnt/lib${library}`;
    // Text is read only; data at its end is written when the library is relocated.
    yield `${name} mmap ${region} 0x${address} ${libraryKb}k rw priv fd=${library}`;
    for (let fault = 0; fault < faults; fault++) {
      const page = drawIndex(random, libraryKb / PAGE_KB - dataPages);
      yield `${name} touch @${region}+${page * PAGE_KB}k 4k r`;
    }
    if (dataPages > 0) {
      const dataKb = dataPages * PAGE_KB;
      yield `${name} touch @${region}+${libraryKb - dataKb}k ${dataKb}k w`;
    }
  }
}

function* lines(values: WorkloadValues, random: Random): Generator<string> {
  const { libraries, libraryKb, containers, restarts } = values;
  // The image is unpacked: its files are in the page cache.
  yield "spawn image";
  for (let library = 0; library < libraries; library++) {
    yield `image open ${library} /mnt/lib${library} ${libraryKb}k`;
    yield `image pwrite ${library} 0 ${libraryKb}k`;
    yield `image fsync ${library}`;
  }
  yield "image exit";
  const alive: string[] = [];
  for (let number = 1; number <= containers + restarts; number++) {
    if (alive.length === containers) yield `${takeOne(random, alive)} exit`;
    alive.push(`c${number}`);
    yield* start(values, random, `c${number}`);
  }
  yield "dump containers_run";
  while (alive.length > 1) yield `${takeOne(random, alive)} exit`;
  yield "dump one_container";
}

export const containerLibraries: ScenarioWorkload = {
  kind: "scenario",
  id: "container-libraries",
  title: "containers that share libraries in windows",
  about:
    "Processes that are not related map the same files of an ext4 image privately, fault in pages at random places, each with " +
    "the window that fault-around maps, and write the data at the end of each library. Some are stopped and others started. " +
    "File folios in partial windows of 64 KiB, mapped by 10 to 1,000 address spaces, are one of the synthetic traces of the " +
    "source; the number and size of libraries and what is touched of them are guesses.",
  source: "literature 5 (synthetic traces; fault-around default; gaps)",
  parameters: {
    libraries: { about: "files", default: 6, min: 1, max: 64 },
    libraryKb: { about: "KiB of each file", default: 1024, min: 64, max: 65_536 },
    containers: { about: "containers that run at once", default: 24, min: 2, max: 1024 },
    restarts: { about: "containers stopped and replaced by a new one", default: 24, min: 0, max: 16_384 },
    faults: { about: "pages that a container reads of each library", default: 24, min: 1, max: 1024 },
    dataPages: {
      about: "pages of data at the end of each library, written when it is loaded",
      default: 4,
      min: 0,
      max: 15,
    },
  },
  memoryBytes: ({ libraries, libraryKb, containers, dataPages }) =>
    1024 * libraries * (2 * libraryKb + (containers + 1) * dataPages * PAGE_KB),
  lines,
};
