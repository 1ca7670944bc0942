/** A search in a thread of its own: the compiled worker of dist/. */
import { fileURLToPath } from "node:url";
import { type TestContext, expect, test } from "vitest";
import { requireFile } from "../../test/full-run.ts";
import { type CheckConfiguration, check, checkRandomly, elaborate, findCase } from "../checker/index.ts";
import { findScheme } from "../schemes/index.ts";
import { startSearch } from "./search-in-thread.ts";
import type { SearchProgress } from "./search-protocol.ts";

const WORKER = fileURLToPath(new URL("../../dist/study/search-worker.js", import.meta.url));

function configurationOf(ctx: TestContext, caseId: string, schemeId: string): CheckConfiguration {
  requireFile(ctx, WORKER);
  const [checkCase, scheme] = [findCase(caseId), findScheme(schemeId)];
  if (checkCase === undefined || scheme === undefined) throw new Error(`no ${schemeId} ${caseId}`);
  return checkCase.configuration(scheme);
}

/** Far more states than a test could wait for. */
const ENDLESS: CheckConfiguration = {
  name: "endless",
  texts: [
    {
      name: "endless",
      text: "word x[12]: 0..9\nindex who 12\nthread one[i in who] {\n  loop {\n    let r = load x[i]\n    store x[i] = (r + 1) % 10\n  }\n}\n".replace(
        "x[12]",
        "x[who]",
      ),
    },
  ],
};

test("its answer is that of the search in this thread", async (ctx) => {
  const configuration = configurationOf(ctx, "embrace", "vma");
  for (const options of [{}, { allProperties: true, search: "depth-first" as const }]) {
    const { result, elapsedMs } = await startSearch(configuration, options).done;
    expect(result).toEqual(check(configuration, options));
    expect(elapsedMs).toBeGreaterThan(0);
  }
});

test("so are its random schedules and its order of locks", async (ctx) => {
  const configuration = configurationOf(ctx, "embrace", "vma");
  const schedules = { seed: 5, count: 50, changes: 2 };
  const { result } = await startSearch(configuration, {}, { schedules, lockOrderStates: 50 }).done;
  const { lockOrder, ...others } = result;
  expect(others).toEqual(checkRandomly(elaborate(configuration), {}, schedules));
  expect(lockOrder).toMatchObject({ isComplete: false });
});

test("on two threads a whole search finds as many states, and the same of each property", async (ctx) => {
  for (const [caseId, schemeId] of [
    ["file", "mm-owner"],
    ["anonymous", "sums"],
  ] as const) {
    const configuration = configurationOf(ctx, caseId, schemeId);
    const { result } = await startSearch(configuration, {}, { workers: 2 }).done;
    const alone = check(configuration, {});
    const { states, transitions, depth } = result.figures;
    expect([result.coverage, states, transitions, depth]).toEqual([
      "complete",
      alone.figures.states,
      alone.figures.transitions,
      alone.figures.depth,
    ]);
    expect(result.properties).toEqual(alone.properties);
  }
});

test("on two threads a broken property has a story too", async (ctx) => {
  const configuration = configurationOf(ctx, "embrace", "vma");
  const { result } = await startSearch(configuration, {}, { workers: 2 }).done;
  const deadlock = result.properties.find(({ name }) => name === "deadlock");
  expect(deadlock?.outcome === "broken" ? deadlock.story.ending : "").toContain("deadly embrace");
});

test.each([
  ["depth first", { search: "depth-first" as const }, {}, /breadth first/],
  ["livelocks", { liveness: true }, {}, /one worker/],
  ["random schedules", {}, { schedules: { seed: 1, count: 2, changes: 1 } }, /one worker/],
  ["the order of locks", {}, { lockOrderStates: 10 }, /one worker/],
])("several threads refuse %s with a sentence", async (_what, options, more, sentence) => {
  await expect(startSearch(ENDLESS, options, { ...more, workers: 2 }).done).rejects.toThrow(sentence);
});

test("stopped, two threads answer with what was explored so far", async (ctx) => {
  requireFile(ctx, WORKER);
  const search = startSearch(
    ENDLESS,
    { partialOrderReduction: false },
    { workers: 2, onProgress: () => search.stop() },
  );
  const { result } = await search.done;
  expect(result.coverage).toBe("interrupted");
  expect(result.figures.states).toBeGreaterThan(1);
});

test("stopped, it answers with what was explored so far, and has told how far it was", async (ctx) => {
  requireFile(ctx, WORKER);
  const heard: SearchProgress[] = [];
  const search = startSearch(
    ENDLESS,
    { partialOrderReduction: false },
    {
      onProgress: (progress) => {
        heard.push(progress);
        search.stop();
      },
    },
  );
  const { result } = await search.done;
  expect(result.coverage).toBe("interrupted");
  expect(result.figures.states).toBeGreaterThan(0);
  expect(heard[0]).toMatchObject({ type: "states" });
  expect(result.properties.map(({ outcome }) => outcome)).not.toContain("holds");
});

test("a system that cannot be run comes back as a StepsError with its place", async (ctx) => {
  requireFile(ctx, WORKER);
  const configuration = {
    name: "wrong",
    texts: [{ name: "wrong.steps", text: "word x: bool\nthread a {\n  bend x\n}\n" }],
  };
  await expect(startSearch(configuration, {}).done).rejects.toMatchObject({
    name: "StepsError",
    message: expect.stringMatching(/^wrong\.steps:3:3: /) as string,
  });
});
