/**
 * Which renamings of a state are worth trying: those that put what can be told apart in order.
 *
 * Trying all n! orders of n elements for every state is most of a search's time. But elements differ: by the variables that are
 * theirs, by where the thread bound to them rests, by whether some word names them. All this goes along when a state is renamed,
 * so it makes a mark of each element (and of each of several threads that are alike), and of a state and its twins it is enough
 * to compare those in which the marks ascend:
 *
 *     marks       8 3 8 5     ->     ranks 2 0 2 1     ->     only the renamings that bring them to 3 5 8 8: two
 *
 * A mark is a hash; should two that differ be equal, there are more renamings to try, and no other answer.
 *
 * What makes a mark must not depend on who is who otherwise: numbers in the element's own variables (over other sets the sum),
 * whether a word is this element (over other sets how often), pc and registers of its own threads.
 */
import { type Code, literal } from "./compile-expression.ts";
import type { Field, StateLayout, ThreadLayout } from "./state-layout.ts";
import { maskOf } from "./state-layout.ts";
import type { StepMachine, ValueKind } from "./step-machine.ts";
import type { Symmetry } from "./symmetries.ts";

/** Elements of a set, or threads that are alike (set -1), that some renaming exchanges. */
interface Group {
  readonly set: number;
  readonly members: readonly number[];
}

/** How the renamings to try follow from a state. */
export interface RenamingOrder {
  /** Statements over the words w0, w1, ... that leave the number of the state's order in `key`. */
  readonly code: Code;
  /** The indexes of the renamings to try for a key, at least one. */
  readonly renamingsFor: (key: number) => readonly number[];
}

/** The order that tells most apart for these renamings. */
export function createOrder(
  machine: StepMachine,
  layout: StateLayout,
  permutations: readonly Symmetry[],
): RenamingOrder {
  const groups = groupsIn(machine, permutations);
  const marks = new MarkCode(machine, layout);
  const code = groups.map((group, number) => marks.keyOf(group, `m${number}_`)).join("");
  return {
    code: `let key=0,m=0;\n${code}`,
    renamingsFor: (key) => {
      const ranks = ranksIn(key, groups);
      return [...permutations.keys()].filter((number) => isAscending(permutations[number], groups, ranks));
    },
  };
}

function groupsIn({ sets, threads }: StepMachine, permutations: readonly Symmetry[]): readonly Group[] {
  const groups: Group[] = [];
  for (const [set, { elements }] of sets.entries()) {
    const isMoved = permutations.some((one) => one.elements[set].some((to, from) => to !== from));
    if (isMoved) groups.push({ set, members: Array.from({ length: elements }, (_, element) => element) });
  }
  const declarations = new Map<number, number[]>();
  for (const [thread, { declaration, bound }] of threads.entries()) {
    if (bound !== undefined || permutations.every((one) => one.threads[thread] === thread)) continue;
    declarations.set(declaration, [...(declarations.get(declaration) ?? []), thread]);
  }
  for (const members of declarations.values()) groups.push({ set: -1, members });
  return groups;
}

/** The ranks of each group's members, out of a key: digits to the base of the group's size, the last one's last. */
function ranksIn(key: number, groups: readonly Group[]): readonly (readonly number[])[] {
  let rest = key;
  const ranks: number[][] = [];
  for (const { members } of groups.toReversed()) {
    const own: number[] = [];
    for (let member = 0; member < members.length; member++) {
      own.unshift(rest % members.length);
      rest = Math.floor(rest / members.length);
    }
    ranks.unshift(own);
  }
  return ranks;
}

/** Whether the renaming puts every group's marks in order. */
function isAscending(permutation: Symmetry, groups: readonly Group[], ranks: readonly (readonly number[])[]): boolean {
  return groups.every(({ set, members }, group) => {
    const places = set < 0 ? permutation.threads : permutation.elements[set];
    const ordered = [...members.keys()].sort((a, b) => places[members[a]] - places[members[b]]);
    return ordered.every((member, at) => at === 0 || ranks[group][ordered[at - 1]] <= ranks[group][member]);
  });
}

class MarkCode {
  private readonly machine: StepMachine;
  private readonly layout: StateLayout;

