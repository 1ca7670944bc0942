/**
 * Watching a running machine: what is read anew and what is kept give the figures that the kernel prints.
 *
 * Targets stand still when they are looked at.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { type IncrementalCapture, IncrementalReader, type RefreshOptions } from "../../src/capture/index.ts";
import { SCHEMES } from "../../src/schemes/index.ts";
import { type WatchStudy, type WatchedProcess, studyMoment, studyVma, studyVmas } from "../../src/study/index.ts";
import { requireFile } from "../full-run.ts";
import { reportOf, reported } from "./captured.ts";
import { privateKb, rollup } from "./kernel-view.ts";
import { withFolios } from "./folios.ts";
import { startMenagerie } from "./menagerie.ts";
import { endTargets, type Target, targetProgram } from "./target.ts";

const home = mkdtempSync(join(tmpdir(), "foliometer-watch-"));

afterAll(async () => {
  rmSync(home, { recursive: true, force: true });
  await endTargets();
});

const KIB = 1024;
/** Others share libraries with a target and come and go. */
const PSS_TOLERANCE_KB = 16;
const ALL = { budgetMs: Infinity, turnMs: 0 };
const PARTS = { budgetMs: 50, turnMs: 0 };
const ROUNDS_MAX = 500;

async function withReader<T>(body: (reader: IncrementalReader) => Promise<T>): Promise<T> {
  const reader = new IncrementalReader();
  try {
    return await body(reader);
  } finally {
    reader.close();
  }
}

/** Starts a process in the target's address space (CLONE_VM). */
async function pidOfSharer(target: Target): Promise<number> {
  return Number((await target.ask("share"))[0]);
}

async function look(reader: IncrementalReader, options: RefreshOptions = ALL): Promise<WatchStudy> {
  return studyMoment(await reader.refresh(options), SCHEMES);
}

function find({ moment }: WatchStudy, { pid }: Target): WatchedProcess | undefined {
  return moment.processes.find((process) => process.pid === pid);
}

/** Rss, Pss and Uss of a target as watched and as its smaps_rollup has them, kB. */
function expectKernelFigures(study: WatchStudy, target: Target): void {
  const found = find(study, target);
  const kernel = rollup(target.pid);
  expect({ rss: (found?.rssBytes ?? 0) / KIB, uss: (found?.schemes["page"].ussBytes.least ?? 0) / KIB }).toEqual({
    rss: kernel.rss,
    uss: privateKb(kernel),
  });
  const pss = (found?.schemes["page"].pssBytes ?? 0) / KIB;
  expect(Math.abs(pss - kernel.pss)).toBeLessThanOrEqual(PSS_TOLERANCE_KB);
}

test("after every change a refresh has the kernel's figures, of those who changed and of those who share with them", async (ctx) => {
  const target = targetProgram(ctx).start();
  await target.askAll("map small anon 4000", "write small 0 2000");
  await withReader(async (reader) => {
    expectKernelFigures(await look(reader), target);
    await target.ask("write small 2000 1000");
    expectKernelFigures(await look(reader), target);
    const child = await target.fork();
    const shared = await look(reader);
    for (const each of [target, child]) expectKernelFigures(shared, each);
    // The parent does nothing; its pages become its own by what the child does.
    await child.ask("write small 0 700 3");
    const copied = await look(reader);
    for (const each of [target, child]) expectKernelFigures(copied, each);
    expect(find(copied, target)?.schemes["page"].ussBytes.least).toBeGreaterThan(700 * 4 * KIB);
    await target.ask("unmap small 100 50");
    const cut = await look(reader);
    for (const each of [target, child]) expectKernelFigures(cut, each);
    child.kill();
    target.kill();
    await target.ended;
    expect(find(await look(reader), target)).toBeUndefined();
  });
});

