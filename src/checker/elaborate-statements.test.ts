/**
 * What statements become: steps with their places, inlined procedures, loops, choices, operations; and what is refused.
 */
import { expect, test } from "vitest";
import { linesOf, machineOf, registersOf } from "../../test/checker/machine-text.ts";
import { elaborate } from "./elaborate.ts";
import { isStep } from "./step-machine.ts";

const DECLARATIONS = `
const PAGES = 3
index page PAGES
set mm 2
word w: 0..6
word v: 0..6
word p[page]: bool
word q[mm][page]: bool
word owner: mm?
ghost g: 0..6
ghost seen[page]: bool
lock l
lock each[mm]
define next(x) = x + 1
define here(x) = w == x
`;

function machineFor(body: readonly string[], declarations = ""): ReturnType<typeof machineOf> {
  return machineOf(`${DECLARATIONS}${declarations}\nthread t {\n${body.join("\n")}\n}`);
}

/** The instructions of a thread with this body. */
function bodyLines(...body: readonly string[]): string[] {
  return linesOf(machineFor(body));
}

/** The same with procedures. */
function linesWith(declarations: string, ...body: readonly string[]): string[] {
  return linesOf(machineFor(body, declarations));
}

/** The error that a body is refused with, without its place. */
function errorFor(...body: readonly string[]): string {
  return errorWith("", ...body);
}

function errorWith(declarations: string, ...body: readonly string[]): string {
  try {
    machineFor(body, declarations);
  } catch (error) {
    if (error instanceof Error) return error.message.replace(/^test:\d+:\d+: /, "");
  }
  return "accepted";
}

test("every access is a step of its own", () => {
  const body = [
    "let r = load w",
    "store w = r + 1",
    "add w, 2",
    "let a = add w, r",
    "let b = swap w, a",
    "let c = cas w, b, a",
  ];
  expect(bodyLines(...body, "fence", "await w == 0 && g > 1", "store v = c")).toEqual([
    "r0 = load w",
    "store w (r0 + 1)",
    "add w 2",
    "r1 = add w r0",
    "r2 = swap w r1",
    "r3 = cas w r2 r1",
    "fence",
    "await ((w == 0) && (g > 1))",
    "store v r3",
    "stop",
  ]);
});

test("locks are steps, shared or not", () => {
  const body = [
    "lock l",
    "unlock l",
    "lock_shared l",
    "unlock_shared l",
    "let a = trylock l",
    "let b = trylock_shared l",
    "store w = a + b",
  ];
  expect(bodyLines(...body)).toEqual([
    "lock l",
    "unlock l",
    "lock_shared l",
    "unlock_shared l",
    "r0 = trylock l",
    "r1 = trylock_shared l",
    "store w (r0 + r1)",
    "stop",
  ]);
});

test("registers, ghosts and assertions are no steps", () => {
  const machine = machineFor(["let r = load w", "r = r + 1", "ghost g = r + w", "assert fine: g > w", "store w = r"]);
  expect(linesOf(machine)).toEqual([
    "r0 = load w",
    "r0 = set (r0 + 1)",
    "ghost g (r0 + w)",
    "assert fine: (g > w)",
    "store w r0",
    "stop",
  ]);
  expect(machine.threads[0].instructions.map(isStep)).toEqual([true, false, false, false, true, false]);
});

test("an instruction knows its line as it is written", () => {
  const [load] = machineFor(["  let r = load w   # the count"]).threads[0].instructions;
  expect(load.origin).toMatchObject({ text: "test", column: 3, source: "let r = load w   # the count" });
});

test("an array lies row by row, and a constant index is part of the place", () => {
  const body = ["pick m in mm", "pick i in page", "store q[m][1] = 1", "store p[i] = 1", "store q[m][i] = 1"];
  expect(bodyLines(...body).filter((line) => line.startsWith("store"))).toEqual([
    "store q[0][1]+(r0 * 3) of 4 1",
    "store p[0]+r1 of 3 1",
    "store q[0][0]+((r0 * 3) + r1) of 6 1",
  ]);
});

test("an index outside is refused where it is a constant, and left to the check where it is none", () => {
  expect(errorFor("store p[PAGES] = 1")).toBe("index 3 of p is outside: page has 3, from 0");
  expect(errorFor("store p[0 - 1] = 1")).toBe("index -1 of p is outside: page has 3, from 0");
  expect(bodyLines("let r = load w", "store p[r] = 1")).toContain("store p[0]+r0 of 3 1");
});

