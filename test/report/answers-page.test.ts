/**
 * docs/answers.md has an answer to each of the 22 questions, and each answer a command that gives it.
 */
import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type Story, check, findCase } from "../../src/checker/index.ts";
import { buildProgram } from "../../src/cli/program.ts";
import { findScheme } from "../../src/schemes/index.ts";

const ROOT = new URL("../../", import.meta.url);
const page = readFileSync(new URL("docs/answers.md", ROOT), "utf8");
const answers = page.split(/^\*\*(?=\d+\. )/m).slice(1);

test("questions 1 to 22 stand there, each once and in order", () => {
  expect(answers.map((answer) => Number.parseInt(answer, 10))).toEqual(
    Array.from({ length: 22 }, (_, index) => index + 1),
  );
});

test("every question has a command that answers it", () => {
  const COMMAND = /`(?:foliometer|npm run|npx vitest) [^`]+`/;
  expect(answers.filter((answer) => !COMMAND.test(answer))).toEqual([]);
  expect(page).not.toMatch(/Not answered\s+yet/);
});

test("cases of the checker that it names are in the catalogue, for the scheme that it names", () => {
  const checks = [...page.matchAll(/`foliometer\s+check\s+(?<scheme>[\w-]+)\s+--case\s+(?<cases>[\w,-]+)/g)];
  expect(checks.length).toBeGreaterThan(5);
  for (const { groups } of checks) {
    for (const id of groups?.cases.split(",") ?? []) expect(findCase(id)?.schemes, id).toContain(groups?.scheme);
  }
});

/** The story of what breaks first. */
function storyOf(caseId: string): Story {
  const [checkCase, scheme] = [findCase(caseId), findScheme("vma")];
  if (checkCase === undefined || scheme === undefined) throw new Error(`no vma ${caseId}`);
  const { properties } = check(checkCase.configuration(scheme), checkCase.options);
  const broken = properties.find(({ outcome }) => outcome === "broken");
  if (broken?.outcome !== "broken") throw new Error(`vma ${caseId} breaks nothing`);
  return broken.story;
}

test("the lengths of the stories of question 6 are those of the checker", () => {
  const answer = answers[5].replaceAll("\n", " ");
  expect(answer).toContain("waits for itself at its third access");
  expect(storyOf("self-deadlock").steps).toHaveLength(3);
  expect(answer).toContain("two threads embrace after seven");
  expect(storyOf("embrace").steps).toHaveLength(7);
  expect(answer).toContain("a circle of nine accesses");
  const { steps, repeatsFrom } = storyOf("try-lock");
  expect(steps.length - (repeatsFrom ?? 0)).toBe(9);
  const states = Object.values(findCase("address-order")?.outcomes ?? {}).map((outcome) => outcome.states ?? 0);
  const [least, most] = [Math.min(...states), Math.max(...states)].map((count) => count.toLocaleString("en-US"));
  expect(answer).toContain(`the ${least} to ${most} states`);
});

test("commands, files and documents that it names exist", async () => {
  const commands = new Set((await buildProgram()).commands.map((command) => command.name()));
  const named = [...page.matchAll(/`foliometer (?<name>\w+)/g)].map((match) => match.groups?.name ?? "");
  expect(named.length).toBeGreaterThan(10);
  expect(named.filter((name) => !commands.has(name))).toEqual([]);
  const files = [...page.matchAll(/(?:src|test)\/[\w/.-]+\.ts|(?<=\]\()[\w-]+\.md/g)].map(([path]) =>
    path.endsWith(".md") ? `docs/${path}` : path,
  );
  expect(files.length).toBeGreaterThan(5);
  expect(files.filter((path) => !existsSync(new URL(path, ROOT)))).toEqual([]);
});
