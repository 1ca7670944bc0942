import { describe, expect, test } from "vitest";
import { TEXT_CHARACTERS_MAX } from "./lex-steps.ts";
import { parseSteps } from "./parse-steps.ts";
import { FOLIO_TEXT } from "./programs/folio.ts";
import { type Declaration, type Expression, type Statement, StepsError } from "./syntax.ts";

const EXAMPLE = `
const PAGES = 2
index page PAGES              # ordered: may be counted over
set mm 2                      # interchangeable: only ==, !=, indexing
lock large                    # the bit spinlock of the folio's counts
word total: 0..4              # a word of memory, with the values that it can have
word owner: mm? = none        # an mm or none
ghost mapped[mm][page]: bool  # the truth: no CPU reads it, so it is no step

define entries() = sum(m in mm: count(p in page: mapped[m][p]))

procedure add(p, m) {
  lock large
  let t = load total          # one step
  store total = t + 1         # another
  if t == 0 { store owner = m }
  unlock large
  ghost mapped[m][p] = 1      # happens with the step before it
}

thread mapper[m in mm] {      # one thread an mm
  repeat 2 {
    choose {
      op map {                # an operation: what stories and progress speak of
        pick p in page
        add(p, m)
      }
    } or { }                  # or nothing
  }
}

quiet counts: total == entries()
`;

function parse(text: string): Declaration[] {
  return parseSteps({ name: "t", text });
}

/** Without the places, which most claims are not about. */
function bare(tree: unknown): unknown {
  return JSON.parse(JSON.stringify(tree, (key, value: unknown) => (key === "position" ? undefined : value)));
}

function statements(text: string): readonly Statement[] {
  const [declaration] = parse(`procedure f() {\n${text}\n}`);
  if (declaration.kind !== "procedure") throw new Error("not a procedure");
  return declaration.body;
}

function statement(text: string): unknown {
  const [only, ...more] = statements(text);
  expect(more).toEqual([]);
  return bare(only);
}

function expression(text: string): unknown {
  const [declaration] = parse(`define f() = ${text}`);
  if (declaration.kind !== "define") throw new Error("not a define");
  return bare(declaration.value);
}

function faultOf(text: string): string {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof StepsError) return error.message;
    throw error;
  }
  return "no fault";
}

/** The complaint about a statement, without its place. */
function faultIn(text: string): string {
  return faultOf(`procedure f() {\n${text}\n}`).replace(/^t:\d+:\d+: /, "");
}

const name = (text: string): unknown => ({ kind: "name", name: text, indexes: [] });
const number = (value: number): unknown => ({ kind: "number", value });
const place = (text: string, ...indexes: unknown[]): unknown => ({ name: text, indexes });

describe("texts", () => {
  test("the example of the documentation has ten declarations", () => {
    expect(parse(EXAMPLE).map(({ kind, name: declared }) => `${kind} ${declared}`)).toEqual([
      "const PAGES",
      "index page",
      "set mm",
      "lock large",
      "word total",
      "word owner",
      "ghost mapped",
      "define entries",
      "procedure add",
      "thread mapper",
      "property counts",
    ]);
  });

  test("the text that all schemes build on is one", () => {
    expect(parse(FOLIO_TEXT).length).toBeGreaterThan(20);
  });

  test("a text of comments and blank lines has none", () => {
    expect(parse("\n  # nothing\r\n\t\n#")).toEqual([]);
  });

  test("every node knows its line and column", () => {
    const [, add] = parse("lock large\n  procedure add(p) {\n    store total = t +\n      1\n  }");
    expect(add.position).toEqual({ text: "t", line: 2, column: 3 });
    if (add.kind !== "procedure") throw new Error("not a procedure");
    const [store] = add.body;
    expect(store.position).toEqual({ text: "t", line: 3, column: 5 });
    if (store.kind !== "store" || store.value.kind !== "binary") throw new Error("not a sum");
    expect(store.at.position.column).toBe(11);
    expect(store.value.right.position).toEqual({ text: "t", line: 4, column: 7 });
  });
});

