import { expect, test } from "vitest";
import { elaborate } from "./elaborate.ts";
import { observedVariables, safeSteps, type SafeStepOptions } from "./safe-steps.ts";
import { isStep } from "./step-machine.ts";

/** The lines of the text whose steps are safe in every thread that has them; a thread's own with its name before. */
function safeLines(text: string, options: SafeStepOptions = {}): string[] {
  const machine = elaborate({ name: "test", texts: [{ name: "test", text }] });
  const safe = safeSteps(machine, observedVariables(machine), options);
  return machine.threads.flatMap(({ name, instructions }, thread) =>
    instructions.flatMap((instruction, at) =>
      isStep(instruction) && safe[thread][at] === 1 ? [`${name}: ${instruction.origin.source}`] : [],
    ),
  );
}

const TSO: SafeStepOptions = { memory: "tso", bufferEntries: 2 };

test("a word that one thread only uses is touched safely, a word that others touch is not", () => {
  const lines = safeLines(`
word mine: 0..1
word ours: 0..1
thread one {
fence
store mine = 1
store ours = 1
}
thread two { let r = load ours }`);
  expect(lines).toEqual(["one: fence", "one: store mine = 1"]);
});

test("two that only read do not disturb each other", () => {
  const lines = safeLines(`
word w: 0..1
thread reader * 2 { let r = load w }`);
  expect(lines).toEqual([
    "reader[0]: thread reader * 2 { let r = load w }",
    "reader[1]: thread reader * 2 { let r = load w }",
  ]);
});

const COUNTER = (rest: string): string => `
word n: 0..4
lock l
thread adder * 2 {
lock l
let t = load n
store n = t + 1
unlock l
}
${rest}`;

test("under the lock that everybody takes all is safe, the unlock too, but never the lock", () => {
  expect(safeLines(COUNTER(""))).toEqual(
    ["adder[0]", "adder[1]"].flatMap((name) => [
      `${name}: let t = load n`,
      `${name}: store n = t + 1`,
      `${name}: unlock l`,
    ]),
  );
});

test("one reader without the lock makes the writes unsafe, and the reads stay safe", () => {
  const lines = safeLines(COUNTER("thread peeper { let r = load n }"));
  expect(lines).not.toContain("adder[0]: store n = t + 1");
  // Another's write may come between for the peeper; for an adder the lock keeps it out.
  expect(lines).toContain("adder[0]: let t = load n");
  expect(lines).toContain("adder[0]: unlock l");
  expect(lines.filter((line) => line.startsWith("peeper"))).toEqual([]);
});

test("a thread that trylocks, awaits or asserts the lock sees when it is released", () => {
  for (const look of ["let r = trylock l", "await l == 0", "fence\nassert free: l == 0"]) {
    const lines = safeLines(COUNTER(`thread looker {\n${look}\n}`));
    expect(lines, look).not.toContain("adder[0]: unlock l");
    expect(lines, look).toContain("adder[0]: store n = t + 1");
  }
});

test("a trylock that got the lock protects, one that did not does not", () => {
  const text = (condition: number): string => `
word n: 0..4
lock l
thread one {
lock l
store n = 1
unlock l
}
thread two {
let got = trylock l
if got == ${condition} {
store n = 2
}
}`;
  expect(safeLines(text(1))).toEqual(["one: store n = 1", "two: store n = 2"]);
  expect(safeLines(text(0))).toEqual([]);
});

test("readers and writers of a rwsem keep each other out, readers do not", () => {
  const text = (side: string): string => `
word n: 0..4
lock sem
thread one {
lock_shared sem
let r = load n
unlock_shared sem
}
thread two {
lock${side} sem
store n = 1
unlock${side} sem
}`;
  expect(safeLines(text(""))).toContain("one: let r = load n");
  expect(safeLines(text(""))).toContain("two: store n = 1");
  expect(safeLines(text("_shared"))).not.toContain("one: let r = load n");
  expect(safeLines(text("_shared"))).toContain("one: unlock_shared sem");
});

test("different locks protect nothing from each other", () => {
  const lines = safeLines(`
word n: 0..4
lock l
lock k
thread one {
lock l
store n = 1
unlock l
}
thread two {
lock k
store n = 2
unlock k
}`);
  expect(lines).toEqual(["one: unlock l", "two: unlock k"]);
});

test("of an array of locks each protects its own element, whichever is picked", () => {
  const text = (other: string): string => `
set mm 2
lock own[mm]
word w[mm]: 0..1
thread worker * 2 {
pick m in mm
pick o in mm
lock own[m]
store w[${other}] = 1
unlock own[m]
}`;
  expect(safeLines(text("m"))).toContain("worker[0]: store w[m] = 1");
  expect(safeLines(text("o"))).not.toContain("worker[0]: store w[o] = 1");
});

test("what a property of every state reads is not written unseen; what only quiet states are asked for is, inside", () => {
  const text = (property: string): string => `
word n: 0..4
lock l
thread adder * 2 {
op add {
lock l
store n = 2
unlock l
}
}
${property}`;
  expect(safeLines(text("quiet two: n != 1"))).toContain("adder[0]: store n = 2");
  for (const when of ["always", "never", "sometimes"]) {
    expect(safeLines(text(`${when} two: n == 1`)), when).not.toContain("adder[0]: store n = 2");
  }
});

test("outside of operations what a quiet state is asked for is not written unseen", () => {
  const text = (property: string): string => `
word n: 0..4
thread one {
store n = 1
store n = 0
op nothing { fence }
}
${property}`;
  expect(safeLines(text("quiet zero: n == 0"))).toEqual(["one: op nothing { fence }"]);
  expect(safeLines(text(""))).toHaveLength(3);
});

