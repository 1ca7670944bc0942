/**
 * Programs after elaboration do what their text says: run by the interpreter of machines, and directly from the tree.
 *
 * One thread, so that every difference is the elaboration's: inlining, folding, writing out, ranges of registers (the
 * interpreter refuses a register outside of its range). Choices are tried in all ways on both sides, and the sets of what
 * memory can be at the end, with the assertions that failed on the way, must be equal.
 */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { elaborate } from "../../src/checker/elaborate.ts";
import { type CheckerState, initialState, successors } from "../../src/checker/interpret.ts";
import { parseSteps } from "../../src/checker/parse-steps.ts";
import type { StepMachine } from "../../src/checker/step-machine.ts";
import { runDirectly } from "./direct-run.ts";

/** Ways through one program that are tried; a program with more is left out. */
const WAYS_MAX = 300;

/** All outcomes of the tree, or undefined if there are too many ways. */
function outcomesOfTree(text: string, constants: Readonly<Record<string, number>>): string[] | undefined {
  const declarations = parseSteps({ name: "test", text });
  const outcomes = new Set<string>();
  const ways: (readonly number[])[] = [[]];
  for (let way = ways.pop(), tried = 0; way !== undefined; way = ways.pop()) {
    if (++tried > WAYS_MAX) return undefined;
    const taken: number[] = [];
    const planned = way;
    const { memory, failed } = runDirectly(declarations, constants, (alternatives) => {
      const decision = planned[taken.length] ?? 0;
      if (taken.length >= planned.length) {
        for (let other = 1; other < alternatives; other++) ways.push([...taken, other]);
      }
      taken.push(decision);
      return decision;
    });
    outcomes.add(outcomeText(memory, failed));
  }
  return [...outcomes].toSorted();
}

/** All outcomes of the elaborated machine. */
function outcomesOfMachine(machine: StepMachine): string[] {
  const outcomes = new Set<string>();
  const ways: { state: CheckerState; failed: readonly string[] }[] = [{ state: initialState(machine), failed: [] }];
  const [{ instructions }] = machine.threads;
  for (let way = ways.pop(), tried = 0; way !== undefined; way = ways.pop()) {
    if (++tried > WAYS_MAX * 1000) throw new Error("the machine does not come to an end");
    const { state, failed } = way;
    if (instructions[state.pcs[0]].op === "stop") {
      const words = machine.variables.flatMap(({ kind, name }, index) =>
        kind === "lock" ? [] : [[name, state.variables[index]] as const],
      );
      outcomes.add(outcomeText(new Map(words), failed));
    }
    const { transitions, blocked } = successors(machine, state, {});
    if (blocked.length > 0) throw new Error(`it is blocked: ${blocked[0].on}`);
    for (const next of transitions) {
      ways.push({ state: next.state, failed: [...failed, ...next.failures.map(({ property }) => property)] });
    }
  }
  return [...outcomes].toSorted();
}

function outcomeText(memory: ReadonlyMap<string, number>, failed: readonly string[]): string {
  const words = [...memory].map(([name, value]) => `${name}=${value}`).toSorted();
  return `${words.join(" ")} | ${failed.join(" ")}`;
}

function expectSame(text: string, constants: Readonly<Record<string, number>> = {}): number {
  const expected = outcomesOfTree(text, constants);
  if (expected === undefined) return 0;
  const machine = elaborate({ name: "test", texts: [{ name: "test", text }], constants });
  expect(outcomesOfMachine(machine)).toEqual(expected);
  return expected.length;
}

/** What every program is written over. */
const DECLARATIONS = `
const N = 2
const DOUBLE = N * 2
const W[page] = 3, -1, 2
set mm 2
index page 3
word a: -8..8
word b: -8..8 = 1
word p[page]: -8..8 = 0 - 2
word q[m in mm][i in page]: -8..8 = i - 1
word owner: mm? = none
ghost g: -8..8
ghost seen[mm]: bool
lock l
define clamp(x) = max(-8, min(8, x))
define far(x) = x > N && any(i in page: p[i] == x) || a == x
define total() = sum(i in page: p[i]) + count(m in mm: q[m][0] != 0)
define rows(x) = all(m in mm: q[m][x] <= 1)
`;

