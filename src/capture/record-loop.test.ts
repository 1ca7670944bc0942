import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type RecordLoopOptions, nextInterval, recordEvery } from "./record-loop.ts";
import type { RecordedWhen, Recorder, TakenCapture } from "./recorder.ts";

describe("which interval comes next", () => {
  test("the next one, if the capture before was done in time", () => {
    expect(nextInterval(3, 3500, 1000)).toEqual({ interval: 4, missed: 0 });
    expect(nextInterval(3, 4000, 1000)).toEqual({ interval: 4, missed: 0 });
  });
  test("the next that is still to come, if it was not; those between are missed", () => {
    expect(nextInterval(3, 4001, 1000)).toEqual({ interval: 5, missed: 1 });
    expect(nextInterval(3, 9500, 1000)).toEqual({ interval: 10, missed: 6 });
  });
  test("every interval is a capture or missed, and no capture is due in the past", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 7, noNaN: true })), (took) => {
        let elapsed = 0;
        let interval = 0;
        let [captures, missed] = [0, 0];
        for (const each of took) {
          elapsed = Math.max(elapsed, interval * 10) + each * 10;
          captures++;
          const next = nextInterval(interval, elapsed, 10);
          missed += next.missed;
          interval = next.interval;
          expect(interval * 10).toBeGreaterThanOrEqual(elapsed);
          expect(captures + missed).toBe(interval);
        }
      }),
    );
  });
});

describe("a recording ends", () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] }));
  afterEach(() => vi.useRealTimers());

  /** A recorder each of whose captures takes so many milliseconds. */
  function recorderOf(takes: readonly number[]): { readonly recorder: Recorder; readonly whens: RecordedWhen[] } {
    const whens: RecordedWhen[] = [];
    const take = async (when: RecordedWhen): Promise<TakenCapture> => {
      await new Promise((resolve) => setTimeout(resolve, takes[whens.length] ?? 1));
      whens.push(when);
      return { isKey: true, bytes: 0, rows: 0, newRows: 0, entry: {} } as unknown as TakenCapture;
    };
    return { recorder: { take } as unknown as Recorder, whens };
  }

  const [never, now] = [new AbortController().signal, AbortSignal.abort()];
  const OPTIONS: RecordLoopOptions = {
    intervalMs: 100,
    count: 5,
    reading: () => ({}),
    onTaken: () => undefined,
    stop: never,
    abort: never,
  };

  async function run(recorder: Recorder, options: Partial<RecordLoopOptions>): Promise<string> {
    const ended = recordEvery(recorder, { ...OPTIONS, ...options });
    await vi.runAllTimersAsync();
    return ended;
  }

  test("after so many captures, the late ones left out and counted", async () => {
    const { recorder, whens } = recorderOf([10, 250, 10, 100, 10]);
    expect(await run(recorder, {})).toBe("count");
    const due = whens.map(({ dueAtMs }) => dueAtMs - whens[0].dueAtMs);
    expect(due).toEqual([0, 100, 400, 500, 600]);
    expect(whens.map(({ missedIntervals }) => missedIntervals)).toEqual([0, 0, 2, 0, 0]);
  });
  test("after its time", async () => {
    const { recorder, whens } = recorderOf([]);
    expect(await run(recorder, { count: 99, forMs: 250 })).toBe("time");
    expect(whens.length).toBe(3);
  });
  test("before a capture that would be due just when its time is over", async () => {
    const { recorder, whens } = recorderOf([]);
    expect(await run(recorder, { count: 99, forMs: 300 })).toBe("time");
    expect(whens.length).toBe(3);
  });
  test("when there is nothing left to read", async () => {
    const { recorder, whens } = recorderOf([]);
    expect(await run(recorder, { reading: () => (whens.length < 2 ? {} : undefined) })).toBe("nothing-left");
  });
  test("when it is told to, before the first capture too", async () => {
    const { recorder, whens } = recorderOf([]);
    expect(await run(recorder, { stop: now })).toBe("stopped");
    expect(await run(recorder, { abort: now })).toBe("stopped");
    expect(whens).toEqual([]);
  });
  test("while it waits: at once, not when the next capture is due", async () => {
    const stop = new AbortController();
    const { recorder, whens } = recorderOf([]);
    const ended = recordEvery(recorder, { ...OPTIONS, intervalMs: 1e9, stop: stop.signal });
    await vi.advanceTimersByTimeAsync(50);
    stop.abort();
    expect(await ended).toBe("stopped");
    expect(whens.length).toBe(1);
  });
  test("with the error of a capture that cannot be taken", async () => {
    const recorder = { take: () => Promise.reject(new Error("no")) } as unknown as Recorder;
    await expect(recordEvery(recorder, OPTIONS)).rejects.toThrow("no");
  });
});
