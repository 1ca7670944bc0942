/**
 * Everywhere that a thread can be by its own lights, and what it touches there under which locks.
 *
 * The walk knows the thread's own constants, picks and counters and takes what memory may say as it comes: a `load` gives
 * any value of its word's range where that value later finds an index, and else "unknown". So it passes through every place
 * that the thread can come to in any run, whatever the others do, and perhaps through some that it cannot: sound for every
 * question of the form "may it ever?". A lock counts as held from `lock` (or a `trylock` that got it) to its `unlock`.
 *
 *     node = instruction, known registers, locks held, the lock that this transition has just released, stores underway
 *
 * The lock just released is still a protection for the local statements behind an `unlock`: they happen together with it, and the
 * transition could not have begun without the lock. Stores underway (TSO) are counted as if none had reached memory since the
 * last step that waits for an empty buffer: more there cannot be. Registers that are dead at a rest are forgotten there. A text whose
 * nodes pass the limit is walked again with less knowledge, in the end with none: more nodes fall together, each of them
 * stands for more, and the answer only becomes more careful.
 */
import { replaceLeaves } from "./replace-leaves.ts";
import { evaluate } from "./evaluate.ts";
import {
  expressionsOf,
  followersOf,
  placesIn,
  registersReadBy,
  registerWrittenBy,
  visitExpression,
} from "./instruction-flow.ts";
import { liveRegisters } from "./live-registers.ts";
import { isRest, isStep } from "./step-machine.ts";
import type { Instruction, MachineExpression, MachineThread, StepMachine, VariablePlace } from "./step-machine.ts";
import { StepsError } from "./syntax.ts";

/** How a variable is touched. `lock`: by taking or releasing it in the ordinary way; `trylock` is a `write`. */
export type AccessKind = "read" | "write" | "lock";

export interface Access {
  readonly variable: number;
  readonly kind: AccessKind;
}

/** Locks held: twice the variable, and one more if shared; ascending. */
export type LocksHeld = readonly number[];

export interface LocalNode {
  readonly instruction: number;
  /** Values of the registers, undefined where nothing is known. */
  readonly known: readonly (number | undefined)[];
  readonly held: LocksHeld;
  /** As in `held`; -1: none. */
  readonly released: number;
  /** Entries that the thread's store buffer has at most; 0 under sequential consistency. */
  readonly underway: number;
  readonly accesses: readonly Access[];
  /** Locks that protect the accesses: those held, the one just taken, the one just released. */
  readonly protection: LocksHeld;
  /** Indexes of the nodes that may follow. */
  readonly followers: readonly number[];
}

/** Nodes of one thread at which less knowledge is tried. */
const NODE_LIMIT = 20_000;
/** Values of a word that are told apart where it becomes an index. */
const VALUE_LIMIT = 16;
/** Combinations of unknown words in one index that are told apart; with more the whole array is meant. */
const INDEX_LIMIT = 256;

type Knowledge = "all" | "indexes" | "none";

/** The nodes of a thread, the first state's first. `bufferEntries`: of its store buffer, 0 under sequential consistency. */
export function walkThread(machine: StepMachine, thread: MachineThread, bufferEntries: number): readonly LocalNode[] {
  for (const knowledge of ["all", "indexes"] as const) {
    const nodes = new LocalWalk(machine, thread, bufferEntries, knowledge).run(NODE_LIMIT);
    if (nodes !== undefined) return nodes;
  }
  // Without knowledge there are at most as many nodes as instructions times sets of locks held.
  const nodes = new LocalWalk(machine, thread, bufferEntries, "none").run(Number.POSITIVE_INFINITY);
  return nodes ?? [];
}

type Known = readonly (number | undefined)[];
/** What tells nodes apart. */
type Standing = Pick<LocalNode, "instruction" | "known" | "held" | "released" | "underway">;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

class LocalWalk {
  private readonly machine: StepMachine;
  private readonly thread: MachineThread;
  private readonly bufferEntries: number;
  private readonly live: readonly ReadonlySet<number>[];
  /** Registers whose values are worth knowing. */
  private readonly wanted: ReadonlySet<number>;
  private readonly knowsMemory: ReadonlySet<number>;
  private readonly ids = new Map<string, number>();
  private readonly nodes: Mutable<LocalNode>[] = [];

  constructor(machine: StepMachine, thread: MachineThread, bufferEntries: number, knowledge: Knowledge) {
    this.machine = machine;
    this.thread = thread;
    this.bufferEntries = bufferEntries;
    this.live = liveRegisters(thread);
    const indexes = knowledge === "none" ? new Set<number>() : registersOfIndexes(thread);
    this.knowsMemory = indexes;
    this.wanted = knowledge === "all" ? new Set(thread.registers.keys()) : indexes;
  }

