/**
 * Captures of processes that do not hold still, and of those that are hard to name or to read: nothing crashes, every
 * process has a state, and whatever is called complete is complete.
 *
 * Processes under test have a user of their own, by which captures select them: children that are born meanwhile too.
 */
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test, type TestContext } from "vitest";
import { type LiveCapture, type ProcessFilter } from "../../src/capture/index.ts";
import { SCHEMES } from "../../src/schemes/index.ts";
import { type CaptureReport, reportOnCapture } from "../../src/study/index.ts";
import { type CaptureWish, captured, only, reportOf, reported, touchedVmas, withCapture } from "./captured.ts";
import { privateKb, rollup, smapsText } from "./kernel-view.ts";
import { type Menagerie, startMenagerie } from "./menagerie.ts";
import { type Target, endTargets, targetProgram } from "./target.ts";

const CAPTURES = 20;
/** Pages that a process has written before it gets busy: all of them must be in every complete capture of it. */
const OWN_PAGES = 2000;
/** What the vdso's two pages may add to Pss, at the most, on a machine with a few processes. */
const VDSO_PSS_BYTES = 512;
/** Users that nobody has. */
const FIRST_UID = 700_000_000 + (process.pid % 100_000) * 100;
const QUIET = { retry: 2 };

afterAll(endTargets);

let users = 0;

/** A user of its own and what it runs: `start` starts, `wish` selects it all. */
function newUser(ctx: TestContext): { start: (args?: readonly string[]) => Target; wish: CaptureWish } {
  const program = targetProgram(ctx);
  const uid = FIRST_UID + users++;
  const select: ProcessFilter = (candidate) => candidate.uid === uid;
  return { start: (args = []) => program.start({ uid, args }), wish: { select } };
}

/** What must hold of every capture, whatever processes did meanwhile. */
function checkWhole(report: CaptureReport): void {
  let rss = 0;
  let ended = 0;
  for (const process of report.processes) {
    expect(["complete", "ended", "shares-mm"]).toContain(process.state);
    if (process.state === "ended") {
      ended++;
      expect(process.refusal).toBe("The process ended while it was read.");
      expect([process.rssBytes, process.hugetlbBytes, process.schemes["page"].pssBytes]).toEqual([0, 0, 0]);
    } else {
      expect(process.refusal).toBeNull();
      expect(process.rssBytes).toBe(process.rssAnonBytes + process.rssFileBytes + process.rssShmemBytes);
      expect(process.schemes["page"].pssBytes).toBeLessThanOrEqual(process.rssBytes);
    }
    if (process.state === "complete") rss += process.rssBytes;
  }
  expect(report.totals.rssBytes).toBe(rss);
  expect(report.coverage.processesEnded).toBe(ended);
  expect(report.coverage.processesRead + ended).toBeLessThanOrEqual(report.processes.length);
}

/** Complete processes without a page of stack: their VMAs and their page table are of different address spaces. */
async function withoutStack(capture: LiveCapture): Promise<string[]> {
  const touched = await touchedVmas(capture);
  return capture.processes
    .filter(({ state, firstVma, endVma }) => {
      const stack = capture.vmas.findIndex((vma, row) => row >= firstVma && row < endVma && vma.name === "[stack]");
      return state === "complete" && stack >= 0 && !touched.has(stack);
    })
    .map(({ pid, name }) => `${pid} ${name}`);
}

