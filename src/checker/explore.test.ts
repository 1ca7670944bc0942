import { expect, test } from "vitest";
import type { CheckOptions, CheckResult } from "./check.ts";
import { elaborate } from "./elaborate.ts";
import { check, checkMachine } from "./explore.ts";
import { exploreReference } from "./reference-explore.ts";

function checkText(text: string, options: CheckOptions = {}): CheckResult {
  return check({ name: "test", texts: [{ name: "test", text }] }, options);
}

function outcomes({ properties }: CheckResult): Record<string, string> {
  return Object.fromEntries(properties.map(({ name, outcome }) => [name, outcome]));
}

const PLAIN: CheckOptions = { partialOrderReduction: false, symmetry: false };

/** Corners of the language, each with what makes the compiled form go another way. */
const CORNERS: Readonly<Record<string, string>> = {
  "a ghost before a choice in a choice: the inner one sees it, the other alternatives do not": `
word a: 0..3
ghost g: 0..3
thread t {
  choose { ghost g = 1
    choose { store a = 1 } or { store a = 2 } or { }
  } or { store a = 3 }
}
never both: g == 1 && a == 3
sometimes one: g == 1 && a == 2
sometimes neither: g == 1 && a == 0`,
  "an assertion in front of a step that must wait fails only when the step is taken": `
lock l
word a: bool
thread holder { lock l }
thread asker { assert early: a == 0
  lock l
  unlock l }
thread writer { store a = 1 }`,
  "an assertion in front of a choice belongs to each alternative": `
word a: 0..3
lock l
thread t { assert first: a != 0
  choose { store a = 1 } or { lock l
  lock l } }`,
  "a loop of choices with an empty alternative rests where it began": `
word a: 0..2
thread t * 2 { loop { choose { op up { let x = load a
  store a = x == 2 ? 0 : x + 1 } } or { } or { op look { let y = load a } } } }
quiet fine: a <= 2`,
  "an operation that may do nothing": `
word a: bool
thread t * 2 { loop { op x { choose { store a = 1 } or { } or { pick z in 0..3 where z > 1
  store a = z - 2 } } } }`,
  "a pick of which nothing is left blocks for ever": `
word a: 0..3
thread t { let n: 0..3 = load a
  pick x in 0..3 where x > n + 2
  store a = x }
thread u { store a = 1 }`,
  "joins of registers between two steps": `
word a: 0..20
thread t { let n = load a
  let s: 0..60 = n
  for i in 0..6 { if i % 2 == n % 2 { s = s + i } else { s = s + 2 * (i % 3) } }
  store a = s }
thread u { store a = 2 }`,
  "an index of a register into an array of several words": `
index i 40
word big[i]: 0..5
word at: 0..39
thread t { repeat 3 { pick x in 0..40 where x % 13 == 1
  store at = x
  let y = load at
  let z = load big[y]
  store big[y] = z + 1
  let n = add big[(y + 13) % 40], 1 } }
always few: sum(x in i: big[x]) <= 5`,
  "an index of a word in a property, a table, and all operators": `
set mm 3
const W[mm] = 4, 7, 11
index i 3
word a[x in i]: -7..7 = x - 1
word o: mm = 0
thread t { pick m in mm
  store o = m
  let x = load a[1]
  let y: -7..7 = -x - W[m] / 3 + min(x, 2) * max(x, -1)
  store a[2] = y }
never odd: a[(a[1] + 3) % 3] == -7
sometimes big: W[o] > 7 && !(a[2] > 0) && (a[2] == -1 || a[2] <= -3) && (o == 1 ? 1 : 2) * 2 >= 4`,
  "swap, cas and add with and without a result": `
word a: 0..3
word b: 0..3
thread t * 2 { let x: 0..3 = swap a, 2
  let y = cas b, x, 3
  let z = cas b, 3, 0
  swap b, 1
  let w: 0..3 = add a, y + z - 1
  add a, -1 }`,
  "readers and writers of one lock": `
lock l
word a: 0..2
word in: 0..3
thread r * 2 { lock_shared l
  add in, 1
  add in, -1
  unlock_shared l
  let got = trylock l
  if got { store a = 1
    unlock l } }
thread w { lock l
  assert alone: in == 0
  let t = trylock_shared l
  assert no: t == 0
  unlock l
  unlock l }`,
  "a fence, an await and stops": `
word a: bool
word b: bool
thread t { store a = 1
  fence
  await b
  stop
  store a = 0 }
thread u { let x = load a
  if x { stop }
  store b = 1 }`,
  "a register without a beginning, and a thread that begins with locals": `
word a: 0..5
thread t { let n: 0..4 = 3
  let m: 0..4 = n + 1
  assert four: m == 4
  loop { store a = m
    store a = n } }`,
  "a thread whose registers have their values before its first step": `
word a: 0..5
thread t { let n: 0..4 = 3
  loop { store a = n
    n = n == 0 ? 2 : n - 1 } }
sometimes three: a == 3
never four: a == 4`,
  "counts below zero, in a word and in a sum": `
word n: 0..2 = 1
word owner: -1..2 = 0
thread t * 2 { add n, -1
  add owner, -1
  add owner, 1 }`,
  "what is not so in the middle of an operation, and what is not so behind it": `
word a: bool
word b: bool
thread t { op x { store a = 1
    store a = 0 }
  op y { store b = 1 } }
thread u { store b = 0 }
quiet whole: a == 0
quiet still: b == 0
always clear: a == 0`,
  "threads that end at once": `
word a: bool
thread t * 2 { }
never set: a`,
};

