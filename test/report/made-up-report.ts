/**
 * A report that no machine gave: a database whose saving child has copied half a gigabyte, and a few neighbours.
 *
 * Its totals are the sums of its processes and its accounts add up to MemTotal, as those of a real report do.
 */
import type { CaptureReport, MachineFigures, MemoryAccount, ProcessReport, Range } from "../../src/study/index.ts";

const KIB = 1024;

/** What a process of the made-up machine has, in kB. */
export interface MadeUpProcess {
  readonly pid: number;
  readonly name: string;
  readonly user?: string;
  readonly command?: string;
  readonly cgroup?: string;
  readonly state?: ProcessReport["state"];
  readonly swap?: number;
  readonly rss?: number;
  /** Pss and Uss (one figure or a range) by scheme. */
  readonly page?: readonly [number, number | Range];
  readonly owner?: readonly [number, number | Range];
}

export const SCHEME_IDS = ["page", "mm-owner", "mapped-pages"] as const;

/** A range in bytes. */
export function rangeOfKb(kb: number | Range): Range {
  return typeof kb === "number" ? { least: kb * KIB, most: kb * KIB } : { least: kb.least * KIB, most: kb.most * KIB };
}

/** A process with all its fields. */
export function madeUpProcess(given: MadeUpProcess): ProcessReport {
  const { page = [0, 0], owner = page } = given;
  const figures = ([pss, uss]: readonly [number, number | Range]) => ({
    pssBytes: pss * KIB + 511,
    pssAnonBytes: pss * KIB,
    pssFileBytes: 511,
    pssShmemBytes: 0,
    ussBytes: rangeOfKb(uss),
    exclusiveEntries: { least: rangeOfKb(uss).least / 4096, most: rangeOfKb(uss).most / 4096 },
  });
  const refused = given.state === "refused";
  return {
    pid: given.pid,
    ppid: 1,
    uid: 0,
    user: given.user ?? "root",
    name: given.name,
    command: given.command ?? given.name,
    cgroup: given.cgroup ?? "/",
    state: given.state ?? "complete",
    refusal: refused ? `Cannot read /proc/${given.pid}/pagemap: permission denied.` : null,
    rssBytes: (given.rss ?? 0) * KIB,
    rssAnonBytes: (given.rss ?? 0) * KIB,
    rssFileBytes: 0,
    rssShmemBytes: 0,
    swapBytes: (given.swap ?? 0) * KIB,
    hugetlbBytes: 0,
    pageTablesBytes: 40 * KIB,
    changedBytes: 0,
    exclusiveEntriesMeasured: 10,
    schemes: { page: figures(page), "mm-owner": figures(owner), "mapped-pages": figures(owner) },
  };
}

export const MADE_UP_PROCESSES: readonly MadeUpProcess[] = [
  {
    pid: 4021,
    name: "redis-server",
    user: "redis",
    command: "/usr/bin/redis-server 127.0.0.1:6379",
    cgroup: "/system.slice/redis.service",
    rss: 2_229_844,
    page: [1_286_541, 348_724],
    owner: [1_286_522, { least: 2_100, most: 348_688 }],
  },
  {
    pid: 12_345,
    name: "redis-rdb-bgsave",
    user: "redis",
    command: "redis-rdb-bgsave 127.0.0.1:6379",
    cgroup: "/system.slice/redis.service",
    rss: 2_223_016,
    page: [1_285_017, 348_512],
    owner: [1_111_585, 1_648],
  },
  {
    pid: 812,
    name: "postgres",
    user: "postgres",
    command: "postgres: main: bench bench [local] idle in transaction (aborted)",
    cgroup: "/system.slice/postgresql.service",
    swap: 128,
    rss: 2_161_000,
    page: [45_321, 12_004],
  },
  { pid: 900, name: "node", rss: 61_204, page: [21_871, 15_220], owner: [21_871, 15_228] },
  { pid: 333, name: "sshd", rss: 9_216, page: [1_024, 0], owner: [1_024, 12] },
];

const UNREAD: readonly MadeUpProcess[] = [
  { pid: 1, name: "systemd", state: "refused" },
  { pid: 4444, name: "sh", state: "ended" },
  { pid: 4022, name: "vfork-child", state: "shares-mm", rss: 2_229_844, page: [1_286_541, 348_724] },
];

const FIGURES: MachineFigures = {
  pssBytes: 0,
  ussBytes: { least: 0, most: 0 },
  anonPagesBytes: 3_250_000 * KIB,
  mappedBytes: 2_300_000 * KIB,
  exclusiveEntries: { least: 605_880, most: 605_880 },
  kpagecountChangedFrames: 0,
  kpagecountDifference: 0,
  mapmaxChangedVmas: 0,
  partialNoticed: 25,
  partialMissed: 0,
  partialMissedBytes: 0,
  partialPastDecides: 0,
  partialPastDecidesBytes: 0,
};

