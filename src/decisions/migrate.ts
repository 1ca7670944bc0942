/**
 * Migration: whose memory may be moved, and can it be moved at all? (kernel-facts 4.4, 4.5)
 *
 * Who asks for a move without MPOL_MF_MOVE_ALL moves only what nobody else maps. A folio can be moved if every reference is
 * a mapping's or a cache's: another holder would go on with the old frame.
 */
import { ANON, FREE, HUGETLB_ANON, HUGETLB_FILE, KSM, ZERO } from "../memory/index.ts";
import { folioBytes, isZero, not } from "./answers.ts";
import { isSeenPartial } from "./split.ts";
import type { Consequence, DecisionRule, Situation } from "./rule.ts";

const MOVED_FOR_OTHERS: Consequence = {
  kind: "moved-for-others",
  text: "others' memory is moved without CAP_SYS_NICE",
  bytes: folioBytes,
};

function isMovable({ kind }: Situation): boolean {
  return kind !== FREE && kind !== ZERO;
}

function isHugetlb({ kind }: Situation): boolean {
  return kind === HUGETLB_ANON || kind === HUGETLB_FILE;
}

/** Who may be moved without CAP_SYS_NICE. */
const SHARING_RULES: readonly DecisionRule[] = [
  {
    id: "move-page",
    title: "move_pages: may the caller move this folio?",
    where: "mm/migrate.c __add_folio_for_migration",
    source: "kernel-facts 4.4",
    asks: ["others"],
    asked: "met",
    applies: isMovable,
    decide: (answers, { head, mm }) => not(answers.others(head, mm)),
    yes: "move it",
    no: "-EACCES",
    wrongYes: MOVED_FOR_OTHERS,
    wrongNo: { kind: "refused", text: "move_pages refuses with EACCES", bytes: folioBytes },
  },
  {
    id: "mbind-queue",
    title: "mbind, migrate_pages: is this folio queued for migration?",
    where: "mm/mempolicy.c migrate_folio_add",
    source: "kernel-facts 4.4",
    asks: ["others"],
    asked: "surveyed",
    applies: (situation) => isMovable(situation) && !isHugetlb(situation),
    decide: (answers, { head, mm }) => not(answers.others(head, mm)),
    yes: "queue it",
    no: "skip it silently",
    wrongYes: MOVED_FOR_OTHERS,
    wrongNo: { kind: "refused", text: "memory stays on the wrong node, and mbind says nothing", bytes: folioBytes },
  },
  {
    id: "mbind-queue-hugetlb",
    title: "mbind, migrate_pages: is this huge page of hugetlb queued for migration?",
    where: "mm/mempolicy.c queue_folios_hugetlb",
    source: "kernel-facts 4.4",
    asks: ["others"],
    asked: "surveyed",
    applies: isHugetlb,
    decide: (answers, { head, mm }) => not(answers.others(head, mm)),
    yes: "queue it",
    no: "skip it silently",
    wrongYes: MOVED_FOR_OTHERS,
    wrongNo: { kind: "refused", text: "memory stays on the wrong node, and mbind says nothing", bytes: folioBytes },
  },
];

/** Whether it can be done. */
const MOVING_RULES: readonly DecisionRule[] = [
  {
    id: "migrate-unmap",
    title: "must the folio be unmapped before it is moved?",
    where: "mm/migrate.c migrate_folio_unmap, folio_mapped",
    source: "kernel-facts 4.5",
    asks: ["mapped"],
    asked: "met",
    applies: isMovable,
    decide: (answers, { head }) => answers.mapped(head),
    ifUnknown: "the operation's walk",
    yes: "walk the reverse map",
    no: "move it at once",
    wrongYes: { kind: "needless-work", text: "the reverse map of an unmapped folio is walked" },
    wrongNo: { kind: "corruption", text: "entries go on pointing to the old frame" },
  },
  {
    id: "migrate-split-partial",
    title: "is the folio partially mapped, so that it is split instead of moved?",
    where: "mm/migrate.c migrate_pages_batch, folio_test_partially_mapped",
    source: "kernel-facts 4.5",
    asks: ["partial"],
    asked: "met",
    applies: ({ kind, order }) => kind === ANON && order > 1,
    readsPartiallyMapped: true,
    decide: isSeenPartial,
    yes: "split it and move what is used",
    no: "move all of it",
    wrongYes: { kind: "needless-work", text: "a folio that is mapped whole is split" },
    wrongNo: { kind: "memory-held", text: "pages that nobody maps are moved along and stay", bytes: folioBytes },
  },
  {
    id: "migrate-references",
    title: "does nobody but mappings and caches hold the folio that is to be moved?",
    where: "mm/migrate.c folio_migrate_mapping, folio_expected_ref_count",
    source: "kernel-facts 4.5",
    asks: ["extraReferences"],
    asked: "met",
    applies: isMovable,
    decide: (answers, { head }) => isZero(answers.extraReferences(head)),
    yes: "move it",
    no: "-EAGAIN",
    wrongYes: { kind: "corruption", text: "somebody goes on with the old frame", bytes: folioBytes },
    wrongNo: { kind: "refused", text: "the folio is not moved", bytes: folioBytes },
  },
  {
    id: "compaction-skip",
    title: "compaction: does somebody hold this anonymous folio, so that it is skipped?",
    where: "mm/compaction.c isolate_migratepages_block",
    source: "kernel-facts 4.5",
    asks: ["extraReferences"],
    asked: "surveyed",
    applies: ({ kind }) => kind === ANON || kind === KSM,
    decide: (answers, { head }) => not(isZero(answers.extraReferences(head))),
    yes: "skip it",
    no: "isolate and try to move it",
    wrongYes: { kind: "skipped", text: "a movable folio is passed over", bytes: folioBytes },
    wrongNo: { kind: "needless-work", text: "a held folio is isolated, and moving it fails" },
  },
  {
    id: "offline-unmap",
    title: "memory offlining, memory failure: must the folio be unmapped first?",
    where: "mm/memory_hotplug.c do_migrate_range, mm/memory-failure.c hwpoison_user_mappings",
    source: "kernel-facts 4.5",
    asks: ["mapped"],
    asked: "surveyed",
    applies: isMovable,
    decide: (answers, { head }) => answers.mapped(head),
    yes: "walk the reverse map",
    no: "nothing to unmap",
    wrongYes: { kind: "needless-work", text: "the reverse map of an unmapped folio is walked" },
    wrongNo: { kind: "corruption", text: "a poisoned page stays mapped and is read" },
  },
];

export const MIGRATE_RULES: readonly DecisionRule[] = [...SHARING_RULES, ...MOVING_RULES];
