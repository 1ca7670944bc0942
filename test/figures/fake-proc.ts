/**
 * A small machine's /proc: pagemaps and kpageflags as sparse files, and PAGEMAP_SCAN as the kernel answers it.
 *
 * A file that holds an entry's eight bytes at eight times its page number is a pagemap for whoever reads it by position.
 * It ends with the last VMA; like the kernel's it reads as nothing once the address space is gone (`truncate`). The scan
 * follows kernel-facts 3.8: it stops at `maxPages` in the middle of a huge entry if need be, and its regions join what
 * is adjacent.
 */
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ScanRequest, SystemCalls } from "../../src/capture/ioctl.ts";
import {
  KPF_ANON,
  KPF_BUDDY,
  KPF_COMPOUND_HEAD,
  KPF_COMPOUND_TAIL,
  KPF_HUGE,
  KPF_KSM,
  KPF_LRU,
  KPF_MMAP,
  KPF_OWNER_2_HIGH,
  KPF_RESERVED_HIGH,
  KPF_SWAPBACKED,
  KPF_THP,
  KPF_UPTODATE,
  KPF_ZERO_PAGE,
  PAGE_IS_HUGE,
  PAGE_IS_PRESENT,
  PAGE_IS_SWAPPED,
  PM_EXCLUSIVE_HIGH,
  PM_FILE_HIGH,
  PM_GUARD_HIGH,
  PM_PRESENT_HIGH,
  PM_SWAP_HIGH,
} from "../../src/kernel/index.ts";
import { MARKER_TYPE, type SmallFolio, type SmallMachine, type SmallVma, framesOf, isAnon } from "./small-machine.ts";

const WORD = 2 ** 32;
const EINVAL = 22;

/** The eight bytes of an entry, as two words. */
export interface RawEntry {
  readonly page: number;
  readonly low: number;
  readonly high: number;
  readonly pmd: boolean;
}

/** Entries of a VMA as pagemap prints them, ascending by page. */
export function rawEntries(vma: SmallVma): RawEntry[] {
  const present = vma.entries.map(({ page, frame, pmd, file, exclusive }) => ({
    page,
    low: (frame % WORD) | 0,
    high: PM_PRESENT_HIGH | (file ? PM_FILE_HIGH : 0) | (exclusive ? PM_EXCLUSIVE_HIGH : 0) | Math.floor(frame / WORD),
    pmd,
  }));
  const swapped = vma.swap.map(({ page, type, offset, file }) => ({
    page,
    low: ((type + offset * 32) % WORD) | 0,
    high:
      PM_SWAP_HIGH |
      (type === MARKER_TYPE ? PM_GUARD_HIGH : 0) |
      (file ? PM_FILE_HIGH : 0) |
      Math.floor((type + offset * 32) / WORD),
    pmd: false,
  }));
  return [...present, ...swapped].sort((a, b) => a.page - b.page);
}

/** Files of 64-bit words by position, reused from one machine to the next and gone with the test. */
export class WordFiles {
  private readonly folder = mkdtempSync(join(tmpdir(), "foliometer-small-"));
  private readonly free: number[] = [];
  private readonly taken: number[] = [];
  private opened = 0;

  /** An empty file; returns its descriptor. */
  take(): number {
    const fd = this.free.pop() ?? openSync(this.path(), "wx+", 0o600);
    ftruncateSync(fd, 0);
    this.taken.push(fd);
    return fd;
  }

  /** A path at which no file is. */
  path(): string {
    return join(this.folder, String(this.opened++));
  }

  /** Takes all files back. */
  reuse(): void {
    this.free.push(...this.taken.splice(0));
  }

  close(): void {
    for (const fd of [...this.free, ...this.taken]) closeSync(fd);
    rmSync(this.folder, { recursive: true });
  }
}

/** Writes entries into a pagemap that ends at `endPage`. */
export function writePagemap(fd: number, entries: readonly RawEntry[], endPage: number): void {
  ftruncateSync(fd, endPage * 8);
  for (let from = 0; from < entries.length;) {
    let end = from + 1;
    while (end < entries.length && entries[end].page === entries[end - 1].page + 1) end++;
    const bytes = Buffer.alloc((end - from) * 8);
    for (let i = from; i < end; i++) {
      bytes.writeInt32LE(entries[i].low, (i - from) * 8);
      bytes.writeInt32LE(entries[i].high, (i - from) * 8 + 4);
    }
    writeSync(fd, bytes, 0, bytes.length, entries[from].page * 8);
    from = end;
  }
}