describe("declarations", () => {
  test.each([
    ["const N = -3", { kind: "const", name: "N", values: [number(-3)] }],
    ["const W[mm] = 1, 2,\n  4", { kind: "const", name: "W", domain: "mm", values: [number(1), number(2), number(4)] }],
    ["set mm MMS", { kind: "set", name: "mm", size: name("MMS") }],
    ["index page 2", { kind: "index", name: "page", size: number(2) }],
    ["word w: bool", { kind: "word", name: "w", dimensions: [], range: { kind: "bool" } }],
    [
      "word w[mm][page]: 0..N = 1",
      {
        kind: "word",
        name: "w",
        dimensions: [{ domain: "mm" }, { domain: "page" }],
        range: { kind: "numbers", low: number(0), high: name("N") },
        initial: number(1),
      },
    ],
    [
      "word pte[m in mm][page]: bool = m == 0",
      {
        kind: "word",
        name: "pte",
        dimensions: [{ variable: "m", domain: "mm" }, { domain: "page" }],
        range: { kind: "bool" },
        initial: { kind: "binary", operator: "==", left: name("m"), right: number(0) },
      },
    ],
    [
      "ghost o: mm? = none",
      {
        kind: "ghost",
        name: "o",
        dimensions: [],
        range: { kind: "named", name: "mm", isOptional: true },
        initial: number(-1),
      },
    ],
    ["lock ptl[mm]", { kind: "lock", name: "ptl", dimensions: [{ domain: "mm" }] }],
    ["procedure f(a, b) { }", { kind: "procedure", name: "f", parameters: ["a", "b"], body: [] }],
    ["define f() =\n  1", { kind: "define", name: "f", parameters: [], value: number(1) }],
    ["thread t { }", { kind: "thread", name: "t", body: [] }],
    ["thread t * 2 { }", { kind: "thread", name: "t", times: number(2), body: [] }],
    [
      "thread t[m in mm] { stop }",
      { kind: "thread", name: "t", variable: "m", domain: "mm", body: [{ kind: "stop" }] },
    ],
    ["initially { fence }", { kind: "initially", name: "initially", body: [{ kind: "fence" }] }],
    ["always a:\n  true", { kind: "property", when: "always", name: "a", condition: number(1) }],
    ["never n: false", { kind: "property", when: "never", name: "n", condition: number(0) }],
    ["sometimes s: x", { kind: "property", when: "sometimes", name: "s", condition: name("x") }],
  ])("%s", (text, tree) => {
    expect(bare(parse(text))).toEqual([tree]);
  });
});

