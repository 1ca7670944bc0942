/**
 * The search itself: every state of a system once, every property in every state, and how much of it there was.
 *
 * Breadth first, states are expanded in the order in which they were found, so that the first way to a broken property is a
 * shortest one; depth first, the newest first. Both find the same states. States are packed words (state-layout.ts) from the
 * first to the last; their successors are made a batch at a time by generated code (compile-machine.ts) and then looked up
 * together, as a look-up is a cache miss (state-store.ts). What a property's story needs is walked again at the end.
 *
 * Reductions, each switchable: steps that nobody can notice are run through (safe-steps.ts), states that a renaming makes equal
 * are one (canonical-state.ts). The search ends with the first broken property, at a limit, when its watch says so, or
 * when there is nothing left.
 */
import type { CheckConfiguration, CheckOptions, CheckResult, PropertyOutcome } from "./check.ts";
import { type Canonicaliser, createCanonicaliser } from "./canonical-state.ts";
import { type CompiledMachine, compileMachine } from "./compile-machine.ts";
import { elaborate } from "./elaborate.ts";
import { type CheckerState, initialState } from "./interpret.ts";
import { BUILT_IN_PROPERTIES } from "./reference-explore.ts";
import { observedVariables, safeSteps } from "./safe-steps.ts";
import { bufferEntriesOf, isKept, layOutStates, packState, type StateLayout } from "./state-layout.ts";
import { StateStore } from "./state-store.ts";
import type { MachineProperty, StepMachine } from "./step-machine.ts";
import type { StatePath } from "./retrace.ts";
import { tellStory } from "./story.ts";
import { symmetries, type Symmetry } from "./symmetries.ts";
import { StepsError } from "./syntax.ts";
import { passBeginnings } from "./thread-beginnings.ts";

/** How far a search has come. */
export interface CheckProgress {
  readonly states: number;
  readonly transitions: number;
  /** Since the search began. */
  readonly statesPerSecond: number;
  /** States found whose successors are not. */
  readonly frontier: number;
  readonly depth: number;
  readonly bytes: number;
}

/** Who watches a search: it is told how far it is, and may end it. */
export interface CheckWatch {
  /** Milliseconds from any beginning. */
  readonly now: () => number;
  /** Called about every `everyMs` (default 100); false ends the search. */
  readonly progress: (progress: CheckProgress) => boolean;
  readonly everyMs?: number;
}

export const DEFAULT_MEMORY_LIMIT_BYTES = 2 * 2 ** 30;
export const DEFAULT_STATE_LIMIT = 2 ** 29;
const MIN_MEMORY_LIMIT_BYTES = 2 ** 20;
/** States whose successors are made before they are looked up. */
const BATCH_STATES = 128;
/** Successors a state that a batch has room for; a state of more makes it shorter. */
const ORDINARY_SUCCESSORS = 64;
const LIVELOCK = "livelock";
/** Batches between two looks at the clock. */
const BATCHES_A_LOOK = 16;
const DEFAULT_EVERY_MS = 100;

/**
 * Checks a configuration: parses, fits and explores it. Throws StepsError if it cannot be run (a mistake in a text, an unknown
 * property or constant, a limit that makes no sense, a text that has no meaning somewhere on the way).
 */
export function check(configuration: CheckConfiguration, options: CheckOptions = {}, watch?: CheckWatch): CheckResult {
  return checkMachine(elaborate(configuration), options, watch);
}

/** As `check`, for a machine. */
export function checkMachine(machine: StepMachine, options: CheckOptions = {}, watch?: CheckWatch): CheckResult {
  const search = new Search(machine, options, watch);
  const coverage = search.run();
  return { configuration: machine.name, options, coverage, ...search.result(coverage) };
}

type Coverage = CheckResult["coverage"];

/** The checkable properties: what is asked for, or all. */
interface Chosen {
  readonly name: string;
  readonly when: MachineProperty["when"] | "built-in";
  readonly isChecked: boolean;
}

