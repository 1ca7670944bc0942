/**
 * A thread while its statements are elaborated: its instructions so far, its registers, and where a statement stands.
 *
 * A register belongs to the block that declares it. When the block is left its register may be taken again by the same
 * statement inlined elsewhere: the lives of the two cannot overlap, as each begins with a value. Invariant: a name of a
 * block hides no word, ghost, lock or constant and no other name of the same procedure, so that what a line says does not
 * depend on a line far above it.
 */
import { type Sort, type SortOf, knownSort, sortOfSet } from "./element-sorts.ts";
import { elaborateRange } from "./elaborate-declarations.ts";
import type { View } from "./elaborate-expressions.ts";
import { type InstructionBody, type InstructionList, emit } from "./instruction-list.ts";
import type { Origin } from "./step-machine.ts";
import { type Local, type Scope, type Site, type Typed, findLocal, innerScope, stepsError } from "./symbols.ts";
import type { Block, Position, Range, Statement } from "./syntax.ts";
import type { Interval } from "./value-intervals.ts";

/** Registers of one thread. */
export const REGISTERS_MAX = 512;

/** A register; its range comes last, from all that is assigned to it, unless the text or a counted loop gives it. */
export interface RegisterDraft {
  readonly name: string;
  readonly sort: Sort;
  readonly given: Interval | undefined;
  /** The given range holds by construction (a loop's counter). */
  readonly isTrusted: boolean;
}

/** What the threads of a system share while they are elaborated. */
export interface SystemDraft {
  readonly originOf: (position: Position) => Origin;
  /** The number of an assertion or operation, new names at the end. */
  readonly assertion: (name: string, origin: Origin) => number;
  readonly operation: (name: string) => number;
  readonly withoutLocks: ReadonlySet<string>;
}

/** One thread being written. */
export interface ThreadDraft {
  readonly system: SystemDraft;
  readonly list: InstructionList;
  readonly registers: RegisterDraft[];
  /** Registers of blocks that were left, by the statement that declared them. */
  readonly free: Map<object, number[]>;
  /** The label of the thread's end. */
  readonly end: number;
  /** `initially`: no choices, no operations. */
  readonly isInitial: boolean;
  readonly block: (thread: ThreadDraft, block: Block, frame: Frame) => void;
}

/** Where a `break` or a `return` leads, and in which operation (-1: none) that is. */
export interface Exit {
  readonly label: number;
  readonly operation: number;
}

/** The register that a call gives its value to. */
export interface Target {
  readonly register: number;
  readonly sort: Sort;
}

/** Where a statement stands. */
export interface Frame extends Site {
  readonly scope: Scope;
  /** Registers that the block has taken, to be given back when it is left. */
  readonly taken: { readonly by: object; readonly register: number }[];
  readonly operation: number;
  readonly breakTo: Exit | undefined;
  readonly returnTo: (Exit & { readonly target: Target | undefined }) | undefined;
}

/** What a step or a local statement sees: registers. */
export function registersView(frame: Frame): View {
  return { ...frame, sees: "registers" };
}

/** What ghosts, assertions and `await` see. */
export function everythingView(frame: Frame): View {
  return { ...frame, sees: "everything" };
}

/** Writes an instruction that stands where `statement` does. */
export function write(thread: ThreadDraft, statement: { readonly position: Position }, body: InstructionBody): void {
  emit(thread.list, thread.system.originOf(statement.position), body);
}

/** A frame for a block inside of another. */
export function innerFrame(frame: Frame): Frame {
  return { ...frame, scope: innerScope(frame.scope), taken: [] };
}

/** Gives the registers of a block back. */
export function leaveBlock(thread: ThreadDraft, frame: Frame): void {
  for (const { by, register } of frame.taken) {
    const free = thread.free.get(by);
    if (free === undefined) thread.free.set(by, [register]);
    else free.push(register);
  }
}

