/**
 * What `foliometer watch` costs while it watches the workload: its processor time as the kernel counts it, from its first
 * moment (which reads the whole machine) to its last, and how often it had a moment ready.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { endChildren, startedPid } from "../capture/processes.ts";
import type { Undo } from "../capture/undo.ts";

/** The bar: this part of one core at an interval of one second. */
export const WATCH_SHARE_MOST = 0.25;
const INTERVAL_MS = 1000;
const SECONDS = 20;
/** The kernel's clock ticks, in which /proc/PID/stat counts (USER_HZ). */
const TICKS_A_SECOND = 100;

/** One run of `watch`. */
export interface WatchShare {
  /** Processor time of all its threads in the time measured: 1 is one core. */
  readonly share: number;
  /** The same from its start on, with the first reading of the whole machine. */
  readonly shareFromStart: number;
  readonly moments: number;
  readonly seconds: number;
  readonly peakRssBytes: number;
}

/** Seconds of processor time since a process was started, all threads, user and system. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

function peakRssBytes(pid: number): number {
  return Number(/^VmHWM:\s+(?<kb>\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.groups?.["kb"]) * 1024;
}

/** Watches the whole machine for a while. */
export async function measureWatch(foliometer: readonly string[], undo: Undo): Promise<WatchShare> {
  const [program = "", ...words] = foliometer;
  const args = [...words, "watch", "--interval", `${INTERVAL_MS}ms`, "--batch", "100000", "--json"];
  const began = performance.now();
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const pid = await startedPid(child, "foliometer watch");
  await undo.add("foliometer watch", async () => await endChildren([child], "SIGTERM", 10_000));
  let moments = 0;
  const hasFirst = new Promise<void>((resolve) => {
    child.once("close", resolve);
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      moments += text.split("\n").length - 1;
      if (moments > 0) resolve();
    });
  });
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
  await hasFirst;
  if (!isRunning()) throw new Error(`foliometer watch ended with ${child.exitCode ?? child.signalCode}`);
  const [first, cpuFirst, from] = [moments, cpuSeconds(pid), performance.now()];
  await sleep(SECONDS * 1000);
  if (!isRunning()) throw new Error(`foliometer watch ended with ${child.exitCode ?? child.signalCode}`);
  const now = performance.now();
  const cpu = cpuSeconds(pid);
  const seconds = (now - from) / 1000;
  const measured = {
    share: (cpu - cpuFirst) / seconds,
    shareFromStart: cpu / ((now - began) / 1000),
    moments: moments - first,
    seconds,
    peakRssBytes: peakRssBytes(pid),
  };
  await endChildren([child], "SIGTERM", 10_000);
  return measured;
}
