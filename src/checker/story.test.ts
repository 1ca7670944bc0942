import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Story } from "./check.ts";
import { elaborate } from "./elaborate.ts";
import { type CheckerState, initialState, keyOfState, type SuccessorOptions, successors } from "./interpret.ts";
import { exploreReference } from "./reference-explore.ts";
import { pathOfStates, retrace } from "./retrace.ts";
import type { StepMachine } from "./step-machine.ts";
import { tellStory } from "./story.ts";

function machineOf(text: string): StepMachine {
  return elaborate({ name: "test", texts: [{ name: "test", text }] });
}

/** The story of the shortest way to the broken property. */
function storyOf(text: string, property: string, options: SuccessorOptions = {}): Story {
  const machine = machineOf(text);
  const found = exploreReference(machine, options).findings.find(({ name }) => name === property);
  if (found?.path === undefined) throw new Error(`${property} is ${found?.outcome ?? "unknown"}`);
  const { name, when, path } = found;
  return tellStory(machine, options, { property: { name, when }, path: pathOfStates(path) });
}

/** A line a step: "thread: source: what". */
function linesOf({ threads, steps }: Story): string[] {
  return steps.map(({ thread, source, what }) => `${threads[thread]}: ${source}: ${what}`);
}

const EMBRACE = `
  lock a
  lock b
  thread one {
    op forward {
      lock a
      lock b
      unlock b
      unlock a
    }
  }
  thread two {
    lock b
    lock a
    unlock a
    unlock b
  }
`;

const LOST_UPDATE = `
  word total: 0..2
  ghost done: 0..2
  thread adder * 2 {
    op raise {
      let t = load total
      store total = t + 1
      ghost done = done + 1
    }
  }
  quiet counts: total == done
`;

const DEKKER = `
  word x: bool
  word y: bool
  ghost entered: 0..2
  thread one {
    store x = 1
    let r = load y
    if r == 0 { ghost entered = entered + 1 }
  }
  thread two {
    store y = 1
    let r = load x
    if r == 0 { ghost entered = entered + 1 }
  }
  never both: entered == 2
`;

describe("deadlocks", () => {
  test("an embrace ends with who waits for what, held by whom", () => {
    const story = storyOf(EMBRACE, "deadlock");
    expect(linesOf(story)).toEqual([
      "one: lock a: got a",
      "two: lock b: got b",
      "one: lock b: waits for b, which two holds",
      "two: lock a: waits for a, which one holds",
    ]);
    expect(story.ending).toBe(
      "A deadly embrace of one and two: one waits for b, which two holds; two waits for a, which one holds.",
    );
    expect(story.steps.map(({ operation }) => operation)).toEqual(["forward", "", "forward", ""]);
    expect(story.steps.map(({ position }) => position.line)).toEqual([6, 13, 7, 14]);
    expect([story.before, story.after]).toEqual([
      { a: 0, b: 0 },
      { a: 1, b: 2 },
    ]);
  });

  test("who waits beside an embrace is told, but is no part of it", () => {
    const story = storyOf(`${EMBRACE}\nthread three { lock a }`, "deadlock");
    expect(story.ending).toBe(
      "A deadly embrace of one and two: one waits for b, which two holds; two waits for a, which one holds; " +
        "three waits for a, which one holds.",
    );
  });

  test("two alternatives that wait for the same are one line", () => {
    const text = "lock a\nthread one {\n lock a\n choose { lock a } or { lock a }\n}";
    expect(storyOf(text, "deadlock").steps).toHaveLength(2);
  });

  test("a thread that waits for itself is called that", () => {
    const story = storyOf(
      "lock ptl\nword x: bool\nthread mapper {\n lock ptl\n lock ptl\n}\nthread other { store x = 1 }",
      "deadlock",
    );
    expect(story.ending).toBe("A self-deadlock: mapper waits for ptl, which it holds itself.");
  });

  test("who waits for a thread that is gone, or for a condition, waits in no circle", () => {
    const gone = storyOf("lock a\nthread one * 2 { lock a }", "deadlock");
    expect(gone.ending).toMatch(/^Deadlock: one\[\d\] waits for a, which one\[\d\] holds\.$/);
    const never = storyOf("word x: bool\nthread one {\n await x == 1\n}", "deadlock");
    expect(never.ending).toBe("Deadlock: one waits for await x == 1.");
  });

  test("readers that hold a lock are all named", () => {
    const text = `
      lock sem
      ghost readers: 0..2
      thread reader * 2 {
        lock_shared sem
        ghost readers = readers + 1
      }
      thread writer { lock sem }
      sometimes both: readers == 2
    `;
    const machine = machineOf(text);
    const both = exploreReference(machine).findings.find(({ name }) => name === "both");
    const path = pathOfStates(both?.path ?? []);
    const story = tellStory(machine, {}, { property: { name: "deadlock", when: "built-in" }, path });
    expect(story.ending).toBe("Deadlock: writer waits for sem, which reader[0] and reader[1] hold.");
  });
});

