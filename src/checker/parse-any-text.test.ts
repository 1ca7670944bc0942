/**
 * Claims about the parser that hold for every text: it ends in a tree or a StepsError, and a tree printed is read again as
 * itself. The printer puts parentheses around every operand and a statement on every line, so it knows no precedence.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseSteps } from "./parse-steps.ts";
import { FOLIO_TEXT } from "./programs/folio.ts";
import {
  type BinaryOperator,
  type Block,
  type Declaration,
  type Dimension,
  type Domain,
  type Expression,
  type Place,
  type Range,
  type Statement,
  StepsError,
} from "./syntax.ts";

function parse(text: string): Declaration[] {
  return parseSteps({ name: "t", text });
}

function bare(tree: unknown): unknown {
  return JSON.parse(JSON.stringify(tree, (key, value: unknown) => (key === "position" ? undefined : value)));
}

function printExpression(node: Expression): string {
  switch (node.kind) {
    case "number":
      return `${node.value}`;
    case "name":
      return node.name + printIndexes(node.indexes);
    case "binary":
      return `(${printExpression(node.left)}) ${node.operator} (${printExpression(node.right)})`;
    case "not":
      return `!(${printExpression(node.operand)})`;
    case "negate":
      return `-(${printExpression(node.operand)})`;
    case "conditional":
      return `(${printExpression(node.condition)}) ? (${printExpression(node.then)}) : (${printExpression(node.otherwise)})`;
    case "call":
      return `${node.name}(${node.args.map(printExpression).join(", ")})`;
    case "all":
    case "any":
    case "count":
    case "sum":
      return `${node.kind}(${node.variable} in ${printDomain(node.domain)}: ${printExpression(node.body)})`;
  }
}

function printIndexes(indexes: readonly Expression[]): string {
  return indexes.map((index) => `[${printExpression(index)}]`).join("");
}

function printDomain(domain: Domain): string {
  return domain.kind === "named" ? domain.name : `(${printExpression(domain.from)})..(${printExpression(domain.to)})`;
}

function printRange(range: Range): string {
  if (range.kind === "bool") return "bool";
  if (range.kind === "named") return range.name + (range.isOptional ? "?" : "");
  return `(${printExpression(range.low)})..(${printExpression(range.high)})`;
}

function printPlace({ name, indexes }: Place): string {
  return name + printIndexes(indexes);
}

function printBlock(block: Block): string {
  return `{\n${block.map((each) => `${printStatement(each)}\n`).join("")}}`;
}

function printTarget(node: { readonly register: string; readonly isNew: boolean; readonly range?: Range }): string {
  return `${node.isNew ? "let " : ""}${node.register}${node.range === undefined ? "" : `: ${printRange(node.range)}`} = `;
}

function printStatement(node: Statement): string {
  switch (node.kind) {
    case "load":
      return `${printTarget(node)}load ${printPlace(node.at)}`;
    case "store":
    case "ghost":
      return `${node.kind} ${printPlace(node.at)} = ${printExpression(node.value)}`;
    case "add":
    case "swap": {
      const { register } = node;
      const target = register === undefined ? "" : printTarget({ ...node, register });
      return `${target}${node.kind} ${printPlace(node.at)}, ${printExpression(node.value)}`;
    }
    case "cas":
      return `${printTarget(node)}cas ${printPlace(node.at)}, ${printExpression(node.expected)}, ${printExpression(node.value)}`;
    case "lock":
    case "unlock":
      return `${node.kind}${node.isShared ? "_shared" : ""} ${printPlace(node.at)}`;
    case "trylock":
      return `${printTarget(node)}trylock${node.isShared ? "_shared" : ""} ${printPlace(node.at)}`;
    case "await":
      return `await ${printExpression(node.condition)}`;
    case "set":
      return printTarget(node) + printExpression(node.value);
    case "call":
      return `${node.name}(${node.args.map(printExpression).join(", ")})`;
    case "assert":
      return `assert ${node.property}: ${printExpression(node.condition)}`;
    case "fence":
    case "break":
    case "stop":
      return node.kind;
    case "return":
      return node.value === undefined ? "return" : `return ${printExpression(node.value)}`;
    default:
      return printCompound(node);
  }
}

function printCompound(
  node: Statement & { readonly kind: "if" | "while" | "loop" | "repeat" | "for" | "choose" | "pick" | "op" },
): string {
  switch (node.kind) {
    case "if": {
      const otherwise = node.otherwise.length === 0 ? "" : ` else ${printBlock(node.otherwise)}`;
      return `if ${printExpression(node.condition)} ${printBlock(node.then)}${otherwise}`;
    }
    case "while":
      return `while ${printExpression(node.condition)} ${printBlock(node.body)}`;
    case "loop":
      return `loop ${printBlock(node.body)}`;
    case "repeat":
      return `repeat ${printExpression(node.times)} ${printBlock(node.body)}`;
    case "for": {
      const bounds = `(${printExpression(node.from)})..(${printExpression(node.to)})`;
      return `for ${node.variable} in ${bounds} ${printBlock(node.body)}`;
    }
    case "choose":
      return `choose ${node.alternatives.map(printBlock).join(" or ")}`;
    case "pick": {
      const where = node.where === undefined ? "" : ` where ${printExpression(node.where)}`;
      return `pick ${node.register} in ${printDomain(node.domain)}${where}`;
    }
    case "op":
      return `op ${node.name} ${printBlock(node.body)}`;
  }
}

function printDimensions(dimensions: readonly Dimension[]): string {
  return dimensions
    .map(({ variable, domain }) => (variable === undefined ? `[${domain}]` : `[${variable} in ${domain}]`))
    .join("");
}

function printDeclaration(node: Declaration): string {
  switch (node.kind) {
    case "const": {
      const domain = node.domain === undefined ? "" : `[${node.domain}]`;
      return `const ${node.name}${domain} = ${node.values.map(printExpression).join(", ")}`;
    }
    case "set":
    case "index":
      return `${node.kind} ${node.name} (${printExpression(node.size)})`;
    case "word":
    case "ghost": {
      const initial = node.initial === undefined ? "" : ` = ${printExpression(node.initial)}`;
      return `${node.kind} ${node.name}${printDimensions(node.dimensions)}: ${printRange(node.range)}${initial}`;
    }
    case "lock":
      return `lock ${node.name}${printDimensions(node.dimensions)}`;
    case "procedure":
      return `procedure ${node.name}(${node.parameters.join(", ")}) ${printBlock(node.body)}`;
    case "define":
      return `define ${node.name}(${node.parameters.join(", ")}) = ${printExpression(node.value)}`;
    case "thread": {
      const times = node.times === undefined ? "" : ` * ${printExpression(node.times)}`;
      const bound = node.domain === undefined ? "" : `[${node.variable} in ${node.domain}]`;
      return `thread ${node.name}${times}${bound} ${printBlock(node.body)}`;
    }
    case "initially":
      return `initially ${printBlock(node.body)}`;
    case "property":
      return `${node.when} ${node.name}: ${printExpression(node.condition)}`;
  }
}

const print = (tree: readonly Declaration[]): string => tree.map((each) => `${printDeclaration(each)}\n`).join("");

const position = { text: "t", line: 1, column: 1 };
const at = fc.constant(position);
/** Among them words of the language, which must do as names. */
const anyName = fc.constantFrom(
  ..."a b total mm add lock load store swap index page in or op where count let bool".split(" "),
);
const calledName = fc.constantFrom("f", "add", "lock", "store", "pick", "in", "fence", "let");
const setName = fc.constantFrom("mm", "page", "index", "load");
const operator = fc.constantFrom<BinaryOperator>("||", "&&", "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%");
const optional = <T, K extends string>(key: K, value: fc.Arbitrary<T>): fc.Arbitrary<{ readonly [k in K]?: T }> =>
  fc.oneof(
    fc.constant({}),
    value.map((each) => ({ [key]: each }) as { readonly [k in K]?: T }),
  );