describe("statements", () => {
  test.each([
    ["let r = load w", { kind: "load", register: "r", isNew: true, at: place("w") }],
    ["r = load w[1]", { kind: "load", register: "r", isNew: false, at: place("w", number(1)) }],
    [
      "let r: mm? = load w",
      {
        kind: "load",
        register: "r",
        isNew: true,
        range: { kind: "named", name: "mm", isOptional: true },
        at: place("w"),
      },
    ],
    ["store w[a][b] = 1", { kind: "store", at: place("w", name("a"), name("b")), value: number(1) }],
    ["add w, 1", { kind: "add", isNew: false, at: place("w"), value: number(1) }],
    ["let r = add w, -1", { kind: "add", register: "r", isNew: true, at: place("w"), value: number(-1) }],
    ["swap w, 1", { kind: "swap", isNew: false, at: place("w"), value: number(1) }],
    ["r = swap w, 0", { kind: "swap", register: "r", isNew: false, at: place("w"), value: number(0) }],
    [
      "let r = cas w, 0, 1",
      { kind: "cas", register: "r", isNew: true, at: place("w"), expected: number(0), value: number(1) },
    ],
    ["lock l", { kind: "lock", isShared: false, at: place("l") }],
    ["unlock l[0]", { kind: "unlock", isShared: false, at: place("l", number(0)) }],
    ["lock_shared l", { kind: "lock", isShared: true, at: place("l") }],
    ["unlock_shared l", { kind: "unlock", isShared: true, at: place("l") }],
    ["let r = trylock l", { kind: "trylock", isShared: false, register: "r", isNew: true, at: place("l") }],
    ["r = trylock_shared l", { kind: "trylock", isShared: true, register: "r", isNew: false, at: place("l") }],
    ["fence", { kind: "fence" }],
    [
      "await (w) == 0",
      { kind: "await", condition: { kind: "binary", operator: "==", left: name("w"), right: number(0) } },
    ],
    ["let r = 1", { kind: "set", register: "r", isNew: true, value: number(1) }],
    [
      "let r: 0..7 = x",
      {
        kind: "set",
        register: "r",
        isNew: true,
        range: { kind: "numbers", low: number(0), high: number(7) },
        value: name("x"),
      },
    ],
    [
      "let r = f(a, 1)",
      { kind: "set", register: "r", isNew: true, value: { kind: "call", name: "f", args: [name("a"), number(1)] } },
    ],
    ["f()", { kind: "call", name: "f", args: [] }],
    ["ghost g[1] = 0", { kind: "ghost", at: place("g", number(1)), value: number(0) }],
    ["assert good: x", { kind: "assert", property: "good", condition: name("x") }],
    ["if x { stop }", { kind: "if", condition: name("x"), then: [{ kind: "stop" }], otherwise: [] }],
    [
      "if x { } else if y { stop } else { break }",
      {
        kind: "if",
        condition: name("x"),
        then: [],
        otherwise: [{ kind: "if", condition: name("y"), then: [{ kind: "stop" }], otherwise: [{ kind: "break" }] }],
      },
    ],
    ["if x {\n}\nelse {\n}", { kind: "if", condition: name("x"), then: [], otherwise: [] }],
    ["while (x) { }", { kind: "while", condition: name("x"), body: [] }],
    ["loop { break }", { kind: "loop", body: [{ kind: "break" }] }],
    ["repeat 2 { }", { kind: "repeat", times: number(2), body: [] }],
    ["for i in 0..N { }", { kind: "for", variable: "i", from: number(0), to: name("N"), body: [] }],
    [
      "choose { stop } or { }\nor { fence }",
      { kind: "choose", alternatives: [[{ kind: "stop" }], [], [{ kind: "fence" }]] },
    ],
    ["pick x in mm", { kind: "pick", register: "x", domain: { kind: "named", name: "mm" } }],
    [
      "pick x in 0..3 where x != 1",
      {
        kind: "pick",
        register: "x",
        domain: { kind: "numbers", from: number(0), to: number(3) },
        where: { kind: "binary", operator: "!=", left: name("x"), right: number(1) },
      },
    ],
    ["op map { }", { kind: "op", name: "map", body: [] }],
    ["return", { kind: "return" }],
    ["return x", { kind: "return", value: name("x") }],
    ["stop", { kind: "stop" }],
  ])("%s", (text, tree) => {
    expect(statement(text)).toEqual(tree);
  });

  test("words of the language are names where what stands behind them says so", () => {
    for (const word of [
      "add",
      "lock",
      "load",
      "store",
      "fence",
      "index",
      "page",
      "op",
      "or",
      "in",
      "where",
      "let",
      "stop",
    ]) {
      expect(statement(`${word}(0)`)).toEqual({ kind: "call", name: word, args: [number(0)] });
      expect(statement(`${word} = 1`)).toEqual({ kind: "set", register: word, isNew: false, value: number(1) });
      expect(statement(`let r = ${word}`)).toEqual({ kind: "set", register: "r", isNew: true, value: name(word) });
      expect(statement(`let r = ${word} + ${word}(1)`)).toMatchObject({ kind: "set", value: { kind: "binary" } });
      expect(statement(`lock ${word}`)).toMatchObject({ kind: "lock", at: place(word) });
      expect(bare(parse(`word ${word}: bool\nlock ${word}\nprocedure ${word}(${word}) { }`))).toHaveLength(3);
    }
    expect(statement("store count = count(x in mm: count)")).toMatchObject({
      at: place("count"),
      value: { kind: "count", body: name("count") },
    });
  });

  test("a statement ends with its line, so that a line between braces holds one", () => {
    expect(statements("load_all()\nfence\n\n  fence")).toHaveLength(3);
    expect(faultIn("if x { fence stop }")).toBe(
      'expected the end of the line, found "stop": one statement stands on a line',
    );
    expect(faultIn("fence fence")).toContain("one statement stands on a line");
    expect(faultIn("if x { } fence")).toContain("one statement stands on a line");
  });
});

