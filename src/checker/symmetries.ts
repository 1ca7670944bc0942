/**
 * Symmetry reduction: the exchanges of set elements and of threads after which a system is still itself.
 *
 * The elements of a `set` and the threads of one declaration are alike until the text tells them apart. Where they are, two
 * states that differ only in who is who have the same future, and the explorer keeps one of them. An exchange of elements
 * takes along the variables indexed by them, the values that name them and the threads bound to them; an exchange of
 * threads, the locks that they hold.
 *
 * Nothing is believed of a text's manners: every exchange of two neighbours is compared with the whole system, instruction
 * by instruction and property by property (renamed-threads.ts), and exchanges of neighbours generate all others. What
 * fails is left out, with the reason. The first state need not be symmetric: what is reached from a state has its
 * counterpart reached from the state's twin, and a property that holds in one holds in the other.
 */
import { expectKind, keyOfExpression, NotAlike, type Renaming } from "./renamed-expressions.ts";
import { expectAlike } from "./renamed-threads.ts";
import type { StepMachine, ValueKind, Variable } from "./step-machine.ts";

/** A permutation of a machine: where each variable, thread and set element goes. */
export interface Symmetry extends Renaming {
  /** Where variable i goes. */
  readonly variables: Int32Array;
  /** Where thread t goes; a lock's value goes with it. */
  readonly threads: Int32Array;
  /** By set: where element e goes; values of that set go with it. */
  readonly elements: readonly Int32Array[];
}

export interface Symmetries {
  /** The identity first. */
  readonly permutations: readonly Symmetry[];
  /** Sets whose elements ("mm") and declarations whose threads ("threads mapper") are not exchanged, and why. */
  readonly leftOut: readonly { readonly set: string; readonly reason: string }[];
}

/** 5! * 3! * ..., as far as it goes: a state is compared with so many at most. */
const DEFAULT_LIMIT = 5040;
const NUMBER: ValueKind = { kind: "number" };

/** Elements of a set, or threads of a declaration, that may be alike. */
interface Group {
  readonly name: string;
  /** Index of the set; -1: threads. */
  readonly set: number;
  /** Elements 0 .. n-1, or thread numbers. */
  readonly members: readonly number[];
}

/**
 * The permutations under which the machine is symmetric, at most `limit` of them: sets and threads that would make them more
 * are left out.
 */
export function symmetries(machine: StepMachine, limit = DEFAULT_LIMIT): Symmetries {
  const leftOut: { set: string; reason: string }[] = [];
  let permutations: readonly Symmetry[] = [identityOf(machine)];
  for (const group of groupsOf(machine)) {
    const reason = reasonToLeaveOut(machine, group) ?? reasonOfNumber(group, permutations.length, limit);
    if (reason === undefined) permutations = permutations.flatMap((one) => allOrders(machine, group, one));
    else leftOut.push({ set: group.name, reason });
  }
  return { permutations, leftOut };
}

function groupsOf(machine: StepMachine): readonly Group[] {
  const groups: Group[] = [];
  for (const [set, { name, elements }] of machine.sets.entries()) {
    if (elements > 1) groups.push({ name, set, members: Array.from({ length: elements }, (_, element) => element) });
  }
  const declarations = new Map<number, number[]>();
  for (const [thread, { declaration, bound }] of machine.threads.entries()) {
    if (bound !== undefined) continue;
    declarations.set(declaration, [...(declarations.get(declaration) ?? []), thread]);
  }
  for (const members of declarations.values()) {
    const name = `threads ${machine.threads[members[0]].name.replace(/\[.*$/, "")}`;
    if (members.length > 1) groups.push({ name, set: -1, members });
  }
  return groups;
}

/** Why exchanges within the group change the machine; undefined if they do not. */
function reasonToLeaveOut(machine: StepMachine, group: Group): string | undefined {
  if (group.set >= 0) {
    const { orderedBy } = machine.sets[group.set];
    if (orderedBy !== undefined) return orderedBy;
  }
  try {
    for (let at = 1; at < group.members.length; at++) {
      const exchange = new Map([
        [group.members[at - 1], group.members[at]],
        [group.members[at], group.members[at - 1]],
      ]);
      expectSymmetric(machine, permuted(machine, group, identityOf(machine), exchange));
    }
    return undefined;
  } catch (error) {
    if (error instanceof NotAlike) return error.message;
    throw error;
  }
}

