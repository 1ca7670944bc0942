/**
 * PostgreSQL as a workload: one cluster of its own, huge_pages=off, and many
 * backends that have each scanned every table, so that each of them maps most
 * of the shared buffers through 4 KiB page table entries. A table stays below a
 * quarter of shared_buffers: above it a scan would go through a ring of 256 KiB
 * and map next to nothing.
 */

import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  type User,
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

const TABLE_COUNT = 5;
const ROWS_PER_PAGE = 4;
const PAGE_BYTES = 8192;
const SCANS_AT_A_TIME = 3;
const START_LIMIT_MS = 30_000;
const SCAN_LIMIT_MS = 120_000;

export interface PostgresPlan {
  readonly directory: string;
  readonly sharedBuffersMiB: number;
  readonly backendCount: number;
  readonly onProgress: (text: string) => void;
  readonly undo: Undo;
}

export interface RunningPostgres {
  readonly postmasterPid: number;
  readonly backendPids: readonly number[];
  readonly auxiliaryPids: readonly number[];
  readonly clientPids: readonly number[];
}

interface Cluster {
  readonly bin: string;
  readonly socketDirectory: string;
  readonly user: User | undefined;
}

function postgresBin(): string {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root)
    ? readdirSync(root).filter((name) => existsSync(join(root, name, "bin/initdb")))
    : [];
  const newest = versions.sort((a, b) => Number(a) - Number(b)).at(-1);
  if (newest === undefined) throw new Error("no PostgreSQL below /usr/lib/postgresql: apt-get install postgresql");
  return join(root, newest, "bin");
}

/** initdb refuses root, so root borrows the package's user; anybody else is good enough as he is. */
function postgresUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((text) => text.startsWith("postgres:"));
  const fields = line?.split(":");
  if (fields === undefined) throw new Error("no user postgres in /etc/passwd");
  return { uid: Number(fields[2]), gid: Number(fields[3]) };
}

