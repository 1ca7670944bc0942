/**
 * A capture that nobody took: a few processes with every kind of run, folio and refusal there is, written as files with
 * the same code as a real one. Needs neither root nor a machine with gigantic pages and swap.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { CaptureFacts } from "../src/capture/capture-facts.ts";
import { finishParts, writeFacts } from "../src/capture/capture-files.ts";
import type { CapturedProcess } from "../src/capture/capture.ts";
import type { Manifest } from "../src/capture/manifest.ts";
import { MappingPart, partName } from "../src/capture/mapping-part.ts";
import { SmapsColumns } from "../src/capture/smaps-columns.ts";
import { RUN_EXCLUSIVE, RUN_LEVEL_SHIFT, RUN_PRESENT, RUN_SWAP, RunBlocks } from "../src/capture/run-blocks.ts";
import {
  FolioColumns,
  KIND_ANON,
  KIND_FILE,
  KIND_HUGETLB,
  KIND_SHMEM,
  LEVEL_PMD,
  type MapsVma,
  OBSERVED_SHARED,
  procRefusal,
} from "../src/kernel/index.ts";

/** Room for eight of the largest folio, and the last block of 512 frames is incomplete. */
export const MADE_UP_FRAMES = 8 * 4096 + 4 * 512 + 100;

/** A run in readable form; `frame` and `page` are numbers, not words. */
export interface MadeUpRun {
  readonly vma: number;
  /** Pages from the VMA's start. */
  readonly page: number;
  readonly frame: number;
  readonly pages: number;
  readonly step: number;
  readonly bits: number;
}

const PRESENT = RUN_PRESENT | RUN_EXCLUSIVE;
const HUGE = RUN_PRESENT | (LEVEL_PMD << RUN_LEVEL_SHIFT);

export const MADE_UP_VMA_PAGES = 4096;

/** Every shape of run. VMAs 0-2 belong to a process that lives, 3 to one that ended, 4 to another that lives. */
export const MADE_UP_RUNS: readonly MadeUpRun[] = [
  { vma: 0, page: 0, frame: 700, pages: 1, step: 1, bits: PRESENT },
  // Across two blocks, upwards and downwards.
  { vma: 0, page: 1, frame: 1000, pages: 300, step: 1, bits: PRESENT },
  { vma: 0, page: 400, frame: 1300, pages: 600, step: -1, bits: RUN_PRESENT },
  // The zero page.
  { vma: 0, page: 1500, frame: 3, pages: 40, step: 0, bits: RUN_PRESENT },
  // The last frame of the machine, 200 times.
  { vma: 0, page: 1600, frame: MADE_UP_FRAMES - 1, pages: 200, step: 0, bits: RUN_PRESENT },
  // Device memory, and a run that only begins in the machine's frames.
  { vma: 0, page: 2000, frame: 2 ** 33 + 5, pages: 600, step: 1, bits: RUN_PRESENT },
  { vma: 0, page: 2700, frame: MADE_UP_FRAMES - 10, pages: 20, step: 1, bits: RUN_PRESENT },
  // Swap: type 1, upwards over a block of slots, downwards, and one slot twice; and a marker.
  { vma: 1, page: 0, frame: (500 << 5) | 1, pages: 100, step: 32, bits: RUN_SWAP },
  { vma: 1, page: 200, frame: (2000 << 5) | 1, pages: 700, step: -32, bits: RUN_SWAP },
  { vma: 1, page: 1000, frame: (7 << 5) | 2, pages: 2, step: 0, bits: RUN_SWAP },
  { vma: 1, page: 1100, frame: 0, pages: 3, step: 0, bits: 1 << 2 },
  // A 2 MiB folio by PMD and again by PTEs.
  { vma: 2, page: 512, frame: 4096, pages: 512, step: 1, bits: HUGE },
  { vma: 4, page: 10, frame: 4200, pages: 30, step: 1, bits: RUN_PRESENT },
  // The gigantic folio, in part.
  { vma: 2, page: 1024, frame: 16_384, pages: 2048, step: 1, bits: HUGE },
  // Ended: does not count.
  { vma: 3, page: 0, frame: 1000, pages: 100, step: 1, bits: RUN_PRESENT },
  // Shared with the first process.
  { vma: 4, page: 100, frame: 1010, pages: 20, step: 1, bits: RUN_PRESENT },
  { vma: 4, page: 200, frame: 9000, pages: 4, step: 1, bits: RUN_PRESENT },
];

