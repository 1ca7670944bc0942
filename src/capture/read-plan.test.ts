import { Worker } from "node:worker_threads";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { smallPlan } from "../../test/figures/fake-capture.ts";
import {
  ITEM_DONE,
  type ReadPlan,
  closePlan,
  createReadPlan,
  doneItems,
  finishItem,
  publishProcess,
  publishedItems,
  takeItem,
} from "./read-plan.ts";

const GIB_PAGES = 262_144;
/** Items of ordinary VMAs cover at most 4 GiB, those of a VMA above 256 GiB at most 64 GiB. */
const ITEM_PAGES = 4 * GIB_PAGES;
const SPARSE_ITEM_PAGES = 64 * GIB_PAGES;
const SPARSE_VMA_PAGES = 256 * GIB_PAGES;
/** 16 VMAs of 16 TiB are that many items. */
const ROWS = 8192;

const vmas = fc.array(
  fc.record({
    gap: fc.oneof(fc.nat(3), fc.constantFrom(512, 100_000)),
    pages: fc.oneof(
      fc.integer({ min: 1, max: 2000 }),
      fc.integer({ min: 1, max: 3 * ITEM_PAGES }),
      fc.constantFrom(ITEM_PAGES, ITEM_PAGES - 1, SPARSE_VMA_PAGES, SPARSE_VMA_PAGES + 1, 2 ** 30),
    ),
  }),
  { minLength: 1, maxLength: 8 },
);

interface Stretch {
  readonly vma: number;
  readonly from: number;
  readonly to: number;
}

/** Puts VMAs into the plan and publishes them as one process. */
function publish(plan: ReadPlan, recipe: readonly { gap: number; pages: number }[], mm = 0): Stretch[] {
  let page = 16;
  let vma = 0;
  while (plan.vmas.endPage[vma] > 0) vma++;
  const firstVma = vma;
  const stretches = recipe.map(({ gap, pages }) => {
    const from = page + gap;
    page = from + pages;
    plan.vmas.startPage[vma] = from;
    plan.vmas.endPage[vma] = page;
    return { vma: vma++, from, to: page };
  });
  expect(publishProcess(plan, { mm, fd: 40 + mm, firstVma, endVma: vma })).toBe(true);
  return stretches;
}

/** What a reader of an item will read: its part of each of its VMAs. */
function stretchesOf(plan: ReadPlan, item: number): Stretch[] {
  const stretches: Stretch[] = [];
  for (let vma = plan.firstVma[item]; vma < plan.endVma[item]; vma++) {
    const from = Math.max(plan.startPage[item], plan.vmas.startPage[vma]);
    stretches.push({ vma, from, to: Math.min(plan.endPage[item], plan.vmas.endPage[vma]) });
  }
  return stretches;
}

test("the items of a process cover each page of its VMAs once, in order, and no page between them", () => {
  fc.assert(
    fc.property(vmas, fc.boolean(), (recipe, second) => {
      const plan = smallPlan(ROWS);
      const expected = publish(plan, recipe);
      if (second) expected.push(...publish(plan, recipe, 1));
      const joined: { vma: number; from: number; to: number }[] = [];
      for (let item = 0; item < publishedItems(plan); item++) {
        expect(plan.fd[item]).toBe(40 + plan.mm[item]);
        for (const stretch of stretchesOf(plan, item)) {
          expect(stretch.to).toBeGreaterThan(stretch.from);
          const last = joined.at(-1);
          if (last?.vma === stretch.vma && last.to === stretch.from) last.to = stretch.to;
          else joined.push({ ...stretch });
        }
      }
      expect(joined).toEqual(expected);
    }),
    { numRuns: 150 },
  );
});

test("an item is no larger than it may be, and ends with a VMA or where no huge mapping can be cut", () => {
  fc.assert(
    fc.property(vmas, (recipe) => {
      const plan = smallPlan(ROWS);
      publish(plan, recipe);
      for (let item = 0; item < publishedItems(plan); item++) {
        const stretches = stretchesOf(plan, item);
        const pages = stretches.reduce((sum, { from, to }) => sum + to - from, 0);
        const last = stretches.at(-1)!;
        const isSparse = plan.vmas.endPage[last.vma] - plan.vmas.startPage[last.vma] > SPARSE_VMA_PAGES;
        expect(pages).toBeLessThanOrEqual(isSparse ? SPARSE_ITEM_PAGES : ITEM_PAGES);
        if (isSparse) expect(stretches).toHaveLength(1);
        expect(last.to === plan.vmas.endPage[last.vma] || last.to % 512 === 0).toBe(true);
      }
    }),
    { numRuns: 150 },
  );
});

