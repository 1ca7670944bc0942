/**
 * The mappings that a capture finds are those that the kernel counts: every frame, against /proc/kpagecount.
 *
 * What may differ is named: the vdso, which every process of the machine maps (kernel-facts 2.9, 3.9).
 */
import { afterAll, expect, test, type TestContext } from "vitest";
import type { LiveCapture } from "../../src/capture/index.ts";
import { FRAME_DISAGREES, FRAME_KIND_MASK, KIND_UNCOUNTED } from "../../src/kernel/index.ts";
import { only, withCapture } from "./captured.ts";
import { framesOf, kpagecount, smapsOf } from "./kernel-view.ts";
import { type Menagerie, startMenagerie } from "./menagerie.ts";
import { type Target, endTargets, targetProgram } from "./target.ts";

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
  for (let pfn = 0; pfn < frames.frameCount; pfn++) if ((frames.kind[pfn] & FRAME_DISAGREES) !== 0) found.push(pfn);
  return found;
}

test(
  "of stopped processes' frames only the vdso, which all processes map, is counted more by the kernel",
  QUIET,
  async (ctx) => {
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
    });
  },
);

test(
  "every count of a stopped process's frame is kpagecount's, frame by frame and not only in sum",
  QUIET,
  async (ctx) => {
    const { targets } = await menagerieFor(ctx);
    await withCapture(only(...targets), ({ vmas, processes, frames }) => {
      let compared = 0;
      const differing: string[] = [];
      for (const { pid, firstVma, endVma } of processes) {
        for (const { startPage, endPage, name } of vmas.slice(firstVma, endVma)) {
          if (name.startsWith("[v")) continue;
          for (const pfn of framesOf(pid, startPage, endPage - startPage)) {
            if (pfn < 0 || (frames.kind[pfn] & FRAME_KIND_MASK) === KIND_UNCOUNTED) continue;
            // One in seven: each is two system calls here.
            if (pfn % 7 !== 0) continue;
            if (frames.mapcount[pfn] !== kpagecount(pfn)) differing.push(`frame ${pfn} of process ${pid}`);
            compared++;
          }
        }
      }
      expect(differing).toEqual([]);
      expect(compared).toBeGreaterThan(2000);
    });
  },
);
