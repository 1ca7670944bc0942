/**
 * The C program of a scenario on the running kernel: it answers what another kernel has answered, says what it cannot do,
 * and leaves the machine as it was.
 *
 * The running kernel need not be the one of the recordings. What such kernels may differ in is left out by the rules of
 * `foliometer verify`; the rest must be the same on any kernel since 6.15 that counts every page.
 */
import { spawn, spawnSync } from "node:child_process";
import { on, once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { type TestContext, afterAll, beforeAll, expect, test } from "vitest";
import { lockSettings, unlockSettings } from "../settings-lock.ts";
import {
  type ReproduceOptions,
  type Scenario,
  compareRecords,
  describeDifference,
  parseReproduction,
  reproduceAsC,
  rulesForKernel,
  scenarioOf,
} from "../../src/scenario/index.ts";
import { requireCommand, requireFile, requireRoot, skipAlways } from "../full-run.ts";
import { recordedScenario, recording } from "../scenario/recordings.ts";

const THP = "/sys/kernel/mm/transparent_hugepage";
/** What the program may change, as far as this machine has it. */
const SETTINGS = [
  ...["enabled", "defrag", "shmem_enabled", "shrink_underused", "use_zero_page"].map((name) => `${THP}/${name}`),
  `${THP}/khugepaged/scan_sleep_millisecs`,
  `${THP}/khugepaged/alloc_sleep_millisecs`,
  ...[8, 16, 32, 64, 128, 256, 512, 1024, 2048].flatMap((size) =>
    ["enabled", "shmem_enabled"].map((name) => `${THP}/hugepages-${size}kB/${name}`),
  ),
  "/sys/kernel/mm/lru_gen/enabled",
  "/sys/kernel/mm/ksm/run",
  "/sys/kernel/mm/ksm/pages_to_scan",
  "/proc/sys/vm/nr_hugepages",
  "/proc/sys/vm/overcommit_ratio",
];

function settings(): Record<string, string> {
  return Object.fromEntries(SETTINGS.filter(existsSync).map((path) => [path, readFileSync(path, "utf8")]));
}

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(os.tmpdir(), "foliometer-reproduction-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function compile(ctx: TestContext, scenario: Scenario, options: ReproduceOptions = {}): string {
  requireRoot(ctx);
  requireFile(ctx, "/proc/kpageflags");
  requireFile(ctx, "/proc/kpagecount");
  const gcc = requireCommand(ctx, "gcc");
  const program = join(folder, scenario.file.replace(/\W/g, "_"));
  writeFileSync(`${program}.c`, reproduceAsC(scenario, options));
  const { status, stderr } = spawnSync(gcc, ["-O1", "-o", program, `${program}.c`], { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return program;
}

function isRecordedKind(): boolean {
  const [major, minor] = os
    .release()
    .split(".")
    .map((part) => Number.parseInt(part, 10));
  return process.arch === "x64" && (major > 6 || (major === 6 && minor >= 15)) && existsSync(`${THP}/hugepages-64kB`);
}

/** Scenarios that need nothing but memory, and differ between no two of these kernels. */
const COMPARED = [
  "a_thp_fork_unmap_half",
  "c_mthp64k",
  "d_shmem_partial3",
  "f_small_only",
  "q_average_rounding",
  "s_mlock",
];

beforeAll(lockSettings);
afterAll(unlockSettings);

for (const name of COMPARED) {
  test(`this kernel answers to ${name} what the recorded one did`, (ctx) => {
    if (!isRecordedKind()) skipAlways(ctx, `Linux ${os.release()} on ${process.arch} is another kind of kernel`);
    const before = settings();
    const { status, stdout, stderr } = spawnSync(compile(ctx, recordedScenario(name)), {
      encoding: "utf8",
      maxBuffer: 2 ** 28,
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const answers = parseReproduction(stdout);
    expect(answers).toMatchObject({ done: true, kernelRelease: os.release() });
    const rules = rulesForKernel(answers.record);
    const byConfig = (["page", "nopage"] as const).map((config) =>
      compareRecords(recording(name, config), answers.record, { rules }).differences.map((each) =>
        describeDifference(each, { left: config, right: "this kernel" }),
      ),
    );
    // Whichever way this kernel counts.
    expect(byConfig[0].length <= byConfig[1].length ? byConfig[0] : byConfig[1]).toEqual([]);
    expect(settings()).toEqual(before);
  });
}

test("what this machine cannot do ends the run with a sentence, and the settings are put back", (ctx) => {
  const text = "thp 64kB always\nsys /proc/sys/vm/overcommit_ratio 51\nspawn P\ndump 1\nP open 0 /mnt/f 4k\ndump 2";
  const before = settings();
  const { status, stdout } = spawnSync(compile(ctx, scenarioOf(text, "cannot.scn")), { encoding: "utf8" });
  expect(status).toBe(3);
  const { record, cannot, done } = parseReproduction(stdout);
  expect(record.steps.map(({ dump }) => dump.label)).toEqual(["1"]);
  expect(cannot).toEqual({ line: 5, reason: "there is no ext4 of the test's own at /mnt" });
  expect(done).toBe(false);
  expect(settings()).toEqual(before);
});

test("with timeCommands every command has its time", (ctx) => {
  const text = "spawn P\nP mmap a 0x200000000 4M rw anon,priv\nP touch @a 4M w\nP fork C\nC munmap @a 4M\nC exit";
  const { stdout } = spawnSync(compile(ctx, scenarioOf(text, "time.scn"), { timeCommands: true }), {
    encoding: "utf8",
  });
  const { times } = parseReproduction(stdout);
  expect(times.map(({ command }) => command.split(" = ")[0])).toEqual(text.replaceAll("@a", "0x200000000").split("\n"));
  for (const { elapsedNs } of times) expect(elapsedNs).toBeGreaterThan(0);
});

/** Processes whose program is this one. */
function running(program: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith(program);
    } catch {
      return false;
    }
  });
}

/** Reads on afterwards, so that the output's end is still seen. */
async function untilPrinted(stdout: Readable, text: string): Promise<void> {
  let output = "";
  for await (const [chunk] of on(stdout, "data", { close: ["end"] })) {
    output += String(chunk);
    if (output.includes(text)) return;
  }
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`${signal} ends the program and all its processes, and puts the settings back`, async (ctx) => {
    const text = "sys /proc/sys/vm/overcommit_ratio 51\nspawn P\nP fork C\nsleep 60000";
    const before = settings();
    const program = compile(ctx, scenarioOf(text, `${signal}.scn`));
    const child = spawn(program, { stdio: ["ignore", "pipe", "inherit"] });
    await untilPrinted(child.stdout, "> sleep");
    expect(settings()).not.toEqual(before);
    child.kill(signal);
    const [code] = (await once(child, "exit")) as [number | null];
    expect(code).toBe(128 + os.constants.signals[signal]);
    expect(running(program)).toEqual([]);
    expect(settings()).toEqual(before);
  });
}

test("a process group killed with SIGKILL leaves no process and no setting behind", async (ctx) => {
  const text = "sys /proc/sys/vm/overcommit_ratio 51\nspawn P\nP fork C\nsleep 60000";
  const before = settings();
  const program = compile(ctx, scenarioOf(text, "killed.scn"));
  const child = spawn(program, { stdio: ["ignore", "pipe", "inherit"], detached: true });
  await untilPrinted(child.stdout, "> sleep");
  expect(settings()).not.toEqual(before);
  const closed = once(child, "close");
  process.kill(-(child.pid ?? 0), "SIGKILL");
  expect(await once(child, "exit")).toEqual([null, "SIGKILL"]);
  // Its output is closed when the last of its processes is gone: the one that puts the settings back.
  await closed;
  expect(running(program)).toEqual([]);
  expect(settings()).toEqual(before);
});

test("a program whose answers nobody reads any more ends with 3, and puts the settings back", async (ctx) => {
  const text = `sys /proc/sys/vm/overcommit_ratio 51\nspawn P\nP fork C\n${"sleep 20\n".repeat(500)}`;
  const before = settings();
  const program = compile(ctx, scenarioOf(text, "unread.scn"));
  const child = spawn(program, { stdio: ["ignore", "pipe", "pipe"] });
  await untilPrinted(child.stdout, "> sleep");
  child.stdout.destroy();
  let complaint = "";
  child.stderr.on("data", (chunk: Buffer) => (complaint += chunk.toString("utf8")));
  expect(await once(child, "close")).toEqual([3, null]);
  expect(complaint).toContain("the answers cannot be written");
  expect(running(program)).toEqual([]);
  expect(settings()).toEqual(before);
});
