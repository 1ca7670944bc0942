/**
 * The states of a small system and the ways between them, for looking at.
 *
 * Drawn from the interpreter, one access an edge. A system of more states than the limit is not drawn whole: then the
 * graph is a broken property's way with what else could have happened beside it, and says so.
 */
import type { Story } from "./check.ts";
import {
  type CheckerState,
  type SuccessorOptions,
  type Successors,
  type Transition,
  initialState,
  isDeadlock,
  keyOfState,
  successors,
} from "./interpret.ts";
import { replayStory } from "./replay-story.ts";
import type { StepMachine } from "./step-machine.ts";
import {
  type WatchedProperty,
  isBrokenByTransition,
  isDecidedByState,
  watchedProperties,
} from "./watched-properties.ts";

export interface GraphNode {
  /** 0 is the first state. */
  readonly id: number;
  /** Variables that are not as they were at the beginning. */
  readonly values: readonly { readonly name: string; readonly value: number }[];
  /** Where each thread rests: its line of the text, or "" at its end. */
  readonly threads: readonly string[];
  /** broken: a property is, here or by a transition from here. beside: its own successors are not drawn. */
  readonly kind: "first" | "inner" | "end" | "deadlock" | "broken" | "beside";
}

export interface GraphEdge {
  readonly from: number;
  readonly to: number;
  readonly thread: string;
  readonly source: string;
}

export interface StateGraph {
  readonly name: string;
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  /** whole: every state. path: a way to a broken property, and the states beside it. */
  readonly extent: "whole" | "path";
}

/** Too many states to draw and no way to draw instead. */
export class GraphTooLarge extends Error {
  constructor(limit: number) {
    super(
      `More than ${limit} states: too many to look at. Use smaller constants, or check a property that breaks: then its way is drawn.`,
    );
    this.name = "GraphTooLarge";
  }
}

export interface GraphOptions extends SuccessorOptions {
  /** Names of the properties whose breaking is marked; all if absent. */
  readonly properties?: readonly string[];
}

/**
 * Draws all states if there are at most `limit`, else those that `story` passes and those beside them.
 *
 * @throws {GraphTooLarge} if there are more and no story is given.
 */
export function drawStateGraph(
  machine: StepMachine,
  options: GraphOptions,
  { limit, story }: { readonly limit: number; readonly story?: Story },
): StateGraph {
  const whole = new Drawing(machine, options);
  if (whole.drawAll(limit)) return whole.finish("whole");
  if (story === undefined) throw new GraphTooLarge(limit);
  const drawing = new Drawing(machine, options);
  drawing.drawPath(replayStory(machine, options, story));
  return drawing.finish("path");
}

class Drawing {
  private readonly machine: StepMachine;
  private readonly options: SuccessorOptions;
  private readonly watched: readonly WatchedProperty[];
  private readonly first: CheckerState;
  private readonly ids = new Map<string, number>();
  private readonly states: CheckerState[] = [];
  private readonly kinds: GraphNode["kind"][] = [];
  private readonly edges = new Map<string, GraphEdge>();

  constructor(machine: StepMachine, options: GraphOptions) {
    this.machine = machine;
    this.options = options;
    this.watched = watchedProperties(machine, options.properties).filter(({ when }) => when !== "sometimes");
    this.first = initialState(machine);
    this.idOf(this.first, "first");
  }

  /** False: there are more than `limit`. */
  drawAll(limit: number): boolean {
    for (let id = 0; id < this.states.length; id++) {
      if (this.states.length > limit) return false;
      this.expand(id, "inner");
    }
    return true;
  }

  drawPath(path: readonly CheckerState[]): void {
    const ids = path.map((state) => this.idOf(state, "inner"));
    for (const id of ids) this.expand(id, "beside");
    const last = ids.at(-1) ?? 0;
    if (this.kinds[last] === "inner") this.kinds[last] = "broken";
  }

  private expand(id: number, kind: GraphNode["kind"]): void {
    const state = this.states[id];
    if (state === undefined) return;
    const next = successors(this.machine, state, this.options);
    for (const transition of next.transitions) {
      if (!transition.leadsNowhere) this.connect(id, transition, this.idOf(transition.state, kind));
    }
    if (isDeadlock(this.machine, state, next)) this.kinds[id] = "deadlock";
    else if (this.isBroken(state, next)) this.kinds[id] = "broken";
    else if (next.transitions.length === 0) this.kinds[id] = "end";
  }

  private isBroken(state: CheckerState, next: Successors): boolean {
    return this.watched.some(
      (property) =>
        isDecidedByState(this.machine, property, state, next) ||
        next.transitions.some((transition) => isBrokenByTransition(property, transition)),
    );
  }

  private connect(from: number, { thread, kind, visible }: Transition, to: number): void {
    const line = visible?.origin.source ?? "";
    const source = kind === "drain" ? "a store reaches memory" : line;
    const name = this.machine.threads[thread]?.name ?? "";
    this.edges.set(`${from} ${to} ${thread} ${source}`, { from, to, thread: name, source });
  }

  private idOf(state: CheckerState, kind: GraphNode["kind"]): number {
    const key = keyOfState(state);
    const known = this.ids.get(key);
    if (known !== undefined) {
      if (kind === "inner" && this.kinds[known] === "beside") this.kinds[known] = "inner";
      return known;
    }
    const id = this.states.length;
    this.ids.set(key, id);
    this.states.push(state);
    this.kinds.push(kind);
    return id;
  }

  finish(extent: StateGraph["extent"]): StateGraph {
    const { variables, threads, name } = this.machine;
    const nodes = this.states.map((state, id): GraphNode => ({
      id,
      values: variables
        .map((variable, index) => ({ name: variable.name, value: state.variables[index] ?? 0, index }))
        .filter(({ value, index }) => value !== this.first.variables[index])
        .map(({ name: variable, value }) => ({ name: variable, value })),
      threads: threads.map(({ instructions }, thread) => {
        const instruction = instructions[state.pcs[thread] ?? 0];
        return instruction === undefined || instruction.op === "stop" ? "" : instruction.origin.source;
      }),
      kind: this.kinds[id] ?? "inner",
    }));
    return { name, nodes, edges: [...this.edges.values()], extent };
  }
}
