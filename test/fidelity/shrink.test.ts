/**
 * Shrinking by itself, with a judge of our own in the place of a kernel.
 */
import { expect, test } from "vitest";
import { scenarioOf } from "../../src/scenario/index.ts";
import { randomScenario } from "./random-scenario.ts";
import { type Decide, cutBehindDump, shrinkAll } from "./shrink.ts";

const SCENARIO = `# comment
thp 64kB madvise
spawn P
P mmap a 0x200000000 256k rw anon,priv
P madvise @a 256k hugepage
P touch @a 256k w
dump one
P fork C
P munmap @a+64k 64k
C touch @a+16k 16k w
C munmap @a 64k
dump two
`;

/** Fails where all of these are. */
function failsWith(...needles: readonly string[]): Decide<string> {
  return (questions) =>
    Promise.resolve(
      questions.map(({ texts }) => texts.map((text) => needles.every((needle) => text.includes(needle)))),
    );
}

test("what does not matter goes, and numbers become small", async () => {
  const [text] = await shrinkAll([{ job: "job", text: SCENARIO }], failsWith("C munmap", "P touch"));
  expect(text.split("\n").filter((line) => line !== "")).toEqual([
    "spawn P",
    "P mmap a 0x200000000 4k rw anon,priv",
    "P touch @a 4k w",
    expect.stringMatching(/^dump/),
    "P fork C",
    "C munmap @a 4k",
  ]);
});

test("a scenario that fails for nobody's reason stays as it is but for comments", async () => {
  const [text] = await shrinkAll([{ job: "job", text: SCENARIO }], (questions) =>
    Promise.resolve(questions.map(({ texts }) => texts.map(() => false))),
  );
  expect(text).toBe(SCENARIO.replace("# comment\n", ""));
});

test("a scenario is cut behind the dump that differs", () => {
  expect(cutBehindDump(SCENARIO, "one").endsWith("dump one\n")).toBe(true);
  expect(cutBehindDump(SCENARIO, "three")).toBe(SCENARIO);
});

test("candidates parse, and several scenarios share the questions", async () => {
  const texts = [5, 6, 7].map((index) => randomScenario({ seed: 3, index, operations: 30 }).text);
  let questionCount = 0;
  const decide: Decide<string> = async (questions) => {
    questionCount++;
    for (const { texts: candidates } of questions) {
      for (const candidate of candidates) expect(() => scenarioOf(candidate, "candidate.scn")).not.toThrow();
    }
    return await failsWith("dump", "mmap")(questions);
  };
  const small = await shrinkAll(
    texts.map((text, index) => ({ job: `job ${index}`, text })),
    decide,
  );
  for (const text of small) expect(text.trim().split("\n")).toHaveLength(3);
  expect(questionCount).toBeLessThan(25);
});
