import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  copyCapture,
  editManifest,
  figuresOf,
  makeTestDirectory,
  resealManifest,
  startChild,
} from "../../test/captured-child.ts";
import { requireFile, requireRoot } from "../../test/full-run.ts";
import { BadCapture, type BadCaptureCode, CannotWriteCapture } from "./bad-capture.ts";
import { MAPPING_COLUMNS } from "./mapping-part.ts";
import { type StoredCapture, openCapture } from "./open-capture.ts";
import { writeTable } from "./parquet-table.ts";
import { BLOCK_RUNS } from "./run-blocks.ts";
import { MAPPINGS_TABLE } from "./table-schema.ts";
import { type WrittenCapture, writeCapture } from "./write-capture.ts";

const isRoot = process.geteuid?.() === 0;
const home = makeTestDirectory();
const good = join(home.path, "good");
const spoiled = join(home.path, "spoiled");
let child: Awaited<ReturnType<typeof startChild>>;
let written: WrittenCapture;
let stored: StoredCapture;

beforeAll(async () => {
  if (!isRoot) return;
  child = await startChild();
  written = await writeCapture(good, {
    createdBy: "Foliometer 0.0.0 (test)",
    threads: 1,
    withSmaps: true,
    select: ({ pid }) => pid === child.pid || pid === process.pid,
  });
  stored = await openCapture(good, { threads: 1 });
});

afterAll(async () => {
  await stored?.close();
  await written?.capture.close();
  child?.stop();
  home.remove();
});

/** The error of opening what a test has done to a copy of the good capture. */
async function errorAfter(spoil: (directory: string) => void | Promise<void>): Promise<BadCapture> {
  copyCapture(good, spoiled);
  await spoil(spoiled);
  const opened = await openCapture(spoiled, { threads: 1 }).catch((error: unknown) => error);
  if (!(opened instanceof BadCapture)) throw new Error("the spoiled capture was opened", { cause: opened });
  expect(opened.message).toMatch(/^[^\n]+; [^\n]+\.$/);
  return opened;
}

