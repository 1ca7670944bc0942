import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { CannotFreeze, findPids, freezeProcesses, lineage } from "./freeze.ts";

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

test("findPids sees this process with its control group", () => {
  const groups: string[] = [];
  const pids = findPids(({ pid, cgroup }) => {
    if (pid === process.pid) groups.push(cgroup);
    return pid === process.pid;
  });
  expect(pids).toEqual([process.pid]);
  expect(groups[0]).toMatch(/^\/|^$/);
});
