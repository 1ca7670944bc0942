import { expect, test } from "vitest";
import { parseScenario } from "../scenario/index.ts";
import { shrinkingLines, withoutDangling } from "./shrink-lines.ts";

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
  const search = shrinkingLines(SCENARIO, { linesMax: 10_000, runsMax });
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

test("with a fork go the commands of its child, and with a mapping its uses", () => {
  const lines = ["spawn P", "P touch @a 4k w", "P fork C", "C fork D", "D exit", "C exit", "P exit"];
  expect(withoutDangling(lines)).toEqual(["spawn P", "P fork C", "C fork D", "D exit", "C exit", "P exit"]);
  expect(withoutDangling(["spawn P", "C fork D", "D exit", "C exit", "P exit"])).toEqual(["spawn P", "P exit"]);
  expect(withoutDangling(["C exit"])).toBeUndefined();
});

test("many small touches of one mapping become one of all of it", () => {
  const touches = Array.from({ length: 32 }, (_, page) => `P touch @a+${page * 4}k 4k w`);
  const text = ["spawn P", "P mmap a 0x200000000 128k rw anon,priv", ...touches, "P exit", ""].join("\n");
  const pagesTouched = (candidate: string): number => {
    const pages = new Set<number>();
    for (const { groups } of candidate.matchAll(/touch @a(?:\+(?<offset>\d+)k)? (?<size>\d+)k w/g)) {
      for (let at = 0; at < Number(groups?.size); at += 4) pages.add(Number(groups?.offset ?? 0) + at);
    }
    return pages.size;
  };
  const search = shrinkingLines(text, { runsMax: 500, linesMax: 10_000 });
  let next = search.next();
  while (next.done !== true) {
    next = search.next(next.value.includes("128k rw") && pagesTouched(next.value) >= 32);
  }
  expect(next.value.text).toBe("spawn P\nP mmap a 0x200000000 128k rw anon,priv\nP touch @a 128k w\n");
});
