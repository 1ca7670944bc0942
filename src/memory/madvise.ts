/**
 * madvise(2): the checks of the call, the walk over the VMAs of the range, and what each advice does to a VMA (mm/madvise.c).
 *
 * The walk goes VMA by VMA and stops at the first error; what was done stays done. Holes are passed over and answered with
 * -ENOMEM in the end. MADV_HWPOISON and MADV_SOFT_OFFLINE need CONFIG_MEMORY_FAILURE, which the kernel lab's kernels
 * are built without: they are no valid advice.
 */
import { PAGE_SIZE_BYTES } from "../kernel/index.ts";
import { collapseRange } from "./collapse.ts";
import { EINVAL, ENOMEM } from "./errno.ts";
import { installGuards, removeGuards } from "./guard-regions.ts";
import { faultInRange } from "./gup.ts";
import { ksmMergeable, ksmUnmergeable } from "./ksm.ts";
import { ageRange } from "./madvise-cold.ts";
import { discardRange, removeRange } from "./madvise-free.ts";
import { readAhead } from "./madvise-willneed.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { modifyVmaFlags } from "./vma-change.ts";
import {
  VM_DONTCOPY, VM_DROPPABLE, VM_HUGEPAGE, VM_NOHUGEPAGE, VM_RAND_READ, VM_SEQ_READ, VM_SHARED, VM_WIPEONFORK, type Vma,
} from "./vma.ts"; // prettier-ignore

/** Advice that changes what memory the process has. */
type MemoryAdvice =
  | "cold" | "collapse" | "dontneed" | "dontneed_locked" | "free" | "guard_install" | "guard_remove" | "pageout"
  | "remove" | "willneed"; // prettier-ignore

/** Advice that changes the flags of VMAs. */
type FlagAdvice =
  | "dofork" | "dontfork" | "hugepage" | "keeponfork" | "mergeable" | "nohugepage" | "normal" | "random" | "sequential"
  | "unmergeable" | "wipeonfork"; // prettier-ignore

export type MadviseAdvice =
  | MemoryAdvice
  | FlagAdvice
  | "hwpoison"
  | "populate_read"
  | "populate_write"
  | "soft_offline";

/** madvise(2): 0 or -errno. */
export function madvise(memory: Memory, mm: Mm, address: number, lengthBytes: number, advice: MadviseAdvice): number {
  if (advice === "hwpoison" || advice === "soft_offline") return -EINVAL;
  if (address % PAGE_SIZE_BYTES !== 0) return -EINVAL;
  const start = address / PAGE_SIZE_BYTES;
  const end = start + Math.ceil(lengthBytes / PAGE_SIZE_BYTES);
  if (start === end) return 0;
  if (advice === "populate_read" || advice === "populate_write") {
    return faultInRange(memory, mm, start, end, advice === "populate_write");
  }
  return walkVmas(mm, start, end, (vma, from, to) => {
    switch (advice) {
      case "cold":
      case "pageout":
        return ageRange(memory, vma, from, to, advice === "pageout");
      case "collapse":
        return collapseRange(memory, vma, from, to);
      case "dontneed":
      case "dontneed_locked":
      case "free":
        return discardRange(memory, vma, from, to, advice);
      case "guard_install":
        return installGuards(memory, vma, from, to);
      case "guard_remove":
        return removeGuards(memory, vma, from, to);
      case "remove":
        return removeRange(memory, vma, from, to);
      case "willneed":
        return readAhead(memory, vma, from, to);
      default:
        return changeFlags(memory, vma, from, to, advice);
    }
  });
}

/** madvise_walk_vmas. */
function walkVmas(mm: Mm, start: number, end: number, visit: (vma: Vma, start: number, end: number) => number): number {
  // prettier-ignore
  let hasHole = false;
  for (let page = start; page < end;) {
    const vma: Vma | undefined = mm.vmas[mm.firstEndingAfter(page)];
    if (vma === undefined) return -ENOMEM;
    if (page < vma.start) {
      hasHole = true;
      page = vma.start;
      if (page >= end) break;
    }
    const to = Math.min(end, vma.end);
    const result = visit(vma, page, to);
    if (result < 0) return result;
    page = to;
  }
  return hasHole ? -ENOMEM : 0;
}

function changeFlags(memory: Memory, vma: Vma, start: number, end: number, advice: FlagAdvice): number {
  if (advice === "wipeonfork" && (vma.file !== undefined || vma.has(VM_SHARED))) return -EINVAL;
  if (advice === "keeponfork" && vma.has(VM_DROPPABLE)) return -EINVAL;
  const flags = newFlags(memory, vma, start, end, advice);
  if (flags === vma.flags) return 0;
  const changed = modifyVmaFlags(memory, vma, start, end, flags);
  return typeof changed === "number" ? changed : 0;
}

function newFlags(memory: Memory, vma: Vma, start: number, end: number, advice: FlagAdvice): number {
  const { flags } = vma;
  switch (advice) {
    case "normal":
      return flags & ~(VM_RAND_READ | VM_SEQ_READ);
    case "random":
      return (flags & ~VM_SEQ_READ) | VM_RAND_READ;
    case "sequential":
      return (flags & ~VM_RAND_READ) | VM_SEQ_READ;
    case "dontfork":
      return flags | VM_DONTCOPY;
    case "dofork":
      return flags & ~VM_DONTCOPY;
    case "wipeonfork":
      return flags | VM_WIPEONFORK;
    case "keeponfork":
      return flags & ~VM_WIPEONFORK;
    case "hugepage":
      return (flags & ~VM_NOHUGEPAGE) | VM_HUGEPAGE;
    case "nohugepage":
      return (flags & ~VM_HUGEPAGE) | VM_NOHUGEPAGE;
    case "mergeable":
      return ksmMergeable(memory, vma);
    case "unmergeable":
      return ksmUnmergeable(memory, vma, start, end);
  }
}
