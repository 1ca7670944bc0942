/**
 * The whole machine, as busy as it is, and one process more that forks and exits all the time.
 *
 * One capture serves all tests here; it compares every mapped frame with kpagecount. What the two readings see at
 * different moments may differ, and little else: kernel-facts 3.9, 10 (traps 14, 15), capture-and-peers C.4, C.7.
 */
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readSync } from "node:fs";
import { afterAll, expect, test, type TestContext } from "vitest";
import type { LiveCapture } from "../../src/capture/index.ts";
import { FRAME_KIND_MASK, KIND_FILE, isAnonKind } from "../../src/kernel/index.ts";
import { SCHEMES } from "../../src/schemes/index.ts";
import { type CaptureReport, reportOnCapture } from "../../src/study/index.ts";
import { requireCommand, requireRoot, skipAlways } from "../full-run.ts";
import { captured, reported, touchedVmas, withCapture } from "./captured.ts";
import { framesOf, kpagecount, rollup, rollupText, smapsOf } from "./kernel-view.ts";
import { type Target, type TargetProgram, endTargets, targetProgram } from "./target.ts";

const CAPTURES_MAX = 6;
const DISAGREEMENT_MAX = 0.02;
const KPF_SLAB = 1 << 7;

afterAll(endTargets);

/** What the tests need of the capture, which is closed again. */
interface Seen {
  readonly still: Target;
  readonly report: CaptureReport;
  /** Frames that disagree with kpagecount, of those compared. */
  readonly disagreement: number;
  /** Frames that were slab before the capture and after it, and those among them that it has as anonymous. */
  readonly slabFrames: number;
  readonly slabAsAnon: readonly number[];
  /** Frames of the vdso, their mapcount in the capture, and the kernel's. */
  readonly vdso: readonly { readonly found: number; readonly kernels: number; readonly kind: number }[];
  readonly vvarTouched: number;
  readonly vvars: number;
}

let seen: Seen | undefined;

/** Captures until little enough disagrees, a few times at the most. */
async function lookAtMachine(ctx: TestContext): Promise<Seen> {
  if (seen !== undefined) return seen;
  const program = targetProgram(ctx);
  seen = await program.withMachine(async () => captureMachine(program));
  return seen;
}

async function captureMachine(program: TargetProgram): Promise<Seen> {
  const still = program.start();
  // What two processes share while one of them is being born is seen differently twice: a small part of a machine, also
  // of one on which nothing else runs.
  await still.askAll("map a anon 40000", "write a 0 40000");
  const busy = program.start();
  await busy.askAll("map around anon 500", "write around 0 500", "busy fork");
  for (let tried = 1; ; tried++) {
    const slab = slabFrames();
    const found = await withCapture({ checkEveryFrame: true }, async (capture) => look(capture, still, slab));
    if (tried < CAPTURES_MAX && (found.disagreement >= DISAGREEMENT_MAX || found.slabAsAnon.length > 0)) continue;
    busy.kill();
    return found;
  }
}

async function look(capture: LiveCapture, still: Target, slabBefore: ReadonlySet<number>): Promise<Seen> {
  const { frames, agreement } = capture;
  const slab = [...slabFrames()].filter((pfn) => slabBefore.has(pfn));
  const { header } = smapsOf(still.pid, "[vdso]");
  const vdso = framesOf(still.pid, header.startPage, header.endPage - header.startPage).filter((pfn) => pfn >= 0);
  const { firstVma, endVma } = captured(capture, still);
  const touched = await touchedVmas(capture);
  const vvars = capture.vmas.map(({ name }, row) => ({ name, row })).slice(firstVma, endVma);
  const vvarRows = vvars.filter(({ name }) => name.startsWith("[vvar")).map(({ row }) => row);
  return {
    still,
    report: await reportOnCapture(capture, SCHEMES),
    disagreement: agreement.differAfter / agreement.framesChecked,
    slabFrames: slab.length,
    slabAsAnon: slab.filter((pfn) => isAnonKind(frames.kind[pfn] & FRAME_KIND_MASK)),
    vdso: vdso.map((pfn) => {
      return { found: frames.mapcount[pfn], kernels: kpagecount(pfn), kind: frames.kind[pfn] & FRAME_KIND_MASK };
    }),
    vvars: vvarRows.length,
    vvarTouched: vvarRows.filter((row) => touched.has(row)).length,
  };
}

