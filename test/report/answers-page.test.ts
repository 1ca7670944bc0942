/**
 * docs/answers.md has an answer to each of the 22 questions, and each answer a command that gives it, or says why there is none.
 */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { buildProgram } from "../../src/cli/program.ts";

const ROOT = new URL("../../", import.meta.url);
const page = readFileSync(new URL("docs/answers.md", ROOT), "utf8");
const answers = page.split(/^\*\*(?=\d+\. )/m).slice(1);

test("questions 1 to 22 stand there, each once and in order", () => {
  expect(answers.map((answer) => Number.parseInt(answer, 10))).toEqual(
    Array.from({ length: 22 }, (_, index) => index + 1),
  );
});

test("every question has a command that answers it, or says that it is not answered and why", () => {
  const COMMAND = /`(?:foliometer|npm run|npx vitest) [^`]+`/;
  const WITHOUT = /Not answered\s+yet[:,]/;
  expect(answers.filter((answer) => !COMMAND.test(answer) && !WITHOUT.test(answer))).toEqual([]);
  expect(answers.filter((answer) => WITHOUT.test(answer)).map((answer) => Number.parseInt(answer, 10))).toEqual([
    6, 12,
  ]);
});

test("commands, files and documents that it names exist", () => {
  const commands = new Set(buildProgram().commands.map((command) => command.name()));
  const named = [...page.matchAll(/`foliometer (?<name>\w+)/g)].map((match) => match.groups?.name ?? "");
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((name) => !commands.has(name))).toEqual([]);
  const files = [...page.matchAll(/(?:src|test)\/[\w/.-]+\.ts|(?<=\]\()[\w-]+\.md/g)].map(([path]) =>
    path.endsWith(".md") ? `docs/${path}` : path,
  );
  expect(files.length).toBeGreaterThan(5);
  expect(files.filter((path) => !existsSync(new URL(path, ROOT)))).toEqual([]);
});
