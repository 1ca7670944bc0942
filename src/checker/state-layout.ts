/**
 * Where everything in a state stands in its 32-bit words.
 *
 * A state is what a CheckerState says: variables, where each thread rests, its live registers, its store buffer. Each gets a
 * field of as many bits as its values need, kept as the distance from the least value; a field never straddles two words, and
 * what can have one value only takes no bits. Registers that are never live at the same rest share a slot.
 *
 *     word 0   31 ......... 0      first fit, longest first; neighbours of one array side by side, so that an index of a
 *              | free | a[2] a[1] a[0] | pc 0 |      register becomes a shift
 *
 * Two states are equal if and only if their words are: whatever has no meaning (dead slots, free buffer entries, bits of no
 * field) is 0.
 */
import type { CheckOptions } from "./check.ts";
import type { BufferedStore, CheckerState } from "./interpret.ts";
import { liveRegisters } from "./live-registers.ts";
import type { MachineThread, Register, StepMachine, ValueKind } from "./step-machine.ts";
import { storedRests } from "./stored-rests.ts";
import { StepsError } from "./syntax.ts";

/** Bits `shift` to `shift + bits - 1` of a word hold a value less `min`; without bits the value is `min`. */
export interface Field {
  readonly word: number;
  readonly shift: number;
  /** 0 to 32. */
  readonly bits: number;
  readonly min: number;
}

/** The store buffer of a thread, oldest entry first; entries from `length` on are 0. */
export interface BufferLayout {
  readonly length: Field;
  /** `variable` is an index into `variables`. */
  readonly entries: readonly { readonly variable: Field; readonly value: Field }[];
  /** The variables that the thread stores into or unlocks, ascending. */
  readonly variables: readonly number[];
}

export interface ThreadLayout {
  /** Holds an index into `rests`. */
  readonly pc: Field;
  /** Instructions at which a state may show the thread, ascending. */
  readonly rests: readonly number[];
  /** Registers that are live at each of `rests`, ascending. */
  readonly live: readonly (readonly number[])[];
  readonly slots: readonly Field[];
  /** What the values of each slot are: registers of different kinds do not share. */
  readonly slotKinds: readonly ValueKind[];
  /** For each register its slot, or -1 if it is live at no rest. */
  readonly slotOf: readonly number[];
  readonly buffer: BufferLayout;
}

export interface StateLayout {
  /** 32-bit words of a state, at least 1. */
  readonly words: number;
  /** Whether the highest bit of the last word is never set: then no state is all ones there. */
  readonly hasSpareBit: boolean;
  readonly variables: readonly Field[];
  readonly threads: readonly ThreadLayout[];
  readonly bufferEntries: number;
}

/** More words would make a step cost more than a state is worth; a text of such size is for random schedules. */
export const MAX_STATE_WORDS = 64;
export const MAX_BUFFER_ENTRIES = 8;
const WORD_BITS = 32;

export interface LayoutOptions {
  /** Where each thread is in the first state. */
  readonly first: ArrayLike<number>;
  /** Of each thread, 1 for steps that are run through (stored-rests.ts). */
  readonly safe: readonly Uint8Array[];
  /** 0: sequential consistency. */
  readonly bufferEntries: number;
}

/** The entries of a store buffer that `options` ask for, 0 under sequential consistency. Throws StepsError beyond 1 to 8. */
export function bufferEntriesOf({ memory = "sc", bufferEntries = 2 }: CheckOptions): number {
  if (!Number.isInteger(bufferEntries) || bufferEntries < 1 || bufferEntries > MAX_BUFFER_ENTRIES) {
    throw new StepsError(`a store buffer has 1 to ${MAX_BUFFER_ENTRIES} entries, not ${bufferEntries}`);
  }
  return memory === "tso" ? bufferEntries : 0;
}

/** Lays out the states of a machine. Throws StepsError if a state would take more than MAX_STATE_WORDS words. */
export function layOutStates(machine: StepMachine, { first, safe, bufferEntries }: LayoutOptions): StateLayout {
  const packing = new Packing();
  const variables = placeVariables(machine, packing);
  const drafts = machine.threads.map((thread, number) =>
    draftThread(machine, thread, packing, storedRests(thread, first[number], safe[number]), bufferEntries),
  );
  packing.place();
  if (packing.words > MAX_STATE_WORDS) {
    throw new StepsError(
      `a state of ${machine.name} would take ${packing.words} words of 32 bits; at most ${MAX_STATE_WORDS} can be explored. ` +
        "Smaller constants, or random schedules, would do.",
    );
  }
  return {
    words: Math.max(1, packing.words),
    hasSpareBit: packing.usedBitsOfLastWord < WORD_BITS,
    variables: variables.map((draft) => draft()),
    threads: drafts.map((draft) => draft()),
    bufferEntries,
  };
}