  constructor(machine: StepMachine, layout: StateLayout) {
    this.machine = machine;
    this.layout = layout;
  }

  /** The marks of a group's members in names that begin with `prefix`, and their ranks as digits of `key`. */
  keyOf({ set, members }: Group, prefix: string): Code {
    const marks = members.map((member, number) => {
      const parts = set < 0 ? this.partsOfThread(member) : this.partsOfElement(set, member);
      const mixed = parts.map((part) => `m=Math.imul(m^(m>>>15)^(${part}),0x9e3779b1);`);
      return `m=0;${mixed.join("")}const ${prefix}${number}=m;\n`;
    });
    const ranks = members.map((_, number) => {
      const less = members.flatMap((_other, other) =>
        other === number ? [] : [`(${prefix}${other}<${prefix}${number}?1:0)`],
      );
      return `key=key*${members.length}+${less.join("+")};\n`;
    });
    return marks.join("") + ranks.join("");
  }

  private partsOfElement(set: number, element: number): Code[] {
    const sums = new Map<string, Code[]>();
    const add = (key: string, part: Code | undefined): void => {
      if (part !== undefined) sums.set(key, [...(sums.get(key) ?? []), part]);
    };
    for (const [number, { array, indexes, value }] of this.machine.variables.entries()) {
      const field = this.layout.variables[number];
      const own = indexes.find((index) => index.set === set);
      if (own !== undefined && own.element !== element) continue;
      const fixed = indexes.filter((index) => index.set < 0).map((index) => index.element);
      add(
        `${array} ${fixed.join()}`,
        own === undefined ? partOfNaming(field, value, set, element) : partOfOwn(field, value),
      );
    }
    for (const [number, { declaration, bound }] of this.machine.threads.entries()) {
      const own = this.layout.threads[number];
      const isBound = bound?.set === set && bound.element === element;
      if (isBound) for (const [at, part] of partsOfPlace(own).entries()) add(`bound ${declaration} ${at}`, part);
      for (const [slot, field] of own.slots.entries()) {
        const key = `slot ${declaration} ${slot} ${isBound}`;
        add(key, partOfNaming(field, own.slotKinds[slot], set, element));
      }
    }
    // By key: an element's own thread comes sooner among all threads than another's.
    const sorted = [...sums].sort(([a], [b]) => (a < b ? -1 : 1));
    return sorted.map(([, parts]) => parts.join("+"));
  }

  private partsOfThread(thread: number): Code[] {
    const parts = partsOfPlace(this.layout.threads[thread]);
    const held = this.machine.variables.flatMap(({ kind, hasReaders }, number) => {
      if (kind !== "lock") return [];
      const bits = raw(this.layout.variables[number]);
      const writer = (thread + 1) << (hasReaders ? this.machine.threads.length : 0);
      const reader = hasReaders ? `||(${bits}<${1 << this.machine.threads.length}&&(${bits}&${1 << thread})!==0)` : "";
      return [`(${bits}===${writer}${reader}?1:0)`];
    });
    return held.length === 0 ? parts : [...parts, held.join("+")];
  }
}

/** A number, or whether a lock is taken, in a variable that is the element's own. */
function partOfOwn(field: Field, value: ValueKind): Code | undefined {
  if (value.kind === "number") return raw(field);
  return value.kind === "lock" ? `(${raw(field)}===0?0:1)` : undefined;
}

/** Whether a value names the element. */
function partOfNaming(field: Field, value: ValueKind, set: number, element: number): Code | undefined {
  if (value.kind !== "element" || value.set !== set || field.bits === 0) return undefined;
  return `(${raw(field)}===${literal(element - field.min)}?1:0)`;
}

/** Where a thread is, in what does not depend on who is who: its pc, its numbers, how much its buffer holds. */
function partsOfPlace({ pc, slots, slotKinds, buffer }: ThreadLayout): Code[] {
  const numbers = slots.filter((_, slot) => slotKinds[slot].kind === "number");
  return [pc, ...numbers, buffer.length].filter(({ bits }) => bits > 0).map(raw);
}

function raw({ word, shift, bits }: Field): Code {
  if (bits === 0) return "0";
  return bits === 32 ? `w${word}` : `(w${word}>>>${shift}&${maskOf(bits)})`;
}