for (const [claim, text] of Object.entries(CORNERS)) {
  for (const memory of ["sc", "tso"] as const) {
    test(`${claim} (${memory}): as the slow search has it`, () => {
      const machine = elaborate({ name: "test", texts: [{ name: "test", text }] });
      const whole = exploreReference(machine, { memory });
      expect(whole.coverage).toBe("complete");
      const expected = Object.fromEntries(whole.findings.map(({ name, outcome }) => [name, outcome]));
      const options = { memory, allProperties: true };
      const plain = checkMachine(machine, { ...PLAIN, ...options });
      expect(plain.coverage).toBe("complete");
      const { states, transitions, depth } = plain.figures;
      expect([states, transitions, depth]).toEqual([whole.states, whole.transitions, whole.depth]);
      expect(outcomes(plain)).toEqual(expected);
      const deep = checkMachine(machine, { ...PLAIN, ...options, search: "depth-first" });
      expect([deep.figures.states, deep.figures.transitions]).toEqual([whole.states, whole.transitions]);
      expect(outcomes(deep)).toEqual(expected);
      expect(outcomes(checkMachine(machine, options))).toEqual(expected);
    });
  }
}

test("a text of hundreds of joins is compiled to a switch and gives the same numbers", () => {
  const branches = Array.from(
    { length: 150 },
    (_, at) => `if x == ${at} { s = s + 1 } else { s = s + ${at % 3} }\nif s > 20 { s = s - 20 }`,
  );
  const text = `word a: 0..160\nthread t { let x = load a\nlet s: 0..30 = 0\n${branches.join("\n")}\nstore a = s }
thread u { store a = 77 }`;
  const machine = elaborate({ name: "test", texts: [{ name: "test", text }] });
  const whole = exploreReference(machine);
  const { figures } = checkMachine(machine, PLAIN);
  expect([figures.states, figures.transitions]).toEqual([whole.states, whole.transitions]);
});

const FAULTS: readonly (readonly [string, RegExp])[] = [
  ["index i 2\nword a[i]: 0..9\nthread t { pick x in 0..3\n store a[x] = 1 }", /index 2 is outside of a/],
  ["index i 2\nword a[i]: 0..9\nalways p: a[a[0] + 2] == 0\nthread t { store a[1] = 1 }", /index 2 is outside of a/],
  [
    "index i 2\nconst W[i] = 4, 5\nword a: 0..9\nthread t { pick x in 0..3\n store a = W[x] }",
    /index 2 is outside of a table of 2/,
  ],
  ["word a: 0..9\nthread t { let x = load a\n store a = 5 / x }", /5 \/ 0 has no value/],
  ["word a: 0..9\nthread t { let x = load a\n store a = x + 10 }", /a would be 10, outside of its range 0\.\.9/],
  ["ghost g: 0..9\nword a: bool\nthread t { store a = 1\n ghost g = g - 1 }", /g would be -1, outside of its range/],
  ["word a: 0..9 = 9\nthread t { let x: 0..3 = load a\n store a = x }", /x of t is 9, outside of its range 0\.\.3/],
];