/** The bits that values from `min` to `max` need. */
function bitsFor(min: number, max: number): number {
  return max <= min ? 0 : WORD_BITS - Math.clz32(max - min);
}

/** A field once everything is placed. */
type LateField = () => Field;

interface Unit {
  readonly bitsEach: number;
  readonly count: number;
  word: number;
  shift: number;
}

/** First-fit decreasing: units of equal neighbouring fields, at most a word long, go into the first word with room. */
class Packing {
  words = 0;
  usedBitsOfLastWord = 0;
  private readonly units: Unit[] = [];

  /** Asks for `count` fields side by side as far as words allow. */
  ask(count: number, min: number, max: number): LateField[] {
    const bits = bitsFor(min, max);
    const perWord = bits === 0 ? count : Math.floor(WORD_BITS / bits);
    const fields: LateField[] = [];
    for (let from = 0; from < count; from += perWord) {
      const unit: Unit = { bitsEach: bits, count: Math.min(perWord, count - from), word: 0, shift: 0 };
      this.units.push(unit);
      for (let at = 0; at < unit.count; at++) {
        fields.push(() => ({ word: unit.word, shift: unit.shift + at * bits, bits, min }));
      }
    }
    return fields;
  }

  place(): void {
    const used: number[] = [];
    const lengthOf = ({ bitsEach, count }: Unit): number => bitsEach * count;
    for (const unit of this.units.toSorted((a, b) => lengthOf(b) - lengthOf(a))) {
      const length = lengthOf(unit);
      if (length === 0) continue;
      let word = used.findIndex((bits) => bits + length <= WORD_BITS);
      if (word < 0) word = used.push(0) - 1;
      unit.word = word;
      unit.shift = used[word];
      used[word] += length;
    }
    this.words = used.length;
    this.usedBitsOfLastWord = used.at(-1) ?? 0;
  }
}

function placeVariables({ variables }: StepMachine, packing: Packing): LateField[] {
  const fields: LateField[] = [];
  for (let from = 0; from < variables.length;) {
    const { array, min, max } = variables[from];
    let to = from + 1;
    while (
      to < variables.length &&
      variables[to].array === array &&
      variables[to].min === min &&
      variables[to].max === max
    ) {
      to++;
    }
    fields.push(...packing.ask(to - from, min, max));
    from = to;
  }
  return fields;
}

function draftThread(
  machine: StepMachine,
  thread: MachineThread,
  packing: Packing,
  rests: readonly number[],
  bufferEntries: number,
): () => ThreadLayout {
  const [pc] = packing.ask(1, 0, rests.length - 1);
  const liveAt = liveRegisters(thread);
  const live = rests.map((rest) => [...liveAt[rest]].sort((a, b) => a - b));
  const { slotOf, slots } = shareSlots(thread, live);
  const fields = slots.map(({ min, max }) => packing.ask(1, min, max)[0]);
  const buffer = draftBuffer(machine, thread, packing, bufferEntries);
  return () => ({
    pc: pc(),
    rests,
    live,
    slots: fields.map((field) => field()),
    slotKinds: slots.map(({ value }) => value),
    slotOf,
    buffer: buffer(),
  });
}

interface Slot {
  min: number;
  max: number;
  readonly value: ValueKind;
}

/**
 * Registers that are live at one rest get different slots; of the slots left the first of the same kind is taken, widest
 * registers first. A slot of elements of a set begins at none (-1), so that a dead one, 0, is nobody under any renaming.
 */
function shareSlots(
  thread: MachineThread,
  live: readonly (readonly number[])[],
): { readonly slotOf: readonly number[]; readonly slots: readonly Slot[] } {
  const slots: Slot[] = [];
  const slotOf = thread.registers.map(() => -1);
  const bitsOf = ({ min, max }: Register): number => bitsFor(min, max);
  const widestFirst = [...new Set(live.flat())].sort(
    (a, b) => bitsOf(thread.registers[b]) - bitsOf(thread.registers[a]) || a - b,
  );
  for (const register of widestFirst) {
    const { min, max, value } = thread.registers[register];
    const taken = new Set(live.filter((row) => row.includes(register)).flatMap((row) => row.map((r) => slotOf[r])));
    let slot = slots.findIndex((candidate, index) => !taken.has(index) && isSameKind(candidate.value, value));
    if (slot < 0) slot = slots.push({ min: value.kind === "element" ? -1 : min, max, value }) - 1;
    slots[slot].min = Math.min(slots[slot].min, min);
    slots[slot].max = Math.max(slots[slot].max, max);
    slotOf[register] = slot;
  }
  return { slotOf, slots };
}

