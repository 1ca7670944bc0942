import { describe, expect, test } from "vitest";
import { elaborate } from "./elaborate.ts";
import { initialState, isQuiet, keyOfState, successors, type Transition } from "./interpret.ts";
import { exploreReference, type ReferenceOptions } from "./reference-explore.ts";
import type { StepMachine } from "./step-machine.ts";

function machineOf(text: string): StepMachine {
  return elaborate({ name: "test", texts: [{ name: "test", text }] });
}

/** States, transitions, and what became of each property. */
function explored(text: string, options: ReferenceOptions = {}): Record<string, unknown> {
  const { coverage, states, transitions, findings } = exploreReference(machineOf(text), options);
  expect(coverage).toBe("complete");
  const told = findings.filter(({ when, outcome }) => when !== "built-in" || outcome === "broken");
  return { states, transitions, ...Object.fromEntries(told.map(({ name, outcome }) => [name, outcome])) };
}

function firstTransitions(text: string): readonly Transition[] {
  const machine = machineOf(text);
  return successors(machine, initialState(machine), {}).transitions;
}

/** Variables by name. */
function valuesIn(machine: StepMachine, { state }: Pick<Transition, "state">): Record<string, number> {
  return Object.fromEntries(machine.variables.map(({ name }, variable) => [name, state.variables[variable]]));
}

describe("a counter that two threads raise", () => {
  const counter = (before: string, behind: string): string => `
    word total: 0..2
    ghost done: 0..2
    lock large
    thread adder * 2 {
      op raise {
        ${before}
        let t = load total
        store total = t + 1
        ghost done = done + 1
        ${behind}
      }
    }
    quiet counts: total == done
    sometimes raised: total == 2
  `;

  test("an update is lost without a lock: 12 states by hand", () => {
    expect(explored(counter("", ""))).toEqual({ states: 12, transitions: 14, counts: "broken", raised: "seen" });
  });

  test("the lock keeps it: 25 pairs of places, less the 9 where both would be inside", () => {
    const locked = counter("lock large", "unlock large");
    expect(explored(locked)).toEqual({ states: 16, transitions: 16, counts: "holds", raised: "seen" });
  });

  test("the shortest way to the lost update is both loads and both stores", () => {
    const result = exploreReference(machineOf(counter("", "")), { stopAtBroken: true });
    expect(result.coverage).toBe("stopped-at-broken");
    const broken = result.findings.find(({ name }) => name === "counts");
    expect(broken?.path).toHaveLength(5);
    expect(exploreReference(machineOf(counter("", ""))).depth).toBe(4);
    expect(exploreReference(machineOf(counter("lock large", "unlock large"))).depth).toBe(8);
  });

  test("an atomic needs no lock: four states, both orders", () => {
    const text = `
      word total: 0..2
      thread adder * 2 { let now = add total, 1 }
      never early: total > 2
      sometimes raised: total == 2
    `;
    expect(explored(text)).toEqual({ states: 4, transitions: 4, early: "holds", raised: "seen" });
  });
});

