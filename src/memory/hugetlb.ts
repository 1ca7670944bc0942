/**
 * hugetlb: faults, copy on write, zapping and fork of VMAs with pages of 2 MiB from a pool (mm/hugetlb.c).
 *
 * An entry is a PMD leaf that is never split. A private page is the mapper's own from the first read on; a write copies it
 * unless its mapcount is one. mmap promises pages: to the inode for shared mappings, to the VMA that made it for private
 * ones. A child has no promise: it may find the pool empty, and it loses its pages if the owner must copy and finds it so.
 */
import { HPAGE_PMD_NR } from "../kernel/index.ts";
import { prepareAnonVma } from "./anon-vma.ts";
import { assert } from "./assert.ts";
import { ENOMEM } from "./errno.ts";
import type { FaultAccess, FaultResult } from "./fault-types.ts";
import { FileMapping } from "./file-mapping.ts";
import { freeIfUnused, mustCopyAtFork } from "./folio-references.ts";
import { DIRTY, HUGETLB_ANON, HUGETLB_FILE, OWNER_2 } from "./frames.ts";
import { type HugetlbPlace, takeHugetlbFolio } from "./hugetlb-pool.ts";
import type { Memory } from "./memory.ts";
import { copyPages, tellZeroed } from "./new-page-content.ts";
import {
  PTE_DIRTY, PTE_SOFT_DIRTY, PTE_UFFD_WP, PTE_WRITE, PTE_YOUNG, frameOfEntry, isPresent, presentEntry,
} from "./page-table.ts"; // prettier-ignore
import { addFileRmapPmd, dupFileRmapPmd, removeRmapPmd, setAnonRmap } from "./rmap.ts";
import { PMD_TABLE_PAGES, findPmdTable, makePmdTable, pmdIndex } from "./table-walk.ts";
import { Unsupported } from "./unsupported.ts";
import { VM_MAYSHARE, VM_NORESERVE, VM_SHARED, VM_UFFD_WP, VM_WRITE, type Vma } from "./vma.ts";

/** Bytes of a huge page. */
const HUGE_BYTES = HPAGE_PMD_NR * 4096;

/** A file of hugetlbfs without pages. */
export function createHugetlbFile(_memory: Memory, name: string, sizeBytes: number): FileMapping {
  return new FileMapping({ fileKind: "hugetlb", name, sizeBytes, shmemHuge: "never", hasLargeFolios: false });
}

/** vma_hugecache_offset: the number of the huge page in its file. */
function hugeIndexOf(vma: Vma, page: number): number {
  return Math.floor(vma.indexOf(page) / HPAGE_PMD_NR);
}

function fileOf(vma: Vma): FileMapping {
  assert(vma.file !== undefined, "a hugetlb VMA has a file");
  return vma.file;
}

/** hugetlbfs_file_mmap: promises the pages of a new VMA; a writable mapping may make the file longer. 0 or -ENOMEM. */
export function reserveHugetlb(memory: Memory, vma: Vma): number {
  const file = fileOf(vma);
  const first = hugeIndexOf(vma, vma.start);
  const end = first + (vma.end - vma.start) / HPAGE_PMD_NR;
  if (!vma.has(VM_NORESERVE)) {
    const missing: number[] = [];
    const isShared = vma.has(VM_MAYSHARE);
    for (let index = first; index < end; index++) if (!isShared || !file.reserved.has(index)) missing.push(index);
    if (!memory.hugetlb.reserve(missing.length, vma.mm.boundNode)) return -ENOMEM;
    if (isShared) for (const index of missing) file.reserved.add(index);
    else vma.hugetlb = { used: new Set(), hasLostPages: false };
  }
  if (vma.has(VM_WRITE)) file.sizeBytes = Math.max(file.sizeBytes, end * HUGE_BYTES);
  return 0;
}

/** hugetlb_vm_op_close: promises that were not used are taken back. */
export function closeHugetlbVma(memory: Memory, vma: Vma): void {
  const used = vma.hugetlb?.used;
  if (used === undefined || vma.has(VM_MAYSHARE)) return;
  const first = hugeIndexOf(vma, vma.start);
  let unused = 0;
  for (let index = first; index < first + (vma.end - vma.start) / HPAGE_PMD_NR; index++) if (!used.has(index)) unused++;
  memory.hugetlb.reserve(-unused);
  vma.hugetlb = undefined;
}

/** vma_needs_reservation: is there a promise for the page? */
function isPromised(vma: Vma, index: number): boolean {
  if (vma.has(VM_MAYSHARE)) return fileOf(vma).reserved.has(index);
  const used = vma.hugetlb?.used;
  return used !== undefined && !used.has(index);
}

/** alloc_hugetlb_folio: a folio for the page, or -1. `fromOwner`: a copy for the owner, who keeps its promise. */
function allocateFor(
  memory: Memory,
  vma: Vma,
  page: number,
  kind: typeof HUGETLB_ANON | typeof HUGETLB_FILE,
  fromOwner: boolean,
): number {
  const index = hugeIndexOf(vma, page);
  const place: HugetlbPlace = { node: Math.max(0, vma.mm.boundNode), isBound: vma.mm.boundNode >= 0 };
  const head = takeHugetlbFolio(memory, kind, place, !fromOwner && isPromised(vma, index));
  if (head < 0 || fromOwner) return head;
  if (vma.has(VM_MAYSHARE)) fileOf(vma).reserved.add(index);
  else vma.hugetlb?.used?.add(index);
  return head;
}

