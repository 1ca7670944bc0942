/**
 * A state as one number: for telling states apart where a few in a million million may be taken for one another.
 *
 * 53 bits, two lanes of 32 that multiply and rotate (after MurmurHash3's mixing, constants of its finalizer). Only for
 * counting: of n states about n^2 / 2^54 fall together (one in 18,000 tries at a million). Explorers compare states whole.
 */
import type { CheckerState } from "./interpret.ts";

/** The hash of a state, 0 to 2^53 - 1; equal states have equal hashes. */
export function hashState({ variables, pcs, registers, buffers }: CheckerState): number {
  const lanes = { low: 0x9e37_79b9 | 0, high: 0x85eb_ca6b | 0 };
  for (const value of variables) mix(lanes, value);
  for (const pc of pcs) mix(lanes, pc);
  for (const own of registers) for (const value of own) mix(lanes, value);
  for (const buffer of buffers) {
    mix(lanes, buffer.length);
    for (const { variable, value } of buffer) {
      mix(lanes, variable);
      mix(lanes, value);
    }
  }
  return (finish(lanes.high) >>> 11) * 2 ** 32 + (finish(lanes.low) >>> 0);
}

interface Lanes {
  low: number;
  high: number;
}

function mix(lanes: Lanes, value: number): void {
  const low = Math.imul(lanes.low ^ Math.imul(value, 0xcc9e_2d51), 0x1b87_3593);
  const high = Math.imul(lanes.high ^ Math.imul(value, 0x85eb_ca6b), 0xc2b2_ae35);
  lanes.low = (((low << 13) | (low >>> 19)) + 0xe654_6b64) | 0;
  lanes.high = (((high << 15) | (high >>> 17)) + 0x9e37_79b9) | 0;
}

function finish(lane: number): number {
  const once = Math.imul(lane ^ (lane >>> 16), 0x85eb_ca6b);
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2_ae35);
  return twice ^ (twice >>> 16);
}
