/**
 * Who maps a page of the running machine: targets whose mappings a test has made, found by their page tables and by the
 * kernel's counts; and what is said where there is no page.
 */
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, afterAll, expect, test } from "vitest";
import {
  type FoundMappings,
  type NarrowQuestion,
  type NothingThere,
  judgeCounts,
  readNarrowly,
  readZeroPages,
} from "../../src/capture/index.ts";
import { SCHEMES } from "../../src/schemes/index.ts";
import {
  type WhoReport,
  findFolioOwners,
  findInCapture,
  reportLargeFolios,
  reportRangeInCapture,
  reportWho,
  reportWhoRange,
  studyUnderused,
} from "../../src/study/index.ts";
import { formatDevice } from "../../src/cli/who-question.ts";
import { foliometer } from "../foliometer-in-process.ts";
import { skipAlways } from "../full-run.ts";
import { only, withCapture } from "./captured.ts";
import { withFolios } from "./folios.ts";
import { framesOf, kpagecount, pagemap } from "./kernel-view.ts";
import { mergedPages, startHugetlb } from "./menagerie.ts";
import { withSwap } from "./swap.ts";
import { type Target, endTargets, targetProgram } from "./target.ts";

const QUIET = { retry: 3 };

afterAll(endTargets);

function foundAt(question: NarrowQuestion): FoundMappings {
  const answer = readNarrowly(question);
  if ("nothing" in answer) throw new Error(`nothing there: ${answer.nothing.state}`);
  return answer.found;
}

function nothingAt(question: NarrowQuestion): NothingThere {
  const answer = readNarrowly(question);
  if ("found" in answer) throw new Error("there is a folio");
  return answer.nothing;
}

function whoAt(pid: number, page: number): WhoReport {
  return reportWho(foundAt({ kind: "address", pid, page }), SCHEMES);
}

/** "pid first+pages" of every piece. */
function pieces({ mappers }: WhoReport, ...targets: readonly Target[]): string[] {
  return mappers.flatMap(({ process, pieces: of }) =>
    of.map(({ firstPage, pages, level }) => {
      const at = targets.findIndex(({ pid }) => pid === process.pid);
      return `${at < 0 ? process.pid : at} ${firstPage}+${pages} ${level}`;
    }),
  );
}

test("a page that two mms map belongs to neither alone, one that was copied to each its own", QUIET, async (ctx) => {
  const program = targetProgram(ctx);
  const parent = program.start();
  const start = await parent.map("map small anon 64");
  await parent.ask("write small 0 64");
  const child = await parent.fork();
  await child.ask("write small 5 1");
  const shared = whoAt(parent.pid, start + 4);
  expect(pieces(shared, parent, child)).toEqual(["0 0+1 pte", "1 0+1 pte"]);
  expect(shared.search.counts).toBe("explained");
  expect(shared.mapcounts).toEqual({ found: [2], kernel: [2] });
  expect(shared.folio.pfn).toBe(`0x${framesOf(parent.pid, start + 4, 1)[0].toString(16)}`);
  expect(shared.mappers[0]).toMatchObject({ vma: { rights: "rw-p" }, pieces: [{ exclusive: false, ofFile: false }] });
  const copied = whoAt(child.pid, start + 5);
  expect(pieces(copied, parent, child)).toEqual(["1 0+1 pte"]);
  expect(copied.mappers[0]?.pieces[0]?.exclusive).toBe(true);
});

