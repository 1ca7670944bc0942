/**
 * Bytes by what the memory is. The kinds are those of frames (kernel/folio-columns.ts) without what nobody's mapping
 * counts; hugetlb stands apart in /proc (it is in no Rss) and is one of them here.
 */
import {
  FOLIO_KIND_NAMES,
  KIND_ANON,
  KIND_FILE,
  KIND_HUGETLB,
  KIND_KSM,
  KIND_SHMEM,
  PAGE_SIZE_BYTES,
} from "../kernel/index.ts";

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

/** The kind's name as it stands before "Bytes". */
export function kindName(kind: (typeof COUNTED_KINDS)[number]): (typeof FOLIO_KIND_NAMES)[number] {
  return FOLIO_KIND_NAMES[kind];
}