test.each(FAULTS)(
  "a text without a meaning is refused with its line, as the interpreter refuses it: %s",
  (text, error) => {
    const machine = elaborate({ name: "test", texts: [{ name: "test", text }] });
    expect(() => exploreReference(machine)).toThrow(error);
    expect(() => checkMachine(machine, PLAIN)).toThrow(error);
  },
);

const LOST_UPDATE = `
word total: 0..2
thread adder * 2 { op add { let t = load total
  store total = t + 1 } }
quiet counts: total == 0 || total == 2 || total == 1
never both: total == 2`;

test("the first broken property ends the search, with a shortest story", () => {
  const result = checkText(LOST_UPDATE, { symmetry: false });
  expect(result.coverage).toBe("stopped-at-broken");
  expect(outcomes(result)).toMatchObject({ both: "broken", counts: "holds-so-far", deadlock: "holds-so-far" });
  const both = result.properties.find(({ name }) => name === "both");
  expect(both?.outcome === "broken" ? both.story.steps.map(({ what }) => what) : []).toHaveLength(4);
});

test("all properties get their verdict if they are asked for, over all states", () => {
  const result = checkText(LOST_UPDATE, { ...PLAIN, allProperties: true });
  expect(result.coverage).toBe("complete");
  expect(outcomes(result)).toMatchObject({ both: "broken", counts: "holds", deadlock: "holds" });
  // By hand, with S at the start, L holding what it loaded, D done: SS 0; LS, SL 0; LL 0; DS, SD 1; with the other's load
  // of 0 or of 1 still to be stored DL, LD 1 (four); DD 1 and DD 2.
  expect(result.figures).toMatchObject({ states: 12, transitions: 14, depth: 4 });
});

test("properties that are not asked for are not looked at, and unknown ones are refused with the known", () => {
  const result = checkText(LOST_UPDATE, { properties: ["counts"] });
  expect(outcomes(result)).toMatchObject({ counts: "holds", both: "not-checked", deadlock: "not-checked" });
  expect(() => checkText(LOST_UPDATE, { properties: ["count"] })).toThrow(/counts.*both.*deadlock/);
});

const COUNTER =
  "word n: 0..99999\nthread t { loop { let x = load n\n store n = x == 99999 ? 0 : x + 1 } }\nnever big: n > 99999";

test("at a limit of states the search ends with what it has explored so far", () => {
  const result = checkText(COUNTER, { stateLimit: 1000 });
  expect(result.coverage).toBe("state-limit");
  expect(result.figures.states).toBe(1000);
  expect(outcomes(result)).toMatchObject({ big: "holds-so-far" });
});

test("a limit that just holds all states is no limit", () => {
  const { states } = checkText(LOST_UPDATE, { ...PLAIN, allProperties: true }).figures;
  expect(checkText(LOST_UPDATE, { ...PLAIN, allProperties: true, stateLimit: states }).coverage).toBe("complete");
  expect(checkText(LOST_UPDATE, { ...PLAIN, allProperties: true, stateLimit: states - 1 }).coverage).toBe(
    "state-limit",
  );
});

test("at a limit of memory the search ends below it, in either order", () => {
  for (const search of ["breadth-first", "depth-first"] as const) {
    const memoryLimitBytes = 2 ** 20;
    const result = checkText(COUNTER, { ...PLAIN, search, memoryLimitBytes });
    expect(result.coverage).toBe("memory-limit");
    expect(result.figures.bytes).toBeLessThanOrEqual(memoryLimitBytes);
    expect(result.figures.states).toBeGreaterThan(10_000);
  }
});

test("limits that hold nothing are refused", () => {
  expect(() => checkText(COUNTER, { memoryLimitBytes: 1000 })).toThrow(/memory limit/);
  expect(() => checkText(COUNTER, { stateLimit: 0 })).toThrow(/limit of states/);
});

test("a watch is told how far the search is, and may end it", () => {
  const machine = elaborate({ name: "test", texts: [{ name: "test", text: COUNTER }] });
  let clock = 0;
  const seen: number[] = [];
  const result = checkMachine(machine, PLAIN, {
    now: () => (clock += 60),
    progress: ({ states, statesPerSecond, frontier, depth }) => {
      seen.push(states);
      expect([statesPerSecond > 0, frontier >= 1, depth > 0]).toEqual([true, true, true]);
      return seen.length < 5;
    },
  });
  expect(result.coverage).toBe("interrupted");
  expect(outcomes(result)).toMatchObject({ big: "holds-so-far" });
  expect(seen).toHaveLength(5);
  expect(seen.toSorted((a, b) => a - b)).toEqual(seen);
});