test("a THP that a child has in part is drawn page by page, by PMD and by PTEs", QUIET, async (ctx) => {
  const program = targetProgram(ctx);
  await withFolios(ctx, program, async ({ writeHuge }) => {
    const parent = program.start();
    const start = await writeHuge(parent, "thp", 1);
    const child = await parent.fork();
    await child.ask("unmap thp 100 12");
    const report = whoAt(child.pid, start + 200);
    expect(report.folio).toMatchObject({ order: 9, kind: "anon", askedPage: 200 });
    expect(pieces(report, parent, child)).toEqual(["0 0+512 pmd", "1 0+100 pte", "1 112+400 pte"]);
    expect(report.totals).toMatchObject({ entries: 501, pmdEntries: 1, addressSpaces: 2, outside: 0 });
    expect(report.mapcounts.found).toEqual(report.mapcounts.kernel);
    expect(report.mapcounts.found[105]).toBe(1);
    const wants = ({ startPage, endPage }: { readonly startPage: number; readonly endPage: number }): boolean =>
      startPage <= start && start < endPage;
    const range = reportWhoRange(foundAt({ kind: "vmas", pid: parent.pid, wants }));
    expect([range.largeBytes, range.present.anonBytes]).toEqual([512 * 4096, 512 * 4096]);
    expect(range.mapcounts).toEqual([
      { mapcount: 1, pages: 12 },
      { mapcount: 2, pages: 500 },
    ]);
    // A capture of both says the same.
    await withCapture(only(parent, child), async (capture) => {
      const question = { kind: "address", pid: child.pid, page: start + 200 } as const;
      const answer = await findInCapture(capture, question, "capture");
      if (!("found" in answer)) throw new Error("the capture has no folio");
      const stored = reportWho(answer.found, SCHEMES);
      const { search: _, machine: __, ...narrow } = report;
      expect(stored).toMatchObject(narrow);
      expect(stored.search.counts).toBe("explained");
    });
  });
});

test("pages of a file are found at any address, private copies are not", QUIET, async (ctx) => {
  const program = targetProgram(ctx);
  const path = join(program.folder, "who-file");
  writeFileSync(path, Buffer.alloc(64 * 4096, "foliometer"));
  const first = program.start();
  await first.ask(`open disk ${path}`);
  const whole = await first.map("mapfd whole disk 0 64 private");
  await first.askAll("read whole 0 64", "write whole 40 1");
  const second = program.start();
  await second.ask(`open disk ${path}`);
  const part = await second.map("mapfd part disk 32 32 shared");
  await second.ask("read part 0 32");
  expect(part - 32).not.toBe(whole);
  const report = whoAt(first.pid, whole + 41);
  expect(report.search.counts).toBe("explained");
  expect(new Set(report.mappers.map(({ process }) => process.pid))).toEqual(new Set([first.pid, second.pid]));
  expect(report.mappers.map(({ vma }) => vma.rights)).toEqual(["rw-p", "rw-s"]);
  // The copy is the first's alone; the file's own page there only the second maps.
  expect(pieces(whoAt(first.pid, whole + 40), first)).toEqual(["0 0+1 pte"]);
  const { dev, ino } = statSync(path, { bigint: true });
  const file = { device: formatDevice(Number(dev)), inodeText: String(ino) };
  const byFile = foundAt({ kind: "file", file, startPage: 40, endPage: 41, folio: true });
  expect(reportWho(byFile, []).folio.pfn).toBe(
    report.folio.order > 0 ? report.folio.pfn : `0x${framesOf(second.pid, part + 8, 1)[0].toString(16)}`,
  );
  const range = reportWhoRange(foundAt({ kind: "file", file, startPage: 0, endPage: Infinity, folio: false }));
  expect(range.present.fileBytes).toBe(64 * 4096);
  expect(range.mappers.map(({ process, bytes }) => [process.pid, bytes / 4096])).toEqual([
    [first.pid, 63],
    [second.pid, 32],
  ]);
  expect(range.search.counts).toBe("explained");
});

test("a file that many VMAs show is asked about range by range all the same", QUIET, async (ctx) => {
  const program = targetProgram(ctx);
  const path = join(program.folder, "who-often");
  const pages = 8192;
  writeFileSync(path, Buffer.alloc(pages * 4096, "foliometer"));
  const target = program.start();
  await target.ask(`open often ${path}`);
  for (let at = 0; at < 10; at++) {
    await target.askAll(`mapfd often${at} often 0 ${pages} shared`, `read often${at} ${100 * at} 10`);
  }
  const { dev, ino } = statSync(path, { bigint: true });
  const file = { device: formatDevice(Number(dev)), inodeText: String(ino) };
  const report = reportWhoRange(foundAt({ kind: "file", file, startPage: 0, endPage: Infinity, folio: false }));
  expect(report.mappers).toHaveLength(10);
  expect(report.search).toMatchObject({ how: "candidates", counts: "explained" });
});

