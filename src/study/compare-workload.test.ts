import { describe, expect, test } from "vitest";
import { scenarioOf } from "../scenario/index.ts";
import { NO, type Scheme, findScheme } from "../schemes/index.ts";
import { findWorkload, leastValues } from "../workloads/index.ts";
import type { StudyProgress } from "./compare-history.ts";
import { type CompareOptions, compareScenario, compareWorkload, smallerValues } from "./compare-workload.ts";
import type { Comparison } from "./comparison.ts";
import { XEON_4210R } from "./cost-profile-xeon-4210r.ts";

function schemeOf(id: string): Scheme {
  const scheme = findScheme(id);
  if (scheme === undefined) throw new Error(`${id} is a scheme`);
  return scheme;
}

function workloadOf(id: string) {
  const workload = findWorkload(id);
  if (workload === undefined) throw new Error(`${id} is a workload`);
  return workload;
}

const OPTIONS: CompareOptions = {
  schemes: ["page", "mm-owner", "troll", "doublemap", "sums"].map(schemeOf),
  against: schemeOf("page"),
  costs: XEON_4210R,
};

/** Says of every folio that nobody else maps it. */
const LIAR: Scheme = {
  ...schemeOf("mm-owner"),
  id: "liar",
  createCounter: (context) => {
    const counter = schemeOf("mm-owner").createCounter(context);
    return Object.assign(counter, { others: () => NO, isMaybeMappedShared: () => false });
  },
};

