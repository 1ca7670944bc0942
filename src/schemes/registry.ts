/**
 * All schemes, in the order in which reports print them: the two that Linux can be built with and what is proposed to
 * follow them, then those before them, the oldest first. To add one: one file, one line here.
 */
import { doublemap } from "./doublemap.ts";
import { firstPage } from "./first-page.ts";
import { mappedPages } from "./mapped-pages.ts";
import { mmOwnerLevels } from "./mm-owner-levels.ts";
import { mmOwner } from "./mm-owner.ts";
import { none } from "./none.ts";
import { page } from "./page.ts";
import { rmapId } from "./rmap-id.ts";
import type { Scheme } from "./scheme.ts";
import { subpages } from "./subpages.ts";
import { sums } from "./sums.ts";
import { threeState } from "./three-state.ts";
import { total } from "./total.ts";
import { troll } from "./troll.ts";
import { vmaTable } from "./vma-table.ts";
import { vma } from "./vma.ts";

export const SCHEMES: readonly Scheme[] = [
  page,
  mmOwner,
  mappedPages,
  mmOwnerLevels,
  sums,
  doublemap,
  subpages,
  none,
  threeState,
  troll,
  vmaTable,
  vma,
  firstPage,
  total,
  rmapId,
];

/** The scheme of that id, or undefined. */
export function findScheme(id: string): Scheme | undefined {
  return SCHEMES.find((scheme) => scheme.id === id);
}
