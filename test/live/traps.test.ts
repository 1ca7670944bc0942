/**
 * What is easily counted wrong: each test sets one trap, looks at what the kernel makes of it, and holds the capture to it.
 *
 * Facts: kernel-facts 3.1 (what is a page), 3.7 (pagemap), 9.1-9.4 (observed values), 10 (the traps' numbers).
 */
import { afterAll, expect, test } from "vitest";
import { FRAME_KIND_MASK, KIND_KSM, KIND_UNCOUNTED } from "../../src/kernel/index.ts";
import { SCHEMES } from "../../src/schemes/index.ts";
import { type ProcessReport, reportOnCapture } from "../../src/study/index.ts";
import { skipAlways } from "../full-run.ts";
import { anonHugeBytes, captured, only, reportOf, reported, sumOf, withCapture } from "./captured.ts";
import { withFolios } from "./folios.ts";
import {
  FLAG_HEAD_EXCLUSIVE,
  FLAG_KSM,
  FLAG_SWAPBACKED,
  FLAG_ZERO,
  PM_EXCLUSIVE,
  PM_GUARD,
  PM_PRESENT,
  PM_SWAP,
  framesOf,
  kpagecount,
  kpageflags,
  pagemap,
  privateKb,
  rollup,
} from "./kernel-view.ts";
import { mergedPages, startHugetlb } from "./menagerie.ts";
import { MADV_FREE, MADV_GUARD_INSTALL, MADV_NOHUGEPAGE, type Target, endTargets, targetProgram } from "./target.ts";

/** Khugepaged, compaction and others may move what a test has laid out: it is laid out again. */
const QUIET = { retry: 2 };

afterAll(endTargets);

/** The target's Rss, Pss and Uss in kB, as reported and as the kernel prints them. */
async function bothSides(target: Target): Promise<{ ours: object; kernels: object; process: ProcessReport }> {
  const process = reported(await reportOf(only(target)), target);
  const own = process.schemes["page"];
  const { rss, pss, swap, anonymous, ...fields } = rollup(target.pid);
  return {
    process,
    ours: {
      rss: process.rssBytes / 1024,
      pss: Math.floor(own.pssBytes / 1024),
      uss: own.ussBytes.least / 1024,
      anonymous: process.rssAnonBytes / 1024,
      swap: process.swapBytes / 1024,
    },
    kernels: { rss, pss, uss: privateKb(fields), anonymous, swap },
  };
}

test("the zero page and the huge zero page are present and in no figure (trap 13)", QUIET, async (ctx) => {
  const program = targetProgram(ctx);
  const target = program.start();
  const empty = reported(await reportOf(only(target)), target).rssBytes;
  const small = await target.map("map small anon 200");
  await target.ask("read small 0 200");
  const huge = await withFolios(ctx, program, async ({ readHugeZero }) => readHugeZero(target, "huge", 2));
  const zeros = [...framesOf(target.pid, small, 200), ...framesOf(target.pid, huge, 1024)];
  expect(zeros).not.toContain(-1);
  expect((kpageflags(zeros[0]) & FLAG_ZERO) !== 0n && (kpageflags(zeros[300]) & FLAG_ZERO) !== 0n).toBe(true);
  await withCapture(only(target), async (capture) => {
    expect(capture.cost.entriesPresent).toBeGreaterThanOrEqual(1224);
    for (const pfn of zeros) expect(capture.frames.kind[pfn] & FRAME_KIND_MASK).toBe(KIND_UNCOUNTED);
    expect(sumOf(await anonHugeBytes(capture), captured(capture, target))).toBe(0);
    const process = reported(await reportOnCapture(capture, SCHEMES), target);
    // A page table that was not there before may have brought a page of stack along, nothing else.
    expect(process.rssBytes - empty).toBeLessThanOrEqual(8192);
    expect(process.changedBytes).toBe(0);
    expect(process.rssBytes / 1024).toBe(rollup(target.pid).rss);
  });
});

