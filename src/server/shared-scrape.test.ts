import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { HeldSource, madeUpScrape } from "../../test/server/made-up-scrape.ts";
import { SharedScrape } from "./shared-scrape.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const failures: string[] = [];

function share(source: HeldSource, minIntervalMs = 1000): SharedScrape {
  failures.length = 0;
  return new SharedScrape(source, { minIntervalMs, onFailure: (message) => failures.push(message) });
}

test("two requests at once are one scrape, and its figures are the same object for both", async () => {
  const source = new HeldSource();
  const shared = share(source);
  const answers = Promise.all([shared.answer(2000), shared.answer(2000), shared.answer(500)]);
  await vi.advanceTimersByTimeAsync(100);
  const scrape = madeUpScrape();
  source.finish(scrape);
  expect(await answers).toEqual([
    { how: "fresh", scrape },
    { how: "shared", scrape },
    { how: "shared", scrape },
  ]);
  expect(source.begun).toHaveLength(1);
});

test("a scrape gets less than the request's budget, so that the answer can still be written", async () => {
  const source = new HeldSource();
  void share(source).answer(2000);
  await vi.advanceTimersByTimeAsync(0);
  expect(source.begun).toEqual([1800]);
});

test("within the least interval, counted from a scrape's beginning, its figures are given again, and then never", async () => {
  const source = new HeldSource();
  const shared = share(source, 1000);
  const first = shared.answer(2000);
  await vi.advanceTimersByTimeAsync(400);
  source.finish();
  expect((await first).how).toBe("fresh");
  await vi.advanceTimersByTimeAsync(599);
  expect((await shared.answer(2000)).how).toBe("cached");
  expect(source.begun).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  const next = shared.answer(2000);
  await vi.advanceTimersByTimeAsync(0);
  expect(source.begun).toHaveLength(2);
  source.finish();
  expect((await next).how).toBe("fresh");
});

test("what a hasty request left out is not given to one with more time, and to another hasty one it is", async () => {
  const source = new HeldSource();
  const shared = share(source, 1000);
  const hasty = shared.answer(20);
  await vi.advanceTimersByTimeAsync(0);
  source.finish(madeUpScrape({ gaps: { unread: 0, stale: 2, refused: 0, ended: 0 } }));
  await hasty;
  expect((await shared.answer(20)).how).toBe("cached");
  const patient = shared.answer(2000);
  await vi.advanceTimersByTimeAsync(0);
  expect(source.begun).toEqual([18, 1800]);
  source.finish(madeUpScrape({ gaps: { unread: 1, stale: 0, refused: 0, ended: 0 } }));
  expect((await patient).how).toBe("fresh");
  expect((await shared.answer(2000)).how).toBe("cached");
});

test("without a least interval nothing is given twice", async () => {
  const source = new HeldSource();
  const shared = share(source, 0);
  for (let round = 1; round <= 3; round++) {
    const answer = shared.answer(2000);
    await vi.advanceTimersByTimeAsync(0);
    expect(source.begun).toHaveLength(round);
    source.finish();
    expect((await answer).how).toBe("fresh");
  }
});

test("who waits past his budget gets no figures, and the scrape goes on for the next one", async () => {
  const source = new HeldSource();
  const shared = share(source);
  const first = shared.answer(300);
  const heard = vi.fn();
  void first.then(heard);
  await vi.advanceTimersByTimeAsync(299);
  expect(heard).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(await first).toEqual({ how: "late" });
  const second = shared.answer(300);
  await vi.advanceTimersByTimeAsync(200);
  source.finish();
  expect((await second).how).toBe("shared");
  expect(source.begun).toHaveLength(1);
});

test("figures that came after their deadline are not given once they are old", async () => {
  const source = new HeldSource();
  const shared = share(source, 1000);
  const first = shared.answer(300);
  await vi.advanceTimersByTimeAsync(5000);
  source.finish();
  expect((await first).how).toBe("late");
  await vi.advanceTimersByTimeAsync(0);
  void shared.answer(300);
  await vi.advanceTimersByTimeAsync(0);
  expect(source.begun).toHaveLength(2);
});

test("a failure is told, and the next request tries anew", async () => {
  const source = new HeldSource();
  const shared = share(source);
  const first = shared.answer(300);
  source.fail(new Error("No root."));
  expect(await first).toEqual({ how: "failed", message: "No root." });
  expect(failures).toEqual(["No root."]);
  expect(shared.failed()).toBe("No root.");
  const second = shared.answer(300);
  await vi.advanceTimersByTimeAsync(0);
  source.finish();
  expect((await second).how).toBe("fresh");
  expect(shared.failed()).toBeUndefined();
});

test("the first reading has no limit, and those who ask meanwhile share it or are late", async () => {
  const source = new HeldSource();
  const shared = share(source);
  shared.warmUp();
  const early = shared.answer(300);
  await vi.advanceTimersByTimeAsync(300);
  expect((await early).how).toBe("late");
  expect(shared.knownProcesses()).toBeUndefined();
  const later = shared.answer(300);
  source.finish();
  expect((await later).how).toBe("shared");
  expect(source.begun).toEqual([Infinity]);
  expect(shared.knownProcesses()).toBeGreaterThan(0);
});
