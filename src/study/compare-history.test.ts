import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LEVEL_PMD, LEVEL_PTE } from "../kernel/index.ts";
import { ANON } from "../memory/index.ts";
import { EntryMachine, historyOfSteps } from "../scenario/index.ts";
import { NO, type Question, SCHEMES, type Scheme, YES, findScheme } from "../schemes/index.ts";
import { type WorkloadFacts, comparingHistory } from "./compare-history.ts";
import type { Comparison } from "./comparison.ts";
import { XEON_4210R } from "./cost-profile-xeon-4210r.ts";
import { DEFAULT_BOUNDS, type SampleBounds } from "./question-sample.ts";

const FACTS: WorkloadFacts = { id: "t", title: "t", source: "t", parameters: {}, seed: 5, processesMax: 0 };

type Step = readonly [operation: string, run: () => void];

/** Runs steps that are made on a machine of 2^14 frames and compares all schemes over them. */
function compare(
  steps: (machine: EntryMachine) => readonly Step[],
  {
    schemes = SCHEMES,
    bounds = DEFAULT_BOUNDS,
    atEnd,
  }: { schemes?: readonly Scheme[]; bounds?: SampleBounds; atEnd?: (machine: EntryMachine) => void } = {},
): Comparison {
  const machine = new EntryMachine({ schemes, frameCount: 2 ** 14 });
  function* run(): Generator<{ operation: string; text: string }> {
    for (const [operation, step] of steps(machine)) {
      step();
      yield { operation, text: operation };
    }
  }
  const study = comparingHistory(historyOfSteps(machine, run()), {
    workload: FACTS,
    kernel: "",
    against: schemes[0].id,
    costs: XEON_4210R,
    bounds,
    processesNow: () => machine.mmCount,
  });
  for (;;) {
    const { done, value } = study.next();
    if (done !== true) continue;
    atEnd?.(machine);
    return value.comparison;
  }
}

function answersOf({ schemes, questions }: Comparison, question: Question, id: string) {
  const row = schemes.findIndex((scheme) => scheme.id === id);
  const { asked, byScheme } = questions.find((each) => each.question === question)!;
  return { asked, ...byScheme[row] };
}

function hiddenFrom({ schemes, hiddenMemory }: Comparison, id: string) {
  return hiddenMemory[schemes.findIndex((scheme) => scheme.id === id)];
}

const BASE = 512 * 8;

/** A process with one anonymous folio of an order, mapped by PTEs. */
function oneFolio(machine: EntryMachine, order: number): { mm: number; folio: number; vma: number } {
  const mm = machine.createMm();
  const vma = machine.createVma(mm, BASE, 1024);
  const folio = machine.createFolio(order, ANON);
  machine.map(folio, 0, 2 ** order, LEVEL_PTE, vma, BASE);
  return { mm, folio, vma };
}

