/**
 * The reverse map: from a folio to every page-table entry that maps it (kernel-facts 6.1-6.4).
 *
 * The VMAs come from the folio's mapping: the anon_vma's set, the file's i_mmap, or the places of a KSM stable node. They
 * are candidates only; each one's page tables are looked at, in batches as the tables hold them.
 */
import { HPAGE_PMD_NR, LEVEL_PMD, LEVEL_PTE, type Level } from "../kernel/index.ts";
import { AnonVma } from "./anon-vma.ts";
import { FileMapping } from "./file-mapping.ts";
import { KsmStableNode } from "./ksm-state.ts";
import type { Memory } from "./memory.ts";
import { frameOfEntry, isPresent, isTable, tableOfEntry } from "./page-table.ts";
import { findPmdTable, nextPmd, pmdIndex, pteIndex } from "./table-walk.ts";
import type { Vma } from "./vma.ts";

/** VMAs that may map the folio at `index`, and the index: anon, file, or every place of a KSM page. */
export function candidateVmas(memory: Memory, head: number): { readonly vma: Vma; readonly index: number }[] {
  const key = memory.frames.rmapKey[head];
  const mapping = memory.keys.mappingOf(key);
  if (mapping instanceof AnonVma || mapping instanceof FileMapping) {
    const index = memory.keys.indexOf(key);
    return [...mapping.vmas]
      .sort((a, b) => a.pgoff - b.pgoff || a.treePlace - b.treePlace)
      .map((vma) => ({ vma, index }));
  }
  if (!(mapping instanceof KsmStableNode)) return [];
  const found: { vma: Vma; index: number }[] = [];
  const seen = new Set<string>();
  for (const item of mapping.items) {
    for (const vma of item.anonVma?.vmas ?? []) {
      const index = vma.indexOf(item.page);
      const place = `${vma.id} ${item.page}`;
      if (item.page < vma.start || item.page >= vma.end || seen.has(place)) continue;
      seen.add(place);
      found.push({ vma, index });
    }
  }
  return found;
}

/** One batch of entries that map a folio. */
export interface FolioMapping {
  readonly vma: Vma;
  /** Page number of the first entry. */
  readonly page: number;
  /** The table that holds the entries: a PTE table, or the PMD table of a PMD entry. */
  readonly table: number;
  readonly level: Level;
  /** First page of the folio that is mapped, and how many. */
  readonly first: number;
  readonly pageCount: number;
}

/** page_vma_mapped_walk: the entries of one VMA that map the folio, in address order. */
export function mappingsInVma(memory: Memory, head: number, vma: Vma, index: number, found: FolioMapping[]): void {
  const n = 2 ** memory.frames.order[head];
  const from = Math.max(vma.start, index - vma.pgoff + vma.start);
  const to = Math.min(vma.end, index + n - vma.pgoff + vma.start);
  for (let page = from; page < to;) {
    const end = Math.min(to, nextPmd(page));
    const pmdTable = findPmdTable(memory, vma.mm, page);
    const pmd = pmdTable === 0 ? 0 : memory.tables.get(pmdTable, pmdIndex(page));
    if (isPresent(pmd) && frameOfEntry(pmd) === head) {
      found.push({
        vma,
        page: page - pteIndex(page),
        table: pmdTable,
        level: LEVEL_PMD,
        first: 0,
        pageCount: HPAGE_PMD_NR,
      });
    } else if (isTable(pmd)) collectPtes(memory, head, n, vma, page, end, tableOfEntry(pmd), found);
    page = end;
  }
}

function collectPtes(
  memory: Memory,
  head: number,
  n: number,
  vma: Vma,
  start: number,
  end: number,
  table: number,
  found: FolioMapping[],
): void {
  // prettier-ignore
  for (let page = start; page < end; ) {
    const entry = memory.tables.get(table, pteIndex(page));
    const frame = frameOfEntry(entry);
    if (!isPresent(entry) || frame < head || frame >= head + n) {
      page++;
      continue;
    }
    let count = 1;
    while (page + count < end) {
      const next = memory.tables.get(table, pteIndex(page + count));
      if (!isPresent(next) || frameOfEntry(next) !== frame + count || frame + count >= head + n) break;
      count++;
    }
    found.push({ vma, page, table, level: LEVEL_PTE, first: frame - head, pageCount: count });
    page += count;
  }
}

/** rmap_walk: all entries that map the folio. O(candidate VMAs x pages of the folio). */
export function mappingsOf(memory: Memory, head: number): FolioMapping[] {
  const found: FolioMapping[] = [];
  for (const { vma, index } of candidateVmas(memory, head)) mappingsInVma(memory, head, vma, index, found);
  return found;
}
