import { describe, expect, test } from "vitest";
import { elaborate } from "./elaborate.ts";
import { initialState, successors, type Transition } from "./interpret.ts";
import { shortenWay, switchesOf } from "./shorten-way.ts";
import type { StepMachine } from "./step-machine.ts";
import { watchedProperties, type WatchedProperty } from "./watched-properties.ts";

function systemOf(text: string, name: string): { readonly machine: StepMachine; readonly property: WatchedProperty } {
  const machine = elaborate({ name: "shorten", texts: [{ name: "t", text }] });
  const [property] = watchedProperties(machine, [name]);
  return { machine, property };
}

/** The way on which at each state the transition is taken that `pick` says, a number in the order of the interpreter's. */
function wayBy(machine: StepMachine, pick: (step: number, offered: readonly Transition[]) => number): Transition[] {
  const way: Transition[] = [];
  for (let state = initialState(machine); ;) {
    const { transitions } = successors(machine, state, {});
    if (transitions.length === 0) return way;
    const taken = transitions[pick(way.length, transitions) % transitions.length];
    way.push(taken);
    ({ state } = taken);
  }
}

const TWO_WORDS = `
word w: 0..5
word v: 0..5
thread one {
  repeat 6 {
    pick x in 0..6
    store w = x
  }
}
thread two {
  repeat 6 {
    pick x in 0..6
    store v = x
  }
}
never fives: w == 5 && v == 5
`;

describe("a way to a broken property", () => {
  test("keeps the choices that break it, and loses all others", () => {
    const { machine, property } = systemOf(TWO_WORDS, "fives");
    // The threads in turn, choosing 0, 1, 2, 3, 4, 5 one behind the other.
    const way = wayBy(machine, (step, offered) => {
      const thread = step % 2;
      const wanted = Math.floor(step / 2);
      return offered.findIndex(({ thread: own, access }) => own === thread && access?.after === wanted);
    });
    expect(way).toHaveLength(12);
    const shorter = shortenWay({ machine, options: {}, property }, way);
    expect(shorter.map(({ access }) => access?.after)).toEqual([5, 5]);
    expect(switchesOf(shorter)).toBe(1);
  });

  test("of as many transitions has fewer context switches", () => {
    const { machine, property } = systemOf(
      "word w: 0..6\nthread t * 2 {\n  add w, 1\n  add w, 1\n  add w, 1\n}\nnever six: w == 6",
      "six",
    );
    const way = wayBy(machine, (step) => step % 2);
    expect(switchesOf(way)).toBe(5);
    const shorter = shortenWay({ machine, options: {}, property }, way);
    expect(shorter).toHaveLength(6);
    expect(switchesOf(shorter)).toBe(1);
  });

  test("that cannot be shortened within the budget is left as it is", () => {
    const { machine, property } = systemOf(TWO_WORDS, "fives");
    const way = wayBy(machine, (step, offered) => (step % 2 === 0 ? 5 : offered.length - 1));
    expect(shortenWay({ machine, options: {}, property, budget: 0 }, way)).toBe(way);
    expect(shortenWay({ machine, options: {}, property, budget: 1 }, way)).toBe(way);
  });

  test("that breaks nothing is left as it is", () => {
    const { machine, property } = systemOf(TWO_WORDS, "fives");
    const way = wayBy(machine, () => 0);
    expect(shortenWay({ machine, options: {}, property }, way)).toBe(way);
  });
});