test("a register that has one constant value for good is that constant", () => {
  expect(bodyLines("let r = PAGES", "store w = r", "let s = r + 1", "store p[s - 2] = 1")).toEqual([
    "store w 3",
    "store p[2] 1",
    "stop",
  ]);
  expect(bodyLines("let r = 1", "store w = r", "r = 2", "store w = r")).toContain("r0 = set 1");
  expect(bodyLines("let r = 1", "loop {", "store w = r", "pick r in 0..2", "}")).toContain("r0 = set 1");
});

test("what a constant decides leaves no code", () => {
  expect(bodyLines("if PAGES > 3 { store w = 1 } else { store w = 2 }")).toEqual(["store w 2", "stop"]);
  expect(bodyLines("if PAGES > 3 { store p[PAGES + 7] = 1 }", "fence")).toEqual(["fence", "stop"]);
  expect(bodyLines("while PAGES < 3 { fence }", "repeat 0 { fence }", "for i in 2..1 { fence }")).toEqual(["stop"]);
});

test("a procedure is written out where it is called, with names of its own", () => {
  const text = "procedure up(n) {\nlet r = load w\nstore w = r + n\n}";
  expect(linesWith(text, "let r = load v", "up(r)", "up(1)", "store v = r")).toEqual([
    "r0 = load v",
    "r1 = load w",
    "store w (r1 + r0)",
    "r1 = load w",
    "store w (r1 + 1)",
    "store v r0",
    "stop",
  ]);
});

test("an argument is computed once, at the call", () => {
  const text = "procedure twice(n) {\nstore w = n\nstore v = n\n}";
  expect(linesWith(text, "let r = load w", "twice(r + 1)")).toEqual([
    "r0 = load w",
    "r1 = set (r0 + 1)",
    "store w r1",
    "store v r1",
    "stop",
  ]);
});

test("a procedure that assigns to its parameter leaves the caller's register alone", () => {
  const text = "procedure count_down(n) {\nwhile n > 0 {\nstore v = n\nn = n - 1\n}\n}";
  expect(linesWith(text, "let r = load w", "count_down(r)", "store w = r")).toEqual([
    "r0 = load w",
    "r1 = set r0",
    "branch (r1 > 0) ? 3 : 6",
    "store v r1",
    "r1 = set (r1 - 1)",
    "jump 2",
    "store w r0",
    "stop",
  ]);
});

test("return leads behind the call and gives its value", () => {
  const text = "procedure find(x) {\nfor i in 0..PAGES {\nlet e = load p[i]\nif e == x { return i }\n}\nreturn none\n}";
  expect(linesWith(text, "let r = find(1)", "store w = r")).toEqual([
    "r1 = load p[0]",
    "branch (r1 == 1) ? 2 : 4",
    "r0 = set 0",
    "jump 13",
    "r1 = load p[1]",
    "branch (r1 == 1) ? 6 : 8",
    "r0 = set 1",
    "jump 13",
    "r1 = load p[2]",
    "branch (r1 == 1) ? 10 : 12",
    "r0 = set 2",
    "jump 13",
    "r0 = set -1",
    "store w r0",
    "stop",
  ]);
});

test("a procedure that only returns an expression leaves no code of its own", () => {
  expect(linesWith("procedure answer(x) { return x + 1 }", "store w = 0", "let r = answer(2)", "store w = r")).toEqual([
    "store w 0",
    "store w 3",
    "stop",
  ]);
});

test("a procedure can return what another one returns", () => {
  const text = "procedure inner() {\nlet r = load w\nreturn r\n}\nprocedure outer() { return inner() }";
  expect(linesWith(text, "let r = outer()", "store v = r")).toEqual([
    "r1 = load w",
    "r0 = set r1",
    "store v r0",
    "stop",
  ]);
});

test("registers of calls that follow each other are the same", () => {
  const text = "procedure up() {\nlet r = load w\nstore w = r + 1\n}";
  expect(registersOf(machineFor(["up()", "up()", "up()"], text))).toEqual(["r: 0..6"]);
});

