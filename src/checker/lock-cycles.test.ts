import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LockGraph } from "./lock-cycles.ts";

function graphOf(edges: readonly (readonly [number, number])[]): LockGraph {
  const graph = new LockGraph();
  for (const [from, to] of edges) graph.add(from, to);
  return graph;
}

/** Every order of every subset of the nodes that begins with its least and whose neighbours are edges. */
function cyclesByTrying(graph: LockGraph, nodes: number): number[][] {
  const found: number[][] = [];
  const extend = (way: number[]): void => {
    if (graph.has(way[way.length - 1], way[0])) found.push(way);
    for (let node = way[0] + 1; node < nodes; node++) {
      if (!way.includes(node) && graph.has(way[way.length - 1], node)) extend([...way, node]);
    }
  };
  for (let node = 0; node < nodes; node++) extend([node]);
  return found;
}

describe("cycles of a lock graph", () => {
  test("a lock asked for by its holder is a cycle of one", () => {
    expect(graphOf([[3, 3]]).cycles(10)).toEqual({ cycles: [[3]], hasMore: false });
  });

  test("two locks in both orders are a cycle of two, told from the first", () => {
    const edges = [
      [7, 2],
      [2, 7],
      [2, 9],
    ] as const;
    expect(graphOf(edges).cycles(10)).toEqual({ cycles: [[2, 7]], hasMore: false });
  });

  test("an order has no cycle, and neither has nothing", () => {
    expect(
      graphOf([
        [0, 1],
        [1, 2],
        [0, 2],
      ]).cycles(10),
    ).toEqual({ cycles: [], hasMore: false });
    expect(graphOf([]).cycles(10)).toEqual({ cycles: [], hasMore: false });
  });

  test("of the 409 cycles of six locks in every order the shortest come first, and the limit says that there are more", () => {
    const edges = [0, 1, 2, 3, 4, 5].flatMap((from) => [0, 1, 2, 3, 4, 5].map((to) => [from, to] as const));
    const graph = graphOf(edges.filter(([from, to]) => from !== to));
    const all = graph.cycles(409);
    expect(all.cycles).toHaveLength(409);
    expect(all.hasMore).toBe(false);
    const some = graph.cycles(408);
    expect(some.cycles).toEqual(all.cycles.slice(0, 408));
    expect(some.hasMore).toBe(true);
    const lengths = all.cycles.map(({ length }) => length);
    expect(lengths).toEqual(lengths.toSorted((a, b) => a - b));
  });

  test("a graph of too many ways ends and says so", () => {
    const nodes = Array.from({ length: 60 }, (_, node) => node);
    // An order on 60 nodes has 2^58 ways and no cycle; one edge back makes them all cycles.
    const edges = nodes.flatMap((from) => nodes.filter((to) => to > from).map((to) => [from, to] as const));
    expect(graphOf(edges).cycles(5)).toEqual({ cycles: [], hasMore: false });
    const { cycles, hasMore } = graphOf([...edges, [59, 0]]).cycles(5);
    expect(hasMore).toBe(true);
    expect(cycles).toEqual([
      [0, 59],
      [0, 1, 59],
      [0, 2, 59],
      [0, 3, 59],
      [0, 4, 59],
    ]);
  });

  test("they are those that trying everything finds", () => {
    const edge = fc.tuple(fc.nat(5), fc.nat(5));
    fc.assert(
      fc.property(fc.array(edge, { maxLength: 20 }), (edges) => {
        const graph = graphOf(edges);
        const key = (cycle: readonly number[]): string => cycle.join();
        const { cycles, hasMore } = graph.cycles(1000);
        expect(hasMore).toBe(false);
        expect(cycles.map(key).sort()).toEqual(cyclesByTrying(graph, 6).map(key).sort());
      }),
    );
  });
});
