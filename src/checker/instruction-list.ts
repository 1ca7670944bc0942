/**
 * A thread's instructions while they are written, and the list that becomes of them.
 *
 * Statements emit drafts and place labels; `assembleInstructions` resolves labels, decides branches on constants, follows
 * jumps to where they end, leaves out what nobody reaches, and writes a jump only where control does not simply follow.
 * Invariants of the result: every instruction is reached; no cycle is without a place of rest (docs/step-language.md, "What a
 * transition is": a thread in such a cycle would never come to one), and that is refused with its place.
 */
import { followersOf } from "./instruction-flow.ts";
import { type Instruction, type Origin, isRest } from "./step-machine.ts";
import { StepsError, type Position } from "./syntax.ts";

/** Instructions of one thread, after everything that is not needed was left out. */
export const INSTRUCTIONS_MAX = 4096;
/** Drafts of one thread, before. */
const DRAFTS_MAX = 65_536;

type Distribute<Union> = Union extends unknown ? Omit<Union, "origin"> : never;
/** An instruction without its origin; its targets are labels. */
export type InstructionBody = Distribute<Instruction>;

/** A place that must not be reached, with what is wrong if it is. */
interface Trap {
  readonly op: "trap";
  readonly origin: Origin;
  readonly message: string;
}
type Draft = Instruction | Trap;

/** Instructions being written. */
export interface InstructionList {
  readonly drafts: Draft[];
  /** Label to draft; -1 while it is not placed. */
  readonly labels: number[];
}

/** An empty list. */
export function createInstructionList(): InstructionList {
  return { drafts: [], labels: [] };
}

/** Appends an instruction whose targets are labels. Throws StepsError when the list has become too long. */
export function emit(list: InstructionList, origin: Origin, body: InstructionBody): void {
  append(list, { ...body, origin });
}

/** Appends a place that must not be reached. */
export function emitTrap(list: InstructionList, origin: Origin, message: string): void {
  append(list, { op: "trap", origin, message });
}

function append(list: InstructionList, draft: Draft): void {
  if (list.drafts.length === DRAFTS_MAX) {
    throw new StepsError(`the thread has more than ${DRAFTS_MAX} instructions when it is written out`, draft.origin);
  }
  list.drafts.push(draft);
}

/** A label that is not placed yet. */
export function createLabel(list: InstructionList): number {
  return list.labels.push(-1) - 1;
}

/** Puts the label before the next instruction. */
export function placeLabel(list: InstructionList, label: number): void {
  list.labels[label] = list.drafts.length;
}

/** The finished instructions. The last draft must not lead past the end. Throws StepsError with the place of the fault. */
export function assembleInstructions(list: InstructionList): Instruction[] {
  const drafts = list.drafts.map((draft) => decided(withTargets(draft, (label) => list.labels[label])));
  const { straight, ends } = straightened(drafts);
  const kept = keptInOrder(straight, ends);
  const instructions = placeInOrder(straight, ends, kept);
  if (instructions.length > INSTRUCTIONS_MAX) {
    const message = `the thread has ${instructions.length} instructions, and ${INSTRUCTIONS_MAX} are the most`;
    throw new StepsError(message, instructions[0].origin);
  }
  refuseRestlessCycles(instructions);
  return instructions;
}

function withTargets(draft: Draft, of: (target: number) => number): Draft {
  switch (draft.op) {
    case "jump":
      return { ...draft, to: of(draft.to) };
    case "branch":
      return { ...draft, then: of(draft.then), otherwise: of(draft.otherwise) };
    case "choose":
      return { ...draft, targets: [...new Set(draft.targets.map(of))] };
    default:
      return draft;
  }
}