function isSameKind(a: ValueKind, b: ValueKind): boolean {
  return a.kind === b.kind && (a.kind !== "element" || b.kind !== "element" || a.set === b.set);
}

function draftBuffer(
  machine: StepMachine,
  thread: MachineThread,
  packing: Packing,
  bufferEntries: number,
): () => BufferLayout {
  const variables = bufferEntries === 0 ? [] : bufferedVariables(thread);
  const entries = variables.length === 0 ? 0 : bufferEntries;
  const [length] = packing.ask(1, 0, entries);
  const least = Math.min(...variables.map((variable) => machine.variables[variable].min));
  const greatest = Math.max(...variables.map((variable) => machine.variables[variable].max));
  const fields = Array.from({ length: entries }, () => ({
    variable: packing.ask(1, 0, variables.length - 1)[0],
    value: packing.ask(1, least, greatest)[0],
  }));
  return () => ({
    length: length(),
    entries: fields.map(({ variable, value }) => ({ variable: variable(), value: value() })),
    variables,
  });
}

/** What a thread may have in its buffer: plain stores and unlocks. */
function bufferedVariables({ instructions }: MachineThread): readonly number[] {
  const variables = new Set<number>();
  for (const instruction of instructions) {
    if (instruction.op !== "store" && !(instruction.op === "unlock" && !instruction.isShared)) continue;
    const { base, count } = instruction.at;
    for (let variable = base; variable < base + count; variable++) variables.add(variable);
  }
  return [...variables].sort((a, b) => a - b);
}

/** The lowest `bits` bits. */
export function maskOf(bits: number): number {
  return bits === WORD_BITS ? -1 : (1 << bits) - 1;
}

function readField(words: Int32Array, from: number, { word, shift, bits, min }: Field): number {
  return bits === 0 ? min : (((words[from + word] >>> shift) & maskOf(bits)) + min) | 0;
}

function writeField(words: Int32Array, at: number, { word, shift, bits, min }: Field, value: number): void {
  const mask = maskOf(bits);
  if (((value - min) & ~mask) !== 0) throw new Error(`${value} does not fit into a field of ${bits} bits from ${min}`);
  if (bits === 0) return;
  words[at + word] = (words[at + word] & ~(mask << shift)) | (((value - min) & mask) << shift);
}

/** Writes a state, whose threads rest where the layout keeps them, to `words` from index `at` on. */
export function packState(layout: StateLayout, state: CheckerState, words: Int32Array, at: number): void {
  words.fill(0, at, at + layout.words);
  for (const [variable, field] of layout.variables.entries()) writeField(words, at, field, state.variables[variable]);
  for (const [number, thread] of layout.threads.entries()) {
    const rest = thread.rests.indexOf(state.pcs[number]);
    if (rest < 0) throw new Error(`thread ${number} rests at ${state.pcs[number]}, where no state keeps it`);
    writeField(words, at, thread.pc, rest);
    for (const register of thread.live[rest]) {
      writeField(words, at, thread.slots[thread.slotOf[register]], state.registers[number][register]);
    }
    const { buffer } = thread;
    writeField(words, at, buffer.length, state.buffers[number].length);
    for (const [entry, { variable, value }] of state.buffers[number].entries()) {
      writeField(words, at, buffer.entries[entry].variable, buffer.variables.indexOf(variable));
      writeField(words, at, buffer.entries[entry].value, value);
    }
  }
}

/** The state whose words stand in `words` from index `from` on. */
export function unpackState(machine: StepMachine, layout: StateLayout, words: Int32Array, from: number): CheckerState {
  const rests = layout.threads.map(({ pc }) => readField(words, from, pc));
  return {
    variables: Int32Array.from(layout.variables, (field) => readField(words, from, field)),
    pcs: Int32Array.from(layout.threads, (thread, number) => thread.rests[rests[number]]),
    registers: layout.threads.map((thread, number) => {
      const registers = new Int32Array(machine.threads[number].registers.length);
      for (const register of thread.live[rests[number]]) {
        registers[register] = readField(words, from, thread.slots[thread.slotOf[register]]);
      }
      return registers;
    }),
    buffers: layout.threads.map(({ buffer }) => {
      const length = readField(words, from, buffer.length);
      return buffer.entries.slice(0, length).map(({ variable, value }): BufferedStore => ({
        variable: buffer.variables[readField(words, from, variable)],
        value: readField(words, from, value),
      }));
    }),
  };
}

/** Whether every thread of the state rests where the layout keeps it: between two such states it runs through safe steps. */
export function isKept(layout: StateLayout, state: CheckerState): boolean {
  return layout.threads.every(({ rests }, thread) => rests.includes(state.pcs[thread]));
}
