/**
 * Answers for machines hold no character that a terminal obeys, and still say what was meant.
 */
import { expect, test } from "vitest";
import { formatAnswerJson, formatJsonLine } from "./answer-json.ts";

const NAME = 'a\u001b[31m\u009b31m\u202eb\n"\\';

test("a document on a line is one line, whatever a process calls itself", () => {
  const line = formatJsonLine({ name: NAME });
  expect(line).toMatch(/^[ -~]+\n$/);
  expect(JSON.parse(line)).toEqual({ name: NAME });
});

test("an answer is a document of printable lines", () => {
  const text = formatAnswerJson(Object.assign({ schema: "foliometer-made-up", version: 1 }, { name: NAME }));
  expect(text).toMatch(/^(?:[ -~]+\n)+$/);
  expect(JSON.parse(text)).toEqual({ schema: "foliometer-made-up", version: 1, name: NAME });
});
