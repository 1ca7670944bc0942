/**
 * What was published: times and changes of time when the kernel began to count in another way, row by row.
 *
 * Numbers as in the mails that literature 3.1-3.8 cites. "Change" is the change of runtime in per cent, so less is better,
 * except of throughput. A micro-benchmark maps 1 GiB of anonymous memory in folios of one size by PTEs (3.1-3.5, 3.7).
 */

/** Orders 2 to 9: 16 KiB to 2 MiB. */
export const LARGE_ORDERS: readonly number[] = [2, 3, 4, 5, 6, 7, 8, 9];
export const ALL_ORDERS: readonly number[] = [0, ...LARGE_ORDERS];

/** Pages of 1 GiB. */
export const GIB_PAGES = 262_144;

/** 3.1: fork of 1 GiB in seconds, Linux 6.8-rc1 and with rmap batching; by ALL_ORDERS. January 2024. */
export const FORK_SECONDS = {
  before: [0.014328, 0.014263, 0.014334, 0.014046, 0.014011, 0.013993, 0.013983, 0.013986, 0.014305],
  after: [0.014035, 0.01196, 0.01094, 0.010444, 0.010063, 0.009938, 0.00985, 0.00982, 0.010076],
} as const;

/** 3.2: munmap of 1 GiB in seconds, before and after batching; by ALL_ORDERS. February 2024. */
export const MUNMAP_SECONDS = {
  before: [0.05811, 0.044198, 0.034216, 0.029207, 0.026579, 0.02513, 0.024292, 0.023812, 0.023785],
  after: [0.057715, 0.035469, 0.023522, 0.018434, 0.014026, 0.011756, 0.010703, 0.010294, 0.00991],
} as const;

/** 3.3: speed-up of munmap in per cent with fewer updates of _nr_pages_mapped; by LARGE_ORDERS. August 2024. */
export const NR_PAGES_MAPPED_SPEEDUP: readonly number[] = [10, 15, 17, 21, 22, 22, 23, 27];

/** 3.4: one large mapcount: "about" or "less than" so many per cent slower. April 2024. */
export const LARGE_MAPCOUNT = {
  forkAbout: { 2: 4 },
  forkBelow: { 0: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 1, 9: 1 },
  munmapBelow: { 0: 1, 2: 2, 3: 2, 4: 1, 5: 3, 6: 3, 7: 2, 8: 1, 9: 3 },
  remapBelow: { 9: 1 },
  cowByteBelow: { 4: 1, 9: 1 },
} as const;

/** 3.5: changes in per cent, by ALL_ORDERS; "MM-ID" with page mapcounts, "No-Mapcount" without. August 2024. */
export const OWNER_TRACKING = {
  munmapMmId: [0, 2, 3, 4, 3, 1, 1, 0, 0],
  munmapNoMapcount: [0, -8, -9, -16, -17, -23, -26, -29, -31],
  forkMmId: [0, 4, 1, 0, 0, 0, 0, 0, -1],
  forkNoMapcount: [0, -9, -12, -15, -15, -16, -16, -17, -21],
  cowByte: [0, 0, 0, 0, 0, 0, 0, 0, 0],
  reuseByte: [0, -66, -65, -64, -64, -64, -64, -64, -64],
  childReuseByte: [0, -66, -65, -64, -64, -64, -64, -64, -64],
} as const;

/** 3.5: vm-scalability of 20 children, throughput: "up to -2 %", "up to +3 %", "less than 0.6 %". */
export const OWNER_TRACKING_THROUGHPUT = { cowSeqMmId: -2, cowSeqNoMapcount: 3, cowRandBelow: 0.6 } as const;

/** 3.6: the robot's anon-cow-seq of 256 threads: throughput, and lines found modified in another core's cache. April 2025. */
export const ROBOT = { throughput: -7.8, linesFoundModified: 44 } as const;

