/**
 * A system as a whole: constants, sets, variables, threads, properties, and how texts come together.
 */
import { expect, test } from "vitest";
import { expressionText, linesOf, machineOf } from "../../test/checker/machine-text.ts";
import { elaborate } from "./elaborate.ts";
import type { StepMachine, Variable } from "./step-machine.ts";

const THREAD = "\nthread t { }";

/** Variables as "name: min..max = initial". */
function variablesOf(machine: StepMachine): string[] {
  return machine.variables.map(({ name, min, max, initial }) => `${name}: ${min}..${max} = ${initial}`);
}

/** The error that a text is refused with, without its place. */
function errorFor(text: string, constants: Readonly<Record<string, number>> = {}): string {
  try {
    machineOf(text, constants);
  } catch (error) {
    if (error instanceof Error) return error.message.replace(/^test:\d+:\d+: /, "");
  }
  return "accepted";
}

test("a configuration gives constants other values, and what is computed from them follows", () => {
  const text = `const A = 2\nconst B = A * 3\nindex page B\nword w: 0..B = A${THREAD}`;
  expect(machineOf(text).constants).toEqual({ A: 2, B: 6 });
  const machine = machineOf(text, { A: 1 });
  expect(machine.constants).toEqual({ A: 1, B: 3 });
  expect(variablesOf(machine)).toEqual(["w: 0..3 = 1"]);
  expect(machineOf(text, { B: 4 }).constants).toEqual({ A: 2, B: 4 });
});

test("constants may be used before they are declared, and defines in them", () => {
  const text = `const B = twice(A)\nconst A = 2\ndefine twice(x) = x * 2${THREAD}`;
  expect(machineOf(text).constants).toEqual({ B: 4, A: 2 });
});

test("texts are one system, and each may use what another declares", () => {
  const texts = [
    { name: "program", text: "thread t[m in mm] { add_one() }" },
    { name: "scheme", text: "procedure add_one() { add total, STEP }\nword total: 0..LAST" },
    { name: "base", text: "set mm 2\nconst STEP = 1\nconst LAST = 4" },
  ];
  const machine = elaborate({ name: "three texts", texts });
  expect(machine.name).toBe("three texts");
  expect(linesOf(machine, "t[1]")).toEqual(["add total 1", "stop"]);
  expect(machine.threads[0].instructions[0].origin).toEqual({
    text: "scheme",
    line: 1,
    column: 23,
    source: "procedure add_one() { add total, STEP }",
  });
});

test("two texts of one name are refused, as places in them could not be told apart", () => {
  const texts = [
    { name: "a", text: "thread t { }" },
    { name: "a", text: "" },
  ];
  expect(() => elaborate({ name: "x", texts })).toThrow("two texts are named a");
});

test("a table has a value for each element, or one for all", () => {
  const text = `index page 3\nconst W[page] = 5, -1, 2\nconst ONE[page] = 7\nword w: -9..9\nthread t { store w = W[1] + ONE[2] }`;
  expect(linesOf(machineOf(text))[0]).toBe("store w 6");
  expect(errorFor(text.replace("5, -1, 2", "5, 1"))).toBe("W has 2 values: 1 or 3 are needed for page");
  expect(errorFor(text.replace("W[1]", "W[3]"))).toBe("W[3] is outside: page has 3");
  expect(errorFor(text.replace("W[1]", "W"))).toBe("constant W has one index, of page");
  const moving = text.replace("store w = W[1] + ONE[2]", "pick i in page\nstore w = W[i] + ONE[i]");
  expect(linesOf(machineOf(moving))).toContain("store w ([5 -1 2][r0] + [7 7 7][r0])");
});

test("arrays are flattened row by row, and every element knows its name and indexes", () => {
  const machine = machineOf(`set mm 2\nindex page 2\nword w\n[mm][page]: bool${THREAD}`.replace("w\n", "w"));
  expect(machine.variables.map(({ name }) => name)).toEqual(["w[0][0]", "w[0][1]", "w[1][0]", "w[1][1]"]);
  expect(machine.variables[1]).toEqual({
    name: "w[0][1]",
    kind: "word",
    min: 0,
    max: 1,
    initial: 0,
    hasReaders: false,
    value: { kind: "number" },
    array: "w",
    indexes: [
      { set: 0, element: 0 },
      { set: -1, element: 1 },
    ],
  } satisfies Variable);
});