/** The drafts with all targets at the end of jumps, and for each where control is after the jumps that begin there. */
function straightened(drafts: readonly Draft[]): { straight: readonly Draft[]; ends: readonly number[] } {
  const ends = drafts.map((_, at) => endOfJumps(drafts, at));
  const straight = drafts.map((draft) => decided(withTargets(draft, (target) => ends[target])));
  // A branch whose sides have turned out to meet is one jump more.
  const isDone = straight.every((draft, at) => draft.op === drafts[at].op);
  return isDone ? { straight, ends } : straightened(straight);
}

/** A branch that always goes the same way is a jump. */
function decided(draft: Draft): Draft {
  if (draft.op !== "branch") return draft;
  const { origin, condition, then, otherwise } = draft;
  if (then === otherwise) return { op: "jump", origin, to: then };
  if (condition.kind !== "constant") return draft;
  return { op: "jump", origin, to: condition.value === 0 ? otherwise : then };
}

/** Where control is after all jumps from here; a jump if they lead round for ever. */
function endOfJumps(drafts: readonly Draft[], from: number): number {
  let at = from;
  for (let jumps = 0; ; jumps++) {
    const draft = drafts[at];
    if (draft.op !== "jump" || jumps > drafts.length) return at;
    at = draft.to;
  }
}

function followers(draft: Draft, at: number, ends: readonly number[]): readonly number[] {
  if (draft.op === "trap") throw new StepsError(draft.message, draft.origin);
  if (draft.op === "jump") throw endlessLoop(draft.origin);
  return followersOf(draft, at).map((next) => ends[next]);
}

/** The drafts that can be reached and are no jumps, in the order of the text. */
function keptInOrder(drafts: readonly Draft[], ends: readonly number[]): readonly number[] {
  const reached = new Set<number>([ends[0]]);
  for (const at of reached) {
    for (const next of followers(drafts[at], at, ends)) reached.add(next);
  }
  return [...reached].sort((a, b) => a - b);
}

/** Writes the kept drafts one behind the other, with jumps where the next one is another than the one that follows. */
function placeInOrder(drafts: readonly Draft[], ends: readonly number[], kept: readonly number[]): Instruction[] {
  const written: Instruction[] = [];
  const numbers = new Map<number, number>();
  const goTo = (origin: Origin, target: number): void => {
    written.push({ op: "jump", origin, to: target });
  };
  if (kept[0] !== ends[0]) goTo(drafts[0].origin, ends[0]);
  for (const [position, at] of kept.entries()) {
    const draft = drafts[at];
    if (draft.op === "trap") throw new StepsError(draft.message, draft.origin);
    numbers.set(at, written.length);
    written.push(draft);
    if (draft.op === "branch" || draft.op === "choose" || draft.op === "stop") continue;
    const next = ends[at + 1];
    if (next !== kept[position + 1]) goTo(draft.origin, next);
  }
  return written.map((instruction) =>
    // Every target is kept, as it can be reached.
    withTargets(instruction, (target) => numbers.get(target) ?? target),
  ) as Instruction[];
}

/** Looks for a cycle among the instructions at which no thread rests. */
function refuseRestlessCycles(instructions: readonly Instruction[]): void {
  /** 0: not looked at; 1: on the way from its root; 2: done. */
  const states = new Uint8Array(instructions.length);
  for (const root of instructions.keys()) {
    const way: { at: number; next: number }[] = [{ at: root, next: 0 }];
    if (states[root] !== 0 || isRest(instructions[root])) continue;
    states[root] = 1;
    for (let top = way.at(-1); top !== undefined; top = way.at(-1)) {
      const follower = followersOf(instructions[top.at], top.at)[top.next++];
      if (follower === undefined) {
        states[top.at] = 2;
        way.pop();
      } else if (states[follower] === 1) {
        throw endlessLoop(instructions[follower].origin);
      } else if (states[follower] === 0 && !isRest(instructions[follower])) {
        states[follower] = 1;
        way.push({ at: follower, next: 0 });
      }
    }
  }
}

function endlessLoop(position: Position): StepsError {
  return new StepsError(
    "this loop can go round without a step, a choice or an operation: its thread would never rest",
    position,
  );
}
