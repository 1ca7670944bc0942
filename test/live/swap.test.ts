/**
 * Slots of swap: who holds them by a capture, and what the kernel has back when they end.
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { prepareFreeing, rankEach, studyFreeing } from "../../src/study/index.ts";
import { only, withCapture } from "./captured.ts";
import { withSwap } from "./swap.ts";
import { endTargets, type Target, targetProgram } from "./target.ts";

afterAll(endTargets);

const PAGE = 4096;
const MADV_PAGEOUT = 21;
/** Batches in which the kernel gives slots back, and slots of pages that it wrote out on the way. */
const SLACK_BYTES = 64 * PAGE;

function swappedPages({ pid }: Target): number {
  const kb = /^VmSwap:\s+(?<kb>\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.groups?.kb;
  return Number(kb) / 4;
}

async function end(target: Target): Promise<void> {
  target.kill();
  for (let waited = 0; waited < 200; waited++) {
    if (!/^State:\s+[A-Y]/m.test(readStatus(target.pid))) return;
    await sleep(20);
  }
}

function readStatus(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "";
  }
}

test("slots that a fork shares come free with the last who has them, and as many as predicted", async (ctx) => {
  const program = targetProgram(ctx);
  await withSwap(ctx, 64, async (swap) => {
    const parent = program.start();
    await parent.askAll("map heap anon 4096", "write heap 0 4096", `advise heap 0 4096 ${MADV_PAGEOUT}`);
    // All but what the kernel happened to hold on to.
    expect(swappedPages(parent)).toBeGreaterThan(4000);
    const first = await parent.fork();
    const second = await first.fork();
    await first.ask("write heap 0 1000");
    await parent.ask("unmap heap 3000 1096");
    const family = [parent, first, second];
    const entries = family.map(swappedPages);
    await withCapture(only(...family), async (capture) => {
      const freeing = await prepareFreeing(capture);
      const most = (...targets: readonly Target[]): number =>
        studyFreeing(freeing, new Set(targets.map(({ pid }) => pid))).free.swapBytes.most / PAGE;
      // The second child has an entry for every slot, so nobody frees any without it.
      expect([most(parent), most(first), most(parent, first)]).toEqual([0, 0, 0]);
      expect(most(parent, first, second)).toBe(entries[2]);
      const each = rankEach(freeing, () => true).processes.map(({ free }) => free.swapBytes.most);
      expect(each).toEqual([0, 0, 0]);
      // Not everybody was read: somebody else may have them too.
      expect(studyFreeing(freeing, new Set(family.map(({ pid }) => pid))).free.swapBytes.least).toBe(0);
      // Children end with their parents, so the parent is the one who stays: without the 1096 that it let go of.
      const together = most(second, first);
      expect(together).toBeGreaterThan(1000);
      const before = swap.usedBytes();
      await end(second);
      await end(first);
      const left = swap.usedBytes();
      expect(Math.abs(before - left - together * PAGE)).toBeLessThan(SLACK_BYTES);
      expect(Math.abs(left - entries[0] * PAGE)).toBeLessThan(SLACK_BYTES);
      await end(parent);
      expect(swap.usedBytes()).toBeLessThan(SLACK_BYTES);
    });
  });
});
