/**
 * What a search works with: the properties asked for, the limits, the reductions, and the machine compiled for them.
 *
 * Reductions, each switchable: steps that nobody can notice are run through (safe-steps.ts), threads that have not begun stand
 * at their first rest (thread-beginnings.ts), states that a renaming makes equal are one (canonical-state.ts). What is
 * compiled follows from them: run-through rests are in no state.
 */
import { type Canonicaliser, createCanonicaliser } from "./canonical-state.ts";
import type { CheckOptions } from "./check.ts";
import { type CompiledMachine, compileMachine } from "./compile-machine.ts";
import { type CheckerState, initialState } from "./interpret.ts";
import { checkPropertyNames } from "./property-names.ts";
import { BUILT_IN_PROPERTIES } from "./reference-explore.ts";
import type { StatePath } from "./retrace.ts";
import { observedVariables, safeSteps } from "./safe-steps.ts";
import { bufferEntriesOf, isKept, layOutStates, packState, type StateLayout } from "./state-layout.ts";
import type { MachineProperty, StepMachine } from "./step-machine.ts";
import { symmetries, type Symmetry } from "./symmetries.ts";
import { StepsError } from "./syntax.ts";
import { passBeginnings } from "./thread-beginnings.ts";

export { LIVELOCK } from "./property-names.ts";

export const DEFAULT_MEMORY_LIMIT_BYTES = 2 * 2 ** 30;
export const DEFAULT_STATE_LIMIT = 2 ** 29;
export const MIN_MEMORY_LIMIT_BYTES = 2 ** 20;

/** A property, and whether it is asked for. */
export interface ChosenProperty {
  readonly name: string;
  readonly when: MachineProperty["when"] | "built-in";
  readonly isChecked: boolean;
}

export interface SearchLimits {
  readonly memoryLimitBytes: number;
  readonly stateLimit: number;
}

export interface SearchPlan {
  readonly machine: StepMachine;
  readonly options: CheckOptions;
  /** The machine's in order, then the built-in ones but for livelock: their numbers are the compiled machine's. */
  readonly properties: readonly ChosenProperty[];
  readonly limits: SearchLimits;
  readonly layout: StateLayout;
  readonly compiled: CompiledMachine;
  /** Absent if states have no twins. */
  readonly canonicalise: Canonicaliser | undefined;
  /** The first state, packed. */
  readonly first: Int32Array;
  /** A state's words as the search keeps it; undefined if it is one that is run through. */
  readonly pack: (state: CheckerState) => Int32Array | undefined;
}

/**
 * Prepares a search. `hasDeeds`: transitions are told apart by what they do (compile-machine.ts).
 *
 * Throws StepsError for unknown properties, limits that make no sense, and machines that cannot be explored.
 */
export function planSearch(
  machine: StepMachine,
  options: CheckOptions,
  { hasDeeds = false }: { readonly hasDeeds?: boolean } = {},
): SearchPlan {
  const properties = chooseProperties(machine, options);
  const limits = limitsOf(options);
  const bufferEntries = bufferEntriesOf(options);
  const permutations = options.symmetry === false ? [] : symmetries(machine).permutations;
  const safe = stepsRunThrough(machine, options, properties, permutations);
  const shown = (state: CheckerState): CheckerState =>
    options.partialOrderReduction === false ? state : passBeginnings(machine, state);
  const start = shown(initialState(machine));
  const layout = layOutStates(machine, { first: start.pcs, safe, bufferEntries });
  const compiled = compileMachine(machine, layout, { hasDeeds });
  for (const [number, { isChecked }] of properties.entries()) compiled.isSettled[number] = isChecked ? 0 : 1;
  const canonicalise = createCanonicaliser(machine, layout, permutations);
  const pack = (reached: CheckerState): Int32Array | undefined => {
    const state = shown(reached);
    if (!isKept(layout, state)) return undefined;
    const words = new Int32Array(layout.words);
    packState(layout, state, words, 0);
    canonicalise?.(words, 0, layout.words);
    return words;
  };
  const first = pack(start);
  if (first === undefined) throw new Error("the first state is kept");
  return { machine, options, properties, limits, layout, compiled, canonicalise, first, pack };
}

/** The way through the states whose words `wordsOf` gives, for its story. */
export function pathThrough(plan: SearchPlan, length: number, wordsOf: (index: number) => Int32Array): StatePath {
  const matches = (state: CheckerState, index: number): boolean => {
    const words = plan.pack(state);
    if (words === undefined) return false;
    const kept = wordsOf(index);
    return words.every((word, at) => word === kept[at]);
  };
  return { length, matches };
}

function chooseProperties(machine: StepMachine, { properties }: CheckOptions): readonly ChosenProperty[] {
  const builtIn = BUILT_IN_PROPERTIES.map((name) => ({ name, when: "built-in" as const }));
  const all = [...machine.properties.map(({ name, when }) => ({ name, when })), ...builtIn];
  checkPropertyNames(machine, properties);
  return all.map((property) => ({ ...property, isChecked: properties?.includes(property.name) !== false }));
}

function limitsOf({ memoryLimitBytes, stateLimit }: CheckOptions): SearchLimits {
  if (memoryLimitBytes !== undefined && !(memoryLimitBytes >= MIN_MEMORY_LIMIT_BYTES)) {
    throw new StepsError(`a memory limit of less than ${MIN_MEMORY_LIMIT_BYTES} bytes holds no states`);
  }
  if (stateLimit !== undefined && !(stateLimit >= 1)) throw new StepsError("a limit of states is at least 1");
  return {
    memoryLimitBytes: memoryLimitBytes ?? DEFAULT_MEMORY_LIMIT_BYTES,
    stateLimit: Math.min(Math.floor(stateLimit ?? DEFAULT_STATE_LIMIT), DEFAULT_STATE_LIMIT),
  };
}

/** The steps that are run through: none without the reduction; twins alike, whatever the analysis found for each. */
function stepsRunThrough(
  machine: StepMachine,
  options: CheckOptions,
  properties: readonly ChosenProperty[],
  permutations: readonly Symmetry[],
): readonly Uint8Array[] {
  const none = machine.threads.map(({ instructions }) => new Uint8Array(instructions.length));
  if (options.partialOrderReduction === false) return none;
  const names = new Set(properties.filter(({ isChecked }) => isChecked).map(({ name }) => name));
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
