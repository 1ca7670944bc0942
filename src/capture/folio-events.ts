/**
 * Brings the threads' mapping events together into the folios' columns.
 *
 * Each thread's events are ascending by mm, because the plan is; merged by mm, a folio's address spaces can be counted
 * with one remembered mm a folio.
 */
import {
  type FolioColumns,
  KIND_HUGETLB,
  type Level,
  OBSERVED_EXCLUSIVE,
  OBSERVED_SHARED,
  entriesOfBatch,
} from "../kernel/index.ts";
import type { FrameTable } from "./frame-table.ts";
import type { Readers } from "./readers.ts";
import { EVENT_EXCLUSIVE, EVENT_LEVEL_MASK, EVENT_WORDS, type PassTables } from "./run-passes.ts";

/**
 * Collects the events of all readers and fills the columns that count entries. O(events).
 * On a NO_PAGE_MAPCOUNT kernel pagemap's exclusive bit is the kernel's own view of the folio's sharing: it is kept.
 */
export async function addEvents(
  threads: Readers,
  tables: PassTables,
  folios: FolioColumns,
  bitsShowSharing: boolean,
): Promise<void> {
  if (folios.count === 0) return;
  const replies = await threads.askAll(() => ({ type: "events", tables }), "events");
  fillFromEvents(
    replies.map(({ events }) => events),
    folios,
    bitsShowSharing,
  );
}

/** The same from the lists of events, each ascending by mm. */
export function fillFromEvents(lists: readonly Int32Array[], folios: FolioColumns, bitsShowSharing: boolean): void {
  applyEvents(lists, folios);
  if (bitsShowSharing) for (const events of lists) observeSharing(events, folios);
  countHugetlbEntries(folios);
}

function observeSharing(events: Int32Array, folios: FolioColumns): void {
  for (let at = 0; at < events.length; at += EVENT_WORDS) {
    const exclusive = (events[at + 3] & EVENT_EXCLUSIVE) !== 0;
    folios.observed[events[at]] = exclusive ? OBSERVED_EXCLUSIVE : OBSERVED_SHARED;
  }
}

/** A hugetlb page is mapped by whole entries whatever its size; the runs that show them may be pieces. */
function countHugetlbEntries(folios: FolioColumns): void {
  for (let row = 0; row < folios.count; row++) {
    if (folios.kind[row] !== KIND_HUGETLB) continue;
    const entries = Math.round(folios.mappedPages[row] / 2 ** folios.order[row]);
    folios.entries[row] = entries;
    folios.pmdEntries[row] = entries;
  }
}

/** Applies event lists, each ascending by mm, in the order of mms. */
export function applyEvents(lists: readonly Int32Array[], folios: FolioColumns): void {
  const lastMm = new Int32Array(folios.count).fill(-1);
  const at = lists.map(() => 0);
  for (;;) {
    let next = -1;
    let lowest = Infinity;
    for (const [index, list] of lists.entries()) {
      if (at[index] < list.length && list[at[index] + 5] < lowest) {
        lowest = list[at[index] + 5];
        next = index;
      }
    }
    if (next < 0) return;
    at[next] = applyEventsOfMm(lists[next], at[next], lowest, folios, lastMm);
  }
}

function applyEventsOfMm(
  events: Int32Array,
  from: number,
  mm: number,
  folios: FolioColumns,
  lastMm: Int32Array,
): number {
  let at = from;
  while (at < events.length && events[at + 5] === mm) {
    const row = events[at];
    const pageCount = events[at + 2];
    const entries = entriesOfBatch(pageCount, (events[at + 3] & EVENT_LEVEL_MASK) as Level);
    folios.entries[row] += entries;
    if (entries !== pageCount) folios.pmdEntries[row] += 1;
    folios.mappedPages[row] += pageCount;
    if (lastMm[row] !== mm) {
      lastMm[row] = mm;
      folios.mmCount[row] += 1;
    }
    at += EVENT_WORDS;
  }
  return at;
}

/** Counts, for every large folio, its pages with at least one mapping. */
export function countMappedPages(frames: FrameTable, folios: FolioColumns): void {
  const { mapcount, frameCount } = frames;
  for (let row = 0; row < folios.count; row++) {
    const head = folios.headPfn[row];
    const end = Math.min(head + 2 ** folios.order[row], frameCount);
    let mapped = 0;
    for (let pfn = head; pfn < end; pfn++) mapped += mapcount[pfn] > 0 ? 1 : 0;
    folios.pagesMapped[row] = mapped;
  }
}
