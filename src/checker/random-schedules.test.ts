import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { elaborate } from "./elaborate.ts";
import { keyOfState, type SuccessorOptions, successors } from "./interpret.ts";
import { type BrokenSchedule, exploreRandomly, type RandomOptions, type RandomResult } from "./random-schedules.ts";
import { exploreReference, type ReferenceResult } from "./reference-explore.ts";
import { switchesOf } from "./shorten-way.ts";
import { hashState } from "./state-hash.ts";
import type { StepMachine } from "./step-machine.ts";
import { StepsError } from "./syntax.ts";

function machineOf(text: string): StepMachine {
  return elaborate({ name: "random", texts: [{ name: "t", text }] });
}

const LOST_UPDATE = `
word total: 0..3
ghost done: 0..3
thread adder * 3 {
  op add {
    let t = load total
    store total = t + 1
    ghost done = done + 1
  }
}
quiet sum: total == done
sometimes all: done == 3
`;

const LOCKED = LOST_UPDATE.replace("thread", "lock large\nthread")
  .replace("let t", "lock large\n let t")
  .replace("ghost done = done", "unlock large\n ghost done = done");

const STORE_BUFFERS = `
word x: bool
word y: bool
ghost a: 0..2 = 2
ghost b: 0..2 = 2
thread one {
  store x = 1
  let r = load y
  ghost a = r
}
thread two {
  store y = 1
  let r = load x
  ghost b = r
}
never both: a == 0 && b == 0
`;

const BOTH_ORDERS = `
lock a
lock b
thread one {
  lock a
  lock b
  unlock b
  unlock a
}
thread two {
  lock b
  lock a
  unlock a
  unlock b
}
`;

const SPINNING = `
lock large
word total: 0..3
thread spinner * 3 {
  loop {
    let got = trylock large
    if got { break }
  }
  add total, 1
  unlock large
}
`;

function outcomes({ findings }: RandomResult | ReferenceResult): Record<string, string> {
  return Object.fromEntries(findings.map(({ name, outcome }) => [name, outcome]));
}

function brokenOf(result: RandomResult): BrokenSchedule {
  if (result.broken === undefined) throw new Error("nothing was found");
  return result.broken;
}

/** Each transition of the way is one that the interpreter offers where the way has come. */
function expectToBeAWay(machine: StepMachine, options: SuccessorOptions, { first, transitions }: BrokenSchedule): void {
  let state = first;
  for (const { thread, kind, state: after } of transitions) {
    const offered = successors(machine, state, options).transitions;
    const key = keyOfState(after);
    expect(offered.some((each) => each.thread === thread && each.kind === kind && keyOfState(each.state) === key)).toBe(
      true,
    );
    state = after;
  }
}

