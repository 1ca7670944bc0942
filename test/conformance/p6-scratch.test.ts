import { test } from "vitest";
import { writeFileSync, appendFileSync } from "node:fs";
import { check } from "../../src/checker/explore.ts";
import { SCHEMES } from "../../src/schemes/index.ts";
import { FOLIO_TEXT } from "../../src/checker/programs/folio.ts";
import { ENTRIES_TEXT } from "../../src/checker/programs/entries.ts";
import { FILE_MEMORY_TEXT } from "../../src/checker/programs/file-memory.ts";
const OUT = "/tmp/p6.story";
test("x", () => {
  writeFileSync(OUT, "");
  for (const [id, c] of [
    ["subpages", { SPLITS: 0 }],
    ["subpages", { SPLITS: 1 }],
    ["subpages", { SPLITS: 1, CLAMPED: 0 }],
    ["page", { SPLITS: 1, CLAMPED: 0 }],
    ["page", { SPLITS: 1 }],
    ["first-page", { SPLITS: 1, CLAMPED: 0 }],
    ["subpages", { SPLITS: 0, THREADS: 3, MMS: 3, OPERATIONS: 2, BATCHES: 0 }],
    ["subpages", { SPLITS: 0, THREADS: 3, MMS: 3, OPERATIONS: 2, CLAMPED: 0, BATCHES: 0 }],
    ["subpages", { SPLITS: 0, COMPOUND_MAPPED: 0 }],
    ["subpages", { PMDS: 0, SPLITS: 0, COMPOUND_MAPPED: 0 }],
  ] as [string, Record<string, number>][]) {
    const s = SCHEMES.find((x) => x.id === id)!;
    const t = performance.now();
    const r = check(
      {
        name: s.id,
        texts: [
          { name: "folio", text: FOLIO_TEXT },
          { name: "entries", text: ENTRIES_TEXT },
          { name: s.id, text: s.steps },
          { name: "file", text: FILE_MEMORY_TEXT },
        ],
        constants: { MMS: 2, PAGES: 2, PMDS: 1, THREADS: 2, OPERATIONS: 2, ASKS: 0, ...c },
      },
      { stateLimit: 4_000_000 },
    );
    appendFileSync(
      OUT,
      `${id} ${JSON.stringify(c)} ${r.coverage} ${r.figures.states} ${Math.round(performance.now() - t)} ms\n`,
    );
    for (const p of r.properties)
      if (p.outcome === "broken") {
        appendFileSync(OUT, p.name + " " + p.story.ending.slice(0, 300) + p.story.steps.length + "\n");
      }
  }
}, 600_000);