/** Refuses a new name that hides another one. */
export function refuseHiding(name: string, position: Position, frame: Frame): void {
  if (findLocal(frame.scope, name) !== undefined) {
    throw stepsError(frame, `${name} is declared here already: without let it gets another value`, position);
  }
  const declaration = frame.symbols.find(name);
  if (declaration === undefined || !["word", "ghost", "lock", "const"].includes(declaration.kind)) return;
  throw stepsError(frame, `${name} is a ${declaration.kind} already: give the register another name`, position);
}

/** Binds a name of the block to a value that cannot be assigned to. */
export function bindValue(name: string, value: Typed, position: Position, frame: Frame): void {
  refuseHiding(name, position, frame);
  frame.scope.locals.set(name, { value, register: undefined });
}

/** The wish for a register. */
export interface NewRegister {
  readonly name: string;
  readonly position: Position;
  readonly sort: SortOf;
  readonly given?: Interval | undefined;
  readonly isTrusted?: boolean;
}

/** Takes a register for `by` (a statement, or what else stands for one) without naming it. */
export function takeRegister(thread: ThreadDraft, by: object, wish: NewRegister, frame: Frame): Target {
  const known = knownSort(wish.sort);
  const free = thread.free.get(by) ?? [];
  const again = free.findIndex((register) => {
    const { sort, given } = thread.registers[register];
    return (
      known !== undefined &&
      knownSort(sort) === known &&
      given?.min === wish.given?.min &&
      given?.max === wish.given?.max
    );
  });
  let register: number;
  if (again >= 0) [register] = free.splice(again, 1);
  else {
    if (thread.registers.length === REGISTERS_MAX) {
      throw stepsError(frame, `the thread has more than ${REGISTERS_MAX} registers`, wish.position);
    }
    const { name, given, isTrusted = false } = wish;
    register = thread.registers.push({ name, sort: wish.sort ?? {}, given, isTrusted }) - 1;
  }
  frame.taken.push({ by, register });
  return { register, sort: thread.registers[register].sort };
}

/** Takes a register and names it in the block. */
export function declareRegister(thread: ThreadDraft, by: object, wish: NewRegister, frame: Frame): Target {
  refuseHiding(wish.name, wish.position, frame);
  const target = takeRegister(thread, by, wish, frame);
  frame.scope.locals.set(wish.name, registerLocal(target));
  return target;
}

function registerLocal({ register, sort }: Target): Local {
  return { value: registerValue({ register, sort }), register };
}

/** A register as an expression. */
export function registerValue({ register, sort }: Target): Typed {
  return { expression: { kind: "register", register }, sort, isTruth: false, parts: 1 };
}

/** The register that a statement assigns to: a new one with `let`, else one of the names around it. */
export function targetOf(
  thread: ThreadDraft,
  statement: Extract<Statement, { readonly isNew: boolean }>,
  sort: SortOf,
  frame: Frame,
): Target {
  const { register: name, position } = statement;
  if (name === undefined) throw new Error("a statement without register has no target");
  const range = "range" in statement ? statement.range : undefined;
  if (statement.isNew) {
    const bounds = range === undefined ? undefined : boundsOf(range, position, frame);
    return declareRegister(thread, statement, { name, position, sort: bounds?.sort ?? sort, given: bounds }, frame);
  }
  return existingTarget(name, position, frame);
}

/** The register of a name that is declared; throws StepsError if there is none or if it is not one. */
export function existingTarget(name: string, position: Position, frame: Frame): Target {
  const local = findLocal(frame.scope, name);
  if (local === undefined) {
    const kind = frame.symbols.find(name)?.kind;
    const hint =
      kind === "word" || kind === "ghost"
        ? `${name} is a ${kind}: ${kind === "word" ? "store" : kind} ${name} = ...`
        : `let ${name} = ... declares it`;
    throw stepsError(frame, `no register is named ${name} (${hint})`, position);
  }
  const { register, value } = local;
  if (register === undefined) throw stepsError(frame, `${name} has one value and cannot be given another`, position);
  return { register, sort: value.sort ?? {} };
}

/** The bounds and sort of a range that stands with a register. */
export function boundsOf(range: Range, position: Position, frame: Frame): Interval & { readonly sort: SortOf } {
  const { min, max, set } = elaborateRange(range, position, frame.symbols);
  return { min, max, sort: sortOfSet(set) };
}