describe("random schedules", () => {
  test.each(["priorities", "walk"] as const)(
    "by %s find the lost update, and shorten its way to the shortest",
    (strategy) => {
      const machine = machineOf(LOST_UPDATE);
      const result = exploreRandomly(machine, { seed: 3, schedules: 200, strategy });
      expect(result.coverage).toBe("stopped-at-broken");
      expect(outcomes(result)).toMatchObject({ sum: "broken", deadlock: "holds-so-far" });
      const broken = brokenOf(result);
      expectToBeAWay(machine, {}, broken);
      const shortest = exploreReference(machine).findings.find(({ name }) => name === "sum")?.path?.length ?? 0;
      expect(broken.transitions).toHaveLength(shortest - 1);
      expect(broken.foundAfter).toBeGreaterThanOrEqual(broken.transitions.length);
      // One adder between the load and the store of another.
      expect(switchesOf(broken.transitions)).toBe(2);
    },
  );

  test("with the lock nothing is found, and walks come through all of the states that there are", () => {
    const machine = machineOf(LOCKED);
    const all = exploreReference(machine);
    // Nobody has the lock: 8 ways to have added or not. One of 3 has it, at one of 3 places, the other 2 in 4 ways: 36.
    expect(all).toMatchObject({ coverage: "complete", states: 44 });
    const walks = exploreRandomly(machine, { seed: 1, schedules: 500, strategy: "walk" });
    expect(walks).toMatchObject({ coverage: "schedules-done", schedules: 500, cutShort: 0, distinctStates: 44 });
    expect(walks.hasMoreStates).toBe(false);
    expect(outcomes(walks)).toEqual({
      sum: "holds-so-far",
      all: "seen",
      deadlock: "holds-so-far",
      "below-zero": "holds-so-far",
      unlock: "holds-so-far",
    });
    const few = exploreRandomly(machine, { seed: 1, schedules: 500, strategy: "walk", distinctLimit: 10 });
    expect(few).toMatchObject({ distinctStates: 10, hasMoreStates: true });
    expect(outcomes(few)).toEqual(outcomes(walks));
  });

  test("a broken schedule replays from the seed and its number, and the whole run from the seed", () => {
    const machine = machineOf(LOST_UPDATE);
    const options: RandomOptions = { seed: 2 ** 40 + 5, schedules: 1000, depth: 2, shortenBudget: 0 };
    const result = exploreRandomly(machine, options);
    const { schedule, transitions } = brokenOf(result);
    const again = exploreRandomly(machine, { ...options, firstSchedule: schedule, schedules: 1 });
    expect(brokenOf(again).transitions).toEqual(transitions);
    expect(brokenOf(again).schedule).toBe(schedule);
    expect(exploreRandomly(machine, options)).toEqual(result);
    const seeds = [1, 2, 3, 4, 5].map((seed) => exploreRandomly(machine, { ...options, seed }).steps);
    expect(new Set(seeds).size).toBeGreaterThan(1);
  });

  test("stores that wait in buffers are found under tso and are not there under sc", () => {
    const machine = machineOf(STORE_BUFFERS);
    for (const strategy of ["priorities", "walk"] as const) {
      expect(exploreRandomly(machine, { seed: 1, schedules: 300, strategy }).coverage).toBe("schedules-done");
      const result = exploreRandomly(machine, { seed: 1, schedules: 300, strategy, memory: "tso" });
      expect(brokenOf(result)).toMatchObject({ property: "both" });
      // Two stores, two loads, and no store has reached memory.
      expect(brokenOf(result).transitions.map(({ kind }) => kind)).toEqual(["step", "step", "step", "step"]);
      expectToBeAWay(machine, { memory: "tso" }, brokenOf(result));
    }
  });

  test("a deadlock is found, in two transitions", () => {
    const broken = brokenOf(exploreRandomly(machineOf(BOTH_ORDERS), { seed: 1, schedules: 100 }));
    expect(broken.property).toBe("deadlock");
    expect(new Set(broken.transitions.map(({ thread }) => thread))).toEqual(new Set([0, 1]));
    expect(broken.transitions).toHaveLength(2);
  });

  test("an assertion and a count below zero are found where a next transition breaks them", () => {
    const failing =
      "word w: 0..2 = 1\nthread t {\n  choose {\n    let r = load w\n    assert good: r == 0\n  } or {\n    add w, -1\n    add w, -1\n  }\n}";
    const machine = machineOf(failing);
    const good = brokenOf(exploreRandomly(machine, { seed: 1, schedules: 1, properties: ["good"] }));
    expect(good.transitions.at(-1)?.failures).toMatchObject([{ property: "good" }]);
    const below = brokenOf(exploreRandomly(machine, { seed: 1, schedules: 50, properties: ["below-zero"] }));
    expect(below.transitions).toHaveLength(2);
    expect(below.transitions.at(-1)).toMatchObject({ leadsNowhere: true, failures: [{ property: "below-zero" }] });
  });

  test("a schedule goes on past what nobody asked for, and ends where there is no state behind", () => {
    const machine = machineOf("word w: 0..1\nthread t {\n  add w, -1\n}\nsometimes never_seen: w == 1");
    const result = exploreRandomly(machine, { seed: 1, schedules: 3, properties: ["never_seen"] });
    expect(result).toMatchObject({ coverage: "schedules-done", schedules: 3, steps: 0 });
    expect(outcomes(result)).toEqual({ never_seen: "not-seen-so-far" });
  });

  test("who only goes round gives way: retry loops come to their end under priorities", () => {
    const result = exploreRandomly(machineOf(SPINNING), { seed: 1, schedules: 100, depth: 3, maxSteps: 500 });
    expect(result).toMatchObject({ coverage: "schedules-done", cutShort: 0 });
    expect(result.longest).toBeGreaterThan(9);
  });

  test("a system without an end is cut short, and says so", () => {
    const result = exploreRandomly(machineOf("word w: bool\nthread t {\n  loop {\n    swap w, 1\n  }\n}"), {
      seed: 1,
      schedules: 2,
      maxSteps: 50,
    });
    expect(result).toMatchObject({ coverage: "schedules-done", cutShort: 2, steps: 100, longest: 50 });
  });

  test("the watch is told after every schedule and may end the run", () => {
    const told: number[] = [];
    const result = exploreRandomly(machineOf(LOCKED), { seed: 1, schedules: 100 }, ({ schedules }) => {
      told.push(schedules);
      return schedules < 7;
    });
    expect(told).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(result).toMatchObject({ coverage: "interrupted", schedules: 7 });
  });

  test("a property that there is not is refused, with the nearest that there is", () => {
    const machine = machineOf(LOCKED);
    const ask = (name: string) => () => exploreRandomly(machine, { seed: 1, schedules: 1, properties: [name] });
    expect(ask("sun")).toThrow(StepsError);
    expect(ask("sun")).toThrow('there is no property "sun": did you mean sum?');
    expect(ask("livelock")).toThrow("livelock needs all states");
  });
});

