/**
 * At which of its places of rest a thread is kept in a state, and which ones it runs through.
 *
 * Without reduction a thread is kept wherever it rests. With partial-order reduction a step that is safe (safe-steps.ts) is
 * taken at once together with the one before it: the state between is never made. That ends only if every chain ends, so a
 * safe step from which the thread comes back to itself over safe steps alone is kept after all:
 *
 *     rest --step--> [locals, safe steps, locals, ...] --> rest       a transition: no way around a kept rest
 */
import { followersOf } from "./instruction-flow.ts";
import { isRest, type MachineThread } from "./step-machine.ts";

/** A thread with all of its rests kept. */
export const NO_SAFE_STEPS = new Uint8Array(0);

/**
 * The instructions, in ascending order, at which a state may show the thread: where it begins (`first`, rest or not) and
 * every place of rest that it can reach and that is not run through. `safe[i]` is 1 for a step that may be run through.
 */
export function storedRests(thread: MachineThread, first: number, safe: Uint8Array): readonly number[] {
  const { instructions } = thread;
  const stored = new Uint8Array(instructions.length);
  const reached = reachableFrom(thread, [first], () => true);
  for (const [at, instruction] of instructions.entries()) {
    if (reached[at] === 1 && isRest(instruction) && safe[at] !== 1) stored[at] = 1;
  }
  stored[first] = 1;
  // One after the other: each rest that is kept may be the end of other circles too.
  for (const [at, instruction] of instructions.entries()) {
    if (reached[at] === 0 || stored[at] === 1 || !isRest(instruction)) continue;
    const behind = reachableFrom(thread, followersOf(instruction, at), (next) => stored[next] === 0);
    if (behind[at] === 1) stored[at] = 1;
  }
  const rests: number[] = [];
  for (const [at, isStored] of stored.entries()) if (isStored === 1) rests.push(at);
  return rests;
}

/** 1 for each instruction that can be reached from `from` (itself included) over instructions that `mayEnter`. */
function reachableFrom(
  thread: MachineThread,
  from: readonly number[],
  mayEnter: (instruction: number) => boolean,
): Uint8Array {
  const reached = new Uint8Array(thread.instructions.length);
  const open = from.filter(mayEnter);
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (reached[at] === 1) continue;
    reached[at] = 1;
    for (const next of followersOf(thread.instructions[at], at)) if (mayEnter(next)) open.push(next);
  }
  return reached;
}
