/**
 * The size of a pin in a reference count (kernel-facts 1.5).
 *
 * A large folio counts its pins; a small one has no room and hides each in its reference count, as so many references at
 * once. folio_maybe_dma_pinned takes a small folio with that many references, of whatever sort, for pinned.
 */

/** References that one FOLL_PIN adds to a small folio (GUP_PIN_COUNTING_BIAS). */
export const GUP_PIN_COUNTING_BIAS = 1024;