/** hugetlb_fault. */
export function hugetlbFault(memory: Memory, vma: Vma, page: number, access: FaultAccess): FaultResult {
  if (mayShareTables(vma)) throw new Unsupported("hugetlb", "page tables shared between mappings of 1 GiB");
  const first = page - (page % HPAGE_PMD_NR);
  const pmdTable = makePmdTable(memory, vma.mm, first);
  const entry = memory.tables.get(pmdTable, pmdIndex(first));
  if (!isPresent(entry)) return missingPage(memory, vma, first, pmdTable, access);
  if (access !== "read" && (entry & PTE_WRITE) === 0) return writeProtected(memory, vma, first, pmdTable, access);
  memory.tables.set(pmdTable, pmdIndex(first), entry | (access === "write" ? writtenFlags(memory) : PTE_YOUNG));
  return "ok";
}

/** want_pmd_share: a shared VMA that covers all of a PMD table. */
function mayShareTables(vma: Vma): boolean {
  if (!vma.has(VM_MAYSHARE) || fileOf(vma).vmas.size < 2) return false;
  return Math.ceil(vma.start / PMD_TABLE_PAGES) * PMD_TABLE_PAGES + PMD_TABLE_PAGES <= vma.end;
}

function writtenFlags(memory: Memory): number {
  return memory.hasSoftDirty ? PTE_YOUNG | PTE_DIRTY | PTE_SOFT_DIRTY : PTE_YOUNG | PTE_DIRTY;
}

/** make_huge_pte. */
function newEntry(memory: Memory, vma: Vma, head: number, mayWrite: boolean): number {
  const isWritable = mayWrite && vma.has(VM_WRITE);
  return presentEntry(head, isWritable ? writtenFlags(memory) | PTE_WRITE : PTE_YOUNG);
}

/** hugetlb_no_page. */
function missingPage(memory: Memory, vma: Vma, page: number, pmdTable: number, access: FaultAccess): FaultResult {
  const file = fileOf(vma);
  if (vma.hugetlb?.hasLostPages === true) return "sigbus";
  const index = vma.indexOf(page);
  const isShared = vma.has(VM_MAYSHARE);
  let head = file.frameAt(index);
  if (head === 0) {
    if (hugeIndexOf(vma, page) >= Math.floor(file.sizeBytes / HUGE_BYTES)) return "sigbus";
    if (!isShared) prepareAnonVma(vma);
    head = allocateFor(memory, vma, page, isShared ? HUGETLB_FILE : HUGETLB_ANON, false);
    if (head < 0) return "sigbus";
    tellZeroed(memory, HPAGE_PMD_NR);
    if (isShared) addToHugetlbCache(memory, file, head, index);
    else makeAnon(memory, vma, head, page);
  }
  addFileRmapPmd(memory, head, vma, pmdTable);
  memory.tables.set(pmdTable, pmdIndex(page), newEntry(memory, vma, head, vma.has(VM_SHARED)));
  if (access === "write" && !vma.has(VM_SHARED)) return writeProtected(memory, vma, page, pmdTable, access);
  return "ok";
}

/** hugetlb_add_to_page_cache: always dirty, so that nobody drops it. */
export function addToHugetlbCache(memory: Memory, file: FileMapping, head: number, index: number): void {
  memory.frames.rmapKey[head] = memory.keys.acquire(file, index);
  file.setFrames(index, head, HPAGE_PMD_NR);
  memory.frames.set(head, DIRTY);
}

/** hugetlb_add_new_anon_rmap, but for the mapping itself. */
function makeAnon(memory: Memory, vma: Vma, head: number, page: number): void {
  setAnonRmap(memory, head, prepareAnonVma(vma), vma.indexOf(page));
  memory.frames.set(head, OWNER_2);
}

