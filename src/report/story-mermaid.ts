/**
 * A counterexample as a Mermaid sequence diagram: a participant a thread, and the shared memory.
 *
 * A load is an arrow back from memory, everything else an arrow to it; what a thread waits for is a note. Mermaid takes
 * some characters for its own: they are written as entity codes (mermaid-escapes.ts).
 */
import type { Story, StoryStep } from "../checker/index.ts";
import { escapeMermaid } from "./mermaid-escapes.ts";
import { effectOf } from "./story-columns.ts";

/** The diagram, with a newline at its end. */
export function formatStoryMermaid(story: Story): string {
  const lines = ["sequenceDiagram", "  autonumber"];
  for (const [thread, name] of story.threads.entries()) {
    if (story.steps.some((step) => step.thread === thread))
      lines.push(`  participant t${thread} as ${escapeMermaid(name)}`);
  }
  lines.push("  participant memory as shared memory");
  const operations = new Map<number, string>();
  for (const [index, step] of story.steps.entries()) {
    if (index === story.repeatsFrom) lines.push("  loop for ever");
    if (operations.get(step.thread) !== step.operation && step.operation !== "") {
      lines.push(`  Note over t${step.thread}: ${escapeMermaid(step.operation)}`);
    }
    operations.set(step.thread, step.operation);
    lines.push(...arrowsOf(step));
  }
  if (story.repeatsFrom !== undefined) lines.push("  end");
  lines.push(`  Note over memory: ${escapeMermaid(story.ending)}`);
  return `${lines.join("\n")}\n`;
}

function arrowsOf(step: StoryStep): string[] {
  const { thread, source } = step;
  const effect = escapeMermaid(effectOf(step));
  if (step.what.startsWith("waits"))
    return [`  t${thread}--xmemory: ${escapeMermaid(source)}`, `  Note right of t${thread}: ${effect}`];
  if (/^(let )?\w+ = load /.test(source))
    return [`  memory-->>t${thread}: ${effect === "" ? escapeMermaid(source) : effect}`];
  const changed = effect === "" ? "" : `<br/>${effect}`;
  return [`  t${thread}->>memory: ${escapeMermaid(source)}${changed}`];
}
