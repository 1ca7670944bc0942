/**
 * What two captures say has changed is what was done to a process between them, mapping by mapping, and what the kernel's
 * own smaps_rollup changed by.
 */
import { afterAll, expect, test } from "vitest";
import { SCHEMES } from "../../src/schemes/index.ts";
import { type CaptureSide, type GroupChange, diffCaptures, ownScheme, readSide } from "../../src/study/index.ts";
import { only, withCapture } from "./captured.ts";
import { rollup } from "./kernel-view.ts";
import { endTargets, type Target, targetProgram } from "./target.ts";

afterAll(endTargets);

const PAGE = 4096;

async function sideOf(...targets: readonly Target[]): Promise<CaptureSide> {
  return withCapture(only(...targets), (capture) => readSide(capture, SCHEMES));
}

function compare(a: CaptureSide, b: CaptureSide): readonly GroupChange[] {
  return diffCaptures({
    a: { side: a, source: "before", scheme: ownScheme(a) },
    b: { side: b, source: "after", scheme: ownScheme(b) },
    by: "process",
    mappingsBy: "address",
    // The vdso is every process's: whoever starts or ends meanwhile moves some bytes of Pss.
    tolerance: { percent: 0, bytes: PAGE },
  }).groups;
}

/** Pages by which the mapping at a page changed. */
function rssPagesAt({ mappings }: GroupChange, page: number): number | undefined {
  const address = `${page.toString(16)}000`;
  const found = mappings.find(({ place }) => (place?.b ?? place?.a)?.address === address);
  return found && ((found.b?.rssBytes ?? 0) - (found.a?.rssBytes ?? 0)) / PAGE;
}

test("what a process filled, let go of and gave its child is what two captures differ by", async (ctx) => {
  const target = targetProgram(ctx).start();
  const grows = await target.map("map grows shared 2048");
  const shrinks = await target.map("map shrinks shared 1024");
  const stays = await target.map("map stays shared 512");
  await target.askAll("write grows 0 300", "write shrinks 0 1024", "write stays 0 512");
  const before = { side: await sideOf(target), rollup: rollup(target.pid) };
  const child = await target.fork();
  await child.ask("write grows 0 800");
  await target.askAll("write grows 300 700", "unmap shrinks 256 768", "write stays 0 512");
  const after = { side: await sideOf(target, child), rollup: rollup(target.pid) };
  const groups = compare(before.side, after.side);
  const change = groups.find(({ processes }) => processes.a[0]?.pid === target.pid) ?? expect.fail("it is not there");
  expect(change).toMatchObject({ presence: "both", differs: true });
  expect(rssPagesAt(change, grows)).toBe(700);
  expect(rssPagesAt(change, shrinks)).toBe(-768);
  const kb = (bytes: number | undefined): number => Math.floor((bytes ?? 0) / 1024);
  expect(kb(change.b?.rssBytes) - kb(change.a?.rssBytes)).toBe(after.rollup.rss - before.rollup.rss);
  expect(Math.abs(kb(change.a?.pssBytes) - before.rollup.pss)).toBeLessThanOrEqual(1);
  expect(Math.abs(kb(change.b?.pssBytes) - after.rollup.pss)).toBeLessThanOrEqual(1);
  // As many pages as before, and the child that has come maps the same.
  expect(rssPagesAt(change, stays) ?? 0).toBe(0);
  const came = groups.find(({ presence }) => presence === "only-b");
  expect(came?.processes.b[0]?.pid).toBe(child.pid);
  expect((came?.b?.rssShmemBytes ?? 0) / PAGE).toBeGreaterThanOrEqual(800);
});

test("a process that stands still does not differ, and one that ended went", async (ctx) => {
  const program = targetProgram(ctx);
  const [still, ends] = [program.start(), program.start()];
  await still.askAll("map heap anon 64", "write heap 0 64");
  await ends.askAll("map heap anon 64", "write heap 0 64");
  const before = await sideOf(still, ends);
  const same = compare(before, await sideOf(still, ends));
  expect(same).toHaveLength(2);
  for (const { presence, differs, a, b } of same) {
    expect({ presence, differs, rssBytes: b?.rssBytes }).toEqual({
      presence: "both",
      differs: false,
      rssBytes: a?.rssBytes,
    });
  }
  ends.kill();
  await ends.ended;
  const presences = compare(before, await sideOf(still)).map(({ presence, processes }) => [
    presence,
    processes.a[0]?.pid,
  ]);
  expect(presences).toEqual(
    expect.arrayContaining([
      ["only-a", ends.pid],
      ["both", still.pid],
    ]),
  );
});