describe("answers", () => {
  const thirdMm = compare((machine) => {
    const mms: number[] = [];
    return [
      ["map", () => mms.push(oneFolio(machine, 4).mm)],
      ["fork", () => mms.push(machine.forkMm(mms[0]))],
      ["fork", () => mms.push(machine.forkMm(mms[0]))],
      ["exit", () => machine.exitMm(mms[0])],
      ["exit", () => machine.exitMm(mms[1])],
    ];
  });

  test("a third mm that outlives both owners leaves mm-owner saying shared", () => {
    // Asked of 1, 2, 3, 2 and 1 address spaces; wrong of the last, and allowed.
    expect(answersOf(thirdMm, "others", "mm-owner")).toMatchObject({ asked: 9, exact: 8, allowed: 1, wrong: 0 });
    expect(answersOf(thirdMm, "others", "sums")).toMatchObject({ asked: 9, exact: 9, allowed: 0 });
    expect(answersOf(thirdMm, "others", "none")).toMatchObject({ asked: 9, unknown: 9 });
  });

  test("the verdict says so in a sentence", () => {
    const { verdicts } = thirdMm;
    const line = verdicts.find(({ scheme }) => scheme === "mm-owner")?.line;
    expect(line).toMatch(
      /^mm-owner: breaks nothing; answers `others` wrongly shared 111 per mille; .*slower nowhere by 10 times; frees 4 bytes a page and 4 bytes a folio\.$/,
    );
    expect(verdicts.find(({ scheme }) => scheme === "mm-owner")?.loses).toContain(
      "answers `others` wrongly shared 111 per mille",
    );
    expect(verdicts.every(({ breaks }) => breaks.length === 0)).toBe(true);
  });

  test("first-page is wrong both ways, and says that it estimates", () => {
    // The parent keeps the second half, the child the first: no page is mapped twice, and yet two have the folio.
    const falseExclusive = compare((machine) => {
      const { mm, vma } = oneFolio(machine, 4);
      let child = -1;
      return [
        ["fork", () => (child = machine.forkMm(mm))],
        [
          "dontneed",
          () => {
            machine.unmap(vma, BASE, 8);
            machine.unmap(machine.vmasOf(child)[0], BASE + 8, 8);
          },
        ],
      ];
    });
    expect(answersOf(falseExclusive, "others", "first-page")).toMatchObject({
      asked: 4,
      exact: 2,
      allowed: 2,
      wrong: 0,
    });
    const falseShared = compare((machine) => {
      const { mm, folio } = oneFolio(machine, 4);
      return [["mmap", () => machine.map(folio, 0, 1, LEVEL_PTE, machine.createVma(mm, 2 * BASE, 16), 2 * BASE)]];
    });
    expect(answersOf(falseShared, "others", "first-page")).toMatchObject({ asked: 1, allowed: 1, wrong: 0 });
    expect(answersOf(falseShared, "others", "mm-owner")).toMatchObject({ asked: 1, exact: 1 });
  });

  test("doublemap reads 512 struct pages for each answer to `mappings` of a 2 MiB folio", () => {
    const comparison = compare((machine) => {
      const mm = machine.createMm();
      const vma = machine.createVma(mm, BASE, 512);
      return [["map", () => machine.map(machine.createFolio(9, ANON), 0, 512, LEVEL_PMD, vma, BASE)]];
    });
    const doublemap = answersOf(comparison, "mappings", "doublemap");
    expect(doublemap.counting.structPageLines / doublemap.asked).toBe(512);
    expect(answersOf(comparison, "mappings", "mm-owner").counting.structPageLines).toBe(0);
  });

  test("a scheme that breaks its word is found with the line where it did first", () => {
    const honest = findScheme("mm-owner")!;
    const liar: Scheme = {
      ...honest,
      id: "liar",
      createCounter: (context) => Object.assign(honest.createCounter(context), { others: () => NO }),
    };
    const { verdicts } = compare(
      (machine) => {
        const { mm } = oneFolio(machine, 4);
        return [
          ["nothing", () => {}],
          ["fork", () => machine.forkMm(mm)],
        ];
      },
      { schemes: [honest, liar] },
    );
    expect(verdicts[0].breaks).toEqual([]);
    expect(verdicts[1].breaks.map(({ text }) => text)).toEqual([
      "against its guarantee, others of a folio of order 4 is NO, not YES (one-sided), 2 of 3 answers",
    ]);
    expect(verdicts[1].line).toContain("liar: breaks: against its guarantee");
  });
});

describe("partially mapped memory", () => {
  test("that parent and child of a 4-page folio both unmap is hidden from mm-owner, not from page", () => {
    const comparison = compare((machine) => {
      const { mm, vma } = oneFolio(machine, 2);
      let child = -1;
      return [
        ["fork", () => (child = machine.forkMm(mm))],
        ["dontneed", () => machine.unmap(vma, BASE, 1)],
        ["dontneed", () => machine.unmap(machine.vmasOf(child)[0], BASE, 1)],
        ["nothing", () => {}],
        ["nothing", () => {}],
      ];
    });
    // 6 entries for 4 pages: the average does not tell. Hidden after the third step, and still after the fifth.
    const hidden = { foliosMax: 1, bytesMax: 4096, stepsMax: 3, foliosAtEnd: 1 };
    expect(hiddenFrom(comparison, "mm-owner")).toEqual(hidden);
    expect(hiddenFrom(comparison, "sums")).toEqual(hidden);
    expect(hiddenFrom(comparison, "page")).toEqual({ foliosMax: 0, bytesMax: 0, stepsMax: 0, foliosAtEnd: 0 });
  });

  test("is hidden no longer when it is seen, mapped again or gone", () => {
    const comparison = compare((machine) => {
      const { mm, vma } = oneFolio(machine, 2);
      let child = -1;
      return [
        ["fork", () => (child = machine.forkMm(mm))],
        ["dontneed", () => machine.unmap(vma, BASE, 1)],
        ["dontneed", () => machine.unmap(machine.vmasOf(child)[0], BASE, 1)],
        ["exit", () => machine.exitMm(child)],
        ["exit", () => machine.exitMm(mm)],
      ];
    });
    // With one mm left the average is below one: mm-owner sees it; `none` has it to the end.
    expect(hiddenFrom(comparison, "mm-owner")).toMatchObject({ foliosMax: 1, stepsMax: 1, foliosAtEnd: 0 });
    expect(hiddenFrom(comparison, "none")).toMatchObject({ foliosMax: 1, stepsMax: 2, foliosAtEnd: 0 });
  });
});

