/**
 * The part of a thread's text that one transition may go through, as a graph without ways out.
 *
 * A transition begins where the thread rests and goes through local instructions, choices and beginnings to its step
 * ("before"), takes it, and goes through local instructions (and steps that are run through, stored-rests.ts) to where it
 * rests ("behind"); interpret.ts has the rules. Each instruction is a node once for either side of the step:
 *
 *     before 3 -- step --> behind 4 -- ... --> settle at 9
 *        \-- another choice --> choose at 6: a region of its own
 *
 * A choice or beginning that a way can come back to without a step is a `turn`: the second time it is a place of rest.
 */
import { followersOf } from "./instruction-flow.ts";
import { isRest, isStep, type MachineThread } from "./step-machine.ts";

/** An instruction before or behind the step; a place where the transition ends; a choice that is a region of its own. */
export type Side = "before" | "behind" | "settle" | "choose";

export interface RegionNode {
  readonly side: Side;
  readonly instruction: number;
  /** Indexes of nodes. A branch: then, otherwise. A turn: where it settles, then where it goes on. */
  readonly followers: number[];
  /** Ways that lead here: two or more make it a join. */
  entries: number;
}

export interface Region {
  readonly nodes: readonly RegionNode[];
  /** Of a choice one for each alternative; else the instruction itself. */
  readonly roots: readonly number[];
  /** The joins in an order in which each stands before those that it leads to; undefined if there is a circle. */
  readonly joins: readonly number[] | undefined;
}

/** What all regions of a thread have in common. */
export interface ThreadShape {
  readonly thread: MachineThread;
  /** 1: the thread is kept when it rests here. */
  readonly isStored: Uint8Array;
  /** Choices and beginnings to which a way leads back without a step; the number of its bit, or -1. */
  readonly turnBit: Int32Array;
}

/** The choices and beginnings that the text can come back to without a step. */
export function turnBits(thread: MachineThread): Int32Array {
  const { instructions } = thread;
  const bits = new Int32Array(instructions.length).fill(-1);
  let count = 0;
  for (const [at, { op }] of instructions.entries()) {
    if (op !== "choose" && op !== "begin") continue;
    const seen = new Uint8Array(instructions.length);
    const open = [...followersOf(instructions[at], at)];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (seen[next] === 1) continue;
      seen[next] = 1;
      if (!isStep(instructions[next])) open.push(...followersOf(instructions[next], next));
    }
    if (seen[at] === 1) bits[at] = count++;
  }
  return bits;
}

/** The region of the instruction `entry`, at which the thread rests (or begins, or comes to before its step: a choice). */
export function regionFrom(shape: ThreadShape, entry: number): Region {
  const { instructions } = shape.thread;
  const builder = new RegionBuilder(shape);
  const here = instructions[entry];
  const roots =
    here.op === "choose"
      ? here.targets.map((target) => builder.enter("before", target))
      : [builder.enter("before", entry)];
  builder.growAll();
  return { nodes: builder.nodes, roots, joins: orderJoins(builder.nodes, roots) };
}

class RegionBuilder {
  readonly nodes: RegionNode[] = [];
  private readonly shape: ThreadShape;
  private readonly ids = new Map<string, number>();
  private grown = 0;

  constructor(shape: ThreadShape) {
    this.shape = shape;
  }

  enter(side: Side, instruction: number): number {
    const key = `${side} ${instruction}`;
    let id = this.ids.get(key);
    if (id === undefined) {
      id = this.nodes.push({ side, instruction, followers: [], entries: 0 }) - 1;
      this.ids.set(key, id);
    }
    this.nodes[id].entries++;
    return id;
  }

  growAll(): void {
    while (this.grown < this.nodes.length) this.grow(this.nodes[this.grown++]);
  }

  private grow({ side, instruction, followers }: RegionNode): void {
    const { thread, turnBit } = this.shape;
    const here = thread.instructions[instruction];
    if (side === "settle" || side === "choose") return;
    if (side === "behind") {
      for (const next of followersOf(here, instruction)) followers.push(this.enterBehind(next));
      return;
    }
    if (here.op === "stop") followers.push(this.enter("settle", instruction));
    else if (isStep(here)) followers.push(this.enterBehind(instruction + 1));
    else {
      if (turnBit[instruction] >= 0) followers.push(this.enter("settle", instruction));
      if (here.op === "choose") followers.push(this.enter("choose", instruction));
      else for (const next of followersOf(here, instruction)) followers.push(this.enter("before", next));
    }
  }

  private enterBehind(instruction: number): number {
    const { thread, isStored } = this.shape;
    const isEnd = isRest(thread.instructions[instruction]) && isStored[instruction] === 1;
    return this.enter(isEnd ? "settle" : "behind", instruction);
  }
}

/** Joins in the order of a depth-first search from behind; undefined if some node leads back to itself. */
function orderJoins(nodes: readonly RegionNode[], roots: readonly number[]): readonly number[] | undefined {
  const UNSEEN = 0;
  const OPEN = 1;
  const DONE = 2;
  const marks = new Uint8Array(nodes.length).fill(UNSEEN);
  const finished: number[] = [];
  for (const root of roots) {
    if (marks[root] !== UNSEEN) continue;
    const stack = [{ node: root, next: 0 }];
    marks[root] = OPEN;
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const { followers } = nodes[top.node];
      if (top.next === followers.length) {
        marks[top.node] = DONE;
        finished.push(top.node);
        stack.pop();
        continue;
      }
      const follower = followers[top.next++];
      if (marks[follower] === OPEN) return undefined;
      if (marks[follower] === UNSEEN) {
        marks[follower] = OPEN;
        stack.push({ node: follower, next: 0 });
      }
    }
  }
  return finished.toReversed().filter((node) => nodes[node].entries > 1);
}
