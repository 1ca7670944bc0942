/**
 * What a report says of a process is what the kernel prints of it, under the kernel's own scheme.
 *
 * A process stands still if its smaps_rollup was the same before and after the capture, but for Referenced and LazyFree:
 * the kernel changes those of a stopped process too, when it empties its per-CPU lists. Its Rss and Private must then be
 * equal and its Pss within 4 kB; of our own stopped processes everything must be equal, to the byte of smaps' text. What
 * others do to shared pages meanwhile is met by looking again, a few times.
 */
import { readdirSync } from "node:fs";
import { afterAll, expect, test, type TestContext } from "vitest";
import { formatSmapsRollup, formatSmapsVma, parseSmapsRollup, parseSmapsText } from "../../src/kernel/index.ts";
import { SCHEMES, findScheme } from "../../src/schemes/index.ts";
import { type ProcessReport, smapsUnderScheme } from "../../src/study/index.ts";
import { skipAlways } from "../full-run.ts";
import { anonHugeBytes, captured, only, reportOf, reported, sumOf, withCapture } from "./captured.ts";
import { privateKb, rollup, rollupText, smapsText } from "./kernel-view.ts";
import { type Menagerie, startMenagerie } from "./menagerie.ts";
import { endTargets, targetProgram } from "./target.ts";

/** Looks at the whole machine until everyone who stood still agreed once. */
const ROUNDS = 5;
const PSS_TOLERANCE_BYTES = 4096;
const QUIET = { retry: 2 };

let menagerie: Menagerie | undefined;

async function menagerieFor(ctx: TestContext): Promise<Menagerie> {
  const program = targetProgram(ctx);
  return (menagerie ??= await startMenagerie(ctx, program));
}

afterAll(endTargets);

/** What of smaps_rollup changes only with mappings. */
function stillText(text: string | undefined): string | undefined {
  return text?.replaceAll(/^(?:Referenced|LazyFree):.*\n/gm, "");
}

/** smaps_rollup of every process that shows it. */
function allRollups(): Map<number, string> {
  const texts = new Map<number, string>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const text = rollupText(Number(name));
    if (text !== undefined) texts.set(Number(name), text);
  }
  return texts;
}

/** Where a process's figures differ from its smaps_rollup: one sentence, or undefined. */
function disagreement(process: ProcessReport, text: string): string | undefined {
  const { fields } = parseSmapsRollup(text);
  const { pssBytes, ussBytes } = process.schemes["page"];
  const off: string[] = [];
  if (process.rssBytes !== fields.rss * 1024) off.push(`Rss ${process.rssBytes / 1024}, not ${fields.rss}`);
  const uss = privateKb(fields);
  if (ussBytes.least !== uss * 1024) off.push(`Private ${ussBytes.least / 1024}, not ${uss}`);
  if (ussBytes.most !== ussBytes.least) off.push("Private is a range");
  // The kernel's figure is truncated to kB.
  if (Math.abs(pssBytes - fields.pss * 1024) > PSS_TOLERANCE_BYTES)
    off.push(`Pss ${pssBytes / 1024}, not ${fields.pss}`);
  return off.length === 0 ? undefined : `${process.pid} ${process.name}: ${off.join(", ")}`;
}

test("the menagerie has hugetlb pages, merged pages and 64 kB folios", async (ctx) => {
  const { missing } = await menagerieFor(ctx);
  if (missing.length > 0) skipAlways(ctx, missing.join("; "));
});

test("every process that stands still has Pss within 4 kB and Private and Rss equal to its smaps_rollup", async (ctx) => {
  const { targets } = await menagerieFor(ctx);
  await targetProgram(ctx).withMachine(async () => {
    const agreed = new Set<number>();
    let differing: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      differing = await compareOnce(agreed);
      if (differing.length === 0 && targets.every(({ pid }) => agreed.has(pid))) break;
    }
    expect(differing).toEqual([]);
    for (const { pid } of targets) expect(agreed, `process ${pid}`).toContain(pid);
  });
});

/** Adds to `agreed` who stood still and agrees; returns who stood still and does not. */
async function compareOnce(agreed: Set<number>): Promise<string[]> {
  const before = allRollups();
  const report = await reportOf({});
  const after = allRollups();
  expect(report.wholeMachine).toBe(true);
  const differing: string[] = [];
  for (const process of report.processes) {
    const text = before.get(process.pid);
    if (text === undefined || agreed.has(process.pid)) continue;
    if (stillText(text) !== stillText(after.get(process.pid))) continue;
    expect(["complete", "shares-mm"], `process ${process.pid} ${process.name}`).toContain(process.state);
    const why = disagreement(process, text);
    if (why === undefined) agreed.add(process.pid);
    else differing.push(why);
  }
  return differing;
}

