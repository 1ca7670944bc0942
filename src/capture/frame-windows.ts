/**
 * The frames to look at as windows: stretches of blocks of 512 frames, cut into equal shares for the readers.
 */
import { HPAGE_PMD_NR } from "../kernel/index.ts";

/** Stretches of mapped blocks as (first frame, frames), in as many equal ascending shares as there are threads. */
export function windowsOf(blockMapped: Uint8Array, frameCount: number, shares: number): Float64Array[] {
  const mapped = blockMapped.reduce((sum, is) => sum + is, 0);
  const target = Math.max(1, Math.ceil(mapped / shares));
  const windows: number[][] = Array.from({ length: shares }, () => []);
  let share = 0;
  let taken = 0;
  for (let block = 0; block < blockMapped.length; block++) {
    if (blockMapped[block] === 0) continue;
    if (taken >= target && share < shares - 1) {
      share++;
      taken = 0;
    }
    const list = windows[share];
    const start = block * HPAGE_PMD_NR;
    const count = Math.min(HPAGE_PMD_NR, frameCount - start);
    if (list.length > 0 && list[list.length - 2] + list[list.length - 1] === start) list[list.length - 1] += count;
    else list.push(start, count);
    taken++;
  }
  return windows.map((list) => Float64Array.from(list));
}