describe("processes that never hold still", () => {
  test("one that forks and exits without pause: 20 captures, and what is complete has all its pages", async (ctx) => {
    const { start, wish } = newUser(ctx);
    const still = start();
    await still.askAll("map still anon 500", "write still 0 500");
    const busy = start();
    await busy.askAll(`map own anon ${OWN_PAGES}`, `write own 0 ${OWN_PAGES}`, "busy fork");
    const { pss: _pss, rss, ...fields } = rollup(still.pid);
    let children = 0;
    for (let round = 0; round < CAPTURES; round++) {
      const report = await reportOf(wish);
      checkWhole(report);
      expect(reported(report, still).rssBytes).toBe(rss * 1024);
      expect(reported(report, still).schemes["page"].ussBytes.least).toBe(privateKb(fields) * 1024);
      expect(reported(report, busy).state).toBe("complete");
      for (const { pid, state, rssBytes } of report.processes) {
        if (state !== "complete" || pid === still.pid) continue;
        expect(rssBytes, `process ${pid}`).toBeGreaterThanOrEqual(OWN_PAGES * 4096);
        if (pid !== busy.pid) children++;
      }
    }
    busy.kill();
    expect(children, "children seen").toBeGreaterThan(0);
  });

  test("one that maps and unmaps without pause: what it does not touch is always there", async (ctx) => {
    const { start, wish } = newUser(ctx);
    const busy = start();
    await busy.askAll(`map own anon ${OWN_PAGES}`, `write own 0 ${OWN_PAGES}`, "busy map");
    for (let round = 0; round < CAPTURES; round++) {
      const report = await reportOf(wish);
      checkWhole(report);
      const process = reported(report, busy);
      expect(process.state).toBe("complete");
      expect(process.rssBytes).toBeGreaterThanOrEqual(OWN_PAGES * 4096);
      expect(process.swapBytes).toBe(0);
    }
    busy.kill();
  });

  test("one that executes itself without pause has a state each time, and never another program's memory", async (ctx) => {
    const { start, wish } = newUser(ctx);
    const again = start(["again"]);
    const states = new Set<string>();
    for (let round = 0; round < CAPTURES; round++) {
      await withCapture(wish, async (capture) => {
        const report = await reportOnCapture(capture, SCHEMES);
        checkWhole(report);
        expect(await withoutStack(capture)).toEqual([]);
        for (const { pid, state } of report.processes) {
          expect(pid).toBe(again.pid);
          states.add(state);
        }
      });
    }
    again.kill();
    expect(states.size).toBeGreaterThan(0);
  });

  test("a child that leaves its parent's address space while it is read (vfork, exec) doubles nothing", async (ctx) => {
    const { start, wish } = newUser(ctx);
    const busy = start();
    // Many VMAs: reading and parsing them takes longer than the child stays.
    await busy.askAll("map many anon 10000", "stripes many", `map own anon ${OWN_PAGES}`, `write own 0 ${OWN_PAGES}`);
    await busy.ask("busy spawn");
    const states = new Set<string>();
    for (let round = 0; round < CAPTURES; round++) {
      await withCapture(wish, async (capture) => {
        const report = await reportOnCapture(capture, SCHEMES);
        checkWhole(report);
        expect(await withoutStack(capture)).toEqual([]);
        // Nobody else maps what the parent wrote.
        expect(reported(report, busy).schemes["page"].ussBytes.least).toBeGreaterThanOrEqual(OWN_PAGES * 4096);
        for (const { pid, state, rssBytes } of report.processes) {
          if (pid === busy.pid) continue;
          states.add(state);
          if (state === "complete") expect(rssBytes, `process ${pid}`).toBeLessThan(OWN_PAGES * 4096);
        }
      });
    }
    busy.kill();
    expect(states.size, "children seen").toBeGreaterThan(0);
  });
});

describe("processes that are not like others", () => {
  test("a zombie has no memory and is not listed", async (ctx) => {
    const { start, wish } = newUser(ctx);
    const parent = start();
    const [zombie] = await parent.ask("zombie");
    expect(readFileSync(`/proc/${zombie}/stat`, "utf8")).toContain(" Z ");
    const report = await reportOf(wish);
    expect(report.processes.map(({ pid }) => pid)).toEqual([parent.pid]);
    checkWhole(report);
  });

  test("a process in another's address space is counted once and said to share it", async (ctx) => {
    const { start, wish } = newUser(ctx);
    const parent = start();
    await parent.askAll("map own anon 300", "write own 0 300");
    const alone = await reportOf(wish);
    const sharer = { pid: Number((await parent.ask("share"))[0]) };
    const report = await reportOf(wish);
    checkWhole(report);
    const states = [parent, sharer].map((process) => reported(report, process).state);
    expect(states.toSorted()).toEqual(["complete", "shares-mm"]);
    expect(reported(report, sharer).rssBytes).toBe(reported(report, parent).rssBytes);
    expect(report.totals.rssBytes).toBe(reported(report, parent).rssBytes);
    expect(report.totals.rssBytes - alone.totals.rssBytes).toBeLessThan(8 * 4096);
    // What both "have" is mapped once: it stays private, as smaps says.
    const { pss, ...fields } = rollup(sharer.pid);
    expect(reported(report, sharer).schemes["page"].ussBytes.least).toBe(privateKb(fields) * 1024);
    expect(Math.floor(reported(report, sharer).schemes["page"].pssBytes / 1024)).toBe(pss);
  });

  test("names, paths and arguments with spaces, newlines, escapes and 4096 bytes are kept as they are", async (ctx) => {
    const program = targetProgram(ctx);
    const uid = FIRST_UID + users++;
    const name = "a b\n(c) \u001b[31m\\n";
    const path = join(program.folder, name);
    copyFileSync(program.path, path);
    const args = ["two words", "new\nline\ttab", "\u001b[2J\u0007", "x".repeat(4096), "", "Ünïcode \u202e"];
    const target = program.start({ uid, args, path });
    await target.askAll(`open self ${program.path}`, "map own anon 50", "write own 0 50").catch(() => undefined);
    await target.askAll("map own anon 50", "write own 0 50");
    const report = await reportOf({ select: (candidate) => candidate.uid === uid });
    const process = reported(report, target);
    expect(process.name).toBe(name.slice(0, 15));
    expect(process.command).toBe(["target", ...args].join(" "));
    expect(process.state).toBe("complete");
    expect(process.rssBytes / 1024).toBe(rollup(target.pid).rss);
    expect(process.uid).toBe(uid);
    expect(process.user).toBe(String(uid));
    // The kernel writes the path's newline as \012; the VMA is one line and is whole.
    expect(smapsText(target.pid)).toContain("/a b\\012(c)");
    await withCapture({ select: (candidate) => candidate.uid === uid }, (capture) => {
      const { firstVma, endVma } = captured(capture, target);
      const names = capture.vmas.slice(firstVma, endVma).map((vma) => vma.name);
      expect(names.filter((vma) => vma.includes("/a b\\012(c) \u001b[31m\\n")).length).toBeGreaterThan(2);
    });
  });
});