describe("a capture read back", () => {
  test("has the processes, VMAs and the machine of the live one", (ctx) => {
    requireRoot(ctx);
    const { capture } = written;
    expect(stored.processes).toEqual(capture.processes);
    expect(stored.vmas).toEqual(capture.vmas);
    expect(stored.machine).toEqual(capture.machine);
    expect(Array.from(stored.mmAlive)).toEqual(Array.from(capture.mmAlive));
    expect(stored.folioCgroups).toEqual(capture.folioCgroups);
    expect([stored.agreement, stored.cost, stored.notes]).toEqual([capture.agreement, capture.cost, capture.notes]);
    expect(stored.wholeMachine).toBe(false);
  });

  test("counts every frame and every class of pages as the live one does", async (ctx) => {
    requireRoot(ctx);
    const { frames, folios } = written.capture;
    expect(Buffer.compare(stored.frames.kind, frames.kind)).toBe(0);
    expect(Buffer.compare(bytesOf(stored.frames.mapcount), bytesOf(frames.mapcount))).toBe(0);
    expect(folios.count).toBeGreaterThan(0);
    const figures = await figuresOf(written.capture);
    expect(figures.size).toBeGreaterThan(50);
    expect(await figuresOf(stored)).toEqual(figures);
  });

  test("keeps counts that the kernel corrected, because the test's own libraries are mapped by others too", (ctx) => {
    requireRoot(ctx);
    expect(stored.frames.corrected).toEqual(written.capture.frames.corrected);
    expect(stored.frames.corrected.length).toBeGreaterThan(0);
  });

  test("knows what smaps said of VMAs that had not changed", (ctx) => {
    requireRoot(ctx);
    const { firstVma, endVma } = stored.processes.find(({ pid }) => pid === child.pid)!;
    const rows = Array.from({ length: endVma - firstVma }, (_, index) => firstVma + index);
    const known = rows.filter((row) => stored.smapsOf(row) !== undefined);
    expect(known.length).toBeGreaterThan(rows.length / 2);
    for (const row of known) {
      expect(stored.smapsOf(row)!.size).toBe((stored.vmas[row].endPage - stored.vmas[row].startPage) * 4);
      expect(stored.smapsOf(row)!.vmFlags).toContain("mr");
    }
    expect(stored.smapsOf(-1)).toBeUndefined();
  });

  test("answers the same from several threads", async (ctx) => {
    requireRoot(ctx);
    requireFile(ctx, "dist/capture/capture-worker.js");
    const directory = join(home.path, "threads");
    const twice = await writeCapture(directory, {
      createdBy: "test",
      threads: 2,
      select: ({ pid }) => pid === child.pid,
    });
    const opened = await openCapture(directory, { threads: 2 });
    expect(await figuresOf(opened)).toEqual(await figuresOf(twice.capture));
    await opened.close();
    await twice.capture.close();
  });

  test("adds up in DuckDB, which reads every table as it stands", async (ctx) => {
    requireRoot(ctx);
    const connection = await (await DuckDBInstance.create()).connect();
    const ask = async (sql: string): Promise<Record<string, unknown>> =>
      (await connection.runAndReadAll(sql)).getRowObjects()[0];
    for (const { name, rows } of written.manifest.files) {
      expect(await ask(`select count(*) as n from '${join(good, name)}'`)).toEqual({ n: BigInt(rows) });
    }
    const { n } = await ask(`select sum(pages) as n from '${good}/mappings-*.parquet' where (bits & 256) != 0`);
    expect(Number(n)).toBe(stored.cost.entriesPresent);
    const byVma = await ask(
      `select count(*) as n from '${good}/mappings-*.parquet' m join '${good}/vmas.parquet' v using (vma)
       where m.address >= v.start_address and m.address + m.pages * 4096 <= v.end_address`,
    );
    expect(Number(byVma.n)).toBe(written.manifest.files.find(({ name }) => name === "mappings-0.parquet")!.rows);
    const process = await ask(
      `select name, state, vm_rss_bytes from '${good}/processes.parquet' where pid = ${child.pid}`,
    );
    const own = stored.processes.find(({ pid }) => pid === child.pid)!;
    expect(process).toEqual({ name: own.name, state: own.state, vm_rss_bytes: BigInt(own.status.vmRssBytes!) });
    const folios = await ask(`select sum(entries) as n from '${good}/folios.parquet' where "order" > 0`);
    expect(Number(folios.n)).toBe(stored.folios.entries.reduce((sum, entries) => sum + entries, 0));
    connection.closeSync();
  });
});

