/**
 * At which of its places of rest a thread is kept in a state, and which ones it runs through.
 *
 * Without reduction a thread is kept wherever it rests. With partial-order reduction a step that is safe (safe-steps.ts) is
 * taken at once together with the one before it: the state between is never made. Every such chain ends, as of steps that
 * follow each other in a circle at least one is not safe. A register whose value would be out of its range in the middle of a
 * chain is not noticed: nobody keeps it there.
 *
 *     rest --step--> [locals, safe steps, locals, ...] --> rest       a transition: no way around a kept rest
 */
import { isRest, type MachineThread } from "./step-machine.ts";
import { regionFrom, turnBits } from "./thread-region.ts";

/**
 * The instructions, in ascending order, at which a state may show the thread: where it begins (`first`, rest or not) and
 * every place of rest that a transition of it can end at and that is not run through. `safe[i]` is 1 for a step that may be
 * run through.
 */
export function storedRests(thread: MachineThread, first: number, safe: Uint8Array): readonly number[] {
  const isStored = Uint8Array.from(thread.instructions, (instruction, at) =>
    isRest(instruction) && safe[at] !== 1 ? 1 : 0,
  );
  const shape = { thread, isStored, turnBit: turnBits(thread) };
  const ends = new Set([first]);
  const entries = [first];
  for (const entry of entries) {
    for (const { side, instruction } of regionFrom(shape, entry).nodes) {
      if (side === "settle") ends.add(instruction);
      if ((side === "settle" || side === "choose") && !entries.includes(instruction)) entries.push(instruction);
    }
  }
  return [...ends].sort((a, b) => a - b);
}
