/**
 * Which registers still matter: those that may be read before they are written again.
 *
 * A register that is dead where its thread rests has no value in a state (docs/step-language.md): two states that differ
 * only in it have the same future, so they are one. This is the usual backward analysis over a thread's instructions,
 *
 *     live(i) = read by i, and what is live behind i less what i writes
 *
 * to its least fixed point. An `assert` or an index reads like any other expression; `pick` and `require` lie behind their
 * `choose`, so that what they read is live at the choice.
 */
import { followersOf, predecessorsIn, registersReadBy, registerWrittenBy } from "./instruction-flow.ts";
import { isRest } from "./step-machine.ts";
import type { MachineThread } from "./step-machine.ts";

/**
 * The registers live (read before they are written on some way) when the thread rests at an instruction: one row an
 * instruction, empty for those at which it cannot rest.
 */
export function liveRegisters(thread: MachineThread): readonly ReadonlySet<number>[] {
  const { instructions } = thread;
  const predecessors = predecessorsIn(thread);
  const live: Set<number>[] = instructions.map((instruction) => new Set(registersReadBy(instruction)));
  // Rows only grow, by registers of which there are finitely many: the work ends.
  const work = instructions.map((_, at) => at);
  for (let at = work.pop(); at !== undefined; at = work.pop()) {
    const instruction = instructions[at];
    const row = live[at];
    if (instruction === undefined || row === undefined) continue;
    const written = registerWrittenBy(instruction);
    const sizeBefore = row.size;
    for (const follower of followersOf(instruction, at)) {
      for (const register of live[follower] ?? []) if (register !== written) row.add(register);
    }
    // A row without registers has nothing to hand on; one that did not grow has handed it on through `live` already.
    if (row.size > sizeBefore) work.push(...(predecessors[at] ?? []));
  }
  return instructions.map((instruction, at) => (isRest(instruction) ? (live[at] ?? new Set()) : new Set()));
}
