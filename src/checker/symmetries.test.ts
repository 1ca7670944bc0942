import { expect, test } from "vitest";
import { elaborate } from "./elaborate.ts";
import type { StepMachine } from "./step-machine.ts";
import { symmetries } from "./symmetries.ts";

function machineOf(text: string): StepMachine {
  return elaborate({ name: "test", texts: [{ name: "test", text }] });
}

/** How many permutations there are, and what is left out why. */
function found(text: string, limit?: number): { count: number; leftOut: string[] } {
  const { permutations, leftOut } = symmetries(machineOf(text), limit);
  return { count: permutations.length, leftOut: leftOut.map(({ set, reason }) => `${set}: ${reason}`) };
}

const MAPPER = `
set mm 3
index page 2
word pte[mm][page]: bool
word owner: mm? = none
lock own[mm]
thread mapper[m in mm] {
pick p in page
lock own[m]
store pte[m][p] = 1
let o = load owner
if o == none {
store owner = m
}
unlock own[m]
}
quiet any: any(m in mm: owner == m) || all(m in mm: owner != m)
`;

test("three address spaces with a thread each are permuted in all six ways, the identity first", () => {
  const machine = machineOf(MAPPER);
  const { permutations, leftOut } = symmetries(machine);
  expect(leftOut).toEqual([]);
  expect(permutations).toHaveLength(6);
  const names = machine.variables.map(({ name }) => name);
  const orders = permutations.map(({ elements, threads, variables }) => {
    // Everything follows the elements: threads, and the variables of each.
    expect([...threads]).toEqual([...elements[0]]);
    for (const [element, image] of elements[0].entries()) {
      for (const page of [0, 1]) {
        const from = names.indexOf(`pte[${element}][${page}]`);
        expect(names[variables[from]]).toBe(`pte[${image}][${page}]`);
      }
      expect(names[variables[names.indexOf(`own[${element}]`)]]).toBe(`own[${image}]`);
    }
    expect(names[variables[names.indexOf("owner")]]).toBe("owner");
    return elements[0].join("");
  });
  expect(orders[0]).toBe("012");
  expect(orders.toSorted()).toEqual(["012", "021", "102", "120", "201", "210"]);
});

test("threads of one declaration are permuted, and what they do to the locks does not matter", () => {
  expect(found("word n: 0..9\nlock l\nthread adder * 4 {\nlock l\nadd n, 1\nunlock l\n}")).toEqual({
    count: 24,
    leftOut: [],
  });
});

test("two declarations of the same code are not alike, two sets are permuted independently", () => {
  expect(found("word n: 0..9\nthread a { add n, 1 }\nthread b { add n, 1 }").count).toBe(1);
  const text =
    "set mm 3\nset file 2\nword w[mm][file]: bool\nthread t * 2 {\npick m in mm\npick f in file\nstore w[m][f] = 1\n}";
  expect(found(text)).toEqual({ count: 6 * 2 * 2, leftOut: [] });
});

test("the first state need not be symmetric", () => {
  expect(found("set mm 2\nword w[m in mm]: bool = m == 0\nthread t[m in mm] { store w[m] = 1 }").count).toBe(2);
  expect(
    found("set mm 2\nword w: mm? = none\ninitially { store w = element(mm, 1) }\nthread t[m in mm] { store w = m }")
      .count,
  ).toBe(2);
});

test("an element that a thread names tells the elements apart", () => {
  const { count, leftOut } = found("set mm 2\nword w: mm? = none\nthread t { store w = element(mm, 1) }");
  expect(count).toBe(1);
  expect(leftOut).toHaveLength(1);
  expect(leftOut[0]).toMatch(/^mm: /);
});

test("elements that are compared by order, counted with or weighed are not permuted", () => {
  const uses = [
    "if m < o {\nstore w = 1\n}",
    "let d: -9..9 = m - o\nif d == 1 {\nstore w = 1\n}",
    "let x: 0..9 = W[m]\nstore w = x",
  ];
  for (const use of uses) {
    const text = `set mm 2\nconst W[mm] = 3, 5\nword w: 0..9\nthread t {\npick m in mm\npick o in mm\n${use}\n}`;
    const { count, leftOut } = found(text);
    expect(count, use).toBe(1);
    expect(leftOut, use).toHaveLength(1);
  }
});

test("a table that weighs all elements alike does not tell them apart", () => {
  expect(
    found("set mm 2\nconst W[mm] = 3, 3\nword w: 0..9\nthread t {\npick m in mm\nlet x: 0..9 = W[m]\nstore w = x\n}")
      .count,
  ).toBe(2);
});

test("a property about one element only is not symmetric, one about all is", () => {
  const text = (property: string): string =>
    `set mm 2\nword w[mm]: bool\nword last: mm? = none\nthread t[m in mm] {\nstore w[m] = 1\nstore last = m\n}\n${property}`;
  expect(found(text("always all: all(m in mm: !w[m] || last != none || w[m])")).count).toBe(2);
  expect(found(text("never two: count(m in mm: w[m]) == 2 && any(m in mm: last == m && w[m])")).count).toBe(2);
});

test("a picked element may be where the text asks for it, among all in any order", () => {
  const text = "set mm 3\nword w[mm]: bool\nthread t[m in mm] {\npick o in mm where o != m\nstore w[o] = 1\n}";
  expect(found(text)).toEqual({ count: 6, leftOut: [] });
});

test("more permutations than the limit: the group that would make them more is left out, and said so", () => {
  const text = "set mm 3\nword w[mm]: bool\nthread t * 4 {\npick m in mm\nstore w[m] = 1\n}";
  expect(found(text).count).toBe(144);
  expect(found(text, 100)).toEqual({ count: 6, leftOut: ["threads t: 144 permutations are more than 100"] });
});

test("what the machine itself tells apart is found without the text's word for it", () => {
  // The sorts of the elaboration are not believed: without its notes the code is still compared.
  const text =
    "set mm 2\nword w: 0..9\nword o: mm? = none\nthread t[m in mm] {\nstore o = m\nif m == 0 {\nstore w = 1\n}\n}";
  const machine = machineOf(text);
  expect(machine.sets[0].orderedBy).toBeDefined();
  const trusting = { ...machine, sets: machine.sets.map(({ name, elements }) => ({ name, elements })) };
  const { permutations, leftOut } = symmetries(trusting);
  expect(permutations).toHaveLength(1);
  expect(leftOut[0]?.reason).toMatch(/different code|tells them apart/);
});
