/** State graphs in Graphviz' and in Mermaid's language. */
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { requireCommand } from "../../test/full-run.ts";
import type { StateGraph } from "../checker/index.ts";
import { formatStateGraphDot, formatStateGraphMermaid } from "./state-graph-text.ts";

const GRAPH: StateGraph = {
  name: 'a "graph"',
  extent: "whole",
  nodes: [
    { id: 0, values: [], threads: ["store x = 1"], kind: "first" },
    { id: 1, values: [{ name: "x[0]", value: 1 }], threads: [""], kind: "broken" },
    { id: 2, values: [{ name: "x[0]", value: 2 }], threads: [""], kind: "beside" },
  ],
  edges: [
    { from: 0, to: 1, thread: "up[0]", source: 'store x[i] = a < b ? 1 : 2 # "one"; two' },
    { from: 0, to: 2, thread: "up[1]", source: "" },
  ],
};

test("as DOT: a node a state, its colour by what it is, an edge an access", () => {
  expect(formatStateGraphDot(GRAPH)).toBe(
    String.raw`digraph "a \"graph\"" {
  node [shape=box, style="filled,rounded", fontname="monospace", fontsize=9];
  edge [fontname="monospace", fontsize=8];
  s0 [label="0 first", fillcolor=lightblue];
  s1 [label="1 broken\nx[0] = 1", fillcolor=tomato];
  s2 [label="2\nx[0] = 2", fillcolor=whitesmoke];
  s0 -> s1 [label="up[0]\nstore x[i] = a < b ? 1 : 2 # \"one\"; two"];
  s0 -> s2 [label="up[1]"];
}
`,
  );
});

test("as a Mermaid state diagram, with what Mermaid takes for its own as entity codes", () => {
  expect(formatStateGraphMermaid(GRAPH)).toBe(
    `stateDiagram-v2
  state "0 first" as s0
  state "1 broken<br/>x[0] = 1" as s1
  state "2<br/>x[0] = 2" as s2
  s0 --> s1: up[0] store x[i] = a #lt; b ? 1 #58; 2 #35; #quot;one#quot;#59; two
  s0 --> s2: up[1]
  note right of s1: broken
`,
  );
});

test("a line's backslash and escapes stay text", () => {
  const name = "\\n\u001b\n";
  expect(formatStateGraphDot({ ...GRAPH, name, nodes: [], edges: [] })).toMatch(/^digraph "\\\\n\\\\x1b\\n" \{$/m);
});

/** A statement of DOT as it is written here: a node or an edge with quoted attributes. */
const STATEMENT = /^ {2}(?:s\d+(?: -> s\d+)?|node|edge) \[(?:\w+=(?:"(?:[^"\\]|\\.)*"|\w+)(?:, )?)+\];$/;

test("every line between the braces is one statement of DOT", () => {
  const lines = formatStateGraphDot(GRAPH).trimEnd().split("\n").slice(1, -1);
  expect(lines.filter((line) => !STATEMENT.test(line))).toEqual([]);
  expect(lines).toHaveLength(7);
});

test("Graphviz reads it", (ctx) => {
  const dot = requireCommand(ctx, "dot");
  const { status, stdout, stderr } = spawnSync(dot, ["-Tplain"], {
    input: formatStateGraphDot(GRAPH),
    encoding: "utf8",
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout.match(/^node /gm)).toHaveLength(3);
  expect(stdout.match(/^edge /gm)).toHaveLength(2);
});
