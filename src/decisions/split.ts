/**
 * Splitting: can a large folio be split, and does the kernel see that one should be? (kernel-facts 2.4, 2.7, 4.5)
 *
 * A split needs that nobody but mappings, caches and the caller holds the folio. Who should be split is found when a
 * mapping goes: a folio with a page that nobody maps any more is queued. A scheme that cannot tell then does not queue it,
 * and nobody walks the reverse map for it: the pages stay until something else frees them.
 */
import { ANON, FREE, KSM, ZERO } from "../memory/index.ts";
import { type Answer, YES } from "../schemes/index.ts";
import { folioBytes, isZero, yesIf } from "./answers.ts";
import type { Answers, DecisionRule, Situation } from "./rule.ts";

/** What the scheme sees; "cannot tell" is not seen. */
export function isSeenPartial(answers: Answers, { head }: Situation): Answer {
  return yesIf(answers.partial(head) === YES);
}

export const SPLIT_RULES: readonly DecisionRule[] = [
  {
    id: "use-anon-vma",
    title: "is the anonymous folio mapped, so that its anon_vma is there to be used?",
    where: "mm/rmap.c folio_get_anon_vma, folio_lock_anon_vma_read; folio_mkclean",
    source: "kernel-facts 4.5, 6.4",
    asks: ["mapped"],
    asked: "met",
    applies: ({ kind }) => kind === ANON || kind === KSM,
    decide: (answers, { head }) => answers.mapped(head),
    yes: "take the anon_vma and walk",
    no: "there is nothing to walk",
    wrongYes: { kind: "use-after-free", text: "an anon_vma that is gone is used" },
    wrongNo: { kind: "refused", text: "mappings are missed, and the folio is not split", bytes: folioBytes },
  },
  {
    id: "split-folio",
    title: "does nobody but mappings, caches and the caller hold the folio that is to be split?",
    where: "mm/huge_memory.c can_split_folio",
    source: "kernel-facts 4.5",
    asks: ["extraReferences"],
    asked: "met",
    applies: ({ kind, order }) => order > 0 && kind !== FREE && kind !== ZERO,
    decide: (answers, { head }) => isZero(answers.extraReferences(head)),
    yes: "split it",
    no: "-EAGAIN",
    wrongYes: { kind: "corruption", text: "a folio is split under somebody who holds it" },
    wrongNo: { kind: "memory-held", text: "the folio is not split", bytes: folioBytes },
  },
  {
    id: "defer-split",
    title: "is a page of the anonymous folio unmapped, so that it is queued to be split?",
    where: "mm/rmap.c __folio_remove_rmap, deferred_split_folio",
    source: "kernel-facts 2.4, 2.7",
    asks: ["partial"],
    asked: "met",
    applies: ({ kind, order }) => kind === ANON && order > 1,
    decide: isSeenPartial,
    yes: "queue it",
    no: "nothing is wasted",
    wrongYes: { kind: "needless-work", text: "a folio that is mapped whole is split under pressure" },
    // What stays hidden, and how long, is followed apart (study/hidden-memory.ts): the next unmapping may well tell.
    wrongNo: { kind: "memory-held", text: "this unmapping does not queue it; a later one may" },
  },
];
