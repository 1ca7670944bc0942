/**
 * Swap for a test, whatever the machine has: a swap file of its own, preferred to any other while the test runs.
 *
 * A shell keeps it, and takes it away when its input ends: also when the test's process is killed. Where the kernel takes
 * no swap file (a container, a file system in memory), the test is skipped with what it said.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "vitest";
import { requireCommand, requireRoot, skipAlways } from "../full-run.ts";

/** The swap file of a test. */
export interface SwapFile {
  /** Bytes of it that are in use, as /proc/swaps says. */
  readonly usedBytes: () => number;
}

/** Signals to a whole group reach the keeper too: only the end of its input ends it. */
const KEEPER = `
trap '' INT TERM HUP
PATH=$PATH:/usr/sbin:/sbin
dd if=/dev/zero of="$1" bs=1M count="$2" status=none && chmod 600 "$1" && mkswap -q "$1" && swapon -p 32767 "$1" || exit 1
echo ready
cat > /dev/null
swapoff "$1"
`;

/** Runs `body` while the machine has a swap file of so many MiB. Skips the test where it cannot have one. */
export async function withSwap<T>(
  ctx: TestContext,
  mebibytes: number,
  body: (swap: SwapFile) => Promise<T>,
): Promise<T> {
  requireRoot(ctx);
  for (const command of ["mkswap", "swapon", "swapoff"]) requireCommand(ctx, command);
  const folder = mkdtempSync(join(tmpdir(), "foliometer-swap-"));
  const path = join(folder, "swap");
  const keeper = spawn("sh", ["-c", KEEPER, "sh", path, String(mebibytes)], {
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  let refusal = "";
  keeper.stderr.setEncoding("utf8").on("data", (text: string) => (refusal += text));
  const ended = new Promise<number | null>((resolve) => keeper.once("close", resolve));
  const isReady = await Promise.race([
    new Promise<true>((resolve) => keeper.stdout.once("data", () => resolve(true))),
    ended.then(() => false as const),
  ]);
  try {
    if (!isReady) skipAlways(ctx, `this machine takes no swap file: ${refusal.trim()}`);
    return await body({ usedBytes: () => usedOf(path) });
  } finally {
    keeper.stdin.end();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
}

function usedOf(path: string): number {
  const line = readFileSync("/proc/swaps", "utf8")
    .split("\n")
    .find((each) => each.startsWith(`${path} `));
  if (line === undefined) throw new Error(`${path} is not in /proc/swaps`);
  return Number(line.trim().split(/\s+/)[3]) * 1024;
}
