/**
 * The sentence that a story ends with: what is wrong, with the values that make it so, or who waits for whom.
 *
 * A deadlock is told by its locks: who waits for which, and who holds it. Where the waits close a circle the sentence calls
 * it what the mails do, a self-deadlock or a deadly embrace (kernel-facts 6.5: no order among page table locks of one level).
 */
import type { PropertyOutcome } from "./check.ts";
import type { Blocked, CheckerState, Transition } from "./interpret.ts";
import { listValues } from "./story-words.ts";
import type { StepMachine } from "./step-machine.ts";
import { holdersOf } from "./take-step.ts";

/** Where a story ended. */
export interface StoryEnd {
  readonly state: CheckerState;
  /** The last transition, if it broke the property by itself. */
  readonly breaking?: Transition;
  /** Who waits there. */
  readonly blocked: readonly Blocked[];
}

/** One sentence for the property of this name and time, broken (a `sometimes`: seen) at the end. */
export function describeEnding(
  machine: StepMachine,
  { name, when }: { readonly name: string; readonly when: PropertyOutcome["when"] },
  { state, breaking, blocked }: StoryEnd,
): string {
  const property = machine.properties.find((one) => one.name === name && one.when === when);
  const values = property?.condition === undefined ? "" : listValues(machine, property.condition, state.variables);
  const told = `${property?.origin.source ?? name}${values === "" ? "" : ` (${values})`}`;
  switch (when) {
    case "assert":
      return describeAssertion(machine, name, breaking);
    case "always":
      return `This does not hold: ${told}.`;
    case "never":
      return `What must never be is so: ${told}.`;
    case "quiet":
      return `Nobody is at work, and this does not hold: ${told}.`;
    case "sometimes":
      return `This is so: ${told}.`;
    case "built-in":
      if (name === "deadlock") return describeDeadlock(machine, state, blocked);
      if (name === "livelock") {
        return "From there on it can go round for ever: no thread gets anything done, though every one of them gets its turns. A fair scheduler may do this; it need not.";
      }
      return `${breaking?.failures.find(({ property: broken }) => broken === name)?.message ?? name}.`;
  }
}

/** With the values that the assertion saw: the step that it stands in front of may have changed them since. */
function describeAssertion(machine: StepMachine, name: string, breaking: Transition | undefined): string {
  const found = breaking?.failures.find(({ property }) => property === name)?.found;
  if (breaking === undefined || found === undefined) return `The assertion ${name} fails.`;
  const thread = machine.threads[breaking.thread];
  const assertion = thread.instructions[found.at];
  if (assertion.op !== "assert") throw new Error(`instruction ${found.at} of ${thread.name} is no assertion`);
  const values = listValues(machine, assertion.condition, found.variables, found.registers);
  return `${thread.name} goes by what is not so: ${assertion.origin.source}${values === "" ? "" : ` (${values})`}.`;
}

function describeDeadlock(machine: StepMachine, state: CheckerState, blocked: readonly Blocked[]): string {
  const waits = machine.threads.flatMap(({ name }, thread) => {
    const on = [...new Set(blocked.filter((one) => one.thread === thread).map((one) => one.on))];
    return on.length === 0 ? [] : [`${name} waits for ${on.join(", or for ")}`];
  });
  const circle = circleOf(machine, state, blocked).map((thread) => machine.threads[thread].name);
  if (circle.length === 0) return `Deadlock: ${waits.join("; ")}.`;
  const kind = circle.length === 1 ? "A self-deadlock" : `A deadly embrace of ${circle.join(" and ")}`;
  return `${kind}: ${waits.join("; ")}.`;
}

/**
 * What the waits at a deadlock make: the threads of the shortest circle in which each waits for a lock that the next holds;
 * one thread alone waits for itself. Empty if there is no circle (an await; a lock that a thread kept past its end).
 */
export function circleOf(machine: StepMachine, state: CheckerState, blocked: readonly Blocked[]): readonly number[] {
  const holders = machine.threads.map((_, thread) =>
    blocked.flatMap(({ thread: asker, lock }) =>
      asker === thread && lock !== undefined ? holdersOf(machine, lock, state.variables[lock]) : [],
    ),
  );
  let shortest: readonly number[] = [];
  for (const start of machine.threads.keys()) {
    const circle = shortestWayBack(holders, start);
    if (circle.length > 0 && (shortest.length === 0 || circle.length < shortest.length)) shortest = circle;
  }
  return shortest;
}

function shortestWayBack(holders: readonly (readonly number[])[], start: number): readonly number[] {
  const seen = new Set<number>();
  for (let ways: (readonly number[])[] = [[start]]; ways.length > 0;) {
    const longer: (readonly number[])[] = [];
    for (const way of ways) {
      for (const next of holders[way[way.length - 1]]) {
        if (next === start) return way;
        if (seen.has(next)) continue;
        seen.add(next);
        longer.push([...way, next]);
      }
    }
    ways = longer;
  }
  return [];
}
