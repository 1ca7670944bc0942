/**
 * One part of a search that several workers share: the states whose hash is its own.
 *
 * Every part plans the same search of the same machine (plan-search.ts gives the same layout each time) and keeps its states in
 * a store of its own: no memory is shared and no lock taken. It expands the states it has; successors that are another part's
 * are handed over in rounds, words and the number of the state before. A level ends when no part has states of it left and
 * nothing is on its way (search-in-parts.ts), so that the ways are shortest ones and all figures those of a single search.
 *
 *     number of a state among all parts = its number in its part * parts + part
 *
 * Most successors are known already, so that what was handed over lately is not handed over again: a small table of states,
 * one place each, remembers them. It forgets; the owner's store decides.
 */
import type { CheckOptions } from "./check.ts";
import { BATCH_STATES, StateExpander } from "./expand-states.ts";
import { planSearch, type SearchPlan } from "./plan-search.ts";
import { hashOf, StateStore } from "./state-store.ts";
import type { StepMachine } from "./step-machine.ts";

/** States handed over: so many words each, and for each the number (among all parts) of the state before it. */
export interface Handover {
  readonly words: Int32Array;
  readonly parents: Int32Array;
}

/** What a part is told: states that are its own, and whether a new level begins with them. */
export interface RoundRequest {
  readonly arrivals: readonly Handover[];
  readonly beginsLevel: boolean;
}

export interface RoundReport {
  /** For each part what it is handed, in order of the parts; empty for itself. */
  readonly departures: readonly Handover[];
  /** The part has no states of this level left. */
  readonly isLevelDone: boolean;
  /** States expanded in this round. */
  readonly expanded: number;
  readonly states: number;
  readonly transitions: number;
  readonly bytes: number;
  /** For each property the number (among all parts) of the state that breaks it, or -1. */
  readonly brokenAt: readonly number[];
  /** For each property 1 if it is a `sometimes` that was seen. */
  readonly seen: readonly number[];
  readonly full: "memory-limit" | "state-limit" | undefined;
}

/** A state of a part, for its way back. */
export interface StateOnWay {
  readonly words: Int32Array;
  /** Among all parts; -1: it is the first state. */
  readonly parent: number;
}

/** States that a part expands before it hands over what it has found. */
const ROUND_STATES = 16_384;
const REMEMBERED_STATES = 2 ** 14;

export class SearchPart {
  private readonly plan: SearchPlan;
  private readonly part: number;
  private readonly parts: number;
  private readonly store: StateStore;
  private readonly expander: StateExpander;
  private readonly departures: readonly Departures[];
  private done = 0;
  private levelEnd = 0;

  /** `part`: 0 to `parts` - 1. The limits of the plan are divided by `parts`. */
  constructor(plan: SearchPlan, { part, parts }: { readonly part: number; readonly parts: number }) {
    this.plan = plan;
    this.part = part;
    this.parts = parts;
    const { words, hasSpareBit } = plan.layout;
    const memoryLimitBytes = Math.floor(plan.limits.memoryLimitBytes / parts);
    // Numbers among all parts must be int32.
    const stateLimit = Math.min(Math.ceil(plan.limits.stateLimit / parts), Math.floor(2 ** 31 / parts) - 1);
    this.store = new StateStore({ words, hasSpareBit, memoryLimitBytes, stateLimit });
    this.expander = new StateExpander(plan, this.store, { scale: parts, offset: part });
    this.departures = Array.from({ length: parts }, () => new Departures(words));
    const end = this.expander.makeFirst();
    if (this.ownerOf(hashOf(this.expander.out, 0, words)) === part) this.add(end);
  }

  /** Takes what has arrived, expands some states, and hands over what is others'. */
  round({ arrivals, beginsLevel }: RoundRequest): RoundReport {
    for (const { words, parents } of arrivals) {
      this.store.addAll(words, words.length, parents, new Int32Array(parents.length));
    }
    if (beginsLevel) this.levelEnd = this.store.count;
    const before = this.done;
    while (!this.isRoundDone(before)) {
      const until = Math.min(this.levelEnd, this.done + BATCH_STATES, this.store.chunkEnd(this.done));
      const { to, end } = this.expander.expandSome(this.done, until);
      this.done = to;
      this.add(this.keepOwn(end));
    }
    return this.report(this.done - before);
  }