/** hugetlb_wp: the entry of `page` is there and read-only. */
function writeProtected(memory: Memory, vma: Vma, page: number, pmdTable: number, access: FaultAccess): FaultResult {
  const { frames, tables } = memory;
  const slot = pmdIndex(page);
  const entry = tables.get(pmdTable, slot);
  if (access === "write" && (entry & PTE_UFFD_WP) !== 0 && vma.has(VM_UFFD_WP)) return "ok";
  if (vma.has(VM_MAYSHARE)) {
    tables.set(pmdTable, slot, entry | writtenFlags(memory) | PTE_WRITE);
    return "ok";
  }
  const old = frameOfEntry(entry);
  const reuse = (): FaultResult => {
    setAnonRmapOf(memory, vma, old);
    frames.set(old, OWNER_2);
    if (access === "write" && vma.has(VM_WRITE)) tables.set(pmdTable, slot, entry | writtenFlags(memory) | PTE_WRITE);
    return "ok";
  };
  const isOwn = (): boolean => memory.decisions.decide("reuse-hugetlb", old, vma.mm.id, vma.id, 1);
  if (isOwn()) return reuse();
  const isCached = fileOf(vma).frameAt(vma.indexOf(page)) === old;
  const fromOwner = vma.hugetlb?.used !== undefined && !isCached;
  const copy = allocateFor(memory, vma, page, HUGETLB_ANON, fromOwner);
  if (copy < 0) {
    if (!fromOwner) return "sigbus";
    unmapFromChildren(memory, vma, page, old);
    if (!isOwn())
      throw new Unsupported(
        "touch",
        "the pool is empty and the child has moved its mapping: the kernel tries for ever",
      );
    return reuse();
  }
  copyPages(memory, old, copy, HPAGE_PMD_NR);
  makeAnon(memory, vma, copy, page);
  tables.set(pmdTable, slot, 0);
  removeRmapPmd(memory, old, vma, pmdTable);
  addFileRmapPmd(memory, copy, vma, pmdTable);
  tables.set(pmdTable, slot, newEntry(memory, vma, copy, access === "write") | (entry & PTE_UFFD_WP));
  freeIfUnused(memory, old);
  return "ok";
}

/** folio_move_anon_rmap. */
function setAnonRmapOf(memory: Memory, vma: Vma, head: number): void {
  if (memory.frames.has(head, OWNER_2)) return;
  setAnonRmap(memory, head, prepareAnonVma(vma), memory.keys.indexOf(memory.frames.rmapKey[head]));
}

/** unmap_ref_private: the owner needs the page, and those without a promise lose it; they die when they touch it. */
function unmapFromChildren(memory: Memory, owner: Vma, page: number, head: number): void {
  for (const vma of fileOf(owner).vmas) {
    if (vma === owner || vma.has(VM_MAYSHARE) || vma.hugetlb?.used !== undefined) continue;
    if (page < vma.start || page >= vma.end) continue;
    const pmdTable = findPmdTable(memory, vma.mm, page);
    const entry = pmdTable === 0 ? 0 : memory.tables.get(pmdTable, pmdIndex(page));
    if (!isPresent(entry) || frameOfEntry(entry) !== head) continue;
    vma.hugetlb = { used: undefined, hasLostPages: true };
    zapHugetlb(memory, vma, page, page + HPAGE_PMD_NR);
  }
}

/** unmap_hugepage_range: whole huge pages. A private page that the VMA was promised is promised to it again. */
export function zapHugetlb(memory: Memory, vma: Vma, start: number, end: number): void {
  const { frames, tables } = memory;
  for (let page = start; page < end; page += HPAGE_PMD_NR) {
    const pmdTable = findPmdTable(memory, vma.mm, page);
    const entry = pmdTable === 0 ? 0 : tables.get(pmdTable, pmdIndex(page));
    if (!isPresent(entry)) continue;
    const head = frameOfEntry(entry);
    tables.set(pmdTable, pmdIndex(page), 0);
    if ((entry & PTE_DIRTY) !== 0) frames.set(head, DIRTY);
    removeRmapPmd(memory, head, vma, pmdTable);
    const used = vma.hugetlb?.used;
    if (used !== undefined && !vma.has(VM_MAYSHARE) && frames.isAnon(head)) {
      memory.hugetlb.restoring.add(head);
      used.delete(hugeIndexOf(vma, page));
    }
    freeIfUnused(memory, head);
  }
}

/** copy_hugetlb_page_range: what may be pinned is copied at once, all else is shared read-only. */
export function copyHugetlbAtFork(memory: Memory, source: Vma, vma: Vma): void {
  const { frames, tables } = memory;
  for (let page = source.start; page < source.end; page += HPAGE_PMD_NR) {
    const from = findPmdTable(memory, source.mm, page);
    if (from === 0) continue;
    const to = makePmdTable(memory, vma.mm, page);
    const entry = tables.get(from, pmdIndex(page));
    if (!isPresent(entry)) continue;
    const head = frameOfEntry(entry);
    if (frames.isAnon(head) && mustCopyAtFork(memory, head, source.mm, frames.has(head, OWNER_2))) {
      const copy = allocateFor(memory, vma, page, HUGETLB_ANON, false);
      if (copy < 0)
        throw new Unsupported("fork", "a pinned huge page must be copied and the pool is empty: fork fails halfway");
      copyPages(memory, head, copy, HPAGE_PMD_NR);
      makeAnon(memory, vma, copy, page);
      addFileRmapPmd(memory, copy, vma, to);
      tables.set(to, pmdIndex(page), newEntry(memory, vma, copy, true));
      continue;
    }
    if (frames.isAnon(head)) frames.clear(head, OWNER_2);
    dupFileRmapPmd(memory, head, vma, to);
    const shared = source.isCow ? entry & ~PTE_WRITE : entry;
    tables.set(from, pmdIndex(page), shared);
    tables.set(to, pmdIndex(page), vma.has(VM_UFFD_WP) ? shared : shared & ~PTE_UFFD_WP);
  }
}
