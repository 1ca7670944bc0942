/**
 * docs/decisions.md repeats what the rules say; this holds the two together. A failure prints the right table.
 */
import { expect, test } from "vitest";
import { type Consequence, DECISION_RULES, LEFT_OUT_CONSUMERS, findRule, isUnsafe } from "../../src/decisions/index.ts";
import { checkTable, formatTable } from "../conformance/doc-table.ts";

function formatConsequence(consequence: Consequence): string {
  return isUnsafe(consequence) ? `**${consequence.kind}**: ${consequence.text}` : consequence.text;
}

test("the rules", () => {
  const rows = DECISION_RULES.map(({ id, title, where, asks, asked, wrongYes, wrongNo }) => [
    `\`${id}\``,
    title,
    where,
    asks.map((question) => `\`${question}\``).join(", "),
    asked,
    formatConsequence(wrongYes),
    formatConsequence(wrongNo),
  ]);
  const header = [
    "id",
    "question",
    "in the kernel",
    "asks",
    "asked",
    "YES, but the truth is NO",
    "NO, but the truth is YES",
  ];
  checkTable("decisions.md", "decisions", formatTable(header, rows));
});

test("who is left out", () => {
  const rows = LEFT_OUT_CONSUMERS.map(({ where, reads, because }) => [where, reads, because]);
  checkTable("decisions.md", "left-out", formatTable(["in the kernel", "reads", "left out because"], rows));
});

/** The rows of kernel-facts 4.4 and 4.5, by what stands in their first column, and where each went. */
const ROWS: readonly (readonly [row: string, rules: readonly string[]])[] = [
  ["madvise_cold_or_pageout_pte_range PMD", ["age-pmd"]],
  ["madvise_cold_or_pageout_pte_range batch < nr", ["age-part"]],
  ["madvise_cold_or_pageout_pte_range batch == nr", ["age-whole"]],
  ["madvise_free_pte_range batch < nr", ["lazyfree-part"]],
  ["madvise.c mapcount vs nr", ["age-whole", "lazyfree-whole"]],
  ["madvise_free_huge_pmd", ["lazyfree-pmd"]],
  ["migrate_folio_add, queue_folios_hugetlb", ["mbind-queue", "mbind-queue-hugetlb"]],
  ["__add_folio_for_migration", ["move-page"]],
  ["migrate_misplaced_folio_prepare", ["numa-misplaced-exec"]],
  ["numa_migrate_check", ["numa-group-shared"]],
  ["prot_numa_skip", ["numa-hint"]],
  ["khugepaged scan and isolate", ["collapse-shared"]],
  ["folio_referenced_one", ["referenced-dying"]],
  ["can_split_folio", ["split-folio"]],
  ["__discard_anon_folio_pmd_locked", ["discard-lazyfree-pmd"]],
  ["__wp_can_reuse_large_anon_folio", ["reuse-large"]],
  ["__do_fault", ["hwpoison-unmap"]],
  ["shrink_folio_list mapped", ["reclaim-unmap", "reclaim-still-mapped"]],
  ["vmscan.c partially_mapped", ["reclaim-split-partial"]],
  ["folio_referenced countdown", ["referenced-countdown"]],
  ["try_to_unmap/_migrate done", ["stop-unmap-walk"]],
  ["rmap.c lazyfree", ["discard-lazyfree"]],
  ["folio_get_anon_vma, folio_lock_anon_vma_read, folio_mkclean", ["use-anon-vma"]],
  ["TTRS_UNMAPPED, free_swap_cache", ["drop-swap-cache"]],
  ["compaction.c", ["compaction-skip"]],
  ["migrate.c expected_ref_count", ["migrate-references"]],
  ["migrate.c mapped(src)", ["migrate-unmap"]],
  ["migrate.c partially mapped", ["migrate-split-partial"]],
  ["khugepaged.c expected == refcount", ["collapse-references"]],
  ["khugepaged.c file collapse", ["collapse-unmap"]],
  ["gup.c longterm collect", ["longterm-drain"]],
  ["memory_hotplug.c, memory-failure.c", ["offline-unmap"]],
  ["ksm.c write_protect_page", ["ksm-write-protect"]],
  ["ksm.c stable_tree_search", ["ksm-duplicate"]],
  ["ksm.c replace_page / remove_stable_node", ["drop-swap-cache"]],
  ["hugetlb_wp", ["reuse-hugetlb"]],
  ["truncate.c, filemap.c, shmem.c, hugetlbfs", ["truncate-unmap"]],
  ["lru_deactivate_file", ["deactivate-file"]],
  ["page_idle.c, damon", ["idle-walk"]],
  ["memfd.c", ["memfd-seal"]],
];

test("every row of kernel-facts 4.4 and 4.5 that is not left out has its rules", () => {
  const missing = ROWS.flatMap(([row, rules]) =>
    rules.filter((id) => findRule(id) === undefined).map((id) => `${row}: ${id}`),
  );
  expect(missing).toEqual([]);
  const used = new Set(ROWS.flatMap(([, rules]) => rules));
  // Of 4.1 to 4.3, 1.7 and 2.7.
  const others = ["reuse-small", "reuse-pmd", "swap-in-exclusive", "maybe-pinned", "free-folio", "defer-split"];
  expect(DECISION_RULES.map(({ id }) => id).filter((id) => !used.has(id))).toEqual(others);
});