describe("what a story says of each step", () => {
  test("a lost update, from the loads to the sentence at its end", () => {
    const story = storyOf(LOST_UPDATE, "counts");
    expect(linesOf(story)).toEqual([
      "adder[0]: let t = load total: total is 0",
      "adder[1]: let t = load total: total is 0",
      "adder[0]: store total = t + 1: total 0 -> 1",
      "adder[1]: store total = t + 1: total stays 1",
    ]);
    expect(story.steps[2].changes).toEqual([
      { name: "total", before: 0, after: 1 },
      { name: "done", before: 0, after: 1, isGhost: true },
    ]);
    expect(story.steps[3].changes).toEqual([{ name: "done", before: 1, after: 2, isGhost: true }]);
    expect(story.steps.every(({ operation }) => operation === "raise")).toBe(true);
    expect(story.ending).toBe(
      "Nobody is at work, and this does not hold: quiet counts: total == done (total is 1, done is 2).",
    );
    expect(story.after).toEqual({ total: 1, done: 2 });
  });

  test("under tso: stores that wait, what reaches memory, and from where", () => {
    const story = storyOf(DEKKER, "both", { memory: "tso" });
    expect(linesOf(story)).toEqual([
      "one: store x = 1: x = 1 waits in the store buffer",
      "one: let r = load y: y is 0",
      "two: store y = 1: y = 1 waits in the store buffer",
      "two: let r = load x: x is 0",
    ]);
    expect(story.ending).toBe("What must never be is so: never both: entered == 2 (entered is 2).");
  });

  test("a store reaching memory has the line of its store", () => {
    const text =
      "word x: bool\nlock a\nthread one {\n op put {\n lock a\n store x = 1\n unlock a\n }\n}\nsometimes out: x == 1 && a == 0";
    const story = storyOf(text, "out", { memory: "tso" });
    expect(linesOf(story)).toEqual([
      "one: lock a: got a",
      "one: store x = 1: x = 1 waits in the store buffer",
      "one: unlock a: the unlock of a waits in the store buffer",
      "one: store x = 1: the store of x = 1 reaches memory",
      "one: unlock a: the unlock of a reaches memory",
    ]);
    expect(story.steps.map(({ operation }) => operation)).toEqual(Array(5).fill("put"));
  });

  test("atomics, locks, fences, picks and choices in words", () => {
    const text = `
      set mm 2
      word owner: mm? = none
      word x: 0..9
      lock a
      thread one {
        pick m in mm where m != none
        store owner = m
        let o = swap x, 3
        let sum = add x, 1
        let no = cas x, 9, 1
        let yes = cas x, 4, 5
        lock_shared a
        let r = trylock a
        unlock_shared a
        let got = trylock a
        fence
        await x == 5
        unlock a
      }
      sometimes ended: x == 5 && a == 0 && owner != none && through
      ghost through: bool
    `.replace("unlock a\n      }", "unlock a\n        ghost through = 1\n      }");
    expect(linesOf(storyOf(text, "ended")).map((line) => line.replace(/^one: /, ""))).toEqual([
      "store owner = m: m = mm 0; owner none -> mm 0",
      "let o = swap x, 3: x 0 -> 3",
      "let sum = add x, 1: x 3 -> 4",
      "let no = cas x, 9, 1: x is 4: not exchanged",
      "let yes = cas x, 4, 5: x 4 -> 5",
      "lock_shared a: got a shared",
      "let r = trylock a: did not get a, which it holds itself",
      "unlock_shared a: released a",
      "let got = trylock a: got a",
      "fence: all its stores have reached memory",
      "await x == 5: goes on, as it is so: x is 5",
      "unlock a: released a",
    ]);
  });

  test("a failed assertion: who goes by what is not so, with the values", () => {
    const text = `
      index mm 2
      word mapped[mm]: bool
      thread other { store mapped[1] = 1 }
      thread asker {
        let a = load mapped[1]
        if a == 0 { assert alone: mapped[1] == 0 }
        if a == 1 { assert seen: !any(o in mm: mapped[o]) }
      }
    `;
    const story = storyOf(text, "seen");
    expect(story.ending).toMatch(
      /^asker goes by what is not so: .*assert seen: .* \(mapped\[0\] is 0, mapped\[1\] is 1\)\.$/,
    );
    expect(story.steps).toHaveLength(2);
  });

  test("a count below zero is the last thing that a story tells", () => {
    const story = storyOf("word total: 0..2\nthread one {\n add total, -1\n}", "below-zero");
    expect(linesOf(story)).toEqual(["one: add total, -1: total 0 -> -1"]);
    expect(story.steps[0].changes).toEqual([{ name: "total", before: 0, after: -1 }]);
    expect(story.after).toEqual({ total: -1 });
    expect(story.ending).toBe("one makes total -1, below 0.");
  });

  test("an unlock of what another holds says who has unlocked what", () => {
    const story = storyOf("lock a\nthread one { lock a }\nthread two { unlock a }", "unlock");
    expect(story.ending).toBe("two unlocks a, which it does not hold.");
    expect(story.steps.at(-1)?.what).toBe("two unlocks a, which it does not hold");
  });

  test("always and sometimes end with their own line and its values", () => {
    const text = "word x: 0..3\nthread one { add x, 2 }\nalways small: x < 2\nsometimes big: x > 1";
    expect(storyOf(text, "small").ending).toBe("This does not hold: always small: x < 2 (x is 2).");
    expect(storyOf(text, "big").ending).toBe("This is so: sometimes big: x > 1 (x is 2).");
  });
});