function bytesOf(words: Int32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

describe("what is refused", () => {
  const cases: readonly (readonly [string, BadCaptureCode, (directory: string) => void | Promise<void>])[] = [
    ["a directory that is not there", "not-a-capture", (directory) => rmSync(directory, { recursive: true })],
    [
      "an empty directory",
      "not-a-capture",
      (directory) => {
        rmSync(directory, { recursive: true });
        mkdirSync(directory);
      },
    ],
    [
      "a file",
      "not-a-capture",
      (directory) => {
        rmSync(directory, { recursive: true });
        writeFileSync(directory, "");
      },
    ],
    [
      "another program's manifest",
      "not-a-capture",
      (directory) => editManifest(directory, (manifest) => (manifest.format = "something-else")),
    ],
    ["tables without a manifest", "incomplete", (directory) => rmSync(join(directory, "manifest.json"))],
    [
      "a manifest that is not complete",
      "incomplete",
      (directory) => editManifest(directory, (manifest) => (manifest.complete = false)),
    ],
    [
      "a manifest of a later version",
      "newer-version",
      (directory) =>
        editManifest(directory, (manifest) => {
          manifest.formatVersion = 2;
          manifest.files = [];
        }),
    ],
    ["a manifest that is not JSON", "damaged", (directory) => truncateSync(join(directory, "manifest.json"), 100)],
    ["a missing table", "damaged", (directory) => rmSync(join(directory, "vmas.parquet"))],
    ["a file that ends early", "truncated", (directory) => truncateSync(join(directory, "mappings-0.parquet"), 5000)],
    ["an empty file", "truncated", (directory) => truncateSync(join(directory, "folios.parquet"), 0)],
    ["one changed byte", "damaged", (directory) => changeByte(join(directory, "mappings-0.parquet"), 4000)],
    [
      "two tables that changed places",
      "damaged",
      (directory) => {
        renameSync(join(directory, "corrections.parquet"), join(directory, "x"));
        renameSync(join(directory, "disagreements.parquet"), join(directory, "corrections.parquet"));
        renameSync(join(directory, "x"), join(directory, "disagreements.parquet"));
      },
    ],
    [
      "a directory in a table's place",
      "damaged",
      (directory) => {
        rmSync(join(directory, "vmas.parquet"));
        mkdirSync(join(directory, "vmas.parquet"));
      },
    ],
    [
      "a file name that leads out of the directory",
      "damaged",
      (directory) => editManifest(directory, (manifest) => (manifest.files[0].name = "../good/machine.parquet")),
    ],
    ["a table that DuckDB compressed again", "foreign", (directory) => recompress(directory, "vmas.parquet")],
    ["mappings that DuckDB compressed again", "foreign", (directory) => recompress(directory, "mappings-0.parquet")],
    [
      "recompressed mappings under a manifest made to fit",
      "foreign",
      async (directory) => {
        await recompress(directory, "mappings-0.parquet");
        resealManifest(directory);
      },
    ],
    ["a machine with larger pages", "other-page-size", (directory) => rewriteMachine(directory, 16_384)],
    ["a run that leaves its VMA", "damaged", (directory) => changeRuns(directory, "address")],
    ["a run of a VMA that there is not", "damaged", (directory) => changeRuns(directory, "vma")],
    ["a run with no pages", "damaged", (directory) => changeRuns(directory, "pages")],
    ["a run with bits that nobody knows", "damaged", (directory) => changeRuns(directory, "bits")],
  ];
  test.for(cases)("%s (%s)", async ([, code, spoil], ctx) => {
    requireRoot(ctx);
    expect((await errorAfter(spoil)).code).toBe(code);
  });

  test("with a sentence that names the file, what is wrong with it and what to do", async (ctx) => {
    requireRoot(ctx);
    const { message } = await errorAfter((directory) => truncateSync(join(directory, "folios.parquet"), 11));
    expect(message).toMatch(
      /^A capture that was cut short: .*folios\.parquet has 11 of [0-9]+ bytes; copy it again from where it came from, or capture again\.$/,
    );
  });
});

function changeByte(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] ^= 0x10;
  writeFileSync(path, bytes);
}

async function recompress(directory: string, name: string): Promise<void> {
  const connection = await (await DuckDBInstance.create()).connect();
  await connection.run(
    `copy (from '${join(good, name)}') to '${join(directory, name)}' (format parquet, compression zstd)`,
  );
  connection.closeSync();
}

function rewriteMachine(directory: string, pageSizeBytes: number): void {
  const path = join(directory, "machine.parquet");
  const bytes = readFileSync(path);
  const at = bytes.indexOf(Uint8Array.of(0x00, 0x10, 0x00, 0x00), 4);
  bytes.writeInt32LE(pageSizeBytes, at);
  writeFileSync(path, bytes);
  resealManifest(directory);
}

/** Sets the first value of a column of the mappings to -1. */
function changeRuns(directory: string, name: string): void {
  const path = join(directory, "mappings-0.parquet");
  const bytes = readFileSync(path);
  const rows = Math.min(BLOCK_RUNS, written.manifest.files.find((file) => file.name === "mappings-0.parquet")!.rows);
  let at = 4;
  for (const column of MAPPING_COLUMNS) {
    // The page header ends where its last two stop bytes are.
    at = bytes.indexOf(Uint8Array.of(0x15, 0x06, 0x15, 0x06, 0x00, 0x00), at) + 6;
    if (column.name === name) break;
    at += rows * column.bytes;
  }
  bytes.writeInt32LE(-1, at);
  writeFileSync(path, bytes);
  resealManifest(directory);
}