const { expression, domain, names } = fc.letrec<{
  expression: Expression;
  domain: Domain;
  names: readonly Expression[];
}>((tie) => ({
  names: fc.array(tie("expression"), { maxLength: 2 }),
  domain: fc.oneof(
    fc.record({ kind: fc.constant("named" as const), name: setName }),
    fc.record({ kind: fc.constant("numbers" as const), from: tie("expression"), to: tie("expression") }),
  ),
  expression: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.record({ position: at, kind: fc.constant("number" as const), value: fc.integer() }),
    fc.record({ position: at, kind: fc.constant("name" as const), name: anyName, indexes: tie("names") }),
    fc.record({
      position: at,
      kind: fc.constant("binary" as const),
      operator,
      left: tie("expression"),
      right: tie("expression"),
    }),
    fc.record({ position: at, kind: fc.constantFrom("not" as const, "negate" as const), operand: tie("expression") }),
    fc.record({
      position: at,
      kind: fc.constant("conditional" as const),
      condition: tie("expression"),
      then: tie("expression"),
      otherwise: tie("expression"),
    }),
    fc.record({ position: at, kind: fc.constant("call" as const), name: calledName, args: tie("names") }),
    fc.record({
      position: at,
      kind: fc.constantFrom("all" as const, "any" as const, "count" as const, "sum" as const),
      variable: anyName,
      domain: tie("domain"),
      body: tie("expression"),
    }),
  ),
}));

