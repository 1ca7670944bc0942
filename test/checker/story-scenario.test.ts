/** Stories whose operations do not overlap are scenarios, and in the model the scenario does what the story says. */
import { expect, test } from "vitest";
import { type StoryScenario, checkMachine, elaborate, findCase, scenarioOfStory } from "../../src/checker/index.ts";
import { type Scenario, checkContentsOf, parseScenario, runScenario } from "../../src/scenario/index.ts";
import { SCHEMES, findScheme } from "../../src/schemes/index.ts";

/** The scenario of the story of a property that breaks in a case. */
function scenarioOf(caseId: string, schemeId: string, property: string, constants = {}): StoryScenario {
  const checkCase = findCase(caseId);
  const scheme = findScheme(schemeId);
  if (checkCase === undefined || scheme === undefined) throw new Error("no such case or scheme");
  const configuration = checkCase.configuration(scheme);
  const machine = elaborate({ ...configuration, constants: { ...configuration.constants, ...constants } });
  const { properties } = checkMachine(machine, { ...checkCase.options, properties: [property] });
  const found = properties.find(({ name }) => name === property);
  if (found?.outcome !== "broken") throw new Error(`${property} is ${found?.outcome ?? "absent"}`);
  return scenarioOfStory(found.story, machine);
}

function parsed(scenario: StoryScenario): Scenario {
  if (scenario.outcome === "refused") throw new Error(scenario.reason);
  const result = parseScenario(scenario.text, "story.scn");
  if (!result.ok) throw new Error(JSON.stringify(result));
  return result.scenario;
}

function commandsOf(scenario: StoryScenario): string[] {
  return scenario.outcome === "refused"
    ? []
    : scenario.text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

/** What each scheme answers at the last dump to "others" of the one folio, asked by a process, beside the truth. */
function othersAtTheEnd(
  scenario: StoryScenario,
  config: "page" | "nopage",
  process: string,
): { truth: unknown; answers: Record<string, unknown> } {
  const { views } = runScenario(parsed(scenario), { config, schemes: SCHEMES, checkInvariants: true });
  const asked = views.at(-1)?.folios.flatMap(({ answers }) => answers.filter(({ question }) => question === "others"));
  const rows = asked?.filter(({ about }) => about === process);
  if (rows?.length !== 1) throw new Error(`${process} does not map one folio`);
  const [{ truth, answers }] = rows;
  return { truth, answers: Object.fromEntries(SCHEMES.map(({ id }, index) => [id, answers[index]])) };
}

test("a third mm that outlives both owners: the checker's story leaves the folio maybe-shared in the model, too", () => {
  const scenario = scenarioOf("serial", "mm-owner", "exact");
  expect(commandsOf(scenario)).toEqual([
    "shmthp 8kB always",
    "spawn M0",
    "M0 memfd 0 8k",
    "M0 fork M1",
    "M0 fork M2",
    "M0 mmap w 0x300000000 8k rw shared fd=0",
    "M0 touch @w 8k w",
    "M0 munmap @w 8k",
    "M0 mmap a9 0x200000000 4k rw shared fd=0 off=0k",
    "M0 touch 0x200000000 4k r",
    "M1 mmap a11 0x200000000 4k rw shared fd=0 off=0k",
    "M1 touch 0x200000000 4k r",
    "M2 mmap a13 0x200000000 8k rw shared fd=0 off=0k",
    "M2 touch 0x200000000 8k r",
    "M1 munmap 0x200000000 4k",
    "M0 munmap 0x200000000 4k",
    "dump asked_1",
    "dump end",
  ]);
  const { truth, answers } = othersAtTheEnd(scenario, "nopage", "M2");
  expect(truth).toBe(false);
  expect(answers).toMatchObject({ page: true, "mm-owner": true, "mapped-pages": true, sums: false, "rmap-id": false });
});

test("the first page's count says NO of a folio that another maps: the model's first-page says it, too", () => {
  const scenario = scenarioOf("serial", "first-page", "one_sided");
  const { views } = runScenario(parsed(scenario), { config: "page", schemes: SCHEMES });
  const column = SCHEMES.findIndex(({ id }) => id === "first-page");
  const said = views.at(-1)?.folios.flatMap(({ answers }) => answers.filter(({ question }) => question === "others"));
  expect(said?.some(({ truth, answers }) => truth === true && answers[column] === false)).toBe(true);
});

test("a fork behind MADV_DONTNEED of the first page: first-page is told to act on what the child maps, too", () => {
  const constants = { PAGES: 4, THREADS: 1, OPERATIONS: 3 };
  const scenario = scenarioOf("anonymous", "first-page", "no_false_exclusive", constants);
  expect(commandsOf(scenario)).toContain("M0 fork M1");
  const { truth, answers } = othersAtTheEnd(scenario, "page", "M0");
  expect(truth).toBe(true);
  expect(answers).toMatchObject({ "first-page": false, page: true, "mm-owner": true });
});

test("reuse by mapcount, vmspliced page: unsafe under the rule until 5.7, safe under today's", () => {
  const scenario = scenarioOf("reuse-by-mapcount", "doublemap", "leak");
  expect(commandsOf(scenario)).toEqual([
    "thp 16kB madvise",
    "spawn M0",
    "M0 mmap a 0x200000000 16k rw anon,priv",
    "M0 madvise 0x200000000 16k hugepage",
    "M0 fill 0x200000000 16k 0x11",
    "M0 fork M1",
    "M1 vmsplice 1 0x200000000 4k",
    "M1 madvise 0x200000000 16k dontneed",
    "M0 fill 0x200000000 4k 0x22",
    "M1 unvmsplice 1",
    "dump end",
  ]);
  expect(checkContentsOf(parsed(scenario), { config: "page", cowRule: "mapcount" }).kind).toBe("unsafe");
  expect(checkContentsOf(parsed(scenario), { config: "page", cowRule: "large-reuse" }).kind).toBe("safe");
});

/** Why there is no scenario. */
function reasonOf(...asked: Parameters<typeof scenarioOf>): string {
  const scenario = scenarioOf(...asked);
  return scenario.outcome === "refused" ? scenario.reason : "";
}

test("a story whose operations overlap is refused: user space cannot hold a thread between two accesses", () => {
  expect(reasonOf("unlocked", "mm-owner", "counts")).toMatch(
    /^two operations overlap .*user space cannot hold a thread between two accesses$/,
  );
});

test("what user space has no call or no folio for is refused with the reason", () => {
  expect(reasonOf("self-deadlock", "vma", "deadlock")).toMatch(/a call that never returns is no command/);
  expect(reasonOf("reuse-by-mapcount", "doublemap", "leak", { PAGES: 2 })).toMatch(
    /an anonymous folio has 4, 8, ... or 512 pages, not 2/,
  );
  expect(reasonOf("serial", "page", "exact", { PAGES: 3 })).toMatch(
    /a folio of a file has 2, 4, ... or 512 pages, not 3/,
  );
});
