/**
 * A state graph as Graphviz reads it (`dot -Tsvg`), or as a Mermaid state diagram.
 */
import type { GraphNode, StateGraph } from "../checker/index.ts";
import { escapeControls } from "./display-text.ts";
import { escapeMermaid } from "./mermaid-escapes.ts";

const COLOUR_OF: Readonly<Record<GraphNode["kind"], string>> = {
  first: "lightblue",
  inner: "white",
  end: "lightgrey",
  deadlock: "orange",
  broken: "tomato",
  beside: "whitesmoke",
};

/** The graph in the DOT language, with a newline at its end. */
export function formatStateGraphDot({ name, nodes, edges }: StateGraph): string {
  const lines = [
    `digraph ${quote(name)} {`,
    '  node [shape=box, style="filled,rounded", fontname="monospace", fontsize=9];',
    '  edge [fontname="monospace", fontsize=8];',
    ...nodes.map(
      (node) => `  s${node.id} [label=${quote(labelOf(node).join("\n"))}, fillcolor=${COLOUR_OF[node.kind]}];`,
    ),
    ...edges.map(
      ({ from, to, thread, source }) =>
        `  s${from} -> s${to} [label=${quote(source === "" ? thread : `${thread}\n${source}`)}];`,
    ),
    "}",
  ];
  return `${lines.join("\n")}\n`;
}

/** The graph as a Mermaid state diagram, with a newline at its end. */
export function formatStateGraphMermaid({ nodes, edges }: StateGraph): string {
  const lines = [
    "stateDiagram-v2",
    ...nodes.map((node) => `  state "${labelOf(node).map(escapeMermaid).join("<br/>")}" as s${node.id}`),
    ...edges.map(
      ({ from, to, thread, source }) => `  s${from} --> s${to}: ${escapeMermaid(`${thread} ${source}`.trimEnd())}`,
    ),
    ...nodes
      .filter(({ kind }) => kind === "deadlock" || kind === "broken")
      .map(({ id, kind }) => `  note right of s${id}: ${kind}`),
  ];
  return `${lines.join("\n")}\n`;
}

function labelOf({ id, values, kind }: GraphNode): string[] {
  const changed = values.map(({ name, value }) => `${name} = ${value}`);
  return [`${id}${kind === "inner" || kind === "beside" ? "" : ` ${kind}`}`, ...changed];
}

function quote(text: string): string {
  const escaped = text
    .split("\n")
    .map((line) => escapeControls(line).replaceAll("\\", "\\\\").replaceAll('"', '\\"'))
    .join("\\n");
  return `"${escaped}"`;
}