test("ghosts and assertions behind a step are part of it", () => {
  const text = (behind: string): string => `
word w: 0..1
ghost g: 0..1
thread one {
store w = 1
${behind}
}
thread two {
fence
ghost g = 1
}`;
  expect(safeLines(text(""))).toContain("one: store w = 1");
  expect(safeLines(text("ghost g = 0"))).not.toContain("one: store w = 1");
  expect(safeLines(text("assert clear: g == 0"))).not.toContain("one: store w = 1");
});

test("what stands behind an unlock is still under the lock, what stands before the lock is not", () => {
  const text = (before: string, behind: string): string => `
word w: 0..1
ghost g: 0..1
lock l
thread one {
lock l
store w = 1
ghost g = 1
unlock l
}
thread two {
fence
${before}
lock l
store w = 0
unlock l
${behind}
}`;
  expect(safeLines(text("", "ghost g = 0"))).toContain("one: store w = 1");
  expect(safeLines(text("", "ghost g = 0"))).toContain("two: unlock l");
  expect(safeLines(text("ghost g = 0", ""))).not.toContain("one: store w = 1");
});

test("a lock, an await, and an unlock of what is not held are never safe", () => {
  const lines = safeLines(`
word w: 0..1
lock l
lock k
thread one {
lock l
unlock k
await w == 0
}`);
  expect(lines).toEqual([]);
});

test("a circle of safe steps is broken, a counted loop need not be", () => {
  expect(safeLines("word w: 0..1\nthread one {\nloop {\nlet r = load w\n}\n}")).toEqual([]);
  expect(safeLines("word w: 0..1\nthread one {\nloop {\nfence\nlet r = load w\n}\n}")).toHaveLength(1);
  expect(safeLines("word w: 0..1\nthread one {\nrepeat 2 {\nlet r = load w\n}\n}")).toEqual(["one: let r = load w"]);
});

test("a count that may go below zero is not safe for a search that goes on there", () => {
  const text = "word n: 0..4 = 1\nthread one {\nadd n, -1\nadd n, 1\nstore n = 0\n}";
  expect(safeLines(text)).toHaveLength(3);
  expect(safeLines(text, { endsBelowZero: false })).toEqual(["one: add n, 1", "one: store n = 0"]);
});

test("under TSO a store is safe while there is certainly room for it, whoever reads the word", () => {
  const text = `
word a: 0..1
thread one {
store a = 1
store a = 0
store a = 1
fence
store a = 0
}
thread two { let r = load a }`;
  expect(safeLines(text, TSO)).toEqual(["one: store a = 1", "one: store a = 0", "one: store a = 0"]);
  expect(safeLines(text)).toEqual(["one: fence"]);
});

test("under TSO a step that waits for the buffer is safe only if nothing can be in it", () => {
  const text = "word a: 0..1\nthread one {\nadd a, 1\nstore a = 0\nadd a, 0\n}";
  expect(safeLines(text, TSO)).toEqual(["one: add a, 1", "one: store a = 0"]);
});

test("under TSO an assertion does not see what the thread's own buffer holds, so its step is not safe", () => {
  const text = "word a: 0..1\nthread one {\nstore a = 1\nassert there: a == 1\n}";
  expect(safeLines(text, TSO)).toEqual([]);
  expect(safeLines(text)).toEqual(["one: store a = 1"]);
  const unlocked = "lock l\nthread one {\nlock l\nunlock l\nassert free: l == 0\n}";
  expect(safeLines(unlocked, TSO)).toEqual([]);
  expect(safeLines(unlocked)).toEqual(["one: unlock l"]);
});

test("under TSO a store outside of operations to what a quiet state is asked for is not safe: it fills the buffer", () => {
  const text = (property: string): string => `word a: 0..1\nthread one { store a = 1 }\n${property}`;
  expect(safeLines(text("quiet zero: a == 0"), TSO)).toEqual([]);
  expect(safeLines(text("always any: a >= 0"), TSO)).toHaveLength(1);
});

test("a lock of which it is not known which one it is protects nothing, and is not released unseen", () => {
  const text = (index: string): string => `
index half 2
word which: 0..99
word n: 0..4
lock own[half]
thread worker * 2 {
let x = load which
lock own[${index}]
store n = 1
unlock own[${index}]
}`;
  expect(safeLines(text("x % 2"))).toEqual(["worker[0]: let x = load which", "worker[1]: let x = load which"]);
  expect(safeLines(text("1"))).toContain("worker[0]: store n = 1");
});

test("an index that is not known may be any", () => {
  const text = (step: string): string => `
index half 2
word which: 0..99
word other: 0..99
word w[half]: bool
thread one {
fence
store w[1] = 1
}
thread two {
let x = load which
${step}
}`;
  expect(safeLines(text("store w[0] = 1"))).toContain("one: store w[1] = 1");
  expect(safeLines(text("let r = load w[x % 2]"))).not.toContain("one: store w[1] = 1");
  expect(safeLines(text("assert odd: w[(which + other) % 2] < 2"))).not.toContain("one: store w[1] = 1");
});

test("an index that a word of few values gives is told apart by its values", () => {
  const text = (range: string): string => `
index third 3
word which: ${range}
word w[third]: bool
thread one { store w[2] = 1 }
thread two {
let x = load which
store w[x] = 1
assert clear: !w[which]
}`;
  const store = "one: thread one { store w[2] = 1 }";
  expect(safeLines(text("0..1"))).toContain(store);
  expect(safeLines(text("0..2"))).not.toContain(store);
});
