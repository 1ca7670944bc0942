/** Stories as Mermaid sequence diagrams. */
import { expect, test } from "vitest";
import { LOST, ROUND } from "../../test/report/made-up-check.ts";
import { escapeMermaid } from "./mermaid-escapes.ts";
import { formatStoryMermaid } from "./story-mermaid.ts";

test("a participant for each thread that acts, loads as arrows back, all else as arrows to memory", () => {
  expect(formatStoryMermaid(LOST)).toBe(
    `sequenceDiagram
  autonumber
  participant t0 as adder[0]
  participant t1 as adder[1]
  participant memory as shared memory
  Note over t0: add
  memory-->>t0: total is 0
  Note over t1: add
  memory-->>t1: total is 0
  t1->>memory: store total = t + 1<br/>total 0 -#gt; 1#59; done 0 -#gt; 1
  t0->>memory: store total = t + 1<br/>total stays 1#59; done 1 -#gt; 2
  Note over memory: This does not hold#58; quiet sum#58; total == done (total is 1, done is 2).
`,
  );
});

test("what repeats is a loop, what waits ends in a cross", () => {
  expect(formatStoryMermaid(ROUND).split("\n").slice(4)).toEqual([
    "  t0->>memory: let got = trylock l<br/>did not get l",
    "  loop for ever",
    "  t0->>memory: if got == 0 { store x = 1 }<br/>x 0 -#gt; 1",
    "  t0--xmemory: lock l",
    "  Note right of t0: waits for l, which one holds",
    "  end",
    "  Note over memory: It goes round#59; #quot;a#quot; #35; b#58; c #lt; d.",
    "",
  ]);
});

test("every character that Mermaid takes for its own is one entity code, and none is escaped twice", () => {
  expect(escapeMermaid('#;:"<>&')).toBe("#35;#59;#58;#quot;#lt;#gt;#amp;");
  expect(escapeMermaid("#35;")).toBe("#35;35#59;");
  expect(escapeMermaid("a\nb\u001b")).toBe(String.raw`a\nb\x1b`);
});