const OWNER_FIGURES: MachineFigures = {
  ...FIGURES,
  anonPagesBytes: 3_268_432 * KIB,
  exclusiveEntries: { least: 512_760, most: 599_400 },
  kpagecountChangedFrames: 186_400,
  kpagecountDifference: 190_112,
  mapmaxChangedVmas: 12,
  partialNoticed: 18,
  partialMissed: 7,
  partialMissedBytes: 6_144 * KIB,
  partialPastDecides: 5,
  partialPastDecidesBytes: 4_096 * KIB,
};

const MEM_TOTAL_KB = 24_576_000;

function accounts(pssBytes: number): MemoryAccount[] {
  const known: MemoryAccount[] = [
    { label: "processes (sum of Pss)", bytes: pssBytes, origin: "derived" },
    { label: "page cache that no process maps", bytes: 9_100_000 * KIB, origin: "derived" },
    { label: "slab", bytes: 700_000 * KIB, origin: "measured" },
    { label: "free", bytes: 11_000_000 * KIB, origin: "measured" },
  ];
  const rest = MEM_TOTAL_KB * KIB - known.reduce((all, { bytes }) => all + bytes, 0);
  return [...known, { label: "rest", bytes: rest, origin: "rest" }];
}

/** A whole report on these processes and some that could not be read. */
export function madeUpReport(
  processes: readonly MadeUpProcess[] = MADE_UP_PROCESSES,
  changed: Partial<CaptureReport> = {},
): CaptureReport {
  const all = [...processes, ...UNREAD].map(madeUpProcess);
  const counted = all.filter(({ state }) => state === "complete");
  const sum = (pick: (process: ProcessReport) => number): number =>
    counted.reduce((total, each) => total + pick(each), 0);
  const summed = (id: string) => ({
    pssBytes: sum(({ schemes }) => schemes[id].pssBytes),
    ussBytes: {
      least: sum(({ schemes }) => schemes[id].ussBytes.least),
      most: sum(({ schemes }) => schemes[id].ussBytes.most),
    },
  });
  return {
    schema: "foliometer-report",
    version: 1,
    machine: {
      kernelRelease: "6.18.44",
      architecture: "x64",
      mapcountConfig: "page",
      pageSizeBytes: 4096,
      beganAtMs: Date.UTC(2025, 10, 21, 8, 43, 12),
      endedAtMs: Date.UTC(2025, 10, 21, 8, 43, 12) + 934,
      bootId: "b0071d",
      memTotalBytes: MEM_TOTAL_KB * KIB,
      thpEnabled: "always",
    },
    schemes: SCHEME_IDS,
    wholeMachine: true,
    processes: all,
    totals: {
      rssBytes: sum(({ rssBytes }) => rssBytes),
      swapBytes: sum(({ swapBytes }) => swapBytes),
      hugetlbBytes: 0,
    },
    figures: {
      page: { ...FIGURES, ...summed("page") },
      "mm-owner": { ...OWNER_FIGURES, ...summed("mm-owner") },
      "mapped-pages": { ...OWNER_FIGURES, ...summed("mapped-pages") },
    },
    measured: {
      anonPagesBytes: 3_250_112 * KIB,
      mappedBytes: 2_300_400 * KIB,
      shmemBytes: 2_100_000 * KIB,
      anonHugePagesBytes: 3_100_672 * KIB,
      exclusiveEntries: 605_880,
    },
    memory: accounts(summed("page").pssBytes),
    folios: [
      {
        order: 4,
        kind: "file",
        folios: 120,
        bytes: 120 * 65_536,
        mappedBytes: 7_000 * KIB,
        mappedByOne: 20,
        mappedByTwo: 40,
        mappedByMore: 60,
        partiallyMapped: 11,
      },
      {
        order: 9,
        kind: "anon",
        folios: 1_612,
        bytes: 1_612 * 2_097_152,
        mappedBytes: 3_290_000 * KIB,
        mappedByOne: 512,
        mappedByTwo: 1_100,
        mappedByMore: 0,
        partiallyMapped: 25,
      },
    ],
    partial: { folios: 25, unmappedBytes: 18_432 * KIB },
    cgroups: [
      {
        cgroup: "/system.slice/redis.service",
        anonExtraBytes: { page: 0, "mm-owner": 18_432 * KIB, "mapped-pages": 18_432 * KIB },
        fileExtraBytes: { page: 0, "mm-owner": 0, "mapped-pages": 0 },
      },
    ],
    coverage: {
      processesRead: counted.length,
      processesRefused: all.filter(({ state }) => state === "refused").length,
      processesEnded: all.filter(({ state }) => state === "ended").length,
      framesChecked: 1_898_112,
      everyFrameChecked: true,
      framesDiffered: 21_004,
      framesDifferAfterSecondLook: 312,
      framesCountedMoreByKernel: 300,
      checkRefusal: null,
      changedBytes: 8_192,
    },
    cost: {
      elapsedMs: 934,
      threads: 2,
      pagemapBytes: 41_000_000,
      kpageflagsBytes: 15_000_000,
      kpagecountBytes: 15_000_000,
      entriesPresent: 27_500_112,
      longestScanMs: 3.2,
      phasesMs: { read: 500, scan: 200 },
    },
    notes: [],
    ...changed,
  };
}
