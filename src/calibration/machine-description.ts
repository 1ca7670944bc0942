/**
 * The machine that is measured: its processor, its kernel, and how large a working set has to be to miss its caches.
 */
import { readFileSync, readdirSync } from "node:fs";
import os from "node:os";
import { readMachine } from "../capture/index.ts";
import type { CalibratedMachine } from "./calibrated-profile.ts";

const LINE_BYTES = 64;
/** The working set holds the last level cache so many times, between bounds. */
const WORKING_SET_OF_CACHE = 2;
const WORKING_SET_BYTES_MIN = 64 * 2 ** 20;
const WORKING_SET_BYTES_MAX = 512 * 2 ** 20;

const CACHES = "/sys/devices/system/cpu/cpu0/cache";
const UNITS: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** The machine at a point in time. */
export function describeMachine(at: Date): CalibratedMachine {
  const { kernelRelease, architecture, mapcountConfig } = readMachine(0);
  return {
    cpu: os.cpus()[0]?.model.trim() ?? "unknown processor",
    architecture,
    processors: os.availableParallelism(),
    kernel: kernelRelease,
    mapcountConfig,
    date: at.toISOString(),
  };
}

/** Lines of a working set that misses the last level cache: a power of two. */
export function linesOfWorkingSet(): number {
  const wanted = WORKING_SET_OF_CACHE * lastLevelCacheBytes();
  const bytes = Math.min(WORKING_SET_BYTES_MAX, Math.max(WORKING_SET_BYTES_MIN, wanted));
  return 2 ** Math.ceil(Math.log2(bytes)) / LINE_BYTES;
}

/** The largest cache of the first processor; 0 where the kernel does not say. */
function lastLevelCacheBytes(): number {
  try {
    const sizes = readdirSync(CACHES)
      .filter((name) => name.startsWith("index"))
      .map((name) => parseCacheSize(readFileSync(`${CACHES}/${name}/size`, "utf8")));
    return Math.max(0, ...sizes);
  } catch {
    return 0;
  }
}

/** "32768K" in bytes; 0 for any other text. */
export function parseCacheSize(text: string): number {
  const groups = /^(?<count>\d+)(?<unit>[KMG]?)\s*$/.exec(text)?.groups;
  return groups === undefined ? 0 : Number(groups.count) * UNITS[groups.unit];
}