test("a procedure that is used for its value must return one on every way", () => {
  expect(errorWith("procedure f() {\nlet r = load w\nif r == 1 { return 1 }\n}", "let s = f()")).toBe(
    "f is called for its value here, and not every way through it returns one",
  );
  expect(errorWith("procedure f() { return }", "let s = f()")).toContain(
    "f is called for its value, and this return gives none",
  );
  expect(
    errorWith(
      "procedure f() {\nlet r = load w\nif r == 1 { return 1 } else { return 2 }\n}",
      "let s = f()",
      "store w = s",
    ),
  ).toBe("accepted");
  expect(errorWith("procedure f() {\nlet r = load w\nif r == 1 { return 1 }\n}", "f()")).toBe("accepted");
  expect(errorWith("procedure f() {\nif PAGES == 3 { return 1 }\n}", "let s = f()", "store w = s")).toBe("accepted");
});

test("repeat is counted by a register; once is no loop", () => {
  expect(bodyLines("repeat 1 { store w = 1 }")).toEqual(["store w 1", "stop"]);
  expect(bodyLines("repeat 3 { store w = 1 }")).toEqual([
    "r0 = set 0",
    "store w 1",
    "branch (r0 >= 2) ? 5 : 3",
    "r0 = set (r0 + 1)",
    "jump 1",
    "stop",
  ]);
});

test("a short for is written out, a long one counted", () => {
  expect(bodyLines("for i in 1..PAGES { store p[i] = 1 }")).toEqual(["store p[1] 1", "store p[2] 1", "stop"]);
  expect(bodyLines("for i in 0..17 { store w = i }")[0]).toBe("r0 = set 0");
  expect(bodyLines("for i in 0..16 { store w = i % 7 }")).toHaveLength(17);
  const long = Array.from({ length: 41 }, () => "store w = i");
  expect(bodyLines("for i in 0..2 {", ...long, "}")).toHaveLength(46);
});

test("a for whose bounds are registers goes round as often as they say at its beginning", () => {
  expect(bodyLines("let r = load w", "for i in 1..r { store v = i }")).toEqual([
    "r0 = load w",
    "r1 = set r0",
    "r2 = set 1",
    "branch (r2 < r1) ? 4 : 8",
    "store v r2",
    "branch (r2 >= (r1 - 1)) ? 8 : 6",
    "r2 = set (r2 + 1)",
    "jump 4",
    "stop",
  ]);
});

test("break leaves the innermost loop, also one that is written out", () => {
  const body = ["for i in 0..2 {", "let r = load p[i]", "if r == 1 { break }", "}", "store w = 1"];
  expect(bodyLines(...body)).toEqual([
    "r0 = load p[0]",
    "branch (r0 == 1) ? 3 : 2",
    "r0 = load p[1]",
    "store w 1",
    "stop",
  ]);
});

test("choose has a target for each alternative", () => {
  expect(bodyLines("choose { store w = 1 } or { store w = 2 } or { }", "fence")).toEqual([
    "choose 1 3 4",
    "store w 1",
    "jump 4",
    "store w 2",
    "fence",
    "stop",
  ]);
});

test("pick has an alternative for each element, which checks its where and sets the register", () => {
  expect(bodyLines("let r = load w", "pick i in 0..2 where i != r", "store p[i] = 1")).toEqual([
    "r0 = load w",
    "choose 2 5",
    "require (0 != r0)",
    "r1 = set 0",
    "jump 7",
    "require (1 != r0)",
    "r1 = set 1",
    "store p[0]+r1 of 3 1",
    "stop",
  ]);
});

test("an alternative of pick that constants exclude is none", () => {
  expect(bodyLines("pick i in page where i != 1", "store p[i] = 1")).toContain("choose 1 3");
  expect(errorFor("pick i in page where i > 5")).toBe("there is nothing to pick for i");
  expect(errorFor("pick i in 1..1")).toBe("there is nothing to pick for i");
});

test("pick of one thing is a choice all the same, and its register a constant", () => {
  expect(bodyLines("pick i in 2..3", "store p[i] = 1")).toEqual(["choose 1", "store p[2] 1", "stop"]);
});

test("pick gives a register that there is another value", () => {
  expect(bodyLines("let i = 0", "pick i in 1..3", "store w = i").filter((line) => line.startsWith("r0 ="))).toEqual([
    "r0 = set 0",
    "r0 = set 1",
    "r0 = set 2",
  ]);
});

