/**
 * What Redis and Valkey call copy-on-write memory: the sum of Private_Dirty over the smaps of the process that asks
 * (zmalloc_get_private_dirty; literature 4.1).
 *
 * The child of a background save asks. It maps everything that its parent mapped; a page that the parent has copied since
 * then is the child's alone, and such pages are what the save costs. Where Private follows the folio and not the page they
 * stay shared until the parent has copied the whole folio, and are not counted.
 */

const BYTES_PER_KB = 1024;

/** Bytes, from the lines of each VMA's smaps in kB. */
export function redisCopyOnWriteBytes(smaps: Iterable<Readonly<Record<string, number>>>): number {
  let sumKb = 0;
  for (const lines of smaps) sumKb += lines.Private_Dirty ?? 0;
  return sumKb * BYTES_PER_KB;
}