test(
  "of a machine with everything on it a reading in parts says the same as one in one go",
  { timeout: 180_000 },
  async (ctx) => {
    const { targets } = await startMenagerie(ctx, targetProgram(ctx));
    await withReader(async (reader) => {
      // In parts of 50 ms of reading, until all were read.
      let capture = await reader.refresh(PARTS);
      const isThere = ({ pid }: Target): boolean => capture.processes.some((process) => process.pid === pid);
      for (let rounds = 0; !targets.every(isThere) && rounds < ROUNDS_MAX; rounds++) {
        capture = await reader.refresh(PARTS);
      }
      const study = await look(reader);
      const whole = await reportOf({});
      const figuresOf = ({
        rssBytes,
        hugetlbBytes,
        swapBytes,
        schemes,
      }: Omit<WatchedProcess, "pssChangeBytes" | "rssChangeBytes">) => ({
        rssBytes,
        hugetlbBytes,
        swapBytes,
        uss: Object.values(schemes).map(({ ussBytes }) => ussBytes),
      });
      for (const target of targets) {
        const found = find(study, target);
        expect(found && figuresOf(found)).toEqual(figuresOf(reported(whole, target)));
      }
    });
  },
);

test("who shares an address space has its figures in the moment in which the owner executes", async (ctx) => {
  const target = targetProgram(ctx).start();
  await target.askAll("map small anon 1000", "write small 0 1000");
  const sharers = [await pidOfSharer(target), await pidOfSharer(target)];
  await withReader(async (reader) => {
    const before = await reader.refresh(ALL);
    const stateOf = ({ processes }: IncrementalCapture, pid: number): string | undefined =>
      processes.find((process) => process.pid === pid)?.state;
    expect([target.pid, ...sharers].map((pid) => stateOf(before, pid))).toEqual(["complete", "shares-mm", "shares-mm"]);
    await target.ask("execute");
    await target.map("map other anon 10");
    const after = await look(reader);
    expectKernelFigures(after, target);
    // The first of them that is read has the address space, whichever it is.
    expect(new Set(sharers.map((pid) => stateOf(after.capture, pid)))).toEqual(new Set(["complete", "shares-mm"]));
    const owner = after.moment.processes.find(({ pid, state }) => sharers.includes(pid) && state === "complete");
    expect((owner?.rssBytes ?? 0) / KIB).toBe(rollup(owner?.pid ?? 0).rss);
    expect(owner?.schemes["page"].ussBytes.least).toBeGreaterThanOrEqual(1000 * 4 * KIB);
  });
  for (const pid of sharers) process.kill(pid, "SIGKILL");
});

test("who shares an address space is not counted beside it when its VMAs were split since", async (ctx) => {
  const target = targetProgram(ctx).start();
  await target.askAll("map small anon 1000", "write small 0 1000");
  const sharer = await pidOfSharer(target);
  await withReader(async (reader) => {
    await reader.refresh(ALL);
    // Nothing of it shows in stat: only the sharer, which is in view, is read.
    await target.ask("protect small 100 5 1");
    const study = await look(reader, { ...ALL, first: new Set([sharer]) });
    expectKernelFigures(study, target);
    expect(study.moment.processes.find(({ pid }) => pid === sharer)?.state).toBe("shares-mm");
  });
  process.kill(sharer, "SIGKILL");
});

test("who stands still is not read again, but for its turn", async (ctx) => {
  const target = targetProgram(ctx).start();
  await target.askAll("map small anon 5000", "write small 0 5000");
  await withReader(async (reader) => {
    const first = await reader.refresh(ALL);
    expect(first.reading.entriesPresent).toBeGreaterThan(5000);
    const second = await reader.refresh(ALL);
    expect(second.reading.readProcesses).toBeLessThan(first.processes.length);
    expect(second.oldestReadAtMs).toBeLessThan(second.reading.atMs);
    // A turn for all: everything is younger than the refresh before it.
    const third = await reader.refresh({ budgetMs: Infinity, turnMs: Infinity });
    expect(third.oldestReadAtMs).toBeGreaterThanOrEqual(second.reading.atMs);
  });
});

