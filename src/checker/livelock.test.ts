import * as fc from "fast-check";
import { expect, test } from "vitest";
import { elaborate } from "./elaborate.ts";
import type { SuccessorOptions } from "./interpret.ts";
import { findLivelock, type Circle, type Deed, type LivelockGraph } from "./livelock.ts";
import { interpretStates, type InterpretedStates } from "../../test/checker/interpreted-graph.ts";
import { pathOfStates } from "./retrace.ts";
import type { StepMachine } from "./step-machine.ts";
import { tellStory } from "./story.ts";

interface Searched {
  readonly machine: StepMachine;
  readonly states: InterpretedStates;
  readonly circle: Circle | undefined;
}

function search(text: string, options: SuccessorOptions = {}): Searched {
  const machine = elaborate({ name: "test", texts: [{ name: "test", text }] });
  const states = interpretStates(machine, options, 20_000);
  if (states === undefined) throw new Error("too many states for a test");
  return { machine, states, circle: findLivelock(states) };
}

/** Who does what on the circle. */
function told({ machine, states, circle = [] }: Searched): string[] {
  const way = states.wayTo(circle[0]);
  const path = [...way, ...circle.slice(1), circle[0]].map((state) => states.states[state]);
  const property = { name: "livelock", when: "built-in" } as const;
  const story = tellStory(machine, {}, { property, path: pathOfStates(path), repeatsFrom: way.length - 1 });
  return story.steps.slice(story.repeatsFrom).map(({ thread, source }) => `${story.threads[thread]}: ${source}`);
}

/** Two threads take two locks in opposite order; who does not get the second gives up the first and tries again. */
const POLITE = `
lock a
lock b
thread one {
op both {
loop {
lock a
let got = trylock b
if got { break }
unlock a
}
unlock b
unlock a
}
}
thread two {
op both {
loop {
lock b
let got = trylock a
if got { break }
unlock b
}
unlock a
unlock b
}
}`;

test("two threads that give way to each other may do so for ever, in lockstep", () => {
  const result = search(POLITE);
  const steps = told(result);
  expect(steps.filter((step) => step.startsWith("one"))).toContain("one: let got = trylock b");
  expect(steps.filter((step) => step.startsWith("two"))).toContain("two: let got = trylock a");
  // A circle in which both locks are taken, tried and released: three steps of each.
  expect(steps).toHaveLength(6);
});

test("with the locks taken in one order nobody goes round", () => {
  const result = search(
    POLITE.replace("lock b\nlet got = trylock a", "lock a\nlet got = trylock b").replace(
      "if got { break }\nunlock b",
      "if got { break }\nunlock a",
    ),
  );
  expect(result.states.stateCount).toBe(21);
  expect(result.circle).toBeUndefined();
});

const SPINNER = (flag: string): string => `
word flag: bool
word other: bool
thread waiter {
op wait {
loop {
let f = load flag
if f { break }
}
}
}
thread setter {
op set {
${flag}
}
}`;

test("a thread that waits for another's store goes round only if nobody is to make it", () => {
  expect(search(SPINNER("store flag = 1")).circle).toBeUndefined();
  const never = search(SPINNER("store other = 1"));
  expect(told(never)).toEqual(["waiter: let f = load flag"]);
});

test("under TSO a store that is on its way is not on its way for ever", () => {
  const text = SPINNER("store flag = 1");
  expect(search(text, { memory: "tso" }).circle).toBeUndefined();
  expect(search(SPINNER("store flag = 1\nstore flag = 0"), { memory: "tso" }).circle).toBeDefined();
});

test("a thread that waits for a lock whose holder goes round is part of it", () => {
  const result = search(`
word never: bool
lock l
thread holder {
op hold {
lock l
loop {
let f = load never
if f { break }
}
unlock l
}
}
thread waiter {
op wait {
lock l
unlock l
}
}`);
  expect(told(result)).toEqual(["holder: let f = load never"]);
  // Only where the waiter cannot go on is the circle fair: the lock is held.
  const [state] = result.circle ?? [];
  expect(result.states.states[state].variables[1]).not.toBe(0);
});

