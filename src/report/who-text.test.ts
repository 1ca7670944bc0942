/** Who maps a folio as text: lines of mappings, marks of what is derived or uncertain, and what speaks for the answer. */
import { expect, test } from "vitest";
import type { WhoPiece, WhoRangeReport, WhoReport } from "../study/index.ts";
import { PLAIN_STYLES } from "./styles.ts";
import { formatWhoNothingText } from "./who-nothing-text.ts";
import { formatWhoRangeText } from "./who-range-text.ts";
import { formatWhoText } from "./who-text.ts";

const PLAIN = { top: 40, width: Infinity, styles: PLAIN_STYLES };

const MACHINE = {
  kernelRelease: "6.18.0",
  architecture: "x64",
  mapcountConfig: "page",
  pageSizeBytes: 4096,
  beganAtMs: 0,
  endedAtMs: 5,
  bootId: "",
} as const;

const SEARCH = {
  how: "candidates",
  processesRead: 90,
  processesRefused: 0,
  pagemapBytes: 8192,
  elapsedMs: 12,
  counts: "explained",
} as const;

const VMA = { start: "0x7f0000000000", end: "0x7f0000200000", rights: "rw-p", name: "", offset: 0 };

function piece(firstPage: number, pages: number, more: Partial<WhoPiece> = {}): WhoPiece {
  return {
    address: `0x${(0x7f0000000 + firstPage).toString(16)}000`,
    firstPage,
    pages,
    level: "pte",
    exclusive: false,
    softDirty: null,
    uffdWriteProtected: false,
    ofFile: false,
    ...more,
  };
}

const PARENT = { pid: 10, name: "server", command: "server -x", user: "root", cgroup: "/" };

const REPORT: WhoReport = {
  schema: "foliometer-who",
  version: 1,
  machine: MACHINE,
  folio: { pfn: "0x4a200", order: 4, pages: 16, bytes: 65536, kind: "anon", flags: ["LRU", "ANON"], askedPage: 3 },
  mapcounts: { found: [2, 2, 1, ...Array.from({ length: 13 }, () => 2)], kernel: null },
  totals: { entries: 31, pmdEntries: 0, addressSpaces: 2, vmas: 2, pagesMapped: 16, outside: 0 },
  mappers: [
    { process: PARENT, sharedWith: [12], vma: VMA, pages: 15, pieces: [piece(0, 2), piece(3, 13)] },
    {
      process: { ...PARENT, pid: 11, command: "evil\u001b[2J" },
      sharedWith: [],
      vma: { ...VMA, name: "[heap]\n" },
      pages: 16,
      pieces: [piece(0, 2), piece(2, 1, { exclusive: true }), piece(3, 13)],
    },
  ],
  schemes: [
    { id: "page", isOwn: true, mappings: 31, unit: "entries", others: "yes", partial: "no", averageMapcount: null },
    {
      id: "mm-owner",
      isOwn: false,
      mappings: 31,
      unit: "entries",
      others: "either",
      partial: "ask",
      averageMapcount: 2,
    },
  ],
  search: SEARCH,
};

test("pages of a folio that lie elsewhere than the others are a line of their own", async () => {
  const moved = { ...piece(8, 8), address: "0x7f0000100000" };
  const [mapper] = REPORT.mappers;
  const text = await formatWhoText({ ...REPORT, mappers: [{ ...mapper, pieces: [piece(0, 8), moved] }] }, PLAIN);
  expect(text).toMatch(/0x7f0000000000 +0-7 /);
  expect(text).toMatch(/0x7f0000100000 +8-15 /);
});

test("a VMA's entries that lie as the folio does are one line, gaps counted; others keep theirs", async () => {
  const text = await formatWhoText(REPORT, PLAIN);
  expect(text).toMatch(/^ 10 {2}root {2}server -x \(and 12\) {2}0x7f0000000000 {2}0-15 \(15\) {2}PTE {12}rw-p$/m);
  expect(text).toMatch(/^ +0x7f0000002000 {2}2 +PTE exclusive$/m);
  expect(text).toContain("2 address spaces in 2 VMAs: 31 entries.");
  expect(text).toContain("8 KiB of the page tables of 90 processes read in 12 ms.");
});

test("what this kernel does not say is marked, what its past decides too, and each mark explained", async () => {
  const text = await formatWhoText(REPORT, PLAIN);
  expect(text).toMatch(/^page +31 {2}entries {2}yes +each its own +no$/m);
  expect(text).toMatch(/^mm-owner +~31 {2}entries {2}~no or yes\? +~2 for all +ask rmap$/m);
  expect(text).toContain("~ what this kernel does not say itself");
  expect(text).toContain("? depends on the folio's past");
  const sure = { ...REPORT, schemes: REPORT.schemes.slice(0, 1) };
  expect(await formatWhoText(sure, PLAIN)).not.toContain("depends on the folio's past");
});

