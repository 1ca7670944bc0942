/**
 * The mappings that a capture finds are those that the kernel counts: every frame, against /proc/kpagecount.
 *
 * What may differ is named: the vdso, which every process of the machine maps; and what a busy machine does between the
 * two readings. kernel-facts 2.9 (vdso), 3.9 (kpagecount), 10 (trap 15).
 */
import { closeSync, openSync, readSync } from "node:fs";
import { afterAll, expect, test, type TestContext } from "vitest";
import type { LiveCapture } from "../../src/capture/index.ts";
import { FRAME_DISAGREES, FRAME_KIND_MASK, KIND_UNCOUNTED, isAnonKind } from "../../src/kernel/index.ts";
import { only, withCapture } from "./captured.ts";
import { framesOf, kpagecount, smapsOf } from "./kernel-view.ts";
import { type Menagerie, startMenagerie } from "./menagerie.ts";
import { type Target, endTargets, targetProgram } from "./target.ts";

const BUSY_TRIES = 3;
const BUSY_DISAGREEMENT_MAX = 0.02;
const KPF_SLAB = 1 << 7;
const QUIET = { retry: 3 };

let menagerie: Menagerie | undefined;

async function menagerieFor(ctx: TestContext): Promise<Menagerie> {
  const program = targetProgram(ctx);
  return (menagerie ??= await startMenagerie(ctx, program));
}

afterAll(endTargets);

/** Frames of the process's vdso. */
function vdsoFrames({ pid }: Target): number[] {
  const { header } = smapsOf(pid, "[vdso]");
  return framesOf(pid, header.startPage, header.endPage - header.startPage).filter((pfn) => pfn >= 0);
}

/** Frames whose count the capture and the kernel disagreed on twice. */
function disagreeing({ frames }: LiveCapture): number[] {
  const found: number[] = [];
  for (let pfn = 0; pfn < frames.frameCount; pfn++) if ((frames.kind[pfn]! & FRAME_DISAGREES) !== 0) found.push(pfn);
  return found;
}

test("of stopped processes' frames only the vdso, which all processes map, is counted more by the kernel", QUIET, async (ctx) => {
  const { targets } = await menagerieFor(ctx);
  const vdso = new Set(targets.flatMap(vdsoFrames));
  expect(vdso.size).toBeGreaterThan(0);
  await withCapture(only(...targets), (capture) => {
    const { agreement } = capture;
    expect(capture.wholeMachine).toBe(false);
    expect(agreement.everyFrame).toBe(true);
    expect(agreement.refusal).toBeNull();
    expect(agreement.framesChecked).toBeGreaterThan(6000);
    const differing = disagreeing(capture);
    expect(differing.filter((pfn) => !vdso.has(pfn))).toEqual([]);
    expect(agreement.differAfter).toBe(differing.length);
    expect(agreement.kernelCountsMore).toBe(differing.length);
    expect(differing.length, "others map the vdso too").toBeGreaterThan(0);
    return Promise.resolve();
  });
});

test("every count of a stopped process's frame is kpagecount's, frame by frame and not only in sum", QUIET, async (ctx) => {
  const { targets } = await menagerieFor(ctx);
  await withCapture(only(...targets), ({ vmas, processes, frames }) => {
    let compared = 0;
    for (const { pid, firstVma, endVma } of processes) {
      for (const { startPage, endPage, name } of vmas.slice(firstVma, endVma)) {
        if (name.startsWith("[v")) continue;
        for (const pfn of framesOf(pid, startPage, endPage - startPage)) {
          if (pfn < 0 || (frames.kind[pfn]! & FRAME_KIND_MASK) === KIND_UNCOUNTED) continue;
          // One in seven: each is two system calls here.
          if (pfn % 7 !== 0) continue;
          expect(frames.mapcount[pfn], `frame ${pfn} of process ${pid}`).toBe(kpagecount(pfn));
          compared++;
        }
      }
    }
    expect(compared).toBeGreaterThan(2000);
    return Promise.resolve();
  });
});

test("on the whole machine, with one process that forks and exits all the time, under 2 % of frames disagree", async (ctx) => {
  const program = targetProgram(ctx);
  const busy = program.start();
  await busy.askAll("map around anon 2000", "write around 0 2000", "busy fork");
  let share = 1;
  for (let tried = 0; tried < BUSY_TRIES && share >= BUSY_DISAGREEMENT_MAX; tried++) {
    share = await withCapture({ checkEveryFrame: true }, ({ agreement }) => {
      expect(agreement.framesChecked).toBeGreaterThan(10_000);
      expect(agreement.differAfter).toBeLessThanOrEqual(agreement.differedFirst);
      return Promise.resolve(agreement.differAfter / agreement.framesChecked);
    });
  }
  busy.kill();
  expect(share).toBeLessThan(BUSY_DISAGREEMENT_MAX);
});

/** 1 for every frame that is slab now. */
function slabFrames(frameCount: number): Uint8Array {
  const slab = new Uint8Array(frameCount);
  const words = new Int32Array(2 * 65_536);
  const fd = openSync("/proc/kpageflags", "r");
  try {
    for (let pfn = 0; pfn < frameCount; ) {
      const got = readSync(fd, new Uint8Array(words.buffer), 0, words.byteLength, pfn * 8) >>> 3;
      if (got === 0) break;
      for (let i = 0; i < got && pfn + i < frameCount; i++) if ((words[2 * i]! & KPF_SLAB) !== 0) slab[pfn + i] = 1;
      pfn += got;
    }
  } finally {
    closeSync(fd);
  }
  return slab;
}

test("no frame of the kernel's slab is taken for anonymous memory, whatever kpageflags says beside SLAB", QUIET, async (ctx) => {
  const { targets } = await menagerieFor(ctx);
  expect(targets.length).toBeGreaterThan(0);
  await withCapture({}, ({ frames }) => {
    const before = slabFrames(frames.frameCount);
    const after = slabFrames(frames.frameCount);
    let slab = 0;
    const mistaken: number[] = [];
    for (let pfn = 0; pfn < frames.frameCount; pfn++) {
      if (before[pfn] === 0 || after[pfn] === 0) continue;
      slab++;
      if (isAnonKind(frames.kind[pfn]! & FRAME_KIND_MASK)) mistaken.push(pfn);
    }
    expect(slab).toBeGreaterThan(1000);
    expect(mistaken).toEqual([]);
    return Promise.resolve();
  });
});
