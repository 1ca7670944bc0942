/**
 * The yardstick: breadth first over every state, one Map of strings, no reduction.
 *
 * Every fast form must give the same numbers and the same verdicts on whatever this one can finish. A state is what
 * `keyOfState` tells apart; a transition is what `successors` lists, those that come to known states and those that lead
 * nowhere included; the depth of a state is the least number of transitions to it, and breadth first finds the states in this
 * order, so that the first way to a broken property is a shortest one.
 */
import {
  type CheckerState,
  evaluate,
  initialState,
  isDeadlock,
  isQuiet,
  keyOfState,
  type SuccessorOptions,
  type Successors,
  successors,
  type Transition,
} from "./interpret.ts";
import type { MachineProperty, StepMachine } from "./step-machine.ts";

export interface ReferenceOptions extends SuccessorOptions {
  /** End with the first broken property; else all states are explored and every property gets its verdict. */
  readonly stopAtBroken?: boolean;
  /** Default 1,000,000. */
  readonly stateLimit?: number;
  /** Called once for each state, in the order in which they were found. */
  readonly visit?: (visit: ReferenceVisit) => void;
}

export interface ReferenceVisit {
  readonly state: CheckerState;
  readonly depth: number;
  readonly successors: Successors;
  readonly isDeadlock: boolean;
}

export interface ReferenceFinding {
  readonly name: string;
  readonly when: MachineProperty["when"] | "built-in";
  /** holds and unseen: in the states explored; see coverage. */
  readonly outcome: "holds" | "broken" | "seen" | "unseen";
  /** A shortest way to the broken property or to the `sometimes`, the first state first. */
  readonly path?: readonly CheckerState[];
  /** The transition behind the last state of `path` that breaks it by itself (assert, below-zero, unlock). */
  readonly breaking?: Transition;
}

export interface ReferenceResult {
  readonly coverage: "complete" | "stopped-at-broken" | "state-limit";
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  /** The machine's properties in order, then deadlock, below-zero and unlock. */
  readonly findings: readonly ReferenceFinding[];
}

const DEFAULT_STATE_LIMIT = 1_000_000;
/** Properties that every system has. */
export const BUILT_IN_PROPERTIES = ["deadlock", "below-zero", "unlock"] as const;

/** Explores all states of `machine`. Throws StepsError where the text has no meaning. */
export function exploreReference(machine: StepMachine, options: ReferenceOptions = {}): ReferenceResult {
  const { stateLimit = DEFAULT_STATE_LIMIT, stopAtBroken = false, visit } = options;
  const search = new Search(machine);
  let transitions = 0;
  search.reach(initialState(machine), -1);
  for (let from = 0; from < search.states.length; from++) {
    const state = search.states[from];
    const next = successors(machine, state, options);
    const isStuck = isDeadlock(machine, state, next);
    visit?.({ state, depth: search.depths[from], successors: next, isDeadlock: isStuck });
    search.checkState(from, isStuck);
    for (const transition of next.transitions) {
      transitions++;
      search.checkTransition(from, transition);
      if (!transition.leadsNowhere) search.reach(transition.state, from);
    }
    if (stopAtBroken && search.isBroken) return { coverage: "stopped-at-broken", transitions, ...search.result() };
    if (search.states.length > stateLimit) return { coverage: "state-limit", transitions, ...search.result() };
  }
  return { coverage: "complete", transitions, ...search.result() };
}

/** A property, and the first way that decided it. */
interface Verdict {
  readonly property: Pick<MachineProperty, "name" | "condition"> & { readonly when: ReferenceFinding["when"] };
  decided?: { readonly from: number; readonly breaking?: Transition };
}

class Search {
  readonly states: CheckerState[] = [];
  readonly depths: number[] = [];
  isBroken = false;
  private readonly machine: StepMachine;
  private readonly parents: number[] = [];
  private readonly ids = new Map<string, number>();
  private readonly verdicts: readonly Verdict[];

  constructor(machine: StepMachine) {
    this.machine = machine;
    const builtIn = BUILT_IN_PROPERTIES.map((name) => ({ name, when: "built-in" as const }));
    this.verdicts = [...machine.properties, ...builtIn].map((property) => ({ property }));
  }

  reach(state: CheckerState, parent: number): void {
    const key = keyOfState(state);
    if (this.ids.has(key)) return;
    this.ids.set(key, this.states.length);
    this.states.push(state);
    this.parents.push(parent);
    this.depths.push(parent < 0 ? 0 : this.depths[parent] + 1);
  }

  checkState(from: number, isStuck: boolean): void {
    for (const verdict of this.verdicts) {
      if (verdict.decided === undefined && this.isDecidedBy(verdict.property, this.states[from], isStuck)) {
        this.decide(verdict, from);
      }
    }
  }

  /** Whether this state breaks the property, or is what a `sometimes` asks for. */
  private isDecidedBy({ name, when, condition }: Verdict["property"], state: CheckerState, isStuck: boolean): boolean {
    if (when === "built-in") return name === "deadlock" && isStuck;
    if (when === "assert" || condition === undefined) return false;
    if (when === "quiet" && !isQuiet(this.machine, state)) return false;
    const isTrue = evaluate(this.machine, condition, state.variables, new Int32Array(0)) !== 0;
    return when === "never" || when === "sometimes" ? isTrue : !isTrue;
  }

  checkTransition(from: number, transition: Transition): void {
    for (const { property: name } of transition.failures) {
      for (const verdict of this.verdicts) {
        const { when } = verdict.property;
        const isIt = verdict.property.name === name && (when === "assert" || when === "built-in");
        if (isIt && verdict.decided === undefined) this.decide(verdict, from, transition);
      }
    }
  }

  private decide(verdict: Verdict, from: number, breaking?: Transition): void {
    verdict.decided = breaking === undefined ? { from } : { from, breaking };
    if (verdict.property.when !== "sometimes") this.isBroken = true;
  }

  private pathTo(id: number): CheckerState[] {
    const path: CheckerState[] = [];
    for (let at = id; at >= 0; at = this.parents[at]) path.push(this.states[at]);
    return path.toReversed();
  }

  result(): Pick<ReferenceResult, "states" | "depth" | "findings"> {
    const findings = this.verdicts.map(({ property: { name, when }, decided }): ReferenceFinding => {
      const [yes, no] = when === "sometimes" ? (["seen", "unseen"] as const) : (["broken", "holds"] as const);
      if (decided === undefined) return { name, when, outcome: no };
      const found: ReferenceFinding = { name, when, outcome: yes, path: this.pathTo(decided.from) };
      return decided.breaking === undefined ? found : { ...found, breaking: decided.breaking };
    });
    return { states: this.states.length, depth: this.depths.at(-1) ?? 0, findings };
  }
}
