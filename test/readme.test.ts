/**
 * README.md shows what the commands print: each block that begins with "$ foliometer ..." is run again (doc-examples.ts).
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { LEFT_OUT, examplesOf, firstMissing, shownLines } from "./doc-examples.ts";
import { foliometer } from "./foliometer-in-process.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
test("a line that is not printed, or printed elsewhere, is found", () => {
  expect(firstMissing(["a", LEFT_OUT, "c"], ["a", "b", "c"])).toBeUndefined();
  expect(firstMissing(["a", "c"], ["a", "b", "c"])).toBe("c");
  expect(firstMissing(["b", LEFT_OUT, "a", LEFT_OUT], ["a", "b"])).toBe("b");
  expect(firstMissing([LEFT_OUT, "b", LEFT_OUT, "a"], ["a", "b"])).toBe("a");
  expect(firstMissing(["a"], ["a", "b"])).toContain("nothing behind");
  expect(firstMissing([LEFT_OUT, "b"], ["a", "b"])).toBeUndefined();
});

const EXAMPLES = examplesOf(readFileSync(new URL("../README.md", import.meta.url), "utf8"));
const before = process.cwd();
// Paths in README.md are those of the checkout; colours are not in it.
beforeAll(() => {
  process.chdir(ROOT);
  vi.stubEnv("NO_COLOR", "1");
  vi.stubEnv("FORCE_COLOR", undefined);
});
afterAll(() => {
  process.chdir(before);
  vi.unstubAllEnvs();
});

test("README.md has an example of report, free, who, run, compare, cow and check", () => {
  expect(EXAMPLES.map(({ args }) => args[0])).toEqual(["report", "free", "who", "run", "compare", "cow", "check"]);
});

test.each(EXAMPLES)("foliometer $args prints what README.md shows", async ({ args, lines }) => {
  expect(lines.length).toBeGreaterThan(4);
  const { stdout, stderr, code } = await foliometer(...args);
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  expect(firstMissing(lines, shownLines(stdout))).toBeUndefined();
});