test("the strip shows the page that one mm copied, the kernel's counts where there are any", async () => {
  expect(await formatWhoText(REPORT, PLAIN)).toContain("\n 0  2212222222222222\n");
  const kernel = { found: REPORT.mapcounts.found, kernel: [3, ...REPORT.mapcounts.found.slice(1)] };
  expect(await formatWhoText({ ...REPORT, mapcounts: kernel }, PLAIN)).toContain("\n 0  3212222222222222\n");
});

test("names of others cannot move the cursor", async () => {
  const text = await formatWhoText(REPORT, PLAIN);
  expect(text).not.toContain("\u001b");
  expect(text).toContain("evil\\x1b[2J");
  expect(text).toContain("[heap]\\n");
});

test("lines cut off are counted", async () => {
  expect(await formatWhoText(REPORT, { ...PLAIN, top: 1 })).toContain("2 more lines; --top 0 and --json have all.");
});

test("whether somebody is missing is said in every case", async () => {
  const said = async (counts: WhoReport["search"]["counts"]): Promise<string> =>
    (await formatWhoText({ ...REPORT, search: { ...SEARCH, counts } }, PLAIN)).replaceAll(/\s+/g, " ");
  expect(await said("explained")).toContain("Nobody is missing");
  expect(await said("average-agrees")).toContain("does not prove that nobody is missing");
  expect(await said("kernel-counts-more")).toContain("more than were found");
  expect(await said("kernel-counts-fewer")).toContain("fewer mappings than were found");
  expect(await said("uncounted")).toContain("--all reads every page table");
  expect(await said("unchecked")).toContain("is not seen");
});

test("a range names its pages, how often they are mapped, and who maps how much", async () => {
  const none = { ksmBytes: 0, shmemBytes: 0, hugetlbBytes: 0, fileBytes: 0 };
  const report: WhoRangeReport = {
    schema: "foliometer-who-range",
    version: 1,
    machine: MACHINE,
    present: { ...none, bytes: 40960, anonBytes: 40960 },
    largeBytes: 0,
    uncountedBytes: 4096,
    mapcounts: [
      { mapcount: 1, pages: 7 },
      { mapcount: 2, pages: 3 },
    ],
    mappers: [{ process: PARENT, sharedWith: [], vma: VMA, bytes: 40960, aloneBytes: 28672 }],
    search: SEARCH,
  };
  const text = await formatWhoRangeText(report, "[heap] of 10", PLAIN);
  expect(text).toContain("Pages of [heap] of 10\nPresent: 40 kB anon. Zero pages");
  expect(text).toContain("Mapcounts: 1 of 7 pages, 2 of 3 pages.");
  expect(text).toMatch(/^ 10 {2}root {2}server -x {4}40 {5}28 {2}0x7f0000000000 {2}rw-p$/m);
});

test.each([
  ["empty", /^No page is at 0x1000 of 5 \(rw-p\): nobody has touched it/],
  ["none-present", /^Nobody who was read maps a page of 0x1000 of 5 \(rw-p\): not touched, dropped, swapped out/],
  ["swap", /swapped out: area 1, slot 0x20\./],
  ["migration-write", /being moved/],
  ["hwpoison", /broken memory/],
  ["marker", /guard region/],
  ["special", /configuration/],
  ["device", /device memory, frame 0x9/],
  ["unmapped", /^Nobody who was read maps 0x1000 of 5; its flags: BUDDY\.$/m],
] as const)("where no folio is, one sentence says what is: %s", (state, sentence) => {
  const report = {
    schema: "foliometer-who-nothing",
    version: 1,
    state,
    vma: state === "unmapped" ? null : VMA,
    swap: state === "swap" ? { area: 1, slot: "0x20" } : null,
    pfn: "0x9",
    flags: state === "unmapped" ? ["BUDDY"] : null,
    kernelCount: state === "unmapped" ? 0 : null,
  } as const;
  expect(formatWhoNothingText(report, "0x1000 of 5")).toMatch(sentence);
  expect(formatWhoNothingText(report, "0x1000 of 5")).not.toContain("The kernel counts");
  if (state !== "unmapped") return;
  const missing = formatWhoNothingText({ ...report, kernelCount: 2 }, "0x1000 of 5");
  expect(missing).toContain("BUDDY. The kernel counts 2 mappings of it, by whoever could not be read");
});
