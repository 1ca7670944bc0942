/**
 * All fifteen schemes at once on every recorded scenario: no declared guarantee breaks on histories that kernels make.
 *
 * The truth in a view comes from a reverse map walk. After every command the ledger that VMA-counting schemes look at is
 * held against the page tables (machine-invariants.ts).
 */
import { expect, test } from "vitest";
import { type AnswerRow, type AnswerValue, type FolioView, runScenario } from "../../src/scenario/index.ts";
import { NO, SCHEMES, type Scheme, UNKNOWN, UNKNOWN_COUNT, YES } from "../../src/schemes/index.ts";
import { WRONG, guaranteeOf, judgeAnswer, judgeCount, judgePageMapcount } from "../../src/study/index.ts";
import { RECORDED, recordedScenario } from "./recordings.ts";

/** A page's answer and the truth, from runs; the whole answer is unknown if any page's is. */
function pagesOf(value: AnswerValue): number[] {
  if (!Array.isArray(value)) throw new Error("the mapcounts of pages are given as runs");
  return value.flatMap(([first, last, mapcount]: readonly [number, number, number]) =>
    Array<number>(last - first + 1).fill(mapcount),
  );
}

function isBroken(scheme: Scheme, { question, truth }: AnswerRow, folio: FolioView, said: AnswerValue): boolean {
  const guarantee = guaranteeOf(scheme, question, { order: folio.order, isHugetlb: folio.memory === "hugetlb" });
  // What it counts instead is no number of entries, and the view shows none.
  if (question === "mappings" && scheme.unit !== "entries") return said !== "unknown";
  if (question === "pageMapcount") {
    if (said === "unknown") return judgeCount(guarantee, UNKNOWN_COUNT, 0) === WRONG;
    const pages = pagesOf(truth);
    const mappedPages = pages.reduce((sum, mapcount) => sum + mapcount, 0);
    return pagesOf(said).some((mapcount, page) => {
      const at = { truth: pages[page], mappedPages, nrPages: pages.length };
      return judgePageMapcount(guarantee, mapcount, at) === WRONG;
    });
  }
  if (question === "mappings" || question === "extraReferences") {
    return judgeCount(guarantee, said === "unknown" ? UNKNOWN_COUNT : Number(said), Number(truth)) === WRONG;
  }
  const answer = said === "unknown" ? UNKNOWN : said === true ? YES : NO;
  return judgeAnswer(question, guarantee, answer, truth === true) === WRONG;
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
