/**
 * Answers that the reference count gives, put beside what a scheme counts.
 *
 * Each mapping holds references: one an entry in every kernel so far (kernel-facts 1.7), one a unit under the schemes that
 * count something else. Whoever knows how many those are knows how many are left for others. Without a view of the
 * references there is no answer.
 */
import { GUP_PIN_COUNTING_BIAS } from "../kernel/index.ts";
import type { ReferenceView } from "./counter.ts";
import { type Answer, NO, UNKNOWN, UNKNOWN_COUNT, YES } from "./scheme.ts";

/** `extraReferences` for a scheme that knows how many references mappings hold. */
export function extraReferencesOf(references: ReferenceView | undefined, folio: number): number {
  if (references === undefined) return UNKNOWN_COUNT;
  return references.references(folio) - references.cacheReferences(folio);
}

/** `pinned` (folio_maybe_dma_pinned): a large folio counts its pins, a small one hides them in its reference count. */
export function pinnedOf(
  references: ReferenceView | undefined,
  folio: number,
  { order, mappingReferences }: { readonly order: number; readonly mappingReferences: number },
): Answer {
  if (references === undefined) return UNKNOWN;
  if (order > 0) return references.pins(folio) > 0 ? YES : NO;
  return mappingReferences + references.references(folio) >= GUP_PIN_COUNTING_BIAS ? YES : NO;
}

/** `canReuse` by the rule of 5.9: the mapping that asks holds the only reference. Sufficient, not necessary. */
export function canReuseLastReference(
  references: ReferenceView | undefined,
  folio: number,
  mappingReferences: number,
): Answer {
  if (references === undefined) return UNKNOWN;
  return mappingReferences + references.references(folio) === 1 ? YES : NO;
}

/**
 * `canReuse` by the rule of 6.15 (__wp_can_reuse_large_anon_folio): nobody else maps the folio and every reference is a
 * mapping. A folio with one mapping left is copied on purpose, so that the large folio can be freed.
 */
export function canReuseUnshared(
  references: ReferenceView | undefined,
  folio: number,
  { order, mappings, isShared }: { readonly order: number; readonly mappings: number; readonly isShared: boolean },
): Answer {
  if (order === 0) return canReuseLastReference(references, folio, mappings);
  if (references === undefined) return UNKNOWN;
  return mappings > 1 && !isShared && references.references(folio) === 0 ? YES : NO;
}
