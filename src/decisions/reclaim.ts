/**
 * Reclaim: is the folio mapped, was that all, may it be dropped? (kernel-facts 4.4, 4.5)
 *
 * "Not mapped" lets reclaim skip the walk and, afterwards, free the folio: a scheme that says it of a mapped folio frees
 * memory in use. "References are mappings" lets a lazily freed folio be dropped. The rest costs work or memory.
 */
import { ANON, FILE, FREE, HUGETLB_ANON, HUGETLB_FILE, SHMEM, ZERO } from "../memory/index.ts";
import type { Answer } from "../schemes/index.ts";
import { folioBytes, isZero, not, yesIf } from "./answers.ts";
import { isSeenPartial } from "./split.ts";
import type { Answers, Consequence, DecisionRule, Situation } from "./rule.ts";

const NEEDLESS_WALK: Consequence = {
  kind: "needless-work",
  text: "the reverse map of an unmapped folio is walked",
};
const FREED_WHILE_MAPPED: Consequence = { kind: "use-after-free", text: "a page is freed while it is mapped" };

function isOnLru({ kind }: Situation): boolean {
  return kind !== FREE && kind !== ZERO && kind !== HUGETLB_ANON && kind !== HUGETLB_FILE;
}

function isMapped(answers: Answers, { head }: Situation): Answer {
  return answers.mapped(head);
}

function isUnmapped(answers: Answers, { head }: Situation): Answer {
  return not(answers.mapped(head));
}

/** refcount == 1 + mapcount, the one being the isolation. */
function isHeldByMappingsAlone(answers: Answers, { head }: Situation): Answer {
  return isZero(answers.extraReferences(head));
}

/**
 * folio_referenced counts the mapcount down; all entries of the asking address space are found. A scheme that counts
 * something else asks for other address spaces.
 */
function mayStopLooking(answers: Answers, { head, mm, entries }: Situation): Answer {
  return answers.unit === "entries" ? answers.stopWalk(head, entries) : not(answers.others(head, mm));
}

/** Does it cost a walk of the reverse map? */
const UNMAP_RULES: readonly DecisionRule[] = [
  {
    id: "reclaim-unmap",
    title: "is the folio mapped, so that reclaim must unmap it?",
    where: "mm/vmscan.c shrink_folio_list",
    source: "kernel-facts 4.5",
    asks: ["mapped"],
    asked: "met",
    applies: isOnLru,
    decide: isMapped,
    ifUnknown: "the operation's walk",
    yes: "walk the reverse map",
    no: "go on to free it",
    wrongYes: NEEDLESS_WALK,
    wrongNo: FREED_WHILE_MAPPED,
  },
  {
    id: "reclaim-still-mapped",
    title: "is the folio still mapped after try_to_unmap?",
    where: "mm/vmscan.c shrink_folio_list, after try_to_unmap",
    source: "kernel-facts 4.5",
    asks: ["mapped"],
    asked: "met",
    applies: isOnLru,
    decide: isMapped,
    ifUnknown: "just walked",
    yes: "activate it",
    no: "go on to free it",
    wrongYes: { kind: "not-reclaimed", text: "the folio goes to the active list", bytes: folioBytes },
    wrongNo: FREED_WHILE_MAPPED,
  },
  {
    id: "stop-unmap-walk",
    title: "is nothing mapped any more, so that the walk ends?",
    where: "mm/rmap.c try_to_unmap, try_to_migrate: rwc.done = folio_not_mapped",
    source: "kernel-facts 4.5",
    asks: ["mapped"],
    asked: "met",
    applies: isOnLru,
    decide: isUnmapped,
    ifUnknown: "go on",
    yes: "end the walk",
    no: "look into the next VMA",
    wrongYes: { kind: "use-after-free", text: "entries are left behind that point to the folio" },
    wrongNo: { kind: "needless-work", text: "the other VMAs are looked into for nothing" },
  },
  {
    id: "referenced-countdown",
    title: "folio_referenced: have all entries been looked at, so that the walk ends?",
    where: "mm/rmap.c folio_referenced_one, pra->mapcount",
    source: "kernel-facts 4.5",
    asks: ["stopWalk", "others"],
    asked: "surveyed",
    applies: isOnLru,
    decide: mayStopLooking,
    yes: "end the walk",
    no: "look into the next VMA",
    wrongYes: {
      kind: "wrong-reclaim",
      text: "references are missed, and memory in use is reclaimed",
      bytes: folioBytes,
    },
    wrongNo: { kind: "needless-work", text: "the other VMAs are looked into for nothing" },
  },
  {
    id: "idle-walk",
    title: "page_idle, DAMON: must the reverse map be walked to know whether the folio is in use?",
    where: "mm/page_idle.c page_idle_clear_pte_refs, mm/damon/ops-common.c",
    source: "kernel-facts 4.5",
    asks: ["mapped"],
    asked: "surveyed",
    applies: isOnLru,
    decide: isMapped,
    yes: "walk the reverse map",
    no: "the folio's flags say it",
    wrongYes: NEEDLESS_WALK,
    wrongNo: { kind: "wrong-reclaim", text: "memory in use looks idle", bytes: folioBytes },
  },
];

