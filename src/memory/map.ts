/**
 * mmap and munmap (do_mmap, mmap_region, do_vmi_munmap).
 *
 * A new mapping first unmaps what is in its way (MAP_FIXED), then joins a neighbour or becomes a VMA of its own. munmap
 * splits the VMAs at its edges, takes the ones between out of the address space, clears their entries and frees the page
 * tables that nobody else can use. Addresses and lengths are whole pages: the caller has answered -EINVAL to others.
 */
import { unlinkAnonVmas } from "./anon-vma.ts";
import { EACCES, EEXIST, EINVAL } from "./errno.ts";
import type { FileMapping } from "./file-mapping.ts";
import { freePageTables } from "./free-tables.ts";
import { populateRange } from "./gup.ts";
import { createHugetlbFile, reserveHugetlb } from "./hugetlb.ts";
import { releaseFile } from "./inode.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import type { OpenFile } from "./open-file.ts";
import { createShmem } from "./shmem.ts";
import { ADDRESS_SPACE_PAGES, PTE_TABLE_PAGES } from "./table-walk.ts";
import { mergeNewRange, splitVma } from "./vma-change.ts";
import { linkFile, unlinkFile } from "./vma-file.ts";
import {
  VM_ACCOUNT,
  VM_DONTDUMP,
  VM_DONTEXPAND,
  VM_DROPPABLE,
  VM_EXEC,
  VM_HUGETLB,
  VM_LOCKED,
  VM_LOCKONFAULT,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_NORESERVE,
  VM_READ,
  VM_SHARED,
  VM_SOFTDIRTY,
  VM_WIPEONFORK,
  VM_WRITE,
  Vma,
} from "./vma.ts";
import { zapVmaRange } from "./zap.ts";

export const MAP_SHARED = 0x01;
export const MAP_PRIVATE = 0x02;
export const MAP_DROPPABLE = 0x08;
export const MAP_TYPE = 0x0f;
/** Replaces what is there; without it an address that is taken is refused (MAP_FIXED_NOREPLACE). */
export const MAP_FIXED = 0x10;
export const MAP_ANONYMOUS = 0x20;
export const MAP_LOCKED = 0x2000;
export const MAP_NORESERVE = 0x4000;
export const MAP_POPULATE = 0x8000;
export const MAP_HUGETLB = 0x40000;

const PAGE_BYTES = 4096;

export interface MapRequest {
  /** PROT_READ 1, PROT_WRITE 2, PROT_EXEC 4: VM_READ, VM_WRITE, VM_EXEC. */
  readonly prot: number;
  /** MAP_ flags. */
  readonly flags: number;
  /** The file, unless MAP_ANONYMOUS. */
  readonly file?: FileMapping | undefined;
  /** struct file: VMAs of different descriptors do not merge. */
  readonly openFile?: OpenFile | undefined;
  /** The descriptor was opened with O_RDONLY. */
  readonly isReadOnly?: boolean;
  /** First page of the file. */
  readonly pgoff: number;
}

/** mmap(2) at `page`: the page where the mapping begins, or -errno. */
export function mmapRegion(memory: Memory, mm: Mm, page: number, pageCount: number, request: MapRequest): number {
  const file = (request.flags & MAP_ANONYMOUS) === 0 ? request.file : undefined;
  const isHugetlb = file === undefined ? (request.flags & MAP_HUGETLB) !== 0 : file.fileKind === "hugetlb";
  if (pageCount === 0) return -EINVAL;
  const count = isHugetlb ? Math.ceil(pageCount / PTE_TABLE_PAGES) * PTE_TABLE_PAGES : pageCount;
  if (isHugetlb && page % PTE_TABLE_PAGES !== 0) return -EINVAL;
  const end = page + count;
  if ((request.flags & MAP_FIXED) === 0 && mm.vmasIn(page, end).length > 0) return -EEXIST;
  const flags = vmaFlags(request, file, isHugetlb);
  if (flags < 0 && flags > -4096) return flags;
  if (isHugetlb && file !== undefined && request.pgoff % PTE_TABLE_PAGES !== 0) return -EINVAL;
  // What the replaced VMAs leave to their inodes, promised huge pages too, is there until the new VMA is.
  const replaced = isHugetlb ? mm.vmasIn(page, end).flatMap((vma) => vma.file ?? []) : [];
  for (const old of replaced) old.holders++;
  let error = munmapRange(memory, mm, page, count);
  if (error === 0) {
    error = isHugetlb
      ? addHugetlbVma(memory, mm, page, end, flags, request, file)
      : addVma(memory, mm, page, end, flags, request, file);
  }
  for (const old of replaced) releaseFile(memory, old);
  if (error < 0) return error;
  if ((request.flags & (MAP_POPULATE | MAP_LOCKED)) !== 0) populateRange(memory, mm, page, end, false);
  return page;
}

