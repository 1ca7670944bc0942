/**
 * From a story back to the states that it passes: what a stored story (JSON, a case) needs to be drawn or looked at again.
 *
 * A story says of each access who made it and what was read or changed; the interpreter finds the transitions that say the
 * same. Where two do (two choices that end alike), the first one that the rest of the story follows is taken.
 */
import type { Story, StoryStep } from "./check.ts";
import { type CheckerState, type SuccessorOptions, initialState, successors } from "./interpret.ts";
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
  const way = [initialState(machine)];
  if (!follow(machine, options, steps, way)) throw new Error(`this story is not one of ${machine.name}`);
  return way;
}

/** Lengthens `way` to the story's end, depth first; the depth of the recursion is the story's length. */
function follow(
  machine: StepMachine,
  options: SuccessorOptions,
  steps: readonly StoryStep[],
  way: CheckerState[],
): boolean {
  const step = steps[way.length - 1];
  const here = way.at(-1);
  if (step === undefined || here === undefined) return true;
  for (const transition of successors(machine, here, options).transitions) {
    if (transition.thread !== step.thread || describeTransition(machine, transition, here) !== step.what) continue;
    if (transition.leadsNowhere) return way.length === steps.length;
    way.push(transition.state);
    if (follow(machine, options, steps, way)) return true;
    way.pop();
  }
  return false;
}
