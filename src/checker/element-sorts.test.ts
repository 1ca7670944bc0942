/**
 * Which texts leave a set's elements interchangeable, and which do not.
 */
import { expect, test } from "vitest";
import { machineOf } from "../../test/checker/machine-text.ts";

const DECLARATIONS = `
set mm 3
set cpu 2
index page 3
const SAME[mm] = 7
const WEIGHT[mm] = 1, 2, 4
word owner: mm?
word first: mm
word count: -8..8
word each[mm]: bool
word entry[mm][page]: bool
word slot[page]: mm?
ghost last: mm?
define maps(m) = any(p in page: entry[m][p])
procedure same(m) { return m }
`;

/** Why the set mm is ordered in a system whose threads, one an mm, run this; undefined if it is not. */
function reasonFor(...body: readonly string[]): string | undefined {
  const text = `${DECLARATIONS}thread t[m in mm] {\n${body.join("\n")}\n}`;
  const { orderedBy } = machineOf(text).sets[0];
  return orderedBy?.replace(/^test:\d+:\d+: /, "");
}

/** The same for a property. */
function reasonForProperty(condition: string): string | undefined {
  return machineOf(`${DECLARATIONS}thread t { }\nalways p: ${condition}`).sets[0].orderedBy?.replace(
    /^test:\d+:\d+: /,
    "",
  );
}

test.each([
  ["an element is stored and loaded", ["store owner = m", "let o = load owner", "store first = o"]],
  [
    "an element is compared with another, and with none",
    ["let o = load owner", "if o == m || o != none { store owner = none }"],
  ],
  ["an element is an index", ["pick o in mm where o != m", "store each[o] = 1", "let e = load entry[m][2]"]],
  ["an element is exchanged", ["let b = cas owner, m, none", "let o = swap owner, m"]],
  ["an element goes through a procedure", ["let o = same(m)", "store owner = o"]],
  ["an element goes through a define", ["ghost last = maps(m) ? m : none"]],
  ["a register begins with none and becomes an element", ["let o = none", "if m != o { o = m }", "store owner = o"]],
  ["a table has one value for all", ["store count = SAME[m]"]],
  ["elements are counted", ["store each[m] = 1", "assert two: count(o in mm: each[o]) <= 2"]],
  [
    "an element lies in an array over an index",
    ["store slot[0] = m", "let o = load slot[1]", "store each[o == none ? m : o] = 1"],
  ],
  ["a register of a set is declared so", ["let o: mm? = none", "o = m", "store owner = o"]],
])("elements stay interchangeable where %s", (_, body) => {
  expect(reasonFor(...body)).toBeUndefined();
});

test.each([
  ["an order", ["if m < 1 { fence }"], "is an operand of <"],
  ["arithmetic", ["store count = m + 1"], "is an operand of +"],
  ["min", ["store count = min(m, 1)"], "is an operand of min"],
  ["a negation", ["if !m { fence }"], "is negated by !"],
  ["a minus", ["store count = -m"], "is negated"],
  ["a truth", ["if m { fence }"], "is used as a truth"],
  ["a truth in &&", ["if 1 == 1 && m { fence }"], "is an operand of &&"],
  ["a comparison with a number", ["if m == 0 { fence }"], "== compares an element with a number"],
  ["a number as index", ["store each[0] = 1"], "a number is an index of each"],
  ["a counted index", ["for i in 0..3 { store each[i] = 1 }"], "a number is an index of each"],
  ["an element as index of an index", ["store slot[m] = none"], "is an index of slot, which counts page"],
  ["an element by its number", ["store owner = element(mm, 0)"], "element(mm, ...) names one by its number"],
  ["a table of different values", ["store count = WEIGHT[m]"], "WEIGHT differs from element to element"],
  [
    "an element in a word of numbers",
    ["store count = m"],
    "a number goes where an element is, or an element where a number is",
  ],
  [
    "a number in a word of elements",
    ["store owner = 0"],
    "a number goes where an element is, or an element where a number is",
  ],
  ["a register of both", ["let o = m", "o = 1", "store count = o"], "a register gets an element and a number"],
  ["an addition to a word of elements", ["add owner, 1"], "is added to"],
  [
    "a load of a number into a register of elements",
    ["let o: mm? = load count", "store owner = o"],
    "a register of elements loads a number, or the other way",
  ],
  [
    "a conditional of both",
    ["let o = load owner", "store owner = o == m ? 0 : m"],
    "the sides of ? are an element and a number",
  ],
  ["a condition of await", ["await first"], "is used as a truth"],
  ["a sum of elements", ["assert few: sum(o in mm: o) < 4"], "is summed"],
])("elements are told apart by %s", (_, body, reason) => {
  expect(reasonFor(...body)).toBe(reason);
});

test("a property can tell elements apart, or leave them alike", () => {
  expect(reasonForProperty("owner == none || maps(owner)")).toBeUndefined();
  expect(reasonForProperty("each[1] == 0")).toBe("a number is an index of each");
  expect(reasonForProperty("owner <= 1")).toBe("is an operand of <=");
});

test("a use that tells elements apart is found behind a register whose sort is known only later", () => {
  const body = ["let o = none", "loop {", "if o != none && o > 0 { store count = 1 }", "o = load owner", "}"];
  expect(reasonFor(...body)).toBe("a register of elements loads a number, or the other way");
});

test("registers that were set to each other before either had an element are of one sort", () => {
  const body = ["let a = none", "let b = none", "a = b", "b = m"];
  expect(reasonFor(...body, "store owner = a")).toBeUndefined();
  expect(reasonFor(...body, "store count = a")).toBe(
    "a number goes where an element is, or an element where a number is",
  );
});

test("the first state may tell elements apart: every state reached from it has its counterpart", () => {
  const text = `${DECLARATIONS}word mine[m in mm]: bool = m == 0\ninitially { store entry[element(mm, 0)][0] = 1 }\nthread t { }`;
  const machine = machineOf(text);
  expect(machine.sets[0].orderedBy).toBeUndefined();
  expect(machine.variables.filter(({ array }) => array === "mine").map(({ initial }) => initial)).toEqual([1, 0, 0]);
});

test("the reason has the place of the first such use", () => {
  const machine = machineOf("set mm 2\nword w[mm]: bool\nthread t {\nstore w[0] = 1\nstore w[1] = 1\n}");
  expect(machine.sets[0].orderedBy).toBe("test:4:9: a number is an index of w");
});

test("elements of two different sets never meet", () => {
  const compare = `${DECLARATIONS}thread t[m in mm] {\npick c in cpu\nif m == c { fence }\n}`;
  expect(() => machineOf(compare)).toThrow("elements of two different sets meet: == compares an element with a number");
  const index = `${DECLARATIONS}thread t {\npick c in cpu\nstore each[c] = 1\n}`;
  expect(() => machineOf(index)).toThrow("elements of two different sets meet");
});

test("registers and variables say which set's elements they hold", () => {
  const machine = machineOf(
    `${DECLARATIONS}thread t[m in mm] {\nlet o = load owner\nlet n = load count\nstore slot[0] = o == m ? o : none\nstore count = n\n}`,
  );
  expect(machine.threads[0].registers.map(({ value }) => value)).toEqual([
    { kind: "element", set: 0 },
    { kind: "number" },
  ]);
  const kindOf = (name: string): unknown => machine.variables.find((variable) => variable.name === name)?.value;
  expect([kindOf("owner"), kindOf("slot[1]"), kindOf("count")]).toEqual([
    { kind: "element", set: 0 },
    { kind: "element", set: 0 },
    { kind: "number" },
  ]);
});