const range: fc.Arbitrary<Range> = fc.oneof(
  fc.constant({ kind: "bool" as const }),
  fc.record({ kind: fc.constant("named" as const), name: setName, isOptional: fc.boolean() }),
  fc.record({ kind: fc.constant("numbers" as const), low: expression, high: expression }),
);
const place: fc.Arbitrary<Place> = fc.record({ position: at, name: anyName, indexes: names });
const ranged = fc.oneof(
  fc.record({ register: anyName, isNew: fc.boolean() }),
  fc.record({ register: anyName, isNew: fc.constant(true), range }),
);
const plain = fc.record({ register: anyName, isNew: fc.boolean() });
const kind = <K extends string>(
  ...kinds: K[]
): fc.Arbitrary<{ readonly position: typeof position; readonly kind: K }> =>
  fc.constantFrom(...kinds).map((each) => ({ position, kind: each }));
/** One object of several parts. */
const joined = <A extends object, B extends object, C extends object>(
  a: fc.Arbitrary<A>,
  b: fc.Arbitrary<B>,
  c: fc.Arbitrary<C>,
): fc.Arbitrary<A & B & C> => fc.tuple(a, b, c).map(([x, y, z]) => ({ ...x, ...y, ...z }));

const simple: fc.Arbitrary<Statement> = fc.oneof(
  joined(kind("load"), ranged, fc.record({ at: place })),
  joined(kind("store", "ghost"), fc.constant({}), fc.record({ at: place, value: expression })),
  joined(
    kind("add", "swap"),
    fc.oneof(ranged, fc.constant({ isNew: false })),
    fc.record({ at: place, value: expression }),
  ),
  joined(kind("cas"), plain, fc.record({ at: place, expected: expression, value: expression })),
  joined(kind("lock", "unlock"), fc.record({ isShared: fc.boolean() }), fc.record({ at: place })),
  joined(kind("trylock"), plain, fc.record({ at: place, isShared: fc.boolean() })),
  joined(kind("fence"), fc.constant({}), fc.constant({})),
  joined(kind("break", "stop"), fc.constant({}), fc.constant({})),
  joined(kind("await"), fc.constant({}), fc.record({ condition: expression })),
  joined(kind("set"), ranged, fc.record({ value: expression })),
  joined(kind("call"), fc.record({ name: calledName }), fc.record({ args: names })),
  joined(kind("assert"), fc.record({ property: anyName }), fc.record({ condition: expression })),
  joined(kind("pick"), fc.record({ register: anyName, domain }), optional("where", expression)),
  joined(kind("return"), fc.constant({}), optional("value", expression)),
);

const { block } = fc.letrec<{ block: Block; statement: Statement }>((tie) => ({
  block: fc.array(tie("statement"), { maxLength: 3 }),
  statement: fc.oneof(
    { maxDepth: 3 },
    simple,
    joined(
      kind("if"),
      fc.record({ condition: expression }),
      fc.record({ then: tie("block"), otherwise: tie("block") }),
    ),
    joined(kind("while"), fc.record({ condition: expression }), fc.record({ body: tie("block") })),
    joined(kind("loop"), fc.constant({}), fc.record({ body: tie("block") })),
    joined(kind("repeat"), fc.record({ times: expression }), fc.record({ body: tie("block") })),
    joined(
      kind("for"),
      fc.record({ variable: anyName, from: expression, to: expression }),
      fc.record({ body: tie("block") }),
    ),
    joined(
      kind("choose"),
      fc.constant({}),
      fc.record({ alternatives: fc.array(tie("block"), { minLength: 1, maxLength: 3 }) }),
    ),
    joined(kind("op"), fc.record({ name: anyName }), fc.record({ body: tie("block") })),
  ),
}));

