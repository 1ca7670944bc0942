/**
 * Who shares how much with whom: bytes that each two groups have in common, and each alone, by kind.
 *
 * What adds up: a group's private and shared bytes are what it maps, each frame once. The private bytes of all groups and
 * the shared bytes of the whole, each frame once, are what all map. What does not: a frame that three groups map is in the
 * shared bytes of each and in three pairs.
 *
 * A frame that a group maps and someone who was not read, too, is shared: with whom is not known.
 */
import type { Capture } from "../capture/index.ts";
import { type CaptureScope, scopeOf } from "./capture-scope.ts";
import { COUNTED_KINDS, KIND_COLUMNS, type KindBytes, addKindRow, kindBytesOf } from "./kind-bytes.ts";
import { type GroupKey, type MmGroup, type MmGroups, groupMms } from "./mm-groups.ts";
import { type SharingSets, collectSharingSets } from "./sharing-sets.ts";

/** Raised when a field changes its meaning or goes away. */
export const SHARING_VERSION = 1;

/** A group and what it maps. */
export interface SharingGroup extends MmGroup {
  readonly mapped: KindBytes;
  /** Mapped by nobody else. */
  readonly private: KindBytes;
  /** Mapped by other groups, or by someone not read. */
  readonly shared: KindBytes;
  /** Of the shared: mapped by someone not read. */
  readonly sharedOutside: KindBytes;
}

/** What two groups have in common, perhaps with others: `a` and `b` are indexes of groups, a < b. */
export interface SharingPair {
  readonly a: number;
  readonly b: number;
  readonly shared: KindBytes;
}

/** The whole answer. */
export interface SharingReport extends CaptureScope {
  readonly schema: "foliometer-sharing";
  readonly version: typeof SHARING_VERSION;
  readonly by: GroupKey;
  readonly groups: readonly SharingGroup[];
  /** With something in common, largest first. */
  readonly pairs: readonly SharingPair[];
  /** Groups whose pairs were not looked at, because there are too many; they are those that share least. */
  readonly groupsWithoutPairs: number;
  readonly totals: {
    /** Every frame once. */
    readonly mapped: KindBytes;
    /** The sum over the groups. */
    readonly private: KindBytes;
    /** Every frame once. */
    readonly shared: KindBytes;
    /** Distinct sets of address spaces that share memory. */
    readonly sets: number;
  };
  readonly notes: readonly string[];
}

/** Additions to pairs that are made at most: a second or so. */
const PAIR_WORK_MAX = 3e8;
/** Groups between which pairs are looked at, at most: 8 MiB of sums a kind. */
const PAIR_GROUPS_MAX = 1024;

/**
 * Answers for a capture, which stays open. O(runs + frames mapped + pairs met). Throws TooManySharingSets.
 * @example (await studySharing(capture, { by: "program" })).pairs[0]
 */
export async function studySharing(
  capture: Capture,
  { by, limits = {} }: { readonly by: GroupKey; readonly limits?: Partial<PairLimits> },
): Promise<SharingReport> {
  const sets = await collectSharingSets(capture);
  const grouped = groupMms(capture, by);
  const sums = sumGroups(sets, grouped);
  const { pairs, groupsWithoutPairs } = findPairs(sums, { work: PAIR_WORK_MAX, groups: PAIR_GROUPS_MAX, ...limits });
  return {
    schema: "foliometer-sharing",
    version: SHARING_VERSION,
    by,
    ...scopeOf(capture),
    groups: grouped.groups.map((group, index) => ({
      ...group,
      mapped: kindBytesOf(sums.mapped, index * KIND_COLUMNS),
      private: kindBytesOf(sums.private, index * KIND_COLUMNS),
      shared: kindBytesOf(sums.shared, index * KIND_COLUMNS),
      sharedOutside: kindBytesOf(sums.sharedOutside, index * KIND_COLUMNS),
    })),
    pairs,
    groupsWithoutPairs,
    totals: {
      mapped: kindBytesOf(sums.allMapped),
      private: kindBytesOf(sumRows(sums.private)),
      shared: kindBytesOf(sums.allShared),
      sets: sets.count,
    },
    notes: capture.notes,
  };
}

/** How much may be spent on pairs. */
interface PairLimits {
  readonly work: number;
  readonly groups: number;
}

/** Tables of pages: KIND_COLUMNS columns, a row a group or a single one. */
interface GroupSums {
  readonly mapped: Float64Array;
  readonly private: Float64Array;
  readonly shared: Float64Array;
  readonly sharedOutside: Float64Array;
  readonly allMapped: Float64Array;
  readonly allShared: Float64Array;
  /** The groups of each set with at least two: groups[firstGroup[i]] to groups[firstGroup[i + 1] - 1], of set setOf[i]. */
  readonly firstGroup: readonly number[];
  readonly groups: readonly number[];
  readonly setOf: readonly number[];
  readonly pages: Float64Array;
}

