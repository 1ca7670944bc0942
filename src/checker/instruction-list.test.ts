/**
 * From drafts with labels to instructions: nothing that is not reached, no jump that is not needed, no cycle without rest.
 */
import { expect, test } from "vitest";
import { linesOf, machineOf } from "../../test/checker/machine-text.ts";
import {
  assembleInstructions,
  createInstructionList,
  createLabel,
  emit,
  emitTrap,
  type InstructionBody,
  type InstructionList,
  placeLabel,
} from "./instruction-list.ts";

const ORIGIN = { text: "test", line: 1, column: 1, source: "" };
const NEVER_KNOWN = { kind: "register", register: 0 } as const;

/** Instructions of one thread with this body over a word. */
function bodyLines(...body: readonly string[]): string[] {
  return linesOf(machineOf(`word w: 0..6\nthread t {\n${body.join("\n")}\n}`));
}

/** Writes bodies; a string places the label of that name, which bodies refer to by `label`. */
function assembled(...parts: readonly (string | ((label: (name: string) => number) => InstructionBody))[]): string[] {
  const list: InstructionList = createInstructionList();
  const labels = new Map<string, number>();
  const label = (name: string): number => {
    const known = labels.get(name) ?? createLabel(list);
    labels.set(name, known);
    return known;
  };
  for (const part of parts) {
    if (typeof part === "string") placeLabel(list, label(part));
    else emit(list, ORIGIN, part(label));
  }
  return assembleInstructions(list).map((instruction) => {
    if (instruction.op === "jump") return `jump ${instruction.to}`;
    if (instruction.op === "branch") return `branch ${instruction.then} ${instruction.otherwise}`;
    if (instruction.op === "choose") return `choose ${instruction.targets.join(" ")}`;
    return instruction.op;
  });
}

test("a jump that leads to a jump leads to where that one leads", () => {
  const lines = assembled(
    (label) => ({ op: "branch", condition: NEVER_KNOWN, then: label("a"), otherwise: label("b") }),
    "a",
    (label) => ({ op: "jump", to: label("c") }),
    "b",
    () => ({ op: "fence" }),
    "c",
    (label) => ({ op: "jump", to: label("d") }),
    () => ({ op: "fence" }),
    "d",
    () => ({ op: "stop" }),
  );
  expect(lines).toEqual(["branch 2 1", "fence", "stop"]);
});

test("what follows needs no jump, and what does not gets one", () => {
  const lines = assembled(
    (label) => ({ op: "choose", targets: [label("a"), label("b")] }),
    "a",
    () => ({ op: "fence" }),
    (label) => ({ op: "jump", to: label("end") }),
    "b",
    () => ({ op: "fence" }),
    (label) => ({ op: "jump", to: label("end") }),
    "end",
    () => ({ op: "stop" }),
  );
  expect(lines).toEqual(["choose 1 3", "fence", "jump 4", "fence", "stop"]);
});

test("a thread may begin elsewhere than its first draft", () => {
  const lines = assembled(
    (label) => ({ op: "jump", to: label("begin") }),
    "back",
    () => ({ op: "stop" }),
    "begin",
    () => ({ op: "fence" }),
    (label) => ({ op: "jump", to: label("back") }),
  );
  expect(lines).toEqual(["jump 2", "stop", "fence", "jump 1"]);
});

test("alternatives that lead to one place are one", () => {
  expect(bodyLines("choose { } or { } or { store w = 1 }")).toEqual(["choose 2 1", "store w 1", "stop"]);
});

test("a branch on a constant is no branch", () => {
  const lines = assembled(
    (label) => ({ op: "branch", condition: { kind: "constant", value: 0 }, then: label("a"), otherwise: label("b") }),
    "a",
    () => ({ op: "fence" }),
    "b",
    () => ({ op: "stop" }),
  );
  expect(lines).toEqual(["stop"]);
});

test("what cannot be reached is left out", () => {
  expect(bodyLines("loop { store w = 1 }", "store w = 2")).toEqual(["store w 1", "jump 0"]);
  expect(bodyLines("stop", "store w = 2")).toEqual(["stop"]);
});

test("a thread has one stop, however many ways end it", () => {
  const lines = bodyLines("let r = load w", "if r == 1 { stop }", "if r == 2 { stop }", "store w = r");
  expect(lines.filter((line) => line === "stop")).toHaveLength(1);
});

test("a place that must not be reached is refused if it can be, and only then", () => {
  const list = createInstructionList();
  const end = createLabel(list);
  emit(list, ORIGIN, { op: "jump", to: end });
  emitTrap(list, ORIGIN, "this is wrong");
  placeLabel(list, end);
  emit(list, ORIGIN, { op: "stop" });
  expect(assembleInstructions(list)).toHaveLength(1);
  emitTrap(list, { ...ORIGIN, line: 7 }, "this is wrong");
  list.drafts[0] = { op: "fence", origin: ORIGIN };
  expect(() => assembleInstructions(list)).toThrow("test:1:1: this is wrong");
});

test.each([
  ["an empty loop", ["loop { }"]],
  ["a loop that waits for a register", ["let r = load w", "while r == 0 { }"]],
  ["a loop that counts locally", ["let r = load w", "while r > 0 { r = r - 1 }"]],
  ["a loop of which one way has no step", ["let r = load w", "loop { if r == 1 { store w = 1 } }"]],
  ["a loop with ghosts and assertions only", ["loop { assert fine: w >= 0 }"]],
  ["a for with a bound that is a register", ["let r = load w", "for i in 0..r { r = i }"]],
])("%s is refused, as its thread would never rest", (_, body) => {
  expect(() => bodyLines(...body)).toThrow(/test:\d+:\d+: this loop can go round without a step/);
});

test.each([
  ["every round has a step", ["loop { store w = 1 }"]],
  ["every round has a choice", ["loop { choose { } or { store w = 1 } }"]],
  ["every round is an operation", ["loop { op nothing { } }"]],
  ["the rounds are counted and written out", ["let r = load w", "repeat 3 { r = r * 2 }", "store w = r"]],
  ["the way without a step leaves the loop", ["loop {", "let r = load w", "if r == 1 { break }", "}"]],
])("a loop is accepted if %s", (_, body) => {
  expect(bodyLines(...body).length).toBeGreaterThan(1);
});

test("4096 instructions are the most", () => {
  const store = (times: number): string[] => Array.from({ length: times }, () => "store w = 1");
  expect(bodyLines(...store(4095))).toHaveLength(4096);
  expect(() => bodyLines(...store(4096))).toThrow("the thread has 4097 instructions, and 4096 are the most");
});
