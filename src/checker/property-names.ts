/**
 * Names of properties that a check may be asked for: those of the text, those that every system has, and "livelock".
 *
 * A name that there is not is refused before anything is searched: a check of nothing would hold.
 */
import { BUILT_IN_PROPERTIES } from "./reference-explore.ts";
import type { StepMachine } from "./step-machine.ts";
import { StepsError } from "./syntax.ts";

/** The property of retry loops: looked for in all states at once, so by a search of its own (livelock.ts). */
export const LIVELOCK = "livelock";

/** Throws StepsError for the first name that the machine has no property of. */
export function checkPropertyNames(machine: StepMachine, names: readonly string[] = []): void {
  const known = [...machine.properties.map(({ name }) => name), ...BUILT_IN_PROPERTIES, LIVELOCK];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new StepsError(`${machine.name} has no property ${unknown}; it has ${known.join(", ")}`);
  }
}
