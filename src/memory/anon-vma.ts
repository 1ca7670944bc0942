/**
 * anon_vma: from an anonymous folio to the VMAs that may map it (kernel-facts 6.1).
 *
 * A folio names the anon_vma of the VMA that it was faulted into. At fork the child's VMA is linked into every anon_vma
 * of the parent's VMA and gets one of its own for new pages, so a page faulted before the fork is found in parent and
 * descendants, a page copied in the child only there. An old anon_vma without VMAs of its own and with at most one child
 * is reused; the root never is.
 */
import { assert } from "./assert.ts";
import { IntervalTree } from "./interval-tree.ts";
import type { Mapping } from "./rmap-key.ts";
import { VM_EXEC, VM_READ, VM_SOFTDIRTY, VM_WRITE, type Vma } from "./vma.ts";

export class AnonVma implements Mapping {
  readonly kind = "anon";
  readonly spans = new Map<number, number>();
  readonly root: AnonVma;
  readonly parent: AnonVma;
  /** rb_root: VMAs that may map folios of this anon_vma. */
  readonly vmas = new IntervalTree<Vma>();
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

/** anon_vma_compatible: could the two VMAs, `left` directly below `right`, be one if their rights were equal? */
function areCompatible(left: Vma, right: Vma): boolean {
  const ignored = VM_READ | VM_WRITE | VM_EXEC | VM_SOFTDIRTY;
  return (
    left.end === right.start &&
    left.file === right.file &&
    left.openFile === right.openFile &&
    ((left.flags ^ right.flags) & ~ignored) === 0 &&
    right.pgoff === left.pgoff + (right.start - left.start)
  );
}

/** find_mergeable_anon_vma: a neighbour's anon_vma, if that neighbour has no other, so that the two may merge later. */
function mergeableAnonVma(vma: Vma): AnonVma | undefined {
  const { vmas } = vma.mm;
  const at = vma.mm.firstEndingAfter(vma.start);
  const next = vmas[at + 1];
  if (next?.anonVmaChain.length === 1 && areCompatible(vma, next)) return next.anonVma;
  const previous = vmas[at - 1];
  if (previous?.anonVmaChain.length === 1 && areCompatible(previous, vma)) return previous.anonVma;
  return undefined;
}

/** anon_vma_prepare: gives a VMA its anon_vma at its first anonymous fault, a neighbour's if it may share that. */
export function prepareAnonVma(vma: Vma): AnonVma {
  if (vma.anonVma !== undefined) return vma.anonVma;
  const anonVma = mergeableAnonVma(vma) ?? new AnonVma();
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
    assert(anonVma.vmas.delete(vma), "a VMA is in the trees of its chain");
    if (anonVma.vmas.size === 0 && anonVma !== anonVma.root) anonVma.parent.childCount--;
  }
  if (vma.anonVma !== undefined) vma.anonVma.activeVmaCount--;
  vma.anonVmaChain.length = 0;
  vma.anonVma = undefined;
}
