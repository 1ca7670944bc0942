/**
 * Which groups and mappings of a comparison are shown, and in which order.
 *
 * What did not change is never listed. What is left out is summed, so that a table still adds up.
 */
import type { CaptureDiff, GroupChange, MemoryFigures, Range } from "../study/index.ts";

/** The orders there are. */
export const DIFF_SORT_KEYS = ["change", "pss", "uss", "rss", "swap", "name"] as const;
export type DiffSortKey = (typeof DIFF_SORT_KEYS)[number];

/** The choice. */
export interface DiffSelection {
  readonly sort: DiffSortKey;
  /** Groups at most. */
  readonly top: number;
  /** Groups and mappings of which some figure changed by so much. */
  readonly atLeastBytes: number;
}

/** Groups by what became of them. */
export interface SelectedDiff {
  readonly shown: readonly GroupChange[];
  /** Changed, but by too little or behind too many others. */
  readonly leftOut: readonly GroupChange[];
  readonly unchanged: readonly GroupChange[];
}

const KEY_OF_SORT = { pss: "pssBytes", uss: "ussBytes", rss: "rssBytes", swap: "swapBytes" } as const;

/** A figure as a range, also where there is none. */
export function endsOf(figures: MemoryFigures | null, key: keyof MemoryFigures): Range {
  const figure = figures?.[key] ?? 0;
  return typeof figure === "number" ? { least: figure, most: figure } : figure;
}

/** The end-by-end change of a figure that is farther from zero, without its sign, in bytes. */
function farthestChange(change: Pick<GroupChange, "a" | "b">, key: keyof MemoryFigures): number {
  const a = endsOf(change.a, key);
  const b = endsOf(change.b, key);
  return Math.max(Math.abs(b.least - a.least), Math.abs(b.most - a.most));
}

/** The largest change of any figure, in bytes. */
function largestChange(change: Pick<GroupChange, "a" | "b">): number {
  const keys = Object.keys({ ...change.a, ...change.b }) as (keyof MemoryFigures)[];
  return keys.reduce((largest, key) => Math.max(largest, farthestChange(change, key)), 0);
}

/** Divides the groups, which come with the largest change first. */
export function selectGroups({ groups }: CaptureDiff, { sort, top, atLeastBytes }: DiffSelection): SelectedDiff {
  const sizes = new Map(groups.map((group) => [group, largestChange(group)]));
  const isChanged = (group: GroupChange): boolean => (sizes.get(group) ?? 0) > 0 || group.presence !== "both";
  const isLarge = (group: GroupChange): boolean => (sizes.get(group) ?? 0) >= atLeastBytes;
  const changed = sortGroups(groups.filter(isChanged), sort);
  const large = changed.filter(isLarge);
  return {
    shown: large.slice(0, top),
    leftOut: [...large.slice(top), ...changed.filter((group) => !isLarge(group))],
    unchanged: groups.filter((group) => !isChanged(group)),
  };
}

function sortGroups(groups: readonly GroupChange[], sort: DiffSortKey): readonly GroupChange[] {
  if (sort === "change") return groups;
  if (sort === "name") return groups.toSorted((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)));
  const key = KEY_OF_SORT[sort];
  return groups.toSorted((a, b) => farthestChange(b, key) - farthestChange(a, key));
}

/** The comparison with the selection applied: what --json prints. */
export function selectDiff(diff: CaptureDiff, selection: DiffSelection): CaptureDiff {
  const { shown, leftOut, unchanged } = selectGroups(diff, selection);
  const others = [...leftOut, ...unchanged];
  return {
    ...diff,
    groups: shown.map((group) => ({
      ...group,
      mappings: group.mappings.filter((mapping) => largestChange(mapping) >= selection.atLeastBytes),
    })),
    leftOut: {
      groups: diff.leftOut.groups + others.length,
      a: sumOf([diff.leftOut.a, ...others.map(({ a }) => a)]),
      b: sumOf([diff.leftOut.b, ...others.map(({ b }) => b)]),
    },
  };
}

function sumOf(several: readonly (MemoryFigures | null)[]): MemoryFigures {
  const ends = (key: keyof MemoryFigures): Range => ({
    least: several.reduce((sum, figures) => sum + endsOf(figures, key).least, 0),
    most: several.reduce((sum, figures) => sum + endsOf(figures, key).most, 0),
  });
  const of = (key: Exclude<keyof MemoryFigures, "ussBytes">): number => ends(key).least;
  return {
    pssBytes: of("pssBytes"),
    ussBytes: ends("ussBytes"),
    rssBytes: of("rssBytes"),
    rssAnonBytes: of("rssAnonBytes"),
    rssFileBytes: of("rssFileBytes"),
    rssShmemBytes: of("rssShmemBytes"),
    swapBytes: of("swapBytes"),
    hugetlbBytes: of("hugetlbBytes"),
    pmdMappedBytes: of("pmdMappedBytes"),
  };
}