test("a stopped process's figures are those of smaps_rollup to the kB, also Pss by kind", QUIET, async (ctx) => {
  const { targets } = await menagerieFor(ctx);
  const report = await reportOf(only(...targets));
  for (const { pid } of targets) {
    const process = reported(report, { pid });
    const fields = rollup(pid);
    const own = process.schemes["page"];
    const kb = (bytes: number): number => Math.floor(bytes / 1024);
    expect({
      pid,
      rss: kb(process.rssBytes),
      pss: kb(own.pssBytes),
      pssAnon: kb(own.pssAnonBytes),
      pssFile: kb(own.pssFileBytes),
      pssShmem: kb(own.pssShmemBytes),
      anonymous: kb(process.rssAnonBytes),
      privateLeast: kb(own.ussBytes.least),
      privateMost: kb(own.ussBytes.most),
      hugetlb: kb(process.hugetlbBytes),
      swap: kb(process.swapBytes),
      changed: process.changedBytes,
    }).toEqual({
      pid,
      rss: fields.rss,
      pss: fields.pss,
      pssAnon: fields.pssAnon,
      pssFile: fields.pssFile,
      pssShmem: fields.pssShmem,
      anonymous: fields.anonymous,
      privateLeast: privateKb(fields),
      privateMost: privateKb(fields),
      hugetlb: fields.sharedHugetlb + fields.privateHugetlb,
      swap: fields.swap,
      changed: 0,
    });
  }
});

test("smaps and smaps_rollup under page are the kernel's own text, byte for byte", QUIET, async (ctx) => {
  const { targets } = await menagerieFor(ctx);
  await withCapture(only(...targets), async (capture) => {
    for (const { pid } of targets) {
      const smaps = smapsText(pid) ?? "";
      const rollupOfKernel = rollupText(pid) ?? "";
      const options = { scheme: findScheme("page")!, all: SCHEMES, history: "most-private" } as const;
      const facts = parseSmapsText(smaps);
      const rolled = { ...options, rollup: parseSmapsRollup(rollupOfKernel) };
      const result = await smapsUnderScheme(capture, captured(capture, { pid }), facts, rolled);
      expect(result.vmas.map(formatSmapsVma).join("")).toBe(smaps);
      expect(formatSmapsRollup(result.rollup)).toBe(rollupOfKernel);
      expect(result.estimated).toEqual([]);
      // Without the kernel's rollup the sums come from the capture alone; what smaps truncates VMA by VMA is left out.
      const own = await smapsUnderScheme(capture, captured(capture, { pid }), facts, options);
      const { pssDirty: _a, swapPss: _b, ...sums } = own.rollup.fields;
      expect(parseSmapsRollup(rollupOfKernel).fields).toMatchObject(sums);
    }
  });
});

test("AnonHugePages of a process is what its PMDs map", QUIET, async (ctx) => {
  const { targets } = await menagerieFor(ctx);
  await withCapture(only(...targets), async (capture) => {
    const byVma = await anonHugeBytes(capture);
    let most = 0;
    for (const { pid } of targets) {
      const bytes = sumOf(byVma, captured(capture, { pid }));
      expect(bytes / 1024, `process ${pid}`).toBe(rollup(pid).anonHugePages);
      most = Math.max(most, bytes);
    }
    expect(most).toBeGreaterThanOrEqual(4 * 2 ** 21);
  });
});

test(
  "exclusive entries derived under page are those that pagemap printed, heads of PMDs included",
  QUIET,
  async (ctx) => {
    const { targets } = await menagerieFor(ctx);
    const report = await reportOf(only(...targets));
    for (const { pid } of targets) {
      const process = reported(report, { pid });
      const { exclusiveEntries } = process.schemes["page"];
      const measured = process.exclusiveEntriesMeasured;
      expect({ pid, ...exclusiveEntries }).toEqual({ pid, least: measured, most: measured });
    }
  },
);

test("mm-owner and mapped-pages keep Rss and what they say of Uss is a range that begins below its end", async (ctx) => {
  const { targets } = await menagerieFor(ctx);
  const report = await reportOf(only(...targets));
  let ranges = 0;
  for (const { pid } of targets) {
    const process = reported(report, { pid });
    for (const id of report.schemes) {
      const { pssBytes, ussBytes, exclusiveEntries } = process.schemes[id];
      expect(pssBytes).toBeLessThanOrEqual(process.rssBytes);
      expect(ussBytes.least).toBeLessThanOrEqual(ussBytes.most);
      expect(ussBytes.most).toBeLessThanOrEqual(process.rssBytes);
      expect(exclusiveEntries.least).toBeLessThanOrEqual(exclusiveEntries.most);
      if (ussBytes.least < ussBytes.most) ranges++;
    }
  }
  expect(ranges, "some history is unknown").toBeGreaterThan(0);
});