describe("random systems", () => {
  const place = fc.constantFrom("x", "y");
  const line = fc.oneof(
    place.map((word) => `store ${word} = (r + 1) % 3`),
    place.map((word) => `r = load ${word}`),
    place.map((word) => `swap ${word}, 2`),
    fc.constantFrom("lock a", "unlock a", "lock b", "unlock b", "if r == 2 { fence }", "assert good: r < 2"),
  );
  const thread = fc.array(line, { maxLength: 5 }).map((lines) => `let r: 0..2 = 0\n${lines.join("\n")}`);
  const system = fc
    .array(thread, { minLength: 2, maxLength: 3 })
    .map((threads) => threads.map((body, index) => `thread t${index} {\n${body}\n}\n`).join(""))
    .map(
      (text) => `word x: 0..2\nword y: 0..2\nlock a\nlock b\n${text}never two: x == 2 && y == 2\nsometimes one: x == 1`,
    );

  test("what is found is broken by a way of the interpreter, and no state is made up", () => {
    let found = 0;
    fc.assert(
      fc.property(system, fc.constantFrom("sc" as const, "tso" as const), fc.nat(1000), (text, memory, seed) => {
        const machine = machineOf(text);
        const hashes = new Set<number>();
        const all = exploreReference(machine, { memory, visit: ({ state }) => hashes.add(hashState(state)) });
        expect(hashes.size).toBe(all.states);
        const result = exploreRandomly(machine, { memory, seed, schedules: 20, shortenBudget: 500 });
        expect(result.distinctStates).toBeLessThanOrEqual(all.states);
        if (outcomes(result)["one"] === "seen") expect(outcomes(all)["one"]).toBe("seen");
        if (result.broken === undefined) return;
        found++;
        expect(outcomes(all)[result.broken.property]).toBe("broken");
        expectToBeAWay(machine, { memory }, result.broken);
      }),
      { numRuns: 80 },
    );
    expect(found).toBeGreaterThan(10);
  });
});
