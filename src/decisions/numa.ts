/**
 * NUMA balancing: whose page is it, and may it go where it is used? (kernel-facts 4.4)
 *
 * The model does not balance; at any time the kernel might, so these are asked of folios at rest.
 */
import { FILE, FREE, HUGETLB_ANON, HUGETLB_FILE, SHMEM, ZERO } from "../memory/index.ts";
import { NO, YES } from "../schemes/index.ts";
import { folioBytes, not } from "./answers.ts";
import type { DecisionRule } from "./rule.ts";

export const NUMA_RULES: readonly DecisionRule[] = [
  {
    id: "numa-misplaced-exec",
    title: "may the misplaced page of an executable file be migrated?",
    where: "mm/migrate.c migrate_misplaced_folio_prepare",
    source: "kernel-facts 4.4",
    asks: ["others"],
    asked: "surveyed",
    applies: ({ kind }) => kind === FILE,
    decide: (answers, { head, mm }) => not(answers.others(head, mm)),
    yes: "migrate it",
    no: "-EACCES",
    wrongYes: { kind: "moved-for-others", text: "a shared library bounces between nodes", bytes: folioBytes },
    wrongNo: { kind: "refused", text: "a page that only this process uses stays remote", bytes: folioBytes },
  },
  {
    id: "numa-group-shared",
    title: "is the page of a shared mapping used by others, so that tasks are grouped?",
    where: "mm/memory.c numa_migrate_check, TNF_SHARED",
    source: "kernel-facts 4.4",
    asks: ["others"],
    asked: "surveyed",
    applies: ({ kind }) => kind === SHMEM || kind === FILE,
    decide: (answers, { head, mm }) => answers.others(head, mm),
    yes: "group the tasks that use it",
    no: "the page is this task's",
    wrongYes: { kind: "needless-work", text: "tasks are grouped that share nothing" },
    wrongNo: { kind: "needless-work", text: "tasks that share memory are not grouped" },
  },
  {
    id: "numa-hint",
    title: "are hinting faults set for this page of a private mapping?",
    where: "mm/mprotect.c prot_numa_skip (6.19: mm/mempolicy.c folio_can_map_prot_numa)",
    source: "kernel-facts 4.4",
    asks: ["others", "pinned"],
    asked: "surveyed",
    applies: ({ kind }) =>
      kind !== FREE && kind !== ZERO && kind !== SHMEM && kind !== HUGETLB_ANON && kind !== HUGETLB_FILE,
    decide: (answers, { head, mm }) => (answers.pinned(head) === YES ? NO : not(answers.others(head, mm))),
    yes: "set them",
    no: "skip the page",
    wrongYes: { kind: "needless-work", text: "hinting faults on pages that many processes share" },
    wrongNo: { kind: "skipped", text: "the page is never balanced", bytes: folioBytes },
  },
];