const VMA_NAMES = ["[heap]", "", "/srv/planted/library.so (deleted)", "/srv/planted/library.so", "[anon:planted name]"];

function madeUpVma(index: number): MapsVma {
  return {
    startPage: 0x7f_0000_0000 + index * 2 * MADE_UP_VMA_PAGES,
    endPage: 0x7f_0000_0000 + index * 2 * MADE_UP_VMA_PAGES + MADE_UP_VMA_PAGES,
    read: true,
    write: index % 2 === 0,
    exec: false,
    shared: index === 3,
    offset: index * 4096,
    offsetHex: (index * 4096).toString(16).padStart(8, "0"),
    device: index === 2 || index === 3 ? "fe:01" : "00:00",
    inode: index === 2 || index === 3 ? 424_242_424 : 0,
    name: VMA_NAMES[index],
  };
}

function madeUpProcess(pid: number, over: Partial<CapturedProcess>): CapturedProcess {
  return {
    pid,
    ppid: 1,
    uid: 4_000_000_000,
    userName: "planted-user",
    name: "planted-comm",
    command: `/srv/planted/program --password=planted-${pid}`,
    cgroup: "/planted.slice/planted.service",
    state: "complete",
    refusal: null,
    mm: -1,
    firstVma: 0,
    endVma: 0,
    status: { vmSizeBytes: 2 ** 40, vmRssBytes: 4096, vmSwapBytes: 0, vmPteBytes: undefined, hugetlbBytes: undefined },
    ...over,
  };
}

function madeUpFolios(): Pick<CaptureFacts, "folios" | "folioFlags" | "folioCgroups"> {
  const folios = new FolioColumns();
  const huge = folios.append(4096, 9, KIND_ANON, true);
  folios.entries[huge] = 31;
  folios.pmdEntries[huge] = 1;
  folios.mappedPages[huge] = 542;
  folios.mmCount[huge] = 2;
  folios.pagesMapped[huge] = 512;
  folios.observed[huge] = OBSERVED_SHARED;
  const group = folios.append(8192, 11, KIND_SHMEM, false);
  folios.pagesMapped[group] = 4;
  folios.mappedPages[group] = 4;
  folios.mappedOutside[group] = 2;
  const gigantic = folios.append(16_384, 12, KIND_HUGETLB, false);
  folios.mappedPages[gigantic] = 2048;
  folios.pagesMapped[gigantic] = 2048;
  return {
    folios,
    folioFlags: { low: Int32Array.of(0x0040_9800, -1, 0x0002_8000), high: Int32Array.of(4, 0, 0) },
    folioCgroups: new Map([[group, "/planted.slice/planted.service"]]),
  };
}

/** The facts of the made-up capture. */
export function madeUpFacts(): CaptureFacts {
  const living = { mm: 0, firstVma: 0, endVma: 3 };
  return {
    machine: {
      kernelRelease: "6.18.0-planted",
      architecture: "x64",
      pageSizeBytes: 4096,
      mapcountConfig: "page",
      bootId: "11111111-2222-3333-4444-555555555555",
      hostPseudonym: null,
      beganAtMs: 1_700_000_000_000,
      endedAtMs: 1_700_000_001_000,
      uptimeSeconds: 1234.5,
      processorCount: 8,
      frameCount: MADE_UP_FRAMES,
      thpEnabled: "madvise",
      thpShmemEnabled: null,
      thpSizes: [{ sizeKb: 64, enabled: "inherit", shmemEnabled: null }],
      ksmPagesShared: 0,
      options: { CONFIG_PAGE_MAPCOUNT: "y" },
      meminfo: { MemTotal: 2 ** 31 },
    },
    processes: [
      madeUpProcess(100, living),
      madeUpProcess(101, { state: "shares-mm", ...living }),
      madeUpProcess(102, { state: "ended", mm: 1, firstVma: 3, endVma: 4 }),
      madeUpProcess(103, { mm: 2, firstVma: 4, endVma: 5, command: "[planted-comm]" }),
      madeUpProcess(104, { state: "refused", refusal: procRefusal("EACCES", "/proc/104/pagemap") }),
      madeUpProcess(105, { state: "refused", refusal: procRefusal("EWEIRD", "/proc/105/maps") }),
    ],
    vmas: VMA_NAMES.map((_, index) => madeUpVma(index)),
    mmOfVma: Int32Array.of(0, 0, 0, 1, 2),
    ...madeUpFolios(),
    small: {
      pfn: [3, 700, 701, 9000 + 2000],
      frames: [1, 1, 600, 100],
      kind: [6, KIND_ANON, KIND_ANON, KIND_FILE],
      flagsLow: [1 << 24, 0x5868, 0x5828, 0x82c],
      flagsHigh: [0, 4, 0, 0],
    },
    corrections: { pfn: [1005, 9001], mapcount: [7, 3] },
    disagreements: [9001],
    smaps: madeUpSmaps(),
  };
}