/** The machine's properties in order, then the built-in ones. Throws StepsError for a name that there is not. */
function chooseProperties(machine: StepMachine, { properties }: CheckOptions): readonly Chosen[] {
  const builtIn = BUILT_IN_PROPERTIES.map((name) => ({ name, when: "built-in" as const }));
  const all = [...machine.properties.map(({ name, when }) => ({ name, when })), ...builtIn];
  const known = new Set([...all.map(({ name }) => name), LIVELOCK]);
  for (const name of properties ?? []) {
    if (!known.has(name)) {
      throw new StepsError(`${machine.name} has no property ${name}; it has ${[...known].join(", ")}`);
    }
  }
  return all.map((property) => ({ ...property, isChecked: properties?.includes(property.name) !== false }));
}

function limitsOf({ memoryLimitBytes, stateLimit }: CheckOptions): {
  readonly memoryLimitBytes: number;
  readonly stateLimit: number;
} {
  if (memoryLimitBytes !== undefined && !(memoryLimitBytes >= MIN_MEMORY_LIMIT_BYTES)) {
    throw new StepsError(`a memory limit of less than ${MIN_MEMORY_LIMIT_BYTES} bytes holds no states`);
  }
  if (stateLimit !== undefined && !(stateLimit >= 1)) throw new StepsError("a limit of states is at least 1");
  return {
    memoryLimitBytes: memoryLimitBytes ?? DEFAULT_MEMORY_LIMIT_BYTES,
    stateLimit: Math.min(stateLimit ?? DEFAULT_STATE_LIMIT, DEFAULT_STATE_LIMIT),
  };
}

/** The steps that are run through: none without the reduction; twins alike, whatever the analysis found for each. */
function stepsRunThrough(
  machine: StepMachine,
  options: CheckOptions,
  chosen: readonly Chosen[],
  permutations: readonly Symmetry[],
): readonly Uint8Array[] {
  const none = machine.threads.map(({ instructions }) => new Uint8Array(instructions.length));
  if (options.partialOrderReduction === false) return none;
  const names = new Set(chosen.filter(({ isChecked }) => isChecked).map(({ name }) => name));
  const { memory = "sc", bufferEntries = 2 } = options;
  // The search goes on below zero if nobody asked for that property, or it goes on behind every broken one.
  const endsBelowZero = names.has("below-zero") && options.allProperties !== true;
  const safe = safeSteps(machine, observedVariables(machine, names), { memory, bufferEntries, endsBelowZero });
  return safe.map((own, thread) =>
    own.map((isSafe, at) =>
      isSafe === 1 && permutations.every(({ threads }) => safe[threads[thread]][at] === 1) ? 1 : 0,
    ),
  );
}

/** Successors made and not yet looked up. */
interface Batch {
  readonly out: Int32Array;
  /** The state behind which each was found. */
  readonly parents: Int32Array;
  readonly hashes: Int32Array;
}

class Search {
  private readonly machine: StepMachine;
  private readonly options: CheckOptions;
  private readonly watch: CheckWatch | undefined;
  private readonly chosen: readonly Chosen[];
  private readonly layout: StateLayout;
  private readonly compiled: CompiledMachine;
  private readonly canonicalise: Canonicaliser | undefined;
  private readonly store: StateStore;
  private readonly batch: Batch;
  /** For each property the state from which (or in which) it was broken, -1 before. */
  private readonly brokenAt: Int32Array;
  private readonly began: number;
  private nextLook: number;
  private batches = 0;
  private transitions = 0;
  private depth = 0;
  private isBroken = false;
  private isInterrupted = false;

