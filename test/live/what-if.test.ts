/**
 * What a captured machine becomes by a what-if step, against what the kernel makes of the same step.
 *
 * A family with a huge page and 64 kB folios is captured; a step is made on the capture, and then for real, and captured
 * again. Of every folio in the family's two areas both must say the same: its order, who maps which of its pages, by
 * entries of which level. Frames are compared by their order in the areas, as a capture's machine numbers them anew.
 */
import { afterAll, expect, test } from "vitest";
import type { LiveCapture } from "../../src/capture/index.ts";
import { parseWhatIf } from "../../src/study/capture-what-if-steps.ts";
import { createCaptureHistory } from "../../src/study/capture-history.ts";
import { only, withCapture } from "./captured.ts";
import { withFolios } from "./folios.ts";
import { framesOf } from "./kernel-view.ts";
import { type Target, endTargets, targetProgram } from "./target.ts";

const HUGE_PAGES = 512;
const LARGE_PAGES = 32;
const QUIET = { retry: 2 };

afterAll(endTargets);

interface Family {
  readonly parent: Target;
  readonly child: Target;
  readonly other: Target;
  /** Ranges of pages that are looked at: the same in all of them. */
  readonly areas: readonly { readonly start: number; readonly end: number }[];
}

async function family(ctx: Parameters<typeof targetProgram>[0]): Promise<Family> {
  const program = targetProgram(ctx);
  const parent = program.start();
  const { large, huge } = await withFolios(ctx, program, async ({ writeLarge, writeHuge }) => ({
    large: await writeLarge(parent, "large", LARGE_PAGES / 16),
    huge: await writeHuge(parent, "huge", 1),
  }));
  const child = await parent.fork();
  const other = await parent.fork();
  // The child has copies of some pages, and lets go of others.
  await child.askAll("write large 0 3", "unmap large 20 4", "write huge 7 1");
  const areas = [
    { start: large, end: large + LARGE_PAGES },
    { start: huge, end: huge + HUGE_PAGES },
  ];
  return { parent, child, other, areas };
}

/** What the areas hold: for each of their pages in each process the folio, by the order in which they are met. */
async function areasOf(capture: LiveCapture, { areas }: Family, pids: readonly (string | number)[], then: string) {
  const { history, machine } = await createCaptureHistory(capture, parseWhatIf([then]), { schemes: [] });
  while (history.next() !== undefined);
  const numbers = new Map<number, number>();
  const lines = machine.mmIds().flatMap((mm) =>
    machine.vmasOf(mm).flatMap((vma) =>
      areas.flatMap(({ start, end }) =>
        [...machine.runsIn(vma, start, end - start)].flatMap(({ page, frame, pages, step, level }) =>
          Array.from({ length: pages }, (_, i) => {
            const folio = machine.headOf(frame + step * i);
            const number = numbers.get(folio) ?? numbers.size;
            numbers.set(folio, number);
            const about = `order ${machine.orderOf(folio)}, ${machine.entriesOf(folio)} entries`;
            return `${page + i}: level ${level}, folio ${number} page ${frame + step * i - folio}, ${about}`;
          }),
        ),
      ),
    ),
  );
  expect(lines.length, "the areas are mapped").toBeGreaterThan(HUGE_PAGES);
  expect(machine.mmCount, "the processes are all there").toBe(pids.length);
  return lines;
}

/** A step that changes nothing. */
function nothing({ parent }: Family): string {
  return `fork ${parent.pid}; exit ${parent.pid}.1`;
}

test("exit of a child on a capture is what is captured after it has exited", QUIET, async (ctx) => {
  const all = await family(ctx);
  const { parent, child, other } = all;
  const rest = [parent.pid, other.pid];
  const expected = await withCapture(only(parent, child, other), async (capture) =>
    areasOf(capture, all, rest, `exit ${child.pid}`),
  );
  await child.ask("exit");
  while (isThere(child)) await new Promise((resolve) => setImmediate(resolve));
  const found = await withCapture(only(parent, other), async (capture) => areasOf(capture, all, rest, nothing(all)));
  expect(found).toEqual(expected);
});

test("fork on a capture is what is captured after a fork", QUIET, async (ctx) => {
  const all = await family(ctx);
  const { parent, child, other } = all;
  const pids = [parent.pid, child.pid, other.pid, "the new one"];
  const expected = await withCapture(only(parent, child, other), async (capture) =>
    areasOf(capture, all, pids, `fork ${parent.pid}`),
  );
  const forked = await parent.fork();
  const found = await withCapture(only(parent, child, other, forked), async (capture) =>
    areasOf(capture, all, pids, nothing(all)),
  );
  expect(found).toEqual(expected);
});

test("writes of a child on a capture copy the pages that the kernel copies", QUIET, async (ctx) => {
  const all = await family(ctx);
  const { parent, child, other, areas } = all;
  const pids = [parent.pid, child.pid, other.pid];
  const [{ start }] = areas;
  const range = `${(start * 4096).toString(16)}-${((start + 16) * 4096).toString(16)}`;
  const expected = await withCapture(only(parent, child, other), async (capture) =>
    areasOf(capture, all, pids, `write ${child.pid} ${range} every 2`),
  );
  await child.ask("write large 0 8 2");
  const found = await withCapture(only(parent, child, other), async (capture) =>
    areasOf(capture, all, pids, nothing(all)),
  );
  expect(found).toEqual(expected);
});

function isThere({ pid }: Target): boolean {
  try {
    return framesOf(pid, 1024, 1).length > 0;
  } catch {
    return false;
  }
}