type Source = readonly string[];

/** The names that an expression or statement may use where it is written. */
interface Names {
  readonly registers: readonly string[];
  readonly elements: readonly string[];
  /** Procedures that may be called: those before this one. */
  readonly procedures: number;
  readonly isInLoop: boolean;
  readonly isInProcedure: boolean;
  readonly isInOperation: boolean;
  readonly depth: number;
}

const THREAD: Names = {
  registers: ["r", "s"],
  elements: ["m", "o"],
  procedures: 3,
  isInLoop: false,
  isInProcedure: false,
  isInOperation: false,
  depth: 3,
};

function someExpression(names: Names, depth = 2): fc.Arbitrary<string> {
  const leaf = fc.oneof(
    fc.integer({ min: -3, max: 4 }).map(String),
    fc.constantFrom("N", "DOUBLE", ...names.registers),
    fc.constantFrom(...names.elements).map((element) => `(${element} == none)`),
  );
  if (depth === 0) return leaf;
  const inner = someExpression(names, depth - 1);
  return fc.oneof(
    { weight: 3, arbitrary: leaf },
    {
      weight: 3,
      arbitrary: fc
        .tuple(inner, fc.constantFrom("+", "-", "*", "<", "<=", "==", "!=", ">", "&&", "||"), inner)
        .map(([left, operator, right]) => `(${left} ${operator} ${right})`),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(inner, fc.constantFrom("/", "%"), fc.constantFrom("2", "N", "-3"))
        .map(([left, operator, right]) => `(${left} ${operator} ${right})`),
    },
    { weight: 1, arbitrary: fc.tuple(inner, inner, inner).map(([c, x, y]) => `(${c} ? ${x} : ${y})`) },
    { weight: 1, arbitrary: inner.map((operand) => `!${operand}`) },
    { weight: 1, arbitrary: inner.map((operand) => `-${operand}`) },
    { weight: 1, arbitrary: inner.map((index) => `W[${inPages(index)}]`) },
    { weight: 1, arbitrary: inner.map((operand) => `clamp(${operand})`) },
  );
}

function someState(names: Names): fc.Arbitrary<string> {
  return fc.oneof(
    someExpression(names, 1),
    fc.constantFrom("total()", "a - b", "g + N", "count(m in mm: seen[m])", "rows(1)", "owner == none"),
    someExpression(names, 1).map((expression) => `far(${expression})`),
    someExpression(names, 1).map((expression) => `sum(i in 0..DOUBLE: i * ${expression})`),
    someExpression(names, 1).map((index) => `p[${inPages(index)}]`),
  );
}

/** An expression as an index of `page`. */
function inPages(expression: string): string {
  return `(${expression} % 3 + 3) % 3`;
}

function someWord(names: Names): fc.Arbitrary<string> {
  const index = fc.oneof(fc.constantFrom("0", "N"), someExpression(names, 1).map(inPages));
  return fc.oneof(
    fc.constantFrom("a", "b"),
    index.map((each) => `p[${each}]`),
    index.map((each) => `q[m][${each}]`),
  );
}

/** A name that no block around this one has. */
function nameAt({ depth }: Names): string {
  return `x${depth}`;
}

