/**
 * The door of the model: the machine, what it is made of, and every operation on it.
 */
export { exitMm } from "./exit.ts";
export * from "./errno.ts";
export { fadviseFile, fsyncFile, preadFile, pwriteFile } from "./file-io.ts";
export * from "./file-mapping.ts";
export * from "./folio-references.ts";
export { forkMm } from "./fork.ts";
export * from "./frames.ts";
export { createHugetlbFile } from "./hugetlb.ts";
export * from "./kernel-counts.ts";
export { changeKsmSetting, ksmReport, ksmScan } from "./ksm.ts";
export { madvise } from "./madvise.ts";
export * from "./map.ts";
export * from "./memory.ts";
export { movePages } from "./move-pages.ts";
export { mlockRange, munlockRange } from "./mlock.ts";
export type { Mm } from "./mm.ts";
export { mprotectRange } from "./mprotect.ts";
export { mremapRegion } from "./mremap.ts";
export { bindToNode } from "./numa-policy.ts";
export { openFile, releaseFile } from "./page-cache.ts";
export * from "./page-table.ts";
export * from "./pins.ts";
export * from "./rmap-walk.ts";
export { createShmem } from "./shmem.ts";
export { splitRange } from "./split-range.ts";
export * from "./state-names.ts";
export { swapOn } from "./swap.ts";
export { swapOff } from "./swapoff.ts";
export * from "./table-walk.ts";
export { thpEligible } from "./thp-orders.ts";
export * from "./thp-settings.ts";
export { fillRange, peekWord, touchPages } from "./touch.ts";
export { fallocateFile, ftruncateFile } from "./truncate.ts";
export { userfaultWriteProtect } from "./uffd-wp.ts";
export * from "./unsupported.ts";
export * from "./vma.ts";
