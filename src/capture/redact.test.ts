import { closeSync, mkdirSync, openSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { figuresOf, makeTestDirectory, startChild } from "../../test/captured-child.ts";
import { requireRoot } from "../../test/full-run.ts";
import {
  MADE_UP_FRAMES,
  MADE_UP_RUNS,
  MADE_UP_VMA_PAGES,
  type MadeUpRun,
  countedByHand,
  madeUpFacts,
  writeMadeUpCapture,
} from "../../test/made-up-capture.ts";
import { FolioColumns, KIND_ANON } from "../kernel/index.ts";
import { FramePermutation } from "./frame-permutation.ts";
import { readMappingGroups } from "./mapping-file.ts";
import { StoredGroups } from "./mapping-part.ts";
import { openCapture } from "./open-capture.ts";
import { Pseudonyms, redactionKey } from "./pseudonyms.ts";
import { redactCapture } from "./redact.ts";
import {
  ADDRESS_AT,
  BITS_AT,
  BLOCK_RUNS,
  FRAME_AT,
  PAGES_AT,
  RUN_PRESENT,
  RUN_SWAP,
  STEP_AT,
  VMA_AT,
  WORDS_PER_RUN,
} from "./run-blocks.ts";
import { writeCapture } from "./write-capture.ts";

const home = makeTestDirectory();
let directories = 0;
const place = (): string => join(home.path, `${directories++}`);
afterAll(() => home.remove());

/** Frame (or swap word) of every page, by VMA and page of it. */
function pagesOf(directory: string): Map<string, number> {
  const pages = new Map<string, number>();
  const block = new Int32Array(BLOCK_RUNS * WORDS_PER_RUN);
  const store = new StoredGroups();
  for (const name of readdirSync(directory).filter((file) => file.startsWith("mappings-"))) {
    for (const group of readMappingGroups(join(directory, name))) {
      store.load(store.addGroup(group), block);
      for (let at = 0; at < group.rows; at++) {
        const frame = (block[FRAME_AT + 2 * at] >>> 0) + (block[FRAME_AT + 2 * at + 1] >>> 0) * 2 ** 32;
        const address = (block[ADDRESS_AT + 2 * at] >>> 0) + (block[ADDRESS_AT + 2 * at + 1] >>> 0) * 2 ** 32;
        for (let page = 0; page < block[PAGES_AT + at]; page++) {
          const key = `${block[VMA_AT + at]} ${address + page * 4096} ${block[BITS_AT + at]}`;
          pages.set(key, frame + page * block[STEP_AT + at]);
        }
      }
    }
  }
  store.close();
  return pages;
}

function bytesOfAll(directory: string): Buffer {
  return Buffer.concat(readdirSync(directory).map((name) => readFileSync(join(directory, name))));
}

const run: fc.Arbitrary<MadeUpRun> = fc
  .record({
    vma: fc.integer({ min: 0, max: 4 }),
    page: fc.integer({ min: 0, max: MADE_UP_VMA_PAGES - 1 }),
    frame: fc.integer({ min: 0, max: MADE_UP_FRAMES + 600 }),
    pages: fc.integer({ min: 1, max: 1500 }),
    direction: fc.constantFrom(-1, 0, 1),
    present: fc.boolean(),
  })
  .map(({ vma, page, frame, pages, direction, present }) => {
    const fits = Math.min(pages, MADE_UP_VMA_PAGES - page);
    const room = direction < 0 ? Math.min(fits, frame + 1) : fits;
    return present
      ? { vma, page, frame, pages: room, step: direction, bits: RUN_PRESENT }
      : { vma, page, frame: (frame << 5) | 3, pages: room, step: direction * 32, bits: RUN_SWAP };
  });

describe("a made-up capture", () => {
  test("opens with the counts that adding up page by page gives, and the kernel's corrections on top", async () => {
    const directory = place();
    writeMadeUpCapture(directory, MADE_UP_RUNS);
    const capture = await openCapture(directory, { threads: 1 });
    const expected = countedByHand(MADE_UP_RUNS);
    expected[1005] = 7;
    expected[9001] = 3;
    expect(capture.frames.mapcount.subarray(0, MADE_UP_FRAMES)).toEqual(expected);
    const { machine, processes, vmas, folios, folioCgroups, smaps } = madeUpFacts();
    expect([capture.machine, capture.processes, capture.vmas]).toEqual([machine, processes, vmas]);
    expect(capture.folioCgroups).toEqual(folioCgroups);
    expect(capture.smapsOf(2)).toEqual(smaps.fields(2));
    for (const column of ["headPfn", "order", "kind", "entries", "mappedPages", "mappedOutside", "observed"] as const) {
      expect(Array.from(capture.folios[column].subarray(0, 3))).toEqual(Array.from(folios[column].subarray(0, 3)));
    }
    await capture.close();
  });

  test("opens with the right counts whatever its runs", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(run, { maxLength: 30 }), async (runs) => {
        const directory = place();
        const facts = { ...madeUpFacts(), corrections: { pfn: [], mapcount: [] } };
        writeMadeUpCapture(directory, runs, facts);
        const capture = await openCapture(directory, { threads: 1 });
        expect(Buffer.compare(wordBytes(capture.frames.mapcount, MADE_UP_FRAMES), wordBytes(countedByHand(runs)))).toBe(
          0,
        );
        await capture.close();
      }),
      { numRuns: 40 },
    );
  });
});

