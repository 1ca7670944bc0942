/**
 * The answer of schemes that know nothing of a folio at rest: without any count, or without the history that filled it.
 *
 * UNKNOWN is an answer: the rmap must be asked, and of page tables at rest a capture is itself the walk (pageMapcount -1).
 */
import type { FolioColumns } from "../kernel/index.ts";
import { type AnswersAtRest, NO, UNKNOWN } from "./scheme.ts";

/** At rest nothing is known without the rmap, or not without the history. */
export function answerUnknownAtRest(folios: FolioColumns, answers: AnswersAtRest): void {
  for (let row = 0; row < folios.count; row++) {
    answers.pageMapcount[row] = -1;
    answers.shared[row] = UNKNOWN;
    answers.partial[row] = folios.order[row] === 0 ? NO : UNKNOWN;
  }
}
