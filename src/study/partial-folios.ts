/**
 * Anonymous folios that are mapped in part, and who would notice: their unmapped pages are held and of no use to anybody
 * until the folio is split. Plain data.
 *
 * The kernel asks whenever something is unmapped, and what it notices stays on its list for splitting though others come to
 * map the folio (kernel-facts 2.7). Page tables show what is left, not in which order it came about:
 *
 *     A unmaps 12 of 512 pages, then forks      500 entries when asked: under mm-owner noticed
 *     A forks, then both unmap the same 12      1000 entries when asked: never noticed
 *
 * So a scheme notices if its counts show it now; it depends on the past if they would show it of the same pages mapped once;
 * else it misses the folio, whatever came before.
 */
import type { Capture } from "../capture/index.ts";
import { FolioColumns, type FolioKind, PAGE_SIZE_BYTES, isAnonKind } from "../kernel/index.ts";
import { type Scheme, YES, createAnswersAtRest } from "../schemes/index.ts";

/** Whether a scheme notices a folio; "either": it depends on the past. */
export type Noticed = "yes" | "either" | "no";

/** An anonymous folio that is mapped in part. */
export interface PartialFolio {
  /** Frame number of the head, hexadecimal. */
  readonly pfn: string;
  readonly order: number;
  readonly owner: string;
  /** Address spaces that were read and map it. */
  readonly addressSpaces: number;
  /** Whether others map it too, as kpagecount shows. */
  readonly mappedOutside: boolean;
  readonly pagesMapped: number;
  readonly unmappedBytes: number;
  /** In the order of `schemes`. */
  readonly noticed: readonly Noticed[];
}

/** What a scheme sees of them. */
export interface PartialUnderScheme {
  readonly id: string;
  readonly isOwn: boolean;
  readonly noticed: number;
  /** Those where the past decides, and the bytes that nobody maps in them. */
  readonly either: number;
  readonly eitherBytes: number;
  readonly missed: number;
  readonly missedBytes: number;
}

/** All of them. */
export interface PartialFolios {
  readonly folios: number;
  readonly unmappedBytes: number;
  readonly schemes: readonly PartialUnderScheme[];
  /** Those with the most unmapped bytes first. */
  readonly list: readonly PartialFolio[];
}

/** Finds them. Only anonymous folios are split for being partially mapped (kernel-facts 2.7). O(folios * schemes). */
export function reportPartialFolios(
  { folios, machine }: Capture,
  schemes: readonly Scheme[],
  ownerName: (row: number) => string,
): PartialFolios {
  const rows = partialRows(folios);
  const answers = schemes.map((scheme) => {
    const now = createAnswersAtRest(folios.count);
    scheme.answerAtRest(folios, now);
    return noticedFolios(scheme, folios, rows, now.partial);
  });
  const list = rows.map((row, at): PartialFolio => {
    const pagesMapped = folios.pagesMapped[row];
    return {
      pfn: `0x${folios.headPfn[row].toString(16)}`,
      order: folios.order[row],
      owner: ownerName(row),
      addressSpaces: folios.mmCount[row],
      mappedOutside: folios.mappedOutside[row] > 0,
      pagesMapped,
      unmappedBytes: (2 ** folios.order[row] - pagesMapped) * PAGE_SIZE_BYTES,
      noticed: answers.map((noticed) => noticed[at]),
    };
  });
  const own = machine.mapcountConfig === "nopage" ? "nopage" : "page";
  return {
    folios: list.length,
    unmappedBytes: sumUnmapped(list),
    schemes: schemes.map(({ id, kernelConfig }, index): PartialUnderScheme => {
      const said = (wanted: Noticed): PartialFolio[] => list.filter(({ noticed }) => noticed[index] === wanted);
      const [either, missed] = [said("either"), said("no")];
      return {
        id,
        isOwn: kernelConfig === own,
        noticed: said("yes").length,
        either: either.length,
        eitherBytes: sumUnmapped(either),
        missed: missed.length,
        missedBytes: sumUnmapped(missed),
      };
    }),
    list: list.toSorted((a, b) => b.unmappedBytes - a.unmappedBytes),
  };
}

function sumUnmapped(list: readonly PartialFolio[]): number {
  return list.reduce((sum, { unmappedBytes }) => sum + unmappedBytes, 0);
}

/** Rows of the anonymous folios that are mapped in part. */
export function partialRows(folios: FolioColumns): number[] {
  const rows: number[] = [];
  for (let row = 0; row < folios.count; row++) {
    const mapped = folios.pagesMapped[row];
    if (isAnonKind(folios.kind[row]) && mapped > 0 && mapped < 2 ** folios.order[row]) rows.push(row);
  }
  return rows;
}

/** Whether a scheme notices folios, by place in `rows`; `partialNow` is what it answers of each folio as it is. */
export function noticedFolios(
  scheme: Scheme,
  folios: FolioColumns,
  rows: readonly number[],
  partialNow: ArrayLike<number>,
): Noticed[] {
  const once = mappedOnce(folios, rows);
  const before = createAnswersAtRest(once.count);
  scheme.answerAtRest(once, before);
  return rows.map((row, at) => {
    if (partialNow[row] === YES) return "yes";
    return before.partial[at] === YES ? "either" : "no";
  });
}

/** The same pages of these folios, each mapped by one entry of one address space. */
function mappedOnce(folios: FolioColumns, rows: readonly number[]): FolioColumns {
  const once = new FolioColumns(Math.max(1, rows.length));
  for (const row of rows) {
    const at = once.append(folios.headPfn[row], folios.order[row], folios.kind[row] as FolioKind, false);
    const mapped = folios.pagesMapped[row];
    once.entries[at] = mapped;
    once.mappedPages[at] = mapped;
    once.pagesMapped[at] = mapped;
    once.mmCount[at] = 1;
  }
  return once;
}