test("an operation ends on every way out of it", () => {
  const text = "procedure f() {\nop look {\nlet r = load w\nif r == 1 { return 0 }\nif r == 2 { stop }\n}\nreturn 1\n}";
  expect(linesWith(text, "let s = f()", "store w = s")).toEqual([
    "begin look",
    "r1 = load w",
    "branch (r1 == 1) ? 3 : 6",
    "r0 = set 0",
    "end look",
    "jump 11",
    "branch (r1 == 2) ? 7 : 9",
    "end look",
    "jump 12",
    "end look",
    "r0 = set 1",
    "store w r0",
    "stop",
  ]);
});

test("break out of an operation ends it; break inside of it does not", () => {
  expect(bodyLines("loop {", "op a {", "store w = 1", "break", "}", "}")).toEqual([
    "begin a",
    "store w 1",
    "end a",
    "stop",
  ]);
  const inside = bodyLines("op a {", "loop {", "let r = load w", "if r == 1 { break }", "}", "store w = 2", "}");
  expect(inside.filter((line) => line === "end a")).toHaveLength(1);
});

test("locks that the configuration leaves out are no steps, and trylock always gets them", () => {
  const text = `${DECLARATIONS}thread t {\nlock l\nlock each[element(mm, 0)]\nlet a = trylock l\nstore w = a\nunlock l\n}`;
  const machine = elaborate({ name: "test", texts: [{ name: "test", text }], withoutLocks: ["l"] });
  expect(linesOf(machine)).toEqual(["lock each[0]", "r0 = set 1", "store w r0", "stop"]);
  expect(() => elaborate({ name: "test", texts: [{ name: "test", text }], withoutLocks: ["eac"] })).toThrow(
    "no lock is named eac, to be left out: did you mean each? (locks: l, each)",
  );
});

test("a counted loop over locks that are left out need not rest, and is written out", () => {
  const text = `${DECLARATIONS}thread t {\nrepeat 2 {\nlock l\nghost g = g + 1\nunlock l\n}\n}`;
  const machine = elaborate({ name: "test", texts: [{ name: "test", text }], withoutLocks: ["l"] });
  expect(linesOf(machine)).toEqual(["ghost g (g + 1)", "ghost g (g + 1)", "stop"]);
});

test("an assertion sees everything and a lock by its name is 1 while it is held", () => {
  expect(
    bodyLines("lock l", "let r = load w", "assert held: l && here(r) && !each[element(mm, 1)]", "unlock l"),
  ).toContain("assert held: (((l != 0) && (w == r0)) && (each[1] == 0))");
});

test.each([
  ["let r = w", "w is a word and only registers can stand here (read it first: let r = load w)"],
  ["store w = g", "g is a ghost and only registers can stand here (no CPU reads it)"],
  ["if l { fence }", "l is a lock and only registers can stand here (try it: let r = trylock)"],
  [
    "store w = here(1)",
    "w is a word and only registers can stand here (read it first: let r = load w) (in here, used at test:18:11)",
  ],
  [
    "store w = unheard_of",
    "nothing is named unheard_of: known are PAGES, page, mm, w, v, p, q, owner, g, seen, l, each, next, here",
  ],
  ["store w = nxt(1)", "nothing is named nxt: did you mean next?"],
  ["store w = next", "next is a define: write next(...)"],
  ["store w = next(1, 2)", "next(x) has 1 arguments, not 2"],
  ["store w = mm", "mm is a set and has no value"],
  ["store w = p", "p is a word and only registers can stand here (read it first: let r = load p)"],
  ["store w = max(1)", "max(a, b) has 2 arguments, not 1"],
  ["store w = element(1, 2)", "write element(SET, NUMBER)"],
  ["store owner = element(mm, 2)", "mm has 2 elements, from 0: there is no number 2"],
  ["store w = 1 / (PAGES - 3)", "/ divides by 0"],
  ["store w = PAGES[1]", "constant PAGES is one number and has no index"],
  ["store p = 1", "p has an index for each of page, and 0 stand here"],
  ["store w[1] = 1", "w has no index, and 1 stand here"],
  ["store q[0] = 1", "q has an index for each of mm, page, and 1 stand here"],
  ["store g = 1", "g is a ghost, not a word (words: w, v, p, q, owner)"],
  ["ghost w = 1", "w is a word, not a ghost (ghosts: g, seen)"],
  ["lock w", "w is a word, not a lock (locks: l, each)"],
  ["store x = 1", "no word is named x (words: w, v, p, q, owner)"],
  ["let r = load l", "l is a lock, not a word (words: w, v, p, q, owner)"],
  ["r = 1", "no register is named r (let r = ... declares it)"],
  ["w = 1", "no register is named w (w is a word: store w = ...)"],
  ["g = 1", "no register is named g (g is a ghost: ghost g = ...)"],
  ["let w = 1", "w is a word already: give the register another name"],
  ["let PAGES = 1", "PAGES is a const already: give the register another name"],
  ["let r: 5..2 = load w", "the range 5..2 is empty"],
  ["let r: bool = 7", "r is 7, outside of its range 0..1"],
  ["let r: nobody = 7", "no set or index is named nobody: known are page, mm"],
  ["pick i in w", "no set or index is named w (it is a word): known are page, mm"],
  ["break", "break stands in no loop"],
  ["return 1", "return stands in no procedure (stop ends a thread)"],
  ["f()", "no procedure is named f: "],
  ["next(1)", "next is a define: only a procedure is called by itself"],
  ["assert deadlock: 1", "deadlock is a property of the checker itself: give this one another name"],
  ["repeat 0 - 1 { fence }", "a loop cannot be repeated -1 times"],
  ["op a { op b { fence } }", "operation b begins inside of another"],
])("%s is refused: %s", (line, message) => {
  expect(errorFor(line)).toBe(message);
});

