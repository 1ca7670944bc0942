/**
 * A checked system as numbers: variables, and for each thread a list of instructions.
 *
 * This is what `elaborate` makes of step-language texts and a configuration, and all that the interpreter, the compiler, the
 * reductions and the explorers know. Procedures are inlined, constants folded, names resolved; the meaning of a transition is
 * docs/step-language.md's ("What a transition is"), and `interpret.ts` is its obviously right form.
 *
 *     variables   0 .. n-1       words, ghosts and locks, arrays flattened row by row
 *     threads     0 .. t-1       instructions 0 .. k-1 each, registers 0 .. r-1 each
 *     a state     the value of every variable; of every thread its rest pc and its live registers; under TSO its buffer
 *
 * Lock values: 0 free; t + 1 held by thread t. A lock that is ever taken shared has readers too: bit t of the value is set
 * for each reader t, and a writer t is (t + 1) << threadCount.
 */
import type { Position, PropertyTime } from "./syntax.ts";

/** Expressions over registers, bound indexes and, where the language allows it, variables. int32; true is 1. */
export type MachineExpression =
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "register"; readonly register: number }
  | { readonly kind: "variable"; readonly at: VariablePlace }
  | { readonly kind: "table"; readonly values: readonly number[]; readonly index: MachineExpression }
  | {
      readonly kind: "binary";
      readonly operator:
        | "||"
        | "&&"
        | "=="
        | "!="
        | "<"
        | "<="
        | ">"
        | ">="
        | "+"
        | "-"
        | "*"
        | "/"
        | "%"
        | "min"
        | "max";
      readonly left: MachineExpression;
      readonly right: MachineExpression;
    }
  | { readonly kind: "not" | "negate"; readonly operand: MachineExpression }
  | {
      readonly kind: "conditional";
      readonly condition: MachineExpression;
      readonly then: MachineExpression;
      readonly otherwise: MachineExpression;
    };

/**
 * Variable `base + index`, 0 <= index < count; without index it is `base` itself and count 1. An index outside is a fault
 * of the text and ends the check with an error. Quantifiers are unrolled by the elaboration.
 */
export interface VariablePlace {
  readonly base: number;
  readonly count: number;
  readonly index?: MachineExpression;
}

/** What a value is, where it is of a set: symmetry renames it. `thread`: a lock's. */
export type ValueKind =
  | { readonly kind: "number" }
  | { readonly kind: "element"; readonly set: number }
  | { readonly kind: "lock" };

export interface Variable {
  /** As the text writes it: "pte[1][0]". */
  readonly name: string;
  readonly kind: "word" | "ghost" | "lock";
  readonly min: number;
  readonly max: number;
  readonly initial: number;
  /** Lock: taken shared somewhere. */
  readonly hasReaders: boolean;
  readonly value: ValueKind;
  /** The array it is an element of, and its index in each dimension, with the set of that dimension (-1: an index). */
  readonly array: string;
  readonly indexes: readonly { readonly set: number; readonly element: number }[];
}

/** A scalarset; `elements` interchangeable ones. */
export interface MachineSet {
  readonly name: string;
  readonly elements: number;
  /** Why its elements are not interchangeable: a use that tells them apart, with its place. Absent if there is none. */
  readonly orderedBy?: string;
}

export interface Register {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly value: ValueKind;
}

/** Where an instruction comes from, for stories: the line of its text, as written. */
export interface Origin extends Position {
  readonly source: string;
}

/** Without `to`, `then` or `targets` the next instruction follows. */
export type Instruction = { readonly origin: Origin } &
  // Steps: one shared access each.
  (
    | { readonly op: "load"; readonly register: number; readonly at: VariablePlace }
    | { readonly op: "store"; readonly at: VariablePlace; readonly value: MachineExpression }
    /** `register` -1: nobody wants the new value (add) or the old one (swap). */
    | {
        readonly op: "add" | "swap";
        readonly register: number;
        readonly at: VariablePlace;
        readonly value: MachineExpression;
      }
    | {
        readonly op: "cas";
        readonly register: number;
        readonly at: VariablePlace;
        readonly expected: MachineExpression;
        readonly value: MachineExpression;
      }
    | { readonly op: "lock" | "unlock"; readonly isShared: boolean; readonly at: VariablePlace }
    | { readonly op: "trylock"; readonly isShared: boolean; readonly register: number; readonly at: VariablePlace }
    | { readonly op: "fence" }
    | { readonly op: "await"; readonly condition: MachineExpression }
    // Local.
    | { readonly op: "set"; readonly register: number; readonly value: MachineExpression }
    | { readonly op: "ghost"; readonly at: VariablePlace; readonly value: MachineExpression }
    /** Property `assertion` (index into StepMachine.properties) fails if the condition is 0. */
    | { readonly op: "assert"; readonly assertion: number; readonly condition: MachineExpression }
    | {
        readonly op: "branch";
        readonly condition: MachineExpression;
        readonly then: number;
        readonly otherwise: number;
      }
    | { readonly op: "jump"; readonly to: number }
    /** Rest; any of the targets. A `pick` is one too: its targets set the register and check its `where` (`require`). */
    | { readonly op: "choose"; readonly targets: readonly number[] }
    /** The alternative that leads here does not exist unless the condition (registers only) holds. Directly behind choose. */
    | { readonly op: "require"; readonly condition: MachineExpression }
    /** Rest; an operation begins (`operation`: index into StepMachine.operations) with the next instruction. */
    | { readonly op: "begin" | "end"; readonly operation: number }
    | { readonly op: "stop" }
  );

export interface MachineThread {
  /** "mapper[1]"; a thread alone in its declaration has its bare name. */
  readonly name: string;
  /** Threads of one declaration: they run the same instructions but for the element they are bound to. */
  readonly declaration: number;
  /** The set and element that the declaration binds this thread to. */
  readonly bound?: { readonly set: number; readonly element: number };
  readonly registers: readonly Register[];
  readonly instructions: readonly Instruction[];
}

export interface MachineProperty {
  readonly name: string;
  /** "assert": checked where threads say so; the others in states. */
  readonly when: PropertyTime | "assert";
  /** Over variables; absent for "assert". */
  readonly condition?: MachineExpression;
  readonly origin: Origin;
}

export interface StepMachine {
  readonly name: string;
  readonly sets: readonly MachineSet[];
  readonly variables: readonly Variable[];
  readonly threads: readonly MachineThread[];
  /** Runs alone before the threads, as thread 0; has no choices and leaves no lock held. */
  readonly initially?: MachineThread;
  readonly operations: readonly string[];
  readonly properties: readonly MachineProperty[];
  /** Constants as they were fitted, for reports. */
  readonly constants: Readonly<Record<string, number>>;
}

const LOCAL: ReadonlySet<Instruction["op"]> = new Set(["set", "ghost", "assert", "branch", "jump", "require", "end"]);
const REST_ONLY: ReadonlySet<Instruction["op"]> = new Set(["choose", "begin", "stop"]);

/** Whether a thread can rest at this instruction: a step, a choice, the beginning of an operation, the end. */
export function isRest(instruction: Instruction): boolean {
  return !LOCAL.has(instruction.op);
}

/** Whether it is a step: an access to shared memory, taken by itself. */
export function isStep(instruction: Instruction): boolean {
  return isRest(instruction) && !REST_ONLY.has(instruction.op);
}
