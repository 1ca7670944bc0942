/**
 * The inner loop of every search: states in, their successors out, broken properties noted.
 *
 * A batch of states that stand one behind the other is checked and expanded by generated code (compile-machine.ts) before any
 * successor is looked up, as a look-up is a cache miss and many at once overlap (state-store.ts). The successors are canonical
 * when they come out. Who looks them up, and where, is the search's business (search-states.ts, search-part.ts).
 */
import type { SearchPlan } from "./plan-search.ts";
import type { StateStore } from "./state-store.ts";

/** States whose successors are made before they are looked up. */
export const BATCH_STATES = 128;
/** Successors a state that a batch has room for; a state of more makes it shorter. */
const ORDINARY_SUCCESSORS = 64;

/** Which numbers parents have: number k of this store is `k * scale + offset` for whoever asks for the way. */
export interface ParentNumbers {
  readonly scale: number;
  readonly offset: number;
}

export class StateExpander {
  /** Successors of the last batch: words, and the number of the state before each. */
  readonly out: Int32Array;
  readonly parents: Int32Array;
  /** Room for as many hashes. */
  readonly hashes: Int32Array;
  /** For each property the state from which (or in which) it was broken, -1 if it was not. */
  readonly brokenAt: Int32Array;
  /** Made so far, those that lead nowhere not counted. */
  transitions = 0;
  private readonly plan: SearchPlan;
  private readonly store: StateStore;
  private readonly numbers: ParentNumbers;
  private isBroken = false;

  constructor(plan: SearchPlan, store: StateStore, numbers: ParentNumbers = { scale: 1, offset: 0 }) {
    this.plan = plan;
    this.store = store;
    this.numbers = numbers;
    // At least one: the first state goes through the batch too.
    const perState = Math.max(1, plan.compiled.maxSuccessors);
    const room = BATCH_STATES * Math.min(perState, ORDINARY_SUCCESSORS) + perState;
    this.out = new Int32Array(room * plan.layout.words);
    this.parents = new Int32Array(room);
    this.hashes = new Int32Array(room);
    this.brokenAt = new Int32Array(plan.properties.length).fill(-1);
  }

  /** A property is broken, and that ends the search. */
  get isEndedByBroken(): boolean {
    return this.isBroken && this.plan.options.allProperties !== true;
  }

  /** The first state as the only successor of a batch; its end in `out`. */
  makeFirst(): number {
    this.out.set(this.plan.first);
    this.parents[0] = -1;
    return this.plan.first.length;
  }

  /**
   * Checks and expands states `from` to below `until` of one chunk, fewer if the batch is full or a broken property ends the
   * search: `to` is the first that was not, `end` the end of their successors in `out`.
   */
  expandSome(from: number, until: number): { readonly to: number; readonly end: number } {
    const { store, plan, out, parents, numbers } = this;
    const { compiled, layout } = plan;
    const { words } = layout;
    const chunk = store.chunkOf(from);
    const roomFor = out.length - compiled.maxSuccessors * words;
    let end = 0;
    let to = from;
    for (let at = store.indexOf(from); to < until && end <= roomFor && !this.isEndedByBroken; at += words) {
      const before = end / words;
      compiled.checkState(chunk, at);
      end = compiled.expand(chunk, at, out, end);
      const parent = to * numbers.scale + numbers.offset;
      for (let k = before; k < end / words; k++) parents[k] = parent;
      if (compiled.failed.length > 0) this.noteFailures(to);
      to++;
    }
    this.transitions += end / words;
    plan.canonicalise?.(out, 0, end);
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
}
