/**
 * Entries of /proc/kpageflags and /proc/kpagecount for some intervals of frames.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { framesIn } from "./found-mappings.ts";

const BUFFER_FRAMES = 16_384;

/** /proc/kpagecount of the frames in the order of the intervals; undefined where it cannot be read. */
export function readKernelCounts(intervals: Float64Array): Int32Array | undefined {
  let fd: number;
  try {
    fd = openSync("/proc/kpagecount", "r");
  } catch {
    // The answer then says that nothing was compared.
    return undefined;
  }
  try {
    const counts = new Int32Array(framesIn(intervals));
    eachFrame(fd, intervals, (place, low) => {
      counts[place] = low;
    });
    return counts;
  } finally {
    closeSync(fd);
  }
}

/** Calls `visit` with the entry of each frame, low and high word, and its place in the order of the intervals. */
export function eachFrame(
  fd: number,
  intervals: Float64Array,
  visit: (place: number, low: number, high: number) => void,
): void {
  const words = new Int32Array(BUFFER_FRAMES * 2);
  const bytes = new Uint8Array(words.buffer);
  let place = 0;
  for (let at = 0; at < intervals.length; at += 2) {
    for (let pfn = intervals[at]; pfn < intervals[at + 1];) {
      const wanted = Math.min(BUFFER_FRAMES, intervals[at + 1] - pfn);
      const got = readSync(fd, bytes, 0, wanted * 8, pfn * 8) >>> 3;
      for (let i = 0; i < got; i++) visit(place + i, words[2 * i], words[2 * i + 1]);
      place += wanted;
      pfn += wanted;
    }
  }
}