  run(limit: number): readonly LocalNode[] | undefined {
    const start = this.thread.registers.map((_, register) => (this.wanted.has(register) ? 0 : undefined));
    this.idOf({ instruction: 0, known: start, held: [], released: -1, underway: 0 });
    for (let id = 0; id < this.nodes.length; id++) {
      if (this.nodes.length > limit) return undefined;
      this.expand(this.nodes[id]);
    }
    return this.nodes;
  }

  private idOf({ instruction, known, held, released, underway }: Standing): number {
    const isAtRest = isRest(this.thread.instructions[instruction]);
    const live = this.live[instruction];
    const kept = known.map((value, register) =>
      this.wanted.has(register) && (!isAtRest || live.has(register)) ? value : undefined,
    );
    const stillReleased = isAtRest ? -1 : released;
    const key = `${instruction};${kept.join(",")};${held.join(",")};${stillReleased};${underway}`;
    const found = this.ids.get(key);
    if (found !== undefined) return found;
    const id = this.nodes.length;
    this.ids.set(key, id);
    const nothing = { accesses: [], protection: [], followers: [] };
    this.nodes.push({ instruction, known: kept, held, released: stillReleased, underway, ...nothing });
    return id;
  }

  private expand(node: Mutable<LocalNode>): void {
    const instruction = this.thread.instructions[node.instruction];
    node.accesses = this.accessesOf(instruction, node.known);
    node.protection = node.released < 0 ? node.held : withLock(node.held, node.released);
    const behind: Standing = { ...node, underway: this.underwayBehind(instruction, node.underway) };
    if (instruction.op === "lock" || instruction.op === "unlock" || instruction.op === "trylock") {
      this.expandLock(node, instruction, { ...behind, instruction: node.instruction + 1 });
      return;
    }
    const followers = this.waysBehind(instruction, node);
    const written = registerWrittenBy(instruction);
    const values = written < 0 ? [undefined] : this.valuesOf(instruction, node.known);
    node.followers = followers.flatMap((follower) =>
      values.map((value) => {
        const known = written < 0 ? node.known : node.known.with(written, value);
        return this.idOf({ ...behind, instruction: follower, known });
      }),
    );
  }

  private underwayBehind(instruction: Instruction, underway: number): number {
    if (this.bufferEntries === 0 || !isStep(instruction) || instruction.op === "load") return underway;
    const isStore = instruction.op === "store" || (instruction.op === "unlock" && !instruction.isShared);
    return isStore ? Math.min(underway + 1, this.bufferEntries) : 0;
  }

  /** Behind a condition that is known only one way goes on; behind a `require` that fails, none. */
  private waysBehind(instruction: Instruction, node: LocalNode): readonly number[] {
    if (instruction.op === "branch" || instruction.op === "require") {
      const value = this.valueOf(instruction.condition, node.known);
      if (value !== undefined && instruction.op === "branch") {
        return [value === 0 ? instruction.otherwise : instruction.then];
      }
      if (value === 0) return [];
    }
    return followersOf(instruction, node.instruction);
  }

  private expandLock(
    node: Mutable<LocalNode>,
    instruction: Extract<Instruction, { op: "lock" | "unlock" } | { op: "trylock" }>,
    behind: Standing,
  ): void {
    const shared = instruction.isShared ? 1 : 0;
    const places = this.placesOf(instruction.at, node.known);
    // Which one it is must be certain: a lock that may be another protects nothing.
    const lock = places.length === 1 ? places[0] * 2 + shared : -1;
    if (instruction.op === "unlock") {
      const gone = new Set(places.map((variable) => variable * 2 + shared));
      const held = node.held.filter((one) => !gone.has(one));
      node.followers = [this.idOf({ ...behind, held, released: node.held.includes(lock) ? lock : -1 })];
      return;
    }
    const held = lock < 0 ? node.held : withLock(node.held, lock);
    if (instruction.op !== "trylock") {
      node.protection = held;
      node.followers = [this.idOf({ ...behind, held })];
      return;
    }
    const { register } = instruction;
    if (!this.wanted.has(register)) {
      node.followers = [this.idOf(behind)];
      return;
    }
    const got = this.idOf({ ...behind, known: node.known.with(register, 1), held });
    node.followers = [got, this.idOf({ ...behind, known: node.known.with(register, 0) })];
  }

