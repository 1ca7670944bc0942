/**
 * Recordings of processes that do as they are told: each capture in one is what a capture at that moment was, and the
 * timeline counts the pages that were written between two.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { type Capture, Descendants, openRecorder, openRecording } from "../../src/capture/index.ts";
import type { TimelineReport } from "../../src/study/index.ts";
import { foliometer } from "../foliometer-in-process.ts";
import { requireRoot } from "../full-run.ts";
import { withCapture } from "./captured.ts";
import { endTargets, targetProgram } from "./target.ts";

const home = mkdtempSync(join(tmpdir(), "foliometer-recording-"));
const directory = join(home, "recording");
const WHEN = { dueAtMs: 1_700_000_000_000, intervalMs: 1000, missedIntervals: 0 };
const PAGE = 4096;

afterAll(async () => {
  rmSync(home, { recursive: true, force: true });
  await endTargets();
});
beforeEach(() => rmSync(directory, { recursive: true, force: true }));

/** What a capture says of address spaces: all that does not depend on who else runs. */
async function spacesOf(capture: Capture): Promise<unknown> {
  const runs = (await capture.presentRuns()).flatMap(({ count, ...columns }) =>
    Array.from({ length: count }, (_, row) => Object.values(columns).map((column) => column[row])),
  );
  const { processes, vmas, mmOfVma } = capture;
  return { processes, vmas, mmOfVma: [...mmOfVma], runs: runs.map((run) => run.join(" ")).toSorted() };
}

test("a capture out of a recording is the capture that was taken at that moment", async (ctx) => {
  requireRoot(ctx);
  const target = targetProgram(ctx).start();
  await target.map("map a anon 4096");
  await target.ask("write a 0 1000");
  const child = await target.fork();
  const recorder = await openRecorder(directory, { createdBy: "a test", append: false });
  const wanted: unknown[] = [];
  const steps = [
    () => child.ask("write a 10 100"),
    () => target.ask("unmap a 500 200"),
    () => child.map("map b shared 64"),
    () => child.ask("write b 0 64 2"),
  ];
  for (const step of [() => Promise.resolve(), ...steps]) {
    await step();
    target.stop();
    child.stop();
    const reading = { pids: [target.pid, child.pid], threads: 1 };
    await recorder.take(WHEN, reading);
    wanted.push(await withCapture(reading, spacesOf));
    target.resume();
    child.resume();
  }
  const recording = await openRecording(directory);
  const isKey = recording.captures.map((each) => "entry" in each && each.entry.difference === null);
  // So small a capture may change by half; then it is a key.
  expect(isKey[0]).toBe(true);
  expect(isKey).toContain(false);
  for (const number of [4, 2, 0, 1, 3]) {
    const capture = await recording.openCapture(number, { threads: 1 });
    expect(await spacesOf(capture)).toEqual(wanted[number]);
    await capture.close();
  }
});

