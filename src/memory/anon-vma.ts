/**
 * anon_vma: from an anonymous folio to the VMAs that may map it (kernel-facts 6.1).
 *
 * A folio names the anon_vma of the VMA that it was faulted into. At fork the child's VMA is linked into every anon_vma
 * of the parent's VMA and gets one of its own for new pages, so a page faulted before the fork is found in parent and
 * descendants, a page copied in the child only there. An old anon_vma without VMAs of its own and with at most one child
 * is reused; the root never is.
 */
import type { Mapping } from "./rmap-key.ts";
import type { Vma } from "./vma.ts";

export class AnonVma implements Mapping {
  readonly kind = "anon";
  readonly spans = new Map<number, number>();
  readonly root: AnonVma;
  readonly parent: AnonVma;
  /** VMAs that may map folios of this anon_vma: the interval tree's content. */
  readonly vmas = new Set<Vma>();
  /** anon_vmas whose parent this is; the root counts itself. */
  childCount = 0;
  /** VMAs whose new pages go here. */
  activeVmaCount = 0;

  constructor(parent?: AnonVma) {
    this.parent = parent ?? this;
    this.root = parent?.root ?? this;
    this.parent.childCount++;
  }
}

function link(vma: Vma, anonVma: AnonVma): void {
  vma.anonVmaChain.push(anonVma);
  anonVma.vmas.add(vma);
}

/** anon_vma_prepare: gives a VMA its anon_vma at its first anonymous fault, a neighbour's if `neighbour` may share its own. */
export function prepareAnonVma(vma: Vma, neighbour?: AnonVma): AnonVma {
  if (vma.anonVma !== undefined) return vma.anonVma;
  const anonVma = neighbour ?? new AnonVma();
  vma.anonVma = anonVma;
  anonVma.activeVmaCount++;
  link(vma, anonVma);
  return anonVma;
}

/** anon_vma_clone: links `to` into every anon_vma of `from`; at fork also looks for one to reuse. */
export function cloneAnonVmas(to: Vma, from: Vma, mayReuse: boolean): void {
  for (const anonVma of from.anonVmaChain) {
    link(to, anonVma);
    const isReusable =
      mayReuse &&
      to.anonVma === undefined &&
      from.anonVma !== undefined &&
      anonVma !== anonVma.root &&
      anonVma.childCount < 2 &&
      anonVma.activeVmaCount === 0;
    if (isReusable) to.anonVma = anonVma;
  }
  if (to.anonVma !== undefined) to.anonVma.activeVmaCount++;
}

/** anon_vma_fork: the child's VMA sees all that the parent's maps, and new pages of its own go to an anon_vma of its own. */
export function forkAnonVmas(child: Vma, parent: Vma): void {
  if (parent.anonVma === undefined) return;
  cloneAnonVmas(child, parent, true);
  if (child.anonVma !== undefined) return;
  const anonVma = new AnonVma(parent.anonVma);
  child.anonVma = anonVma;
  anonVma.activeVmaCount++;
  link(child, anonVma);
}

/** unlink_anon_vmas: the VMA goes away. */
export function unlinkAnonVmas(vma: Vma): void {
  for (const anonVma of vma.anonVmaChain) {
    anonVma.vmas.delete(vma);
    if (anonVma.vmas.size === 0 && anonVma !== anonVma.root) anonVma.parent.childCount--;
  }
  if (vma.anonVma !== undefined) vma.anonVma.activeVmaCount--;
  vma.anonVmaChain.length = 0;
  vma.anonVma = undefined;
}
