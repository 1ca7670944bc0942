/**
 * Decisions on histories that kernels made and on random ones: nobody decides to an unsafe side, and what the operation
 * does is what the scheme decides by which the kernel counts.
 */
import { expect, test } from "vitest";
import { DECISION_RULES, type DecisionListener, isUnsafe, surveyDecisions } from "../../src/decisions/index.ts";
import type { Scenario } from "../../src/scenario/index.ts";
import { type KernelConfig, scenarioOf } from "../../src/scenario/index.ts";
import { SCHEMES } from "../../src/schemes/index.ts";
import { UNKNOWN, YES } from "../../src/schemes/scheme.ts";
import { randomScenario } from "../fidelity/random-scenario.ts";
import { RECORDED, recordedScenario } from "../scenario/recordings.ts";
import { runHeard } from "./heard-scenario.ts";

const RANDOM_SCENARIOS = 12;

/** What random histories reach seldom. */
const RARE = `
swapon /dev/ram1
thp 2048kB madvise
spawn A
A mmap a 0x200000000 2M rw anon,priv
A madvise @a 2M hugepage
A touch @a 2M w
A madvise @a 2M cold
A madvise @a 2M free
A madvise @a 2M pageout
A mmap b 0x240000000 2M rw anon,priv
A madvise @b 2M hugepage
A touch @b 2M w
A munmap @b 4k
A migrate @b+4k 4k 1
A mmap d 0x280000000 2M rw anon,priv
A madvise @d 2M hugepage
A touch @d 2M w
A munmap @d 4k
A madvise @d+4k 1M pageout
A mmap c 0x2c0000000 4k rw anon,priv
A touch @c 4k w
A madvise @c 4k free
A madvise @c 4k pageout
A memfd 0 2M
A mmap m 0x300000000 2M rw shared fd=0
A touch @m 2M w
shmthp 2048kB always
A madvise @m 2M hugepage
A madvise @m 2M collapse
A mmap e 0x340000000 2M rw anon,priv
A madvise @e 2M hugepage
A touch @e 2M w
A fork B
B exit
A touch @e 4k w
A madvise @e 2M pageout
thp 64kB madvise
A mmap f 0x380000000 64k rw anon,priv
A madvise @f 64k hugepage
A touch @f 64k w
A fork C
C exit
A touch @f 4k w
A madvise @f 8k free
A touch @f+8k 4k w
A madvise @f+8k 4k free
A mmap g 0x3c0000000 64k rw anon,priv
A madvise @g 64k hugepage
A touch @g 64k w
A madvise @g 8k free
`;

/** Rules that were asked in this file. */
const met = new Set<string>();

/** Runs the scenario under all schemes; what was wrong on the way. */
function complaintsAbout(scenario: Scenario, config: KernelConfig): string[] {
  const complaints: string[] = [];
  const kernel = SCHEMES.findIndex(({ kernelConfig }) => kernelConfig === config);
  const hear: DecisionListener = ({ rule, truth, decisions }) => {
    met.add(rule.id);
    decisions.forEach((decision, index) => {
      if (decision === UNKNOWN || decision === truth) return;
      const consequence = decision === YES ? rule.wrongYes : rule.wrongNo;
      if (isUnsafe(consequence)) complaints.push(`${SCHEMES[index].id}: ${rule.id}: ${consequence.text}`);
    });
  };
  runHeard(
    scenario,
    { config, schemes: SCHEMES },
    ({ truth, kernel: { counter } }) =>
      (record) => {
        const { rule, situation, decisions, taken } = record;
        const entries = truth.mappings(situation.head);
        const counted = counter.mapcount(situation.head);
        if (entries !== counted) complaints.push(`${rule.id}: ${entries} entries while ${counted} are counted`);
        // The partially mapped flag remembers what the count said once.
        if (!rule.asks.includes("partial") && (decisions[kernel] === YES) !== taken) {
          complaints.push(`${rule.id}: the kernel's scheme decides otherwise than the operation did`);
        }
        hear(record);
      },
    (machine) => surveyDecisions(machine, machine.takeTouched(), hear),
  );
  return complaints;
}

const CONFIGS = ["page", "nopage"] as const;

test.each(RECORDED.map((name, index) => [name, CONFIGS[index % 2]] as const))(
  "in %s on a kernel built with %s no scheme decides to an unsafe side, and entries are counted whenever one is asked",
  (name, config) => {
    expect(complaintsAbout(recordedScenario(name), config)).toEqual([]);
  },
);

test.each(CONFIGS)("nor in what random histories reach seldom, on a kernel built with %s", (config) => {
  expect(complaintsAbout(scenarioOf(RARE, "rare.scn"), config)).toEqual([]);
});

test.each(Array.from({ length: RANDOM_SCENARIOS }, (_, index) => index))("nor in random scenario %i", (index) => {
  const { text, name } = randomScenario({ seed: 4, index, operations: 40 });
  expect(complaintsAbout(scenarioOf(text, `${name}.scn`), CONFIGS[index % 2])).toEqual([]);
});

test("every rule was asked on the way", () => {
  expect(DECISION_RULES.map(({ id }) => id).filter((id) => !met.has(id))).toEqual([]);
});
