/**
 * An instruction with other expressions and other register numbers: what is left to do when a thread is known as a whole.
 */
import { expressionsOf, registerWrittenBy, visitExpression } from "./instruction-flow.ts";
import type { Instruction, MachineExpression, VariablePlace } from "./step-machine.ts";

/** The new number of each register that some instruction reads or writes, in their order; -1 for the others. */
export function numbersOfUsed(instructions: readonly Instruction[], registers: number): readonly number[] {
  const used = new Set<number>();
  for (const instruction of instructions) {
    used.add(registerWrittenBy(instruction));
    for (const expression of expressionsOf(instruction)) {
      visitExpression(expression, (part) => {
        if (part.kind === "register") used.add(part.register);
      });
    }
  }
  let next = 0;
  return Array.from({ length: registers }, (_, register) => (used.has(register) ? next++ : -1));
}

/** The instruction with each expression, the index of its place included, as `rewrite` has it. */
export function rewriteInstruction(
  instruction: Instruction,
  rewrite: (expression: MachineExpression) => MachineExpression,
  numbers: readonly number[],
): Instruction {
  const place = (at: VariablePlace): VariablePlace =>
    at.index === undefined ? at : { ...at, index: rewrite(at.index) };
  const renamed = (register: number): number => (register < 0 ? register : numbers[register]);
  switch (instruction.op) {
    case "load":
    case "trylock":
      return { ...instruction, register: renamed(instruction.register), at: place(instruction.at) };
    case "store":
    case "ghost":
      return { ...instruction, at: place(instruction.at), value: rewrite(instruction.value) };
    case "add":
    case "swap": {
      const { register, at, value } = instruction;
      return { ...instruction, register: renamed(register), at: place(at), value: rewrite(value) };
    }
    case "cas": {
      const { register, at, expected, value } = instruction;
      const rewritten = { expected: rewrite(expected), value: rewrite(value) };
      return { ...instruction, register: renamed(register), at: place(at), ...rewritten };
    }
    case "lock":
    case "unlock":
      return { ...instruction, at: place(instruction.at) };
    case "set":
      return { ...instruction, register: renamed(instruction.register), value: rewrite(instruction.value) };
    case "await":
    case "assert":
    case "branch":
    case "require":
      return { ...instruction, condition: rewrite(instruction.condition) };
    case "fence":
    case "jump":
    case "choose":
    case "begin":
    case "end":
    case "stop":
      return instruction;
  }
}
