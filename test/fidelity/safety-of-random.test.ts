/**
 * Random scenarios checked on contents: safe under the rules of today, and under older ones the checker finds by itself what
 * people needed years for. One seed reproduces everything.
 */
import { expect, test } from "vitest";
import type { CowRule } from "../../src/memory/index.ts";
import { type ContentsCheck, checkContentsOf, parseScenario, scenarioOf } from "../../src/scenario/index.ts";
import { shrinkingLines } from "../../src/study/shrink-lines.ts";
import { randomScenario } from "./random-scenario.ts";
import type { ProfileName } from "./wishes.ts";

const SEED = 20_261_121;
const MEMORY = { frameCount: 65_536 };

function check(text: string, cowRule: CowRule, config: "page" | "nopage" = "page"): ContentsCheck {
  return checkContentsOf(scenarioOf(text, "random.scn", "model"), { config, cowRule, ...MEMORY });
}

test("random scenarios of every kind are safe under the rules of today and of 5.19", () => {
  for (let index = 0; index < 60; index++) {
    const { text } = randomScenario({ seed: SEED, index, operations: 25 });
    const result = check(text, index % 4 === 0 ? "exclusive" : "large-reuse", index % 2 === 0 ? "page" : "nopage");
    expect(result.kind === "unsafe" ? result.error.message : "", text).toBe("");
  }
});

/** The first random scenario that is unsafe in that way, made as small as it gets. */
function smallest(rule: CowRule, kind: "leak" | "lost-dma", profiles: readonly ProfileName[]): string {
  const shows = (text: string): boolean => {
    if (!parseScenario(text, "candidate.scn", "model").ok) return false;
    const result = check(text, rule);
    return result.kind === "unsafe" && result.error.kind === kind;
  };
  for (let index = 0; index < 400; index++) {
    const { text } = randomScenario({ seed: SEED, index, operations: 40, profiles });
    if (!shows(text)) continue;
    const search = shrinkingLines(text, { linesMax: 10_000, runsMax: 2000 });
    let next = search.next();
    while (next.done !== true) next = search.next(shows(next.value));
    return next.value.text;
  }
  return "nothing found";
}

test.each([
  ["mapcount", "lost-dma"],
  ["mapcount", "leak"],
  ["page-count", "lost-dma"],
] as const)("under %s random scenarios show a %s, and shrink to a few lines", (rule, kind) => {
  const text = smallest(rule, kind, ["pins"]);
  const lines = text.trim().split("\n");
  expect(check(text, rule)).toMatchObject({ kind: "unsafe", error: { kind } });
  expect(lines.length, text).toBeLessThanOrEqual(9);
  // Each line is needed.
  for (const index of lines.keys()) {
    const shorter = lines.toSpliced(index, 1).join("\n");
    if (!parseScenario(shorter, "shorter.scn").ok) continue;
    const result = check(shorter, rule);
    expect(result.kind === "unsafe" && result.error.kind === kind, lines[index]).toBe(false);
  }
  expect(check(text, "large-reuse").kind).toBe("safe");
});
