/**
 * Fault-around: a read fault maps what the page cache has around the page (filemap_map_pages of Linux 6.18).
 *
 * The window is 16 pages, aligned in the page table, clipped to the VMA. Folios that are not uptodate, or carry readahead's
 * mark, are left out. A large folio that lies wholly in the VMA, one page table and the file is mapped whole, even beyond
 * the window. Its last page must not be the last of the file: there the kernel counts one too few, but not for shmem. If that
 * is so for the first folio of the window and there is no page table yet, nothing at all is mapped.
 */
import { HPAGE_PMD_ORDER } from "../kernel/index.ts";
import { filePages } from "./disk-file.ts";
import type { FileMapping } from "./file-mapping.ts";
import { DIRTY, RECLAIM, UPTODATE } from "./frames.ts";
import type { Memory } from "./memory.ts";
import { cachedFolio, firstIndexOf, nextIndexOf } from "./page-cache.ts";
import { isPageProtWritable } from "./page-protection.ts";
import { PTE_DIRTY, PTE_SOFT_DIRTY, PTE_WRITE, PTE_YOUNG, isTable, presentEntry, tableOfEntry } from "./page-table.ts";
import { addFileRmapPmd, addFileRmapPtes } from "./rmap.ts";
import { isSuitableOrder } from "./suitable-orders.ts";
import { PTE_TABLE_PAGES, makePmdTable, makePteTable, pmdEntryOf, pmdIndex, pteIndex } from "./table-walk.ts";
import { VM_NOHUGEPAGE, VM_WRITE, type Vma } from "./vma.ts";

/** fault_around_bytes, in pages. */
const FAULT_AROUND_PAGES = 16;

/** set_pte_range, do_set_pmd: flags of a new entry of the folio. */
export function newFileEntryFlags(memory: Memory, vma: Vma, head: number, isWrite: boolean): number {
  const dirty = memory.hasSoftDirty ? PTE_DIRTY | PTE_SOFT_DIRTY : PTE_DIRTY;
  if (isWrite) return PTE_YOUNG | dirty | (vma.has(VM_WRITE) ? PTE_WRITE : 0);
  if (!isPageProtWritable(vma)) return PTE_YOUNG;
  return memory.frames.has(head, DIRTY) ? PTE_YOUNG | PTE_WRITE | dirty : PTE_YOUNG | PTE_WRITE;
}

/** Entries of a PTE table from `index` on that are empty, at most `limit`. */
export function emptyEntries(memory: Memory, table: number, index: number, limit: number): number {
  if (memory.tables.usedEntries(table) === 0) return limit;
  let n = 0;
  while (n < limit && memory.tables.get(table, index + n) === 0) n++;
  return n;
}

/** do_set_pmd: the folio by one PMD entry, over an empty one. False if it does not fit there or the VMA forbids it. */
export function mapFilePmd(memory: Memory, vma: Vma, page: number, head: number, isWrite: boolean): boolean {
  if (vma.has(VM_NOHUGEPAGE) || vma.mm.thpDisabled) return false;
  if (memory.frames.order[head] !== HPAGE_PMD_ORDER || !isSuitableOrder(vma, page, HPAGE_PMD_ORDER)) return false;
  const pmdTable = makePmdTable(memory, vma.mm, page);
  const flags = newFileEntryFlags(memory, vma, head, isWrite) & ~(isWrite ? 0 : PTE_DIRTY | PTE_SOFT_DIRTY);
  addFileRmapPmd(memory, head, vma, pmdTable);
  memory.tables.set(pmdTable, pmdIndex(page), presentEntry(head, flags));
  memory.statistics.count("thp_file_mapped");
  return true;
}