function wordBytes(words: Int32Array, length = words.length): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, length * 4);
}

describe("a redacted capture", () => {
  test("gives exactly the figures of the original", async () => {
    const [from, to] = [place(), place()];
    writeMadeUpCapture(from, MADE_UP_RUNS);
    const manifest = await redactCapture(from, to);
    expect(manifest.redaction).toMatchObject({ pfns: true, strings: true });
    const original = await openCapture(from, { threads: 1 });
    const redacted = await openCapture(to, { threads: 1 });
    const figures = await figuresOf(original);
    expect(figures.size).toBeGreaterThan(10);
    expect(await figuresOf(redacted)).toEqual(figures);
    expect(redacted.smapsOf(2)).toEqual(original.smapsOf(2));
    await original.close();
    await redacted.close();
  });

  test("gives the figures of the original whatever its runs, and moves frames and swap slots one to one", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(run, { maxLength: 30 }), async (runs) => {
        const [from, to] = [place(), place()];
        writeMadeUpCapture(from, runs);
        await redactCapture(from, to, { key: "a key" });
        const original = await openCapture(from, { threads: 1 });
        const redacted = await openCapture(to, { threads: 1 });
        expect(await figuresOf(redacted)).toEqual(await figuresOf(original));
        await original.close();
        await redacted.close();
        // A frame has one pseudonym in the machine and one outside of it, for runs that leave the machine's frames.
        const moved = pagesOf(to);
        const there = new Map<string, number>();
        const back = new Map<number, string>();
        for (const [key, frame] of pagesOf(from)) {
          const target = moved.get(key)!;
          const present = (Number(key.split(" ")[2]) & RUN_PRESENT) !== 0;
          const name = `${present} ${frame} ${present && target >= 2 ** 40}`;
          expect(there.get(name) ?? target).toBe(target);
          there.set(name, target);
          const image = present ? target : -1 - target;
          expect(back.get(image) ?? name).toBe(name);
          back.set(image, name);
          const unit = present ? 1 : 32;
          expect(Math.floor(target / unit) % 512).toBe(Math.floor(frame / unit) % 512);
          if (!present) expect(target % 32).toBe(frame % 32);
        }
        expect(moved.size).toBe(pagesOf(from).size);
      }),
      { numRuns: 25 },
    );
  });

  test("holds no byte of what was planted in strings", async () => {
    const [from, to] = [place(), place()];
    const manifest = writeMadeUpCapture(from, MADE_UP_RUNS);
    expect(bytesOfAll(from).includes("planted")).toBe(true);
    const redacted = await redactCapture(from, to);
    const bytes = bytesOfAll(to);
    for (const text of ["srv", "password", "library", "424242424", madeUpFacts().machine.bootId]) {
      expect([text, bytes.includes(text)]).toEqual([text, false]);
    }
    // The release is kept: it decides how the kernel counts.
    expect(bytes.toString("latin1").replaceAll("6.18.0-planted", "")).not.toContain("planted");
    const inode = Buffer.alloc(8);
    inode.writeBigUInt64LE(424_242_424n);
    expect([bytesOfAll(from).includes(inode), bytes.includes(inode)]).toEqual([true, false]);
    expect(redacted.notes[0]).toMatch(/^Holes were read through, because \/path-[0-9a-f]{10} is missing\.$/);
    expect(redacted.files.length).toBe(manifest.files.length);
  });

  test("gives its frames others: over sixteen keys, a frame stays where it was by chance alone", async () => {
    const from = place();
    writeMadeUpCapture(from, MADE_UP_RUNS);
    const before = [...pagesOf(from)];
    expect(before.length).toBeGreaterThan(1000);
    let stayed = 0;
    for (let key = 0; key < 16; key++) {
      const to = place();
      await redactCapture(from, to, { key: `key ${key}` });
      const moved = pagesOf(to);
      stayed += before.filter(([at, frame]) => moved.get(at) === frame).length;
    }
    // The largest folio has eight places to choose from, and pages that share a folio stay or move together.
    expect(stayed / 16).toBeLessThan(before.length / 4);
  });

  test("is the same for the same key, and another for another key or none", async () => {
    const from = place();
    writeMadeUpCapture(from, MADE_UP_RUNS);
    const [one, two, other, random, again] = [place(), place(), place(), place(), place()];
    await redactCapture(from, one, { key: "key" });
    await redactCapture(from, two, { key: "key" });
    await redactCapture(from, other, { key: "another key" });
    await redactCapture(from, random);
    await redactCapture(from, again);
    expect(bytesOfAll(two).equals(bytesOfAll(one))).toBe(true);
    for (const [a, b] of [
      [one, other],
      [one, random],
      [random, again],
    ]) {
      expect(bytesOfAll(a).equals(bytesOfAll(b))).toBe(false);
    }
  });

  test("of a real child: figures equal, its command line gone, and two captures with one key agree", async (ctx) => {
    requireRoot(ctx);
    const child = await startChild("planted-secret-argument");
    const options = { createdBy: "test", threads: 1, select: ({ pid }: { pid: number }) => pid === child.pid };
    const [plain, one, two, direct] = [place(), place(), place(), place()];
    const first = await writeCapture(plain, options);
    await redactCapture(plain, one, { key: "key" });
    const second = await writeCapture(direct, { ...options, redact: { key: "key" } });
    child.stop();
    await redactCapture(plain, two);
    expect(bytesOfAll(plain).includes("planted-secret-argument")).toBe(true);
    const secrets = [
      "planted-secret-argument",
      first.capture.machine.bootId,
      ...first.capture.processes.map(({ command }) => command),
      ...first.capture.vmas.map(({ name }) => name).filter((name) => name.startsWith("/") && name !== "/dev/zero"),
    ];
    for (const redacted of [one, two, direct]) {
      const bytes = bytesOfAll(redacted);
      expect(secrets.filter((secret) => bytes.includes(secret))).toEqual([]);
      const opened = await openCapture(redacted, { threads: 1 });
      if (redacted !== direct) expect(await figuresOf(opened)).toEqual(await figuresOf(first.capture));
      await opened.close();
    }
    const [a, b] = [await openCapture(one, { threads: 1 }), await openCapture(direct, { threads: 1 })];
    expect(b.processes.map(({ command, name }) => [command, name])).toEqual(
      a.processes.map(({ command, name }) => [command, name]),
    );
    expect(b.vmas.map(({ name, inode }) => [name, inode])).toEqual(a.vmas.map(({ name, inode }) => [name, inode]));
    const [framesOfOne, framesOfDirect] = [pagesOf(one), pagesOf(direct)];
    const agreeing = [...framesOfOne].filter(([key, frame]) => framesOfDirect.get(key) === frame).length;
    expect(agreeing).toBeGreaterThan(framesOfOne.size * 0.9);
    await Promise.all([a, b, first.capture, second.capture].map(async (capture) => capture.close()));
  });
});

