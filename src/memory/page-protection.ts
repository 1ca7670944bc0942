/**
 * vma->vm_page_prot: which rights an entry of a VMA may have without asking (mm/mmap.c, mm/mprotect.c).
 */
import type { Memory } from "./memory.ts";
import { OWNER_2 } from "./frames.ts";
import { VM_SHARED, VM_UFFD_WP, VM_WRITE, type Vma } from "./vma.ts";

/** vma_wants_writenotify: the first write to a page of a shared VMA must fault: a file system or userfaultfd waits for it. */
export function wantsWriteNotify(vma: Vma): boolean {
  if (!vma.has(VM_SHARED) || !vma.has(VM_WRITE)) return false;
  return vma.file?.fileKind === "disk" || vma.has(VM_UFFD_WP);
}

/** Does vm_page_prot allow writing? Only in shared VMAs whose first write need not fault. */
export function isPageProtWritable(vma: Vma): boolean {
  return vma.has(VM_SHARED) && vma.has(VM_WRITE) && !wantsWriteNotify(vma);
}

/** vma_wants_manual_pte_write_upgrade: must each entry be looked at before it becomes writable? */
export function wantsManualWriteUpgrade(vma: Vma): boolean {
  return vma.has(VM_SHARED) ? wantsWriteNotify(vma) : vma.has(VM_WRITE);
}

/** PageAnon and PageAnonExclusive: a private entry of this page may become writable. */
export function isExclusiveAnon(memory: Memory, frame: number): boolean {
  const { cow, frames } = memory;
  return cow.hasExclusivePages && frames.has(frame, OWNER_2) && frames.isAnon(frames.headOf(frame));
}