test("a variable begins with 0, the least value, none, or what its declaration says", () => {
  const text = `set mm 2
index page 3
word zero: -1..4
word least: 2..4
word most: -4..-2
word truth: bool
word nobody: mm?
word somebody: mm
word place: page?
word given: 0..4 = 3
ghost each[m in mm][p in page]: 0..9 = m * 3 + p
${THREAD}`;
  expect(variablesOf(machineOf(text))).toEqual([
    "zero: -1..4 = 0",
    "least: 2..4 = 2",
    "most: -4..-2 = -4",
    "truth: 0..1 = 0",
    "nobody: -1..1 = -1",
    "somebody: 0..1 = 0",
    "place: -1..2 = -1",
    "given: 0..4 = 3",
    "each[0][0]: 0..9 = 0",
    "each[0][1]: 0..9 = 1",
    "each[0][2]: 0..9 = 2",
    "each[1][0]: 0..9 = 3",
    "each[1][1]: 0..9 = 4",
    "each[1][2]: 0..9 = 5",
  ]);
});

test("a lock has a value for each thread, and with readers their bits below the writer's", () => {
  const machine = machineOf("lock plain\nlock rw\nthread t * 3 {\nlock plain\nlock_shared rw\n}");
  expect(machine.variables.map(({ max, hasReaders }) => ({ max, hasReaders }))).toEqual([
    { max: 3, hasReaders: false },
    { max: 3 << 3, hasReaders: true },
  ]);
});

test("a lock that is shared only where nobody comes has no readers", () => {
  const machine = machineOf("lock rw\nconst SHARES = 0\nthread t { if SHARES { lock_shared rw } else { lock rw } }");
  expect(machine.variables[0]).toMatchObject({ max: 1, hasReaders: false });
});

test("threads are one, so many alike, or one an element", () => {
  const text =
    "set mm 2\nindex page 2\nconst N = 3\nthread a { }\nthread b * N { }\nthread c[m in mm] { }\nthread d[p in page] { }";
  const { threads } = machineOf(text);
  expect(threads.map(({ name, declaration, bound }) => ({ name, declaration, ...bound }))).toEqual([
    { name: "a", declaration: 0 },
    { name: "b[0]", declaration: 1 },
    { name: "b[1]", declaration: 1 },
    { name: "b[2]", declaration: 1 },
    { name: "c[0]", declaration: 2, set: 0, element: 0 },
    { name: "c[1]", declaration: 2, set: 0, element: 1 },
    // Threads of an index are not alike, whatever they do.
    { name: "d[0]", declaration: 3 },
    { name: "d[1]", declaration: 4 },
  ]);
  expect(machineOf(text, { N: 1 }).threads.map(({ name }) => name)).toContain("b");
  expect(machineOf(text, { N: 0 }).threads).toHaveLength(5);
});

test("a thread of an element has it as a constant", () => {
  const machine = machineOf(
    "set mm 2\nword w[mm]: bool\nword o: mm?\nthread t[m in mm] {\nstore w[m] = 1\nstore o = m\n}",
  );
  expect(linesOf(machine, "t[1]")).toEqual(["store w[1] 1", "store o 1", "stop"]);
});

test("initially runs before all threads, all of it one behind the other", () => {
  const machine = machineOf(
    `word w: 0..4\nlock l\ninitially { store w = 1 }\n${THREAD}\ninitially {\nlet r = load w\nstore w = r + 1\n}`,
  );
  expect(machine.initially?.name).toBe("initially");
  expect(machine.initially?.instructions.map(({ op }) => op)).toEqual(["store", "load", "store", "stop"]);
  expect(machineOf(THREAD).initially).toBeUndefined();
});

