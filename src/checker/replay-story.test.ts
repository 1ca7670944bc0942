/** Stories lead back to the states that they tell of. */
import { expect, test } from "vitest";
import { findScheme } from "../schemes/index.ts";
import { CHECK_CASES } from "./cases.ts";
import type { CheckOptions, Story } from "./check.ts";
import { elaborate } from "./elaborate.ts";
import { checkMachine } from "./explore.ts";
import { replayStory } from "./replay-story.ts";
import type { StepMachine } from "./step-machine.ts";

function storiesOf(machine: StepMachine, options: CheckOptions): Story[] {
  return checkMachine(machine, options).properties.flatMap((property) =>
    property.outcome === "broken" ? [property.story] : [],
  );
}

/** One scheme of each case that breaks: the last, as the first ones share most of their steps. */
const BREAKING = CHECK_CASES.flatMap((checkCase) => {
  const scheme = checkCase.schemes.findLast((id) => (checkCase.outcomes[id].broken ?? []).length > 0);
  return scheme === undefined ? [] : [{ checkCase, scheme, id: checkCase.id }];
});

test.each(BREAKING)("the stories of $scheme $id end in the values that they tell", ({ checkCase, scheme: id }) => {
  const scheme = findScheme(id);
  if (scheme === undefined) throw new Error(`no scheme ${id}`);
  const machine = elaborate(checkCase.configuration(scheme));
  const stories = storiesOf(machine, checkCase.options);
  expect(stories.length).toBeGreaterThan(0);
  for (const story of stories) {
    const states = replayStory(machine, checkCase.options, story);
    const acting = story.steps.filter(({ what }) => !what.startsWith("waits for "));
    // A count below zero is in no state: then the last access has none.
    expect([acting.length, acting.length + 1]).toContain(states.length);
    if (states.length <= acting.length) continue;
    const last = states.at(-1)?.variables ?? [];
    const values = machine.variables.map(({ name }, variable) => [name, last[variable]] as const);
    expect(Object.fromEntries(values.filter(([name]) => name in story.after))).toEqual(story.after);
  }
});

const TEXT =
  "word x: 0..9\nthread a {\n  choose {\n    store x = 1\n  } or {\n    store x = 1\n    store x = 2\n  }\n}\nnever two: x == 2\n";

test("of two choices that begin alike the one is taken that the story goes on with", () => {
  const machine = elaborate({ name: "alike", texts: [{ name: "alike", text: TEXT }] });
  const [story] = storiesOf(machine, {});
  expect(story.steps.map(({ what }) => what)).toEqual(["x 0 -> 1", "x 1 -> 2"]);
  expect(replayStory(machine, {}, story).map(({ variables }) => variables[0])).toEqual([0, 1, 2]);
});

test("the story of another machine is refused", () => {
  const machine = elaborate({ name: "alike", texts: [{ name: "alike", text: TEXT }] });
  const other = elaborate({ name: "other", texts: [{ name: "other", text: TEXT.replace("x = 2", "x = 3") }] });
  const [story] = storiesOf(machine, {});
  expect(() => replayStory(other, {}, story)).toThrow("this story is not one of other");
});
