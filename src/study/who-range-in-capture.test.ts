/** What speaks for it that nobody is missing: the kernel's counts of the pages asked about, and of no others. */
import { afterAll, expect, test } from "vitest";
import { captureSmallMachine } from "../../test/figures/fake-capture.ts";
import { WordFiles } from "../../test/figures/fake-proc.ts";
import { machineOf, mapPages } from "../../test/figures/machine-recipes.ts";
import { buildMachine } from "../../test/figures/small-machine.ts";
import type { Capture, CountVerdict } from "../capture/index.ts";
import { reportRangeInCapture } from "./who-range-in-capture.ts";

const files = new WordFiles();
afterAll(() => files.close());

async function comparedWith(recipe: Parameters<typeof buildMachine>[0]): Promise<Capture> {
  files.reuse();
  const capture = await captureSmallMachine(buildMachine(recipe), files, {
    threads: 1,
    shuffle: [0],
    templates: false,
  });
  const agreement = { ...capture.agreement, everyFrame: true, refusal: null, kernelCountsMore: 5, differAfter: 5 };
  return { ...capture, agreement };
}

/** Two processes with a folio of 4 pages and, in another VMA, 4 small ones; every frame was compared. */
async function compared(): Promise<Capture> {
  const folios = [{ order: 2 }, {}, {}, {}, {}];
  const recipe = machineOf(folios, [mapPages(0, 4)], { likes: 0 });
  const [first] = recipe.processes;
  const small = { gap: 3, shared: false, pieces: [1, 2, 3, 4].map((folio) => mapPages(folio, 1)) };
  const parent = { ...first, vmas: [...first.vmas, small] };
  return comparedWith({ ...recipe, processes: [parent, { ...first, like: 0, vmas: [] }] });
}

async function verdict(capture: Capture, row: number): Promise<CountVerdict> {
  const { startPage: start } = capture.vmas[row];
  const wants = ({ startPage }: { readonly startPage: number }): boolean => startPage === start;
  const report = await reportRangeInCapture(capture, { kind: "vmas", pid: 100, wants }, "every-page-table");
  if ("nothing" in report) throw new Error("the VMA is empty");
  return report.search.counts;
}

/** Adds to the mapcount of a page of the second VMA. */
async function change(capture: Capture, page: number, by: number): Promise<void> {
  const wants = capture.vmas.map((_, row) => (row === 1 ? 1 : 0));
  const [{ frame }] = await capture.presentRuns({ vmas: Uint8Array.from(wants) });
  capture.frames.mapcount[frame[0] + page] += by;
}

test("that the kernel counts more of other frames says nothing of these", async () => {
  expect(await verdict(await compared(), 0)).toBe("explained");
  expect(await verdict(await compared(), 1)).toBe("explained");
});

test("one page that the kernel counts more often shows that somebody is missing, there and not elsewhere", async () => {
  const capture = await compared();
  await change(capture, 3, 1);
  await change(capture, 0, -1);
  expect([await verdict(capture, 1), await verdict(capture, 0)]).toEqual(["kernel-counts-more", "explained"]);
});

test("a page that has lost a mapping meanwhile is counted less often", async () => {
  const capture = await compared();
  await change(capture, 1, -1);
  expect(await verdict(capture, 1)).toBe("kernel-counts-fewer");
});

test("where not every frame was compared nothing is claimed", async () => {
  const capture = await compared();
  const { agreement } = capture;
  expect(await verdict({ ...capture, agreement: { ...agreement, everyFrame: false } }, 1)).toBe("unchecked");
  expect(await verdict({ ...capture, agreement: { ...agreement, refusal: "no" } }, 1)).toBe("unchecked");
});

test("an average that agrees proves nothing of a large folio; one that is higher shows that somebody is missing", async () => {
  const capture = await compared();
  const averaged = { ...capture, machine: { ...capture.machine, mapcountConfig: "nopage" as const } };
  expect([await verdict(averaged, 0), await verdict(averaged, 1)]).toEqual(["average-agrees", "explained"]);
  capture.folios.mappedOutside[0] = 2;
  expect([await verdict(averaged, 0), await verdict(averaged, 1)]).toEqual(["kernel-counts-more", "explained"]);
});

test("a page that one VMA maps several times has as many mappings", async () => {
  expect(await verdict(await comparedWith(machineOf([{}], [mapPages(0, 3, { step: 0 })], { likes: 1 })), 0)).toBe(
    "explained",
  );
});

test("hugetlb has no average, so every kernel's count of it is a proof", async () => {
  const capture = await comparedWith(machineOf([{ order: 9, kind: "hugetlb" }], [{ type: "pmd", folio: 0 }]));
  const averaged = { ...capture, machine: { ...capture.machine, mapcountConfig: "nopage" as const } };
  expect(await verdict(averaged, 0)).toBe("explained");
  capture.frames.mapcount[capture.folios.headPfn[0]] = 2;
  expect(await verdict(averaged, 0)).toBe("kernel-counts-more");
});
