/** Random schedules as a check: the same question and the same form of answer as a search of all states. */
import { expect, test } from "vitest";
import { checkRandomly } from "./check-randomly.ts";
import type { CheckResult, Story } from "./check.ts";
import { elaborate } from "./elaborate.ts";
import { replayStory } from "./replay-story.ts";
import type { StepMachine } from "./step-machine.ts";
import { StepsError } from "./syntax.ts";

const LOST = `word total: 0..2
ghost done: 0..2
thread adder * 2 {
  op add {
    let t = load total
    store total = t + 1
    ghost done = done + 1
  }
}
quiet sum: total == done
sometimes both: done == 2
never three: done == 3
`;
const STORES = `word x: bool
word y: bool
ghost zeroes: 0..2
thread one {
  store x = 1
  let r = load y
  ghost zeroes = zeroes + (r == 0)
}
thread other {
  store y = 1
  let r = load x
  ghost zeroes = zeroes + (r == 0)
}
never both: zeroes == 2
`;
const SCHEDULES = { seed: 3, count: 200, changes: 2 };

function machineOf(text: string): StepMachine {
  return elaborate({ name: "small", texts: [{ name: "small", text }] });
}

function outcomes({ properties }: CheckResult): Record<string, string> {
  return Object.fromEntries(properties.map(({ name, outcome }) => [name, outcome]));
}

function storyOf({ properties }: CheckResult): Story {
  const broken = properties.find(({ outcome }) => outcome === "broken");
  if (broken?.outcome !== "broken") throw new Error("nothing is broken");
  return broken.story;
}

test("a schedule that loses an update is told as a story that the machine can do", () => {
  const machine = machineOf(LOST);
  const result = checkRandomly(machine, {}, SCHEDULES);
  expect(result.coverage).toBe("stopped-at-broken");
  expect(outcomes(result)).toMatchObject({ sum: "broken", three: "holds-so-far", deadlock: "holds-so-far" });
  const last = replayStory(machine, {}, storyOf(result)).at(-1);
  expect(machine.variables.map(({ name }, at) => `${name} ${last?.variables[at]}`)).toEqual(["total 1", "done 2"]);
});

test("the same seed gives the same answer, and says how many schedules it took", () => {
  const machine = machineOf(LOST);
  const once = checkRandomly(machine, {}, SCHEDULES);
  expect(checkRandomly(machine, {}, SCHEDULES)).toEqual(once);
  expect(once.schedules?.count).toBeLessThanOrEqual(SCHEDULES.count);
  expect(once.schedules).toMatchObject({ seed: SCHEDULES.seed, cutShort: 0 });
});

test("what no schedule breaks holds so far, never in all states", () => {
  const result = checkRandomly(machineOf(LOST), { properties: ["three", "both", "deadlock"] }, SCHEDULES);
  expect(result.coverage).toBe("schedules");
  expect(outcomes(result)).toEqual({ both: "seen", three: "holds-so-far", deadlock: "holds-so-far" });
  expect(result.schedules?.count).toBe(SCHEDULES.count);
  expect(result.figures.transitions).toBeGreaterThan(SCHEDULES.count);
});

test("store buffers are scheduled too: both threads read what was before the other's store", () => {
  const machine = machineOf(STORES);
  expect(outcomes(checkRandomly(machine, {}, SCHEDULES))).toMatchObject({ both: "holds-so-far" });
  expect(outcomes(checkRandomly(machine, { memory: "tso" }, SCHEDULES))).toMatchObject({ both: "broken" });
});

test("its watch ends it", () => {
  let heard = 0;
  const result = checkRandomly(machineOf(LOST), { properties: ["three"] }, SCHEDULES, () => ++heard < 5);
  expect(result).toMatchObject({ coverage: "interrupted", schedules: { count: 5 } });
});

test("livelock, and a property that there is not, are refused", () => {
  const machine = machineOf(LOST);
  expect(() => checkRandomly(machine, { properties: ["livelock"] }, SCHEDULES)).toThrow(StepsError);
  expect(() => checkRandomly(machine, { properties: ["sun"] }, SCHEDULES)).toThrow(/no property "sun"/);
});
