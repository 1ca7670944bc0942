import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { copyCapture, editManifest, makeTestDirectory, resealManifest } from "../../test/captured-child.ts";
import { MADE_UP_RUNS, writeMadeUpCapture } from "../../test/made-up-capture.ts";
import { BadCapture } from "./bad-capture.ts";
import { openCapture } from "./open-capture.ts";
import { walkStruct } from "./plain-parquet.ts";

/** Opening a small capture takes 10 ms, on a busy machine ten times that; far more is called hanging. */
const HANGING_MS = 30_000;
/** What opening may add to the process's memory, other tests' garbage included. */
const GROWTH_BYTES_MAX = 256 * 1024 * 1024;

const home = makeTestDirectory();
const good = join(home.path, "good");
const spoiled = join(home.path, "spoiled");
let names: string[] = [];

beforeAll(() => {
  names = writeMadeUpCapture(good, MADE_UP_RUNS).files.map(({ name }) => name);
});

afterAll(() => home.remove());

/** Opens the spoiled copy; true if it opened. Anything but a capture or a BadCapture fails the test. */
async function opens(): Promise<boolean> {
  const before = process.memoryUsage().rss;
  const began = performance.now();
  try {
    const capture = await openCapture(spoiled, { threads: 1 });
    const classOfFrame = new Int32Array(new SharedArrayBuffer(capture.frames.frameCount * 4));
    await capture.countClasses(classOfFrame, 1);
    await capture.close();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(BadCapture);
    return false;
  } finally {
    expect(performance.now() - began).toBeLessThan(HANGING_MS);
    expect(process.memoryUsage().rss - before).toBeLessThan(GROWTH_BYTES_MAX);
  }
}

const change = fc.record({
  file: fc.nat(),
  // From the end as often as from the start: the footer lies there.
  fromEnd: fc.boolean(),
  at: fc.oneof(fc.nat({ max: 1000 }), fc.nat()),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 16 }),
});

function applyChange({ file, fromEnd, at, bytes }: typeof change extends fc.Arbitrary<infer T> ? T : never): boolean {
  const path = join(spoiled, names[file % names.length]);
  const content = readFileSync(path);
  const place = at % content.length;
  const from = fromEnd ? Math.max(0, content.length - 1 - place) : place;
  const before = Buffer.from(content);
  content.set(bytes.subarray(0, content.length - from), from);
  writeFileSync(path, content);
  return !before.equals(content);
}

describe("whatever is done to a capture, it opens or says why not", () => {
  test("changed bytes are always noticed", async () => {
    await fc.assert(
      fc.asyncProperty(change, async (made) => {
        copyCapture(good, spoiled);
        const changed = applyChange(made);
        expect(await opens()).toBe(!changed);
      }),
      { numRuns: 60 },
    );
  });

  test("changed bytes under a manifest made to fit", async () => {
    let opened = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        copyCapture(good, spoiled);
        for (const made of changes) applyChange(made);
        resealManifest(spoiled);
        if (await opens()) opened++;
      }),
      { numRuns: 400 },
    );
    // Some values may be anything; were none, this would test the checksum only.
    expect(opened).toBeGreaterThan(0);
  });

  test("files cut short, with and without a manifest made to fit", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.boolean(),
        async (file, share, reseal) => {
          copyCapture(good, spoiled);
          const path = join(spoiled, names[file % names.length]);
          const length = readFileSync(path).length;
          truncateSync(path, Math.floor(share * length));
          if (reseal) resealManifest(spoiled);
          expect(await opens()).toBe(Math.floor(share * length) === length);
        },
      ),
      { numRuns: 80 },
    );
  });

  test("files that changed places", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), async (one, other) => {
        copyCapture(good, spoiled);
        const [a, b] = [names[one % names.length], names[other % names.length]];
        writeFileSync(join(spoiled, a), readFileSync(join(good, b)));
        writeFileSync(join(spoiled, b), readFileSync(join(good, a)));
        resealManifest(spoiled);
        expect(await opens()).toBe(a === b);
      }),
      { numRuns: 40 },
    );
  });

  test("a manifest with any value anywhere", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(), { minLength: 1, maxLength: 5 }), fc.jsonValue(), async (way, value) => {
        copyCapture(good, spoiled);
        editManifest(spoiled, (manifest) => {
          let here: Record<string, unknown> = manifest;
          for (const [depth, step] of way.entries()) {
            const keys = Object.keys(here);
            const key = keys[step % keys.length];
            const next = here[key];
            if (
              depth === way.length - 1 ||
              typeof next !== "object" ||
              next === null ||
              Object.keys(next).length === 0
            ) {
              here[key] = value;
              return;
            }
            here = next as Record<string, unknown>;
          }
        });
        await opens();
      }),
      { numRuns: 200 },
    );
  });

  test("a manifest of any bytes", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.json().map((text) => Buffer.from(text)),
        ),
        async (bytes) => {
          copyCapture(good, spoiled);
          writeFileSync(join(spoiled, "manifest.json"), bytes);
          expect(await opens()).toBe(false);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("lengths in a file ask for nothing that the file does not have", () => {
  test("a footer with a list of a thousand million elements", async () => {
    copyCapture(good, spoiled);
    const path = join(spoiled, "corrections.parquet");
    // Field 2, a list of structs: size in a varint of five bytes.
    const footer = Buffer.from([0x29, 0xfc, 0x80, 0x94, 0xeb, 0xdc, 0x03, 0x00]);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(footer.length);
    writeFileSync(path, Buffer.concat([Buffer.from("PAR1"), footer, length, Buffer.from("PAR1")]));
    resealManifest(spoiled);
    expect(await opens()).toBe(false);
  });

  test("definition levels that repeat for a thousand million rows", async () => {
    copyCapture(good, spoiled);
    const path = join(spoiled, "processes.parquet");
    const bytes = readFileSync(path);
    // refusal_code: levels of six rows in one bit-packed group (3), the last two set (0x30); then "EACCES" with its length.
    const at = bytes.indexOf(Buffer.from("\x03\x30\x06\0\0\0EACCES", "latin1"));
    expect(at).toBeGreaterThan(0);
    // A run of 2^13 levels that are set.
    bytes.set([0x80, 0x80, 0x01, 0x01, 0, 0], at);
    writeFileSync(path, bytes);
    resealManifest(spoiled);
    expect(await opens()).toBe(false);
  });

  test("any bytes are walked as Thrift without leaving them", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const end = walkStruct(bytes, 0, bytes.length, 0);
        expect(end === -1 || (end > 0 && end <= bytes.length)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
