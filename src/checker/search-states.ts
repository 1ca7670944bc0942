/**
 * The search itself: every state of a system once, every property in every state.
 *
 * Breadth first, states are expanded in the order in which they were found, so that the first way to a broken property is a
 * shortest one; depth first, the newest first. Both find the same states (expand-states.ts makes them, state-store.ts knows
 * them). The search ends with the first broken property, unless all are asked for, at a
 * limit, when its watch says so, or when there is nothing left.
 */
import type { CheckFigures, CheckResult } from "./check.ts";
import { type CheckWatch, Watcher } from "./check-watch.ts";
import { DepthStack } from "./depth-stack.ts";
import { BATCH_STATES, StateExpander } from "./expand-states.ts";
import type { SearchPlan } from "./plan-search.ts";
import { StateStore } from "./state-store.ts";

export interface StateSearchOptions {
  readonly watch?: CheckWatch | undefined;
  /** Whether states are to be found again by their words (`store.numberOf`). */
  readonly isNumbered?: boolean;
}

export class StateSearch {
  readonly store: StateStore;
  private readonly plan: SearchPlan;
  private readonly expander: StateExpander;
  private readonly watcher: Watcher;
  private depth = 0;
  private isInterrupted = false;

  constructor(plan: SearchPlan, { watch, isNumbered = false }: StateSearchOptions = {}) {
    this.plan = plan;
    const { words, hasSpareBit } = plan.layout;
    this.store = new StateStore({ words, hasSpareBit, isNumbered, ...plan.limits });
    this.expander = new StateExpander(plan, this.store);
    this.watcher = new Watcher(watch);
  }

  /** For each property the state from which (or in which) it was broken, -1 if it was not. */
  get brokenAt(): Int32Array {
    return this.expander.brokenAt;
  }

  /** Searches until it ends; why it did. Once only. */
  run(): CheckResult["coverage"] {
    this.addSuccessors(this.expander.makeFirst());
    if (this.plan.options.search === "depth-first") this.runDepthFirst();
    else this.runBreadthFirst();
    if (this.expander.isEndedByBroken) return "stopped-at-broken";
    if (this.isInterrupted) return "interrupted";
    return this.store.full ?? "complete";
  }

  get figures(): CheckFigures {
    return {
      states: this.store.count,
      transitions: this.expander.transitions + this.plan.compiled.counters[2],
      depth: this.depth,
      bytes: this.store.bytes,
      stateWords: this.plan.layout.words,
    };
  }

  /** The numbers of the states on the way to one, the first state's first. */
  wayTo(number: number): readonly number[] {
    const numbers: number[] = [];
    for (let at = number; at >= 0; at = this.store.parentOf(at)) numbers.push(at);
    return numbers.toReversed();
  }

  private get isEnded(): boolean {
    return this.expander.isEndedByBroken || this.isInterrupted || this.store.full !== undefined;
  }

  /** Looks up the successors of the last batch, which end at `end`. */
  private addSuccessors(end: number): void {
    const { out, parents, hashes } = this.expander;
    this.store.addAll(out, end, parents, hashes);
  }

  private runBreadthFirst(): void {
    const { store, expander } = this;
    let done = 0;
    while (done < store.count) {
      const levelEnd = store.count;
      while (done < levelEnd) {
        const { to, end } = expander.expandSome(done, Math.min(levelEnd, done + BATCH_STATES, store.chunkEnd(done)));
        done = to;
        this.addSuccessors(end);
        this.look(done);
        if (this.isEnded) break;
      }
      if (store.count > levelEnd) this.depth++;
      if (this.isEnded) return;
    }
  }

  /** The newest state first; what waits to be looked up stands on a stack. */
  private runDepthFirst(): void {
    const { store, expander } = this;
    const { words } = this.plan.layout;
    const stack = new DepthStack(words, (bytes) => store.reserve(bytes));
    this.expandDeep(0, 0, stack);
    while (stack.length > 0 && !this.isEnded) {
      const depth = stack.pop(expander.out, expander.parents);
      const number = store.count;
      this.addSuccessors(words);
      if (store.count === number) continue;
      this.depth = Math.max(this.depth, depth);
      this.expandDeep(number, depth, stack);
      this.look(number + 1 - stack.length);
    }
  }

  private expandDeep(number: number, depth: number, stack: DepthStack): void {
    const { end } = this.expander.expandSome(number, number + 1);
    stack.push(this.expander.out, end, number, depth + 1);
  }

  /** Tells the watch how far the search is; `done` states are expanded. */
  private look(done: number): void {
    const goesOn = this.watcher.look(() => ({ ...this.figures, frontier: Math.max(0, this.store.count - done) }));
    if (!goesOn) this.isInterrupted = true;
  }
}