/** Sums every set into its groups. O(sizes of the sets). */
function sumGroups(sets: SharingSets, { groups, groupOfMm }: MmGroups): GroupSums {
  const table = (): Float64Array => new Float64Array(groups.length * KIND_COLUMNS);
  const sums = {
    mapped: table(),
    private: table(),
    shared: table(),
    sharedOutside: table(),
    allMapped: new Float64Array(KIND_COLUMNS),
    allShared: new Float64Array(KIND_COLUMNS),
    firstGroup: [0],
    groups: [] as number[],
    setOf: [] as number[],
    pages: sets.pages,
  };
  const seen = new Int32Array(groups.length).fill(-1);
  const found: number[] = [];
  for (let set = 0; set < sets.count; set++) {
    found.length = 0;
    let outside = false;
    for (let at = sets.firstMember[set]; at < sets.firstMember[set + 1]; at++) {
      const mm = sets.members[at];
      if (mm === sets.outsideRow) outside = true;
      else if (seen[groupOfMm[mm]] !== set) {
        seen[groupOfMm[mm]] = set;
        found.push(groupOfMm[mm]);
      }
    }
    const isShared = outside || found.length > 1;
    addKindRow(sums.allMapped, 0, sets.pages, set);
    if (isShared) addKindRow(sums.allShared, 0, sets.pages, set);
    for (const group of found) {
      addKindRow(sums.mapped, group, sets.pages, set);
      addKindRow(isShared ? sums.shared : sums.private, group, sets.pages, set);
      if (outside) addKindRow(sums.sharedOutside, group, sets.pages, set);
    }
    if (found.length < 2) continue;
    for (const group of found) sums.groups.push(group);
    sums.setOf.push(set);
    sums.firstGroup.push(sums.groups.length);
  }
  return sums;
}

function sumRows(table: Float64Array): Float64Array {
  const sum = new Float64Array(KIND_COLUMNS);
  for (let row = 0; row * KIND_COLUMNS < table.length; row++) addKindRow(sum, 0, table, row);
  return sum;
}

/** The pairs among the groups that share most, as many groups as the limits allow. */
function findPairs(
  sums: GroupSums,
  limits: PairLimits,
): { readonly pairs: SharingPair[]; readonly groupsWithoutPairs: number } {
  const groupCount = sums.mapped.length / KIND_COLUMNS;
  const bytesShared = Float64Array.from({ length: groupCount }, (_, group) => {
    return kindBytesOf(sums.shared, group * KIND_COLUMNS).bytes;
  });
  const sharing = [...bytesShared.keys()].filter((group) => bytesShared[group] > 0);
  const ranked = sharing.toSorted((a, b) => bytesShared[b] - bytesShared[a] || a - b);
  let taken = Math.min(ranked.length, limits.groups);
  const placeOf = new Int32Array(groupCount);
  for (; ; taken = Math.floor(taken / 2)) {
    placeOf.fill(-1);
    for (let place = 0; place < taken; place++) placeOf[ranked[place]] = place;
    if (pairWork(sums, placeOf) <= limits.work) break;
  }
  const { kinds, pages } = sumPairs(sums, placeOf, taken);
  return { pairs: listPairs(pages, kinds, ranked.slice(0, taken)), groupsWithoutPairs: ranked.length - taken };
}

function pairWork({ firstGroup, groups }: GroupSums, placeOf: Int32Array): number {
  let work = 0;
  for (let each = 0; each + 1 < firstGroup.length; each++) {
    let size = 0;
    for (let at = firstGroup[each]; at < firstGroup[each + 1]; at++) if (placeOf[groups[at]] >= 0) size++;
    work += (size * (size - 1)) / 2;
  }
  return work;
}

/** Pages by kind and pair of places a < b, at (kind * taken + a) * taken + b. Kinds that nobody shares have no table. */
function sumPairs(
  { firstGroup, groups, setOf, pages: pagesOfSet, allShared }: GroupSums,
  placeOf: Int32Array,
  taken: number,
): { readonly kinds: readonly number[]; readonly pages: readonly Float64Array[] } {
  const kinds = COUNTED_KINDS.filter((kind) => allShared[kind] > 0);
  const pages = kinds.map(() => new Float64Array(taken * taken));
  const places = new Int32Array(taken);
  for (let each = 0; each + 1 < firstGroup.length; each++) {
    let size = 0;
    for (let at = firstGroup[each]; at < firstGroup[each + 1]; at++) {
      if (placeOf[groups[at]] >= 0) places[size++] = placeOf[groups[at]];
    }
    places.subarray(0, size).sort();
    for (const [index, kind] of kinds.entries()) {
      const more = pagesOfSet[setOf[each] * KIND_COLUMNS + kind];
      if (more > 0) addPairs(pages[index], taken, places, size, more);
    }
  }
  return { kinds, pages };
}

function addPairs(table: Float64Array, width: number, places: Int32Array, size: number, pages: number): void {
  for (let i = 0; i < size; i++) {
    const row = places[i] * width;
    for (let j = i + 1; j < size; j++) table[row + places[j]] += pages;
  }
}

function listPairs(
  tables: readonly Float64Array[],
  kinds: readonly number[],
  ranked: readonly number[],
): SharingPair[] {
  const pairs: SharingPair[] = [];
  const pages = new Float64Array(KIND_COLUMNS);
  for (let i = 0; i < ranked.length; i++) {
    for (let j = i + 1; j < ranked.length; j++) {
      for (const [index, kind] of kinds.entries()) pages[kind] = tables[index][i * ranked.length + j];
      const shared = kindBytesOf(pages);
      if (shared.bytes === 0) continue;
      pairs.push({ a: Math.min(ranked[i], ranked[j]), b: Math.max(ranked[i], ranked[j]), shared });
    }
  }
  return pairs.sort((one, two) => two.shared.bytes - one.shared.bytes || one.a - two.a || one.b - two.b);
}