function someStatement(names: Names): fc.Arbitrary<Source> {
  const expression = someExpression(names);
  const register = fc.constantFrom(...names.registers);
  const simple: fc.WeightedArbitrary<Source>[] = [
    { weight: 4, arbitrary: fc.tuple(register, someWord(names)).map(([r, w]) => [`${r} = load ${w}`]) },
    { weight: 4, arbitrary: fc.tuple(someWord(names), expression).map(([w, e]) => [`store ${w} = clamp(${e})`]) },
    { weight: 4, arbitrary: fc.tuple(register, expression).map(([r, e]) => [`${r} = clamp(${e})`]) },
    { weight: 1, arbitrary: fc.tuple(register, someWord(names)).map(([r, w]) => [`${r} = swap ${w}, ${r}`]) },
    { weight: 1, arbitrary: fc.tuple(register, someWord(names)).map(([r, w]) => [`${r} = cas ${w}, ${r}, N`]) },
    { weight: 1, arbitrary: fc.constant(["store a = 0", "add a, N", "s = add a, 0 - DOUBLE"]) },
    { weight: 1, arbitrary: fc.constant(["lock l", "unlock l", "r = trylock l", "unlock l"]) },
    { weight: 1, arbitrary: fc.constantFrom(["store owner = m"], ["o = load owner"], ["o = none"], ["o = m"]) },
    { weight: 1, arbitrary: fc.constant(["if o != none { ghost seen[o] = 1 }"]) },
    {
      weight: 2,
      arbitrary: fc.tuple(register, expression).map(([r, e]) => [`if o != none { ${r} = load q[o][${inPages(e)}] }`]),
    },
    { weight: 1, arbitrary: fc.constantFrom(["pick r in page"], ["pick o in mm where o != m"]) },
    { weight: 2, arbitrary: someState(names).map((state) => [`ghost g = clamp(${state})`]) },
    { weight: 2, arbitrary: fc.tuple(fc.nat(2), someState(names)).map(([n, state]) => [`assert p${n}: ${state}`]) },
    {
      weight: 2,
      arbitrary: fc.tuple(register, someCall(names)).map(([r, call]) => (call === "" ? [] : [`${r} = ${call}`])),
    },
    { weight: 1, arbitrary: someCall(names).map((call) => (call === "" ? [] : [call])) },
  ];
  if (names.isInProcedure) simple.push({ weight: 2, arbitrary: expression.map((e) => [`return clamp(${e})`]) });
  if (names.isInLoop) simple.push({ weight: 2, arbitrary: fc.constant(["break"]) });
  if (names.depth === 0) return fc.oneof(...simple);
  return fc.oneof(...simple, ...nestedStatements(names));
}

function nestedStatements(names: Names): fc.WeightedArbitrary<Source>[] {
  const inner = { ...names, depth: names.depth - 1 };
  const body = someBlock(inner);
  const loopBody = someBlock({ ...inner, isInLoop: true });
  const nested: fc.WeightedArbitrary<Source>[] = [
    {
      weight: 4,
      arbitrary: fc
        .tuple(someExpression(names), body, body)
        .map(([condition, then, otherwise]) => [`if ${condition} {`, ...then, "} else {", ...otherwise, "}"]),
    },
    { weight: 2, arbitrary: fc.tuple(body, body).map(([one, other]) => ["choose {", ...one, "} or {", ...other, "}"]) },
    {
      weight: 1,
      arbitrary: fc.tuple(fc.nat(3), loopBody).map(([times, block]) => [`repeat ${times} {`, ...block, "}"]),
    },
    { weight: 1, arbitrary: someFor(nameAt(names), inner) },
    { weight: 1, arbitrary: someCountedWhile(nameAt(names), inner) },
    { weight: 1, arbitrary: somePick(nameAt(names), inner) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(someExpression(names), someBlock({ ...inner, registers: [...names.registers, nameAt(names)] }))
        // The register is declared and used in a block of its own.
        .map(([e, block]) => ["if 1 {", `let ${nameAt(names)} = clamp(${e})`, ...block, "}"]),
    },
  ];
  if (!names.isInOperation && !names.isInProcedure) {
    nested.push({
      weight: 2,
      arbitrary: someBlock({ ...inner, isInOperation: true }).map((block) => ["op work {", ...block, "}"]),
    });
  }
  return nested;
}