/** The two words of kpageflags of a folio's page. */
export function flagsOf(folio: SmallFolio, index: number): { low: number; high: number } {
  const { order, kind, owner2 } = folio;
  const part = order === 0 ? 0 : index === 0 ? KPF_COMPOUND_HEAD : KPF_COMPOUND_TAIL;
  const large = order === 0 ? 0 : part | (kind === "hugetlb" ? 0 : KPF_THP);
  const high = owner2 ? KPF_OWNER_2_HIGH : 0;
  const usual = KPF_UPTODATE | KPF_MMAP | large;
  switch (kind) {
    case "anon":
      return { low: usual | KPF_LRU | KPF_SWAPBACKED | KPF_ANON, high };
    case "ksm":
      return { low: usual | KPF_LRU | KPF_SWAPBACKED | KPF_ANON | KPF_KSM, high };
    case "file":
      return { low: usual | KPF_LRU, high };
    case "shmem":
      return { low: usual | KPF_LRU | KPF_SWAPBACKED, high };
    case "hugetlb":
      return { low: usual | KPF_HUGE | (isAnon(folio) ? KPF_ANON : 0), high };
    case "zero":
      return { low: KPF_ZERO_PAGE | large, high: order === 0 ? KPF_RESERVED_HIGH : 0 };
    case "freed":
      return { low: KPF_BUDDY, high: 0 };
    case "reserved":
      return { low: 0, high: KPF_RESERVED_HIGH };
  }
}

/** Writes kpageflags of the whole machine; frames of no folio are free. */
export function writeKpageflags(fd: number, machine: Pick<SmallMachine, "folios" | "frameCount">): void {
  const bytes = Buffer.alloc(machine.frameCount * 8);
  for (let pfn = 0; pfn < machine.frameCount; pfn++) bytes.writeUInt32LE(KPF_BUDDY, pfn * 8);
  for (const folio of machine.folios) {
    for (let i = 0; i < framesOf(folio); i++) {
      const { low, high } = flagsOf(folio, i);
      bytes.writeInt32LE(low, (folio.head + i) * 8);
      bytes.writeInt32LE(high, (folio.head + i) * 8 + 4);
    }
  }
  ftruncateSync(fd, 0);
  writeSync(fd, bytes, 0, bytes.length, 0);
}

/** System calls over pagemaps of which the entries are known. */
export class FakeSystemCalls implements SystemCalls {
  private readonly entriesOfFd = new Map<number, readonly RawEntry[]>();
  /** The page behind the last of each scan's range. */
  readonly ends: number[] = [];
  /** Set to make every scan fail, as on a kernel without the call. */
  fails = false;

  add(fd: number, entries: readonly RawEntry[]): void {
    this.entriesOfFd.set(fd, entries);
  }

  sharesAddressSpace(): boolean {
    return false;
  }

  scan(request: ScanRequest): number {
    this.ends.push(request.to);
    if (this.fails) return -EINVAL;
    const { from, to, maxPages, regions } = request;
    const entries = this.entriesOfFd.get(request.fd) ?? [];
    let found = 0;
    let pages = 0;
    request.walkEnd = to;
    for (const entry of entries) {
      if (entry.page < from || !matches(entry, request)) continue;
      if (entry.page >= to) break;
      const isAdjacent = found > 0 && regions[2 * found - 1] === entry.page;
      if ((maxPages > 0 && pages === maxPages) || (!isAdjacent && 2 * found === regions.length)) {
        request.walkEnd = entry.page;
        break;
      }
      if (!isAdjacent) regions[2 * found++] = entry.page;
      regions[2 * found - 1] = entry.page + 1;
      pages++;
    }
    return found;
  }
}

function matches({ high, pmd }: RawEntry, { mask, anyOf }: ScanRequest): boolean {
  const categories = ((high & PM_PRESENT_HIGH) !== 0 ? PAGE_IS_PRESENT : PAGE_IS_SWAPPED) | (pmd ? PAGE_IS_HUGE : 0);
  return (categories & mask) === mask && (anyOf === 0 || (categories & anyOf) !== 0);
}
