/** What would come free as text: accounts that add up, who keeps the rest, and rankings. */
import { expect, test } from "vitest";
import type { FreeRanking, FreeReport, FreedMemory, KindBytes, ProcessName } from "../study/index.ts";
import { formatFreeRanking } from "./free-ranking-text.ts";
import { formatFreeText } from "./free-text.ts";
import { PLAIN_STYLES } from "./styles.ts";

const KB = 1024;
const PLAIN = { top: 20, width: Infinity, styles: PLAIN_STYLES };

function kinds(anonKb: number, fileKb = 0): KindBytes {
  const none = { ksmBytes: 0, shmemBytes: 0, hugetlbBytes: 0 };
  return { bytes: (anonKb + fileKb) * KB, anonBytes: anonKb * KB, fileBytes: fileKb * KB, ...none };
}

function process(pid: number, name: string): ProcessName {
  return { pid, name, command: `${name} -D`, user: "root", cgroup: "/" };
}

function freed(anonKb: number, more: Partial<FreedMemory> = {}): FreedMemory {
  return {
    freed: { least: (anonKb + 8) * KB, most: (anonKb + 8) * KB },
    anonBytes: anonKb * KB,
    ksmBytes: 0,
    unmappedBytes: 0,
    vanishingBytes: { least: 0, most: 0 },
    pageTablesBytes: 8 * KB,
    swapBytes: { least: 0, most: 0 },
    hugetlbBytes: 0,
    cacheFileBytes: 0,
    cacheShmemBytes: 0,
    ...more,
  };
}

const SCOPE = {
  machine: {
    kernelRelease: "6.18.0",
    architecture: "x64",
    mapcountConfig: "page" as const,
    pageSizeBytes: 4096,
    beganAtMs: 0,
    endedAtMs: 500,
    bootId: "",
  },
  wholeMachine: true,
  coverage: {
    processesRead: 4,
    processesRefused: 0,
    processesEnded: 0,
    framesChecked: 0,
    everyFrameChecked: false,
    framesDifferAfterSecondLook: 0,
    framesCountedMoreByKernel: 0,
    checkRefusal: null,
  },
  notes: [],
};

const REPORT: FreeReport = {
  schema: "foliometer-free",
  version: 1,
  ...SCOPE,
  processes: [process(10, "zygote"), process(11, "app"), process(12, "app"), process(13, "app")],
  keptSpaces: [],
  free: freed(100, {
    unmappedBytes: 4 * KB,
    vanishingBytes: { least: 16 * KB, most: 48 * KB },
    freed: { least: 128 * KB, most: 160 * KB },
    cacheFileBytes: 20 * KB,
  }),
  mapped: kinds(140, 100),
  aloneSum: kinds(60, 4),
  stays: kinds(32, 32),
  swappedBytes: 0,
  heldByFoliosBytes: 8 * KB,
  holders: [
    { process: process(20, "keeper"), held: kinds(32, 28) },
    { process: null, held: kinds(0, 4) },
  ],
};

function kbBehind(text: string, label: string): number {
  const line = text.split("\n").find((each) => each.startsWith(label)) ?? "";
  return Number(/(?<kb>[0-9,]+)$/.exec(line)?.groups?.["kb"]?.replaceAll(",", ""));
}

test("where the memory goes adds up to what they map, and what is freed to the gain", async () => {
  const text = await formatFreeText(REPORT, PLAIN);
  expect(text).toContain("If 10 zygote, 11 app, 12 app and 1 more ended, kB\n");
  const [, accounts, gained] = text.split("\n\n");
  const parts = accounts.split("\n").filter((line) => /^(?:freed|stays|goes)/.test(line));
  expect(parts).toHaveLength(7);
  const sum = parts.reduce((all, line) => all + kbBehind(accounts, line.slice(0, line.lastIndexOf(" "))), 0);
  expect(sum).toBe(240);
  expect(kbBehind(accounts, "mapped by them")).toBe(240);
  expect(kbBehind(gained, "freed")).toBe(128);
});

