/**
 * What the slow machine says of its folios in the form that the conformance checks ask for: a folio is a slot.
 */
import { HPAGE_PMD_ORDER, LEVEL_PMD } from "../../src/kernel/index.ts";
import type { CheckedTruth } from "../conformance/guarantees.ts";
import { MMS, VMAS } from "../conformance/table-shape.ts";
import type { SlowEntries, SlowEntry } from "./slow-entries.ts";

/** The table that an entry lies in, by name. */
export function tableNameOf({ mm, page, level }: SlowEntry): string {
  return level === LEVEL_PMD ? `${mm} pmd ${Math.floor(page / 2 ** 18)}` : `${mm} pte ${page >> HPAGE_PMD_ORDER}`;
}

export function checkedTruthOf(slow: SlowEntries): CheckedTruth {
  const { folios } = slow;
  const entries = folios.map((folio) => slow.entriesOf(folio));
  const sums = (perSlot: number): Int32Array => new Int32Array(folios.length * perSlot);
  const entriesOfMm = sums(MMS);
  const entriesOfVmas = sums(VMAS);
  const mapcounts = folios.map(({ order }) => new Int32Array(2 ** order));
  const distinct = (name: (entry: SlowEntry) => string | number): Int32Array =>
    Int32Array.from(entries, (own) => new Set(own.map(name)).size);
  entries.forEach((own, slot) => {
    for (const entry of own) {
      entriesOfMm[slot * MMS + entry.mm]++;
      entriesOfVmas[slot * VMAS + entry.vma]++;
      const first = entry.frame - folios[slot].head;
      for (let page = first; page < first + slow.pagesOf(entry); page++) mapcounts[slot][page]++;
    }
  });
  const pagesMapped = (slot: number): number => mapcounts[slot].filter((count) => count > 0).length;
  const nrPages = (slot: number): number => 2 ** folios[slot].order;
  const extra = (slot: number): number => folios[slot].gets + folios[slot].pins * (folios[slot].order === 0 ? 1024 : 1);
  return {
    heads: folios.map(({ head }) => head),
    entries: Int32Array.from(entries, (own) => own.length),
    mms: distinct(({ mm }) => mm),
    vmas: distinct(({ vma }) => vma),
    tables: distinct((entry) => `${entry.vma} ${tableNameOf(entry)}`),
    mappedPages: Float64Array.from(mapcounts, (counts) => counts.reduce((sum, count) => sum + count, 0)),
    pinCounts: Int32Array.from(folios, ({ pins }) => pins),
    entriesOfMm,
    entriesOfVmas,
    orderOf: (slot) => folios[slot].order,
    nrPages,
    pageMapcount: (slot, page) => mapcounts[slot][page],
    pagesMapped,
    isPartial: (slot) => pagesMapped(slot) > 0 && pagesMapped(slot) < nrPages(slot),
    references(head) {
      const slot = folios.findIndex((folio) => folio.head === head);
      return extra(slot) + (folios[slot].isCached ? nrPages(slot) : 0);
    },
    extraReferences: extra,
  };
}
