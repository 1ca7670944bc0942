/**
 * A workload: a history that real machines have, at any size, the same for the same seed.
 *
 * Most are scenarios: they give commands of the scenario language, so that each can be printed, run on a real kernel while
 * it is small, and shrunk. A few need what the model has not (folios above PMD size) and drive the entry machine.
 */
import type { EntryMachine, EntryMachineShape } from "../scenario/index.ts";

/** One of a workload's numbers. Whole; min <= default <= max. */
export interface WorkloadParameter {
  readonly about: string;
  readonly default: number;
  readonly min: number;
  readonly max: number;
  /** If given, it is one of these, ascending: the first is `min`, the last `max`. */
  readonly choices?: readonly number[];
}

/** Values by name; one for each parameter of the workload. */
export type WorkloadValues = Readonly<Record<string, number>>;

/** 0 <= number < 1, the same for the same seed. */
export type Random = () => number;

interface WorkloadDescription {
  /** Stable, kebab-case: "fork-server". */
  readonly id: string;
  readonly title: string;
  /** What it stands for and where its figures come from, in a few sentences. */
  readonly about: string;
  /** "literature 5", a mail, a program's documentation. */
  readonly source: string;
  /** By name, camelCase. */
  readonly parameters: Readonly<Record<string, WorkloadParameter>>;
}

export interface ScenarioWorkload extends WorkloadDescription {
  readonly kind: "scenario";
  /** An upper bound of the memory that its pages take at any one time, on the machine as a whole. */
  readonly memoryBytes: (parameters: WorkloadValues) => number;
  /** Lines of the scenario language, in order. */
  readonly lines: (parameters: WorkloadValues, random: Random) => Iterable<string>;
}

export interface EntryWorkload extends WorkloadDescription {
  readonly kind: "entries";
  /** What machine it needs: frames, and whether entries map parts of folios above PMD size. */
  readonly machine: EntryMachineShape;
  /** Makes the machine's first state, then one step a call of the iterator: what it was called and what it was. */
  readonly steps: (
    machine: EntryMachine,
    parameters: WorkloadValues,
    random: Random,
  ) => Iterable<{ readonly operation: string; readonly text: string }>;
}

export type Workload = ScenarioWorkload | EntryWorkload;
