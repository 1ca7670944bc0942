/** Large folios as text: owners in order, who notices what, what would be contiguous, and zeros where they were read. */
import { expect, test } from "vitest";
import type { FolioOwner, FoliosReport, UnderusedFolios } from "../study/index.ts";
import { formatFoliosText, sortFolioOwners } from "./folios-text.ts";
import { PLAIN_STYLES } from "./styles.ts";

const KB = 1024;
const PLAIN = { sort: "kb", top: 20, width: Infinity, styles: PLAIN_STYLES } as const;

function owner(pid: number, more: Partial<FolioOwner>): FolioOwner {
  return {
    name: `${pid} app`,
    process: { pid, name: "app", command: "app --run", user: "root", cgroup: "/" },
    folios: 1,
    bytes: 64 * KB,
    kinds: { anon: 1 },
    sharedFolios: 0,
    sharedByMost: 1,
    partialFolios: 0,
    unmappedBytes: 0,
    ptePagesBytes: 64 * KB,
    contiguousBytes: 0,
    ...more,
  };
}

const REPORT: FoliosReport = {
  schema: "foliometer-folios",
  version: 1,
  machine: {
    kernelRelease: "6.18.0",
    architecture: "x64",
    mapcountConfig: "page",
    pageSizeBytes: 4096,
    beganAtMs: 0,
    endedAtMs: 5,
    bootId: "",
  },
  wholeMachine: true,
  coverage: {
    processesRead: 2,
    processesRefused: 0,
    processesEnded: 0,
    framesChecked: 0,
    everyFrameChecked: false,
    framesDifferAfterSecondLook: 0,
    framesCountedMoreByKernel: 0,
    checkRefusal: null,
  },
  by: "process",
  orders: [
    {
      order: 4,
      kind: "anon",
      folios: 4,
      bytes: 256 * KB,
      mappedBytes: 232 * KB,
      mappedByOne: 1,
      mappedByTwo: 3,
      mappedByMore: 0,
      partiallyMapped: 2,
    },
  ],
  owners: [
    owner(10, { folios: 3, bytes: 192 * KB, kinds: { anon: 2, file: 1 }, sharedFolios: 3, sharedByMost: 2 }),
    owner(11, { partialFolios: 1, unmappedBytes: 24 * KB }),
    owner(12, { folios: 0, bytes: 0, kinds: {} }),
  ],
  partial: {
    folios: 2,
    unmappedBytes: 24 * KB,
    schemes: [
      { id: "page", isOwn: true, noticed: 2, either: 0, eitherBytes: 0, missed: 0, missedBytes: 0 },
      { id: "mm-owner", isOwn: false, noticed: 0, either: 1, eitherBytes: 16 * KB, missed: 1, missedBytes: 8 * KB },
    ],
    list: [
      {
        pfn: "0x100",
        order: 4,
        owner: "11 app",
        addressSpaces: 1,
        mappedOutside: false,
        pagesMapped: 12,
        unmappedBytes: 16 * KB,
        noticed: ["yes", "either"],
      },
      {
        pfn: "0x200",
        order: 4,
        owner: "10 app",
        addressSpaces: 2,
        mappedOutside: false,
        pagesMapped: 14,
        unmappedBytes: 8 * KB,
        noticed: ["yes", "no"],
      },
    ],
  },
  contiguous: { isArm64: false, blockPages: 16, ptePagesBytes: 256 * KB, contiguousBytes: 64 * KB },
  underused: null,
  notes: [],
};

test("owners are listed in the order asked for, those without a folio not at all", async () => {
  const text = await formatFoliosText(REPORT, PLAIN);
  expect(text).toMatch(/^ 10 {2}root {2}app --run {2}192 {7}3 {5}2 {5}1 {7}3 {9}2 {8}0 {9}0$/m);
  expect(text).not.toMatch(/^ 12 /m);
  expect(sortFolioOwners(REPORT.owners, "unmapped")[0].name).toBe("11 app");
  const first = await formatFoliosText(REPORT, { ...PLAIN, top: 1 });
  expect(first.match(/1 more; --top 0 and --json have all\./g)).toHaveLength(2);
  expect(first).not.toMatch(/^ 11 /m);
  expect(first).not.toMatch(/^0x200 /m);
});

