/**
 * In which order threads take locks, seen over all states that a search comes through.
 *
 * An edge A -> B: some thread held A while it asked for B, whether it got B or had to wait (docs/step-language.md: `lock`,
 * `lock_shared`; a trylock does not wait, so it asks for nothing, but what it got is held). An edge A -> A: a thread asked for
 * what it held. What kernel-facts 6.5 gives as a rule is here what was seen. A cycle is a warning and not yet a deadlock:
 * it may need threads that a third lock keeps apart. Whether there is a deadlock is what the built-in property says.
 *
 * Invariant: an edge is noted once, with the first thread and line that made it; over the same states in the same order the
 * graph is the same.
 */
import type { LockOrderEdge } from "./check.ts";
import type { CheckerState, Successors } from "./interpret.ts";
import { LockGraph } from "./lock-cycles.ts";
import type { StepMachine } from "./step-machine.ts";
import { holdersOf } from "./take-step.ts";

/** Cycles that are named, unless another limit is given. */
export const CYCLES_MAX = 20;

/** What was seen of the order of locks. */
export interface LockOrderSeen {
  /** In the order in which they were seen first. */
  readonly edges: readonly LockOrderEdge[];
  /** Elementary cycles, shortest first; each begins with the lock that is declared first, and does not repeat it at its end. */
  readonly cycles: readonly (readonly string[])[];
  /** There are more cycles than the limit. */
  readonly hasMoreCycles: boolean;
}

/** Collects the order of locks from states. */
export class LockOrder {
  private readonly machine: StepMachine;
  private readonly locks: readonly number[];
  private readonly edges = new Map<string, LockOrderEdge>();
  private readonly graph = new LockGraph();

  constructor(machine: StepMachine) {
    this.machine = machine;
    this.locks = [...machine.variables.keys()].filter((variable) => machine.variables[variable].kind === "lock");
  }

  /** Looks at one state and what may happen next there; to be called for every state, or only for some of them. */
  visit(state: CheckerState, { transitions, blocked }: Pick<Successors, "transitions" | "blocked">): void {
    for (const { thread, visible, access } of transitions) {
      if (visible?.op === "lock" && access !== undefined) {
        this.ask(state, thread, access.variable, visible.origin.source);
      }
    }
    for (const { thread, lock, at } of blocked) {
      if (lock !== undefined)
        this.ask(state, thread, lock, this.machine.threads[thread].instructions[at].origin.source);
    }
  }

  /** The graph as far as it was seen. */
  result(cycleLimit = CYCLES_MAX): LockOrderSeen {
    const { cycles, hasMore } = this.graph.cycles(cycleLimit);
    const names = cycles.map((cycle) => cycle.map((variable) => this.machine.variables[variable].name));
    return { edges: [...this.edges.values()], cycles: names, hasMoreCycles: hasMore };
  }

  private ask(state: CheckerState, thread: number, asked: number, source: string): void {
    for (const held of this.locks) {
      const value = state.variables[held];
      if (value === 0 || this.graph.has(held, asked) || !holdersOf(this.machine, held, value).includes(thread))
        continue;
      const { variables, threads } = this.machine;
      this.graph.add(held, asked);
      this.edges.set(`${held} ${asked}`, {
        held: variables[held].name,
        asked: variables[asked].name,
        thread: threads[thread].name,
        source,
      });
    }
  }
}
