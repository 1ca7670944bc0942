/**
 * Livelock: threads that go round for ever, each of them busy, none of them done.
 *
 * A livelock is a reachable circle of transitions in which no thread finishes an operation, some thread takes steps of one,
 * and which is weakly fair: every thread (and, under TSO, every store buffer) either does something in it or, somewhere in it,
 * cannot. All states of a strongly connected component of the transitions without progress lie on one circle, and the larger
 * the circle the fairer it is: so there is a livelock exactly if some component is fair as a whole. Components are found by
 * Tarjan's algorithm, without recursion; transitions are computed again where they are needed, not kept.
 *
 * What is found is what a fair scheduler may do, not what it must: two threads that get out of each other's way in lockstep
 * go on as soon as one is delayed. The graph must be that of all states and single steps: where chains of steps are one
 * transition a lock is never seen held in the middle of them, and a thread that waits for it would not count as waiting.
 */

/** All states of a system, numbered in the order in which breadth first finds them, and how to get their transitions. */
export interface LivelockGraph {
  readonly stateCount: number;
  readonly threadCount: number;
  readonly forEachTransition: (state: number, visit: VisitTransition) => void;
}

/**
 * `to`: the next state, or -1 if the transition leads nowhere. `process`: the thread; for a store that leaves its buffer,
 * `threadCount` more.
 */
export type VisitTransition = (to: number, process: number, deed: Deed) => void;

/**
 * What a transition does for its thread: it finishes an operation or ends (`progress`), takes a step inside of an operation
 * or in a thread that has none (`work`), or something else.
 */
export type Deed = "progress" | "work" | "other";

/** States, each reached from the one before it, and the first again from the last. */
export type Circle = readonly number[];

/** A thread and its buffer have a bit each. */
const MAX_THREADS = 16;

/**
 * A livelock: a circle through all that makes it fair, from its first found state on. undefined if there is none. Of several
 * livelocks it is the one that is reached soonest.
 */
export function findLivelock(graph: LivelockGraph): Circle | undefined {
  const { stateCount, threadCount } = graph;
  if (threadCount > MAX_THREADS) throw new Error(`${threadCount} threads have no room in the bits of a number`);
  const componentOf = findComponents(graph);
  // By component a bit for each process that moves in it or, somewhere in it, cannot; and whether somebody is at work.
  const content = new Int32Array(stateCount);
  const isAtWork = new Uint8Array(stateCount);
  const everybody = maskOf(2 * threadCount);
  for (let state = 0; state < stateCount; state++) {
    const component = componentOf[state];
    let able = 0;
    graph.forEachTransition(state, (to, process, deed) => {
      able |= 1 << process;
      if (deed === "progress" || to < 0 || componentOf[to] !== component) return;
      content[component] |= 1 << process;
      if (deed === "work") isAtWork[component] = 1;
    });
    content[component] |= everybody & ~able;
  }
  for (let state = 0; state < stateCount; state++) {
    const component = componentOf[state];
    if (content[component] === everybody && isAtWork[component] === 1) return fairCircle(graph, componentOf, state);
  }
  return undefined;
}

/** By state the number of its strongly connected component of the transitions without progress. */
function findComponents(graph: LivelockGraph): Int32Array {
  const { stateCount } = graph;
  const componentOf = new Int32Array(stateCount).fill(-1);
  /** When the state was entered, from 1; 0: not yet. */
  const entered = new Int32Array(stateCount);
  const lowest = new Int32Array(stateCount);
  /** Entered states whose component is not known. */
  const open: number[] = [];
  /** The way down, and for each state on it those of its followers that are still to be entered. */
  const way: { readonly state: number; readonly left: number[] }[] = [];
  let clock = 0;
  let components = 0;
  const enter = (state: number): void => {
    entered[state] = lowest[state] = ++clock;
    open.push(state);
    way.push({ state, left: followersOf(graph, state) });
  };
  for (let root = 0; root < stateCount; root++) {
    if (entered[root] !== 0) continue;
    enter(root);
    for (let last = way.at(-1); last !== undefined; last = way.at(-1)) {
      const { state, left } = last;
      const follower = left.pop();
      if (follower === undefined) {
        way.pop();
        const above = way.at(-1);
        if (above !== undefined) lowest[above.state] = Math.min(lowest[above.state], lowest[state]);
        if (lowest[state] === entered[state]) closeComponent(open, state, componentOf, components++);
      } else if (entered[follower] === 0) enter(follower);
      else if (componentOf[follower] < 0) lowest[state] = Math.min(lowest[state], entered[follower]);
    }
  }
  return componentOf;
}