  constructor(machine: StepMachine, options: CheckOptions, watch: CheckWatch | undefined) {
    this.machine = machine;
    this.options = options;
    this.watch = watch;
    this.chosen = chooseProperties(machine, options);
    const { permutations } = options.symmetry === false ? { permutations: [] } : symmetries(machine);
    const first = this.shown(initialState(machine));
    const bufferEntries = bufferEntriesOf(options);
    const safe = stepsRunThrough(machine, options, this.chosen, permutations);
    this.layout = layOutStates(machine, { first: first.pcs, safe, bufferEntries });
    this.compiled = compileMachine(machine, this.layout);
    for (const [number, { isChecked }] of this.chosen.entries()) this.compiled.isSettled[number] = isChecked ? 0 : 1;
    this.canonicalise = createCanonicaliser(machine, this.layout, permutations);
    this.store = new StateStore({ ...this.layout, ...limitsOf(options) });
    const perState = this.compiled.maxSuccessors;
    const room = BATCH_STATES * Math.min(perState, ORDINARY_SUCCESSORS) + perState;
    this.batch = {
      out: new Int32Array(room * this.layout.words),
      parents: new Int32Array(room),
      hashes: new Int32Array(room),
    };
    this.brokenAt = new Int32Array(this.chosen.length).fill(-1);
    this.began = watch?.now() ?? 0;
    this.nextLook = this.began + (watch?.everyMs ?? DEFAULT_EVERY_MS);
    this.addFirst(first);
  }

  /** A state as this search keeps it. */
  private shown(state: CheckerState): CheckerState {
    return this.options.partialOrderReduction === false ? state : passBeginnings(this.machine, state);
  }

  private addFirst(first: CheckerState): void {
    packState(this.layout, first, this.batch.out, 0);
    this.canonicalise?.(this.batch.out, 0, this.layout.words);
    this.batch.parents[0] = -1;
    this.store.addAll(this.batch.out, this.layout.words, this.batch.parents, this.batch.hashes);
  }

  run(): Coverage {
    if (this.options.search === "depth-first") this.runDepthFirst();
    else this.runBreadthFirst();
    if (this.isBroken && this.options.allProperties !== true) return "stopped-at-broken";
    if (this.isInterrupted) return "interrupted";
    return this.store.full ?? "complete";
  }

  private get isEnded(): boolean {
    return (
      (this.isBroken && this.options.allProperties !== true) || this.isInterrupted || this.store.full !== undefined
    );
  }