describe("locks", () => {
  test("AB and BA: the deadlock after two steps, and 19 states in all", () => {
    const text = `
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
    expect(explored(text)).toMatchObject({ states: 19, deadlock: "broken" });
    const deadlock = exploreReference(machineOf(text)).findings.find(({ name }) => name === "deadlock");
    expect(deadlock?.path).toHaveLength(3);
  });

  test("both in one order: no deadlock, and every thread comes to its end", () => {
    const text = `
      lock a
      lock b
      ghost ended: 0..2
      thread both * 2 {
        lock a
        lock b
        unlock b
        unlock a
        ghost ended = ended + 1
      }
      sometimes through: ended == 2
    `;
    // 25 pairs of places, less the 9 where both hold a.
    expect(explored(text)).toEqual({ states: 16, transitions: 16, through: "seen" });
  });

  test("a thread that takes what it holds waits for itself", () => {
    const machine = machineOf("lock a\nthread one {\n lock a\n lock a\n}");
    const { states, findings } = exploreReference(machine);
    expect(states).toBe(2);
    expect(findings.find(({ name }) => name === "deadlock")?.outcome).toBe("broken");
    const held = successors(machine, initialState(machine), {}).transitions[0].state;
    expect(successors(machine, held, {}).blocked.map(({ on }) => on)).toEqual(["a, which it holds itself"]);
  });

  test("a lock kept past the end of its thread is a deadlock for who asks for it", () => {
    const text = "lock a\nthread one * 2 { lock a }";
    expect(explored(text)).toEqual({ states: 3, transitions: 2, deadlock: "broken" });
  });

  test("readers share, a writer is alone: 27 triples of places, less the 5 with both", () => {
    const text = `
      lock sem
      ghost readers: 0..2
      ghost writing: bool
      thread reader * 2 {
        lock_shared sem
        ghost readers = readers + 1
        unlock_shared sem
        ghost readers = readers - 1
      }
      thread writer {
        lock sem
        ghost writing = 1
        unlock sem
        ghost writing = 0
      }
      never together: readers > 0 && writing
      sometimes shared: readers == 2
      sometimes alone: writing
    `;
    const all = { together: "holds", shared: "seen", alone: "seen" };
    expect(explored(text)).toMatchObject({ states: 22, ...all });
    expect(explored(text, { memory: "tso" })).toMatchObject(all);
  });

  test("a reader that asks again waits for itself", () => {
    expect(explored("lock a\nthread one {\n lock_shared a\n lock_shared a\n}")).toMatchObject({ deadlock: "broken" });
  });

  test("a reader's unlock is an atomic: under tso it waits until the stores that it guards are out", () => {
    const text = "lock a\nword x: bool\nthread one {\n lock_shared a\n store x = 1\n unlock_shared a\n}";
    expect(explored(text)).toEqual({ states: 4, transitions: 3 });
    expect(explored(text, { memory: "tso" })).toEqual({ states: 5, transitions: 4 });
  });

  test("trylock never waits: it says whether it got it", () => {
    const text = `
      lock a
      word got: 0..3
      thread one * 2 {
        let r = trylock a
        if r { add got, 1 }
      }
      never both: got == 2
      sometimes one: got == 1
    `;
    expect(explored(text)).toMatchObject({ both: "holds", one: "seen" });
  });

  test("unlocking what one does not hold is a property of its own, and the thread goes on", () => {
    const text = "lock a\nword x: bool\nthread one {\n unlock a\n store x = 1\n}\nsometimes on: x == 1";
    expect(explored(text)).toEqual({ states: 3, transitions: 2, unlock: "broken", on: "seen" });
    expect(explored("lock a\nthread one { lock a }\nthread two { unlock a }")).toMatchObject({ unlock: "broken" });
  });

  test("a lock that is never released: who waits by an await waits too", () => {
    const text = "word x: bool\nthread one { await x == 1 }";
    expect(explored(text)).toEqual({ states: 1, transitions: 0, deadlock: "broken" });
    const woken = "word x: bool\nthread one { await x == 1 }\nthread two { store x = 1 }";
    expect(explored(woken)).toEqual({ states: 3, transitions: 2 });
  });

  test("that a thread may decide to wait for ever counts as a deadlock, though it may decide otherwise", () => {
    const text = `
      lock a
      word x: bool
      thread one {
        lock a
        choose { lock a } or { store x = 1 }
      }
    `;
    expect(explored(text)).toEqual({ states: 3, transitions: 2, deadlock: "broken" });
  });
});

describe("what one transition takes", () => {
  test("the choice, the operation's beginning, the picks and the first lock", () => {
    const text = `
      index page 3
      lock ptl
      word x: 0..9
      thread one {
        choose {
          op map {
            pick p in page
            pick q in page where q != p
            lock ptl
            store x = p + q
          }
        } or { store x = 9 }
      }
    `;
    const machine = machineOf(text);
    const { transitions } = successors(machine, initialState(machine), {});
    expect(transitions.map(({ visible }) => visible?.op)).toEqual([...Array<string>(6).fill("lock"), "store"]);
    expect(transitions.every(({ state }) => state.pcs[0] !== 0)).toBe(true);
  });

  test("what is local behind the step, up to the next place of rest", () => {
    const [only, ...others] = firstTransitions(`
      word x: 0..9
      ghost seen: 0..9
      thread one {
        ghost seen = seen + 1
        let r = load x
        ghost seen = seen + r + 1
        if r == 0 { ghost seen = seen + 1 }
        store x = 1
      }
    `);
    expect(others).toEqual([]);
    expect(only.state.variables).toEqual(Int32Array.of(0, 3));
    expect(only.trace.length).toBeGreaterThan(3);
  });

  test("an alternative that does nothing rests at the choice that it comes back to", () => {
    const text = `
      word x: 0..2
      thread one {
        repeat 2 {
          choose { add x, 1 } or { }
        }
      }
      sometimes never_added: x == 0
      sometimes twice: x == 2
    `;
    // Rounds done and additions: (0,0) (1,0) (1,1) (2,0) (2,1) (2,2).
    expect(explored(text)).toMatchObject({ states: 6, never_added: "seen", twice: "seen" });
  });

  test("a loop that may go round without a step ends nevertheless", () => {
    const text = "word x: 0..1\nthread one {\n loop {\n choose { store x = 1 } or { }\n }\n}";
    expect(explored(text)).toMatchObject({ states: 2 });
  });

  test("a choice without an alternative blocks, and says which", () => {
    const text = "word x: 0..3\nthread one {\n let r = load x\n pick p in 0..3 where p < r\n store x = p\n}";
    expect(explored(text)).toEqual({ states: 2, transitions: 1, deadlock: "broken" });
    const machine = machineOf(text);
    const [{ state }] = successors(machine, initialState(machine), {}).transitions;
    expect(successors(machine, state, {}).blocked).toMatchObject([
      { thread: 0, on: "an alternative, and has none: pick p in 0..3 where p < r" },
    ]);
  });

  test("what an alternative breaks or changes on its way is its own", () => {
    const transitions = firstTransitions(`
      word x: 0..9
      ghost g: 0..9
      thread one {
        choose {
          assert no: g == 1
          ghost g = 5
          store x = 1
        } or { store x = 2 }
      }
    `);
    expect(transitions.map(({ failures }) => failures.map(({ property }) => property))).toEqual([["no"], []]);
    expect(transitions.map(({ state }) => [...state.variables])).toEqual([
      [1, 5],
      [2, 0],
    ]);
  });

  test("what add, swap and cas give: the new value, the old one, whether it was done", () => {
    const text = `
      word x: 0..9 = 3
      word y: 0..99
      thread one {
        let sum = add x, 2
        let old = swap x, 7
        let no = cas x, 5, 1
        let yes = cas x, 7, 8
        store y = sum * 10 + old + (no ? 40 : 0) + (yes ? 2 : 0)
      }
      sometimes all: x == 8 && y == 57
    `;
    expect(explored(text)).toEqual({ states: 6, transitions: 5, all: "seen" });
  });

  test("registers that nobody reads again make no states", () => {
    const text = "word x: 0..1\nthread one {\n pick p in 0..7\n store x = p > 9\n store x = 1\n}";
    expect(explored(text)).toEqual({ states: 3, transitions: 7 + 1 });
    const live = "word x: 0..9\nthread one {\n pick p in 0..7\n store x = 1\n store x = p\n}";
    expect(explored(live)).toEqual({ states: 1 + 7 + 7, transitions: 14 });
  });
});

describe("operations and quiet states", () => {
  const text = `
    word a: 0..1
    word b: 0..1
    thread one {
      op both {
        store a = 1
        store b = 1
      }
    }
    quiet same: a == b
    always same_always: a == b
    sometimes done: b == 1
  `;

  test("quiet looks only where nobody is inside an operation", () => {
    expect(explored(text)).toEqual({ states: 3, transitions: 2, same: "holds", same_always: "broken", done: "seen" });
  });

  test("under tso a state is quiet when all stores have reached memory", () => {
    expect(explored(text, { memory: "tso" })).toMatchObject({ states: 6, same: "holds", same_always: "broken" });
    const machine = machineOf(text);
    const inBuffer = exploreReference(machine, {
      memory: "tso",
      visit: ({ state }) => {
        if (state.buffers[0].length > 0) expect(isQuiet(machine, state)).toBe(false);
      },
    });
    expect(inBuffer.states).toBe(6);
  });

  test("a transition says that it finished an operation", () => {
    const machine = machineOf(text);
    const [first] = successors(machine, initialState(machine), {}).transitions;
    const [second] = successors(machine, first.state, {}).transitions;
    expect([first.finishedOperation, second.finishedOperation]).toEqual([false, true]);
  });
});

describe("store buffers", () => {
  const stores = "word x: 0..1\nword y: 0..1\nthread one {\n store x = 1\n store y = 1\n}";

  test("a store is in its buffer before it is in memory", () => {
    const one = "word x: 0..1\nthread one { store x = 1 }";
    expect(explored(one, { memory: "tso" })).toEqual({ states: 3, transitions: 2 });
    const two = "word x[2]: 0..1\nthread one { store x[0] = 1 }\nthread two { store x[1] = 1 }";
    expect(explored(two.replace("word x[2]", "index i 2\nword x[i]"), { memory: "tso" })).toEqual({
      states: 9,
      transitions: 12,
    });
  });

  test("a full buffer makes the next store wait, which is no deadlock", () => {
    expect(explored(stores, { memory: "tso", bufferEntries: 2 })).toEqual({ states: 6, transitions: 6 });
    expect(explored(stores, { memory: "tso", bufferEntries: 1 })).toEqual({ states: 5, transitions: 4 });
  });

  test("an unlock reaches memory behind the stores that it guards: the lock keeps the counter under tso too", () => {
    const text = `
      word x: 0..2
      ghost done: 0..2
      lock a
      thread one * 2 {
        op raise {
          lock a
          let r = load x
          store x = r + 1
          ghost done = done + 1
          unlock a
        }
      }
      quiet counts: x == done
      never free_too_early: !a && x != done
      sometimes both: x == 2
    `;
    const all = { counts: "holds", free_too_early: "holds", both: "seen" };
    // A thread's places: outside; a held; loaded; stored, in the buffer or out; unlocked, with 2, 1 or 0 entries left.
    // Never two threads in those that hold a: 5 * 5 - 3 * 3, and with buffers 8 * 8 - 6 * 6 and 7 * 7 - 5 * 5.
    expect(explored(text)).toEqual({ states: 16, transitions: 16, ...all });
    expect(explored(text, { memory: "tso", bufferEntries: 2 })).toEqual({ states: 28, transitions: 32, ...all });
    expect(explored(text, { memory: "tso", bufferEntries: 1 })).toEqual({ states: 24, transitions: 24, ...all });
  });

  test("assertions and properties look at memory, not into a buffer", () => {
    const text = "word x: 0..1\nthread one {\n store x = 1\n assert mine: x == 1\n}";
    expect(explored(text)).toMatchObject({ mine: "holds" });
    expect(explored(text, { memory: "tso" })).toMatchObject({ mine: "broken" });
  });
});

describe("what breaks, and what is no text at all", () => {
  test("a failed assertion is noted and the thread goes on", () => {
    const text = "word x: 0..2\nthread one {\n add x, 1\n assert small: x == 0\n add x, 1\n}\nsometimes two: x == 2";
    expect(explored(text)).toEqual({ states: 3, transitions: 2, small: "broken", two: "seen" });
  });

  test("a count below zero is broken and leads nowhere", () => {
    const text = "word x: 0..2\nthread one {\n add x, -1\n add x, 1\n}\nsometimes on: x == 1";
    expect(explored(text)).toEqual({ states: 1, transitions: 1, "below-zero": "broken", on: "unseen" });
    const chosen = "word x: 0..2\nthread one {\n choose { add x, -1 } or { store x = 1 }\n}";
    expect(explored(chosen)).toEqual({ states: 2, transitions: 2, "below-zero": "broken" });
    const stored = "word x: -1..2\nthread one {\n store x = -2\n}";
    expect(explored(stored, { memory: "tso" })).toEqual({ states: 1, transitions: 1, "below-zero": "broken" });
  });

  test.each([
    ["a value above its range", "word x: 0..1\nthread one { store x = 2 }", "x would be 2, outside of its range 0..1"],
    ["a ghost below its range", "ghost g: 0..1\nthread one { ghost g = g - 1 }", "g would be -1, outside of its range"],
    [
      "an index",
      "index i 2\nword x[i]: 0..9\nthread one {\n let r = load x[0]\n store x[r + 2] = 1\n}",
      "outside of x",
    ],
    ["a division", "word x: 0..9\nthread one {\n let r = load x\n store x = 1 / r\n}", "1 / 0 has no value"],
  ])("%s is the text's fault and ends everything, with its line", (_, text, message) => {
    expect(() => exploreReference(machineOf(text))).toThrow(message);
    expect(() => exploreReference(machineOf(text))).toThrow(/^test:\d+:\d+: /);
  });

  test("a register outside of its declared range at rest is the text's fault too", () => {
    const text = "word x: 0..9 = 7\nthread one {\n let r: 0..3 = load x\n store x = r\n}";
    expect(() => exploreReference(machineOf(text))).toThrow("r of one is 7, outside of its range 0..3");
  });

  test("a text of more states than the limit says so", () => {
    const text = "word x: 0..100\nthread one { repeat 50 { add x, 1 } }";
    expect(exploreReference(machineOf(text), { stateLimit: 10 }).coverage).toBe("state-limit");
    expect(exploreReference(machineOf(text)).states).toBe(51);
  });
});

describe("initially", () => {
  test("what it leaves is the first state", () => {
    const text = "word x: 0..9\nlock a\ninitially {\n lock a\n store x = 4\n unlock a\n}\nthread one { add x, 1 }";
    const machine = machineOf(text);
    expect(valuesIn(machine, { state: initialState(machine) })).toEqual({ x: 4, a: 0 });
    expect(explored(text)).toEqual({ states: 2, transitions: 1 });
  });

  test.each([
    ["leaves a lock", "lock a\ninitially { lock a }\nthread one { lock a }", "initially leaves a locked"],
    ["waits", "word x: 0..1\ninitially { await x == 1 }\nthread one { store x = 1 }", "initially waits for ever"],
    ["fails", "word x: 0..1\ninitially { assert no: x == 1 }\nthread one { store x = 1 }", "initially breaks no"],
  ])("it is refused if it %s", (_, text, message) => {
    expect(() => initialState(machineOf(text))).toThrow(message);
  });
});

test("keys tell states apart in every part, and a buffer from its drained form", () => {
  const machine = machineOf("word x: 0..1\nthread one { store x = 1 }");
  const keys = new Set<string>();
  const { states } = exploreReference(machine, { memory: "tso", visit: ({ state }) => keys.add(keyOfState(state)) });
  expect(keys.size).toBe(states);
});