describe("the permutation of frames", () => {
  test("is one to one, keeps the place in a block, and moves folios as aligned wholes", () => {
    const key = redactionKey("key");
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40_000 }),
        fc.uniqueArray(fc.record({ order: fc.integer({ min: 1, max: 14 }), slot: fc.nat(40_000) }), { maxLength: 12 }),
        (frameCount, wanted) => {
          const folios = new FolioColumns();
          const taken = new Uint8Array(frameCount + 2 ** 14);
          const placed = wanted
            .map(({ order, slot }) => ({ order, head: (slot * 2 ** order) % (frameCount + 1) }))
            .map(({ order, head }) => ({ order, head: head - (head % 2 ** order) }))
            .filter(({ order, head }) => {
              if (head >= frameCount || taken.subarray(head, head + 2 ** order).includes(1)) return false;
              taken.fill(1, head, head + 2 ** order);
              return true;
            })
            .sort((a, b) => a.head - b.head);
          for (const { order, head } of placed) folios.append(head, order, KIND_ANON, false);
          const frames = new FramePermutation(key, frameCount, folios);
          const seen = new Uint8Array(frameCount);
          for (let pfn = 0; pfn < frameCount; pfn++) {
            const target = frames.frame(pfn);
            if (target >= frameCount || seen[target] === 1 || target % 512 !== pfn % 512) expect.fail(`frame ${pfn}`);
            seen[target] = 1;
          }
          for (const { order, head } of placed) {
            const target = frames.frame(head);
            expect(target % 2 ** order).toBe(0);
            const last = Math.min(head + 2 ** order, frameCount) - 1;
            expect(frames.frame(last) - target).toBe(last - head);
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  test("of swap slots is one to one over every block of slots, under each type", () => {
    const frames = new FramePermutation(redactionKey("key"), 1, new FolioColumns());
    const seen = new Uint8Array(2 ** 18);
    for (let block = 0; block < 2 ** 18; block++) {
      const word = frames.swapWord((block << 14) | (77 << 5) | 9);
      if ((word & 31) !== 9 || ((word >>> 5) & 511) !== 77 || seen[word >>> 14] === 1) expect.fail(`block ${block}`);
      seen[word >>> 14] = 1;
    }
  });
});

describe("pseudonyms", () => {
  const names = new Pseudonyms(redactionKey("key"));

  test("keep what the kernel names", () => {
    for (const name of [
      "",
      "[heap]",
      "[stack]",
      "[vdso]",
      "[vvar]",
      "[vvar_vclock]",
      "/dev/zero",
      "anon_inode:[perf_event]",
    ]) {
      expect(names.vmaName(name)).toBe(name);
    }
    expect(names.vmaName("/dev/zero (deleted)")).toBe("/dev/zero (deleted)");
    expect(names.vmaName("[anon:secret]")).toMatch(/^\[anon:name-[0-9a-f]{10}\]$/);
    expect(names.vmaName("/memfd:secret (deleted)")).toMatch(/^\/memfd:path-[0-9a-f]{10} \(deleted\)$/);
    expect(names.vmaName("/dev/shm/PostgreSQL.123")).toMatch(/^\/dev\/shm\/path-[0-9a-f]{10}$/);
    expect(names.vmaName("/usr/lib/libc.so.6")).toMatch(/^\/path-[0-9a-f]{10}$/);
    expect(names.cgroup("/")).toBe("/");
    expect(names.user("1000", 1000)).toBe("1000");
  });

  test("are equal for equal strings and show what lies inside what", () => {
    expect(names.vmaName("/a/b (deleted)")).toBe(`${names.vmaName("/a/b")} (deleted)`);
    expect(names.cgroup("/a/b").startsWith(`${names.cgroup("/a")}/`)).toBe(true);
    expect(names.command("/usr/bin/redis-server *:6379").split(" ")[0]).toBe(names.name("program", "redis-server"));
    expect(names.command("[kthreadd]")).toBe(`[${names.name("program", "kthreadd")}]`);
    expect(names.name("program", "a")).not.toBe(names.name("program", "b"));
  });

  test("never let a part of a name through", () => {
    fc.assert(
      // Capitals, which no pseudonym has, amid whatever else.
      fc.property(fc.string(), fc.stringMatching(/^[A-Z]{4,10}$/), fc.string(), (before, word, behind) => {
        fc.pre(word !== "SYSV");
        const secret = `${before}${word}${behind}`;
        for (const name of [`/srv/${secret}`, secret, `[anon:${secret}]`, `/memfd:${secret}`, `${secret} (deleted)`]) {
          expect(names.vmaName(name)).not.toContain(word);
        }
        expect(names.command(secret)).not.toContain(word);
        expect(names.command(`[${secret}]`)).not.toContain(word);
        expect(names.cgroup(`/${secret}/${secret}`)).not.toContain(word);
      }),
    );
  });
});

test("a redaction that fails leaves nothing behind", async () => {
  const parent = makeTestDirectory();
  mkdirSync(join(parent.path, "empty"));
  closeSync(openSync(join(parent.path, "file"), "w"));
  await expect(redactCapture(join(parent.path, "empty"), join(parent.path, "to"))).rejects.toMatchObject({
    code: "not-a-capture",
  });
  expect(readdirSync(parent.path).sort()).toEqual(["empty", "file"]);
  parent.remove();
});
