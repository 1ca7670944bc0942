/**
 * All fifteen schemes at once on every recorded scenario: no declared guarantee breaks on histories that kernels make.
 *
 * The truth in a view comes from a reverse map walk. After every command the ledger that VMA-counting schemes look at is
 * held against the page tables (machine-invariants.ts).
 */
import { expect, test } from "vitest";
import { type AnswerRow, type AnswerValue, type FolioView, runScenario } from "../../src/scenario/index.ts";
import { SCHEMES, type Scheme } from "../../src/schemes/index.ts";
import { RECORDED, recordedScenario } from "./recordings.ts";

/** What is never said wrongly where a guarantee is one-sided. */
const SURE: Readonly<Partial<Record<AnswerRow["question"], boolean>>> = {
  mapped: false,
  others: false,
  otherVmas: false,
  partial: true,
  canReuse: true,
  stopWalk: true,
  pinned: false,
};

/** A small folio and a KSM page have one mapcount, which cannot tell two mappings of one address space from two. */
function guaranteeOf(scheme: Scheme, row: AnswerRow, folio: FolioView): string {
  const guarantee = scheme.guarantees[row.question];
  const isCountedOnce = folio.order === 0 || folio.memory === "hugetlb";
  return guarantee === "probable" && isCountedOnce ? "one-sided" : guarantee;
}

function isBroken(scheme: Scheme, row: AnswerRow, folio: FolioView, said: AnswerValue): boolean {
  const guarantee = guaranteeOf(scheme, row, folio);
  // What it counts instead is no number of entries, and the view shows none.
  if (row.question === "mappings" && scheme.unit !== "entries") return said !== "unknown";
  if (said === "unknown") return guarantee === "exact";
  if (JSON.stringify(said) === JSON.stringify(row.truth)) return false;
  if (guarantee === "estimate") return false;
  // Reuse also asks the reference count, so a refusal costs a copy and is never wrong.
  if (row.question === "canReuse") return said === true;
  return guarantee === "one-sided" ? said === SURE[row.question] : true;
}

test.each(RECORDED)("in %s every scheme keeps its word", (name) => {
  const run = runScenario(recordedScenario(name), { config: "page", schemes: SCHEMES, checkInvariants: true });
  const broken: string[] = [];
  let answers = 0;
  for (const view of run.views) {
    for (const folio of view.folios) {
      for (const row of folio.answers) {
        row.answers.forEach((said, index) => {
          answers++;
          const scheme = SCHEMES[index];
          if (!isBroken(scheme, row, folio, said)) return;
          broken.push(
            `${view.label} ${folio.label} ${scheme.id} ${row.question} ${row.about}: ${JSON.stringify(said)}, true ${JSON.stringify(row.truth)}`,
          );
        });
      }
    }
  }
  expect(broken.slice(0, 10)).toEqual([]);
  expect(answers).toBeGreaterThan(100);
});
