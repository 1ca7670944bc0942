/**
 * In which operation a thread is when it rests at an instruction: the ground of `quiet` and of what stories are told by.
 *
 * Between `begin` and its `end` a thread is inside; at rest AT `begin` it is still outside. Whether it is inside must follow
 * from where it rests, as no state says by which way it came there: a text that leaves an operation past its end (or enters
 * one inside of another) is refused.
 */
import { followersOf } from "./instruction-flow.ts";
import type { Instruction, MachineThread } from "./step-machine.ts";
import { StepsError } from "./syntax.ts";

/** An instruction that no path reaches: nobody rests there. */
const UNREACHED = -2;
/** The value of `operationAt` outside of all operations. */
export const OUTSIDE = -1;

/**
 * For each instruction the operation (index into StepMachine.operations) in which a thread is that rests there, or OUTSIDE.
 *
 * Throws StepsError where an instruction is reached inside an operation and outside of it, or an operation in another.
 */
export function operationAt(thread: MachineThread): Int32Array {
  const { instructions } = thread;
  const at = new Int32Array(instructions.length).fill(UNREACHED);
  const open: { instruction: number; operation: number }[] = [{ instruction: 0, operation: OUTSIDE }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { instruction, operation } = next;
    if (at[instruction] === operation) continue;
    const here = instructions[instruction];
    if (at[instruction] !== UNREACHED) {
      throw new StepsError(`${thread.name} comes here inside an operation and outside of it`, here.origin);
    }
    at[instruction] = operation;
    const behind = operationBehind(thread, here, operation);
    for (const successor of followersOf(here, instruction)) {
      open.push({ instruction: successor, operation: behind });
    }
  }
  return at.map((operation) => (operation === UNREACHED ? OUTSIDE : operation));
}

function operationBehind(thread: MachineThread, here: Instruction, operation: number): number {
  if (here.op === "begin") {
    if (operation !== OUTSIDE) throw new StepsError(`${thread.name} begins an operation in another`, here.origin);
    return here.operation;
  }
  if (here.op === "end") {
    if (operation !== here.operation) {
      throw new StepsError(`${thread.name} ends an operation that it has not begun`, here.origin);
    }
    return OUTSIDE;
  }
  return operation;
}
