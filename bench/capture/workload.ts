/**
 * The workload that the capture is measured on: a database whose backends share
 * gigabytes through small pages, a key-value store whose fork child shares
 * gigabytes through huge pages, and some plain processes. Everything comes from
 * the distribution's packages, listens only on sockets in a temporary directory
 * and is taken down again by pid.
 *
 *     node build/bench/capture/workload.js [--scale S]
 *
 * prints the pids as one line of JSON once all is quiet and holds until SIGINT
 * or SIGTERM.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { endChildren, startedPid } from "./processes.ts";
import { type Undo, createUndo, runMain, undoOnSignals } from "./undo.ts";
import { type RunningPostgres, startPostgres } from "./workload-postgres.ts";
import { type RunningRedis, startRedis } from "./workload-redis.ts";

const BACKEND_COUNT = 44;
const NODE_COUNT = 12;
const SHARED_BUFFERS_MIB = 2048;
const KEY_COUNT = 2_000_000;
const REWRITE_COUNT = 60_000;

// Above 1.25 the whole would no longer fit beside other work in 9 GiB.
export const SCALE_LIMITS = { least: 0.05, most: 1.25 } as const;

export interface WorkloadOptions {
  /** Multiplies the memory, not the number of processes. */
  readonly scale: number;
  readonly onProgress: (text: string) => void;
  /** The caller's way out; without one the workload handles signals itself. */
  readonly undo?: Undo;
}

export interface Workload {
  readonly pids: readonly number[];
  readonly redisParentPid: number;
  readonly redisChildPid: number;
  readonly postgresPostmasterPid: number;
  readonly postgresBackendPids: readonly number[];
  readonly postgresAuxiliaryPids: readonly number[];
  readonly psqlPids: readonly number[];
  readonly nodePids: readonly number[];
  stop(): Promise<void>;
}

/** Plain Node processes that do nothing until their stdin ends. */
async function startNodes(undo: Undo): Promise<number[]> {
  const children: ChildProcess[] = [];
  const pids: number[] = [];
  await undo.add("idle node processes", async () => {
    await endChildren(children, "SIGTERM", 3_000);
  });
  for (let index = 0; index < NODE_COUNT; index++) {
    const child = spawn(process.execPath, ["-e", "process.stdin.resume()"], {
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    children.push(child);
    child.on("error", () => undefined);
    child.stdin.on("error", () => undefined);
    pids.push(await startedPid(child, "node"));
  }
  return pids;
}

function checkScale(scale: number): void {
  if (scale >= SCALE_LIMITS.least && scale <= SCALE_LIMITS.most) return;
  throw new Error(`scale must lie between ${SCALE_LIMITS.least} and ${SCALE_LIMITS.most}, not ${scale}`);
}

async function startParts(
  options: WorkloadOptions,
  undo: Undo,
): Promise<{ redis: RunningRedis; postgres: RunningPostgres; nodes: number[] }> {
  const directory = mkdtempSync(join(tmpdir(), "foliometer-bench-"));
  await undo.add(directory, () => rmSync(directory, { recursive: true, force: true }));
  // PostgreSQL runs as another user and must be able to pass through.
  chmodSync(directory, 0o755);
  const { onProgress } = options;
  const redis = await startRedis({
    directory,
    keyCount: Math.round(KEY_COUNT * options.scale),
    rewriteCount: Math.round(REWRITE_COUNT * options.scale),
    onProgress,
    undo,
  });
  const nodes = await startNodes(undo);
  const postgres = await startPostgres({
    directory,
    sharedBuffersMiB: Math.max(128, Math.round(SHARED_BUFFERS_MIB * options.scale)),
    backendCount: BACKEND_COUNT,
    onProgress,
    undo,
  });
  return { redis, postgres, nodes };
}

/** Brings the whole workload up; what was started is undone when a part of it fails. */
export async function startWorkload(options: WorkloadOptions): Promise<Workload> {
  checkScale(options.scale);
  const undo = options.undo ?? createUndo();
  if (options.undo === undefined) undoOnSignals(undo);
  const stop = async (): Promise<void> => {
    const failures = await undo.run();
    if (failures.length > 0) throw new Error(`the workload did not stop cleanly: ${failures.join("; ")}`);
  };
  try {
    const { redis, postgres, nodes } = await startParts(options, undo);
    return {
      pids: [
        redis.parentPid,
        redis.childPid,
        postgres.postmasterPid,
        ...postgres.auxiliaryPids,
        ...postgres.backendPids,
        ...postgres.clientPids,
        ...nodes,
      ],
      redisParentPid: redis.parentPid,
      redisChildPid: redis.childPid,
      postgresPostmasterPid: postgres.postmasterPid,
      postgresBackendPids: postgres.backendPids,
      postgresAuxiliaryPids: postgres.auxiliaryPids,
      psqlPids: postgres.clientPids,
      nodePids: nodes,
      stop,
    };
  } catch (error) {
    for (const failure of await undo.run()) options.onProgress(failure);
    throw error;
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { scale: { type: "string", default: "1" } } });
  const started = Date.now();
  const onProgress = (text: string): boolean =>
    process.stderr.write(`${((Date.now() - started) / 1000).toFixed(1)} s  ${text}\n`);
  const workload = await startWorkload({ scale: Number(values.scale), onProgress });
  onProgress("steady");
  process.stdout.write(`${JSON.stringify(workload)}\n`);
  // Keeps the event loop alive: the children alone do not, once they are quiet.
  setInterval(() => undefined, 2 ** 30);
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  await runMain(main);
