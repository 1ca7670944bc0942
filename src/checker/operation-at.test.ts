import { expect, test } from "vitest";
import { operationAt } from "./operation-at.ts";
import type { Instruction, MachineThread } from "./step-machine.ts";

const at = { base: 0, count: 1 };
const origin = { text: "text", line: 1, column: 1, source: "" };
const step: Instruction = { op: "lock", isShared: false, at, origin };
const begin: Instruction = { op: "begin", operation: 3, origin };
const end: Instruction = { op: "end", operation: 3, origin };
const stop: Instruction = { op: "stop", origin };

function branchTo(then: number, otherwise: number): Instruction {
  return { op: "branch", condition: { kind: "constant", value: 1 }, then, otherwise, origin };
}

function operationsIn(...instructions: Instruction[]): number[] {
  const thread: MachineThread = { name: "mapper", declaration: 0, registers: [], instructions };
  return [...operationAt(thread)];
}

test("inside from behind begin up to end; at begin a thread is still outside", () => {
  expect(operationsIn(begin, step, step, end, stop)).toEqual([-1, 3, 3, 3, -1]);
});

test("a loop around an operation, with a way past it", () => {
  expect(operationsIn(branchTo(1, 4), begin, step, end, branchTo(0, 5), stop)).toEqual([-1, -1, 3, 3, -1, -1]);
});

test("an instruction that nobody reaches is outside", () => {
  expect(operationsIn(begin, step, end, stop, step)).toEqual([-1, 3, 3, -1, -1]);
});

test("a way out of an operation past its end is refused: nobody could say whether the thread is inside", () => {
  expect(() => operationsIn(begin, branchTo(2, 3), end, step, stop)).toThrow("mapper comes here inside an operation");
});

test("an operation in another, and an end without a beginning, are refused", () => {
  expect(() => operationsIn(begin, begin, end, end, stop)).toThrow("mapper begins an operation in another");
  expect(() => operationsIn(step, end, stop)).toThrow("mapper ends an operation that it has not begun");
});