describe("other ways of reading", () => {
  let menagerie: Menagerie | undefined;

  async function stopped(ctx: TestContext): Promise<readonly Target[]> {
    const program = targetProgram(ctx);
    menagerie ??= await startMenagerie(ctx, program);
    return menagerie.targets;
  }

  /**
   * What a report says of processes, but for Pss: the vdso's page is divided by the number of processes on the machine,
   * which changes.
   */
  function figuresOf({ processes, totals, folios, partial }: CaptureReport): object {
    const withoutPss = processes.map(({ schemes, ...process }) => ({
      ...process,
      schemes: Object.entries(schemes).map(([id, { ussBytes, exclusiveEntries, pssAnonBytes, pssShmemBytes }]) => {
        return { id, ussBytes, exclusiveEntries, pssAnonBytes, pssShmemBytes };
      }),
    }));
    return { processes: withoutPss, totals, folios, partial };
  }

  function expectSamePss(a: CaptureReport, b: CaptureReport, targets: readonly Target[]): void {
    for (const target of targets) {
      for (const id of a.schemes) {
        const [one, other] = [a, b].map((report) => reported(report, target).schemes[id].pssBytes);
        expect(Math.abs(one - other), `process ${target.pid} under ${id}`).toBeLessThan(VDSO_PSS_BYTES);
      }
    }
  }

  test("two threads find what one finds", QUIET, async (ctx) => {
    const targets = await stopped(ctx);
    const one = await reportOf({ ...only(...targets), threads: 1 });
    const two = await reportOf({ ...only(...targets), threads: 2 });
    expect(two.cost.threads).toBe(2);
    expect(figuresOf(two)).toEqual(figuresOf(one));
    expectSamePss(one, two, targets);
  });

  test("without koffi Rss, Pss and Uss are the same, and a note says what is not", QUIET, async (ctx) => {
    const targets = await stopped(ctx);
    const withKoffi = await reportOf(only(...targets));
    process.env["FOLIOMETER_NO_KOFFI"] = "1";
    const without = await reportOf(only(...targets)).finally(() => delete process.env["FOLIOMETER_NO_KOFFI"]);
    expect(withKoffi.notes.join(" ")).not.toMatch(/koffi/i);
    expect(without.notes.join(" ")).toMatch(/FOLIOMETER_NO_KOFFI/);
    for (const target of targets) {
      const [a, b] = [reported(withKoffi, target), reported(without, target)];
      expect([b.rssBytes, b.swapBytes, b.hugetlbBytes]).toEqual([a.rssBytes, a.swapBytes, a.hugetlbBytes]);
      expect(b.schemes["page"].ussBytes).toEqual(a.schemes["page"].ussBytes);
      expect(b.exclusiveEntriesMeasured).toBe(a.exclusiveEntriesMeasured);
    }
    expectSamePss(withKoffi, without, targets);
  });
});