test("guard regions are neither in Rss nor swapped", QUIET, async (ctx) => {
  const target = targetProgram(ctx).start();
  const start = await target.map("map guarded anon 100");
  await target.ask("write guarded 0 100");
  const before = await bothSides(target);
  await target.ask(`advise guarded 20 50 ${MADV_GUARD_INSTALL}`).catch(() => {
    skipAlways(ctx, "this kernel has no MADV_GUARD_INSTALL");
  });
  const entries = pagemap(target.pid, start, 100);
  expect(entries.filter((entry) => (entry & PM_GUARD) !== 0n && (entry & PM_SWAP) !== 0n)).toHaveLength(50);
  const after = await bothSides(target);
  expect(after.ours).toEqual(after.kernels);
  expect(after.process.swapBytes).toBe(0);
  expect(before.process.rssBytes - after.process.rssBytes).toBe(50 * 4096);
});

test("pages that MADV_FREE gave up are anonymous as long as they are there", QUIET, async (ctx) => {
  const target = targetProgram(ctx).start();
  const start = await target.map("map lazy anon 512");
  await target.askAll("write lazy 0 512", `advise lazy 0 512 ${MADV_FREE}`);
  const lazy = framesOf(target.pid, start, 512).filter((pfn) => (kpageflags(pfn) & FLAG_SWAPBACKED) === 0n);
  expect(lazy.length).toBeGreaterThan(0);
  const { ours, kernels, process } = await bothSides(target);
  expect(ours).toEqual(kernels);
  expect(process.rssAnonBytes).toBeGreaterThanOrEqual(512 * 4096);
  expect(process.rssShmemBytes).toBe(0);
});

test("merged pages are anonymous, counted by their mappings, and of kind ksm", QUIET, async (ctx) => {
  const target = await mergedPages(targetProgram(ctx));
  if (target === undefined) return skipAlways(ctx, "KSM merges nothing");
  const { header } = await findArea(target, "same");
  const [first = -1] = framesOf(target.pid, header, 1);
  expect(kpageflags(first) & FLAG_KSM).not.toBe(0n);
  const { ours, kernels, process } = await bothSides(target);
  expect(ours).toEqual(kernels);
  expect(process.rssAnonBytes).toBeGreaterThanOrEqual(40 * 4096);
  await withCapture(only(target), ({ frames }) => {
    expect(frames.kind[first] & FRAME_KIND_MASK).toBe(KIND_KSM);
    expect(frames.mapcount[first]).toBe(36);
    expect(frames.mapcount[first]).toBe(kpagecount(first));
  });
});

async function findArea(target: Target, name: string): Promise<{ header: number }> {
  const [address = ""] = await target.ask(`where ${name}`);
  return { header: Number.parseInt(address, 16) / 4096 };
}

test("hugetlb pages are in no Rss, no Pss and no Uss, but in a figure of their own (trap 23)", QUIET, async (ctx) => {
  const family = await startHugetlb(targetProgram(ctx));
  if (family === undefined) return skipAlways(ctx, "no hugetlb page can be had");
  const [parent, child] = family;
  const report = await reportOf(only(parent, child));
  for (const [target, kb] of [
    [parent, 8192],
    [child, 6144],
  ] as const) {
    const fields = rollup(target.pid);
    const process = reported(report, target);
    expect(fields.sharedHugetlb + fields.privateHugetlb).toBe(kb);
    expect(process.hugetlbBytes).toBe(kb * 1024);
    expect(process.rssBytes).toBe(fields.rss * 1024);
    expect(Math.floor(process.schemes["page"].pssBytes / 1024)).toBe(fields.pss);
    expect(process.schemes["page"].ussBytes.least).toBe(privateKb(fields) * 1024);
  }
  expect(report.figures["page"].anonPagesBytes).toBeLessThan(2 ** 21);
});