  private runBreadthFirst(): void {
    const { store, batch } = this;
    const { words } = this.layout;
    let done = 0;
    while (done < store.count) {
      const levelEnd = store.count;
      while (done < levelEnd) {
        const { to, end } = this.expandSome(done, Math.min(levelEnd, done + BATCH_STATES, store.chunkEnd(done)));
        done = to;
        this.transitions += end / words;
        this.canonicalise?.(batch.out, 0, end);
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
    const { compiled, store } = this;
    const { words } = this.layout;
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
    const { failed } = this.compiled;
    for (const property of failed) {
      if (!this.chosen[property].isChecked || this.brokenAt[property] >= 0) continue;
      this.brokenAt[property] = state;
      this.compiled.isSettled[property] = 1;
      this.isBroken = true;
    }
    failed.length = 0;
  }

  /** The newest state first; what waits to be looked up stands on a stack: its words, where it came from, how deep it is. */
  private runDepthFirst(): void {
    const { store, compiled, batch } = this;
    const { words } = this.layout;
    const stack = new DepthStack(words, (bytes) => store.reserve(bytes));
    const parent = batch.parents;
    this.expandDeep(0, 0, stack);
    while (stack.length > 0 && !this.isEnded) {
      const depth = stack.pop(batch.out, parent);
      const number = store.count;
      store.addAll(batch.out, words, parent, batch.hashes);
      if (store.count === number) continue;
      this.depth = Math.max(this.depth, depth);
      this.expandDeep(number, depth, stack);
      this.look(number + 1 - stack.length);
    }
    compiled.failed.length = 0;
  }

  private expandDeep(number: number, depth: number, stack: DepthStack): void {
    const { end } = this.expandSome(number, number + 1);
    this.transitions += end / this.layout.words;
    this.canonicalise?.(this.batch.out, 0, end);
    stack.push(this.batch.out, end, number, depth + 1);
  }

  /** Tells the watch how far the search is; `done` states are expanded. */
  private look(done: number): void {
    if (this.watch === undefined || ++this.batches % BATCHES_A_LOOK !== 0) return;
    const now = this.watch.now();
    if (now < this.nextLook) return;
    this.nextLook = now + (this.watch.everyMs ?? DEFAULT_EVERY_MS);
    const states = this.store.count;
    this.isInterrupted = !this.watch.progress({
      states,
      transitions: this.transitions + this.compiled.counters[2],
      statesPerSecond: (states * 1000) / Math.max(1, now - this.began),
      frontier: states - done,
      depth: this.depth,
      bytes: this.store.bytes,
    });
  }

  result(coverage: Coverage): Pick<CheckResult, "figures" | "properties"> {
    return {
      figures: {
        states: this.store.count,
        transitions: this.transitions + this.compiled.counters[2],
        depth: this.depth,
        bytes: this.store.bytes,
        stateWords: this.layout.words,
      },
      properties: this.chosen.map((property, number) => this.outcomeOf(property, number, coverage)),
    };
  }

  private outcomeOf({ name, when, isChecked }: Chosen, number: number, coverage: Coverage): PropertyOutcome {
    const isComplete = coverage === "complete";
    if (!isChecked) return { name, when, outcome: "not-checked" };
    if (when === "sometimes") {
      const isSeen = this.compiled.isSettled[number] === 1;
      return { name, when, outcome: isSeen ? "seen" : isComplete ? "unseen" : "not-seen-so-far" };
    }
    const brokenAt = this.brokenAt[number];
    if (brokenAt < 0) return { name, when, outcome: isComplete ? "holds" : "holds-so-far" };
    const story = tellStory(this.machine, this.options, { property: { name, when }, path: this.pathTo(brokenAt) });
    return { name, when, outcome: "broken", story };
  }

  private pathTo(number: number): StatePath {
    const { store, layout, canonicalise } = this;
    const numbers: number[] = [];
    for (let at = number; at >= 0; at = store.parentOf(at)) numbers.push(at);
    numbers.reverse();
    const words = new Int32Array(layout.words);
    const matches = (reached: CheckerState, index: number): boolean => {
      const state = this.shown(reached);
      if (!isKept(layout, state)) return false;
      packState(layout, state, words, 0);
      canonicalise?.(words, 0, layout.words);
      const chunk = store.chunkOf(numbers[index]);
      const from = store.indexOf(numbers[index]);
      return words.every((word, at) => word === chunk[from + at]);
    };
    return { length: numbers.length, matches };
  }
}

/** States on their way to be looked up: words, parent and depth of each. */
class DepthStack {
  length = 0;
  private entries: Int32Array;
  private readonly words: number;
  private readonly reserve: (bytes: number) => void;

  constructor(words: number, reserve: (bytes: number) => void) {
    this.words = words;
    this.reserve = reserve;
    this.entries = new Int32Array(1024 * (words + 2));
  }

  push(states: Int32Array, end: number, parent: number, depth: number): void {
    const { words } = this;
    const size = words + 2;
    while ((this.length + end / words) * size > this.entries.length) {
      const grown = new Int32Array(this.entries.length * 2);
      this.reserve(this.entries.byteLength);
      grown.set(this.entries);
      this.entries = grown;
    }
    for (let from = 0; from < end; from += words) {
      const at = this.length++ * size;
      for (let word = 0; word < words; word++) this.entries[at + word] = states[from + word];
      this.entries[at + words] = parent;
      this.entries[at + words + 1] = depth;
    }
  }

  /** Takes the newest off: its words to `state`, its parent to `parents[0]`. Its depth. */
  pop(state: Int32Array, parents: Int32Array): number {
    const { words, entries } = this;
    const at = --this.length * (words + 2);
    for (let word = 0; word < words; word++) state[word] = entries[at + word];
    parents[0] = entries[at + words];
    return entries[at + words + 1];
  }
}