function madeUpSmaps(): SmapsColumns {
  const smaps = new SmapsColumns(VMA_NAMES.length);
  smaps.set(2, {
    size: MADE_UP_VMA_PAGES * 4,
    kernelPageSize: 4,
    mmuPageSize: 4,
    rss: 10,
    pss: 5,
    pssDirty: 1,
    sharedClean: 1,
    sharedDirty: 2,
    privateClean: 3,
    privateDirty: 4,
    referenced: 5,
    anonymous: 6,
    lazyFree: 0,
    anonHugePages: 2048,
    shmemPmdMapped: 0,
    sharedHugetlb: 0,
    privateHugetlb: 0,
    swap: 0,
    swapPss: 0,
    locked: 0,
    vmFlags: ["rd", "wr", "mr", "mw", "me", "ac"],
  });
  return smaps;
}

/** Writes a capture with these runs into a new directory, in two parts. */
export function writeMadeUpCapture(directory: string, runs: readonly MadeUpRun[], facts = madeUpFacts()): Manifest {
  mkdirSync(directory);
  const groups = [0, 1].map((thread) => {
    const part = new MappingPart(join(directory, partName(thread)));
    const blocks = new RunBlocks(part, { memoryBlocks: 0, saveEveryBlock: true });
    for (const run of runs.filter((_, index) => index % 2 === thread)) {
      const page = facts.vmas[run.vma].startPage + run.page;
      blocks.append(
        run.vma,
        (page % 1_048_576) << 12,
        Math.floor(page / 1_048_576),
        run.frame | 0,
        Math.floor(run.frame / 2 ** 32),
        run.pages,
        run.step,
        run.bits,
      );
    }
    blocks.finish();
    const written = part.finish();
    part.close();
    return written;
  });
  return writeFacts(directory, facts, finishParts(directory, groups), {
    createdBy: "made up",
    wholeMachine: true,
    withSmaps: true,
    notes: ["Holes were read through, because /srv/planted/koffi.node is missing."],
    agreement: {
      framesChecked: 10,
      everyFrame: true,
      differedFirst: 2,
      differAfter: 1,
      kernelCountsMore: 1,
      refusal: null,
    },
    cost: {
      pagemapBytes: 1,
      kpageflagsBytes: 2,
      kpagecountBytes: 3,
      pagemapReads: 4,
      scans: 5,
      longestScanMs: 0.25,
      entriesPresent: 6,
      entriesNotPresent: 7,
      entriesBeyondFrames: 8,
      foliosTorn: 0,
      phasesMs: { read: 1.5 },
      elapsedMs: 2.5,
      threads: 2,
    },
    redaction: null,
  });
}

/** What the runs add up to, page by page, before corrections. */
export function countedByHand(runs: readonly MadeUpRun[]): Int32Array {
  const counts = new Int32Array(MADE_UP_FRAMES);
  for (const { vma, frame, pages, step, bits } of runs) {
    const last = frame + step * (pages - 1);
    if ((bits & RUN_PRESENT) === 0 || vma === 3 || Math.max(frame, last) >= MADE_UP_FRAMES) continue;
    for (let page = 0; page < pages; page++) counts[frame + step * page]++;
  }
  return counts;
}