describe("writing a capture", () => {
  test("never replaces files that are no capture, and a capture only if forced", async (ctx) => {
    requireRoot(ctx);
    const options = { createdBy: "test", threads: 1, select: ({ pid }: { pid: number }) => pid === child.pid };
    const other = join(home.path, "other");
    mkdirSync(other);
    writeFileSync(join(other, "thesis.txt"), "years of work");
    await expect(writeCapture(other, { ...options, force: true })).rejects.toThrow(CannotWriteCapture);
    expect(readdirSync(other)).toEqual(["thesis.txt"]);
    const copy = copyCapture(good, join(home.path, "copy"));
    await expect(writeCapture(copy, options)).rejects.toThrow(/holds a capture already/);
    const replaced = await writeCapture(copy, { ...options, force: true });
    await replaced.capture.close();
    expect((await openCapture(copy, { threads: 1 })).processes.map(({ pid }) => pid)).toEqual([child.pid]);
    await expect(writeCapture(join(home.path, "no", "where"), options)).rejects.toThrow(/does not exist/);
    expect(readdirSync(home.path).filter((name) => name.includes("partial"))).toEqual([]);
  });

  test("leaves nothing behind when it is aborted", async (ctx) => {
    requireRoot(ctx);
    const place = makeTestDirectory();
    const controller = new AbortController();
    const capture = writeCapture(join(place.path, "aborted"), {
      createdBy: "test",
      threads: 1,
      signal: controller.signal,
      select({ pid }) {
        controller.abort();
        return pid === child.pid;
      },
    });
    await expect(capture).rejects.toThrow(/abort/);
    expect(readdirSync(place.path)).toEqual([]);
    place.remove();
  });

  test("leaves nothing behind when its process exits or is told to end, and nothing that opens after kill -9", async (ctx) => {
    requireRoot(ctx);
    requireFile(ctx, "dist/capture/index.js");
    const place = makeTestDirectory();
    await runCapture(place.path, "process.exit(3)", 3);
    expect(readdirSync(place.path)).toEqual([]);
    await runCapture(place.path, "process.kill(process.pid, 'SIGTERM')", null);
    expect(readdirSync(place.path)).toEqual([]);
    await runCapture(place.path, "process.kill(process.pid, 'SIGKILL')", null);
    const left = readdirSync(place.path);
    expect(left).toHaveLength(1);
    expect(left[0]).toMatch(/^\.night\.partial-[0-9]+-[0-9a-f]{6}$/);
    expect(existsSync(join(place.path, "night"))).toBe(false);
    await expect(openCapture(join(place.path, left[0]))).rejects.toMatchObject({
      name: "BadCapture",
      code: "incomplete",
    });
    place.remove();
  });
});

/** Runs a capture of the whole machine in a process of its own that does `end` when the first process is listed. */
async function runCapture(parent: string, end: string, status: number | null): Promise<void> {
  const script = `import { writeCapture } from ${JSON.stringify(join(process.cwd(), "dist/capture/index.js"))};
    await writeCapture(${JSON.stringify(join(parent, "night"))}, { createdBy: "test", select: () => { ${end}; return true; } });`;
  const capturing = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: "inherit" });
  expect(await new Promise((resolve) => capturing.once("exit", resolve))).toBe(status);
}

describe("a table", () => {
  test("of the mappings' columns written by the library is not taken for a part", async (ctx) => {
    requireRoot(ctx);
    const error = await errorAfter((directory) => {
      rmSync(join(directory, "mappings-0.parquet"));
      writeTable(join(directory, "mappings-0.parquet"), MAPPINGS_TABLE, 1, {
        vma: () => 0,
        address: () => 0,
        frame: () => 0,
        pages: () => 1,
        step: () => 1,
        bits: () => 256,
      });
      resealManifest(directory);
    });
    expect(error.code).toBe("foreign");
  });
});
