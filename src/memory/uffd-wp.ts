/**
 * userfaultfd's write protection: UFFDIO_REGISTER with MODE_WP and UFFDIO_WRITEPROTECT (mm/userfaultfd.c).
 *
 * A process opens its userfaultfd at the first call; it belongs to the address space of that moment, and a child that
 * inherits the descriptor acts on its parent's memory. Registration splits and merges VMAs like mprotect. Protection sets
 * a bit in each entry. The kernel is built without markers (CONFIG_PTE_MARKER_UFFD_WP): only anonymous memory can be
 * registered, and a page that is not there yet is not protected.
 */
import { PAGE_SIZE_BYTES } from "../kernel/index.ts";
import { EINVAL, ENOENT, ENOMEM, EPERM, ESRCH } from "./errno.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { changeProtection } from "./mprotect.ts";
import { wantsManualWriteUpgrade } from "./page-protection.ts";
import { ADDRESS_SPACE_PAGES } from "./table-walk.ts";
import { modifyVmaFlags } from "./vma-change.ts";
import { VM_MAYWRITE, VM_UFFD_WP, type Vma } from "./vma.ts";

/**
 * Protects the range (and registers it first), or takes the protection back: 0 or -errno.
 *
 * @example userfaultWriteProtect(memory, mm, 0x200000000, 0x200000, true)
 */
export function userfaultWriteProtect(
  memory: Memory,
  mm: Mm,
  address: number,
  lengthBytes: number,
  protect: boolean,
): number {
  // prettier-ignore
  mm.userfault ??= mm;
  const owner = mm.userfault;
  const isAlive = memory.mms.get(owner.id) === owner;
  if (!isValidRange(address, lengthBytes)) return -EINVAL;
  const start = address / PAGE_SIZE_BYTES;
  const end = start + lengthBytes / PAGE_SIZE_BYTES;
  if (protect) {
    const error = isAlive ? register(memory, owner, start, end) : -ENOMEM;
    if (error < 0) return error;
  }
  return isAlive ? writeProtect(memory, owner, start, end, protect) : -ESRCH;
}

/** validate_range. */
function isValidRange(address: number, lengthBytes: number): boolean {
  if (address % PAGE_SIZE_BYTES !== 0 || lengthBytes % PAGE_SIZE_BYTES !== 0 || lengthBytes === 0) return false;
  return (address + lengthBytes) / PAGE_SIZE_BYTES < ADDRESS_SPACE_PAGES / 2;
}

/** userfaultfd_register: all VMAs are checked before one is changed. */
function register(memory: Memory, mm: Mm, start: number, end: number): number {
  const vmas = mm.vmasIn(start, end);
  if (vmas.length === 0) return -EINVAL;
  for (const vma of vmas) {
    // vma_can_userfault: without markers only entries of anonymous memory can carry the protection.
    if (!vma.isAnonymous) return -EINVAL;
    if (!vma.has(VM_MAYWRITE)) return -EPERM;
  }
  for (let page = start; page < end;) {
    const vma: Vma | undefined = mm.vmas[mm.firstEndingAfter(page)];
    if (vma === undefined || vma.start >= end) return 0;
    const stop = Math.min(end, vma.end);
    if (!vma.has(VM_UFFD_WP)) {
      const changed = modifyVmaFlags(memory, vma, Math.max(page, vma.start), stop, vma.flags | VM_UFFD_WP);
      if (typeof changed === "number") return changed;
    }
    page = stop;
  }
  return 0;
}

/** mwriteprotect_range: VMA by VMA, up to the first that is not registered. */
function writeProtect(memory: Memory, mm: Mm, start: number, end: number, protect: boolean): number {
  let result = -ENOENT;
  for (const vma of mm.vmasIn(start, end)) {
    if (!vma.has(VM_UFFD_WP)) return -ENOENT;
    changeProtection(memory, vma, Math.max(start, vma.start), Math.min(end, vma.end), {
      tryWritable: !protect && wantsManualWriteUpgrade(vma),
      uffdWp: protect ? "set" : "resolve",
    });
    result = 0;
  }
  return result;
}
