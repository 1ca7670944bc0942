/**
 * A workload's parameters from what somebody asked for to one value each: named wrongly or out of range is an error in
 * one sentence, and nothing is rounded or clipped.
 */
import type { Workload, WorkloadParameter, WorkloadValues } from "./workload.ts";

/** What a workload cannot be: an unknown name, a value out of range, more memory than the model can have. */
export class BadWorkload extends Error {
  constructor(message: string) {
    super(message);
    this.name = "BadWorkload";
  }
}

/** Seeds are whole numbers from 0 to this. */
export const SEED_MAX = Number.MAX_SAFE_INTEGER;

/**
 * All values of a workload: those that are asked for, and the defaults of the others. Throws BadWorkload.
 * @example valuesOf(workload, { children: 4 })
 */
export function valuesOf(workload: Workload, asked: WorkloadValues): WorkloadValues {
  for (const [name, value] of Object.entries(asked)) checkValue(workload, name, value);
  const values: Record<string, number> = {};
  for (const [name, parameter] of Object.entries(workload.parameters)) values[name] = asked[name] ?? parameter.default;
  return values;
}

/** Every parameter at its least: the smallest history that still shows what the workload is about. */
export function leastValues(workload: Workload): WorkloadValues {
  const least = Object.entries(workload.parameters).map(([name, { min }]) => [name, min] as const);
  return Object.fromEntries(least);
}

/** `name=value` as a command line has it. Throws BadWorkload if it is no such thing or the workload has no such parameter. */
export function parseAssignment(workload: Workload, text: string): WorkloadValues {
  const match = /^(?<name>[A-Za-z]\w*)=(?<value>[0-9]{1,15})$/.exec(text);
  if (match?.groups === undefined) {
    throw new BadWorkload(`${JSON.stringify(text)} is not of the form name=value with a whole number.`);
  }
  const { name, value } = match.groups;
  checkValue(workload, name, Number(value));
  return { [name]: Number(value) };
}

/** "1 to 64", or "one of 4, 16, 64". */
export function describeRange({ min, max, choices }: WorkloadParameter): string {
  return choices === undefined ? `${min} to ${max}` : `one of ${choices.join(", ")}`;
}

/** Refuses a seed that would not be the same number everywhere. Throws BadWorkload. */
export function checkSeed(seed: number): void {
  if (!Number.isInteger(seed) || seed < 0 || seed > SEED_MAX) {
    throw new BadWorkload(`A seed is a whole number from 0 to ${SEED_MAX}.`);
  }
}

function checkValue(workload: Workload, name: string, value: number): void {
  if (!Object.hasOwn(workload.parameters, name)) {
    const known = Object.keys(workload.parameters).join(", ");
    throw new BadWorkload(`The workload ${workload.id} has no parameter ${JSON.stringify(name)}; it has ${known}.`);
  }
  const parameter = workload.parameters[name];
  const { min, max, choices } = parameter;
  const isAllowed = choices === undefined ? value >= min && value <= max : choices.includes(value);
  if (Number.isInteger(value) && isAllowed) return;
  throw new BadWorkload(
    `${name} of ${workload.id} cannot be ${value}: it is a whole number, ${describeRange(parameter)}.`,
  );
}