describe("a folio that is queued to be split", () => {
  const NOTHING_HIDDEN = { foliosMax: 0, bytesMax: 0, stepsMax: 0, foliosAtEnd: 0 };

  test("is not hidden by a fork that blurs the count again: PG_partially_mapped stays", () => {
    const comparison = compare((machine) => {
      const { mm, vma } = oneFolio(machine, 4);
      return [
        ["dontneed", () => machine.unmap(vma, BASE, 4)],
        ["fork", () => machine.forkMm(mm)],
        ["fork", () => machine.forkMm(mm)],
      ];
    });
    // 12, 24 and 36 entries for 16 pages: it was queued at the first.
    for (const id of ["page", "mm-owner", "total"]) expect(hiddenFrom(comparison, id), id).toEqual(NOTHING_HIDDEN);
    expect(hiddenFrom(comparison, "none")).toEqual({ foliosMax: 1, bytesMax: 16_384, stepsMax: 3, foliosAtEnd: 1 });
  });

  test("leaves the queue with its last mapping: who has its frames next is looked at anew", () => {
    const comparison = compare((machine) => {
      const { mm, vma, folio } = oneFolio(machine, 4);
      let child = -1;
      return [
        ["dontneed", () => machine.unmap(vma, BASE, 4)],
        ["dontneed", () => machine.unmap(vma, BASE, 16)],
        ["map", () => machine.map(machine.createFolio(4, ANON, folio), 0, 16, LEVEL_PTE, vma, BASE)],
        ["fork", () => (child = machine.forkMm(mm))],
        ["dontneed", () => machine.unmap(vma, BASE, 1)],
        ["dontneed", () => machine.unmap(machine.vmasOf(child)[0], BASE, 1)],
      ];
    });
    expect(hiddenFrom(comparison, "mm-owner")).toEqual({ foliosMax: 1, bytesMax: 4096, stepsMax: 1, foliosAtEnd: 1 });
    expect(hiddenFrom(comparison, "page")).toEqual(NOTHING_HIDDEN);
  });
});