/** do_mmap: the VMA's flags, or -errno. */
function vmaFlags(request: MapRequest, file: FileMapping | undefined, isHugetlb: boolean): number {
  const { prot } = request;
  let flags = (prot & (VM_READ | VM_WRITE | VM_EXEC)) | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
  if ((request.flags & MAP_LOCKED) !== 0) flags |= VM_LOCKED;
  switch (request.flags & MAP_TYPE) {
    case MAP_PRIVATE:
      break;
    case MAP_SHARED:
      flags |= VM_SHARED | VM_MAYSHARE;
      if (file === undefined || request.isReadOnly !== true) break;
      if ((prot & VM_WRITE) !== 0) return -EACCES;
      flags &= ~(VM_MAYWRITE | VM_SHARED);
      break;
    case MAP_DROPPABLE:
      if (file !== undefined || isHugetlb || (flags & VM_LOCKED) !== 0) return -EINVAL;
      flags |= VM_DROPPABLE | VM_NORESERVE | VM_WIPEONFORK | VM_DONTDUMP;
      break;
    default:
      return -EINVAL;
  }
  if ((request.flags & MAP_NORESERVE) !== 0) flags |= VM_NORESERVE;
  // accountable_mapping: memory that only this process will have.
  if (!isHugetlb && (flags & (VM_NORESERVE | VM_SHARED | VM_WRITE)) === VM_WRITE) flags |= VM_ACCOUNT;
  return flags;
}

function addVma(
  memory: Memory,
  mm: Mm,
  page: number,
  end: number,
  flags: number,
  request: MapRequest,
  file: FileMapping | undefined,
): number {
  const isAnonShared = file === undefined && (flags & VM_SHARED) !== 0;
  const backing = isAnonShared ? createShmem(memory, "/dev/zero", (end - page) * PAGE_BYTES) : file;
  const pgoff = isAnonShared ? 0 : backing === undefined ? page : request.pgoff;
  const openFile = file === undefined ? undefined : request.openFile;
  const range = { start: page, end, pgoff, flags, file: backing, openFile, anonVma: undefined };
  const merged = mergeNewRange(memory, mm, range);
  if (merged !== undefined) {
    merged.flags |= VM_SOFTDIRTY;
    return 0;
  }
  const vma = new Vma(mm, page, end, flags | VM_SOFTDIRTY, pgoff, backing);
  vma.openFile = openFile;
  linkFile(vma);
  mm.insert(vma);
  return 0;
}

/** hugetlb_file_setup and hugetlbfs_file_mmap: never merged, never locked, paid for in advance. */
function addHugetlbVma(
  memory: Memory,
  mm: Mm,
  page: number,
  end: number,
  flags: number,
  request: MapRequest,
  file: FileMapping | undefined,
): number {
  const backing = file ?? createHugetlbFile(memory, "/anon_hugepage", (end - page) * PAGE_BYTES);
  const pgoff = file === undefined ? 0 : request.pgoff;
  const vmFlags = (flags & ~(VM_LOCKED | VM_LOCKONFAULT)) | VM_HUGETLB | VM_DONTEXPAND | VM_SOFTDIRTY;
  const vma = new Vma(mm, page, end, vmFlags, pgoff, backing);
  vma.openFile = file === undefined ? undefined : request.openFile;
  linkFile(vma);
  const error = reserveHugetlb(memory, vma);
  if (error < 0) {
    unlinkFile(memory, vma);
    return error;
  }
  mm.insert(vma);
  return 0;
}

/** munmap(2): 0, or -errno and nothing unmapped. */
export function munmapRange(memory: Memory, mm: Mm, page: number, pageCount: number): number {
  if (pageCount === 0) return -EINVAL;
  const end = page + pageCount;
  const error = splitAtEdges(memory, mm, page, end);
  if (error < 0) return error;
  const gone = mm.vmasIn(page, end);
  if (gone.length === 0) return 0;
  const at = mm.firstEndingAfter(page);
  const below: Vma | undefined = at > 0 ? mm.vmas[at - 1] : undefined;
  const above: Vma | undefined = mm.vmas[at + gone.length];
  mm.vmas.splice(at, gone.length);
  mm.forgetLast();
  for (const vma of gone) zapVmaRange(memory, vma, vma.start, vma.end, { dropMarkers: true });
  freePageTables(memory, mm, gone, below?.end ?? 0, above?.start ?? ADDRESS_SPACE_PAGES);
  for (const vma of gone) {
    unlinkAnonVmas(vma);
    unlinkFile(memory, vma);
  }
  return 0;
}

/** The first VMA is split where the range begins, the last where it ends. */
function splitAtEdges(memory: Memory, mm: Mm, page: number, end: number): number {
  for (const edge of [page, end]) {
    const vma = mm.findVma(edge);
    if (vma === undefined || vma.start === edge) continue;
    const error = splitVma(memory, vma, edge);
    if (error < 0) return error;
  }
  return 0;
}
