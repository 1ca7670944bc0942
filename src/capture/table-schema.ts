/**
 * The tables of a capture but the mappings: their columns, in order. Writer, reader, manifest and checks all go by this.
 *
 * Sizes are bytes, addresses bytes, frames page frame numbers. Figures that smaps printed stay in its kB. A nullable
 * column is null where the fact does not apply or was not asked for; docs/capture-format.md says what each one means.
 */
import type { SmapsVmaFields } from "../kernel/index.ts";

/** int64 holds integers up to 2^53 in size, uint64 any 64 bits. */
export type ColumnType = "boolean" | "int32" | "int64" | "uint64" | "double" | "text";

export interface ColumnSpec {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
}

export interface TableSchema {
  readonly name: string;
  readonly columns: readonly ColumnSpec[];
}

/** "name: type" or "name: type?" for a nullable one. */
function table(name: string, columns: Readonly<Record<string, ColumnType | `${ColumnType}?`>>): TableSchema {
  return {
    name,
    columns: Object.entries(columns).map(([column, written]) => ({
      name: column,
      type: written.replace("?", "") as ColumnType,
      nullable: written.endsWith("?"),
    })),
  };
}

export const MACHINE_TABLE = table("machine", {
  kernel_release: "text",
  architecture: "text",
  page_size_bytes: "int32",
  mapcount_config: "text",
  boot_id: "text",
  host_pseudonym: "text?",
  began_at_ms: "int64",
  ended_at_ms: "int64",
  uptime_seconds: "double",
  processor_count: "int32",
  frame_count: "int64",
  thp_enabled: "text?",
  thp_shmem_enabled: "text?",
  thp_sizes_json: "text",
  ksm_pages_shared: "int64",
  options_json: "text",
  meminfo_json: "text",
});

export const PROCESSES_TABLE = table("processes", {
  pid: "int32",
  ppid: "int32",
  uid: "int64",
  user_name: "text",
  name: "text",
  command: "text",
  cgroup: "text",
  state: "text",
  refusal_code: "text?",
  refusal_what: "text?",
  refusal: "text?",
  mm: "int32",
  first_vma: "int32",
  end_vma: "int32",
  vm_size_bytes: "int64?",
  vm_rss_bytes: "int64?",
  vm_swap_bytes: "int64?",
  vm_pte_bytes: "int64?",
  hugetlb_bytes: "int64?",
});

/** A figure of smaps: its column and its name in SmapsVmaFields. */
export interface SmapsColumn {
  readonly column: string;
  readonly key: Exclude<keyof SmapsVmaFields, "vmFlags" | "size">;
  /** Every kernel prints it, so it is null only where there are no facts at all. */
  readonly always: boolean;
}

const smaps = (column: string, key: SmapsColumn["key"], always = true): SmapsColumn => ({ column, key, always });

export const SMAPS_COLUMNS: readonly SmapsColumn[] = [
  smaps("smaps_kernel_page_size_kb", "kernelPageSize"),
  smaps("smaps_mmu_page_size_kb", "mmuPageSize"),
  smaps("smaps_rss_kb", "rss"),
  smaps("smaps_pss_kb", "pss"),
  smaps("smaps_pss_dirty_kb", "pssDirty", false),
  smaps("smaps_shared_clean_kb", "sharedClean"),
  smaps("smaps_shared_dirty_kb", "sharedDirty"),
  smaps("smaps_private_clean_kb", "privateClean"),
  smaps("smaps_private_dirty_kb", "privateDirty"),
  smaps("smaps_referenced_kb", "referenced"),
  smaps("smaps_anonymous_kb", "anonymous"),
  smaps("smaps_ksm_kb", "ksm", false),
  smaps("smaps_lazy_free_kb", "lazyFree"),
  smaps("smaps_anon_huge_pages_kb", "anonHugePages"),
  smaps("smaps_shmem_pmd_mapped_kb", "shmemPmdMapped"),
  smaps("smaps_file_pmd_mapped_kb", "filePmdMapped", false),
  smaps("smaps_shared_hugetlb_kb", "sharedHugetlb"),
  smaps("smaps_private_hugetlb_kb", "privateHugetlb"),
  smaps("smaps_swap_kb", "swap"),
  smaps("smaps_swap_pss_kb", "swapPss"),
  smaps("smaps_locked_kb", "locked"),
  smaps("smaps_thp_eligible", "thpEligible", false),
  smaps("smaps_protection_key", "protectionKey", false),
];

export const VMAS_TABLE = table("vmas", {
  vma: "int32",
  mm: "int32",
  pid: "int32",
  start_address: "uint64",
  end_address: "uint64",
  perms: "text",
  offset_bytes: "uint64",
  device: "text",
  inode: "uint64",
  name: "text",
  ...Object.fromEntries(SMAPS_COLUMNS.map(({ column }) => [column, "int64?" as const])),
  smaps_vm_flags: "text?",
});

export const FOLIOS_TABLE = table("folios", {
  head_pfn: "int64",
  pages: "int32",
  order: "int32",
  kind: "text",
  flags: "uint64",
  entries: "int32?",
  pmd_entries: "int32?",
  mapped_pages: "int64?",
  mm_count: "int32?",
  pages_mapped: "int32?",
  head_exclusive: "boolean?",
  mapped_outside: "int32?",
  observed: "text?",
  cgroup: "text?",
});

export const CORRECTIONS_TABLE = table("corrections", { pfn: "int64", mapcount: "int32" });

export const DISAGREEMENTS_TABLE = table("disagreements", { pfn: "int64" });

/** The tables that lie in one file of their name each. */
export const TABLES = [
  MACHINE_TABLE,
  PROCESSES_TABLE,
  VMAS_TABLE,
  FOLIOS_TABLE,
  CORRECTIONS_TABLE,
  DISAGREEMENTS_TABLE,
] as const;

/** The runs: the columns are those of mapping-part.ts, written without a library. */
export const MAPPINGS_TABLE = table("mappings", {
  vma: "int32",
  address: "uint64",
  frame: "uint64",
  pages: "int32",
  step: "int32",
  bits: "int32",
});