describe("expressions", () => {
  const shape = (text: string): string => {
    const show = (node: Expression): string => {
      if (node.kind === "binary") return `(${show(node.left)}${node.operator}${show(node.right)})`;
      if (node.kind === "conditional") return `(${show(node.condition)}?${show(node.then)}:${show(node.otherwise)})`;
      if (node.kind === "not") return `!${show(node.operand)}`;
      if (node.kind === "negate") return `-${show(node.operand)}`;
      if (node.kind === "name") return node.name;
      return node.kind === "number" ? `${node.value}` : node.kind;
    };
    const [declaration] = parse(`define f() = ${text}`);
    return declaration.kind === "define" ? show(declaration.value) : "";
  };

  test.each([
    ["a || b && c == d < e + f * g", "(a||(b&&(c==(d<(e+(f*g))))))"],
    ["a * b + c < d == e && f || g", "((((((a*b)+c)<d)==e)&&f)||g)"],
    ["a - b - c", "((a-b)-c)"],
    ["a / b % c * d", "(((a/b)%c)*d)"],
    ["!a == b", "(!a==b)"],
    ["-a - -1", "(-a--1)"],
    ["- -a", "--a"],
    ["a - 1", "(a-1)"],
    ["a ? b : c ? d : e", "(a?b:(c?d:e))"],
    ["a ? b ? c : d : e", "(a?(b?c:d):e)"],
    ["(a == b) == c", "((a==b)==c)"],
    ["(a ? b : c) + 1", "((a?b:c)+1)"],
    ["a +\n b\n + c", "((a+b)+c)"],
    ["a\n ? b\n : c", "(a?b:c)"],
    ["(\n a\n)", "a"],
  ])("%s is %s", (text, expected) => {
    expect(shape(text)).toBe(expected);
  });

  test("quantifiers, calls, indexes", () => {
    expect(expression("sum(m in mm: any(i in 0..N: w[m][i + 1]))")).toEqual({
      kind: "sum",
      variable: "m",
      domain: { kind: "named", name: "mm" },
      body: {
        kind: "any",
        variable: "i",
        domain: { kind: "numbers", from: number(0), to: name("N") },
        body: {
          kind: "name",
          name: "w",
          indexes: [name("m"), { kind: "binary", operator: "+", left: name("i"), right: number(1) }],
        },
      },
    });
    expect(expression("min(\n  a,\n  element(mm, 1)\n)")).toEqual({
      kind: "call",
      name: "min",
      args: [name("a"), { kind: "call", name: "element", args: [name("mm"), number(1)] }],
    });
  });

  test("int32's ends can be written, and nothing beyond them", () => {
    expect(expression("-2147483648")).toEqual(number(-2147483648));
    expect(expression("2147483647")).toEqual(number(2147483647));
    expect(Object.is((expression("-0") as { value: number }).value, 0)).toBe(true);
    expect(faultOf("const N = 2147483648")).toContain("too large");
    expect(faultOf("const N = -2147483649")).toContain("too large");
    expect(faultOf(`const N = ${"9".repeat(500)}`)).toContain("too large");
  });
});