test("a critical section is one transition, and n threads that are alike need one state for n factorial", () => {
  const text = `
const N = 4
word n: 0..N
lock l
thread t * N { op up { lock l
  let x = load n
  store n = x + 1
  unlock l } }
quiet done: n <= N`;
  // Which threads are done: 2 to the 4th; how many: 5.
  expect(checkText(text, { symmetry: false }).figures).toMatchObject({ states: 16, transitions: 32, depth: 4 });
  expect(checkText(text).figures).toMatchObject({ states: 5, depth: 4 });
  // Besides, one of 4 threads in one of 3 places inside, with the 8 sets of others that are done.
  expect(checkText(text, PLAIN).figures).toMatchObject({ states: 16 + 4 * 3 * 8, depth: 16 });
});

test("elements of a set that are alike are one: only how many have something counts", () => {
  const text = `
set mm 4
word has[mm]: bool
thread t[m in mm] { loop { let x = load has[m]
  store has[m] = !x } }
never all: all(m in mm: has[m])`;
  const whole = checkText(text, { ...PLAIN, allProperties: true });
  const reduced = checkText(text, { partialOrderReduction: false, allProperties: true });
  expect(outcomes(reduced)).toEqual(outcomes(whole));
  // Each mm has 4 states of its own; multisets of 4 out of 4 are 35.
  expect(whole.figures.states).toBe(256);
  expect(reduced.figures.states).toBe(35);
});

test("a livelock is looked for when it is asked for, after all states were found to be fine", () => {
  const text = `
lock a
lock b
thread one { op x { loop { lock a
  let got = trylock b
  if got { unlock b
    unlock a
    break }
  unlock a } } }
thread two { op y { loop { lock b
  let got = trylock a
  if got { unlock a
    unlock b
    break }
  unlock b } } }`;
  expect(outcomes(checkText(text))["livelock"]).toBeUndefined();
  const result = checkText(text, { liveness: true });
  expect(outcomes(result)).toMatchObject({ deadlock: "holds", livelock: "broken" });
  expect(outcomes(checkText(text, { properties: ["deadlock"], liveness: true }))["livelock"]).toBeUndefined();
});

test("threads that go round for ever and finish operations are no livelock", () => {
  const text = `word a: bool\nthread t * 2 { loop { op x { store a = 1\nstore a = 0 } } }`;
  expect(outcomes(checkText(text, { liveness: true }))).toMatchObject({ livelock: "holds" });
  const endless = `word a: bool\nthread t * 2 { op x { loop { store a = 1\nstore a = 0 } } }`;
  expect(outcomes(checkText(endless, { liveness: true }))).toMatchObject({ livelock: "broken" });
});

test("a thread whose only step leads nowhere is not one that waits: a circle of the others is not fair to it", () => {
  const text = `
word n: 0..1
word a: bool
thread t { op x { add n, -1 } }
thread u { op y { loop { store a = 1
  store a = 0 } } }`;
  const options = { liveness: true, allProperties: true };
  expect(outcomes(checkText(text, options))).toMatchObject({ "below-zero": "broken", livelock: "holds" });
});

test("a search that goes on behind a count below zero loses nothing of what the others do meanwhile", () => {
  const text = `
word n: 0..1
lock l
thread t { lock l
  add n, -1
  unlock l }
thread u { let got = trylock l
  assert got: got }`;
  const expected = { got: "broken", "below-zero": "broken" };
  expect(outcomes(checkText(text, { ...PLAIN, allProperties: true }))).toMatchObject(expected);
  expect(outcomes(checkText(text, { allProperties: true }))).toMatchObject(expected);
  expect(outcomes(checkText(text, { properties: ["got"] }))).toMatchObject({ got: "broken" });
});

test("a limit that ends the search for livelocks leaves the verdict open", () => {
  const text = `word a: 0..50\nthread t * 3 { op x { lock l\nlet x = load a\nstore a = x + 1\nunlock l } }\nlock l`;
  const { figures } = checkText(text);
  const limited = checkText(text, { liveness: true, stateLimit: figures.states });
  expect(outcomes(limited)).toMatchObject({ deadlock: "holds", livelock: "holds-so-far" });
});