function someFor(name: string, names: Names): fc.Arbitrary<Source> {
  const bounds = fc.oneof(
    fc.constantFrom("0..3", "N..DOUBLE", "0..20", "1..1", "0 - 1..N", "3..1"),
    fc.constantFrom(...names.registers).map((register) => `0..${register}`),
  );
  // A counter cannot be assigned to, so it may stand in expressions only: as the condition of the body.
  return fc
    .tuple(bounds, someBlock({ ...names, isInLoop: true }))
    .map(([range, block]) => [
      `for ${name} in ${range} {`,
      "fence",
      `r = clamp(r + ${name})`,
      `if ${name} % 2 == 0 {`,
      ...block,
      "}",
      "}",
    ]);
}

function someCountedWhile(name: string, names: Names): fc.Arbitrary<Source> {
  return fc
    .tuple(fc.integer({ min: 1, max: 3 }), someBlock({ ...names, isInLoop: true }))
    .map(([rounds, block]) => [
      "if 1 {",
      `let ${name} = 0`,
      `while ${name} < ${rounds} {`,
      `${name} = ${name} + 1`,
      "fence",
      ...block,
      "}",
      "}",
    ]);
}

function somePick(name: string, names: Names): fc.Arbitrary<Source> {
  const domains = fc.constantFrom("page", "page where #0 != r", "1..DOUBLE where #0 % 2 == 1 || s > 0", "0..1");
  return fc
    .tuple(domains, someBlock({ ...names, registers: [...names.registers, name] }))
    .map(([domain, block]) => ["if 1 {", `pick ${name} in ${domain.replaceAll("#0", name)}`, ...block, "}"]);
}

function someCall(names: Names): fc.Arbitrary<string> {
  if (names.procedures === 0) return fc.constant("");
  return fc
    .tuple(fc.nat(names.procedures - 1), someExpression(names, 1), fc.constantFrom(...names.registers))
    .map(([procedure, e, register]) => `f${procedure}(clamp(${e}), ${register}, m)`);
}

function someBlock(names: Names): fc.Arbitrary<Source> {
  return fc.array(someStatement(names), { maxLength: 4 }).map((statements) => statements.flat());
}

/** Procedures f0, f1, f2 with parameters r, s (which they may assign to) and m, and a thread that calls them. */
const programs = fc
  .tuple(
    someBlock({ ...THREAD, procedures: 0, isInProcedure: true, depth: 2 }),
    someBlock({ ...THREAD, procedures: 1, isInProcedure: true, depth: 2 }),
    someBlock({ ...THREAD, procedures: 2, isInProcedure: true, depth: 2 }),
    fc.array(someStatement(THREAD), { minLength: 2, maxLength: 7 }),
    fc.constantFrom("let m = element(mm, 1)", "pick m in mm"),
  )
  .map(([f0, f1, f2, body, first]) => {
    const thread = body.flat();
    const procedures = [f0, f1, f2].flatMap((block, number) => [
      `procedure f${number}(r, s, m) {`,
      "let o: mm? = none",
      ...block,
      "return clamp(r - s)",
      "}",
    ]);
    return [
      DECLARATIONS,
      ...procedures,
      "thread t {",
      first,
      "let r: -8..8 = 0",
      "let s: -8..8 = N",
      "let o: mm? = none",
      ...thread,
      "}",
    ].join("\n");
  });

test("a random program does the same elaborated and from its tree", () => {
  let outcomes = 0;
  let compared = 0;
  fc.assert(
    fc.property(programs, fc.integer({ min: 1, max: 2 }), (text, n) => {
      const found = expectSame(text, { N: n });
      outcomes += found;
      if (found > 0) compared++;
    }),
    { numRuns: 200 },
  );
  expect(compared).toBeGreaterThan(100);
  expect(outcomes).toBeGreaterThan(compared);
});