  private isRoundDone(before: number): boolean {
    return (
      this.done === this.levelEnd ||
      this.done - before >= ROUND_STATES ||
      this.expander.isEndedByBroken ||
      this.store.full !== undefined
    );
  }

  stateOnWay(number: number): StateOnWay {
    const own = Math.floor(number / this.parts);
    return { words: this.store.wordsOf(own).slice(), parent: this.store.parentOf(own) };
  }

  private add(end: number): void {
    const { out, parents, hashes } = this.expander;
    this.store.addAll(out, end, parents, hashes);
  }

  /** Other bits of the hash than those that choose the slot in the table. */
  private ownerOf(hash: number): number {
    return (Math.imul(hash, 0x85ebca6b) >>> 8) % this.parts;
  }

  /** Moves the batch's own states to its front and the others to their departures; the new end. */
  private keepOwn(end: number): number {
    const { out, parents } = this.expander;
    const { words } = this.plan.layout;
    let kept = 0;
    for (let from = 0, k = 0; from < end; from += words, k++) {
      const hash = hashOf(out, from, words);
      const owner = this.ownerOf(hash);
      if (owner !== this.part) {
        this.departures[owner].add(out, from, hash, parents[k]);
        continue;
      }
      if (kept < k) for (let word = 0; word < words; word++) out[kept * words + word] = out[from + word];
      parents[kept++] = parents[k];
    }
    return kept * words;
  }

  private report(expanded: number): RoundReport {
    const { store, expander, plan, parts, part } = this;
    return {
      departures: this.departures.map((departures) => departures.take()),
      isLevelDone: this.done === this.levelEnd,
      expanded,
      states: store.count,
      transitions: expander.transitions + plan.compiled.counters[2],
      bytes: store.bytes,
      brokenAt: Array.from(expander.brokenAt, (number) => (number < 0 ? -1 : number * parts + part)),
      seen: plan.properties.map(({ when, isChecked }, property) =>
        when === "sometimes" && isChecked ? plan.compiled.isSettled[property] : 0,
      ),
      full: store.full,
    };
  }
}

/** The part number `part` of `parts` of a search of `machine`. Throws StepsError as a search in one thread would. */
export function createSearchPart(
  machine: StepMachine,
  options: CheckOptions,
  { part, parts }: { readonly part: number; readonly parts: number },
): SearchPart {
  return new SearchPart(planSearch(machine, options), { part, parts });
}

/** States for another part, those left out that went there lately. */
class Departures {
  private readonly words: number;
  private readonly remembered: Int32Array;
  private out = new Int32Array(1024);
  private parents = new Int32Array(256);
  private count = 0;

  constructor(words: number) {
    this.words = words;
    // A place that was never used must look like no state that belongs there.
    this.remembered = new Int32Array(REMEMBERED_STATES * (words + 1));
  }

  add(states: Int32Array, from: number, hash: number, parent: number): void {
    const { words, remembered } = this;
    const place = (hash & (REMEMBERED_STATES - 1)) * (words + 1);
    let isKnown = remembered[place] === 1;
    for (let word = 0; word < words; word++) {
      if (remembered[place + 1 + word] === states[from + word]) continue;
      remembered[place + 1 + word] = states[from + word];
      isKnown = false;
    }
    if (isKnown) return;
    remembered[place] = 1;
    if (this.count === this.parents.length) this.parents = doubled(this.parents);
    while ((this.count + 1) * words > this.out.length) this.out = doubled(this.out);
    for (let word = 0; word < words; word++) this.out[this.count * words + word] = states[from + word];
    this.parents[this.count++] = parent;
  }

  take(): Handover {
    const { words, out, parents, count } = this;
    this.count = 0;
    return { words: out.slice(0, count * words), parents: parents.slice(0, count) };
  }
}

function doubled(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const more = new Int32Array(array.length * 2);
  more.set(array);
  return more;
}
