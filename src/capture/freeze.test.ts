import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { skipAlways } from "../../test/full-run.ts";
import { CannotFreeze, findPids, freezeCgroup, freezeProcesses, lineage } from "./freeze.ts";

const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }
});

/** A child that works without pause, in a thread of its own beside the main one. */
async function startBusyChild(): Promise<number> {
  const code = `
    const { Worker } = require("node:worker_threads");
    new Worker("for (;;) { for (let i = 0; i < 1e6; i++); }", { eval: true });
    process.stdout.write("ready");
    setInterval(() => undefined, 10);
  `;
  const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  await once(child.stdout, "data");
  return child.pid!;
}

async function startSleeper(): Promise<number> {
  const child = spawn("sleep", ["60"], { stdio: "ignore" });
  children.push(child);
  await once(child, "spawn");
  return child.pid!;
}

function stateOf(pid: number): string {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  return text.slice(text.lastIndexOf(")") + 2, text.lastIndexOf(")") + 3);
}

/** Clock ticks that a process has spent in user mode. */
function userTicks(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[11]);
}

async function waitForState(pid: number, state: RegExp): Promise<void> {
  await expect.poll(() => stateOf(pid)).toMatch(state);
}

test("all processes stand still until they are thawed, their threads too", async () => {
  const pids = [await startSleeper(), await startBusyChild()];
  const frozen = await freezeProcesses(pids);
  expect(frozen.by).toBe("signals");
  expect(frozen.stillRunning).toEqual([]);
  expect(pids.map(stateOf)).toEqual(["T", "T"]);
  frozen.thaw();
  for (const pid of pids) await waitForState(pid, /[SR]/);
});

test("a process that was stopped before stays stopped", async () => {
  const pid = await startSleeper();
  process.kill(pid, "SIGSTOP");
  await waitForState(pid, /T/);
  const frozen = await freezeProcesses([pid]);
  frozen.thaw();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(stateOf(pid)).toBe("T");
});

test("thawing twice continues once: who is stopped later by others stays so", async () => {
  const pid = await startSleeper();
  const frozen = await freezeProcesses([pid]);
  frozen.thaw();
  await waitForState(pid, /S/);
  process.kill(pid, "SIGSTOP");
  await waitForState(pid, /T/);
  frozen.thaw();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(stateOf(pid)).toBe("T");
});

test("neither this process nor its parent is frozen, and then nobody is", async () => {
  const pid = await startSleeper();
  for (const own of [process.pid, process.ppid]) {
    await expect(freezeProcesses([pid, own])).rejects.toThrow(CannotFreeze);
    expect(stateOf(pid)).not.toBe("T");
  }
  expect(lineage()).toContain(process.ppid);
});

test("a process that ended meanwhile is no obstacle", async () => {
  const pid = await startSleeper();
  const [child] = children;
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
  const frozen = await freezeProcesses([pid]);
  expect(frozen.stillRunning).toEqual([]);
  frozen.thaw();
});

test("the kernel's freezer is used where it holds exactly these processes, and lets them run again", async (ctx) => {
  const group = `foliometer-test-${process.pid}`;
  const root = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/freezer"].find((candidate) => {
    try {
      mkdirSync(`${candidate}/${group}`);
      if (existsSync(`${candidate}/${group}/cgroup.freeze`) || existsSync(`${candidate}/${group}/freezer.state`)) {
        return true;
      }
      rmdirSync(`${candidate}/${group}`);
      return false;
    } catch {
      return false;
    }
  });
  if (root === undefined) skipAlways(ctx, "no control group with a freezer can be made here");
  const directory = `${root}/${group}`;
  const pid = await startBusyChild();
  try {
    writeFileSync(`${directory}/cgroup.procs`, String(pid));
    expect(await freezeCgroup(`/${group}`, [pid, process.pid])).toBeUndefined();
    expect(await freezeCgroup("/no-such-group", [pid])).toBeUndefined();
    const frozen = await freezeCgroup(`/${group}`, [pid]);
    expect(frozen).toMatchObject({ by: "cgroup", stillRunning: [] });
    const before = userTicks(pid);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(userTicks(pid)).toBe(before);
    frozen?.thaw();
    await expect.poll(() => userTicks(pid)).toBeGreaterThan(before);
    const [child] = children;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  } finally {
    await expect.poll(() => removeGroup(directory)).toBe(true);
  }
});

/** A group can be removed when its last process is gone. */
function removeGroup(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch {
    return false;
  }
}

test("findPids sees this process with its control group", () => {
  const groups: string[] = [];
  const pids = findPids(({ pid, cgroup }) => {
    if (pid === process.pid) groups.push(cgroup);
    return pid === process.pid;
  });
  expect(pids).toEqual([process.pid]);
  expect(groups[0]).toMatch(/^\/|^$/);
});
