import * as fc from "fast-check";
import { expect, test } from "vitest";
import { randomSystems, textOf } from "../../test/checker/random-texts.ts";
import { elaborate } from "./elaborate.ts";
import { followersOf, registersReadBy, registerWrittenBy } from "./instruction-flow.ts";
import { liveRegisters } from "./live-registers.ts";
import { isRest, type MachineThread } from "./step-machine.ts";
import { StepsError } from "./syntax.ts";

/** The names of the registers live at each place of rest, with its line. */
function livePlaces(text: string): string[] {
  const [thread] = elaborate({ name: "test", texts: [{ name: "test", text }] }).threads;
  const live = liveRegisters(thread);
  return thread.instructions.flatMap((instruction, at) => {
    if (!isRest(instruction)) return [];
    const names = [...live[at]].map((register) => thread.registers[register].name);
    return [`${instruction.origin.source}: ${names.sort().join(" ")}`];
  });
}

test("a register is live from where it is written to where it is read the last time", () => {
  const places = livePlaces(`
word a: 0..1
word b: 0..1
thread t {
let r = load a
let s = load b
store a = s
store b = r
store b = r
store a = 0
}`);
  expect(places).toEqual([
    "let r = load a: ",
    "let s = load b: r",
    "store a = s: r s",
    "store b = r: r",
    "store b = r: r",
    "store a = 0: ",
    // The end, which stands where the last statement does.
    "store a = 0: ",
  ]);
});

test("a register that is written again first is dead, and one that only one way reads is live", () => {
  const places = livePlaces(`
word a: 0..1
thread t {
let r = load a
r = load a
choose {
store a = r
} or {
r = load a
store a = r
}
}`);
  expect(places).toContain("r = load a: ");
  expect(places).toContain("choose {: r");
  expect(places).toContain("store a = r: r");
});

test("what an assertion, an index or a loop's condition reads is live", () => {
  const places = livePlaces(`
index page 2
word a: 0..1
word w[page]: 0..1
thread t {
let p = load a
let q = load a
fence
assert small: q < 2
let n = 0
while n < 2 {
store w[p] = 1
add a, 0
n = n + 1
}
}`);
  expect(places).toContain("fence: p q");
  expect(places).toContain("store w[p] = 1: n p");
  // The next round reads it.
  expect(places).toContain("add a, 0: n p");
});

/** Whether some way from the instruction reads the register before it writes it: followed one by one. */
function isReadLater(thread: MachineThread, at: number, register: number): boolean {
  const seen = new Set<number>();
  const open = [at];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue;
    seen.add(next);
    const instruction = thread.instructions[next];
    if (registersReadBy(instruction).has(register)) return true;
    if (registerWrittenBy(instruction) !== register) open.push(...followersOf(instruction, next));
  }
  return false;
}

test("a register is live exactly where some way reads it before it writes it", () => {
  let live = 0;
  let dead = 0;
  const checkThread = (thread: MachineThread): void => {
    const rows = liveRegisters(thread);
    for (const [at, instruction] of thread.instructions.entries()) {
      for (const register of thread.registers.keys()) {
        const isLive = isRest(instruction) && isReadLater(thread, at, register);
        expect(rows[at].has(register)).toBe(isLive);
        if (isLive) live++;
        else dead++;
      }
    }
  };
  fc.assert(
    fc.property(randomSystems.map(textOf), (text) => {
      try {
        const machine = elaborate({ name: "random", texts: [{ name: "random", text }] });
        for (const thread of machine.threads) checkThread(thread);
      } catch (error) {
        if (!(error instanceof StepsError)) throw error;
      }
    }),
    { seed: 3, numRuns: 200 },
  );
  expect(live).toBeGreaterThan(500);
  expect(dead).toBeGreaterThan(500);
});