/** do_fault_around. True if the page that faulted is mapped now. */
export function faultAround(memory: Memory, vma: Vma, page: number): boolean {
  const { file } = vma;
  if (file === undefined) return false;
  const offset = pteIndex(page);
  const vmaOffset = page - vma.start;
  const from = Math.max(offset - (offset % FAULT_AROUND_PAGES), offset - Math.min(offset, vmaOffset));
  const to = Math.min(from + FAULT_AROUND_PAGES, PTE_TABLE_PAGES, offset + vma.end - page);
  const first = page + from - offset;
  const end = page + to - offset;
  const found = nextMappable(memory, file, vma.indexOf(first), vma.indexOf(end));
  if (found < 0) return false;
  const head = cachedFolio(memory, file, found);
  if (file.fileKind === "shmem" || filePages(file) > nextIndexOf(memory, head)) {
    if (pmdEntryOf(memory, vma.mm, page) === 0 && mapFilePmd(memory, vma, page, head, false)) return true;
    makePteTable(memory, vma.mm, page);
  }
  const pmd = pmdEntryOf(memory, vma.mm, page);
  return isTable(pmd) && mapWindow(memory, vma, file, tableOfEntry(pmd), { page, first, end });
}

/** next_uptodate_folio: the first page from `index` on, below `end`, that may be mapped; -1: none. */
function nextMappable(memory: Memory, file: FileMapping, index: number, end: number): number {
  const { frames } = memory;
  const limit = Math.min(end, filePages(file));
  for (let at = index; at < limit;) {
    const head = cachedFolio(memory, file, at);
    if (head === 0) {
      at++;
      continue;
    }
    if (frames.has(head, UPTODATE) && !frames.has(head, RECLAIM)) return at;
    at = nextIndexOf(memory, head);
  }
  return -1;
}

/** Pages of the address space: the one that faulted, and the window. */
interface Window {
  readonly page: number;
  readonly first: number;
  readonly end: number;
}

function mapWindow(memory: Memory, vma: Vma, file: FileMapping, table: number, { page, first, end }: Window): boolean {
  const endIndex = Math.min(vma.indexOf(end), filePages(file));
  let isMapped = false;
  let hits = 0;
  for (let index = vma.indexOf(first); index < endIndex;) {
    index = nextMappable(memory, file, index, endIndex);
    if (index < 0) break;
    const head = cachedFolio(memory, file, index);
    const start = firstIndexOf(memory, head);
    const next = nextIndexOf(memory, head);
    const isWhole = next - start > 1 && mayMapWhole(vma, file, start, next);
    const from = isWhole ? start : index;
    const n = (isWhole ? next : Math.min(next, endIndex)) - from;
    hits += n;
    if (mapFolioRange(memory, vma, head, table, { page, from, n, frame: head + from - start })) isMapped = true;
    index = next;
  }
  const state = vma.openFile?.readahead;
  if (state !== undefined) state.missed = Math.max(0, state.missed - hits);
  return isMapped;
}

/** Is the folio, pages [start, next) of the file, in the VMA, in one page table, and not at the end of the file? */
function mayMapWhole(vma: Vma, file: FileMapping, start: number, next: number): boolean {
  if (file.fileKind !== "shmem" && filePages(file) <= next) return false;
  const first = vma.start + start - vma.pgoff;
  const last = vma.start + next - 1 - vma.pgoff;
  if (first < vma.start || last >= vma.end) return false;
  return first - pteIndex(first) === last - pteIndex(last);
}

/** Pages [from, from + n) of a file, from `frame` on. */
interface FolioRange {
  readonly page: number;
  readonly from: number;
  readonly n: number;
  readonly frame: number;
}

/** filemap_map_folio_range: runs of empty entries, one batch each. True if the page that faulted is among them. */
function mapFolioRange(
  memory: Memory,
  vma: Vma,
  head: number,
  table: number,
  { page, from, n, frame }: FolioRange,
): boolean {
  const { tables } = memory;
  const flags = newFileEntryFlags(memory, vma, head, false);
  const base = pteIndex(vma.start + from - vma.pgoff);
  const wanted = vma.indexOf(page) - from;
  let isMapped = false;
  for (let i = 0; i < n;) {
    const count = emptyEntries(memory, table, base + i, n - i);
    if (count === 0) {
      i++;
      continue;
    }
    addFileRmapPtes(memory, frame + i, count, vma, table);
    tables.setBatch(table, base + i, count, presentEntry(frame + i, flags));
    if (wanted >= i && wanted < i + count) isMapped = true;
    i += count;
  }
  return isMapped;
}
