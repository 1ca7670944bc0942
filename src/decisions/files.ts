/**
 * The page cache: is the folio mapped before it is removed or set aside? (kernel-facts 4.5)
 */
import { FILE, HUGETLB_FILE, SHMEM } from "../memory/index.ts";
import { folioBytes, not } from "./answers.ts";
import type { DecisionRule } from "./rule.ts";

export const FILE_RULES: readonly DecisionRule[] = [
  {
    id: "truncate-unmap",
    title: "is the folio that leaves the page cache mapped?",
    where: "mm/truncate.c truncate_cleanup_folio, mm/filemap.c, mm/shmem.c, fs/hugetlbfs/inode.c",
    source: "kernel-facts 4.5",
    asks: ["mapped"],
    asked: "met",
    applies: ({ kind }) => kind === FILE || kind === SHMEM || kind === HUGETLB_FILE,
    decide: (answers, { head }) => answers.mapped(head),
    ifUnknown: "the operation's walk",
    yes: "walk the i_mmap tree",
    no: "remove it at once",
    wrongYes: { kind: "needless-work", text: "the i_mmap tree is walked for nothing" },
    wrongNo: { kind: "use-after-free", text: "a stale entry points to a removed page" },
  },
  {
    id: "deactivate-file",
    title: "is the page cache folio unmapped, so that it can be deactivated?",
    where: "mm/swap.c lru_deactivate_file",
    source: "kernel-facts 4.5",
    asks: ["mapped"],
    asked: "met",
    applies: ({ kind }) => kind === FILE,
    decide: (answers, { head }) => not(answers.mapped(head)),
    yes: "deactivate it",
    no: "leave it: a process uses it",
    wrongYes: { kind: "wrong-reclaim", text: "a page in use is reclaimed first", bytes: folioBytes },
    wrongNo: { kind: "not-reclaimed", text: "the page stays active", bytes: folioBytes },
  },
];
