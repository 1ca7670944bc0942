/**
 * One test file at a time changes the machine's memory settings.
 *
 * Files run side by side, and a size of folios that one switches on another switches off. The lock is a folder that can be
 * made once; one that is older than any of these tests can take was left by a run that was killed, and is taken over.
 */
import { mkdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

const LOCK = join(tmpdir(), "foliometer-test-settings");
const STALE_MS = 150_000;
const PAUSE_MS = 50;

function tryLock(): boolean {
  try {
    mkdirSync(LOCK);
    return true;
  } catch {
    const made = statSync(LOCK, { throwIfNoEntry: false })?.mtimeMs;
    if (made !== undefined && Date.now() - made > STALE_MS) rmSync(LOCK, { recursive: true, force: true });
    return false;
  }
}

/** Waits until nobody else changes settings. For beforeAll. */
export async function lockSettings(): Promise<void> {
  while (!tryLock()) await setTimeout(PAUSE_MS);
}

/** For afterAll. */
export function unlockSettings(): void {
  rmSync(LOCK, { recursive: true, force: true });
}