/** The states opened since `root` are one component. */
function closeComponent(open: number[], root: number, componentOf: Int32Array, component: number): void {
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    componentOf[state] = component;
    if (state === root) return;
  }
}

function followersOf(graph: LivelockGraph, state: number): number[] {
  const followers = new Set<number>();
  graph.forEachTransition(state, (to, _process, deed) => {
    if (deed !== "progress" && to >= 0) followers.add(to);
  });
  return [...followers];
}

interface Edge {
  readonly from: number;
  readonly to: number;
  readonly process: number;
  readonly deed: Deed;
}

/** What a circle shows so far: a bit for each process that moves in it or cannot, and whether somebody works. */
interface Shown {
  readonly processes: number;
  readonly work: boolean;
}

/** A circle in the component of `first`, from there: again and again the shortest way to what it does not show yet. */
function fairCircle(graph: LivelockGraph, componentOf: Int32Array, first: number): Circle {
  const everybody = maskOf(2 * graph.threadCount);
  const states = [first];
  let shown: Shown = { processes: shownIn(graph, first), work: false };
  for (;;) {
    const { processes, work } = shown;
    const isComplete = processes === everybody && work;
    const last = states[states.length - 1];
    if (isComplete && last === first) return states.slice(0, -1);
    const way = shortestWay(graph, componentOf, last, ({ to, process, deed }) => {
      if (isComplete) return to === first;
      return (((1 << process) | shownIn(graph, to)) & ~processes) !== 0 || (!work && deed === "work");
    });
    for (const edge of way) {
      states.push(edge.to);
      shown = showAlso(graph, shown, edge);
    }
  }
}

function showAlso(graph: LivelockGraph, { processes, work }: Shown, { to, process, deed }: Edge): Shown {
  return { processes: processes | (1 << process) | shownIn(graph, to), work: work || deed === "work" };
}

/** The processes that cannot move in this state, or only go round in it without a step: they need no place on the circle. */
function shownIn(graph: LivelockGraph, state: number): number {
  let able = 0;
  let idle = 0;
  graph.forEachTransition(state, (to, process, deed) => {
    able |= 1 << process;
    if (to === state && deed === "other") idle |= 1 << process;
  });
  return (maskOf(2 * graph.threadCount) & ~able) | idle;
}

/** The fewest transitions without progress inside of a component, the last of them wanted. There is such a way. */
function shortestWay(
  graph: LivelockGraph,
  componentOf: Int32Array,
  from: number,
  isWanted: (edge: Edge) => boolean,
): readonly Edge[] {
  const cameBy = new Map<number, Edge>();
  const queue = [from];
  for (const state of queue) {
    const edges: Edge[] = [];
    graph.forEachTransition(state, (to, process, deed) => {
      if (deed !== "progress" && to >= 0 && componentOf[to] === componentOf[from]) {
        edges.push({ from: state, to, process, deed });
      }
    });
    for (const edge of edges) {
      if (isWanted(edge)) return wayTo(edge, from, cameBy);
      if (edge.to === from || cameBy.has(edge.to)) continue;
      cameBy.set(edge.to, edge);
      queue.push(edge.to);
    }
  }
  throw new Error("a component that is fair has no way to what makes it so");
}

function wayTo(last: Edge, from: number, cameBy: ReadonlyMap<number, Edge>): readonly Edge[] {
  const way = [last];
  for (let at = last.from; at !== from;) {
    const edge = cameBy.get(at);
    if (edge === undefined) throw new Error("a state that was come to by no edge");
    way.push(edge);
    at = edge.from;
  }
  return way.toReversed();
}

/** So many bits, at most 32. */
function maskOf(bits: number): number {
  return bits === 32 ? -1 : (1 << bits) - 1;
}