describe("a history", () => {
  test("is measured where most memory is mapped", () => {
    const { workload, schemes } = compare((machine) => {
      const { mm } = oneFolio(machine, 4);
      const small = machine.createVma(mm, 4 * BASE, 4);
      return [
        ["map", () => machine.map(machine.createFolio(0, ANON), 0, 1, LEVEL_PTE, small, 4 * BASE)],
        ["fork", () => machine.forkMm(mm)],
        ["exit", () => machine.exitMm(mm)],
      ];
    });
    expect(workload).toMatchObject({ steps: 3, foliosMax: 2, mappedBytesMax: 17 * 4096, processesMax: 2 });
    const bytes = Object.fromEntries(schemes.map(({ id, stateBytes }) => [id, stateBytes]));
    // A large folio of 16 pages and a small one: 32 bits for the small one where it has its own mapcount.
    expect(bytes["page"]).toBe((224 + 16 * 32 + 32) / 8);
    expect(bytes["troll"]).toBe((2 + 2) / 8);
    expect(bytes["none"]).toBe(0);
  });

  test("of a capture begins before its first step", () => {
    const comparison = compare((machine) => {
      oneFolio(machine, 4);
      return [];
    });
    // The steps are made when they are asked for; nothing had happened before.
    expect(comparison.workload).toMatchObject({ steps: 0, foliosMax: 0 });
    const machine = new EntryMachine({ schemes: SCHEMES, frameCount: 2 ** 14 });
    oneFolio(machine, 4);
    const study = comparingHistory(historyOfSteps(machine, []), {
      workload: FACTS,
      kernel: "",
      against: "page",
      costs: XEON_4210R,
    });
    const result = study.next();
    expect(result.done).toBe(true);
    const { value } = result;
    if (!("comparison" in value)) throw new Error("a history without steps ends at once");
    expect(value.comparison.workload).toMatchObject({ steps: 0, foliosMax: 1 });
    expect(answersOf(value.comparison, "mapped", "page")).toMatchObject({ asked: 1, exact: 1 });
  });

  test("costs the same whatever the study asks in between", () => {
    const steps = (machine: EntryMachine): readonly Step[] => {
      const { mm, vma } = oneFolio(machine, 9);
      return [
        ["fork", () => machine.forkMm(mm)],
        ["munmap", () => machine.munmap(mm, BASE + 3, 5)],
        ["dontneed", () => machine.unmap(vma, BASE, 1)],
      ];
    };
    const nothing = { foliosPerStep: 0, surveyedPerStep: 0, scannedPerStep: 0, pagesPerFolio: 0, askersPerFolio: 0 };
    const silent = compare(steps, { bounds: nothing });
    const asked = compare(steps);
    // Scans are made by the study itself, over the folios that it draws.
    const ofSteps = ({ operations }: Comparison) =>
      operations.filter(({ operation }) => ["fork", "munmap", "dontneed"].includes(operation));
    expect(ofSteps(asked)).toHaveLength(3);
    expect(ofSteps(asked)).toEqual(ofSteps(silent));
    expect(asked.sample.foliosAsked).toBe(3);
    expect(silent.sample).toMatchObject({ foliosTouched: asked.sample.foliosTouched, foliosAsked: 0 });
  });

  test("keeps the one step of an operation that is the worst, wherever it stands among better ones", () => {
    const comparison = compare(
      (machine) => {
        const { vma } = oneFolio(machine, 9);
        const unmap = (first: number, count: number): Step => [
          "unmap",
          () => {
            for (let page = first; page < first + count; page++) machine.unmap(vma, BASE + page, 1);
          },
        ];
        return [unmap(0, 8), unmap(8, 400), unmap(408, 8)];
      },
      { schemes: [findScheme("page")!, findScheme("vma")!] },
    );
    const { byScheme } = comparison.operations.find(({ operation }) => operation === "unmap")!;
    const [page, vma] = byScheme;
    expect(page.worst.ratio.middle).toBe(1);
    // Looks pass more empty entries the more are gone, in the last step most of all; but it is short, and entered once.
    expect(vma.worst.line).toBe(2);
    expect(vma.worst.ratio.middle).toBeGreaterThan(vma.ratio.middle);
  });

  test("charges each operation with entering the kernel, also one that does nothing else", () => {
    const comparison = compare(() => [
      ["nothing", () => {}],
      ["nothing", () => {}],
    ]);
    const { count, byScheme } = comparison.operations.find(({ operation }) => operation === "nothing")!;
    expect(count).toBe(2);
    for (const { time, countingTime, ratio } of byScheme) {
      expect(time.ns).toBe(2 * XEON_4210R.work.fault.ns);
      expect(countingTime.ns).toBe(0);
      expect(ratio.middle).toBe(1);
    }
  });

  test("of a step that touches many folios asks about a sample and says of how many", () => {
    const bounds = { ...DEFAULT_BOUNDS, foliosPerStep: 10, surveyedPerStep: 2 };
    const comparison = compare(
      (machine) => {
        const mm = machine.createMm();
        const vma = machine.createVma(mm, BASE, 100);
        const stretch = (page: number): void => {
          machine.map(machine.createFolio(0, ANON), 0, 1, LEVEL_PTE, vma, BASE + page);
        };
        return [["map", () => Array.from({ length: 100 }, (_, page) => stretch(page))]];
      },
      { bounds },
    );
    expect(comparison.sample).toMatchObject({
      foliosTouched: 100,
      foliosAsked: 10,
      foliosSurveyed: 2,
      foliosPerStep: 10,
    });
    expect(comparison.questions.find(({ question }) => question === "mapped")?.asked).toBe(10);
    expect(comparison.workload.foliosMax).toBe(100);
  });

  test("refuses to be compared with a scheme that does not count in it", () => {
    const machine = new EntryMachine({ schemes: [findScheme("none")!], frameCount: 2 ** 14 });
    const options = { workload: FACTS, kernel: "", against: "page", costs: XEON_4210R };
    expect(() => comparingHistory(historyOfSteps(machine, []), options).next()).toThrow(/no scheme page counts/);
  });
});

