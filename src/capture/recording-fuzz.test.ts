import { createHash } from "node:crypto";
import { cpSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeTestDirectory } from "../../test/captured-child.ts";
import { AS_IT_IS, contentOf, writeChanged } from "../../test/changed-captures.ts";
import { BadCapture } from "./bad-capture.ts";
import { Recorder } from "./recorder.ts";
import { openRecording } from "./recording.ts";

const home = makeTestDirectory();
const recording = join(home.path, "recording");

afterAll(() => home.remove());

describe("whatever is done to a recording, each capture is the one that was taken or says why not", () => {
  const good = join(home.path, "good");
  const CHANGES = [AS_IT_IS, { ...AS_IT_IS, frame: 660 }, { ...AS_IT_IS, name: "x" }, { ...AS_IT_IS, without: [1] }];
  let contents: unknown[] = [];
  let files: string[] = [];

  beforeAll(async () => {
    const recorder = new Recorder(good, { createdBy: "a test", append: false });
    const when = { dueAtMs: 1_700_000_000_000, intervalMs: 5000, missedIntervals: 0 };
    for (const each of CHANGES) await recorder.add(when, (path) => writeChanged(path, each));
    const opened = openRecording(good);
    expect(opened.captures.map((each) => "entry" in each && each.entry.difference === null)).toEqual([
      true,
      false,
      false,
      false,
    ]);
    contents = [];
    for (const number of CHANGES.keys()) {
      contents.push(await contentOf(await opened.openCapture(number, { threads: 1 })));
    }
    files = readdirSync(good, { recursive: true, encoding: "utf8" }).filter((name) =>
      statSync(join(good, name)).isFile(),
    );
  });

  /** Numbers of the captures that open. Those that do must be right; the others must say why not. */
  async function readable({ isExact = true } = {}): Promise<number[]> {
    const found: number[] = [];
    let opened;
    try {
      opened = openRecording(recording);
    } catch (error) {
      expect(error).toBeInstanceOf(BadCapture);
      return found;
    }
    for (const { number } of opened.captures) {
      try {
        const capture = await opened.openCapture(number, { threads: 1 });
        const content = await contentOf(capture);
        found.push(number);
        if (isExact) expect(content).toEqual(contents[number]);
      } catch (error) {
        if (!(error instanceof BadCapture)) throw error;
      }
    }
    return found;
  }

  test("a recording that was cut anywhere opens up to its last complete capture", async () => {
    for (const last of [0, 1, 2, 3]) {
      rmSync(recording, { recursive: true, force: true });
      cpSync(good, recording, { recursive: true });
      for (const number of CHANGES.keys()) {
        if (number > last) rmSync(join(recording, `00000${number}`), { recursive: true });
      }
      // What a killed recorder leaves of the next one.
      cpSync(join(good, "000001"), join(recording, `.00000${last + 1}.partial-1-abcdef`), { recursive: true });
      expect(await readable()).toEqual(Array.from({ length: last + 1 }, (_, number) => number));
    }
  });

  test("a file that is cut short, missing or another one damages its capture and those that build on it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.constantFrom("cut", "remove", "flip"), fc.nat(), async (which, how, at) => {
        rmSync(recording, { recursive: true, force: true });
        cpSync(good, recording, { recursive: true });
        const name = files[which % files.length];
        const path = join(recording, name);
        const bytes = readFileSync(path);
        if (how === "cut") truncateSync(path, at % bytes.length);
        else if (how === "remove") rmSync(path);
        else {
          bytes[at % bytes.length] ^= 0xff;
          writeFileSync(path, bytes);
        }
        // entry.json and manifest.json are plain text: a changed time, say, is not noticed.
        const left = await readable({ isExact: !name.endsWith(".json") });
        const damaged = name === "recording.json" ? 0 : Number(name.slice(0, 6));
        expect(left).toEqual(expect.arrayContaining(Array.from({ length: damaged }, (_, number) => number)));
        if (!name.endsWith(".json")) expect(left).not.toContain(damaged);
      }),
      { numRuns: 12 },
    );
  });

  test("changed files under an entry made to fit", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.array(fc.record({ at: fc.nat(), byte: fc.nat({ max: 255 }) }), { minLength: 1, maxLength: 4 }),
        async (which, bytesChanged) => {
          rmSync(recording, { recursive: true, force: true });
          cpSync(good, recording, { recursive: true });
          const tables = files.filter((name) => /^00000[1-3].*parquet$/.test(name));
          const name = tables[which % tables.length];
          const bytes = readFileSync(join(recording, name));
          for (const { at, byte } of bytesChanged) bytes[at % bytes.length] = byte;
          writeFileSync(join(recording, name), bytes);
          reseal(join(recording, name.slice(0, 6)), name.slice(7), bytes);
          try {
            const opened = openRecording(recording);
            await contentOf(await opened.openCapture(3, { threads: 1 }));
          } catch (error) {
            expect(error).toBeInstanceOf(BadCapture);
          }
        },
      ),
      { numRuns: 20 },
    );
  });

  test("an entry that claims more rows than memory has", async () => {
    rmSync(recording, { recursive: true, force: true });
    cpSync(good, recording, { recursive: true });
    const path = join(recording, "000001", "entry.json");
    writeFileSync(path, readFileSync(path, "utf8").replace(/("table":"vmas","bytes":\d+,"rows":)\d+/, "$19000000"));
    await expect(openRecording(recording).openCapture(1)).rejects.toThrow('rows in the table "vmas"');
  });

  test("an entry with any value anywhere", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(), { minLength: 1, maxLength: 5 }), fc.jsonValue(), async (way, value) => {
        rmSync(recording, { recursive: true, force: true });
        cpSync(good, recording, { recursive: true });
        const path = join(recording, "000001", "entry.json");
        const entry = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
        spoil(entry, way, value);
        writeFileSync(path, JSON.stringify(entry));
        try {
          await contentOf(await openRecording(recording).openCapture(2, { threads: 1 }));
        } catch (error) {
          expect(error).toBeInstanceOf(BadCapture);
        }
      }),
      { numRuns: 20 },
    );
  });

  function reseal(directory: string, name: string, bytes: Buffer): void {
    const path = join(directory, "entry.json");
    const entry = JSON.parse(readFileSync(path, "utf8")) as {
      difference: { files: { name: string; bytes: number; sha256: string }[] };
    };
    const file = entry.difference.files.find((each) => each.name === name);
    if (file !== undefined) file.sha256 = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(path, JSON.stringify(entry));
  }

  function spoil(json: Record<string, unknown>, way: readonly number[], value: unknown): void {
    let here = json;
    for (const [depth, step] of way.entries()) {
      const keys = Object.keys(here);
      const key = keys[step % keys.length];
      const next = here[key];
      if (depth === way.length - 1 || typeof next !== "object" || next === null || Object.keys(next).length === 0) {
        here[key] = value;
        return;
      }
      here = next as Record<string, unknown>;
    }
  }
});
