/**
 * From a story back to the states that it passes: what a stored story (JSON, a case) needs to be drawn or looked at again.
 *
 * A story says of each access who made it and what was read or changed; the interpreter finds the transitions that say the
 * same. Where two do (two choices that end alike), the first one that the rest of the story follows is taken. A state from
 * which the rest does not follow is not tried a second time, so that the search is linear in the story.
 */
import type { Story, StoryStep } from "./check.ts";
import {
  type CheckerState,
  type SuccessorOptions,
  type Transition,
  initialState,
  keyOfState,
  successors,
} from "./interpret.ts";
import type { StepMachine } from "./step-machine.ts";
import { describeTransition } from "./story-words.ts";

/**
 * The states from the first to the last. Steps that wait at the end of a deadlock's story lead nowhere and are left out, as is
 * a last access that leads to no state.
 *
 * @throws {Error} if the machine cannot do what the story says: it is another machine's.
 */
export function replayStory(machine: StepMachine, options: SuccessorOptions, story: Story): CheckerState[] {
  const steps = story.steps.filter(({ what }) => !what.startsWith("waits for "));
  const first = initialState(machine);
  /** For each state of the way what else could have led on from it. */
  const open: Transition[][] = [];
  const way = [first];
  const tried = new Set<string>();
  while (way.length <= steps.length) {
    const at = way.length - 1;
    const here = way[at];
    open[at] ??= sayingSo(machine, options, here, steps[at]);
    const next = open[at].shift();
    if (next === undefined) {
      if (at === 0) throw new Error(`this story is not one of ${machine.name}`);
      open.length = at;
      way.pop();
    } else if (next.leadsNowhere) {
      if (way.length === steps.length) return way;
    } else {
      const key = `${way.length} ${keyOfState(next.state)}`;
      if (!tried.has(key)) way.push(next.state);
      tried.add(key);
    }
  }
  return way;
}

/** The transitions of which the step tells. */
function sayingSo(machine: StepMachine, options: SuccessorOptions, state: CheckerState, step: StoryStep): Transition[] {
  return successors(machine, state, options).transitions.filter(
    (transition) => transition.thread === step.thread && describeTransition(machine, transition, state) === step.what,
  );
}
