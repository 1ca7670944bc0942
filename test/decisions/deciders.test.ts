/**
 * Machines that decide otherwise than today's kernel: by an older rule of copy-on-write, or by another scheme.
 */
import { expect, test } from "vitest";
import { checkMachine } from "../../src/scenario/index.ts";
import { SCHEMES, findScheme } from "../../src/schemes/index.ts";
import { COW_ERAS, type CowRule } from "../../src/memory/index.ts";
import { ENTRIES_EXAMINED } from "../../src/schemes/meter.ts";
import { RECORDED, recordedScenario } from "../scenario/recordings.ts";
import { runHeard } from "./heard-scenario.ts";

const RULES = Object.keys(COW_ERAS) as CowRule[];

/** What was decided last by a rule that begins so. */
function lastTaken(scenario: string, prefix: string, cowRule: CowRule): string {
  let last = "not asked";
  runHeard(scenario, { config: "page", cowRule, frameCount: 65_536 }, () => ({ rule, taken }) => {
    if (rule.id.startsWith(prefix)) last = taken ? "reuse" : "copy";
  });
  return last;
}

const SMALL = "spawn P\nP mmap a 0x200000000 4k rw anon,priv\nP touch @a 4k w\n";
const HUGE = `thp 2048kB madvise
spawn P
P mmap a 0x200000000 2M rw anon,priv
P madvise @a 2M hugepage
P touch @a 2M w
`;
const HUGETLB = "spawn P\nP mmap a 0x200000000 2M rw anon,priv,hugetlb\nP touch @a 2M w\n";
const MTHP = `thp 64kB madvise
spawn P
P mmap a 0x200000000 64k rw anon,priv
P madvise @a 64k hugepage
P touch @a 64k w
`;

/** cow.c A3: the child fills a pipe and unmaps, the parent writes. */
function a3(start: string): string {
  return `${start}P fork C\nC vmsplice 1 @a 4k\nC munmap @a 2M\nP touch @a 4k w\n`;
}

test("CVE-2020-29374: the page in the pipe is written in place before 5.8, in 5.9 still if a PMD or hugetlb maps it", () => {
  const small = RULES.map((rule) => lastTaken(a3(SMALL), "reuse-small", rule));
  expect(small).toEqual(["reuse", "copy", "copy", "copy"]);
  const huge = RULES.map((rule) => lastTaken(a3(HUGE), "reuse-pmd", rule));
  expect(huge).toEqual(["reuse", "reuse", "copy", "copy"]);
  // cow.c expects these to fail until today.
  const hugetlb = RULES.map((rule) => lastTaken(a3(HUGETLB), "reuse-hugetlb", rule));
  expect(hugetlb).toEqual(["reuse", "reuse", "reuse", "reuse"]);
});

test("a large folio whose child is gone is reused page by page since 6.15, and before 5.9", () => {
  const scenario = `${MTHP}P fork C\nC exit\nP touch @a 4k w\n`;
  expect(RULES.map((rule) => lastTaken(scenario, "reuse-large", rule))).toEqual(["reuse", "copy", "copy", "reuse"]);
});

test("a page pinned by a device and protected once is copied from 5.9 to 5.18: its DMA is lost (cow.c A7)", () => {
  const scenario = `${SMALL}P uring 0 @a 4k\nP mprotect @a 4k r\nP mprotect @a 4k rw\nP touch @a 4k w\n`;
  const asked = RULES.map((rule) => lastTaken(scenario, "reuse-small", rule));
  expect(asked).toEqual(["reuse", "copy", "not asked", "not asked"]);
});

test("fork copies a pinned page for the child, but not before 5.10 (cow.c A8)", () => {
  const pages = RULES.map((cowRule) => {
    const options = { config: "page", cowRule, frameCount: 65_536, schemes: [] } as const;
    return runHeard(`${SMALL}P uring 0 @a 4k\nP fork C\n`, options, () => () => undefined).mappedFolios().length;
  });
  expect(pages).toEqual([1, 2, 2, 2]);
});

test("a read-only pin unshares its page since 5.19 (cow.c A9)", () => {
  const pages = RULES.map((cowRule) => {
    const options = { config: "page", cowRule, frameCount: 65_536 } as const;
    return runHeard(`${SMALL}P fork C\nP guppin @a 4k\n`, options, () => () => undefined).mappedFolios().length;
  });
  expect(pages).toEqual([1, 1, 2, 2]);
});

test("who decides takes the kernel's place: what page copies, sums writes in place", () => {
  const stuck = `${MTHP}P fork B\nP fork C\nP munmap @a 64k\nB exit\nC touch @a 4k w\n`;
  const foliosOf = (id: string | undefined): number => {
    const decidedBy = id === undefined ? undefined : findScheme(id);
    const options = { config: "page", decidedBy, frameCount: 65_536 } as const;
    const machine = runHeard(stuck, options, () => () => undefined);
    checkMachine(machine);
    return machine.mappedFolios().length;
  };
  expect([undefined, "page", "mm-owner", "sums", "rmap-id"].map(foliosOf)).toEqual([2, 2, 2, 1, 1]);
});

test("a scheme that cannot say walks, is charged for it, and does as the truth would", () => {
  const none = SCHEMES.filter(({ id }) => id === "none");
  const scenario = `${SMALL}P fork C\nP madvise @a 4k cold\nC exit\nP madvise @a 4k cold\n`;
  const decided: string[] = [];
  const options = { config: "page", decidedBy: none[0], schemes: none, frameCount: 65_536 } as const;
  const machine = runHeard(scenario, options, () => ({ rule, taken, truth }) => {
    if (rule.id === "age-whole") decided.push(`${taken} ${truth}`);
  });
  expect(decided).toEqual(["false 0", "true 1"]);
  expect(machine.studied[0].meter.totals[ENTRIES_EXAMINED]).toBeGreaterThan(0);
});

test.each(["none", "total", "vma"])("%s is charged the same whether it decides or only listens", (id) => {
  const schemes = SCHEMES.filter((scheme) => scheme.id === id);
  const scenario = `${SMALL}P fork C\nP madvise @a 4k cold\nC exit\nP madvise @a 4k cold\n`;
  const totalsOf = (decidedBy: (typeof SCHEMES)[number] | undefined): number[] => {
    const options = { config: "page", decidedBy, schemes, frameCount: 65_536 } as const;
    return [...runHeard(scenario, options, () => () => undefined).studied[0].meter.totals];
  };
  expect(totalsOf(schemes[0])).toEqual(totalsOf(undefined));
});

test.each(SCHEMES.map(({ id }, index) => [id, index] as const))(
  "a machine that decides by %s keeps its invariants on recorded scenarios",
  (id, index) => {
    const decidedBy = findScheme(id);
    const names = RECORDED.filter((_, at) => at % 5 === index % 5);
    for (const name of names) {
      checkMachine(runHeard(recordedScenario(name), { config: "page", decidedBy }, () => () => undefined));
    }
    expect(names.length).toBeGreaterThan(2);
  },
);