/** What becomes of the folio. */
const FREEING_RULES: readonly DecisionRule[] = [
  {
    id: "free-folio",
    title: "the last mapping and the last other reference are gone: is the reference count zero, so that it is freed?",
    where: "mm/swap.c folio_put, after folio_remove_rmap_*",
    source: "kernel-facts 1.7",
    asks: ["mapped"],
    asked: "met",
    applies: isOnLru,
    // What mappings hold is all that is left to count.
    decide: (answers, { head }) => yesIf(answers.mappingReferences(head) === 0),
    yes: "free it",
    no: "leave it",
    wrongYes: FREED_WHILE_MAPPED,
    wrongNo: {
      kind: "memory-held",
      text: "an unmapped folio is not freed: references that the count has lost hold it until somebody walks",
      bytes: folioBytes,
    },
  },
  {
    id: "reclaim-split-partial",
    title: "is the folio partially mapped, so that it is split before it is swapped out?",
    where: "mm/vmscan.c shrink_folio_list, folio_test_partially_mapped",
    source: "kernel-facts 4.5",
    asks: ["partial"],
    asked: "met",
    applies: ({ kind, order }) => kind === ANON && order > 1,
    readsPartiallyMapped: true,
    decide: isSeenPartial,
    yes: "split it, swap out what is used",
    no: "swap out all of it",
    wrongYes: { kind: "needless-work", text: "a folio that is mapped whole is split" },
    wrongNo: { kind: "needless-work", text: "pages that nobody maps are written to swap", bytes: folioBytes },
  },
  {
    id: "discard-lazyfree-pmd",
    title: "does nobody but the mappings hold the lazily freed PMD-mapped folio?",
    where: "mm/huge_memory.c __discard_anon_folio_pmd_locked",
    source: "kernel-facts 4.5",
    asks: ["extraReferences"],
    asked: "met",
    applies: ({ kind, order }) => kind === ANON && order === 9,
    decide: isHeldByMappingsAlone,
    yes: "drop it",
    no: "restore the PMD",
    wrongYes: { kind: "corruption", text: "a page is dropped that somebody holds: data loss", bytes: folioBytes },
    wrongNo: { kind: "not-reclaimed", text: "the folio is kept", bytes: folioBytes },
  },
  {
    id: "discard-lazyfree",
    title: "does nobody but the mappings hold the lazily freed folio?",
    where: "mm/rmap.c try_to_unmap_one, lazyfree",
    source: "kernel-facts 4.5",
    asks: ["extraReferences"],
    asked: "met",
    applies: ({ kind }) => kind === ANON,
    decide: isHeldByMappingsAlone,
    yes: "drop it",
    no: "keep it",
    wrongYes: { kind: "corruption", text: "a page is dropped that somebody holds: data loss", bytes: folioBytes },
    wrongNo: { kind: "not-reclaimed", text: "the folio is kept, swap-backed again", bytes: folioBytes },
  },
  {
    id: "drop-swap-cache",
    title: "is the folio unmapped, so that it can leave the swap cache?",
    where: "mm/swapfile.c TTRS_UNMAPPED, mm/swap_state.c free_swap_cache, mm/ksm.c replace_page",
    source: "kernel-facts 4.5",
    asks: ["mapped"],
    asked: "met",
    applies: ({ kind }) => kind === ANON,
    decide: isUnmapped,
    yes: "give up its swap slots",
    no: "keep them",
    wrongYes: { kind: "harmless", text: "a mapped folio leaves the swap cache" },
    wrongNo: { kind: "memory-held", text: "swap slots leak until the folio goes", bytes: folioBytes },
  },
  {
    id: "referenced-dying",
    title: "does the dying address space alone map the folio, so that it is not worth swapping out?",
    where: "mm/rmap.c folio_referenced_one, MMF_OOM_SKIP or exiting mm",
    source: "kernel-facts 4.4",
    asks: ["others"],
    asked: "surveyed",
    applies: ({ kind }) => kind === ANON,
    decide: (answers, { head, mm }) => not(answers.others(head, mm)),
    yes: "keep it: it is freed soon",
    no: "look for references as usual",
    wrongYes: { kind: "not-reclaimed", text: "the folio is kept although others do not need it", bytes: folioBytes },
    wrongNo: { kind: "needless-work", text: "a folio is swapped out that is freed anyway", bytes: folioBytes },
  },
  {
    id: "hwpoison-unmap",
    title: "the faulting process finds the page poisoned: is it mapped elsewhere, so that it is unmapped first?",
    where: "mm/memory.c do_fault, hwpoison: page_mapped",
    source: "kernel-facts 4.5",
    asks: ["mapped"],
    asked: "surveyed",
    applies: ({ kind }) => kind === FILE || kind === SHMEM,
    decide: isMapped,
    yes: "unmap all before evicting the poisoned page",
    no: "evict it",
    wrongYes: NEEDLESS_WALK,
    wrongNo: { kind: "refused", text: "eviction fails and the process gets SIGBUS" },
  },
];

export const RECLAIM_RULES: readonly DecisionRule[] = [...UNMAP_RULES, ...FREEING_RULES];