test("bit 56 of a THP follows its first page: kpagecount 2 and exclusive 1 at once (trap 1)", QUIET, async (ctx) => {
  const program = targetProgram(ctx);
  const parent = program.start();
  const start = await withFolios(ctx, program, async ({ writeHuge }) => writeHuge(parent, "thp", 1));
  const child = await parent.fork();
  await child.ask("unmap thp 0 1");
  const frames = framesOf(parent.pid, start, 512);
  expect([kpagecount(frames[0]), kpagecount(frames[1])]).toEqual([1, 2]);
  const ofParent = pagemap(parent.pid, start, 512);
  expect(ofParent.every((entry) => (entry & PM_EXCLUSIVE) !== 0n)).toBe(true);
  expect(pagemap(child.pid, start, 512).some((entry) => (entry & PM_EXCLUSIVE) !== 0n)).toBe(false);
  const report = await reportOf(only(parent, child));
  for (const target of [parent, child]) {
    const process = reported(report, target);
    const measured = process.exclusiveEntriesMeasured;
    expect(process.schemes["page"].exclusiveEntries).toEqual({ least: measured, most: measured });
  }
  // 512 entries say exclusive, 511 of them of shared pages: smaps and the report's Uss do not follow.
  expect(reported(report, parent).exclusiveEntriesMeasured).toBeGreaterThanOrEqual(512);
  const { pss, ...fields } = rollup(parent.pid);
  expect(reported(report, parent).schemes["page"].ussBytes.least).toBe(privateKb(fields) * 1024);
  expect(Math.floor(reported(report, parent).schemes["page"].pssBytes / 1024)).toBe(pss);
});

test(
  "a page that one process maps twice looks shared to smaps, a large folio does not to its owner (trap 3)",
  QUIET,
  async (ctx) => {
    const program = targetProgram(ctx);
    const target = program.start();
    await withFolios(ctx, program, async () =>
      target.askAll("memfd f 512", "mapfd here f 0 512 shared", "write here 0 512"),
    );
    const small = await bothSides(target);
    await target.askAll("mapfd there f 0 512 shared", "read there 0 512");
    const twice = await bothSides(target);
    expect(twice.ours).toEqual(twice.kernels);
    expect(twice.process.rssBytes - small.process.rssBytes).toBe(512 * 4096);
    // All 512 pages were private and are no more, by page.
    const ussOf = ({ process }: typeof small, id: string): number => process.schemes[id].ussBytes.most;
    expect(ussOf(small, "page") - ussOf(twice, "page")).toBe(512 * 4096);
    await withFolios(ctx, program, async ({ collapse }) => collapse(target, "here"));
    await target.askAll("read there 0 512");
    const collapsed = await bothSides(target);
    expect(collapsed.ours).toEqual(collapsed.kernels);
    const { pageMapcount, others } = await folioOf(target, "here");
    expect(pageMapcount).toBe(2);
    expect(others).toBe(1);
    expect(ussOf(collapsed, "page")).toBe(ussOf(twice, "page"));
    // One address space: by mm-owner all 1024 entries may be private.
    expect(ussOf(collapsed, "mm-owner") - ussOf(collapsed, "page")).toBe(1024 * 4096);
  },
);

/** The large folio at an area's start: its head's mapcount and the address spaces that map it. */
async function folioOf(target: Target, name: string): Promise<{ pageMapcount: number; others: number; pmds: number }> {
  const { header } = await findArea(target, name);
  const [head = -1] = framesOf(target.pid, header, 1);
  return withCapture(only(target), ({ folios, frames }) => {
    const row = folios.headPfn.subarray(0, folios.count).indexOf(head);
    if (row < 0) throw new Error(`frame ${head} heads no large folio`);
    const found = { others: folios.mmCount[row], pmds: folios.pmdEntries[row] };
    return Promise.resolve({ pageMapcount: frames.mapcount[head], ...found });
  });
}