function serverArguments(cluster: Cluster, data: string, plan: PostgresPlan): string[] {
  const settings = {
    listen_addresses: "",
    unix_socket_directories: cluster.socketDirectory,
    shared_buffers: `${plan.sharedBuffersMiB}MB`,
    huge_pages: "off",
    max_connections: plan.backendCount + 10,
    fsync: "off",
    full_page_writes: "off",
    wal_level: "minimal",
    max_wal_senders: 0,
    max_wal_size: "8GB",
    checkpoint_timeout: "1d",
    autovacuum: "off",
    bgwriter_lru_maxpages: 0,
    max_parallel_workers_per_gather: 0,
    synchronize_seqscans: "off",
    jit: "off",
  };
  return ["-D", data, ...Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`])];
}

function psqlArguments(cluster: Cluster): string[] {
  return ["-h", cluster.socketDirectory, "-U", "postgres", "-d", "postgres", "-XqAt", "-v", "ON_ERROR_STOP=1"];
}

async function startServer(plan: PostgresPlan): Promise<Cluster & { readonly postmasterPid: number }> {
  const cluster = { bin: postgresBin(), socketDirectory: join(plan.directory, "pg"), user: postgresUser() };
  mkdirSync(cluster.socketDirectory);
  if (cluster.user !== undefined) chownSync(cluster.socketDirectory, cluster.user.uid, cluster.user.gid);
  const data = join(cluster.socketDirectory, "data");
  const options = { cwd: cluster.socketDirectory, user: cluster.user };
  const initArguments = ["-D", data, "-U", "postgres", "--no-sync", "--auth=trust", "--locale=C", "--encoding=UTF8"];
  await runToEnd(join(cluster.bin, "initdb"), initArguments, options);

  const server = startDaemon(join(cluster.bin, "postgres"), serverArguments(cluster, data, plan), options);
  const postmasterPid = await startedPid(server, "postgres");
  await plan.undo.add("postgres", async () => {
    const family = isRunning(server) ? readChildPids(postmasterPid) : [];
    // SIGQUIT is PostgreSQL's immediate shutdown: no checkpoint, shared memory released.
    await endChildren([server], "SIGQUIT", 10_000);
    await endProcesses(family, "SIGKILL", 0);
  });
  await waitFor("postgres to answer", START_LIMIT_MS, async () => {
    if (!isRunning(server)) throw new Error(`postgres ended with ${server.exitCode ?? "a signal"} while starting`);
    return await runToEnd(join(cluster.bin, "pg_isready"), ["-q", "-h", cluster.socketDirectory], options).then(
      () => true,
      () => undefined,
    );
  });
  return { ...cluster, postmasterPid };
}

/** 15/16 of the buffers in all: full enough to matter, and no table is ever evicted. */
async function fillTables(cluster: Cluster, plan: PostgresPlan): Promise<void> {
  const rowCount = Math.floor((plan.sharedBuffersMiB * 3 * 2 ** 20) / 16 / PAGE_BYTES) * ROWS_PER_PAGE;
  for (let table = 0; table < TABLE_COUNT; table++) {
    const sql = `CREATE UNLOGGED TABLE t${table} AS SELECT n AS id, repeat('x', 1900) AS body FROM generate_series(1, ${rowCount}) n`;
    await runToEnd(join(cluster.bin, "psql"), [...psqlArguments(cluster), "-c", sql]);
  }
}

/** A psql that stays connected: it ends with its stdin. */
function startClient(cluster: Cluster): ChildProcessWithoutNullStreams {
  const child = spawn(join(cluster.bin, "psql"), psqlArguments(cluster), {
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.on("error", () => undefined);
  child.on("error", () => undefined);
  child.stderr.resume();
  return child;
}

async function scanWith(client: ChildProcessWithoutNullStreams): Promise<number> {
  const lines: string[] = ["SELECT 'backend ' || pg_backend_pid();"];
  for (let table = 0; table < TABLE_COUNT; table++) lines.push(`SELECT count(*) FROM t${table};`);
  let out = "";
  client.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  client.stdin.write(`${lines.join("\n")}\n\\echo scanned\n`);
  await waitFor("a backend to scan the tables", SCAN_LIMIT_MS, () => {
    if (!isRunning(client)) throw new Error(`psql ended with ${client.exitCode ?? "a signal"}`);
    return out.includes("scanned\n") ? true : undefined;
  });
  const pid = /^backend (\d+)$/m.exec(out)?.[1];
  if (pid === undefined) throw new Error(`psql did not say its backend: ${out.slice(0, 200)}`);
  return Number(pid);
}

async function openBackends(
  cluster: Cluster,
  plan: PostgresPlan,
): Promise<{ backendPids: number[]; clientPids: number[] }> {
  const backendPids: number[] = [];
  const clientPids: number[] = [];
  const clients: ChildProcess[] = [];
  await plan.undo.add("psql", async () => {
    await endChildren(clients, "SIGTERM", 3_000);
  });
  let started = 0;
  async function openInTurn(): Promise<void> {
    while (started < plan.backendCount) {
      started++;
      const client = startClient(cluster);
      clients.push(client);
      clientPids.push(await startedPid(client, "psql"));
      backendPids.push(await scanWith(client));
      if (backendPids.length % 8 === 0)
        plan.onProgress(`postgres: ${backendPids.length} of ${plan.backendCount} backends have scanned`);
    }
  }
  await Promise.all(Array.from({ length: SCANS_AT_A_TIME }, openInTurn));
  return { backendPids, clientPids };
}

/** Brings the cluster up, fills it, and leaves `backendCount` idle backends that map it. */
export async function startPostgres(plan: PostgresPlan): Promise<RunningPostgres> {
  const { postmasterPid, ...cluster } = await startServer(plan);
  plan.onProgress("postgres: filling tables");
  await fillTables(cluster, plan);
  const { backendPids, clientPids } = await openBackends(cluster, plan);
  const backends = new Set(backendPids);
  return {
    postmasterPid,
    backendPids,
    clientPids,
    auxiliaryPids: readChildPids(postmasterPid).filter((pid) => !backends.has(pid)),
  };
}
