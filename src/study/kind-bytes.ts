/**
 * Pages and bytes by what the memory is: tables with a column a kind, and what is printed of their rows.
 *
 * The kinds are those of frames (kernel/folio-columns.ts) without what nobody's mapping counts; hugetlb stands apart in
 * /proc (it is in no Rss) and is one of them here.
 */
import { KIND_ANON, KIND_FILE, KIND_HUGETLB, KIND_KSM, KIND_SHMEM, PAGE_SIZE_BYTES } from "../kernel/index.ts";

/** Columns of a row of pages: KIND_... */
export const KIND_COLUMNS = 8;

/** The kinds that are counted, in the order of columns. */
export const COUNTED_KINDS = [KIND_ANON, KIND_KSM, KIND_FILE, KIND_SHMEM, KIND_HUGETLB] as const;

/** Bytes by kind; `bytes` is the sum of the others. */
export interface KindBytes {
  readonly bytes: number;
  readonly anonBytes: number;
  readonly ksmBytes: number;
  readonly fileBytes: number;
  readonly shmemBytes: number;
  readonly hugetlbBytes: number;
}

/** Pages by KIND_... from column `at` of a table, as bytes. */
export function kindBytesOf(pages: ArrayLike<number>, at = 0): KindBytes {
  const of = (kind: number): number => pages[at + kind] * PAGE_SIZE_BYTES;
  const anonBytes = of(KIND_ANON);
  const ksmBytes = of(KIND_KSM);
  const fileBytes = of(KIND_FILE);
  const shmemBytes = of(KIND_SHMEM);
  const hugetlbBytes = of(KIND_HUGETLB);
  const bytes = anonBytes + ksmBytes + fileBytes + shmemBytes + hugetlbBytes;
  return { bytes, anonBytes, ksmBytes, fileBytes, shmemBytes, hugetlbBytes };
}

/** Adds a row of pages to another table's row. */
export function addKindRow(to: Float64Array, toRow: number, from: Float64Array, fromRow: number): void {
  for (let kind = 0; kind < KIND_COLUMNS; kind++) {
    to[toRow * KIND_COLUMNS + kind] += from[fromRow * KIND_COLUMNS + kind];
  }
}