test("each scheme's share of the partially mapped ones adds up, and the list says who notices each", async () => {
  const text = await formatFoliosText(REPORT, PLAIN);
  expect(text).toContain("2 anonymous folios mapped in part: 24 kB held that nobody maps\n");
  expect(text).toMatch(/^page +2 +0 +0 +0 +0$/m);
  expect(text).toMatch(/^mm-owner +~0 +1\? +16\? +~1 +~8$/m);
  expect(text).toMatch(/^0x100 +4 {2}11 app +12 of 16 +16 {2}page mm-owner\?$/m);
  expect(text).toMatch(/^0x200 +4 {2}10 app +2 {2}14 of 16 +8 {2}page$/m);
  expect(text).toContain("? depends on the past: noticed if");
});

test("a folio that processes map too which were not read is shared by more than those that were", async () => {
  const [one, other] = REPORT.partial.list;
  const list = [{ ...one, mappedOutside: true }, other];
  const text = await formatFoliosText({ ...REPORT, partial: { ...REPORT.partial, list } }, PLAIN);
  expect(text).toMatch(/^0x100 +4 {2}11 app +1\+ +12 of 16 /m);
  expect(text).toContain("+ and processes that were not read.");
  expect(await formatFoliosText(REPORT, PLAIN)).not.toContain("not read");
});

test("the kinds of an owner's folios add up to them, the huge zero page included", async () => {
  const owners = [owner(10, { folios: 3, kinds: { anon: 2, uncounted: 1 } })];
  const text = await formatFoliosText({ ...REPORT, owners }, PLAIN);
  expect(text).toMatch(/anon {2}uncounted {2}Shared/);
  expect(text).toMatch(/^ 10 {2}root {2}app --run +64 +3 +2 +1 +0 /m);
});

test("elsewhere than on arm64 contiguous PTEs would be", async () => {
  const text = (await formatFoliosText(REPORT, PLAIN)).replaceAll(/\s+/g, " ");
  expect(text).toContain("64 kB of that (25.0%) lie in aligned blocks of 64 KiB that would be, on arm64,");
  expect(text).toContain("marked contiguous: 1 TLB entry instead of 16.");
  const arm = { ...REPORT, contiguous: { ...REPORT.contiguous, isArm64: true } };
  expect((await formatFoliosText(arm, PLAIN)).replaceAll(/\s+/g, " ")).toContain("that can be marked contiguous");
});

test("zeros are told only of what was read, with the limit", async () => {
  expect(await formatFoliosText(REPORT, PLAIN)).not.toContain("zeros");
  const underused: UnderusedFolios = {
    folios: 9,
    foliosRead: 2,
    limitBytes: 2 ** 20,
    bytesRead: 128 * KB,
    zeroBytes: 64 * KB,
    mostlyZeroFolios: 1,
    mostlyZeroBytes: 60 * KB,
    processesRefused: 1,
    list: [{ pfn: "0x300", order: 4, pid: 10, name: "app", pagesRead: 16, zeroPages: 15 }],
  };
  const text = (await formatFoliosText({ ...REPORT, underused }, PLAIN)).replaceAll(/\s+/g, " ");
  expect(text).toContain("Read: 2 of 9 large anonymous folios, 128 kB (limit 1 MiB). Zeros: 64 kB (50.0%).");
  expect(text).toContain("Mostly zeros: 1 folio with 60 kB of them.");
  expect(text).toContain("1 process did not let their memory be read, or had ended.");
  expect(text).toContain("0x300 4 10 app 16 15");
});

test("a machine without large folios says so", async () => {
  const none = { folios: 0, unmappedBytes: 0, schemes: [], list: [] };
  const text = await formatFoliosText(
    { ...REPORT, orders: [], owners: [], partial: none, contiguous: { ...REPORT.contiguous, ptePagesBytes: 0 } },
    PLAIN,
  );
  expect(text).toContain("No large folio is mapped");
  expect(text).toContain("No anonymous large folio is mapped in part.");
  expect(text).toContain("No large folio is mapped by PTEs.");
});
