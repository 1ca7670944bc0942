/**
 * Collapse: what counts as shared, and whether anybody holds what is to be copied (kernel-facts 4.4, 4.5, 4.6).
 *
 * khugepaged counts the PTEs of a table that map folios others map too; more than max_ptes_shared (256), and it lets the
 * memory be, because a collapse gives this address space a copy. MADV_COLLAPSE does not count.
 */
import { ANON, FILE, FREE, KSM, SHMEM, ZERO } from "../memory/index.ts";
import { folioBytes, isZero } from "./answers.ts";
import type { DecisionRule } from "./rule.ts";

export const KHUGEPAGED_RULES: readonly DecisionRule[] = [
  {
    id: "collapse-shared",
    title: "khugepaged: do the entries of this folio count against max_ptes_shared?",
    where: "mm/khugepaged.c hpage_collapse_scan_pmd, __collapse_huge_page_isolate",
    source: "kernel-facts 4.4, 4.6",
    asks: ["others"],
    asked: "surveyed",
    applies: ({ kind, order }) => (kind === ANON || kind === KSM) && order < 9,
    decide: (answers, { head, mm }) => answers.others(head, mm),
    yes: "count them",
    no: "collapse them",
    wrongYes: { kind: "skipped", text: "the collapse is skipped", bytes: folioBytes },
    wrongNo: { kind: "memory-growth", text: "shared pages are copied into a huge page", bytes: folioBytes },
  },
  {
    id: "collapse-references",
    title: "does nobody but mappings and caches hold the folio that is to be collapsed?",
    where: "mm/khugepaged.c hpage_collapse_scan_pmd, collapse_file: SCAN_PAGE_COUNT",
    source: "kernel-facts 4.5",
    asks: ["extraReferences"],
    asked: "met",
    applies: ({ kind, order }) => kind !== FREE && kind !== ZERO && order < 9,
    decide: (answers, { head }) => isZero(answers.extraReferences(head)),
    yes: "collapse it",
    no: "SCAN_PAGE_COUNT",
    wrongYes: { kind: "corruption", text: "somebody goes on with the old page", bytes: folioBytes },
    wrongNo: { kind: "skipped", text: "the collapse is skipped", bytes: folioBytes },
  },
  {
    id: "collapse-unmap",
    title: "must the page cache folio be unmapped before it is replaced?",
    where: "mm/khugepaged.c collapse_file, folio_mapped",
    source: "kernel-facts 4.5",
    asks: ["mapped"],
    asked: "met",
    applies: ({ kind }) => kind === FILE || kind === SHMEM,
    decide: (answers, { head }) => answers.mapped(head),
    ifUnknown: "the operation's walk",
    yes: "walk the reverse map",
    no: "replace it at once",
    wrongYes: { kind: "needless-work", text: "the reverse map of an unmapped folio is walked" },
    wrongNo: { kind: "use-after-free", text: "entries go on pointing to the folio that is freed" },
  },
];
