/**
 * A comparison of two schemes with one of everything that a report prints; texts with what must be escaped.
 */
import type { Comparison, FlippedDecisions } from "../../src/study/index.ts";

const time = (ns: number) => ({ ns, low: ns * 0.9, high: ns * 1.1 });

const NO_COSTS = {
  atomics: 0,
  loads: 0,
  stores: 0,
  structPageLines: 0,
  largeMapcountLocks: 0,
  pageTableLocks: 0,
  entriesExamined: 0,
  vmasVisited: 0,
  tablesVisited: 0,
  referenceOperations: 0,
};

const SAME = { middle: 1, low: 1, high: 1 };

const NEVER: FlippedDecisions = {
  count: 0,
  consequence: "harmless",
  text: "nothing",
  isUnsafe: false,
  bytes: 0,
  firstLine: 0,
};

/** The comparison; `title` is whatever somebody called the workload. */
export function madeUpComparison(title = "a parent | its <children> & `more`"): Comparison {
  return {
    schema: "foliometer-comparison",
    version: 1,
    workload: {
      id: "made-up",
      title,
      source: "nobody",
      parameters: { children: 3, mebibytes: 2 },
      seed: 7,
      steps: 1234,
      events: 56_789,
      foliosMax: 4000,
      mappedBytesMax: 16 * 2 ** 20,
      processesMax: 4,
    },
    sample: {
      foliosTouched: 5000,
      foliosAsked: 2000,
      foliosSurveyed: 40,
      foliosPerStep: 256,
      surveyedPerStep: 8,
      scannedPerStep: 8,
      pagesPerFolio: 4,
      askersPerFolio: 3,
    },
    kernel: "page",
    against: "page",
    costs: { name: "a machine", source: "measured" },
    schemes: [
      { id: "page", title: "t", stateBits: { perFolio: 224, perPage: 32 }, stateBytes: 2 ** 20 },
      { id: "first-page", title: "t", stateBits: { perFolio: 0, perPage: 32 }, stateBytes: 512 },
    ],
    excluded: [{ id: "doublemap", reason: "it cannot count these entries" }],
    questions: [
      {
        question: "others",
        asked: 2000,
        byScheme: [
          { guarantee: "one-sided", exact: 1990, allowed: 10, wrong: 0, unknown: 0, counting: NO_COSTS },
          { guarantee: "estimate", exact: 1000, allowed: 499, wrong: 1, unknown: 500, counting: NO_COSTS },
        ],
      },
      {
        question: "pageMapcount",
        asked: 2000,
        byScheme: [
          { guarantee: "exact", exact: 2000, allowed: 0, wrong: 0, unknown: 0, counting: NO_COSTS },
          { guarantee: "exact", exact: 2000, allowed: 0, wrong: 0, unknown: 0, counting: NO_COSTS },
        ],
      },
    ],
    decisions: [
      {
        decision: "reuse-large",
        title: "may the write fault reuse it?",
        where: "mm/memory.c",
        yes: "reuse",
        no: "copy",
        asked: 500,
        how: "met",
        truthYes: 100,
        byScheme: [
          { wrongYes: NEVER, wrongNo: NEVER, walks: 0 },
          {
            wrongYes: {
              count: 5,
              consequence: "leak",
              text: "a process reads another's page",
              isUnsafe: true,
              bytes: 20_480,
              firstLine: 9,
            },
            wrongNo: NEVER,
            walks: 250,
          },
        ],
      },
      {
        decision: "move-page",
        title: "may it move?",
        where: "mm/migrate.c",
        yes: "move",
        no: "refuse",
        asked: 40,
        how: "surveyed",
        truthYes: 40,
        byScheme: [
          { wrongYes: NEVER, wrongNo: NEVER, walks: 0 },
          { wrongYes: NEVER, wrongNo: NEVER, walks: 0 },
        ],
      },
    ],
    operations: [
      {
        operation: "fork",
        count: 3,
        entries: 1536,
        byScheme: [
          {
            counting: NO_COSTS,
            time: time(60_000),
            countingTime: time(20_000),
            ratio: SAME,
            worst: { ratio: SAME, line: 3, text: "P fork C" },
          },
          {
            counting: NO_COSTS,
            time: time(750_000),
            countingTime: time(710_000),
            ratio: { middle: 12.5, low: 10.1, high: 15 },
            worst: { ratio: { middle: 20, low: 16, high: 24 }, line: 9, text: "P fork D" },
          },
        ],
      },
    ],
    hiddenMemory: [
      { foliosMax: 0, bytesMax: 0, stepsMax: 0, foliosAtEnd: 0 },
      { foliosMax: 2, bytesMax: 8192, stepsMax: 77, foliosAtEnd: 1 },
    ],
    verdicts: [
      {
        scheme: "page",
        breaks: [],
        loses: [],
        catastrophic: [],
        freesBitsPerPage: 0,
        freesBitsPerFolio: 0,
        line: "breaks nothing.",
      },
      {
        scheme: "first-page",
        breaks: [{ text: "leaks", scenario: "spawn P\nP touch @a 4k w\n" }],
        loses: ["others: 250 per mille"],
        catastrophic: [{ text: "fork takes 12.5 times as long", scenario: "", operation: "fork", ratio: 12.5 }],
        freesBitsPerPage: 0,
        freesBitsPerFolio: 224,
        line: "leaks; fork is catastrophically slower (12.5 times).",
      },
    ],
    notes: ["the order of things is not known"],
  };
}