describe("a path walked again", () => {
  test.each(["sc", "tso"] as const)("any run is found again from its states, step for step (%s)", (memory) => {
    const machine = machineOf(DEKKER);
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const states = randomRun(machine, { memory }, seed).map(({ state }) => state);
        const { transitions, reachedAfter } = retrace(machine, { memory }, pathOfStates(states), undefined);
        expect(transitions.map(({ state }) => keyOfState(state))).toEqual(states.slice(1).map(keyOfState));
        expect(reachedAfter).toEqual([...states.keys()]);
      }),
      { numRuns: 50 },
    );
  });

  test("states that a search ran through without keeping them come back as single steps", () => {
    const machine = machineOf(EMBRACE);
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        // A random run, kept only where the next move is another thread's.
        const run = randomRun(machine, {}, seed);
        const kept = run.filter(({ thread }, index) => index === 0 || run[index + 1]?.thread !== thread);
        const path = pathOfStates(kept.map(({ state }) => state));
        const { transitions } = retrace(machine, {}, path, undefined);
        expect(transitions.map(({ state }) => keyOfState(state))).toEqual(
          run.slice(1).map(({ state }) => keyOfState(state)),
        );
      }),
      { numRuns: 50 },
    );
  });

  test("states that stand for others like them become a real way", () => {
    const machine = machineOf(LOST_UPDATE);
    const finding = exploreReference(machine).findings.find(({ name }) => name === "counts");
    const path = finding?.path ?? [];
    const swapped = (state: CheckerState): CheckerState => ({
      ...state,
      pcs: state.pcs.toReversed(),
      registers: state.registers.toReversed(),
    });
    const least = (state: CheckerState): string => [keyOfState(state), keyOfState(swapped(state))].sort()[0];
    const keys = path.map(least);
    const likePath = {
      length: keys.length,
      matches: (state: CheckerState, index: number) => least(state) === keys[index],
    };
    const story = tellStory(machine, {}, { property: { name: "counts", when: "quiet" }, path: likePath });
    expect(story.ending).toBe(storyOf(LOST_UPDATE, "counts").ending);
    expect(story.steps).toHaveLength(4);
  });

  test("of two ways to one state the story takes the one that breaks the property", () => {
    const machine = machineOf(`
      word x: bool
      thread one {
        choose { store x = 1 } or {
          assert never_here: x == 1
          store x = 1
        }
      }
    `);
    const states: CheckerState[] = [];
    exploreReference(machine, { visit: ({ state }) => states.push(state) });
    expect(states).toHaveLength(2);
    const property = { name: "never_here", when: "assert" } as const;
    const [toIt, upToIt] = [pathOfStates(states), pathOfStates(states.slice(0, 1))];
    const story = tellStory(machine, {}, { property, path: toIt });
    expect(story.ending).toBe("one goes by what is not so: assert never_here: x == 1 (x is 0).");
    expect(tellStory(machine, {}, { property, path: upToIt })).toEqual(story);
  });

  test("a path that is none is a bug of its search, and said so", () => {
    const machine = machineOf(EMBRACE);
    const other = exploreReference(machine).findings.find(({ name }) => name === "deadlock")?.path ?? [];
    const wrong = pathOfStates([...other, other[0]]);
    const property = { name: "deadlock", when: "built-in" } as const;
    expect(() => tellStory(machine, {}, { property, path: wrong })).toThrow("the path is none");
    const both = pathOfStates([other[0], other[2]]);
    expect(() => tellStory(machine, {}, { property, path: both })).toThrow("nothing leads to its state 1");
    const round = machineOf("word x: bool\nthread one {\n loop { let r = load x }\n}");
    const start = initialState(round);
    const nowhere = pathOfStates([start, { ...start, variables: Int32Array.of(1) }]);
    expect(() => tellStory(round, {}, { property, path: nowhere })).toThrow("nothing leads to its state 1");
    const assertion = { name: "below-zero", when: "built-in" } as const;
    expect(() => tellStory(machine, {}, { property: assertion, path: pathOfStates(other) })).toThrow(
      "breaks below-zero",
    );
    expect(() => tellStory(machine, {}, { property, path: pathOfStates(other.slice(1)) })).toThrow("first state");
  });

  test("where a livelock repeats is told in steps", () => {
    const machine = machineOf("word x: bool\nthread one {\n store x = 0\n loop { let r = load x }\n}");
    const { findings } = exploreReference(machine);
    expect(findings.find(({ name }) => name === "deadlock")?.outcome).toBe("holds");
    const states: CheckerState[] = [];
    exploreReference(machine, { visit: ({ state }) => states.push(state) });
    const path = pathOfStates([...states, states[1]]);
    const story = tellStory(machine, {}, { property: { name: "livelock", when: "built-in" }, path, repeatsFrom: 1 });
    expect(story.repeatsFrom).toBe(1);
    expect(story.steps).toHaveLength(2);
    expect(story.ending).toContain("A fair scheduler may do this; it need not.");
  });
});

interface Move {
  readonly state: CheckerState;
  readonly thread: number;
}

/** A run to its end, by a small generator of its own. */
function randomRun(machine: StepMachine, options: SuccessorOptions, seed: number): Move[] {
  let random = seed;
  const moves: Move[] = [{ state: initialState(machine), thread: -1 }];
  for (;;) {
    const { transitions } = successors(machine, moves[moves.length - 1].state, options);
    if (transitions.length === 0) return moves;
    random = (Math.imul(random, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    const { state, thread } = transitions[(random >>> 8) % transitions.length];
    moves.push({ state, thread });
  }
}
