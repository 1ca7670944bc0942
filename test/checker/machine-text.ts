/**
 * Elaborated threads as lines of text, so that a test can say what a thread has become.
 *
 *     "lock ptl[0]"   "load t <- pte[1][0 + 2 of r0]"   "branch r0 < 4 ? 9 : 15"
 *
 * Registers by their numbers, variables by their names; an index that is not constant stands behind the first element of its
 * place, with the count of elements that it may reach.
 */
import { elaborate } from "../../src/checker/elaborate.ts";
import type {
  Instruction,
  MachineExpression,
  MachineThread,
  StepMachine,
  VariablePlace,
} from "../../src/checker/step-machine.ts";

/** The machine of one text named "test". */
export function machineOf(text: string, constants: Readonly<Record<string, number>> = {}): StepMachine {
  return elaborate({ name: "test", texts: [{ name: "test", text }], constants });
}

/** The instructions of a thread (by name, default the first), one line each. */
export function linesOf(machine: StepMachine, name?: string): string[] {
  const thread = threadOf(machine, name);
  return thread.instructions.map((instruction) => instructionText(machine, instruction));
}

/** The thread of that name; the first without one. */
export function threadOf(machine: StepMachine, name?: string): MachineThread {
  const thread = name === undefined ? machine.threads[0] : machine.threads.find((each) => each.name === name);
  if (thread === undefined) throw new Error(`no thread is named ${name}`);
  return thread;
}

/** Registers of a thread as "name: min..max", in their order. */
export function registersOf(machine: StepMachine, name?: string): string[] {
  return threadOf(machine, name).registers.map(({ name: register, min, max }) => `${register}: ${min}..${max}`);
}

/** An expression in the language's own signs, with all parentheses. */
export function expressionText(machine: StepMachine, expression: MachineExpression): string {
  const text = (part: MachineExpression): string => expressionText(machine, part);
  switch (expression.kind) {
    case "constant":
      return `${expression.value}`;
    case "register":
      return `r${expression.register}`;
    case "variable":
      return placeText(machine, expression.at);
    case "table":
      return `[${expression.values.join(" ")}][${text(expression.index)}]`;
    case "binary":
      return `(${text(expression.left)} ${expression.operator} ${text(expression.right)})`;
    case "not":
      return `!${text(expression.operand)}`;
    case "negate":
      return `-${text(expression.operand)}`;
    case "conditional":
      return `(${text(expression.condition)} ? ${text(expression.then)} : ${text(expression.otherwise)})`;
  }
}

function placeText(machine: StepMachine, { base, count, index }: VariablePlace): string {
  const { name } = machine.variables[base];
  return index === undefined ? name : `${name}+${expressionText(machine, index)} of ${count}`;
}

function instructionText(machine: StepMachine, instruction: Instruction): string {
  const text = (part: MachineExpression): string => expressionText(machine, part);
  const { op } = instruction;
  const target = "register" in instruction && instruction.register >= 0 ? `r${instruction.register} = ` : "";
  const shared = "isShared" in instruction && instruction.isShared ? "_shared" : "";
  const place = "at" in instruction ? ` ${placeText(machine, instruction.at)}` : "";
  const value = "value" in instruction ? ` ${text(instruction.value)}` : "";
  const expected = "expected" in instruction ? ` ${text(instruction.expected)}` : "";
  const condition = "condition" in instruction ? ` ${text(instruction.condition)}` : "";
  const line = `${target}${op}${shared}${place}${expected}${value}${condition}`;
  switch (op) {
    case "branch":
      return `${line} ? ${instruction.then} : ${instruction.otherwise}`;
    case "jump":
      return `${line} ${instruction.to}`;
    case "choose":
      return `${line} ${instruction.targets.join(" ")}`;
    case "assert":
      return `assert ${machine.properties[instruction.assertion].name}:${condition}`;
    case "begin":
    case "end":
      return `${op} ${machine.operations[instruction.operation]}`;
    default:
      return line;
  }
}
