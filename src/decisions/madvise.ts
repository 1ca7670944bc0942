/**
 * Advice: "I have it mapped, does anybody else?", as MADV_COLD, MADV_PAGEOUT and MADV_FREE ask (kernel-facts 4.4, 4.6).
 *
 * What others map is left alone. A PMD and a part of a large folio are judged by folio_maybe_mapped_shared, a folio that
 * the range covers (a small one too) by its mapcount. Of these the schemes that count VMAs ask the same question thrice.
 */
import { ANON, FREE, KSM, ZERO } from "../memory/index.ts";
import { folioBytes, hasOnly, not } from "./answers.ts";
import type { Answers, Consequence, DecisionRule, Situation } from "./rule.ts";

type RuleOfAdvice = Pick<DecisionRule, "id" | "title" | "where" | "yes" | "no" | "wrongYes" | "wrongNo" | "decide">;

function adviceRule(rule: RuleOfAdvice, applies: DecisionRule["applies"]): DecisionRule {
  return { source: "kernel-facts 4.4", asks: ["others"], asked: "met", applies, ...rule };
}

/** !folio_maybe_mapped_shared. */
function isAlone(answers: Answers, { head, mm }: Situation): ReturnType<DecisionRule["decide"]> {
  return not(answers.others(head, mm));
}

const AGED_FOR_OTHERS: Consequence = {
  kind: "wrong-reclaim",
  text: "memory that others use is deactivated or paged out",
  bytes: folioBytes,
};
const ADVICE_IGNORED: Consequence = { kind: "not-reclaimed", text: "the advice is ignored", bytes: folioBytes };
const SPLIT_FOR_OTHERS: Consequence = {
  kind: "needless-work",
  text: "others lose their large folio",
  bytes: folioBytes,
};
const NOT_SPLIT: Consequence = {
  kind: "memory-held",
  text: "the folio is not split and stays whole",
  bytes: folioBytes,
};
/** The dirty bit in another's entry keeps the page. */
const FREED_FOR_OTHERS: Consequence = {
  kind: "harmless",
  text: "others' page is marked lazily freed; their dirty entry keeps it",
};
const NOT_FREED: Consequence = { kind: "not-reclaimed", text: "the page is not freed lazily", bytes: folioBytes };

function isUserMemory({ kind }: Situation): boolean {
  return kind !== FREE && kind !== ZERO;
}

export const MADVISE_RULES: readonly DecisionRule[] = [
  adviceRule(
    {
      id: "age-pmd",
      title: "MADV_COLD, MADV_PAGEOUT: may the PMD-mapped folio be aged?",
      where: "mm/madvise.c madvise_cold_or_pageout_pte_range, PMD",
      decide: isAlone,
      yes: "age or split it",
      no: "skip the PMD",
      wrongYes: AGED_FOR_OTHERS,
      wrongNo: ADVICE_IGNORED,
    },
    ({ kind, order }) => kind === ANON && order === 9,
  ),
  adviceRule(
    {
      id: "age-part",
      title: "MADV_COLD, MADV_PAGEOUT: may the folio be split, of which a part is meant?",
      where: "mm/madvise.c madvise_cold_or_pageout_pte_range, batch < nr",
      decide: isAlone,
      yes: "split it",
      no: "skip it",
      wrongYes: SPLIT_FOR_OTHERS,
      wrongNo: NOT_SPLIT,
    },
    ({ order, ...situation }) => order > 0 && isUserMemory({ order, ...situation }),
  ),
  adviceRule(
    {
      id: "age-whole",
      title: "MADV_COLD, MADV_PAGEOUT: may the folio be aged, all of which is meant?",
      where: "mm/madvise.c madvise_cold_or_pageout_pte_range, folio_mapcount != nr",
      decide: (answers, situation) => hasOnly(answers, situation, 2 ** situation.order),
      yes: "age it",
      no: "skip it",
      wrongYes: AGED_FOR_OTHERS,
      wrongNo: ADVICE_IGNORED,
    },
    isUserMemory,
  ),
  adviceRule(
    {
      id: "lazyfree-pmd",
      title: "MADV_FREE: may the PMD-mapped folio be freed lazily, or split?",
      where: "mm/huge_memory.c madvise_free_huge_pmd",
      decide: isAlone,
      yes: "mark or split it",
      no: "skip it",
      wrongYes: FREED_FOR_OTHERS,
      wrongNo: NOT_FREED,
    },
    ({ kind, order }) => kind === ANON && order === 9,
  ),
  adviceRule(
    {
      id: "lazyfree-part",
      title: "MADV_FREE: may the folio be split, of which a part is meant?",
      where: "mm/madvise.c madvise_free_pte_range, batch < nr",
      decide: isAlone,
      yes: "split it",
      no: "skip it",
      wrongYes: SPLIT_FOR_OTHERS,
      wrongNo: NOT_SPLIT,
    },
    ({ kind, order }) => kind === ANON && order > 0,
  ),
  adviceRule(
    {
      id: "lazyfree-whole",
      title: "MADV_FREE: may the folio be freed lazily, which is dirty or in the swap cache?",
      where: "mm/madvise.c madvise_free_pte_range, folio_mapcount != nr",
      decide: (answers, situation) => hasOnly(answers, situation, 2 ** situation.order),
      yes: "mark it",
      no: "skip it",
      wrongYes: FREED_FOR_OTHERS,
      wrongNo: NOT_FREED,
    },
    ({ kind }) => kind === ANON || kind === KSM,
  ),
];