function commandsOf(scenario: string): string[] {
  return scenario.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

function decisionOf({ schemes, decisions }: Comparison, decision: string, id: string) {
  const row = schemes.findIndex((scheme) => scheme.id === id);
  const found = decisions.find((each) => each.decision === decision);
  if (found === undefined) throw new Error(`there is a rule ${decision}`);
  return { asked: found.asked, truthYes: found.truthYes, ...found.byScheme[row] };
}

const FOUR_SHARE = `thp 64kB always
spawn A
A mmap a 0x200000000 64k rw anon,priv
A touch @a 64k w
A fork B
A fork C
A fork D
B madvise @a 64k cold
D exit
C exit
`;

describe("a broken scheme", () => {
  test("is shown by a scenario of the lines that it takes, and no other", async () => {
    const workload = workloadOf("third-mm");
    const { verdicts } = await compareWorkload(
      workload,
      { values: leastValues(workload), seed: 3 },
      { ...OPTIONS, schemes: [schemeOf("page"), LIAR] },
    );
    expect(verdicts[0].breaks).toEqual([]);
    const [found] = verdicts[1].breaks;
    expect(found.text).toMatch(/^against its guarantee, others of a folio of order \d is NO, not YES/);
    // Somebody maps a page and somebody else has it, too.
    expect(found.scenario.split("\n")[0]).toBe(`# liar: ${found.text}`);
    expect(commandsOf(found.scenario).map((line) => line.split(" ")[line.startsWith("spawn") ? 0 : 1])).toEqual([
      "spawn",
      "mmap",
      "touch",
      "fork",
    ]);
    const again = await compareScenario(scenarioOf(found.scenario, "witness.scn"), {
      ...OPTIONS,
      schemes: [LIAR],
      witnesses: false,
    });
    expect(again.verdicts.find(({ scheme }) => scheme === "liar")?.breaks[0].text).toMatch(/^against its guarantee/);
  });

  test("has no witness where none is asked for", async () => {
    const scenario = scenarioOf(FOUR_SHARE, "four.scn");
    const { verdicts } = await compareScenario(scenario, { ...OPTIONS, schemes: [LIAR], witnesses: false });
    expect(verdicts.map(({ scheme }) => scheme)).toEqual(["page", "liar"]);
    expect(verdicts[1].breaks.map(({ scenario: witness }) => witness)).toContain("");
  });
});

describe("decisions", () => {
  test("of troll at Many walk the reverse map, and the walk is charged to the operation", async () => {
    const comparison = await compareScenario(scenarioOf(FOUR_SHARE, "four.scn"), OPTIONS);
    expect(
      comparison.decisions.find(({ decision }) => decision === "age-part" || decision === "age-whole"),
    ).toBeDefined();
    const asked = comparison.decisions.filter(({ asked: times }) => times > 0).map(({ decision }) => decision);
    const aged = asked.find((decision) => decision.startsWith("age-"));
    expect(aged).toBeDefined();
    const troll = decisionOf(comparison, aged ?? "", "troll");
    expect(troll.walks).toBe(troll.asked);
    expect(decisionOf(comparison, aged ?? "", "mm-owner").walks).toBe(0);
    const operation = comparison.operations.find(({ operation: name }) => name === "madvise cold");
    const [page, , trolls] = operation?.byScheme ?? [];
    expect(page.counting.vmasVisited).toBe(0);
    // B asks, and A is met first: the walk ends at the first other address space.
    expect(trolls.counting.vmasVisited).toBe(troll.walks);
    expect(trolls.time.ns).toBeGreaterThan(page.time.ns);
  });

  test("to copy what need not be copied cost the schemes that make them, and no other", async () => {
    // The third address space outlives both owners and writes to what it has alone.
    const third = `thp 64kB always
spawn A
A mmap a 0x200000000 64k rw anon,priv
A touch @a 64k w
A fork B
A fork C
A exit
B exit
C touch @a 32k w
`;
    const comparison = await compareScenario(scenarioOf(third, "third.scn"), OPTIONS);
    const page = decisionOf(comparison, "reuse-large", "page");
    expect(page).toMatchObject({ asked: 8, truthYes: 8, wrongNo: { count: 8, bytes: 8 * 4096, firstLine: 9 } });
    expect(decisionOf(comparison, "reuse-large", "sums").wrongNo.count).toBe(0);
    const copies = comparison.operations.at(-1);
    const [pageTime, , , , sumsTime] =
      copies?.byScheme.map(({ time, countingTime }) => time.ns - countingTime.ns) ?? [];
    const { work } = XEON_4210R;
    expect(pageTime - sumsTime).toBeCloseTo(8 * (work["page-copied"].ns + work["page-allocated"].ns), 3);
    expect(comparison.verdicts.find(({ scheme }) => scheme === "mm-owner")?.loses[0]).toMatch(
      /^decides `reuse-large` wrongly \(.*, 32 KiB\) every time$/,
    );
  });

  test("that no operation made and nobody surveyed have a row, too", async () => {
    const { decisions } = await compareScenario(scenarioOf("spawn P\nP exit\n", "p.scn"), OPTIONS);
    expect(decisions.length).toBeGreaterThan(20);
    expect(decisions.every(({ asked }) => asked === 0)).toBe(true);
  });
});

describe("a comparison", () => {
  test("is the same for the same workload, values and seed, and another for another seed", async () => {
    const workload = workloadOf("zygote");
    const values = leastValues(workload);
    const once = await compareWorkload(workload, { values, seed: 1 }, OPTIONS);
    expect(await compareWorkload(workload, { values, seed: 1 }, OPTIONS)).toEqual(once);
    expect(await compareWorkload(workload, { values, seed: 2 }, OPTIONS)).not.toEqual(once);
    expect(JSON.parse(JSON.stringify(once))).toEqual(once);
  });

  test("counts the scheme that it is compared with, and knows how many processes there were", async () => {
    const scenario = scenarioOf(FOUR_SHARE, "four.scn");
    const comparison = await compareScenario(scenario, { ...OPTIONS, schemes: [schemeOf("sums")] });
    expect(comparison.schemes.map(({ id }) => id)).toEqual(["page", "sums"]);
    expect(comparison.workload).toMatchObject({
      id: "four.scn",
      processesMax: 4,
      foliosMax: 1,
      mappedBytesMax: 65_536,
    });
    expect(comparison.kernel).toBe("page");
  });

  test("of a workload on the entry machine names the schemes that cannot count it", async () => {
    const workload = workloadOf("pud-to-pte");
    const comparison = await compareWorkload(workload, { values: leastValues(workload), seed: 1 }, OPTIONS);
    expect(comparison.excluded.map(({ id }) => id)).toEqual(["page", "mm-owner", "doublemap"]);
    expect(comparison.schemes.map(({ id }) => id)).toEqual(["troll", "sums"]);
    expect(comparison.against).toBe("troll");
    expect(comparison.kernel).toBe("");
    expect(comparison.workload.processesMax).toBeGreaterThan(0);
  });

  test("shows how far it is, and stops when told to", async () => {
    const seen: StudyProgress[] = [];
    const controller = new AbortController();
    const running = compareScenario(scenarioOf(FOUR_SHARE, "four.scn"), {
      ...OPTIONS,
      signal: controller.signal,
      onProgress: (progress) => {
        seen.push(progress);
        if (seen.length === 3) controller.abort(new Error("enough"));
      },
    });
    await expect(running).rejects.toThrow("enough");
    expect(seen.map(({ done }) => done)).toEqual([1, 2, 3]);
  });
});

test("smaller workloads are between the least and what was asked for, the smallest first", () => {
  const workload = workloadOf("fork-server");
  const values = Object.fromEntries(Object.entries(workload.parameters).map(([name, each]) => [name, each.default]));
  const smaller = smallerValues(workload, values);
  expect(smaller[0]).toEqual(leastValues(workload));
  expect(smaller.length).toBeGreaterThan(2);
  for (const [index, each] of smaller.entries()) {
    for (const [name, { min, choices }] of Object.entries(workload.parameters)) {
      expect(each[name]).toBeGreaterThanOrEqual(index === 0 ? min : smaller[index - 1][name]);
      expect(each[name]).toBeLessThanOrEqual(values[name]);
      if (choices !== undefined) expect(choices).toContain(each[name]);
    }
  }
  expect(smallerValues(workload, leastValues(workload))).toEqual([]);
});
