/**
 * Who goes next in a random schedule.
 *
 * priorities: probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi, Nagarakatte: A Randomized Scheduler with
 * Probabilistic Guarantees of Finding Bugs, ASPLOS 2010). Every actor gets a random priority and the highest that can go on
 * does; at d - 1 places among the k steps of a schedule, drawn beforehand, the one whose turn it is falls below all others.
 * Of n actors, a bug that needs d ordering constraints is found by one schedule with a chance of at least 1 / (n * k^(d-1)).
 *
 * walk: whoever can go on, each with the same chance; the shares of a long schedule even out, so that deep orders are rare.
 *
 * An actor is a thread, or (under TSO) the store buffer of one: how late a store reaches memory is then a matter of
 * priorities like everything else. An actor that only goes round gives way, as it would by a spinlock's cpu_relax().
 */

/** A source of numbers 0 <= x < 1. */
export type RandomSource = () => number;

/** Decides who goes next in one schedule. */
export interface Scheduler {
  /** One of `enabled` (at least one, ascending), who takes the step of this number, from 0. */
  choose(enabled: readonly number[], step: number): number;
  /** This actor has come back to where it was and nothing has changed: others first. */
  giveWay(actor: number): void;
}

/** Everybody with the same chance. */
export function walkScheduler(random: RandomSource): Scheduler {
  return {
    choose: (enabled) => enabled[Math.floor(random() * enabled.length)],
    giveWay: () => undefined,
  };
}

/** What a schedule by priorities is drawn from. */
export interface PriorityOptions {
  /** Actors are 0 to actorCount - 1. */
  readonly actorCount: number;
  /** d, at least 1: one more than the changes of priority. */
  readonly depth: number;
  /** k, at least 1: among how many steps the changes are spread. */
  readonly expectedSteps: number;
}

/** The highest priority goes on; at `depth - 1` steps the one whose turn it is falls to the bottom. */
export function priorityScheduler(
  random: RandomSource,
  { actorCount, depth, expectedSteps }: PriorityOptions,
): Scheduler {
  const priorities = shuffledNumbers(random, actorCount);
  const changes = new Set<number>();
  for (let change = 1; change < depth; change++) changes.add(Math.floor(random() * expectedSteps));
  let bottom = 0;
  const fall = (actor: number): void => {
    bottom--;
    priorities[actor] = bottom;
  };
  const highest = (enabled: readonly number[]): number =>
    enabled.reduce((best, actor) => (priorities[actor] > priorities[best] ? actor : best));
  return {
    choose: (enabled, step) => {
      const first = highest(enabled);
      if (!changes.has(step)) return first;
      fall(first);
      return highest(enabled);
    },
    giveWay: fall,
  };
}

/** 0 to count - 1 in a random order (Fisher and Yates). */
function shuffledNumbers(random: RandomSource, count: number): number[] {
  const numbers = Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [numbers[last], numbers[other]] = [numbers[other], numbers[last]];
  }
  return numbers;
}