test.each(["choose { } or { }", "pick m in mm", "op a { }", "stop"])("initially has no %s", (statement) => {
  expect(errorFor(`set mm 2\ninitially { ${statement} }${THREAD}`)).toBe(
    `initially makes one first state, and has no ${statement.split(" ")[0]}`,
  );
});

test("properties are over variables, with quantifiers written out", () => {
  const machine = machineOf(`set mm 2
index page 3
word w: 0..4
ghost seen[mm][page]: bool
define on(m) = any(p in page: seen[m][p])
always a: all(m in mm: on(m))
never b: count(m in mm: on(m)) > 1 && w != 0
quiet c: w == sum(m in mm: sum(p in 1..3: seen[m][p] * p))
sometimes d: w
${THREAD}`);
  expect(
    machine.properties.map(({ when, name, condition }) => [
      when,
      name,
      condition && expressionText(machine, condition),
    ]),
  ).toEqual([
    ["always", "a", "((seen[0][0] || (seen[0][1] || seen[0][2])) && (seen[1][0] || (seen[1][1] || seen[1][2])))"],
    [
      "never",
      "b",
      "((((seen[0][0] || (seen[0][1] || seen[0][2])) + (seen[1][0] || (seen[1][1] || seen[1][2]))) > 1) && (w != 0))",
    ],
    ["quiet", "c", "(w == ((seen[0][1] + (seen[0][2] * 2)) + (seen[1][1] + (seen[1][2] * 2))))"],
    ["sometimes", "d", "(w != 0)"],
  ]);
});

test("a quantifier over nothing is true, false or 0", () => {
  const machine = machineOf(
    `const N = 0\nword w: 0..4\nalways a: all(i in 0..N: w == i)\nalways b: any(i in N..0: w == i)\nalways c: 0 == sum(i in 0..N: i)${THREAD}`,
  );
  expect(machine.properties.map(({ condition }) => condition && expressionText(machine, condition))).toEqual([
    "1",
    "0",
    "1",
  ]);
});

test("an index of a property that is not constant is looked at where it is evaluated", () => {
  const machine = machineOf(
    `set mm 2\nindex page 2\nword o: mm?\nword q[mm][page]: bool\nalways a: o == none || q[o][1] == 0${THREAD}`,
  );
  const [{ condition }] = machine.properties;
  expect(condition && expressionText(machine, condition)).toBe("((o == -1) || (q[0][1]+(o * 2) of 3 == 0))");
});

test("an assertion is one property however often it is asserted, and only if some thread can come to it", () => {
  const machine = machineOf(`word w: 0..4
always low: w < 4
thread a { assert safe: w < 2 }
thread b {
assert safe: w < 3
assert other: w < 1
if 1 == 2 { assert never_there: 0 }
stop
assert behind_the_end: 0
}`);
  expect(machine.properties.map(({ name, when }) => `${when} ${name}`)).toEqual([
    "always low",
    "assert safe",
    "assert other",
  ]);
  expect(linesOf(machine, "b")).toEqual(["assert safe: (w < 3)", "assert other: (w < 1)", "stop"]);
});

test("operations are named once, those that nobody comes to not at all", () => {
  const machine = machineOf(
    "thread a {\nif 1 == 2 { op gone { } }\nop one { }\n}\nthread b {\nop two { }\nop one { }\n}",
  );
  expect(machine.operations).toEqual(["one", "two"]);
  expect(linesOf(machine, "b")).toEqual(["begin two", "end two", "begin one", "end one", "stop"]);
});

