/**
 * All schemes, in the order in which reports print them. To add one: one file, one line here.
 */
import { mappedPages } from "./mapped-pages.ts";
import { mmOwner } from "./mm-owner.ts";
import { page } from "./page.ts";
import type { Scheme } from "./scheme.ts";

export const SCHEMES: readonly Scheme[] = [page, mmOwner, mappedPages];

/** The scheme of that id, or undefined. */
export function findScheme(id: string): Scheme | undefined {
  return SCHEMES.find((scheme) => scheme.id === id);
}
