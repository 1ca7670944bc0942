import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { makeTestDirectory } from "../../test/captured-child.ts";
import { AS_IT_IS, type Change, change, contentOf, writeChanged } from "../../test/changed-captures.ts";
import { CannotWriteCapture } from "./bad-capture.ts";
import { openCapture } from "./open-capture.ts";
import { Recorder } from "./recorder.ts";
import { openRecording } from "./recording.ts";

const home = makeTestDirectory();
const recording = join(home.path, "recording");
const WHEN = { dueAtMs: 1_700_000_000_000, intervalMs: 5000, missedIntervals: 0 };
const OPTIONS = { createdBy: "a test", append: false };

afterAll(() => home.remove());
beforeEach(() => rmSync(recording, { recursive: true, force: true }));

/** Records captures with these changes. */
async function recordChanges(changes: readonly Change[], directory = recording, keyEvery = 60): Promise<boolean[]> {
  const recorder = new Recorder(directory, { ...OPTIONS, keyEvery });
  const keys: boolean[] = [];
  for (const each of changes) {
    keys.push((await recorder.add(WHEN, (path) => writeChanged(path, each))).isKey);
  }
  return keys;
}

async function contentAt(number: number, directory = recording): Promise<unknown> {
  return contentOf(await openRecording(directory).openCapture(number, { threads: 1 }));
}

describe("a capture out of a recording", () => {
  test("equals the capture that was taken then, whatever changed before and after", async () => {
    let differences = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 2, maxLength: 5 }), async (changes) => {
        rmSync(recording, { recursive: true, force: true });
        const keys = await recordChanges(changes);
        differences += keys.filter((isKey) => !isKey).length;
        const opened = openRecording(recording);
        for (const [number, each] of changes.entries()) {
          const alone = join(home.path, "alone");
          rmSync(alone, { recursive: true, force: true });
          writeChanged(alone, each);
          const wanted = await contentOf(await openCapture(alone, { threads: 1 }));
          expect(await contentOf(await opened.openCapture(number, { threads: 1 }))).toEqual(wanted);
        }
      }),
      { numRuns: 4 },
    );
    expect(differences).toBeGreaterThan(0);
  });

  test("is the same whether reached from its key or from the one before", async () => {
    await recordChanges([
      AS_IT_IS,
      { ...AS_IT_IS, frame: 660 },
      { ...AS_IT_IS, name: "x" },
      { ...AS_IT_IS, flags: -1 },
    ]);
    const opened = openRecording(recording);
    const contents: unknown[] = [];
    for (const number of [0, 1, 2, 3]) {
      contents.push(await contentOf(await opened.openCapture(number, { threads: 1 })));
    }
    for (const number of [3, 1, 2, 0]) expect(await contentAt(number)).toEqual(contents[number]);
  });

  test("is a capture of its own if it is a key", async () => {
    await recordChanges([AS_IT_IS]);
    const alone = await openCapture(join(recording, "000000"), { threads: 1 });
    expect(await contentOf(alone)).toEqual(await contentAt(0));
  });

  test("leaves nothing behind in the directory for temporary files", async () => {
    await recordChanges([AS_IT_IS, { ...AS_IT_IS, frame: 660 }]);
    const before = process.env["TMPDIR"];
    const temporary = join(home.path, "temporary");
    mkdirSync(temporary, { recursive: true });
    process.env["TMPDIR"] = temporary;
    try {
      await contentAt(1);
    } finally {
      if (before === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = before;
    }
    expect(readdirSync(temporary)).toEqual([]);
  });
});