test.each([
  ["word w: bool\nlock w", "w is declared already, as a word at test:1:1"],
  ["const a = 1\ndefine a() = 2", "a is declared already, as a const at test:1:1"],
  ["thread t { }\nthread t { }", "t is declared already, as a thread at test:1:1"],
  ["always p: 1\nalways p: 1", "p is declared already, as a property at test:1:1"],
  ["always p: 1\nquiet p: 1", "there is a property p already, at test:1:1"],
  ["word t: bool", "accepted"],
  ["always deadlock: 1", "deadlock is a property of the checker itself: give this one another name"],
  ["const a = b\nconst b = a", "a is declared by means of itself"],
  ["set mm N\nconst N = count(m in mm: 1)", "mm is declared by means of itself"],
  ["set mm 0", "mm has 1 to 64 elements, not 0"],
  ["index page 65", "page has 1 to 64 elements, not 65"],
  ["index page 64", "accepted"],
  ["index page w\nword w: bool", "w is a word: only a constant can stand here"],
  ["word w: 4..1", "the range 4..1 is empty"],
  ["word w: 0..4 = 5", "the first value of w is 5, outside of its range 0..4"],
  ["word w: nothing", "no set or index is named nothing: "],
  ["word w[nothing]: bool", "no set or index is named nothing: "],
  ["set family 2\nword w[famly]: bool", "no set or index is named famly: did you mean family?"],
  ["index page 64\nword w[page][page]: bool", "with w there are 4096 variables, and 512 are the most"],
  ["always p: x > 1", "nothing is named x: "],
  ["word w: bool\nalways p: w[1]", "w has no index, and 1 stand here"],
  ["thread u * 17 { }", "u is 0 to 16 threads, not 17"],
  ["thread u * 16 { }", "there are 17 threads, and 16 are the most"],
  ["lock l\nthread u * 8 { lock_shared l }", "l is taken shared, which goes with at most 8 threads, not 9"],
])("%j is refused: %s", (text, message) => {
  expect(errorFor(`${text}${text.includes("thread t") ? "" : THREAD}`)).toBe(message);
});

test("a system without a thread is refused", () => {
  expect(errorFor("word w: bool")).toBe("there is no thread: nothing would happen (thread NAME { ... })");
});

test("constants that no text has, tables and fractions are refused", () => {
  const text = `const PAGES = 2\nindex page PAGES\nconst W[page] = 1${THREAD}`;
  expect(errorFor(text, { PAGE: 3 })).toBe("no text has a constant PAGE: did you mean PAGES? (constants: PAGES)");
  expect(errorFor(text, { W: 3 })).toBe("constant W is a table and cannot be given one value");
  expect(errorFor(text, { PAGES: 1.5 })).toBe("constant PAGES cannot be 1.5: it is a whole number of 32 bits");
  expect(errorFor(text, { PAGES: 2 ** 31 })).toContain("constant PAGES cannot be 2147483648");
});

test("an error in a define says where it is and where it was used", () => {
  expect(() => machineOf(`define d(x) = x + lost\nword w: bool\nalways p: w == d(1)${THREAD}`)).toThrow(
    /^test:1:19: nothing is named lost: .* \(in d, used at test:3:16\)$/,
  );
});

test("the example of the language's description is a system", () => {
  const machine = machineOf(`const PAGES = 2
index page PAGES
set mm 2
lock large
word total: 0..4
word owner: mm? = none
ghost mapped[mm][page]: bool
define entries() = sum(m in mm: count(p in page: mapped[m][p]))
procedure add(p, m) {
  lock large
  let t = load total
  store total = t + 1
  if t == 0 { store owner = m }
  unlock large
  ghost mapped[m][p] = 1
}
thread mapper[m in mm] {
  repeat 2 {
    choose {
      op map {
        pick p in page
        add(p, m)
      }
    } or { }
  }
}
quiet counts: total == entries()`);
  expect(machine.sets).toEqual([{ name: "mm", elements: 2 }]);
  expect(linesOf(machine, "mapper[1]")).toEqual([
    "r0 = set 0",
    "choose 2 15",
    "begin map",
    "choose 4 6",
    "r1 = set 0",
    "jump 7",
    "r1 = set 1",
    "lock large",
    "r2 = load total",
    "store total (r2 + 1)",
    "branch (r2 == 0) ? 11 : 12",
    "store owner 1",
    "unlock large",
    "ghost mapped[1][0]+r1 of 2 1",
    "end map",
    "branch (r0 >= 1) ? 18 : 16",
    "r0 = set (r0 + 1)",
    "jump 1",
    "stop",
  ]);
});