export const STAGES = [
  "total mapcount only",
  "+ rmap-id",
  "+ 1/2/3 values",
  "+ batch remap",
  "+ exclusive seqcount",
  "+ add-return, not cmpxchg",
  "all mapcounts under the seqcount",
] as const;
export type Stage = (typeof STAGES)[number];

export const STAGE_COLUMNS = [
  "remap",
  "munmap",
  "fork",
  "cow",
  "cow-byte",
  "reuse",
  "reuse-byte",
  "pte-dontneed",
] as const;
export type StageColumn = (typeof STAGE_COLUMNS)[number];

/** 3.7: changes in per cent against Linux 6.7-rc1, 2 MiB folios mapped by PTEs; by STAGES and STAGE_COLUMNS. November 2023. */
export const RMAP_ID_INTEL: readonly (readonly number[])[] = [
  [13.4, 0.3, 14.2, 0.5, 0.2, -0.2, -0.4, 2.8],
  [123.7, 48.8, 105.9, 3.0, 3.2, -30.0, -64.2, 14.8],
  [108.7, 42.1, 93.3, 1.7, 2.7, -30.0, -64.3, 12.9],
  [-8.1, 41.4, 95.5, 1.5, 2.2, -29.7, -64.2, 5.7],
  [-8.8, 15.1, 40.5, 1.1, 0.9, -29.6, -64.0, 1.1],
  [-10.4, 12.6, 46.4, 0.9, 1.4, -30.0, -64.3, 0.8],
  [-34.8, 1.0, 27.8, 0.7, 0.4, -30.0, -63.9, -0.5],
];

/** The same on two AMD EPYC 7313. */
export const RMAP_ID_AMD: readonly (readonly number[])[] = [
  [24.3, 1.8, 25.9, 1.5, 2.6, 1.4, 1.9, 4.5],
  [55.4, 12.5, 27.9, 2.6, 4.3, -50.4, -60.9, 6.3],
  [45.6, 6.3, 30.4, 2.9, 4.1, -51.1, -60.5, 6.7],
  [-9.6, 7.2, 31.5, 2.1, 3.0, -51.1, -60.7, 4.0],
  [-10.8, 14.0, 48.4, 0.5, 2.3, -51.4, -61.0, 5.0],
  [-11.3, 25.9, 55.7, 2.0, 3.3, -50.9, -60.2, 3.4],
  [-21.8, 16.1, 43.0, 3.2, 4.8, -50.2, -60.8, 5.8],
];

/** 3.7: anon-cow-seq of 20 children, change of throughput in per cent; by STAGES. */
export const RMAP_ID_THROUGHPUT = {
  intel: [-8.2, -16.2, -12.3, -8.3, -7.1, -6.6, -5.6],
  amd: [-2.1, -10.4, -10.8, -3.8, -4.2, -4.6, -4.5],
} as const;

/** 3.8: 100 times mmap and munmap of 2 GiB of tmpfs, in seconds. November 2022. */
export const COMPOUND_REWORK = {
  smallPages: 18,
  pmds: { doublemap: 1, patch1: 0.119, patch2: 0.115 },
  secondPmds: { doublemap: 0.86, patch1: 0.092, patch2: 0.086 },
  pmdsAfterPtes: { doublemap: 0.87, scanned: 0.495, compoundMapped: 0.103 },
  /** "PTE mapping of huge pages +-5 %". */
  ptesWithin: 5,
} as const;
export const REWORK_ROUNDS = 100;
export const REWORK_BYTES = 2 ** 31;

/** 3.10: 64 KiB lazyfree folios are reclaimed so many times as fast when they are unmapped in batches. February 2025. */
export const LAZYFREE_SPEEDUP = 2.5;

/** 3.11: Redis' documentation: a page table of 48 MB for an instance of 24 GB. */
export const REDIS_TABLES = { instanceBytes: 24 * 2 ** 30, tableBytes: 48e6 } as const;
