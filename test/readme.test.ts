/**
 * README.md shows what the commands print: each block that begins with "$ foliometer ..." is run again.
 *
 * "[...]" in a block stands for any lines; every other line is printed exactly so, in this order.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { foliometer } from "./foliometer-in-process.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const LEFT_OUT = "[...]";

interface Example {
  readonly args: readonly string[];
  readonly lines: readonly string[];
}

/** Blocks of README.md, without their indentation. */
function examplesOf(markdown: string): Example[] {
  const lines = markdown.split("\n");
  return lines.flatMap((line, at) => {
    const indent = /^( +)\$ foliometer /.exec(line)?.[1];
    if (indent === undefined) return [];
    const behind = lines.slice(at + 1);
    const end = behind.findIndex((each) => each !== "" && !each.startsWith(indent));
    const shown = behind.slice(0, end < 0 ? behind.length : end).map((each) => each.slice(indent.length));
    return [{ args: wordsOf(line.slice(`${indent}$ foliometer `.length)), lines: trimEnd(shown) }];
  });
}

/** A shell's words, as far as README.md has them: "quoted" or plain. */
function wordsOf(command: string): string[] {
  return Array.from(command.matchAll(/"([^"]*)"|(\S+)/g), ([, quoted, plain]) => quoted ?? plain);
}

function trimEnd(lines: readonly string[]): readonly string[] {
  return lines.slice(0, lines.findLastIndex((line) => line !== "") + 1);
}

/** Undefined if the lines are printed so; else the first that is not. */
function firstMissing(shown: readonly string[], printed: readonly string[]): string | undefined {
  let at = 0;
  let mayLeaveOut = false;
  for (const line of shown) {
    if (line === LEFT_OUT) {
      mayLeaveOut = true;
      continue;
    }
    const found = mayLeaveOut ? printed.indexOf(line, at) : at;
    if (found < 0 || printed[found] !== line) return line;
    at = found + 1;
    mayLeaveOut = false;
  }
  return mayLeaveOut || at === printed.length ? undefined : `nothing behind, but "${printed[at]}"`;
}

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

test("README.md has an example of report, run, compare and cow", () => {
  expect(EXAMPLES.map(({ args }) => args[0])).toEqual(["report", "run", "compare", "cow"]);
});

test.each(EXAMPLES)("foliometer $args prints what README.md shows", async ({ args, lines }) => {
  expect(lines.length).toBeGreaterThan(4);
  const { stdout, stderr, code } = await foliometer(...args);
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  expect(firstMissing(lines, trimEnd(stdout.split("\n").map((line) => line.trimEnd())))).toBeUndefined();
});