/** Frames of the kernel's slab, now. */
function slabFrames(): Set<number> {
  const words = new Int32Array(2 * 65_536);
  const bytes = new Uint8Array(words.buffer);
  const slab = new Set<number>();
  const fd = openSync("/proc/kpageflags", "r");
  try {
    for (let pfn = 0; ;) {
      const got = readSync(fd, bytes, 0, bytes.length, pfn * 8) >>> 3;
      if (got === 0) return slab;
      for (let i = 0; i < got; i++) if ((words[2 * i] & KPF_SLAB) !== 0) slab.add(pfn + i);
      pfn += got;
    }
  } finally {
    closeSync(fd);
  }
}

test("under 2 % of mapped frames disagree with kpagecount", async (ctx) => {
  const { report, disagreement } = await lookAtMachine(ctx);
  expect(report.wholeMachine).toBe(true);
  expect(report.coverage.everyFrameChecked).toBe(true);
  expect(report.coverage.checkRefusal).toBeNull();
  expect(report.coverage.framesChecked).toBeGreaterThan(40_000);
  expect(report.coverage.framesDifferAfterSecondLook).toBeLessThanOrEqual(report.coverage.framesDiffered);
  expect(disagreement).toBeLessThan(DISAGREEMENT_MAX);
});

test("no frame of the kernel's slab is taken for anonymous memory, whatever kpageflags says beside SLAB", async (ctx) => {
  const { slabFrames: count, slabAsAnon } = await lookAtMachine(ctx);
  expect(count).toBeGreaterThan(1000);
  expect(slabAsAnon).toEqual([]);
});

test("the vdso is in Rss as a file page shared with everybody, vvar is in nothing (trap 14)", async (ctx) => {
  const { vdso, vvars, vvarTouched, still, report } = await lookAtMachine(ctx);
  expect(vdso.length * 4).toBe(smapsOf(still.pid, "[vdso]").fields.rss);
  expect(vdso.length).toBeGreaterThan(0);
  for (const { found, kernels, kind } of vdso) {
    expect(kind).toBe(KIND_FILE);
    expect(kernels).toBeGreaterThan(2);
    // All processes that could be read map it: nearly as many as the kernel counts.
    expect(Math.abs(found - kernels)).toBeLessThanOrEqual(Math.max(10, kernels / 4));
  }
  expect(vvars).toBeGreaterThan(0);
  expect(vvarTouched).toBe(0);
  expect(reported(report, still).rssBytes / 1024).toBe(rollup(still.pid).rss);
});

test("a process that may not be read is listed with the reason and without figures, and counted as refused", async (ctx) => {
  const { report } = await lookAtMachine(ctx);
  const refused = report.processes.filter(({ state }) => state === "refused");
  expect(report.coverage.processesRefused).toBe(refused.length);
  for (const { refusal, rssBytes, pid } of refused) {
    expect(refusal).toContain(`/proc/${pid}/`);
    expect(rssBytes).toBe(0);
  }
  if (rollupText(1) !== undefined) skipAlways(ctx, "this machine's root may read process 1, and every other");
  expect(reported(report, { pid: 1 }).state).toBe("refused");
});

test("every process has a state, and totals are those of the processes that were read", async (ctx) => {
  const { report } = await lookAtMachine(ctx);
  const { processes, totals, coverage } = report;
  const complete = processes.filter(({ state }) => state === "complete");
  const ended = processes.filter(({ state }) => state === "ended");
  const sharing = processes.filter(({ state }) => state === "shares-mm");
  expect(complete.length + ended.length + sharing.length + coverage.processesRefused).toBe(processes.length);
  expect([coverage.processesRead, coverage.processesEnded]).toEqual([complete.length, ended.length]);
  // What is cut by a process that ended after it was read is said.
  expect(complete.filter(({ rssBytes, changedBytes }) => rssBytes + changedBytes === 0)).toEqual([]);
  expect(totals.rssBytes).toBe(complete.reduce((sum, { rssBytes }) => sum + rssBytes, 0));
  expect(new Set(processes.map(({ pid }) => pid)).size).toBe(processes.length);
  expect(ended.every(({ rssBytes, refusal }) => rssBytes === 0 && refusal !== null)).toBe(true);
  expect(complete.every(({ refusal }) => refusal === null)).toBe(true);
});

test("root without the right to see frame numbers gets a sentence, not a report of zeros", (ctx) => {
  requireRoot(ctx);
  const setpriv = requireCommand(ctx, "setpriv");
  const without = ["--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"];
  const report = spawnSync(setpriv, [...without, process.execPath, "dist/cli/main.js", "report"], { encoding: "utf8" });
  expect(report.stdout).toBe("");
  expect(report.stderr).toContain("hides the page frame numbers");
  expect(report.status).toBe(3);
});
