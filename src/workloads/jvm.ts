/**
 * Java virtual machines: heaps of huge pages that are given back by parts, a shared archive of classes, and a fork to start
 * a program.
 *
 *     archive  [ file pages, mapped privately by every JVM; some are relocated, that is, copied ]
 *     heap     [region][region][region][region]    2 MiB each, mapped by a PMD
 *                 |        |       `- empty: uncommitted with MADV_DONTNEED, whole or from the end of its objects
 *                 |        `- eden: written from end to end, then empty
 *                 `- old: collected seldom
 *
 * The fork for a program is the short life of a second owner over the whole heap: all PMDs are shared for a moment, and
 * what the JVM writes meanwhile splits and copies (kernel-facts 2.9, 4.1).
 */
import { PAGE_KB, TABLE_KB, mapFolios, useFolios } from "./anonymous-folios.ts";
import { drawIndex, shuffled } from "./random.ts";
import type { Random, ScenarioWorkload, WorkloadValues } from "./workload.ts";

const TABLE_PAGES = TABLE_KB / PAGE_KB;
/** The archive of the JDK's own classes is some 13 MiB; a part of it here. */
const ARCHIVE_KB = 512;

function* start(values: WorkloadValues, name: string): Generator<string> {
  yield `spawn ${name}`;
  yield `${name} open 0 /mnt/classes`;
  yield `${name} mmap ar_${name} 0x400000000 ${ARCHIVE_KB}k rw priv fd=0`;
  yield `${name} touch @ar_${name} ${ARCHIVE_KB}k r`;
  if (values.relocated > 0) yield `${name} touch @ar_${name} ${values.relocated * PAGE_KB}k w`;
  yield* mapFolios({ process: name, name: `hp_${name}`, address: 0x2_0000_0000, sizeKb: values.regions * TABLE_KB });
}

/** A young collection: eden was filled, some of it survives elsewhere, empty regions may be given back. */
function* collect(values: WorkloadValues, random: Random, name: string): Generator<string> {
  const regions = shuffled(
    random,
    Array.from({ length: values.regions }, (_, region) => region * TABLE_KB),
  );
  const eden = regions.slice(0, Math.ceil(regions.length / 2));
  for (const at of eden) yield `${name} touch @hp_${name}+${at}k ${TABLE_KB}k w`;
  // Survivors fill the first part of one region; the rest of that region and another one go back to the system.
  const survivors = (1 + drawIndex(random, TABLE_PAGES - 1)) * PAGE_KB;
  yield `${name} madvise @hp_${name}+${eden[0] + survivors}k ${TABLE_KB - survivors}k dontneed`;
  if (eden.length > 1) yield `${name} madvise @hp_${name}+${eden[1]}k ${TABLE_KB}k dontneed`;
}

/** Runtime.exec: a child that has all of the heap until it becomes another program, while other threads run on. */
function* execute(values: WorkloadValues, random: Random, name: string, number: number): Generator<string> {
  const child = `x${number}`;
  yield `${name} fork ${child}`;
  for (let write = 0; write < values.execWrites; write++) {
    yield `${name} touch @hp_${name}+${drawIndex(random, values.regions * TABLE_PAGES) * PAGE_KB}k 4k w`;
  }
  yield `dump exec${number} ${name} ${child}`;
  yield `${child} exit`;
}

function* lines(values: WorkloadValues, random: Random): Generator<string> {
  yield useFolios(TABLE_KB);
  yield "spawn jdk";
  yield `jdk open 0 /mnt/classes ${ARCHIVE_KB}k`;
  yield `jdk pwrite 0 0 ${ARCHIVE_KB}k`;
  yield "jdk fsync 0";
  yield "jdk exit";
  const names = Array.from({ length: values.jvms }, (_, index) => `jvm${index + 1}`);
  for (const name of names) yield* start(values, name);
  for (let number = 1; number <= values.collections; number++) {
    const name = names[(number - 1) % names.length];
    yield* collect(values, random, name);
    if (number <= values.execs) yield* execute(values, random, name, number);
  }
  yield "dump jvms_run";
}

export const jvm: ScenarioWorkload = {
  kind: "scenario",
  id: "jvm",
  title: "Java virtual machines: huge heap regions, a class archive, exec by fork",
  about:
    "JVMs with heaps of 2 MiB regions under transparent huge pages. A collection fills half of the regions, and gives the " +
    "unused part of one and the whole of another back with MADV_DONTNEED; a class-data archive is mapped privately by all of " +
    "them and its first pages are relocated; now and then a JVM forks to start a program, and goes on writing until the child " +
    "has become it. No sourced figures exist for JVMs (literature 5 lists it as a gap): the pattern follows how G1 and class " +
    "data sharing work, and every number is a guess.",
  source: "literature 5 (gaps: JVM CDS)",
  parameters: {
    jvms: { about: "virtual machines", default: 3, min: 1, max: 256 },
    regions: { about: "heap regions of 2 MiB, each", default: 16, min: 1, max: 4096 },
    collections: { about: "young collections, taken by the virtual machines in turn", default: 24, min: 1, max: 4096 },
    execs: {
      about: "of the first collections, how many are followed by a fork for a program",
      default: 9,
      min: 1,
      max: 4096,
    },
    execWrites: { about: "pages written between fork and exec", default: 12, min: 1, max: 4096 },
    relocated: { about: "pages of the archive that are relocated", default: 24, min: 0, max: ARCHIVE_KB / PAGE_KB },
  },
  memoryBytes: ({ jvms, regions, execWrites, relocated }) =>
    1024 * (2 * ARCHIVE_KB + jvms * (2 * regions * TABLE_KB + (relocated + execWrites) * PAGE_KB)),
  lines,
};
