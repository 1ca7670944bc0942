/**
 * Small systems in the step language, at random: what reductions and explorers are compared on.
 *
 * Two to six threads over a few words, ghosts, spinlocks and a readers' lock, with choices, operations, loops, picks of
 * interchangeable elements, assertions and every kind of property. They are made to be interesting rather than right: words
 * are read with a lock held and without, locks are not given back, counts go below zero, threads wait for each other for
 * ever. A text may have no meaning (a value out of its range) or too many states; whoever compares leaves those out.
 */
import * as fc from "fast-check";

type Statement =
  | { readonly kind: "load" | "swap" | "cas" | "ghost"; readonly word: number }
  | { readonly kind: "store"; readonly word: number; readonly value: number }
  | { readonly kind: "add"; readonly isDown: boolean }
  | { readonly kind: "locked" | "shared" | "tried" | "unbalanced"; readonly lock: number; readonly body: Body }
  | { readonly kind: "if" | "repeat" | "loop" | "op" | "pick"; readonly word: number; readonly body: Body }
  | { readonly kind: "choose"; readonly alternatives: readonly Body[] }
  | { readonly kind: "assert" | "await"; readonly condition: Condition }
  | { readonly kind: "owner" | "fence" | "stop" };

type Body = readonly Statement[];

interface Condition {
  readonly left: number;
  readonly operator: string;
  readonly right: number;
}

/** A system before it is written down. */
export interface RandomSystem {
  readonly elements: number;
  /** Each thread declaration: alike (two of them), bound (one an element), or alone. */
  readonly threads: readonly { readonly form: "alike" | "bound" | "alone"; readonly body: Body }[];
  readonly properties: readonly { readonly when: string; readonly condition: Condition }[];
}

const WORDS = ["a", "b", "each"] as const;
const LOCKS = ["first", "second", "own"] as const;

const condition: fc.Arbitrary<Condition> = fc.record({
  left: fc.nat(7),
  operator: fc.constantFrom("==", "!=", "<="),
  right: fc.nat(9),
});

function statements(depth: number, isInside: boolean): fc.Arbitrary<Body> {
  return fc.array(anyStatement(depth, isInside), { minLength: 0, maxLength: depth === 2 ? 4 : 3 });
}

function anyStatement(depth: number, isInside: boolean): fc.Arbitrary<Statement> {
  const word = fc.nat(WORDS.length - 1);
  const lock = fc.nat(LOCKS.length - 1);
  const simple: fc.WeightedArbitrary<Statement>[] = [
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("load" as const), word }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("store" as const), word, value: fc.nat(4) }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constantFrom("swap" as const, "cas" as const, "ghost" as const), word }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("add" as const), isDown: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("assert" as const), condition }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constantFrom("owner" as const, "fence" as const, "owner" as const) }),
    },
  ];
  if (depth === 0) return fc.oneof(...simple);
  const inner = statements(depth - 1, isInside);
  const rare: fc.WeightedArbitrary<Statement>[] = [
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("await" as const), condition }) },
    { weight: 1, arbitrary: fc.constant({ kind: "stop" as const }) },
  ];
  const nested: fc.WeightedArbitrary<Statement>[] = [
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constantFrom("locked" as const, "locked" as const, "shared" as const),
        lock,
        body: inner,
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("tried" as const), lock, body: inner }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("unbalanced" as const), lock, body: inner }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom("if" as const, "pick" as const, "pick" as const),
        word,
        body: inner,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constantFrom("repeat" as const, "loop" as const), word, body: inner }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("choose" as const),
        alternatives: fc.array(inner, { minLength: 1, maxLength: 2 }),
      }),
    },
  ];
  const operation: fc.WeightedArbitrary<Statement> = {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("op" as const), word, body: statements(depth - 1, true) }),
  };
  return fc.oneof(...simple, ...rare, ...nested, ...(isInside ? [] : [operation]));
}

/** One or two declarations, of one to three threads each. */
export const randomSystems: fc.Arbitrary<RandomSystem> = fc.record({
  elements: fc.integer({ min: 2, max: 3 }),
  threads: fc.array(
    fc.record({
      form: fc.constantFrom("alike" as const, "bound" as const, "alone" as const),
      body: statements(2, false),
    }),
    { minLength: 1, maxLength: 2 },
  ),
  properties: fc.array(
    fc.record({ when: fc.constantFrom("quiet", "quiet", "quiet", "always", "never", "sometimes"), condition }),
    { minLength: 1, maxLength: 3 },
  ),
});