/**
 * Partially mapped folios that no scheme's deferred split queue has, looked for among all folios after every step. A folio
 * is queued once the scheme has seen it to be partially mapped, until nobody maps it.
 */
class SlowQueues {
  private readonly queues: Set<number>[] = [];

  /** How many are hidden from each scheme now. */
  look(machine: EntryMachine): number[] {
    const mapped = machine.mappedFolios();
    const partial = mapped.filter((head) => machine.orderOf(head) > 0 && machine.truth.partial(head) === YES);
    return machine.studied.map(({ counter }, row) => {
      const before = [...(this.queues[row] ?? [])].filter((head) => mapped.includes(head));
      const queue = new Set([...before, ...partial.filter((head) => counter.partial(head) === YES)]);
      this.queues[row] = queue;
      return partial.filter((head) => !queue.has(head)).length;
    });
  }
}

/** Everything that does not add up, or is against a guarantee. */
function miscounted({ questions, decisions }: Comparison): string[] {
  const complaints: string[] = [];
  for (const { question, asked, byScheme } of questions) {
    for (const { exact, allowed, wrong, unknown } of byScheme) {
      if (exact + allowed + wrong + unknown !== asked) complaints.push(`${question} does not add up`);
      if (wrong > 0) complaints.push(`${question} is wrong`);
    }
  }
  for (const { decision, asked, truthYes, byScheme } of decisions) {
    for (const { wrongYes, wrongNo, walks } of byScheme) {
      const isPossible = wrongYes.count <= asked - truthYes && wrongNo.count <= truthYes;
      if (!isPossible || wrongYes.count + wrongNo.count + walks > asked) complaints.push(`${decision} does not add up`);
    }
  }
  return complaints;
}

test("in any history the four counts add up to what was asked, what is hidden is counted, and no scheme breaks its word", () => {
  const step = fc.record({
    what: fc.constantFrom("fork", "exit", "unmap", "map", "pin"),
    who: fc.nat(7),
    page: fc.nat(15),
    count: fc.integer({ min: 1, max: 8 }),
    order: fc.constantFrom(0, 2, 4),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 14 }), (recipe) => {
      let hiddenAtEnd: number[] = [];
      const queues = new SlowQueues();
      const atEnd = (machine: EntryMachine): void => {
        hiddenAtEnd = queues.look(machine);
      };
      const comparison = compare(
        (machine) => {
          const mms = [oneFolio(machine, 4).mm];
          return recipe.map(({ what, who, page, count, order }): Step => {
            const doStep = (): void => {
              const mm = mms[who % mms.length];
              const vma = mm === undefined ? undefined : machine.vmasOf(mm)[0];
              if (mm === undefined || vma === undefined) return;
              if (what === "fork") mms.push(machine.forkMm(mm));
              else if (what === "exit" && mms.length > 1) machine.exitMm(mms.splice(who % mms.length, 1)[0]);
              else if (what === "unmap") machine.unmap(vma, BASE + page, count);
              else if (what === "map") {
                const at = BASE + 32 + 16 * (mms.length + recipe.length);
                if ([...machine.runsIn(vma, at, 16)].length > 0) return;
                machine.map(machine.createFolio(order, ANON), 0, 2 ** order, LEVEL_PTE, vma, at);
              } else if (what === "pin") for (const folio of machine.mappedFolios()) machine.hold(folio, { pins: 1 });
            };
            return [
              what,
              () => {
                doStep();
                queues.look(machine);
              },
            ];
          });
        },
        { atEnd },
      );
      expect(miscounted(comparison)).toEqual([]);
      expect(comparison.hiddenMemory.map(({ foliosAtEnd }) => foliosAtEnd)).toEqual(hiddenAtEnd);
    }),
    { numRuns: 40 },
  );
});
