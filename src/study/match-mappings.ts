/**
 * Which mapping of one address space is which of another.
 *
 * Within one address space the same address under the same name is the same mapping, whatever became of its rights and
 * its end; then those of one name that overlap (a stack or heap grows, neighbours merge); then, of named ones, those with
 * equal rights and offset in the order of addresses (a library that was loaded again). Between two address spaces
 * addresses are random: there name, rights, offset and size decide, then name, rights and offset, in the order of
 * addresses. A file that was deleted meanwhile keeps its name.
 */
import type { MapsVma } from "../kernel/index.ts";
import { RowMatching } from "./match-rows.ts";

const DELETED = " (deleted)";

/** The name under which mappings are compared: that of a file without the mark that it was deleted. */
export function mappingName({ name }: Pick<MapsVma, "name">): string {
  return name.endsWith(DELETED) ? name.slice(0, -DELETED.length) : name;
}

/** The four letters of maps: "rw-p". */
export function permsOf({ read, write, exec, shared }: MapsVma): string {
  return `${read ? "r" : "-"}${write ? "w" : "-"}${exec ? "x" : "-"}${shared ? "s" : "p"}`;
}

type Key = (vma: MapsVma) => string | undefined;

const placeOf: Key = (vma) => `${vma.startPage} ${mappingName(vma)}`;
const partOf: Key = (vma) => `${permsOf(vma)} ${vma.offsetHex} ${mappingName(vma)}`;
const partAndSizeOf: Key = (vma) =>
  `${vma.endPage - vma.startPage} ${permsOf(vma)} ${vma.offsetHex} ${mappingName(vma)}`;
/** Mappings without a name have nothing but their place. */
const namedPartOf: Key = (vma) => (vma.name === "" ? undefined : partOf(vma));

/** Matches mappings, which are in the order of addresses; rows count from the first of each list. */
export function matchMappings(
  a: readonly MapsVma[],
  b: readonly MapsVma[],
  { sameSpace }: { readonly sameSpace: boolean },
): RowMatching {
  const matching = new RowMatching(a.length, b.length);
  const matchBy = (key: Key): void =>
    matching.matchInOrder(
      (row) => key(a[row]),
      (row) => key(b[row]),
    );
  if (sameSpace) {
    matchBy(placeOf);
    matchOverlapping(matching, a, b);
    matchBy(namedPartOf);
  } else {
    matchBy(partAndSizeOf);
    matchBy(partOf);
  }
  return matching;
}

/** Matches what is left where ranges of one name overlap, each with the first that it meets. O(a + b). */
function matchOverlapping(matching: RowMatching, a: readonly MapsVma[], b: readonly MapsVma[]): void {
  let rowA = 0;
  let rowB = 0;
  while (rowA < a.length && rowB < b.length) {
    const one = a[rowA];
    const other = b[rowB];
    if (matching.ofA[rowA] >= 0) rowA++;
    else if (matching.ofB[rowB] >= 0) rowB++;
    else if (one.endPage <= other.startPage) rowA++;
    else if (other.endPage <= one.startPage) rowB++;
    else if (mappingName(one) === mappingName(other)) matching.match(rowA++, rowB++);
    // Whichever ends first cannot overlap what comes next; if both end together, neither can.
    else {
      const ends = one.endPage - other.endPage;
      if (ends <= 0) rowA++;
      if (ends >= 0) rowB++;
    }
  }
}