function reasonOfNumber({ members }: Group, before: number, limit: number): string | undefined {
  let count = before;
  for (let factor = 2; factor <= members.length; factor++) count *= factor;
  return count > limit ? `${count} permutations are more than ${limit}` : undefined;
}

/** The exchanges of `one` followed by every order of the group's members, theirs first. */
function allOrders(machine: StepMachine, group: Group, one: Symmetry): readonly Symmetry[] {
  return ordersOf(group.members).map((order) => {
    const goes = new Map(group.members.map((member, at) => [member, order[at]]));
    return permuted(machine, group, one, goes);
  });
}

/** All orders of some numbers, the given one first. */
function ordersOf(members: readonly number[]): readonly (readonly number[])[] {
  if (members.length <= 1) return [members];
  return members.flatMap((first, at) => ordersOf(members.toSpliced(at, 1)).map((rest) => [first, ...rest]));
}

function identityOf(machine: StepMachine): Symmetry {
  return {
    variables: Int32Array.from(machine.variables.keys()),
    threads: Int32Array.from(machine.threads.keys()),
    elements: machine.sets.map(({ elements }) => Int32Array.from({ length: elements }, (_, element) => element)),
  };
}

/** `one`, and with it the members of a group that it leaves alone go where `goes` says; all else follows them. */
function permuted(
  machine: StepMachine,
  { set, members }: Group,
  one: Symmetry,
  goes: ReadonlyMap<number, number>,
): Symmetry {
  const images = Int32Array.from(members, (member) => goes.get(member) ?? member);
  if (set < 0) {
    const threads = one.threads.slice();
    for (const [at, member] of members.entries()) threads[member] = images[at];
    return { ...one, threads };
  }
  const elements = one.elements.with(set, images);
  const variableAt = new Map(machine.variables.map((variable, index) => [nameOf(variable), index]));
  const variables = Int32Array.from(
    machine.variables,
    (variable, index) => variableAt.get(nameOf(variable, elements)) ?? index,
  );
  const threads = one.threads.slice();
  for (const [thread, { declaration, bound }] of machine.threads.entries()) {
    if (bound?.set !== set) continue;
    const image = elements[set][bound.element];
    const counterpart = machine.threads.findIndex(
      (other) => other.declaration === declaration && other.bound?.set === set && other.bound.element === image,
    );
    threads[thread] = counterpart < 0 ? thread : counterpart;
  }
  return { variables, threads, elements };
}

/** An array with its indexes, those of sets renamed. */
function nameOf({ array, indexes }: Variable, elements?: readonly Int32Array[]): string {
  const renamed = indexes.map(({ set, element }) =>
    set < 0 || elements === undefined ? element : elements[set][element],
  );
  return `${array} ${renamed.join(" ")}`;
}

/** Throws NotAlike unless the machine under the renaming is itself. */
function expectSymmetric(machine: StepMachine, renaming: Symmetry): void {
  const identity = identityOf(machine);
  const contextOf = (registers: (typeof machine.threads)[number]["registers"]) => ({
    before: { machine, registers, renaming },
    after: { machine, registers, renaming: identity },
  });
  for (const [index, variable] of machine.variables.entries()) {
    const twin = machine.variables[renaming.variables[index]];
    expectKind(variable.value, twin.value, contextOf([]).before);
    const isSame = variable.kind === twin.kind && variable.min === twin.min && variable.max === twin.max;
    if (!isSame || variable.hasReaders !== twin.hasReaders)
      throw new NotAlike(`${variable.name} and ${twin.name} differ`);
  }
  if (
    new Set(renaming.variables).size !== renaming.variables.length ||
    new Set(renaming.threads).size !== renaming.threads.length
  ) {
    throw new NotAlike("not every element has its own variables and threads");
  }
  for (const [thread, before] of machine.threads.entries()) {
    const after = machine.threads[renaming.threads[thread]];
    expectAlike(
      { thread: before, context: contextOf(before.registers).before },
      { thread: after, context: contextOf(after.registers).after },
    );
  }
  for (const { name, condition } of machine.properties) {
    if (condition === undefined) continue;
    const { before, after } = contextOf([]);
    if (keyOfExpression(condition, NUMBER, before) !== keyOfExpression(condition, NUMBER, after)) {
      throw new NotAlike(`property ${name} tells them apart`);
    }
  }
}
