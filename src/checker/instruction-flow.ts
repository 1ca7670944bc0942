/**
 * What an instruction does to its own thread: where it goes on, and which registers and variables it looks at.
 *
 * The analyses of a thread's text (live registers, safe steps, symmetries) all walk the same graph and ask the same
 * questions of an instruction; the answers stand here once, so that a new instruction is a new case in one file.
 */
import type { Instruction, MachineExpression, MachineThread, VariablePlace } from "./step-machine.ts";

/** The instructions that may follow the one at index `at`, in the order of the text; none behind `stop`. */
export function followersOf(instruction: Instruction, at: number): readonly number[] {
  switch (instruction.op) {
    case "stop":
      return [];
    case "jump":
      return [instruction.to];
    case "branch":
      return [instruction.then, instruction.otherwise];
    case "choose":
      return instruction.targets;
    default:
      return [at + 1];
  }
}

/** The expressions that an instruction evaluates, those of its indexes included. */
export function expressionsOf(instruction: Instruction): readonly MachineExpression[] {
  const found: MachineExpression[] = [];
  if ("at" in instruction && instruction.at.index !== undefined) found.push(instruction.at.index);
  if ("expected" in instruction) found.push(instruction.expected);
  if ("value" in instruction) found.push(instruction.value);
  if ("condition" in instruction) found.push(instruction.condition);
  return found;
}

/** The register that an instruction writes, or -1. */
export function registerWrittenBy(instruction: Instruction): number {
  return "register" in instruction ? instruction.register : -1;
}

/** Calls `visit` for the expression and all of its parts. */
export function visitExpression(expression: MachineExpression, visit: (part: MachineExpression) => void): void {
  visit(expression);
  switch (expression.kind) {
    case "constant":
    case "register":
      return;
    case "variable":
      if (expression.at.index !== undefined) visitExpression(expression.at.index, visit);
      return;
    case "table":
      visitExpression(expression.index, visit);
      return;
    case "binary":
      visitExpression(expression.left, visit);
      visitExpression(expression.right, visit);
      return;
    case "not":
    case "negate":
      visitExpression(expression.operand, visit);
      return;
    case "conditional":
      visitExpression(expression.condition, visit);
      visitExpression(expression.then, visit);
      visitExpression(expression.otherwise, visit);
      return;
  }
}

/** The registers that an instruction reads, each once. */
export function registersReadBy(instruction: Instruction): ReadonlySet<number> {
  const registers = new Set<number>();
  for (const expression of expressionsOf(instruction)) {
    visitExpression(expression, (part) => {
      if (part.kind === "register") registers.add(part.register);
    });
  }
  return registers;
}

/** The places of variables that an expression looks at. */
export function placesIn(expression: MachineExpression): readonly VariablePlace[] {
  const places: VariablePlace[] = [];
  visitExpression(expression, (part) => {
    if (part.kind === "variable") places.push(part.at);
  });
  return places;
}

/** For each instruction of a thread those that may come before it. */
export function predecessorsIn(thread: MachineThread): readonly (readonly number[])[] {
  const before: number[][] = thread.instructions.map(() => []);
  for (const [at, instruction] of thread.instructions.entries()) {
    for (const follower of followersOf(instruction, at)) before[follower]?.push(at);
  }
  return before;
}
