/**
 * The search itself: every state of a system once, every property in every state.
 *
 * Breadth first, states are expanded in the order in which they were found, so that the first way to a broken property is a
 * shortest one; depth first, the newest first. Both find the same states. States are packed words from the first to the last;
 * their successors are made a batch at a time by generated code (compile-machine.ts) and then looked up together, as a
 * look-up is a cache miss (state-store.ts). The search ends with the first broken property, unless all are asked for, at a
 * limit, when its watch says so, or when there is nothing left.
 */
import type { CheckFigures, CheckResult } from "./check.ts";
import { type CheckWatch, Watcher } from "./check-watch.ts";
import { DepthStack } from "./depth-stack.ts";
import type { SearchPlan } from "./plan-search.ts";
import { StateStore } from "./state-store.ts";

/** States whose successors are made before they are looked up. */
const BATCH_STATES = 128;
/** Successors a state that a batch has room for; a state of more makes it shorter. */
const ORDINARY_SUCCESSORS = 64;

/** Successors made and not yet looked up. */
interface Batch {
  readonly out: Int32Array;
  /** The state behind which each was found. */
  readonly parents: Int32Array;
  readonly hashes: Int32Array;
}

export interface StateSearchOptions {
  readonly watch?: CheckWatch | undefined;
  /** Whether states are to be found again by their words (`store.numberOf`). */
  readonly isNumbered?: boolean;
}

export class StateSearch {
  readonly store: StateStore;
  /** For each property the state from which (or in which) it was broken, -1 if it was not. */
  readonly brokenAt: Int32Array;
  private readonly plan: SearchPlan;
  private readonly batch: Batch;
  private readonly watcher: Watcher;
  private transitions = 0;
  private depth = 0;
  private isBroken = false;
  private isInterrupted = false;

  constructor(plan: SearchPlan, { watch, isNumbered = false }: StateSearchOptions = {}) {
    this.plan = plan;
    const { words, hasSpareBit } = plan.layout;
    this.store = new StateStore({ words, hasSpareBit, isNumbered, ...plan.limits });
    // At least one: the first state goes through the batch too.
    const perState = Math.max(1, plan.compiled.maxSuccessors);
    const room = BATCH_STATES * Math.min(perState, ORDINARY_SUCCESSORS) + perState;
    this.batch = {
      out: new Int32Array(room * words),
      parents: new Int32Array(room),
      hashes: new Int32Array(room),
    };
    this.brokenAt = new Int32Array(plan.properties.length).fill(-1);
    this.watcher = new Watcher(watch);
  }

  /** Searches until it ends; why it did. Once only. */
  run(): CheckResult["coverage"] {
    const { out, parents, hashes } = this.batch;
    out.set(this.plan.first);
    parents[0] = -1;
    this.store.addAll(out, this.plan.first.length, parents, hashes);
    if (this.plan.options.search === "depth-first") this.runDepthFirst();
    else this.runBreadthFirst();
    if (this.isEndedByBroken) return "stopped-at-broken";
    if (this.isInterrupted) return "interrupted";
    return this.store.full ?? "complete";
  }

  get figures(): CheckFigures {
    return {
      states: this.store.count,
      transitions: this.transitions + this.plan.compiled.counters[2],
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

  private get isEndedByBroken(): boolean {
    return this.isBroken && this.plan.options.allProperties !== true;
  }

  private get isEnded(): boolean {
    return this.isEndedByBroken || this.isInterrupted || this.store.full !== undefined;
  }

  private runBreadthFirst(): void {
    const { store, batch, plan } = this;
    const { words } = plan.layout;
    let done = 0;
    while (done < store.count) {
      const levelEnd = store.count;
      while (done < levelEnd) {
        const { to, end } = this.expandSome(done, Math.min(levelEnd, done + BATCH_STATES, store.chunkEnd(done)));
        done = to;
        this.transitions += end / words;
        plan.canonicalise?.(batch.out, 0, end);
        store.addAll(batch.out, end, batch.parents, batch.hashes);
        this.look(done);
        if (this.isEnded) break;
      }
      if (store.count > levelEnd) this.depth++;
      if (this.isEnded) return;
    }
  }

  /** Checks and expands states `from` to below `until`, fewer if the batch is full or a broken property ends the search. */
  private expandSome(from: number, until: number): { readonly to: number; readonly end: number } {
    const { store, plan } = this;
    const { compiled, layout } = plan;
    const { words } = layout;
    const { out, parents } = this.batch;
    const chunk = store.chunkOf(from);
    const roomFor = out.length - compiled.maxSuccessors * words;
    let end = 0;
    let to = from;
    for (let at = store.indexOf(from); to < until && end <= roomFor; to++, at += words) {
      const before = end / words;
      compiled.checkState(chunk, at);
      end = compiled.expand(chunk, at, out, end);
      for (let k = before; k < end / words; k++) parents[k] = to;
      if (compiled.failed.length === 0) continue;
      this.noteFailures(to);
      if (this.isEnded) return { to: to + 1, end };
    }
    return { to, end };
  }

  private noteFailures(state: number): void {
    const { compiled, properties } = this.plan;
    for (const property of compiled.failed) {
      if (!properties[property].isChecked || this.brokenAt[property] >= 0) continue;
      this.brokenAt[property] = state;
      compiled.isSettled[property] = 1;
      this.isBroken = true;
    }
    compiled.failed.length = 0;
  }

  /** The newest state first; what waits to be looked up stands on a stack. */
  private runDepthFirst(): void {
    const { store, batch, plan } = this;
    const { words } = plan.layout;
    const stack = new DepthStack(words, (bytes) => store.reserve(bytes));
    this.expandDeep(0, 0, stack);
    while (stack.length > 0 && !this.isEnded) {
      const depth = stack.pop(batch.out, batch.parents);
      const number = store.count;
      store.addAll(batch.out, words, batch.parents, batch.hashes);
      if (store.count === number) continue;
      this.depth = Math.max(this.depth, depth);
      this.expandDeep(number, depth, stack);
      this.look(number + 1 - stack.length);
    }
  }

  private expandDeep(number: number, depth: number, stack: DepthStack): void {
    const { out } = this.batch;
    const { end } = this.expandSome(number, number + 1);
    this.transitions += end / this.plan.layout.words;
    this.plan.canonicalise?.(out, 0, end);
    stack.push(out, end, number, depth + 1);
  }

  /** Tells the watch how far the search is; `done` states are expanded. */
  private look(done: number): void {
    const goesOn = this.watcher.look(() => ({ ...this.figures, frontier: Math.max(0, this.store.count - done) }));
    if (!goesOn) this.isInterrupted = true;
  }
}
