/**
 * A workload as a scenario: its text, its commands and the machine that it needs.
 *
 * The text says how it was made, so that a file of it can be made again. Invariant: the same workload, values and seed
 * give the same text.
 */
import { LIMITS, MODEL_MEMORY_BYTES_MAX, type Scenario, parseScenario } from "../scenario/index.ts";
import { seededRandom } from "./random.ts";
import type { ScenarioWorkload, WorkloadValues } from "./workload.ts";
import { BadWorkload, checkSeed, valuesOf } from "./workload-values.ts";

const PAGE_BYTES = 4096;
/** What the model is if nothing else is said, and what the kernel lab's guests have: 1 GiB. */
const USUAL_MEMORY_BYTES = 2 ** 30;
/** A machine is larger than what is in use on it: a node that is full hands out the other's memory. */
const SPARE = 1.25;

export interface WorkloadScenario {
  readonly text: string;
  readonly scenario: Scenario;
  /** Page frames of the machine that it runs on; 1 GiB of them or more. */
  readonly frameCount: number;
}

/** The scenario of a workload. Throws BadWorkload if a value is out of range or the model cannot have so much memory. */
export function scenarioOfWorkload(workload: ScenarioWorkload, asked: WorkloadValues, seed: number): WorkloadScenario {
  const values = valuesOf(workload, asked);
  checkSeed(seed);
  const frameCount = frameCountOf(workload, values);
  const set = Object.entries(values).map(([name, value]) => `${name}=${value}`);
  const lines = [`# ${workload.id}: ${workload.title}`, `# ${set.join(" ")} seed=${seed}`];
  let bytes = lines.join("\n").length + 1;
  for (const line of workload.lines(values, seededRandom(seed))) {
    lines.push(line);
    bytes += line.length + 1;
    if (bytes > LIMITS.model.scenarioBytes)
      throw tooLarge(workload, `more than ${LIMITS.model.scenarioBytes} bytes of text`);
  }
  const text = `${lines.join("\n")}\n`;
  const parsed = parseScenario(text, `${workload.id}.scn`, "model");
  if (!parsed.ok) throw tooLarge(workload, parsed.errors[0].message);
  return { text, scenario: parsed.scenario, frameCount };
}

/** A workload writes nothing wrong; what a parser can complain of is that there is too much of it. */
function tooLarge({ id }: ScenarioWorkload, what: string): BadWorkload {
  return new BadWorkload(`${id} of this size is no scenario that the model runs: ${what}. Make it smaller.`);
}

function frameCountOf(workload: ScenarioWorkload, values: WorkloadValues): number {
  const wanted = Math.max(USUAL_MEMORY_BYTES, workload.memoryBytes(values) * SPARE);
  if (wanted > MODEL_MEMORY_BYTES_MAX) {
    const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);
    throw new BadWorkload(
      `${workload.id} of this size needs a machine of ${gib(wanted)} GiB, and the model can have ` +
        `${gib(MODEL_MEMORY_BYTES_MAX)} GiB: give it fewer or smaller folios, or fewer processes.`,
    );
  }
  // Whole blocks of 2 MiB in each of two nodes.
  const block = 1024;
  return Math.ceil(wanted / PAGE_BYTES / block) * block;
}