describe("faults say where, what and what would do", () => {
  test.each([
    ["wrod total: 0..4", 't:1:1: expected a declaration, found "wrod": did you mean word?'],
    ["\n\n  lock", "t:3:7: expected a lock, found the end of the text"],
    ["word total 0..4", 't:1:12: expected ":", found "0": write word total: RANGE'],
    [
      "word total: 4",
      't:1:14: expected "..", found the end of the text: a range is bool, LOW..HIGH, the name of a set or index, or NAME?',
    ],
    ["word total: 0..", "t:1:16: expected an expression, found the end of the text"],
    ["const N =", "t:1:10: expected an expression, found the end of the text"],
    ["const N = 1, 2", "t:1:1: N has several values: write const N[SET] = ..."],
    ["set bool 2", 't:1:5: "bool" is a range of the language and cannot be the name of a set'],
    ["set if 2", 't:1:5: "if" is a word of the language and cannot be a set'],
    ["define min(a) = a", 't:1:8: "min(" is a word of the language and cannot be a define'],
    ["procedure f(a, a) { }", 't:1:16: there is a parameter "a" already'],
    ["thread t[mm] { }", 't:1:12: expected "in", found "]": write thread t[NAME in SET]'],
    ["lock a lock b", 't:1:8: expected the end of the line, found "lock": one declaration stands on a line'],
    ["lock a\n}", 't:2:1: expected a declaration, found "}": one of const, '],
    ["always a: x < y < z", 't:1:17: a second "<" in a row compares a truth value: join two comparisons by &&'],
    ["always a: x == y == z", 't:1:18: a second "==" in a row'],
    ["always a: x && && y", 't:1:16: expected an expression, found "&&"'],
    ["always a: x = 1", 't:1:13: expected the end of the line, found "="'],
    ["always a: x ? 1", 't:1:16: expected ":" and the value otherwise, found the end of the text'],
    ["always a: (x", 't:1:13: expected ")", found the end of the text'],
    ["always a: sum(mm)", 't:1:17: expected "in", found ")": write sum(mm in DOMAIN: EXPR)'],
    ["always a: f(1 2)", 't:1:15: expected "," or ")", found "2"'],
    ["always a: if", 't:1:11: expected an expression, found "if": if begins a statement'],
    ["const N = 2x", "t:1:11: 2x is no number: numbers are decimal digits"],
    ["const N = 0x10", "t:1:11: 0x10 is no number"],
    ["lock a;", 't:1:7: ";" means nothing here: a statement ends with its line'],
    ["always a: x & y", 't:1:13: "&" means nothing here: and is &&'],
    ["lock \u00e9", "t:1:6: the character U+00E9 means nothing here"],
    ["lock \u0007", "t:1:6: the character U+0007 means nothing here"],
    [`lock ${"a".repeat(101)}`, "t:1:6: a name of 101 letters; at most 100 can be read"],
    ["procedure f() {", 't:1:16: expected a statement or "}", found the end of the text'],
    ["procedure f()\n{ }", 't:2:1: expected "{", found the end of the line, then "{"'],
  ])("%j", (text, fault) => {
    expect(faultOf(text)).toContain(fault);
  });

  test.each([
    ["stroe total = 1", 'expected a statement, found "stroe": did you mean store?'],
    ["fnce", 'expected a statement, found "fnce": did you mean fence?'],
    ["somewhere", '"somewhere" alone says nothing: call it by somewhere(), or set it by somewhere = ...'],
    ["load total", "load gives a value: write let NAME = load ..."],
    ["total[1] = 2", "a register has no indexes: a word is written by store total[...] = ..., a ghost by ghost"],
    ["r: 0..3 = 1", "a range is given where a register is declared: let r: ..."],
    ["let r", 'expected "=", found "}": write let r = ...'],
    ["let r: 0..1 = cas w, 0, 1", "cas gives 0 or 1: leave the range out"],
    ["let r = cas w, 0", 'expected ",", found "}": write cas WORD, OLD, NEW'],
    ["add total", 'expected ",", found "}": write add WORD, EXPR'],
    ["store total", 'expected "=", found "}": write store total = EXPR'],
    ["store total =\nstore total = 1", 'expected an expression, found the end of the line, then "store"'],
    ["assert x == 1", 'expected ":", found "==": write assert x: EXPR'],
    ["for i in page { }", 'expected "..", found "{": over elements go all, any, count, sum and pick; for goes A..B'],
    ["pick x of mm", 'expected "in", found "of": write pick x in DOMAIN'],
    ["let true = 1", '"true" is a word of the language and cannot be a register'],
    ["1 = 2", 'expected a statement or "}", found "1"'],
  ])("%j", (text, fault) => {
    expect(faultIn(text)).toBe(fault);
  });

  test("more than 200 levels are refused, of braces, parentheses, signs and operators alike", () => {
    const deep = (open: string, inside: string, close: string, levels: number): string =>
      open.repeat(levels) + inside + close.repeat(levels);
    expect(expression(deep("(", "1", ")", 200))).toEqual(number(1));
    for (const levels of [201, 20_000]) {
      expect(faultOf(`define f() = ${deep("(", "1", ")", levels)}`)).toContain("more than 200 levels");
      expect(faultOf(`define f() = ${deep("!", "x", "", levels)}`)).toContain("more than 200");
      expect(faultOf(`define f() = ${deep("- ", "x", "", levels)}`)).toContain("more than 200");
      expect(faultOf(`define f() = ${deep("x[", "1", "]", levels)}`)).toContain("more than 200");
      expect(faultOf(`define f() = x${deep(" + 1", "", "", levels)}`)).toContain("more than 200 operators deep");
      expect(faultOf(`define f() = ${deep("x ? 1 : ", "0", "", levels)}`)).toContain("more than 200");
      expect(faultIn(deep("loop {\n", "", "}\n", levels))).toContain("more than 200 levels");
      expect(faultIn(`if x { }${deep(" else if x { }", "", "", levels)}`)).toContain("more than 200 levels");
    }
  });

  test("a text of more than 1 MiB is refused, and one of exactly 1 MiB is read", () => {
    const comment = `#${"x".repeat(TEXT_CHARACTERS_MAX - 1)}`;
    expect(parse(comment)).toEqual([]);
    expect(faultOf(`${comment}x`)).toBe("t:1:1: the text has 1048577 characters; at most 1048576 can be read");
  });
});
