/**
 * The decisions that operations make from a count, and what they do besides counting: asked and told by name.
 *
 * The model's operations do what the kernel does; what they decide from a mapcount, a reference count or the shared flag
 * they do not decide themselves. They name the decision and the folio, and whoever was given to the machine answers: the
 * kernel's own count, or any other scheme put in its place (decisions/). So each rule stands once, and a study can put the
 * same question to every scheme at the moment when the kernel asks it. The rules and what follows from a wrong answer are
 * in decisions/; here is only who asks.
 */
import type { WorkName } from "../kernel/index.ts";

/** Decisions that operations of the model make (kernel-facts 4.1-4.5). YES is what the name says. */
export type OperationDecision =
  // 4.1-4.3: copy-on-write, pins, swap-in
  | "reuse-small"
  | "reuse-large"
  | "reuse-pmd"
  | "reuse-hugetlb"
  | "swap-in-exclusive"
  | "maybe-pinned"
  // 4.4: folio_maybe_mapped_shared
  | "age-pmd"
  | "age-part"
  | "age-whole"
  | "lazyfree-pmd"
  | "lazyfree-part"
  | "lazyfree-whole"
  | "move-page"
  // 4.5: all other readers
  | "use-anon-vma"
  | "split-folio"
  | "discard-lazyfree-pmd"
  | "discard-lazyfree"
  | "reclaim-unmap"
  | "reclaim-still-mapped"
  | "reclaim-split-partial"
  | "stop-unmap-walk"
  | "drop-swap-cache"
  | "free-folio"
  | "defer-split"
  | "migrate-unmap"
  | "migrate-split-partial"
  | "migrate-references"
  | "collapse-references"
  | "collapse-unmap"
  | "ksm-write-protect"
  | "truncate-unmap"
  | "deactivate-file";

/** Why the reverse map is walked. */
export type WalkPurpose = "unmap" | "migrate" | "restore" | "referenced" | "clean" | "truncate";

export interface KernelDecisions {
  /**
   * Decides about a folio. `mm`: the address space that asks, -1 if none does; `vma` as well; `entries`: entries of the
   * batch that it is asked for (1 for a PMD), 0 if it is asked about the folio as a whole.
   */
  decide(decision: OperationDecision, head: number, mm: number, vma: number, entries: number): boolean;
  /**
   * Something was decided by what the kernel keeps beside its counts (the partially mapped flag): whoever listens hears
   * what counts would have said. `taken`: the decision.
   */
  noted(decision: OperationDecision, head: number, taken: boolean): void;
}

/** Told of what operations do besides counting. Absent: nobody wants to know. */
export interface OperationWatch {
  /** The reverse map of a folio is about to be walked; the entries are still there. */
  willWalk(purpose: WalkPurpose, head: number): void;
  did(work: WorkName, times: number): void;
}
