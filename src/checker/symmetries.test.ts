import { expect, test } from "vitest";
import { elaborate } from "./elaborate.ts";
import type { Instruction, StepMachine } from "./step-machine.ts";
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

/** As if the elaboration had noted nothing: only the code itself can tell. */
function withoutNotes(machine: StepMachine): StepMachine {
  return { ...machine, sets: machine.sets.map(({ name, elements }) => ({ name, elements })) };
}

test("what tells elements apart is found in the code, without the elaboration's note", () => {
  const uses = [
    "store last = element(mm, 1)",
    "if m == 0 {\nstore w = 1\n}",
    "if m < 1 {\nstore w = 1\n}",
    "pick o in mm\nif o < m {\nstore w = 1\n}",
    "store w = W[m]",
    "pick o in mm\nlet x = W[o]\nstore w = x",
    "store w = m + 1",
    "pick o in mm\nstore w = o",
    "pick o in mm\nstore w = o + 1",
    "let r = load w\nstore each[r % 2] = 1\nstore last = r % 2",
    "ghost g = m",
    "fence\nassert one: each[1] == 0",
    "pick o in mm\nstore each[o / 2] = 1",
    "let r = swap last, 1",
    "let r = cas last, 0, m",
    "await last != 1",
  ];
  for (const use of uses) {
    const machine = machineOf(`
set mm 2
const W[mm] = 3, 5
word w: 0..9
word last: mm? = none
word each[mm]: bool
ghost g: 0..9
thread t[m in mm] {
${use}
}`);
    expect(machine.sets[0].orderedBy, use).toBeDefined();
    expect(symmetries(machine).leftOut, use).toEqual([{ set: "mm", reason: machine.sets[0].orderedBy }]);
    const { permutations, leftOut } = symmetries(withoutNotes(machine));
    expect(permutations, use).toHaveLength(1);
    expect(leftOut, use).toHaveLength(1);
    expect(leftOut[0].reason, use).not.toBe(machine.sets[0].orderedBy);
  }
});

test("a property that names an element is found without the elaboration's note too", () => {
  const text = "set mm 2\nword last: mm? = none\nthread t[m in mm] { store last = m }\nnever zero: last == 0";
  const { permutations, leftOut } = symmetries(withoutNotes(machineOf(text)));
  expect(permutations).toHaveLength(1);
  expect(leftOut).toEqual([{ set: "mm", reason: "property zero tells them apart" }]);
});

/** The machine with one instruction of its second thread changed. */
function changed(machine: StepMachine, at: number, change: (instruction: Instruction) => Instruction): StepMachine {
  const threads = machine.threads.map((thread, number) =>
    number === 1 ? { ...thread, instructions: thread.instructions.with(at, change(thread.instructions[at])) } : thread,
  );
  return { ...machine, threads };
}

test("threads of one declaration are believed alike no more than elements are", () => {
  const machine = machineOf(`
word a: 0..3
word b: 0..3
lock l
lock k
thread t * 2 {
lock l
choose {
let r = load a
store a = 1
} or {
let s = load b
if s == 1 {
store b = 2
}
}
unlock l
}`);
  expect(symmetries(machine).permutations).toHaveLength(2);
  for (const [at, instruction] of machine.threads[1].instructions.entries()) {
    const changes: Instruction[] = [];
    if ("at" in instruction) changes.push({ ...instruction, at: { ...instruction.at, base: instruction.at.base ^ 1 } });
    if (instruction.op === "store") changes.push({ ...instruction, value: { kind: "constant", value: 3 } });
    if (instruction.op === "lock" || instruction.op === "unlock") changes.push({ ...instruction, isShared: true });
    if (instruction.op === "choose") {
      changes.push({ ...instruction, targets: [instruction.targets[0], instruction.targets[0]] });
      changes.push({ ...instruction, targets: [...instruction.targets, instruction.targets[0]] });
    }
    if (instruction.op === "branch") {
      changes.push({ ...instruction, then: instruction.otherwise, otherwise: instruction.then });
      changes.push({ ...instruction, condition: { kind: "constant", value: 1 } });
    }
    if (instruction.op === "jump") changes.push({ ...instruction, to: 0 });
    for (const change of changes) {
      const { permutations, leftOut } = symmetries(changed(machine, at, () => change));
      expect(permutations, JSON.stringify(change)).toHaveLength(1);
      expect(leftOut.map(({ set }) => set)).toEqual(["threads t"]);
    }
  }
});

test("to offer the same alternatives in another order is to be alike, to rest elsewhere is not", () => {
  const text = "word a: 0..3\nthread t * 2 {\nchoose {\nstore a = 1\n} or {\nstore a = 2\n}\n}";
  const machine = machineOf(text);
  const at = machine.threads[1].instructions.findIndex(({ op }) => op === "choose");
  const turned = changed(machine, at, (choose) =>
    choose.op === "choose" ? { ...choose, targets: choose.targets.toReversed() } : choose,
  );
  expect(symmetries(turned).permutations).toHaveLength(2);
  // Two loads that do the same: the threads come to rest at different ones.
  const twice = machineOf("word a: 0..3\nthread t * 2 {\nchoose { } or { }\nlet r = load a\nr = load a\n}");
  const first = twice.threads[1].instructions.findIndex(({ op }) => op === "choose");
  const later = changed(twice, first, (choose) =>
    choose.op === "choose" ? { ...choose, targets: choose.targets.map((target) => target + 1) } : choose,
  );
  expect(symmetries(twice).permutations).toHaveLength(2);
  expect(symmetries(later).permutations).toHaveLength(1);
});