  /** The values that the instruction may leave in its register. */
  private valuesOf(instruction: Instruction, known: Known): readonly (number | undefined)[] {
    if (instruction.op === "set") return [this.valueOf(instruction.value, known)];
    if (!this.knowsMemory.has(registerWrittenBy(instruction))) return [undefined];
    if (instruction.op === "cas") return [0, 1];
    if (!("at" in instruction)) return [undefined];
    const { min, max } = this.machine.variables[instruction.at.base];
    if (max - min >= VALUE_LIMIT) return [undefined];
    return Array.from({ length: max - min + 1 }, (_, offset) => min + offset);
  }

  /** undefined: unknown, or without a value (a fault of the text, which the explorer reports). */
  private valueOf(expression: MachineExpression, known: Known): number | undefined {
    let isKnown = true;
    visitExpression(expression, (part) => {
      if (part.kind === "variable") isKnown = false;
      if (part.kind === "register" && known[part.register] === undefined) isKnown = false;
    });
    if (!isKnown) return undefined;
    const registers = Int32Array.from(known, (value) => value ?? 0);
    try {
      return evaluate(this.machine, expression, new Int32Array(0), registers);
    } catch (error) {
      if (error instanceof StepsError) return undefined;
      throw error;
    }
  }

  private accessesOf(instruction: Instruction, known: Known): readonly Access[] {
    const accesses: Access[] = [];
    const touch = (at: VariablePlace, kind: AccessKind): void => {
      for (const variable of this.placesOf(at, known)) accesses.push({ variable, kind });
    };
    if ("at" in instruction) touch(instruction.at, kindOfAccess(instruction.op));
    for (const expression of expressionsOf(instruction)) for (const at of placesIn(expression)) touch(at, "read");
    return accesses;
  }

  /** The variables that may be meant: one if all of the index is known. */
  private placesOf(at: VariablePlace, known: Known): readonly number[] {
    if (at.index === undefined) return [at.base];
    const all = Array.from({ length: at.count }, (_, index) => at.base + index);
    const combinations = this.combinationsOf(at.index, known);
    if (combinations === undefined) return all;
    const found = new Set<number>();
    for (const index of combinations) {
      if (index === undefined) return all;
      if (index >= 0 && index < at.count) found.add(at.base + index);
    }
    return [...found];
  }

  /** The values of an index for all values of the words in it; undefined: too many, or a register is unknown. */
  private combinationsOf(index: MachineExpression, known: Known): readonly (number | undefined)[] | undefined {
    const words = new Map<string, { readonly min: number; readonly max: number }>();
    const inner = replaceWords(index, (at) => {
      const name = `${at.base} ${JSON.stringify(at.index)}`;
      if (!words.has(name)) words.set(name, this.machine.variables[at.base]);
      return known.length + [...words.keys()].indexOf(name);
    });
    let rows: Known[] = [known];
    for (const { min, max } of words.values()) {
      if (rows.length * (max - min + 1) > INDEX_LIMIT) return undefined;
      rows = rows.flatMap((row) => Array.from({ length: max - min + 1 }, (_, offset) => [...row, min + offset]));
    }
    return rows.map((row) => this.valueOf(inner, row));
  }
}

/** The expression with registers in place of its words, numbered by `numberOf`. */
function replaceWords(expression: MachineExpression, numberOf: (at: VariablePlace) => number): MachineExpression {
  return replaceLeaves(expression, (part) =>
    part.kind === "variable" ? { kind: "register", register: numberOf(part.at) } : part,
  );
}

function kindOfAccess(op: Instruction["op"]): AccessKind {
  if (op === "load") return "read";
  return op === "lock" || op === "unlock" ? "lock" : "write";
}

function withLock(held: LocksHeld, lock: number): LocksHeld {
  return held.includes(lock) ? held : [...held, lock].sort((a, b) => a - b);
}

/** Registers that come, in one assignment or several, to stand in an index, and those that say whether a trylock got it. */
function registersOfIndexes(thread: MachineThread): ReadonlySet<number> {
  const found = new Set<number>();
  for (const instruction of thread.instructions) {
    if (instruction.op === "trylock") found.add(instruction.register);
    for (const register of registersInIndexes(instruction)) found.add(register);
  }
  for (let before = -1; before < found.size;) {
    before = found.size;
    for (const instruction of thread.instructions) {
      if (instruction.op !== "set" || !found.has(instruction.register)) continue;
      for (const register of registersReadBy(instruction)) found.add(register);
    }
  }
  return found;
}

function registersInIndexes(instruction: Instruction): ReadonlySet<number> {
  const places = expressionsOf(instruction).flatMap((expression) => placesIn(expression));
  if ("at" in instruction) places.push(instruction.at);
  const found = new Set<number>();
  for (const { index } of places) {
    if (index === undefined) continue;
    visitExpression(index, (part) => {
      if (part.kind === "register") found.add(part.register);
    });
  }
  return found;
}
