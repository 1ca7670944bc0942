import * as fc from "fast-check";
import { expect, test } from "vitest";
import { elaborate } from "./elaborate.ts";
import { type CheckerState, initialState, keyOfState, successors } from "./interpret.ts";
import { bufferEntriesOf, layOutStates, packState, type StateLayout, unpackState } from "./state-layout.ts";
import type { StepMachine } from "./step-machine.ts";

function machineOf(text: string): StepMachine {
  return elaborate({ name: "test", texts: [{ name: "test", text }] });
}

function layoutOf(machine: StepMachine, bufferEntries = 0): StateLayout {
  const first = initialState(machine).pcs;
  const safe = machine.threads.map(({ instructions }) => new Uint8Array(instructions.length));
  return layOutStates(machine, { first, safe, bufferEntries });
}

/** The states that a walk by these choices comes through. */
function walk(machine: StepMachine, memory: "sc" | "tso", choices: readonly number[]): CheckerState[] {
  const states = [initialState(machine)];
  for (const choice of choices) {
    const { transitions } = successors(machine, states[states.length - 1], { memory });
    const going = transitions.filter(({ leadsNowhere }) => !leadsNowhere);
    if (going.length === 0) break;
    states.push(going[choice % going.length].state);
  }
  return states;
}

const MIXED = `
set mm 3
word big: -1000000..1000000
word owner: mm? = none
word each[mm]: 2..9
word all: -2147483648..2147483647 = 0
lock free
lock shared
ghost seen[mm]: bool
thread walker[m in mm] {
  loop {
    let a = load big
    pick o in mm
    lock free
    store owner = o
    let b: 0..9 = load each[o]
    lock_shared shared
    store big = a + 1
    store each[m] = b == 9 ? 2 : b + 1
    ghost seen[o] = !seen[o]
    unlock_shared shared
    unlock free
    store all = 0 - 2147483647 - 1
  }
}
`;

for (const memory of ["sc", "tso"] as const) {
  test(`a packed state unpacks to itself, and equal words are equal states (${memory})`, () => {
    const machine = machineOf(MIXED);
    const layout = layoutOf(machine, bufferEntriesOf({ memory }));
    const keys = new Map<string, string>();
    fc.assert(
      fc.property(fc.array(fc.nat(20), { minLength: 40, maxLength: 60 }), (choices) => {
        for (const state of walk(machine, memory, choices)) {
          const words = new Int32Array(layout.words + 2).fill(-1);
          packState(layout, state, words, 1);
          expect([words[0], words[layout.words + 1]]).toEqual([-1, -1]);
          const key = keyOfState(state);
          expect(keyOfState(unpackState(machine, layout, words, 1))).toBe(key);
          const packed = words.join();
          expect(keys.get(packed) ?? key).toBe(key);
          keys.set(packed, key);
        }
      }),
      { seed: 3, numRuns: 60 },
    );
    expect(keys.size).toBeGreaterThan(200);
  });
}

test("fields of one state never overlap, and no field straddles two words", () => {
  const machine = machineOf(MIXED);
  const layout = layoutOf(machine, 2);
  const fields = [
    ...layout.variables,
    ...layout.threads.flatMap(({ pc, slots, buffer }) => [
      pc,
      ...slots,
      buffer.length,
      ...buffer.entries.flatMap(({ variable, value }) => [variable, value]),
    ]),
  ];
  const used = new Set<string>();
  for (const { word, shift, bits } of fields) {
    expect(shift + bits).toBeLessThanOrEqual(32);
    for (let bit = shift; bit < shift + bits; bit++) {
      expect(used.has(`${word} ${bit}`)).toBe(false);
      used.add(`${word} ${bit}`);
    }
  }
  expect(layout.words).toBeLessThanOrEqual(Math.ceil(used.size / 32) + 1);
});

test("what can have one value only takes no bits", () => {
  const machine = machineOf("word one: 3..3\nthread a { store one = 3 }");
  const layout = layoutOf(machine);
  expect(layout.variables[0].bits).toBe(0);
  expect(layout.words).toBe(1);
});

test("registers that are never live at the same rest share a slot; those that are do not", () => {
  const shared = machineOf("word a: 0..3\nthread t { let x = load a\n store a = x\n let y = load a\n store a = y }");
  expect(layoutOf(shared).threads[0].slots).toHaveLength(1);
  const both = machineOf("word a: 0..3\nthread t { let x = load a\n let y = load a\n store a = x\n store a = y }");
  expect(layoutOf(both).threads[0].slots).toHaveLength(2);
});

test("a number and an element of a set do not share a slot: only one of them is renamed", () => {
  const machine = machineOf(
    "set mm 2\nword a: 0..3\nword o: mm?\nthread t { let x = load a\n store a = x\n let y = load o\n store o = y }",
  );
  expect(
    layoutOf(machine)
      .threads[0].slotKinds.map(({ kind }) => kind)
      .sort(),
  ).toEqual(["element", "number"]);
});

test("neighbours of an array stand side by side, so that an index is a shift", () => {
  const { variables } = layoutOf(machineOf("index page 6\nword pte[page]: 0..4\nthread t { store pte[0] = 1 }"));
  expect(new Set(variables.map(({ word }) => word)).size).toBe(1);
  expect(variables.map(({ shift }) => shift - variables[0].shift)).toEqual([0, 3, 6, 9, 12, 15]);
});

test("a state of more than 64 words is refused with its size", () => {
  const machine = machineOf(
    "index i 60\nword a[i]: 0..2000000000\nword b[i]: 0..2000000000\nthread t { store a[0] = 1 }",
  );
  expect(() => layoutOf(machine)).toThrow(/would take 120 words/);
});

test("a store buffer has 1 to 8 entries", () => {
  for (const bufferEntries of [0, 9, 1.5, Number.NaN]) {
    expect(() => bufferEntriesOf({ memory: "tso", bufferEntries })).toThrow("a store buffer has 1 to 8 entries");
  }
  expect(bufferEntriesOf({ memory: "tso", bufferEntries: 8 })).toBe(8);
  expect(bufferEntriesOf({ bufferEntries: 8 })).toBe(0);
});