/** The system as a text. */
export function textOf(system: RandomSystem): string {
  const lines = [
    `set mm ${system.elements}`,
    "word a: 0..3",
    "word b: 0..3 = 1",
    "word each[mm]: 0..3",
    "word n: 0..6 = 1",
    "word owner: mm? = none",
    "ghost g: 0..3",
    "ghost seen[mm]: bool",
    "lock first",
    "lock second",
    "lock own[mm]",
    ...system.threads.flatMap(({ form, body }, index) => {
      const head = { alike: `thread t${index} * 2`, bound: `thread t${index}[m in mm]`, alone: `thread t${index}` }[
        form
      ];
      const writer = new Writer();
      const inner = writer.body(body, form === "bound" ? "m" : undefined);
      return [`${head} {`, "let r: 0..3 = 0", "let ok: bool = 0", "let o: mm? = none", ...inner, "}"];
    }),
    ...system.properties.map(({ when, condition: of }, index) => `${when} p${index}: ${conditionText(of, undefined)}`),
  ];
  return lines.join("\n");
}

/** Writes a thread's statements; knows which names have been given. */
class Writer {
  private names = 0;

  /** `element`: the name of an mm that may be used here. */
  body(body: Body, element: string | undefined): string[] {
    return body.flatMap((statement) => this.statement(statement, element));
  }

  private statement(statement: Statement, element: string | undefined): string[] {
    switch (statement.kind) {
      case "load":
        return [`r = load ${wordText(statement.word, element)}`];
      case "store":
        return [
          `store ${wordText(statement.word, element)} = ${statement.value > 3 ? "(r + 1) % 4" : statement.value}`,
        ];
      case "swap":
        return [`r = swap ${wordText(statement.word, element)}, r`];
      case "cas":
        return [`ok = cas ${wordText(statement.word, element)}, r, (r + 1) % 4`];
      case "ghost":
        return [element === undefined || statement.word > 1 ? "ghost g = (g + 1) % 4" : `ghost seen[${element}] = 1`];
      case "add":
        return [`add n, ${statement.isDown ? -1 : 1}`];
      case "assert":
        return [`assert s${this.names++ % 2}: ${conditionText(statement.condition, element)}`];
      case "await":
        return [`await ${conditionText(statement.condition, element)}`];
      case "owner":
        return element === undefined ? ["o = load owner"] : [`store owner = ${element}`, "o = load owner"];
      case "fence":
      case "stop":
        return [statement.kind];
      case "choose":
        return this.choose(statement.alternatives, element);
      default:
        return this.nested(statement, element);
    }
  }

  private choose(alternatives: readonly Body[], element: string | undefined): string[] {
    const blocks = alternatives.map((alternative) => this.body(alternative, element).join("\n"));
    return [`choose { ${blocks.join("\n} or {\n")} } or { }`];
  }

  private nested(statement: Extract<Statement, { readonly body: Body }>, element: string | undefined): string[] {
    const inner = (name = element): string[] => this.body(statement.body, name);
    switch (statement.kind) {
      case "locked":
        return [`lock ${lockText(statement.lock, element)}`, ...inner(), `unlock ${lockText(statement.lock, element)}`];
      case "shared": {
        // Only `second` has readers, so that the others stay plain.
        return ["lock_shared second", ...inner(), "unlock_shared second"];
      }
      case "tried": {
        const lock = lockText(statement.lock, element);
        return [`ok = trylock ${lock}`, "if ok == 1 {", ...inner(), `unlock ${lock}`, "}"];
      }
      case "unbalanced":
        return [`lock ${lockText(statement.lock, element)}`, ...inner()];
      case "if":
        return [`if r == ${statement.word} {`, ...inner(), "}"];
      case "repeat":
        return ["repeat 2 {", ...inner(), "}"];
      case "loop":
        return ["loop {", ...inner(), "choose { break } or { } }"];
      case "op":
        return [`op work {`, ...inner(), "}"];
      case "pick": {
        const name = `x${this.names++}`;
        return [`pick ${name} in mm`, ...inner(name)];
      }
    }
  }
}

function wordText(word: number, element: string | undefined): string {
  const name = WORDS[word];
  if (name !== "each") return name;
  return element === undefined ? "a" : `each[${element}]`;
}

function lockText(lock: number, element: string | undefined): string {
  const name = LOCKS[lock];
  if (name !== "own") return name;
  return element === undefined ? "first" : `own[${element}]`;
}

function conditionText({ left, operator, right }: Condition, element: string | undefined): string {
  const looks = [
    "a",
    "b",
    "n",
    "g",
    "count(e in mm: each[e] > 0)",
    "count(e in mm: seen[e])",
    element === undefined ? "a + b" : `each[${element}]`,
    element === undefined ? "count(e in mm: owner == e)" : `(owner == ${element})`,
  ];
  const second = right < 4 ? `${right}` : right < 8 ? (looks[right - 4] ?? "") : right === 8 ? "(first == 0)" : "r";
  // A register has no meaning in a property, and the element's absence says that this is one.
  return `${looks[left]} ${operator} ${second === "r" ? "g" : second}`;
}