test(
  "memory that was moved after fork is missed by its address, which the counts show, and found by all",
  QUIET,
  async (ctx) => {
    const program = targetProgram(ctx);
    const parent = program.start();
    const start = await parent.map("map still anon 16");
    await parent.ask("write still 0 16");
    const child = await parent.fork();
    const moved = await child.map("move still 0 16 moved");
    expect(moved).not.toBe(start);
    const found = foundAt({ kind: "address", pid: parent.pid, page: start });
    expect(judgeCounts(found)).toBe("kernel-counts-more");
    expect(pieces(reportWho(found, []), parent)).toEqual(["0 0+1 pte"]);
    const args = [String(parent.pid), (start * 4096).toString(16), "--threads", "1", "--json"];
    const { stdout, stderr, code } = await foliometer("who", ...args);
    const report = JSON.parse(stdout) as WhoReport;
    expect(stderr).toContain("Every page table is read.");
    expect(code).toBe(0);
    expect(pieces(report, parent, child)).toEqual(["0 0+1 pte", "1 0+1 pte"]);
    expect(report.search).toMatchObject({ how: "every-page-table", counts: "explained" });
  },
);

test("a page that KSM merged is missed at one address and its count shows it", QUIET, async (ctx) => {
  const program = targetProgram(ctx);
  const merged = await mergedPages(program);
  if (merged === undefined) return skipAlways(ctx, "KSM merges nothing on this machine");
  const [address = ""] = await merged.ask("where same");
  const page = Number.parseInt(address, 16) / 4096;
  const found = foundAt({ kind: "address", pid: merged.pid, page });
  expect(judgeCounts(found)).toBe("kernel-counts-more");
  expect(found.kernelCounts?.[0]).toBe(36);
});

test("processes that share an address space are one, and named", QUIET, async (ctx) => {
  const program = targetProgram(ctx);
  const target = program.start();
  const start = await target.map("map mine anon 4");
  await target.ask("write mine 0 4");
  const [twin = ""] = await target.ask("share");
  const report = whoAt(target.pid, start);
  expect(report.mapcounts).toEqual({ found: [1], kernel: [1] });
  expect(report.mappers).toHaveLength(1);
  const [{ process, sharedWith }] = report.mappers;
  expect([process.pid, ...sharedWith].toSorted((a, b) => a - b)).toEqual(
    [target.pid, Number(twin)].toSorted((a, b) => a - b),
  );
});

test("a hugetlb page is mapped whole, by each who has it", QUIET, async (ctx) => {
  const program = targetProgram(ctx);
  const family = await startHugetlb(program);
  if (family === undefined) return skipAlways(ctx, "no hugetlb page can be had");
  const [parent, child] = family;
  const [address = ""] = await parent.ask("where tlb");
  const report = whoAt(parent.pid, Number.parseInt(address, 16) / 4096 + 512 + 7);
  expect(report.folio).toMatchObject({ order: 9, kind: "hugetlb", askedPage: 7 });
  expect(pieces(report, parent, child)).toEqual(["0 0+512 pmd", "1 0+512 pmd"]);
  expect(report.totals).toMatchObject({ entries: 2, pmdEntries: 2 });
  expect(report.search.counts).toBe("explained");
});

test("where there is no page it is said what is there instead", QUIET, async (ctx) => {
  const program = targetProgram(ctx);
  const target = program.start();
  const { pid } = target;
  const start = await target.map("map holes anon 16");
  await target.ask("read holes 3 1");
  expect(nothingAt({ kind: "address", pid, page: start }).state).toBe("empty");
  const none = await target.map("map none anon 4");
  const wants = ({ startPage }: { readonly startPage: number }): boolean => startPage === none;
  expect(nothingAt({ kind: "vmas", pid, wants }).state).toBe("none-present");
  expect(nothingAt({ kind: "address", pid, page: 1 }).state).toBe("not-mapped");
  const zero = foundAt({ kind: "address", pid, page: start + 3 });
  expect(judgeCounts(zero)).toBe("uncounted");
  expect(reportWho(zero, SCHEMES)).toMatchObject({ folio: { kind: "uncounted" }, schemes: [] });
  await target.askAll("write holes 5 1", "advise holes 8 2 102");
  expect(nothingAt({ kind: "address", pid, page: start + 8 }).state).toBe("not-present");
  target.kill();
  await target.ended;
  expect(nothingAt({ kind: "address", pid, page: start }).state).toBe("no-process");
});

