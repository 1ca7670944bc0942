/**
 * docs/checker.md repeats what the catalogue says and what the command prints; this holds them together.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { CHECK_CASES, type CheckCase, check } from "../../src/checker/index.ts";
import { SCHEMES } from "../../src/schemes/index.ts";
import { checkTable, formatTable } from "../conformance/doc-table.ts";
import { examplesOf, firstMissing, shownLines } from "../doc-examples.ts";
import { foliometer } from "../foliometer-in-process.ts";
import { requireFile } from "../full-run.ts";

const PAGE = readFileSync(new URL("../../docs/checker.md", import.meta.url), "utf8");
const WORKER = fileURLToPath(new URL("../../dist/study/search-worker.js", import.meta.url));
const EXAMPLES = examplesOf(PAGE);

beforeAll(() => {
  vi.stubEnv("NO_COLOR", "1");
  vi.stubEnv("FORCE_COLOR", undefined);
});
afterAll(() => vi.unstubAllEnvs());

/** So few are named by what is left out. */
const LEFT_OUT_MOST = 4;

function namesOf(ids: readonly string[], among: readonly string[]): string {
  const listed = (some: readonly string[]): string => some.map((id) => `\`${id}\``).join(", ");
  const others = among.filter((id) => !ids.includes(id));
  if (others.length === 0) return "all";
  return others.length <= LEFT_OUT_MOST && ids.length > others.length ? `all but ${listed(others)}` : listed(ids);
}

/** "`leak`: all", by property, in the order of the first scheme that has it. */
function brokenOf({ schemes, outcomes }: CheckCase): string {
  const properties = new Set(schemes.flatMap((scheme) => outcomes[scheme].broken ?? []));
  const parts = [...properties].map((property) => {
    const whose = schemes.filter((scheme) => outcomes[scheme].broken?.includes(property));
    return `\`${property}\`: ${namesOf(whose, schemes)}`;
  });
  return parts.length === 0 ? "nothing" : parts.join("; ");
}

function statesOf({ schemes, outcomes }: CheckCase): string {
  const counts = schemes.flatMap((scheme) => outcomes[scheme].states ?? []).toSorted((a, b) => a - b);
  const [least, most] = [counts.at(0), counts.at(-1)];
  if (least === undefined || most === undefined) return "";
  const format = (count: number): string => count.toLocaleString("en-US");
  return least === most ? format(least) : `${format(least)} to ${format(most)}`;
}

test("the catalogue: every case, for which schemes, and what breaks", () => {
  const rows = CHECK_CASES.map((checkCase) => [
    `\`${checkCase.id}\``,
    checkCase.title,
    namesOf(
      checkCase.schemes,
      SCHEMES.map(({ id }) => id),
    ),
    brokenOf(checkCase),
    statesOf(checkCase),
  ]);
  checkTable("checker.md", "cases", formatTable(["case", "what", "schemes", "breaks", "states"], rows));
});

test("two stories stand there in full", () => {
  expect(EXAMPLES.map(({ args }) => args.slice(0, 4))).toEqual([
    ["check", "vma", "--case", "embrace"],
    ["check", "mm-owner", "--case", "reuse-unchecked"],
  ]);
});

test.each(EXAMPLES)("foliometer $args prints what docs/checker.md shows", async ({ args, lines }) => {
  expect(lines.length).toBeGreaterThan(15);
  const { stdout, stderr, code } = await foliometer(...args);
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  expect(firstMissing(lines, shownLines(stdout))).toBeUndefined();
});

test("the system of one's own loses an update in four accesses, and with a lock none", () => {
  const text = /```steps\n(?<text>[^]*?)```/.exec(PAGE)?.groups?.text ?? "";
  const outcomesOf = (lines: string): Record<string, unknown> => {
    const { properties } = check({ name: "lost", texts: [{ name: "lost", text: lines }] });
    return Object.fromEntries(
      properties.map((each) => [each.name, each.outcome === "broken" ? each.story.steps.length : each.outcome]),
    );
  };
  expect(outcomesOf(text)).toMatchObject({ sum: 4 });
  const locked = text.replace("let t", "lock l\n    let t").replace("ghost done = ", "unlock l\n    ghost done = ");
  expect(outcomesOf(`lock l\n${locked}`)).toMatchObject({ sum: "holds", all: "seen", deadlock: "holds" });
});

const OWN = [...PAGE.matchAll(/^ {4}foliometer (check .* --(?:always|never|sometimes) '.*')$/gm)].map(
  ([, line]) => line,
);

test.each(OWN)("the property of one's own holds: %s", async (line) => {
  const words = Array.from(line.matchAll(/'([^']*)'|(\S+)/g), ([, quoted, plain]) => quoted ?? plain);
  const { code, stderr } = await foliometer(...words);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(OWN).toHaveLength(3);
});

/** Names of fields, of whatever is in a document, without those of the options and of a story's values. */
function fieldsOf(value: unknown, under = ""): string[] {
  if (Array.isArray(value)) return value.flatMap((each) => fieldsOf(each, under));
  if (typeof value !== "object" || value === null || ["options", "before", "after"].includes(under)) return [];
  return Object.entries(value).flatMap(([name, inner]) => [name, ...fieldsOf(inner, name)]);
}

test("every field of the JSON document is described", async (ctx) => {
  requireFile(ctx, WORKER);
  const checked = await foliometer("check", "vma", "--case", "try-lock,embrace", "--lock-order", "--json");
  const random = await foliometer("check", "vma", "--case", "embrace", "--random", "1", "--json");
  const list = await foliometer("check", "--list", "--json");
  const fields = new Set([checked, random, list].flatMap(({ stdout }) => fieldsOf(JSON.parse(stdout))));
  expect(fields.size).toBeGreaterThan(40);
  expect([...fields].filter((field) => !PAGE.includes(`\`${field}\``))).toEqual([]);
});