test("the timeline shows the pages that were written between two captures, and nobody's before he was there", async (ctx) => {
  requireRoot(ctx);
  const target = targetProgram(ctx).start();
  await target.map("map a anon 4096");
  const recorder = await openRecorder(directory, { createdBy: "a test", append: false });
  await recorder.take(WHEN, { pids: [target.pid], threads: 1 });
  await target.ask("write a 0 3000");
  const child = await target.fork();
  await recorder.take(WHEN, { pids: [target.pid, child.pid], threads: 1 });
  await child.ask("write a 0 2000");
  await recorder.take(WHEN, { pids: [target.pid, child.pid], threads: 1 });
  child.kill();
  target.kill();
  const { stdout } = await foliometer("timeline", directory, "--json", "--threads", "1");
  const { points, processes } = JSON.parse(stdout) as TimelineReport;
  expect(points.map((point) => point.processes)).toEqual([1, 2, 2]);
  const [parents, childs] = [target, child].map(({ pid }) => processes.find((each) => each.pid === pid)?.figures ?? []);
  expect(childs[0]).toBeNull();
  // What the program takes for its own stack, buffers and libraries is less than a tenth of what it was told to write.
  const near = (pages: number): [number, number] => [pages * PAGE * 0.9, pages * PAGE * 1.1];
  const grown = (parents[1]?.rssBytes ?? 0) - (parents[0]?.rssBytes ?? 0);
  expect(grown).toBeGreaterThan(near(3000)[0]);
  expect(grown).toBeLessThan(near(3000)[1]);
  // The child's own copies: its Uss and its parent's grow by them, and the Pss of both by half.
  for (const figures of [parents, childs]) {
    const uss = (figures[2]?.ussBytes.least ?? 0) - (figures[1]?.ussBytes.least ?? 0);
    const pss = (figures[2]?.pssBytes ?? 0) - (figures[1]?.pssBytes ?? 0);
    expect(uss).toBeGreaterThan(near(2000)[0]);
    expect(uss).toBeLessThan(near(2000)[1]);
    expect(pss).toBeGreaterThan(near(1000)[0]);
    expect(pss).toBeLessThan(near(1000)[1]);
  }
});

test("a command is recorded until it ends, and its exit code passed on", async (ctx) => {
  requireRoot(ctx);
  // It ends when it sees that it was recorded once: the file is made by the test's loop below.
  const seen = join(home, "seen");
  const script = `while [ ! -e '${seen}' ]; do sleep 0.05; done; exit 7`;
  const options = ["--interval", "50ms", "--only", "--quiet", "--threads", "1"];
  const recorded = foliometer("record", "-o", directory, ...options, "--", "sh", "-c", script);
  while (!existsSync(join(directory, "000001"))) await new Promise((resolve) => setTimeout(resolve, 20));
  writeFileSync(seen, "");
  expect(await recorded).toMatchObject({ stdout: "", stderr: "", code: 7 });
  const recording = await openRecording(directory);
  expect(recording.captures.length).toBeGreaterThan(1);
  const capture = await recording.openCapture(1, { threads: 1 });
  expect(capture.processes.some(({ command }) => command.includes(script))).toBe(true);
  expect(capture.processes.every(({ name }) => ["sh", "sleep", "dash", "bash"].includes(name))).toBe(true);
  await capture.close();
});

test("a directory that fails while it is recorded into ends the recording, which is incomplete", async (ctx) => {
  requireRoot(ctx);
  const target = targetProgram(ctx).start();
  const options = ["--interval", "50ms", "--pid", String(target.pid), "--threads", "1", "--json"];
  const recorded = foliometer("record", "-o", directory, ...options);
  while (!existsSync(join(directory, "000001"))) await new Promise((resolve) => setTimeout(resolve, 20));
  rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
  const { stdout, stderr, code } = await recorded;
  expect(stderr).toMatch(/^foliometer: [^\n]+\.\n$/);
  expect(JSON.parse(stdout)).toMatchObject({ ended: "failed", exitCode: null });
  expect(code).toBe(3);
  target.kill();
});

test("an orphan stays a descendant of the one that it came from, once it was seen", async (ctx) => {
  const target = targetProgram(ctx).start();
  const child = await target.fork();
  const grandchild = await child.fork();
  const descendants = new Descendants(target.pid);
  expect(descendants.pids()).toEqual([target, child, grandchild].map(({ pid }) => pid).toSorted((a, b) => a - b));
  child.kill();
  const parentOf = (): string =>
    /^PPid:\t(?<pid>.*)$/m.exec(readFileSync(`/proc/${grandchild.pid}/status`, "utf8"))?.[1] ?? "";
  while (parentOf() === String(child.pid)) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(descendants.pids()).toContain(grandchild.pid);
  grandchild.kill();
  target.kill();
  await target.ended;
  expect(descendants.pids()).not.toContain(target.pid);
});