test("to have nothing to do is no livelock, nor is to work for ever", () => {
  expect(
    search("word n: bool\nthread t * 2 {\nloop {\nchoose { op work { store n = 1 } } or { }\n}\n}").circle,
  ).toBeUndefined();
  expect(search("word n: bool\nthread t * 2 {\nloop {\nop work { store n = 1 }\n}\n}").circle).toBeUndefined();
});

test("a thread without operations that ends is progress, one that goes round is not", () => {
  expect(search("word n: bool\nthread t { store n = 1 }").circle).toBeUndefined();
  expect(search("word n: bool\nthread t {\nloop {\nstore n = 1\n}\n}").circle).toHaveLength(1);
});

interface Arrow {
  readonly from: number;
  readonly to: number;
  readonly process: number;
  readonly deed: Deed;
}

function graphOf(arrows: readonly Arrow[], stateCount: number): LivelockGraph {
  return {
    stateCount,
    threadCount: 2,
    forEachTransition: (state, visit) => {
      for (const { from, to, process, deed } of arrows) if (from === state) visit(to, process, deed);
    },
  };
}

/** The states that each state reaches over transitions without progress, itself only if there is a way round. */
function reachability(arrows: readonly Arrow[], stateCount: number): readonly ReadonlySet<number>[] {
  return Array.from({ length: stateCount }, (_, start) => {
    const reached = new Set<number>();
    const open = [start];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const { from, to, deed } of arrows) {
        if (from !== at || to < 0 || deed === "progress" || reached.has(to)) continue;
        reached.add(to);
        open.push(to);
      }
    }
    return reached;
  });
}

/** The least state that lies on a fair circle: by the definition, over all pairs of states that reach each other. */
function slowLivelock(arrows: readonly Arrow[], stateCount: number): number | undefined {
  const reached = reachability(arrows, stateCount);
  for (let state = 0; state < stateCount; state++) {
    const members = [...reached[state]].filter((other) => reached[other].has(state));
    const inside = arrows.filter(
      ({ from, to, deed }) => members.includes(from) && members.includes(to) && deed !== "progress",
    );
    const isFair = [0, 1, 2, 3].every(
      (process) =>
        inside.some((arrow) => arrow.process === process) ||
        members.some((member) => arrows.every((arrow) => arrow.from !== member || arrow.process !== process)),
    );
    if (members.length > 0 && isFair && inside.some(({ deed }) => deed === "work")) return state;
  }
  return undefined;
}

test("a livelock is found exactly where pairs of states that reach each other make a fair circle, and the circle shows it", () => {
  let livelocks = 0;
  let none = 0;
  const arrow = fc.record({
    from: fc.nat(6),
    to: fc.integer({ min: -1, max: 6 }),
    process: fc.nat(3),
    deed: fc.constantFrom<Deed>("progress", "work", "other", "work"),
  });
  fc.assert(
    fc.property(fc.array(arrow, { maxLength: 14 }), (arrows) => {
      const circle = findLivelock(graphOf(arrows, 7));
      expect(circle?.[0]).toBe(slowLivelock(arrows, 7));
      if (circle === undefined) {
        none++;
        return;
      }
      livelocks++;
      const edges = circle.map((from, index) => ({ from, to: circle[(index + 1) % circle.length] }));
      for (const { from, to } of edges) {
        expect(arrows.some((one) => one.from === from && one.to === to && one.deed !== "progress")).toBe(true);
      }
      for (const process of [0, 1, 2, 3]) {
        const moves = edges.some(({ from, to }) =>
          arrows.some((one) => one.from === from && one.to === to && one.process === process),
        );
        const idles = circle.some((state) =>
          arrows.some((one) => one.from === state && one.to === state && one.process === process),
        );
        const cannot = circle.some((state) => arrows.every((one) => one.from !== state || one.process !== process));
        expect(moves || idles || cannot).toBe(true);
      }
    }),
    { seed: 11, numRuns: 2000 },
  );
  expect(livelocks).toBeGreaterThan(200);
  expect(none).toBeGreaterThan(200);
});
