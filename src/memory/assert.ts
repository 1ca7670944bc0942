/**
 * Assertions: a broken one is a bug of the model, names the invariant, and nobody catches it.
 */

/** Throws if the invariant does not hold. */
export function assert(holds: boolean, invariant: string): asserts holds {
  if (!holds) throw new Error(`invariant broken: ${invariant}`);
}