test("a page that was swapped out is, with its slot", QUIET, async (ctx) => {
  const program = targetProgram(ctx);
  await withSwap(ctx, 16, async () => {
    const target = program.start();
    const start = await target.map("map out anon 8");
    const MADV_PAGEOUT = 21;
    await target.askAll("write out 0 8", `advise out 0 8 ${MADV_PAGEOUT}`);
    const swapped = pagemap(target.pid, start, 8).findIndex((entry) => (entry & (1n << 62n)) !== 0n);
    expect(swapped).toBeGreaterThanOrEqual(0);
    const { stdout } = await foliometer("who", String(target.pid), ((start + swapped) * 4096).toString(16));
    expect(stdout).toMatch(/swapped out: area \d+, slot 0x[0-9a-f]+\.$/m);
  });
});

test("a VMA's pages are shared as far as a child has not written to them, in a capture too", QUIET, async (ctx) => {
  const program = targetProgram(ctx);
  const parent = program.start();
  const start = await parent.map("map range anon 100");
  await parent.ask("write range 0 80");
  const child = await parent.fork();
  await child.ask("write range 0 30");
  const question = {
    kind: "vmas",
    pid: parent.pid,
    wants: ({ startPage, endPage }: { readonly startPage: number; readonly endPage: number }) =>
      startPage <= start && start < endPage,
  } as const;
  const report = reportWhoRange(foundAt(question));
  expect(
    report.mappers.map(({ process, bytes, aloneBytes }) => [process.pid, bytes / 4096, aloneBytes / 4096]),
  ).toEqual([
    [parent.pid, 80, 30],
    [child.pid, 50, 0],
  ]);
  expect(report.search.counts).toBe("explained");
  await withCapture(only(parent, child), async (capture) => {
    const { search: _, machine: __, ...same } = report;
    expect(await reportRangeInCapture(capture, question, "capture")).toMatchObject(same);
  });
});

test(
  "pages of zeros in a huge page are found where its owner maps it, and untouched holes stay holes",
  QUIET,
  async (ctx) => {
    const program = targetProgram(ctx);
    await withFolios(ctx, program, async ({ writeHuge }) => {
      const target = program.start();
      const start = await writeHuge(target, "thp", 2);
      await target.askAll("fill thp 100 300 0", "fill thp 512 10 0");
      await withCapture(only(target), async (capture) => {
        const owners = await findFolioOwners(capture);
        const underused = await studyUnderused(capture, owners, 2 ** 30);
        expect(underused).toMatchObject({ folios: 2, foliosRead: 2, mostlyZeroFolios: 1, processesRefused: 0 });
        expect(underused.list.map(({ zeroPages }) => zeroPages)).toEqual([300, 10]);
        expect(underused.mostlyZeroBytes).toBe(300 * 4096);
        const report = reportLargeFolios(capture, owners, { by: "process", schemes: SCHEMES, underused });
        expect(report.owners.find(({ process }) => process?.pid === target.pid)).toMatchObject({ kinds: { anon: 2 } });
        // A limit of one folio reads one.
        expect((await studyUnderused(capture, owners, 2 ** 21)).foliosRead).toBe(1);
      });
      // A frame that is no longer there does not count.
      const stale = { vma: 0, page: start, frame: 1, pages: 4, step: 1, bits: 0x100 };
      expect(readZeroPages(target.pid, [stale])).toEqual({ read: [], zero: [] });
      expect(kpagecount(framesOf(target.pid, start, 1)[0])).toBe(1);
    });
  },
);

async function fails(ctx: TestContext, ...args: readonly string[]): Promise<string> {
  targetProgram(ctx);
  const { stdout, stderr, code } = await foliometer("who", ...args);
  expect({ stdout, code }).toEqual({ stdout: "", code: 2 });
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  return stderr;
}

test("a pid that ended, an address that is not mapped and a file that nobody maps get one sentence each", async (ctx) => {
  expect(await fails(ctx, "4194304", "7f0000000000")).toContain("There is no process 4194304");
  expect(await fails(ctx, String(process.pid), "1000")).toContain(`Nothing is mapped at 0x1000 of ${process.pid}.`);
  expect(await fails(ctx, "--vma", String(process.pid), "[no such]")).toContain("There is no such mapping: [no such]");
  expect(await fails(ctx, "--file", "/etc/hostname-of-nobody")).toContain("Nobody who was read maps");
});