test.each([
  [["let r = load w", "repeat r { fence }"], "r is a register: its value is not known before the check"],
  [["let r = 1", "let r = 2"], "r is declared here already: without let it gets another value"],
  [["let r = load w", "if r == 1 { let r = 2 }"], "r is declared here already: without let it gets another value"],
  [["for i in 0..2 { i = 3 }"], "i has one value and cannot be given another"],
  [["for i in 0..2 { fence }", "store w = i"], "nothing is named i: did you mean w?"],
  [["let r = load w", "store w = r[1]"], "r is one value here and has no index"],
  [["if 1 == 1 { let r = load w }", "store w = r"], "nothing is named r: did you mean w?"],
])("%j is refused: %s", (body, message) => {
  expect(errorFor(...body)).toBe(message);
});

test("a procedure that calls itself is refused, also through another", () => {
  expect(errorWith("procedure f() { f() }", "f()")).toMatch(
    /^f calls itself: procedures are written out, so there is no recursion \(in f, used at/,
  );
  expect(errorWith("procedure f() { g2() }\nprocedure g2() { f() }", "f()")).toContain("f calls itself");
  expect(errorWith("define a(x) = b(x)\ndefine b(x) = a(x)", "store w = a(1)")).toContain("a is defined by itself");
});

test("a procedure sees its parameters and the declarations, and nothing of its caller", () => {
  expect(errorWith("procedure f() { store w = r }", "let r = load w", "f()")).toMatch(
    /^nothing is named r: .* \(in f, used at test:\d+:1\)$/,
  );
  expect(errorWith("define d() = r", "let r = load w", "store w = d()")).toContain("nothing is named r");
});

test("a procedure is called alone or for its value, never inside of an expression", () => {
  const text = "procedure f() { return 1 }";
  expect(errorWith(text, "store w = f() + 1")).toBe(
    "f is a procedure: its steps cannot be part of an expression (let r = f(...) by itself)",
  );
  expect(errorWith(text, "let r = f(1)")).toBe("f() has 0 arguments, not 1");
});

test("what has grown too large is refused", () => {
  const doubling = Array.from(
    { length: 16 },
    (_, number) => `define d${number + 1}(x) = d${number}(x) + d${number}(x)`,
  );
  expect(errorWith(`define d0(x) = x\n${doubling.join("\n")}`, "let r = load w", "store w = d16(r)")).toContain(
    "the expression has more than 20000 parts when it is written out",
  );
  expect(errorFor("for i in 0..70000 { let r = 1 }")).toBe("accepted");
  expect(errorFor("let r = load w", "for i in 0..70000 { r = r * i }")).toContain(
    "the thread has more than 65536 instructions when it is written out",
  );
  const names = Array.from({ length: 513 }, (_, number) => `let r${number} = load w`);
  expect(errorFor(...names)).toContain("the thread has more than 512 registers");
});
