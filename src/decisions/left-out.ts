/**
 * Who reads a mapcount in the kernel and is no rule here, and why (kernel-facts 4.4, 4.5).
 *
 * docs/decisions.md prints the table; its test holds that every row of the facts is either a rule or in here.
 */
export interface LeftOutConsumer {
  /** File and function of the kernel. */
  readonly where: string;
  /** What it reads. */
  readonly reads: string;
  readonly because: string;
}

const NO_MEMORY = "the model has no such memory";
const NO_DECISION = "an assertion: nothing is decided by it";
const DISPLAY = "display: figures/ prints it from each scheme's answers";

export const LEFT_OUT_CONSUMERS: readonly LeftOutConsumer[] = [
  { where: "fs/dax.c", reads: "refcount - mapcount", because: `${NO_MEMORY} (DAX)` },
  { where: "fs/fuse/dev.c", reads: "mapped", because: `${NO_MEMORY} (pages stolen by splice)` },
  { where: "mm/migrate_device.c", reads: "refcount - extra > mapcount", because: `${NO_MEMORY} (device memory)` },
  { where: "drivers/gpu: i915, ttm shmem backup", reads: "mapped", because: `${NO_MEMORY} (graphics buffers)` },
  {
    where: "arch/s390/kernel/uv.c",
    reads: "expected references",
    because: `${NO_MEMORY} (protected virtual machines)`,
  },
  { where: "kernel/bpf/arena.c", reads: "page_mapped", because: `${NO_MEMORY} (BPF arenas; up to 6.18)` },
  {
    where: "kernel/events/uprobes.c",
    reads: "refcount == expected + 1, !mapped",
    because: "the model sets no breakpoints",
  },
  {
    where: "arch: arm, mips, sh, csky, xtensa flush_dcache_folio",
    reads: "mapped",
    because: "the model is x86-64: caches have no aliases",
  },
  { where: "mm/memory.c zap_present_folio_ptes", reads: "mapcount < 0", because: NO_DECISION },
  { where: "mm/hugetlb.c free_huge_folio", reads: "mapcount", because: NO_DECISION },
  { where: "mm/page_alloc.c bad page checks", reads: "all counts", because: NO_DECISION },
  {
    where: "mm/vmscan.c MGLRU retry list",
    reads: "mapped, dirty",
    because: "the model reclaims what it is told to (MADV_PAGEOUT) and has no generations",
  },
  { where: "mm/swapfile.c folio_free_swap", reads: "the swap count", because: "no mapcount enters it" },
  {
    where: "mm/userfaultfd.c UFFDIO_MOVE, mm/mprotect.c can_change_pte_writable",
    reads: "PageAnonExclusive, pins",
    because: "no mapcount enters it; pins are the rule maybe-pinned",
  },
  {
    where: "mm/truncate.c mapping_evict_folio, mm/vmscan.c __remove_mapping",
    reads: "refcount",
    because: "the reference count alone, which is frozen or compared as a whole",
  },
  { where: "fs/proc/task_mmu.c smaps, pagemap", reads: "mapcount, maybe mapped shared", because: DISPLAY },
  { where: "fs/proc/page.c, fs/proc/task_mmu.c numa_maps", reads: "mapcount", because: DISPLAY },
  { where: "include/trace/events/pagemap.h, dump_page", reads: "mapcount", because: DISPLAY },
];
