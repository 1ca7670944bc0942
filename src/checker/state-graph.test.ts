/** Graphs of systems small enough to be drawn by hand. */
import { expect, test } from "vitest";
import { checkMachine } from "./explore.ts";
import { elaborate } from "./elaborate.ts";
import { exploreReference } from "./reference-explore.ts";
import { type GraphOptions, GraphTooLarge, drawStateGraph, type StateGraph } from "./state-graph.ts";
import type { StepMachine } from "./step-machine.ts";
import type { Story } from "./check.ts";

function machineOf(text: string): StepMachine {
  return elaborate({ name: "small", texts: [{ name: "small", text }] });
}

/** "0 first: ", "1 inner: x = 1", ... */
function nodesOf({ nodes }: StateGraph): string[] {
  return nodes.map(({ id, kind, values }) =>
    `${id} ${kind} ${values.map(({ name, value }) => `${name}=${value}`).join(" ")}`.trimEnd(),
  );
}

function edgesOf({ edges }: StateGraph): string[] {
  return edges.map(({ from, to, thread, source }) => `${from}-${to} ${thread}: ${source}`);
}

function storyOf(machine: StepMachine, options: GraphOptions = {}): Story {
  const broken = checkMachine(machine, options).properties.find(({ outcome }) => outcome === "broken");
  if (broken?.outcome !== "broken") throw new Error("nothing is broken");
  return broken.story;
}

const COUNTER = "word x: 0..2\nthread up {\n  let r = load x\n  store x = r + 1\n}\n";
const LOST =
  "word x: 0..2\nthread up * 2 {\n  op add {\n    let r = load x\n    store x = r + 1\n  }\n}\nquiet not_one: x != 1\n";
const EMBRACE =
  "lock a\nlock b\nthread one {\n  lock a\n  lock b\n  unlock b\n  unlock a\n}\n" +
  "thread other {\n  lock b\n  lock a\n  unlock a\n  unlock b\n}\n";

test("one thread of two steps is a line of three states", () => {
  const graph = drawStateGraph(machineOf(COUNTER), {}, { limit: 10 });
  expect(graph).toMatchObject({ name: "small", extent: "whole" });
  expect(nodesOf(graph)).toEqual(["0 first", "1 inner", "2 end x=1"]);
  expect(graph.nodes.map(({ threads }) => threads)).toEqual([["let r = load x"], ["store x = r + 1"], [""]]);
  expect(edgesOf(graph)).toEqual(["0-1 up: let r = load x", "1-2 up: store x = r + 1"]);
});

test("two locks in two orders: every state of the slow search is drawn, and one is a deadlock", () => {
  const machine = machineOf(EMBRACE);
  const graph = drawStateGraph(machine, {}, { limit: 100 });
  const { states, transitions } = exploreReference(machine);
  expect({ nodes: graph.nodes.length, edges: graph.edges.length }).toEqual({ nodes: states, edges: transitions });
  expect(nodesOf(graph).filter((node) => node.includes("deadlock"))).toEqual(["4 deadlock a=1 b=2"]);
  expect(nodesOf(graph).filter((node) => node.includes("end"))).toHaveLength(1);
});

test("the state that breaks a property is marked, unless the property is not asked for", () => {
  const machine = machineOf(`${COUNTER}never one: x == 1\n`);
  const asked = drawStateGraph(machine, {}, { limit: 10 });
  expect(nodesOf(asked)).toEqual(["0 first", "1 inner", "2 broken x=1"]);
  const other = drawStateGraph(machine, { properties: ["deadlock"] }, { limit: 10 });
  expect(nodesOf(other)).toEqual(["0 first", "1 inner", "2 end x=1"]);
});

test("the state from which an assertion fails is marked", () => {
  const graph = drawStateGraph(
    machineOf(COUNTER.replace("let r = load x", "let r = load x\n  assert one: r == 1")),
    {},
    { limit: 9 },
  );
  expect(nodesOf(graph)[0]).toBe("0 broken");
});

test("with store buffers a store reaches memory in a transition of its own", () => {
  const graph = drawStateGraph(machineOf(COUNTER), { memory: "tso" }, { limit: 10 });
  expect(edgesOf(graph).at(-1)).toBe("2-3 up: a store reaches memory");
  expect(nodesOf(graph).at(-1)).toBe("3 end x=1");
});

test("what is too large is drawn as the way to what breaks, with what lies beside it", () => {
  const machine = machineOf(LOST);
  const story = storyOf(machine);
  const whole = drawStateGraph(machine, {}, { limit: 1000 });
  const graph = drawStateGraph(machine, {}, { limit: whole.nodes.length - 1, story });
  expect(graph.extent).toBe("path");
  expect(graph.nodes.length).toBeLessThan(whole.nodes.length);
  const broken = graph.nodes.filter(({ kind }) => kind === "broken");
  expect(broken.map(({ values }) => values)).toEqual([[{ name: "x", value: 1 }]]);
  const expanded = new Set(graph.edges.map(({ from }) => from));
  expect(graph.nodes.filter(({ kind }) => kind === "beside").map(({ id }) => expanded.has(id))).not.toContain(true);
  expect(graph.nodes.some(({ kind }) => kind === "beside")).toBe(true);
});

test("what is too large and breaks nothing is refused, and exactly the limit is not too large", () => {
  const machine = machineOf(EMBRACE);
  const { states } = exploreReference(machine);
  expect(() => drawStateGraph(machine, {}, { limit: states - 1 })).toThrow(GraphTooLarge);
  expect(drawStateGraph(machine, {}, { limit: states }).extent).toBe("whole");
});
