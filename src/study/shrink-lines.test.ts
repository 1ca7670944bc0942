import { expect, test } from "vitest";
import { parseScenario } from "../scenario/index.ts";
import { shrinkingLines } from "./shrink-lines.ts";

const SCENARIO = `# a scenario
spawn P
P mmap a 0x200000000 256k rw anon,priv
P mmap b 0x210000000 64k rw anon,priv
P touch @a 256k w
P touch @b 64k w
P fork C
C fork D
D touch @b 4k w
C munmap @a+64k 64k
D exit
P fork E
E exit
`;

const isLegal = (text: string): boolean => parseScenario(text, "candidate.scn").ok;

function shrink(shows: (text: string) => boolean, runsMax = 500) {
  const tried: string[] = [];
  const search = shrinkingLines(SCENARIO, { isLegal, runsMax });
  let next = search.next();
  while (next.done !== true) {
    tried.push(next.value);
    next = search.next(shows(next.value));
  }
  return { ...next.value, tried };
}

test("what is looked for stays with what it needs to be a scenario, and numbers become small", () => {
  const { text, isMinimal, runs, tried } = shrink((candidate) => candidate.includes("C munmap"));
  expect(text).toBe("spawn P\nP mmap a 0x200000000 4k rw anon,priv\nP fork C\nC munmap @a 4k\n");
  expect(isMinimal).toBe(true);
  expect(runs).toBe(tried.length);
});

test("every candidate parses and none is tried twice", () => {
  const { tried } = shrink((candidate) => candidate.includes("D touch"));
  expect(tried.every(isLegal)).toBe(true);
  expect(new Set(tried).size).toBe(tried.length);
});

test("the bound ends a search, which then says so and still shows what was looked for", () => {
  const { text, isMinimal, runs } = shrink((candidate) => candidate.includes("D exit"), 3);
  expect(runs).toBe(3);
  expect(isMinimal).toBe(false);
  expect(text).toContain("D exit");
});

test("where nothing may go, everything stays but comments", () => {
  const { text, isMinimal } = shrink(() => false);
  expect(text).toBe(SCENARIO.replace("# a scenario\n", ""));
  expect(isMinimal).toBe(true);
});
