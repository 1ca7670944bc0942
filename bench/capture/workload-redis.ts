/**
 * Redis as a workload: some 2 GB of small values in transparent huge pages, a
 * BGSAVE child held alive by rdb-key-save-delay, and a parent that goes on
 * writing, so that single pages of shared huge pages are copied. The child is
 * then the only mapper of pages whose folio is still shared: the case in which
 * counting by page and counting by folio differ most.
 */

import { readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  endChildren,
  endProcesses,
  isRunning,
  readChildPids,
  runToEnd,
  startDaemon,
  startedPid,
  waitFor,
} from "./processes.ts";
import type { Undo } from "./undo.ts";

const THP_ENABLED = "/sys/kernel/mm/transparent_hugepage/enabled";
const VALUE_BYTES = 900;
const START_LIMIT_MS = 20_000;
const KEY_SAVE_DELAY_US = 1_000_000_000;

export interface RedisPlan {
  readonly directory: string;
  readonly keyCount: number;
  readonly rewriteCount: number;
  readonly onProgress: (text: string) => void;
  readonly undo: Undo;
}

export interface RunningRedis {
  readonly parentPid: number;
  readonly childPid: number;
}

/** The chosen word of a sysfs choice such as "always [madvise] never". */
function readThpEnabled(): string {
  const choice = /\[(\w+)\]/.exec(readFileSync(THP_ENABLED, "utf8"))?.[1];
  if (choice === undefined) throw new Error(`${THP_ENABLED} names no choice`);
  return choice;
}

/** Runs `body` with huge pages for everybody; puts the former choice back on every way out. */
async function withThpAlways<T>(undo: Undo, body: () => Promise<T>): Promise<T> {
  const before = readThpEnabled();
  const putBack = (): void => writeFileSync(THP_ENABLED, before);
  await undo.add(THP_ENABLED, putBack);
  writeFileSync(THP_ENABLED, "always");
  try {
    return await body();
  } finally {
    putBack();
  }
}

async function startServer(socket: string, plan: RedisPlan): Promise<number> {
  const settings = ["--port", "0", "--unixsocket", socket, "--dir", plan.directory, "--save", "", "--appendonly", "no"];
  const thp = ["--disable-thp", "no", "--enable-debug-command", "yes", "--daemonize", "no", "--loglevel", "warning"];
  const server = startDaemon("redis-server", [...settings, ...thp], { cwd: plan.directory });
  const pid = await startedPid(server, "redis-server");
  await plan.undo.add("redis", async () => {
    await endChildren([server], "SIGKILL", 0);
  });
  await waitFor("redis to answer", START_LIMIT_MS, async () => {
    if (!isRunning(server)) throw new Error(`redis-server ended with ${server.exitCode ?? "a signal"} while starting`);
    return await runToEnd("redis-cli", ["-s", socket, "PING"]).then(
      (text) => (text.startsWith("PONG") ? true : undefined),
      () => undefined,
    );
  });
  return pid;
}

function isIn(directory: string, pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === directory;
  } catch {
    return false;
  }
}

async function command(socket: string, ...words: string[]): Promise<string> {
  const answer = await runToEnd("redis-cli", ["-e", "-s", socket, ...words]);
  return answer.trim();
}

/** SET commands on random keys. The generator is fixed, so that every run copies the same pages. */
function formatRewrites(keyCount: number, rewriteCount: number): string {
  const value = "y".repeat(VALUE_BYTES);
  const parts: string[] = [];
  let state = 20_260_101;
  for (let index = 0; index < rewriteCount; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const key = `key:${Math.floor((state / 2 ** 32) * keyCount)}`;
    parts.push(`*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${VALUE_BYTES}\r\n${value}\r\n`);
  }
  return parts.join("");
}

/** Starts Redis, fills it, forks the BGSAVE child and lets the parent write on. */
export async function startRedis(plan: RedisPlan): Promise<RunningRedis> {
  const socket = join(plan.directory, "redis.sock");
  const parentPid = await withThpAlways(plan.undo, async () => {
    const pid = await startServer(socket, plan);
    plan.onProgress(`redis: populating ${plan.keyCount} keys`);
    await command(socket, "DEBUG", "POPULATE", String(plan.keyCount), "key", String(VALUE_BYTES));
    return pid;
  });
  await command(socket, "CONFIG", "SET", "rdb-key-save-delay", String(KEY_SAVE_DELAY_US));
  await command(socket, "BGSAVE");
  const childPid = await waitFor("the BGSAVE child", START_LIMIT_MS, () => readChildPids(parentPid)[0]);
  await plan.undo.add("redis child", async () => {
    // It outlives its parent, asleep between two keys. It is no child of ours, so its directory has to name it.
    if (isIn(plan.directory, childPid)) await endProcesses([childPid], "SIGKILL", 0);
  });
  plan.onProgress(`redis: rewriting ${plan.rewriteCount} keys beside the child`);
  const answer = await runToEnd("redis-cli", ["-s", socket, "--pipe"], {
    stdin: formatRewrites(plan.keyCount, plan.rewriteCount),
  });
  if (!answer.includes("errors: 0")) throw new Error(`redis refused the rewrites: ${answer}`);
  return { parentPid, childPid };
}