const dimensions = fc.array(joined(fc.record({ domain: setName }), optional("variable", anyName), fc.constant({})), {
  maxLength: 2,
});
const parameters = fc.uniqueArray(anyName, { maxLength: 3 });
const named = fc.record({ name: anyName.filter((name) => name !== "count") });
const oneOrMore = fc.array(expression, { minLength: 1, maxLength: 3 });

const declaration: fc.Arbitrary<Declaration> = fc.oneof(
  joined(kind("const"), named, fc.record({ values: expression.map((value) => [value]) })),
  joined(kind("const"), named, fc.record({ domain: setName, values: oneOrMore })),
  joined(kind("set", "index"), fc.record({ name: setName }), fc.record({ size: expression })),
  joined(
    kind("word", "ghost"),
    named,
    joined(fc.record({ dimensions, range }), optional("initial", expression), fc.constant({})),
  ),
  joined(kind("lock"), named, fc.record({ dimensions })),
  joined(kind("procedure"), named, fc.record({ parameters, body: block })),
  joined(kind("define"), named, fc.record({ parameters, value: expression })),
  joined(
    kind("thread"),
    named,
    fc.oneof(
      fc.record({ body: block }),
      fc.record({ times: expression, body: block }),
      fc.record({ variable: anyName, domain: setName, body: block }),
    ),
  ),
  joined(kind("initially"), fc.constant({ name: "initially" }), fc.record({ body: block })),
  joined(
    kind("property"),
    named,
    fc.record({
      when: fc.constantFrom("always" as const, "never" as const, "quiet" as const, "sometimes" as const),
      condition: expression,
    }),
  ),
);

const WORDS = [
  ..."const set index word ghost lock procedure define thread initially always never quiet sometimes".split(" "),
  ..."load store add swap cas unlock lock_shared trylock fence await let assert if else while loop break".split(" "),
  ..."repeat for in choose or pick where op return stop bool none true false all any count sum min max a b".split(" "),
  ..."0 1 4294967296 .. || && == != < <= + - * / % ! ? : , = ( ) [ ] { } \n # ; & 0x \u00e9 \u0000".split(" "),
];

describe("whatever the text", () => {
  test("a soup of words is a tree or a StepsError with its place", () => {
    const soup = fc.array(fc.constantFrom(...WORDS), { maxLength: 60 }).map((parts) => parts.join(" "));
    const texts = fc.oneof(
      soup,
      soup.map((text) => `thread t {\n${text}\n}`),
      soup.map((text) => `define f() = ${text}`),
      fc.string({ unit: "binary" }),
    );
    let trees = 0;
    let faults = 0;
    const check = (text: string): void => {
      try {
        parse(text);
        trees++;
      } catch (error) {
        if (!(error instanceof StepsError)) throw error;
        expect(error.position).toBeDefined();
        faults++;
      }
    };
    fc.assert(fc.property(texts, check), { numRuns: 600 });
    expect(Math.min(trees, faults)).toBeGreaterThan(20);
  });

  test("a good text with one word changed, doubled or left out is a tree or a StepsError", () => {
    const words = FOLIO_TEXT.split(/(?<=\W)|(?=\W)/);
    fc.assert(
      fc.property(fc.nat(words.length - 1), fc.constantFrom("", ...WORDS), fc.boolean(), (index, word, isKept) => {
        const text = words.with(index, isKept ? words[index] + word : word).join("");
        try {
          parse(text);
        } catch (error) {
          expect(error).toBeInstanceOf(StepsError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("a tree that is printed and parsed again is the same tree", () => {
  test("of the text that all schemes build on", () => {
    const tree = parse(FOLIO_TEXT);
    expect(tree.length).toBeGreaterThan(20);
    expect(bare(parse(print(tree)))).toEqual(bare(tree));
  });

  test("of every tree", () => {
    const kinds = new Set<string>();
    fc.assert(
      fc.property(fc.array(declaration, { maxLength: 4 }), (tree) => {
        JSON.stringify(tree, (key, value: unknown) => {
          if (key === "kind") kinds.add(String(value));
          return value;
        });
        expect(bare(parse(print(tree)))).toEqual(bare(tree));
      }),
      { numRuns: 300 },
    );
    // Every kind of node was among them.
    expect(kinds.size).toBeGreaterThan(45);
  });
});
