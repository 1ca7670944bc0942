/**
 * Threads that have not begun, taken to their first place of rest.
 *
 * A thread begins at its instruction 0, which may be local: `let n = 0` in front of a loop happens with the first step
 * (interpret.ts). Until then it is the same thread as one that has set its registers and rests at the loop: nobody sees
 * registers. So a reduced search shows it there, and a state in which some threads have begun and others have not is no state
 * of its own. A beginning that touches more than registers (a ghost, an assertion) is left as it is.
 */
import { evaluate } from "./evaluate.ts";
import type { CheckerState } from "./interpret.ts";
import { isRest, type MachineThread, type StepMachine } from "./step-machine.ts";

/** A text that goes round in registers for so long is left where it is. */
const MAX_INSTRUCTIONS = 1000;

interface Beginning {
  readonly pc: number;
  readonly registers: Int32Array;
}

/** The state with every thread that stands at a local instruction 0 taken through its registers to where it rests. */
export function passBeginnings(machine: StepMachine, state: CheckerState): CheckerState {
  const pcs = state.pcs.slice();
  const registers = [...state.registers];
  for (const [number, thread] of machine.threads.entries()) {
    if (pcs[number] !== 0 || isRest(thread.instructions[0])) continue;
    const beginning = beginningOf(machine, thread);
    if (beginning === undefined) continue;
    pcs[number] = beginning.pc;
    registers[number] = beginning.registers;
  }
  return { ...state, pcs, registers };
}

function beginningOf(machine: StepMachine, thread: MachineThread): Beginning | undefined {
  const registers = new Int32Array(thread.registers.length);
  const noVariables = new Int32Array(0);
  let pc = 0;
  for (let taken = 0; taken < MAX_INSTRUCTIONS; taken++) {
    const here = thread.instructions[pc];
    if (isRest(here)) return { pc, registers };
    if (here.op === "set") {
      registers[here.register] = evaluate(machine, here.value, noVariables, registers, here.origin);
      pc++;
    } else if (here.op === "jump") pc = here.to;
    else if (here.op === "branch") {
      const isTrue = evaluate(machine, here.condition, noVariables, registers, here.origin) !== 0;
      pc = isTrue ? here.then : here.otherwise;
    } else return undefined;
  }
  return undefined;
}
