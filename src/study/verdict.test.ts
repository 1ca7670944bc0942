import { describe, expect, test } from "vitest";
import { LEVEL_PTE } from "../kernel/index.ts";
import { ANON } from "../memory/index.ts";
import { EntryMachine, historyOfSteps } from "../scenario/index.ts";
import { type CostProfile, PAGE_TABLE_LOCKS, type Scheme, findScheme } from "../schemes/index.ts";
import { comparingHistory } from "./compare-history.ts";
import type { Comparison, FlippedDecisions, Verdict } from "./comparison.ts";
import { XEON_4210R } from "./cost-profile-xeon-4210r.ts";
import { findingsOf, verdictsOf } from "./verdict.ts";

function schemeOf(id: string): Scheme {
  const scheme = findScheme(id);
  if (scheme === undefined) throw new Error(`${id} is a scheme`);
  return scheme;
}

/** Counts like mm-owner and takes so many locks more for each batch that a fork copies. */
function slowAtFork(locks: number): Scheme {
  const scheme = schemeOf("mm-owner");
  return {
    ...scheme,
    id: "slow",
    createCounter: (context) => {
      const counter = scheme.createCounter(context);
      return Object.assign(counter, {
        dup: (...batch: Parameters<typeof counter.add>) => {
          counter.add(...batch);
          context.meter?.charge(PAGE_TABLE_LOCKS, locks);
        },
      });
    },
  };
}

/** Forks one process with one folio of 16 pages, and exits it. */
function forkAndExit(schemes: readonly Scheme[], costs: CostProfile): Comparison {
  const machine = new EntryMachine({ schemes, frameCount: 4096 });
  function* steps(): Generator<{ operation: string; text: string }> {
    const mm = machine.createMm();
    machine.map(machine.createFolio(4, ANON), 0, 16, LEVEL_PTE, machine.createVma(mm, 4096, 16), 4096);
    const child = machine.forkMm(mm);
    yield { operation: "fork", text: "fork" };
    machine.exitMm(child);
    yield { operation: "exit", text: "exit" };
  }
  const workload = { id: "t", title: "t", source: "t", parameters: {}, seed: 1, processesMax: 2 };
  const study = comparingHistory(historyOfSteps(machine, steps()), {
    workload,
    kernel: "",
    against: "mm-owner",
    costs,
  });
  for (;;) {
    const { done, value } = study.next();
    if (done === true) return value.comparison;
  }
}

function verdictOn({ verdicts }: Comparison, id: string): Verdict {
  const verdict = verdicts.find(({ scheme }) => scheme === id);
  if (verdict === undefined) throw new Error(`there is a verdict on ${id}`);
  return verdict;
}

describe("an operation that takes ten times as long", () => {
  test("is catastrophic, and the others are not", () => {
    const comparison = forkAndExit([schemeOf("mm-owner"), slowAtFork(100_000)], XEON_4210R);
    const { catastrophic, line, breaks } = verdictOn(comparison, "slow");
    expect(catastrophic.map(({ operation }) => operation)).toEqual(["fork"]);
    expect(catastrophic[0].ratio).toBeGreaterThan(10);
    expect(catastrophic[0].text).toMatch(
      /^fork takes up to \d+ times as long as under mm-owner \(\d+ to \d+; \d+ times on average\)$/,
    );
    expect(line).toMatch(/catastrophically slower: fork \(\d+ times\); frees nothing\.$/);
    expect(breaks).toEqual([]);
    expect(verdictOn(comparison, "mm-owner").catastrophic).toEqual([]);
    const fork = comparison.operations.find(({ operation }) => operation === "fork");
    expect(fork?.byScheme[1].ratio.middle).toBe(catastrophic[0].ratio);
    expect(fork?.byScheme[0].ratio).toEqual({ middle: 1, low: 1, high: 1 });
  });

  test("on an uncertain price list only perhaps, is said to be uncertain", () => {
    const lock = XEON_4210R.counting.pageTableLocks;
    const counting = { ...XEON_4210R.counting, pageTableLocks: { ...lock, low: lock.ns / 100, high: lock.ns * 100 } };
    const comparison = forkAndExit([schemeOf("mm-owner"), slowAtFork(100_000)], { ...XEON_4210R, counting });
    const { catastrophic, loses } = verdictOn(comparison, "slow");
    expect(catastrophic).toEqual([]);
    expect(loses).toContainEqual(expect.stringMatching(/^may take ten times as long in fork: \d+ times/));
  });

  test("is not one that takes twice as long", () => {
    const { catastrophic, loses } = verdictOn(forkAndExit([schemeOf("mm-owner"), slowAtFork(1)], XEON_4210R), "slow");
    expect(catastrophic).toEqual([]);
    expect(loses.filter((text) => text.includes("ten times"))).toEqual([]);
  });
});

describe("decisions", () => {
  const comparison = forkAndExit([schemeOf("mm-owner"), schemeOf("first-page")], XEON_4210R);
  const never: FlippedDecisions = {
    count: 0,
    consequence: "needless-copy",
    text: "copies for nothing",
    isUnsafe: false,
    bytes: 0,
    firstLine: 0,
  };
  const fine = { wrongYes: never, wrongNo: never, walks: 0 };
  const decision = {
    decision: "move-page",
    title: "May the page move?",
    where: "mm/migrate.c",
    yes: "move",
    no: "leave",
    asked: 200,
    how: "met" as const,
    truthYes: 100,
  };

  test("that are never acceptable break a scheme, with what they do and where it began", () => {
    const leak = {
      ...never,
      count: 3,
      isUnsafe: true,
      consequence: "leak" as const,
      text: "others see it",
      firstLine: 7,
    };
    const found = { ...comparison, decisions: [{ ...decision, byScheme: [fine, { ...fine, wrongYes: leak }] }] };
    const [, verdict] = verdictsOf(found, []);
    const text = 'leak: May the page move? It decides "move" wrongly 3 of 200 times: others see it';
    expect(verdict.breaks).toEqual([{ text, scenario: "" }]);
    expect(verdict.line.startsWith(`first-page: breaks: ${text};`)).toBe(true);
    expect(findingsOf(found, [])).toEqual([{ row: 1, kind: { by: "decision", decision: "move-page" }, text, line: 7 }]);
  });

  test("in the harmless direction are lost, the most frequent first, before walks", () => {
    const often = { ...never, count: 20, bytes: 81_920 };
    const rarely = { ...never, count: 1 };
    const found = {
      ...comparison,
      questions: [],
      decisions: [
        { ...decision, byScheme: [fine, { ...fine, wrongNo: rarely, walks: 50 }] },
        { ...decision, decision: "age-part", byScheme: [fine, { ...fine, wrongNo: often }] },
      ],
    };
    const [, { loses, breaks }] = verdictsOf(found, []);
    expect(breaks).toEqual([]);
    expect(loses).toEqual([
      "decides `age-part` wrongly (copies for nothing, 80 KiB) 100 per mille",
      "decides `move-page` wrongly (copies for nothing) 5 per mille",
      "walks the reverse map to decide `move-page` 250 per mille",
    ]);
  });
});
