/**
 * Files of hugetlbfs: ftruncate, fallocate and the inode's end (fs/hugetlbfs/inode.c).
 *
 * Only whole huge pages come and go, and whoever maps one loses it, private copies included. A page that leaves the file
 * takes its promise along.
 */
import { HPAGE_PMD_NR } from "../kernel/index.ts";
import { EINVAL, ENOSPC } from "./errno.ts";
import type { FileMapping } from "./file-mapping.ts";
import { freeIfUnused } from "./folio-references.ts";
import { DIRTY, HUGETLB_FILE, UPTODATE } from "./frames.ts";
import { takeHugetlbFolio } from "./hugetlb-pool.ts";
import { addToHugetlbCache, zapHugetlb } from "./hugetlb.ts";
import type { Memory } from "./memory.ts";
import { tellZeroed } from "./new-page-content.ts";
import { ZERO_CONTENT } from "./page-contents.ts";

const HUGE_BYTES = HPAGE_PMD_NR * 4096;

/** hugetlbfs_setattr with a size: 0, or -EINVAL if it is no whole number of huge pages. */
export function truncateHugetlbFile(memory: Memory, file: FileMapping, sizeBytes: number): number {
  if (sizeBytes % HUGE_BYTES !== 0) return -EINVAL;
  file.sizeBytes = sizeBytes;
  const first = sizeBytes / HUGE_BYTES;
  unmapFromAll(memory, file, first, Infinity);
  removePages(memory, file, first, Infinity);
  return 0;
}

/** The inode dies: its pages and its promises go. */
export function evictHugetlbFile(memory: Memory, file: FileMapping): void {
  removePages(memory, file, 0, Infinity);
}

/** hugetlbfs_punch_hole: whole huge pages go, the rest of the range becomes zeros. */
export function punchHugetlbFile(memory: Memory, file: FileMapping, startBytes: number, endBytes: number): number {
  const first = Math.ceil(startBytes / HUGE_BYTES);
  const end = Math.floor(endBytes / HUGE_BYTES);
  if (end > first) unmapFromAll(memory, file, first, end);
  zeroEdges(memory, file, startBytes, endBytes);
  if (end > first) removePages(memory, file, first, end);
  return 0;
}

function zeroEdges(memory: Memory, file: FileMapping, startBytes: number, endBytes: number): void {
  const { contents } = memory;
  for (let at = startBytes; at < endBytes && contents.isKept;) {
    const index = Math.floor(at / 4096);
    const end = Math.min(endBytes, (index + 1) * 4096);
    const frame = file.frameAt(index);
    const isWhole = end - at === 4096;
    if (frame !== 0) {
      contents.set(
        frame,
        isWhole ? ZERO_CONTENT : contents.withFilledBytes(contents.of(frame), at % 4096, (at % 4096) + end - at, 0),
      );
    }
    at = end;
  }
}

/** hugetlb_vmdelete_list. */
function unmapFromAll(memory: Memory, file: FileMapping, firstHuge: number, endHuge: number): void {
  for (const vma of file.vmas) {
    const start = Math.max(vma.start, vma.start + firstHuge * HPAGE_PMD_NR - vma.pgoff);
    const end = Math.min(vma.end, vma.start + endHuge * HPAGE_PMD_NR - vma.pgoff);
    if (start < end) zapHugetlb(memory, vma, start, end);
  }
}

/** remove_inode_hugepages. Promises of pages that were not there yet go only with the end of the file. */
function removePages(memory: Memory, file: FileMapping, firstHuge: number, endHuge: number): void {
  const { frames, keys } = memory;
  const limit = Math.min(endHuge, Math.ceil(file.indexLimit / HPAGE_PMD_NR));
  let freed = 0;
  let promised = 0;
  for (let huge = firstHuge; huge < limit; huge++) {
    const head = file.frameAt(huge * HPAGE_PMD_NR);
    if (head === 0) continue;
    file.clear(huge * HPAGE_PMD_NR, HPAGE_PMD_NR);
    keys.release(frames.rmapKey[head]);
    frames.rmapKey[head] = 0;
    frames.clear(head, DIRTY | UPTODATE);
    freed++;
    if (file.reserved.delete(huge)) promised++;
    freeIfUnused(memory, head);
  }
  if (endHuge === Infinity) {
    for (const huge of file.reserved) if (huge >= firstHuge && file.reserved.delete(huge)) promised++;
  }
  // hugetlb_unreserve_pages
  memory.hugetlb.reserve(freed - promised);
}

/** hugetlbfs_fallocate: pages of the range that are missing, as if a shared mapping had touched them. */
export function allocateHugetlbRange(memory: Memory, file: FileMapping, startBytes: number, endBytes: number): number {
  const end = Math.ceil(endBytes / HUGE_BYTES);
  for (let huge = Math.floor(startBytes / HUGE_BYTES); huge < end; huge++) {
    if (file.frameAt(huge * HPAGE_PMD_NR) !== 0) continue;
    const head = takeHugetlbFolio(memory, HUGETLB_FILE, { node: 0, isBound: false }, file.reserved.has(huge));
    if (head < 0) return -ENOSPC;
    tellZeroed(memory, HPAGE_PMD_NR);
    file.reserved.add(huge);
    addToHugetlbCache(memory, file, head, huge * HPAGE_PMD_NR);
  }
  file.sizeBytes = Math.max(file.sizeBytes, endBytes);
  return 0;
}
