/**
 * A moment of watching that no machine gave: the made-up processes of reports, with changes since the moment before.
 */
import type { WatchData } from "../../src/report/index.ts";
import type { VmaContents, WatchedMoment, WatchedVma } from "../../src/study/index.ts";
import { type MadeUpProcess, madeUpProcess } from "./made-up-report.ts";

const KIB = 1024;

/** A moment of these processes under the schemes page and mm-owner. */
export function madeUpMoment(
  processes: readonly (MadeUpProcess & { readonly change?: number | null })[],
  reading: Partial<WatchedMoment["reading"]> = {},
): WatchedMoment {
  const watched = processes.map(({ change = 0, ...given }) => ({
    ...madeUpProcess(given),
    pssChangeBytes: change === null ? null : change * KIB,
    rssChangeBytes: change === null ? null : change * KIB,
  }));
  const total = (id: string) => ({
    pssBytes: watched.reduce((all, { schemes }) => all + schemes[id].pssBytes, 0),
    ussBytes: {
      least: watched.reduce((all, { schemes }) => all + schemes[id].ussBytes.least, 0),
      most: watched.reduce((all, { schemes }) => all + schemes[id].ussBytes.most, 0),
    },
  });
  const schemes = ["page", "mm-owner"];
  return {
    schema: "foliometer-watch",
    version: 1,
    takenAtMs: Date.UTC(2025, 10, 21, 8, 0, 0),
    machine: {
      kernelRelease: "6.18.44",
      architecture: "x64",
      mapcountConfig: "page",
      memTotalBytes: 24 * 2 ** 30,
      memAvailableBytes: 18 * 2 ** 30,
    },
    schemes,
    processes: watched,
    totals: {
      rssBytes: watched.reduce((all, { rssBytes }) => all + rssBytes, 0),
      swapBytes: 0,
      schemes: Object.fromEntries(schemes.map((id) => [id, total(id)])),
    },
    reading: {
      processesRead: 3,
      processesChanged: 5,
      processesWaiting: 0,
      oldestReadAtMs: Date.UTC(2025, 10, 21, 7, 59, 26),
      pagemapBytes: 3 * 2 ** 20,
      kpageflagsBytes: 2 ** 20,
      kpagecountBytes: 0,
      longestScanMs: 0.04,
      longestReadMs: 0.31,
      framesChecked: 1000,
      framesDiffer: 5,
      ...reading,
    },
    notes: [],
  };
}

/** A VMA of so many kB, all of it mapped. */
export function madeUpVma(startPage: number, kb: number, name: string): WatchedVma {
  const figures = madeUpProcess({ pid: 1, name: "x", page: [kb, kb], owner: [kb, kb] }).schemes;
  return {
    startPage,
    endPage: startPage + kb / 4,
    perms: "rw-p",
    name,
    rssBytes: kb * KIB,
    hugetlbBytes: 0,
    swapBytes: 0,
    schemes: figures,
  };
}

/** Contents of a VMA: one row of folios, and so many sharers. */
export function madeUpContents(vma: WatchedVma, sharers: number): VmaContents {
  return {
    vma,
    folios: [
      {
        kind: 1,
        order: 9,
        folios: 2,
        mappedBytes: 4 * 2 ** 20,
        partialFolios: 1,
        unmappedBytes: 8192,
        sharedFolios: 1,
      },
      { kind: 1, order: 0, folios: 7, mappedBytes: 28 * KIB, partialFolios: 0, unmappedBytes: 0, sharedFolios: 0 },
    ],
    sharers: Array.from({ length: sharers }, (_, at) => ({
      pid: 100 + at,
      name: `sharer-${at}`,
      bytes: (sharers - at) * 4096,
    })),
  };
}

/** Data of a moment and nothing else. */
export function dataOf(moment: WatchedMoment, more: Omit<WatchData, "moment"> = {}): WatchData {
  return { moment, ...more };
}
