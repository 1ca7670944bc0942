/** What the kernel's counts say of mappings found: enough, too few, too many, or nothing. */
import { expect, test } from "vitest";
import { FRAME_LARGE, KIND_ANON, KIND_HUGETLB, KIND_UNCOUNTED } from "../kernel/index.ts";
import type { Machine } from "./capture.ts";
import type { FolioAround } from "./folio-around.ts";
import { type FoundMappings, countFound, judgeCounts, placesOf } from "./found-mappings.ts";
import { RUN_PRESENT } from "./run-layout.ts";

interface Wish {
  readonly config?: "page" | "nopage";
  readonly order?: number;
  readonly kind?: FolioAround["kind"];
  /** Pages of the folio from the first on, one run each. */
  readonly mapped: readonly number[];
  readonly kernel: readonly number[] | undefined;
}

function foundOf({ config = "page", order = 2, kind = KIND_ANON, mapped, kernel }: Wish): FoundMappings {
  const head = 64;
  const folio: FolioAround = { head, order, kind, flags: { low: 0, high: 0 }, headExclusive: false };
  return {
    machine: { mapcountConfig: config } as Machine,
    folio,
    askedFrame: head,
    intervals: Float64Array.of(head, head + 2 ** order),
    kinds: new Uint8Array(2 ** order).fill(kind | (order > 0 ? FRAME_LARGE : 0)),
    processes: [],
    vmas: [],
    mmOfVma: [],
    runs: mapped.map((pages) => ({ vma: 0, page: 1, frame: head, pages, step: 1, bits: RUN_PRESENT })),
    kernelCounts: kernel === undefined ? undefined : Int32Array.from(kernel),
    mappedOutside: 0,
    search: { how: "candidates", processesRead: 1, processesRefused: 0, pagemapBytes: 0, elapsedMs: 0 },
  };
}

test.each<[string, Wish, string]>([
  ["every page as often as counted", { mapped: [4, 3], kernel: [2, 2, 2, 1] }, "explained"],
  ["one page more often counted", { mapped: [4, 3], kernel: [2, 2, 2, 2] }, "kernel-counts-more"],
  ["one more and one fewer", { mapped: [4, 3], kernel: [1, 2, 2, 2] }, "kernel-counts-more"],
  ["one page fewer", { mapped: [4, 3], kernel: [2, 2, 1, 1] }, "kernel-counts-fewer"],
  ["no counts", { mapped: [4], kernel: undefined }, "unchecked"],
  ["a zero page", { order: 0, kind: KIND_UNCOUNTED, mapped: [1], kernel: [0] }, "uncounted"],
  [
    "an average that two more entries would not change",
    { config: "nopage", mapped: [4, 3], kernel: [2, 2, 2, 2] },
    "average-agrees",
  ],
  ["an average that is higher", { config: "nopage", mapped: [4], kernel: [2, 2, 2, 2] }, "kernel-counts-more"],
  ["an average that is lower", { config: "nopage", mapped: [4, 4, 4], kernel: [2, 2, 2, 2] }, "kernel-counts-fewer"],
  ["a small folio, which has no average", { config: "nopage", order: 0, mapped: [1, 1], kernel: [2] }, "explained"],
  [
    "hugetlb, which has none either",
    { config: "nopage", kind: KIND_HUGETLB, mapped: [4], kernel: [1, 1, 1, 1] },
    "explained",
  ],
])("of %s it is said what that proves", (_, wish, verdict) => {
  expect(judgeCounts(foundOf(wish))).toBe(verdict);
});

test("an average proves nothing of frames that are parts of large folios either", () => {
  const found = { ...foundOf({ config: "nopage", mapped: [4], kernel: [1, 1, 1, 1] }), folio: undefined };
  expect(judgeCounts(found)).toBe("average-agrees");
});

test("entries are counted frame by frame across intervals, backwards and repeated runs too", () => {
  const intervals = Float64Array.of(10, 12, 20, 23);
  const run = { vma: 0, page: 0, bits: RUN_PRESENT };
  const runs = [
    { ...run, frame: 11, pages: 2, step: -1 },
    { ...run, frame: 20, pages: 3, step: 1 },
    { ...run, frame: 22, pages: 5, step: 0 },
  ];
  expect([...countFound({ intervals, runs })]).toEqual([1, 1, 1, 1, 6]);
  expect([10, 11, 20, 22].map(placesOf(intervals))).toEqual([0, 1, 2, 4]);
});
