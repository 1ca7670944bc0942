/**
 * Ranges of registers: what can be assigned, followed along loops and branches; -128..127 where it cannot be followed.
 *
 * That a range holds every value is tested over random programs in test/checker/elaborated-programs.test.ts: the interpreter
 * refuses a register outside of its range.
 */
import { expect, test } from "vitest";
import { linesOf, machineOf, registersOf } from "../../test/checker/machine-text.ts";
import { rangeOfInterval } from "./register-ranges.ts";

/** The ranges of the registers of one thread with this body, over a word of 0..6 and an array of 3. */
function rangesOf(...body: readonly string[]): string[] {
  return registersOf(machineOf(`index page 3\nword w: 0..6\nword p[page]: bool\nthread t {\n${body.join("\n")}\n}`));
}

test("a register has the range of the word that it loads", () => {
  expect(rangesOf("let r = load w", "store w = r")).toEqual(["r: 0..6"]);
});

test("an atomic addition gives the new value, which is in the word's range", () => {
  expect(rangesOf("let r = add w, 1", "store w = r")).toEqual(["r: 0..6"]);
});

test("a cas and a trylock give 0 or 1", () => {
  const machine = machineOf(
    "lock l\nword w: 0..6\nthread t {\nlet a = cas w, 1, 2\nlet b = trylock l\nstore w = a + b\n}",
  );
  expect(registersOf(machine)).toEqual(["a: 0..1", "b: 0..1"]);
});

test("a register has what is computed from others", () => {
  expect(rangesOf("let r = load w", "let s = 2 * r - 1", "store w = s")).toEqual(["r: 0..6", "s: -1..11"]);
});

test("a register that is set in several places has what all of them give", () => {
  const body = ["let r = load w", "let s = 0", "if r == 1 { s = 5 } else { s = -2 }", "store w = s"];
  expect(rangesOf(...body)).toEqual(["r: 0..6", "s: -2..5"]);
});

test("a sum over written-out rounds has the range of the sum", () => {
  const body = ["let n = 0", "for q in 0..3 {", "let e = load p[q]", "n = n + e", "}", "store w = n"];
  expect(rangesOf(...body)).toEqual(["n: 0..3", "e: 0..1"]);
});

test("a loop's condition bounds what the loop counts", () => {
  expect(rangesOf("let i = 0", "while i < 3 {", "store p[i] = 1", "i = i + 1", "}")).toEqual(["i: 0..3"]);
  expect(rangesOf("let i = 100", "while i > 0 {", "store p[i % 3] = 1", "i = i - 1", "}")).toEqual(["i: 0..100"]);
  expect(rangesOf("let i = 0", "while !(i == 3 || i > 3) {", "store p[i] = 1", "i = i + 1", "}")).toEqual(["i: 0..3"]);
});

test("a branch that cannot be taken gives nothing", () => {
  expect(rangesOf("let r = load w", "let s = 1", "if r > 6 { s = 100 }", "store w = s")).toEqual([
    "r: 0..6",
    "s: 1..1",
  ]);
});

test("a value that is excluded at an end of the range narrows it", () => {
  const body = ["let r = load w", "let s = 0", "if r != 0 { s = r - 1 }", "store w = s"];
  expect(rangesOf(...body)).toEqual(["r: 0..6", "s: 0..5"]);
  const last = ["let r = load w", "let s = 0", "if r { if r != 6 { s = r + 1 } }", "store w = s"];
  expect(rangesOf(...last)).toEqual(["r: 0..6", "s: 0..6"]);
});

test("the require of a pick narrows what goes on", () => {
  const body = ["let r = load w", "pick x in 0..2 where r < 3", "let s = r + x", "store w = s"];
  expect(rangesOf(...body)).toEqual(["r: 0..6", "x: 0..1", "s: 0..3"]);
});

test("a loop that counts without a bound has -128..127 at the end that moves", () => {
  expect(rangesOf("let i = 3", "loop {", "store p[i % 3] = 1", "i = i + 1", "}")).toEqual(["i: 3..127"]);
  expect(rangesOf("let i = 3", "loop {", "store p[0] = i", "i = i - 1", "}")).toEqual(["i: -128..3"]);
  expect(rangesOf("let i = 1000", "loop {", "store p[0] = i", "i = i + 1", "}")).toEqual(["i: 1000..2147483647"]);
});

test("a given range stays as it is, and what is computed from the register follows it", () => {
  const body = ["let i: 0..9 = 0", "loop {", "let j = i + 1", "store w = j", "i = j", "}"];
  expect(rangesOf(...body)).toEqual(["i: 0..9", "j: 1..10"]);
});

test("a counted loop's register holds its rounds and no more", () => {
  expect(rangesOf("repeat 3 { store w = 1 }")).toEqual(["round: 0..2"]);
  expect(rangesOf("for i in 5..40 { store w = i }")).toEqual(["i: 5..39"]);
});

test("registers of elements have all elements of their set, so that threads can be exchanged", () => {
  const text = "set mm 3\nword w[mm]: bool\nthread t[m in mm] {\npick o in mm where o != m\nstore w[o] = 1\n}";
  expect(registersOf(machineOf(text), "t[0]")).toEqual(["o: 0..2"]);
  const optional = "set mm 3\nword w: mm?\nthread t {\nlet o = none\no = load w\nstore w = o\n}";
  expect(registersOf(machineOf(optional))).toEqual(["o: -1..2"]);
});

test("an index that is proven to be inside needs no look at its bounds", () => {
  const declared = "index page 3\nindex row 2\nword p[row][page]: bool\nword w: 0..6\n";
  const inside = "thread t {\npick r in row\nlet i = load w\nif i < 3 { store p[r][i] = 1 }\n}";
  expect(linesOf(machineOf(declared + inside))).toContain("store p[0][0]+((r0 * 3) + r1) of 6 1");
  const outside = "thread t {\npick r in row\nlet i = load w\nif i < 4 { store p[r][i] = 1 }\n}";
  expect(linesOf(machineOf(declared + outside))).toContain("store p[0][0]+((r0 * 3) + [0 1 2][r1]) of 6 1");
});

test("a range that is only given proves no index", () => {
  const declared = "index page 3\nindex row 2\nword p[row][page]: bool\nword w: 0..6\n";
  const given = "thread t {\npick r in row\nlet i: 0..2 = load w\nstore p[r][i] = 1\n}";
  expect(linesOf(machineOf(declared + given))).toContain("store p[0][0]+((r0 * 3) + [0 1 2][r1]) of 6 1");
});

test("a widened bound becomes -128 or 127 only where the other bound allows it", () => {
  expect(rangeOfInterval({ min: -(2 ** 31), max: 2 ** 31 - 1 })).toEqual({ min: -128, max: 127 });
  expect(rangeOfInterval({ min: -(2 ** 31), max: -500 })).toEqual({ min: -(2 ** 31), max: -500 });
  expect(rangeOfInterval(undefined)).toEqual({ min: 0, max: 0 });
});