describe("what a recorder writes", () => {
  test("a capture in which nothing changed has no new rows", async () => {
    const recorder = new Recorder(recording, OPTIONS);
    const first = await recorder.add(WHEN, (path) => writeChanged(path, AS_IT_IS));
    const second = await recorder.add(WHEN, (path) => writeChanged(path, AS_IT_IS));
    expect([first.isKey, first.newRows === first.rows]).toEqual([true, true]);
    expect([second.isKey, second.newRows]).toEqual([false, 0]);
    expect(readdirSync(join(recording, "000001")).toSorted()).toEqual(["entry.json", "steps.parquet"]);
  });

  test("a key comes at least every so many captures", async () => {
    const keys = await recordChanges(
      Array.from({ length: 6 }, () => AS_IT_IS),
      recording,
      4,
    );
    expect(keys.flatMap((isKey, number) => (isKey ? [number] : []))).toEqual([0, 4]);
  });

  test("a capture that fails leaves the recording as it was, and the next one is a key", async () => {
    const recorder = new Recorder(recording, OPTIONS);
    await recorder.add(WHEN, (path) => writeChanged(path, AS_IT_IS));
    const before = readdirSync(recording);
    await expect(
      recorder.add(WHEN, (path) => {
        writeChanged(path, AS_IT_IS);
        throw new Error("no more");
      }),
    ).rejects.toThrow("no more");
    expect(readdirSync(recording)).toEqual(before);
    expect((await recorder.add(WHEN, (path) => writeChanged(path, AS_IT_IS))).entry).toMatchObject({
      number: 1,
      difference: null,
    });
  });

  test("a full disk is told in one sentence", async () => {
    const recorder = new Recorder(recording, OPTIONS);
    const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    await expect(recorder.add(WHEN, () => Promise.reject(full))).rejects.toThrow(
      /^Cannot write .* \(ENOSPC\); the capt/,
    );
  });

  test("a recording that is there is refused, and gone on with when asked", async () => {
    await recordChanges([AS_IT_IS, AS_IT_IS]);
    expect(() => new Recorder(recording, OPTIONS)).toThrow(CannotWriteCapture);
    const appended = await new Recorder(recording, { ...OPTIONS, append: true }).add(WHEN, (path) =>
      writeChanged(path, AS_IT_IS),
    );
    expect([appended.entry.number, appended.isKey]).toEqual([2, true]);
    expect(openRecording(recording).captures.map(({ number }) => number)).toEqual([0, 1, 2]);
  });

  test("what a killed recorder left of a capture goes when the recording is gone on with, nothing else", async () => {
    await recordChanges([AS_IT_IS]);
    // No process has a pid beyond 2^22.
    const names = [
      ".000001.partial-4194305-abcdef",
      `.000001.partial-${process.pid}-abcdef`,
      ".000001.partial",
      "mine",
    ];
    for (const name of names) mkdirSync(join(recording, name));
    expect(new Recorder(recording, { ...OPTIONS, append: true }).directory).toBe(recording);
    expect(readdirSync(recording).toSorted()).toEqual([...names.slice(1), "000000", "recording.json"].toSorted());
  });

  test("files of others are left alone", () => {
    mkdirSync(recording);
    writeFileSync(join(recording, "mine"), "");
    for (const append of [false, true]) {
      expect(() => new Recorder(recording, { ...OPTIONS, append })).toThrow("it holds files that are no recording");
    }
    expect(readdirSync(recording)).toEqual(["mine"]);
  });

  test("is left as it is found meanwhile: removed, or with what somebody put there", () => {
    const removed = new Recorder(recording, OPTIONS);
    rmSync(recording, { recursive: true });
    removed.discard();
    expect(existsSync(recording)).toBe(false);
    const used = new Recorder(recording, OPTIONS);
    writeFileSync(join(recording, "notes"), "");
    used.discard();
    expect(readdirSync(recording)).toEqual(["notes"]);
  });

  test("a recorder that recorded nothing leaves the place as it was", () => {
    new Recorder(recording, OPTIONS).discard();
    expect(existsSync(recording)).toBe(false);
    mkdirSync(recording);
    new Recorder(recording, OPTIONS).discard();
    expect(readdirSync(recording)).toEqual([]);
  });
});