test(
  "fork does not copy page tables of shared memory: a child has it in Rss when it touches it (trap 8)",
  QUIET,
  async (ctx) => {
    const parent = targetProgram(ctx).start();
    await parent.askAll("map both shared 400", "write both 0 400");
    const child = await parent.fork();
    const untouched = await reportOf(only(parent, child));
    expect(reported(untouched, parent).rssShmemBytes).toBe(400 * 4096);
    expect(reported(untouched, child).rssShmemBytes).toBe(0);
    expect(reported(untouched, parent).schemes["page"].pssShmemBytes).toBe(400 * 4096);
    await child.ask("read both 0 400");
    const touched = await reportOf(only(parent, child));
    expect(reported(touched, child).rssShmemBytes).toBe(400 * 4096);
    expect(reported(touched, parent).schemes["page"].pssShmemBytes).toBe(200 * 4096);
  },
);

test("three pages in three processes have a Pss of 3 kB, not 4 (trap 9)", QUIET, async (ctx) => {
  const program = targetProgram(ctx);
  const first = program.start();
  await first.askAll("memfd f 3", "mapfd m f 0 3 shared", "write m 0 3");
  const others = [await first.fork(), await first.fork()];
  for (const child of others) await child.ask("read m 0 3");
  const report = await reportOf(only(first, ...others));
  for (const target of [first, ...others]) {
    // 3 * floor(2^24 / 3) units of 1/4096 byte: a byte less than a page.
    expect(reported(report, target).schemes["page"].pssShmemBytes).toBe(4095);
    expect(Math.floor(reported(report, target).schemes["page"].pssShmemBytes / 1024)).toBe(3);
    expect(rollup(target.pid).pssShmem).toBe(3);
  }
});

test("a THP that one process maps by a PMD and another by PTEs is told apart (traps 5, 19)", QUIET, async (ctx) => {
  const program = targetProgram(ctx);
  const parent = program.start();
  const start = await withFolios(ctx, program, async ({ writeHuge }) => writeHuge(parent, "thp", 2));
  const child = await parent.fork();
  // Splits the child's first PMD, and no folio.
  await child.ask("protect thp 100 1 1");
  await withCapture(only(parent, child), async (capture) => {
    const byVma = await anonHugeBytes(capture);
    expect(sumOf(byVma, captured(capture, parent)) / 1024).toBe(4096);
    expect(sumOf(byVma, captured(capture, child)) / 1024).toBe(2048);
    expect([rollup(parent.pid).anonHugePages, rollup(child.pid).anonHugePages]).toEqual([4096, 2048]);
    const { folios } = capture;
    const rowOf = (pfn: number): number => folios.headPfn.subarray(0, folios.count).indexOf(pfn);
    const [first, second] = [0, 512].map((page) => rowOf(framesOf(parent.pid, start + page, 1)[0]));
    const columns = (row: number): object => ({
      order: folios.order[row],
      entries: folios.entries[row],
      pmds: folios.pmdEntries[row],
      pages: folios.mappedPages[row],
      spaces: folios.mmCount[row],
    });
    expect(columns(first)).toEqual({ order: 9, entries: 513, pmds: 1, pages: 1024, spaces: 2 });
    expect(columns(second)).toEqual({ order: 9, entries: 2, pmds: 2, pages: 1024, spaces: 2 });
    // AnonPages does not care how pages are mapped.
    const report = await reportOnCapture(capture, SCHEMES);
    expect(reported(report, child).rssAnonBytes).toBeGreaterThanOrEqual(2 ** 22);
  });
});

test(
  "what is present under a stopped process's PTEs is what was written: no entry is lost or invented",
  QUIET,
  async (ctx) => {
    const target = targetProgram(ctx).start();
    const start = await target.map("map sieve anon 3000");
    await target.askAll("write sieve 1 1499 2", `advise sieve 0 3000 ${MADV_NOHUGEPAGE}`);
    const present = pagemap(target.pid, start, 3000).filter((entry) => (entry & PM_PRESENT) !== 0n).length;
    expect(present).toBe(1499);
    const { ours, kernels } = await bothSides(target);
    expect(ours).toEqual(kernels);
    const frames = framesOf(target.pid, start, 2);
    expect(kpageflags(frames[1]) & FLAG_HEAD_EXCLUSIVE).not.toBe(0n);
  },
);