test("a VMA's folios add up to what it maps, and its sharers are those who map its pages", async (ctx) => {
  const target = targetProgram(ctx).start();
  await target.askAll("map small anon 64", "write small 0 64", "map zero anon 600", "read zero 0 64");
  const child = await target.fork();
  await child.ask("write small 0 16 3");
  await withReader(async (reader) => {
    const study = await look(reader);
    const start = Number.parseInt((await target.ask("where small"))[0] ?? "", 16) / 4096;
    const vma = studyVmas(study, target.pid)?.find(({ startPage, endPage }) => startPage <= start && start < endPage);
    const contents = await studyVma(study, target.pid, vma?.startPage ?? -1);
    const mapped = contents?.folios.reduce((all, { mappedBytes }) => all + mappedBytes, 0);
    expect(mapped).toBe(contents?.vma.rssBytes);
    const sharers = contents?.sharers.filter(({ pid }) => pid === child.pid);
    expect(sharers).toEqual([{ pid: child.pid, name: "target", bytes: 48 * 4 * KIB }]);
    expect(await studyVma(study, target.pid, 1)).toBeUndefined();
    // Pages that were read and never written are the zero page: everybody's, and nobody's memory.
    const zero = Number.parseInt((await target.ask("where zero"))[0] ?? "", 16) / 4096;
    const ofZero = await studyVma(study, target.pid, zero);
    expect({ rss: ofZero?.vma.rssBytes, folios: ofZero?.folios, sharers: ofZero?.sharers }).toEqual({
      rss: 0,
      folios: [],
      sharers: [],
    });
    expect(studyVmas(study, 2 ** 22)).toBeUndefined();
  });
});

test("a VMA's large folios are shared by whoever maps them beside it, and lack what nobody maps", async (ctx) => {
  const program = targetProgram(ctx);
  const target = program.start();
  const start = await withFolios(ctx, program, async ({ writeHuge }) => writeHuge(target, "big", 2));
  // Two VMAs: the second folio lies in both.
  await target.askAll("protect big 600 424 1", "advise big 100 50 4");
  await withReader(async (reader) => {
    const foliosOf = async (study: WatchStudy) => {
      const contents = await studyVma(study, target.pid, start);
      return contents?.folios.map(({ order, folios, mappedBytes, partialFolios, unmappedBytes, sharedFolios }) => ({
        order,
        folios,
        mapped: mappedBytes / 4096,
        partialFolios,
        unmapped: unmappedBytes / 4096,
        sharedFolios,
      }));
    };
    const alone = { order: 9, folios: 2, mapped: 550, partialFolios: 1, unmapped: 50, sharedFolios: 1 };
    expect(await foliosOf(await look(reader))).toEqual([alone]);
    await target.fork();
    expect(await foliosOf(await look(reader))).toEqual([{ ...alone, sharedFolios: 2 }]);
  });
});

test("a VMA is listed by its file's name as people read it", async (ctx) => {
  const target = targetProgram(ctx).start();
  const path = join(home, "日本語-é");
  writeFileSync(path, Buffer.alloc(4096));
  await target.askAll(`open file ${path}`, "mapfd named file 0 1 shared", "read named 0 1");
  await withReader(async (reader) => {
    const vmas = studyVmas(await look(reader), target.pid);
    expect(vmas?.map(({ name }) => name)).toContain(path);
  });
});

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

test("without a terminal it is one sentence, and --batch prints moments", async (ctx) => {
  targetProgram(ctx);
  requireFile(ctx, MAIN);
  const run = async (...args: string[]): Promise<{ code: number | null; out: string; err: string }> => {
    const child = spawn(process.execPath, [MAIN, "watch", ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    let err = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    return { code, out, err };
  };
  const refused = await run();
  expect(refused).toMatchObject({ code: 2, out: "" });
  expect(refused.err).toMatch(/^foliometer: .*terminal.*--batch N.*\.\n$/);
  const { code, out } = await run("--batch", "2", "--json", "--interval", "100ms", "--pid", String(process.pid));
  expect(code).toBe(0);
  const moments = out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as WatchStudy["moment"]);
  expect(moments.map(({ schema, version, processes }) => [schema, version, processes.map(({ pid }) => pid)])).toEqual(
    Array.from({ length: 2 }, () => ["foliometer-watch", 1, [process.pid]]),
  );
  expect(moments[1].processes[0].pssChangeBytes).not.toBeNull();
  const nobody = await run("--batch", "1", "--pid", "4194304");
  expect(nobody).toMatchObject({
    code: 2,
    out: "",
    err: "foliometer: There is no process 4194304 with memory of its own.\n",
  });
});