test("who keeps what stays is listed, also who has no name, and what is cut off counted", async () => {
  const text = await formatFreeText(REPORT, PLAIN);
  expect(text).toMatch(/^ 20 {2}root {2}keeper -D {6}60 {4}32 {4}28$/m);
  expect(text).toMatch(/^ {2}\? {8}\(not read\)/m);
  expect(await formatFreeText(REPORT, { ...PLAIN, top: 1 })).toContain(
    "1 more keeps some; --top 0 and --json have all.",
  );
});

test("bounds, shared address spaces and limits are said", async () => {
  const report: FreeReport = {
    ...REPORT,
    free: { ...REPORT.free, swapBytes: { least: 0, most: 64 * KB }, cacheShmemBytes: 4 * KB },
    swappedBytes: 96 * KB,
    keptSpaces: [{ process: process(12, "app"), sharedWith: [99] }],
  };
  const text = (await formatFreeText(report, PLAIN)).replaceAll(/\s+/g, " ");
  expect(text).toContain("what each maps alone, is 64 kB, of which 60 kB anonymous.");
  expect(text).toContain("Up to 160 kB are freed if no open descriptor keeps any of it.");
  expect(text).toContain("freed unless something keeps it: memfds, deleted files 32");
  expect(text).toContain(
    "Swap freed: 0..64 of 96 kB; others have entries for the rest; who was not read may have entries for it, too.",
  );
  expect(text).toContain("12 app shares its address space with 99, which stays: nothing of it comes free.");
  expect(text).toContain("Not seen: kernel stacks");
  expect(text).toContain("System V");
});

test.each([
  ["was refused", { coverage: { ...REPORT.coverage, processesRefused: 1 } }],
  ["ended", { coverage: { ...REPORT.coverage, processesEnded: 1 } }],
  ["was not chosen", { wholeMachine: false }],
])("where somebody %s, nobody knows who else has shared memory", async (_, change) => {
  const text = (await formatFreeText({ ...REPORT, ...change }, PLAIN)).replaceAll(/\s+/g, " ");
  expect(text).toContain("Up to 160 kB are freed if no open descriptor and nobody who was not read keeps any of it.");
  expect(text).toContain("memfds, deleted files, shared anonymous memory 32");
});

const RANKING: FreeRanking = {
  schema: "foliometer-free-ranking",
  version: 1,
  ...SCOPE,
  order: "each",
  candidates: 3,
  processes: [
    { process: process(10, "zygote"), sharedWith: [], aloneBytes: 60 * KB, mappedBytes: 900 * KB, free: freed(52) },
    { process: process(11, "app"), sharedWith: [77], aloneBytes: 40 * KB, mappedBytes: 800 * KB, free: freed(40) },
  ],
};

test("a ranking has a line a process; the column of what is freed together adds up", async () => {
  const each = await formatFreeRanking(RANKING, PLAIN);
  expect(each).toContain("What comes free if one of them ends, kB\n");
  expect(each).toMatch(/^ 10 {2}root {2}zygote -D {5}60 {4}52 {7}8 {11}0 {3}60 {5}900$/m);
  expect(each).toContain("app -D *");
  expect(each).toContain("this column does not add up");
  const best = await formatFreeRanking({ ...RANKING, order: "together" }, PLAIN);
  expect(best).toContain("The 2 processes that together free most, kB\n");
  expect(best).toMatch(/^ 11 {2}root {2}app -D \* {8}108 {5}48/m);
});

test("what a ranking cuts off is counted, and cache that goes again is explained", async () => {
  const [first, second] = RANKING.processes;
  const text = await formatFreeRanking(RANKING, { ...PLAIN, top: 1 });
  expect(text).toContain("\n1 more; --top 0 and --json have all.\n");
  expect(text).not.toContain("below 0");
  const taker = { ...second, free: { ...second.free, cacheShmemBytes: -16 * KB } };
  const best = await formatFreeRanking({ ...RANKING, order: "together", processes: [first, taker] }, PLAIN);
  expect(best).toMatch(/ {2}-16 /);
  expect(best).toContain("cache left below 0");
  expect(best).not.toContain("more; --top");
});
