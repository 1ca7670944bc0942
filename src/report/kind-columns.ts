/**
 * Columns of kB by kind of memory: those kinds that some row has.
 */
import type { KindBytes } from "../study/index.ts";
import { formatCount, kbOf } from "./format-number.ts";
import type { Cell, Column } from "./text-table.ts";

type KindField = Exclude<keyof KindBytes, "bytes">;

/** The kinds in the order of columns, and how they are headed. */
export const KIND_HEADINGS: readonly (readonly [KindField, string])[] = [
  ["anonBytes", "anon"],
  ["ksmBytes", "KSM"],
  ["fileBytes", "file"],
  ["shmemBytes", "shmem"],
  ["hugetlbBytes", "hugetlb"],
];

/** A column and what it prints of a row's bytes. */
export interface KindColumn extends Column {
  readonly cell: (bytes: KindBytes) => Cell;
}

/** The columns that these rows need, under one group heading; the last ones leave a narrow terminal first. */
export function kindColumns(rows: readonly KindBytes[], group: string, firstRank: number): KindColumn[] {
  return KIND_HEADINGS.filter(([field]) => rows.some((row) => row[field] > 0)).map(([field, heading], index) => ({
    heading,
    group,
    align: "right",
    rank: firstRank + index,
    cell: (bytes) => kbCell(bytes[field]),
  }));
}

/** A size in kB; nothing is faint. */
export function kbCell(bytes: number): Cell {
  const text = formatCount(kbOf(bytes));
  return bytes === 0 ? { text, style: "faint" } : { text };
}

/** The sum of several. */
export function sumKinds(rows: readonly KindBytes[]): KindBytes {
  const of = (field: keyof KindBytes): number => rows.reduce((sum, row) => sum + row[field], 0);
  return {
    bytes: of("bytes"),
    anonBytes: of("anonBytes"),
    ksmBytes: of("ksmBytes"),
    fileBytes: of("fileBytes"),
    shmemBytes: of("shmemBytes"),
    hugetlbBytes: of("hugetlbBytes"),
  };
}
