/**
 * What a local instruction does: nothing that another thread could see by itself.
 *
 * Registers, branches, the checker's ghosts and assertions happen together with a step before or behind them (interpret.ts).
 * Ghosts are changed and assertions looked at as memory is, past any store buffer.
 */
import { evaluate, variableAt } from "./evaluate.ts";
import type { Instruction } from "./step-machine.ts";
import { StepsError } from "./syntax.ts";
import { isInRange, type Walk } from "./take-step.ts";

/** Local instructions that a thread may take between two places of rest; beyond, it is taken to go round for ever. */
export const MAX_LOCAL_INSTRUCTIONS = 100_000;

/** A thread on its way, with where it is and where it was. */
export interface Underway extends Walk {
  readonly instructions: readonly Instruction[];
  readonly trace: number[];
  pc: number;
  finishedOperation: boolean;
}

/** Takes a local instruction. False: a `require` that fails. */
export function goLocally(walk: Underway, here: Instruction): boolean {
  const { machine, variables, registers } = walk;
  switch (here.op) {
    case "set":
      registers[here.register] = evaluate(machine, here.value, variables, registers, here.origin);
      break;
    case "ghost": {
      const variable = variableAt(machine, here.at, variables, registers, here.origin);
      const value = evaluate(machine, here.value, variables, registers, here.origin);
      if (isInRange(walk, variable, value, here.origin)) variables[variable] = value;
      break;
    }
    case "assert":
      if (evaluate(machine, here.condition, variables, registers, here.origin) === 0) {
        const message = `${machine.threads[walk.thread].name} finds it false: ${here.origin.source}`;
        const found = { at: walk.pc, variables: variables.slice(), registers: registers.slice() };
        walk.failures.push({ property: machine.properties[here.assertion].name, message, found });
      }
      break;
    case "branch":
      enter(
        walk,
        evaluate(machine, here.condition, variables, registers, here.origin) === 0 ? here.otherwise : here.then,
      );
      return true;
    case "jump":
      enter(walk, here.to);
      return true;
    case "require":
      if (evaluate(machine, here.condition, variables, registers, here.origin) === 0) return false;
      break;
    case "end":
      walk.finishedOperation = true;
      break;
    default:
      throw new Error(`${here.op} is not local`);
  }
  enter(walk, walk.pc + 1);
  return true;
}

/** Goes from where the thread is to `pc`. Throws StepsError if it never comes to rest. */
export function enter(walk: Underway, pc: number): void {
  walk.trace.push(walk.pc);
  walk.pc = pc;
  if (walk.trace.length > MAX_LOCAL_INSTRUCTIONS) {
    const { name } = walk.machine.threads[walk.thread];
    throw new StepsError(
      `${name} goes through ${MAX_LOCAL_INSTRUCTIONS} instructions without a rest`,
      walk.instructions[pc].origin,
    );
  }
}