test("16 TiB of reservation are 257 items at the most, and a VMA behind is in one of its own", () => {
  const plan = smallPlan(ROWS);
  publish(plan, [
    { gap: 0, pages: 2 ** 32 },
    { gap: 1, pages: 5 },
  ]);
  const items = publishedItems(plan);
  expect(items).toBeLessThanOrEqual(2 ** 32 / SPARSE_ITEM_PAGES + 2);
  expect([plan.firstVma[items - 1], plan.endVma[items - 1]]).toEqual([1, 2]);
});

test("a process without VMAs is no item", () => {
  const plan = smallPlan(ROWS);
  expect(publishProcess(plan, { mm: 0, fd: 3, firstVma: 0, endVma: 0 })).toBe(true);
  expect(publishedItems(plan)).toBe(0);
});

test("a plan that is full refuses a process whole, and takes a smaller one", () => {
  const plan = createReadPlan();
  // One item a VMA: each is larger than 256 GiB and reaches from one multiple of 64 GiB to less than the next.
  const huge = 2 ** 20 * SPARSE_ITEM_PAGES;
  plan.vmas.startPage[0] = 0;
  plan.vmas.endPage[0] = huge;
  plan.vmas.startPage[1] = huge;
  plan.vmas.endPage[1] = huge + SPARSE_ITEM_PAGES;
  plan.vmas.endPage[2] = 512;
  expect(publishProcess(plan, { mm: 0, fd: 3, firstVma: 0, endVma: 2 })).toBe(false);
  expect(publishedItems(plan)).toBe(0);
  expect(publishProcess(plan, { mm: 1, fd: 4, firstVma: 2, endVma: 3 })).toBe(true);
  expect([publishedItems(plan), plan.mm[0], plan.endPage[0]]).toEqual([1, 1, 512]);
});

test("items are taken once each and in order, and finished ones are counted", () => {
  const plan = smallPlan(ROWS);
  publish(plan, [{ gap: 0, pages: 3 * ITEM_PAGES }]);
  closePlan(plan);
  const taken: number[] = [];
  for (let item = takeItem(plan); item >= 0; item = takeItem(plan)) {
    taken.push(item);
    finishItem(plan, item, ITEM_DONE, 8);
  }
  expect(taken).toEqual([0, 1, 2, 3].slice(0, publishedItems(plan)));
  expect(doneItems(plan)).toBe(taken.length);
  expect(takeItem(plan)).toBe(-1);
});

/** Takes items as takeItem does, in plain JavaScript that a thread can run: the protocol of `control`, restated. */
const TAKER = `
const { workerData, parentPort } = require("node:worker_threads");
const taken = [];
for (;;) {
  const item = Atomics.add(workerData, 2, 1);
  let published = Atomics.load(workerData, 0);
  while (item >= published && Atomics.load(workerData, 1) === 0) {
    Atomics.wait(workerData, 0, published, 10);
    published = Atomics.load(workerData, 0);
  }
  if (item >= Atomics.load(workerData, 0)) break;
  taken.push(item);
  Atomics.add(workerData, 3, 1);
}
parentPort.postMessage(taken);
`;

test("while items are published, threads take every item exactly once and end when the plan is closed", async () => {
  const plan = smallPlan(ROWS);
  const replies = Array.from({ length: 2 }, () => {
    const worker = new Worker(TAKER, { eval: true, workerData: plan.control });
    return new Promise<number[]>((resolve, reject) => worker.once("message", resolve).once("error", reject));
  });
  for (let mm = 0; mm < 60; mm++) {
    publish(plan, [{ gap: 0, pages: 2 * ITEM_PAGES }], mm);
    await new Promise((resolve) => setImmediate(resolve));
  }
  closePlan(plan);
  const own: number[] = [];
  for (let item = takeItem(plan); item >= 0; item = takeItem(plan)) own.push(item);
  const taken = [own, ...(await Promise.all(replies))];
  for (const list of taken) expect(list).toEqual(list.toSorted((a, b) => a - b));
  const all = taken.flat().sort((a, b) => a - b);
  expect(all).toEqual(Array.from({ length: publishedItems(plan) }, (_, item) => item));
});
