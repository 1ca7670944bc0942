/**
 * What the kernel itself prints of processes and frames: the other side of every comparison.
 *
 * Deliberately naive and apart from the product's readers: one entry at a time as a BigInt, no runs, no tables. Only the
 * parsers of text are shared, and those are held against the kernel's text byte for byte elsewhere.
 */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { type SmapsRollup, type SmapsVma, parseSmapsRollup, parseSmapsText } from "../../src/kernel/index.ts";

/** Bits of a pagemap entry. */
export const PM_PRESENT = 1n << 63n;
export const PM_SWAP = 1n << 62n;
export const PM_EXCLUSIVE = 1n << 56n;
export const PM_GUARD = 1n << 58n;
const PM_PFN = (1n << 55n) - 1n;

/** Bits of /proc/kpageflags. */
export const FLAG_SLAB = 1n << 7n;
export const FLAG_SWAPBACKED = 1n << 14n;
export const FLAG_HEAD = 1n << 15n;
export const FLAG_TAIL = 1n << 16n;
export const FLAG_KSM = 1n << 21n;
export const FLAG_ZERO = 1n << 24n;
export const FLAG_HEAD_EXCLUSIVE = 1n << 34n;

/** smaps_rollup as text; undefined for a process that is gone, refused or without memory. */
export function rollupText(pid: number): string | undefined {
  return textOf(`/proc/${pid}/smaps_rollup`);
}

/** smaps as text; undefined for a process that is gone, refused or without memory. */
export function smapsText(pid: number): string | undefined {
  return textOf(`/proc/${pid}/smaps`);
}

function textOf(path: string): string | undefined {
  try {
    const text = readFileSync(path, "latin1");
    return text === "" ? undefined : text;
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (["ENOENT", "ESRCH", "EACCES", "EPERM"].includes(code)) return undefined;
    throw error;
  }
}

/** smaps_rollup of a process that must be there. */
export function rollup(pid: number): SmapsRollup["fields"] {
  return parseSmapsRollup(rollupText(pid) ?? "").fields;
}

/** The VMAs of smaps of a process that must be there. */
export function smaps(pid: number): SmapsVma[] {
  return parseSmapsText(smapsText(pid) ?? "");
}

/** The VMA of that name. */
export function smapsOf(pid: number, name: string): SmapsVma {
  const vma = smaps(pid).find(({ header }) => header.name === name);
  if (vma === undefined) throw new Error(`process ${pid} has no VMA ${name}`);
  return vma;
}

/** kB in Private_Clean and Private_Dirty. */
export function privateKb(fields: { readonly privateClean: number; readonly privateDirty: number }): number {
  return fields.privateClean + fields.privateDirty;
}

/** pagemap entries of `count` pages from `page` on. */
export function pagemap(pid: number, page: number, count: number): bigint[] {
  return entries(`/proc/${pid}/pagemap`, page, count);
}

/** Frames of `count` pages from `page` on, -1 where none is present. */
export function framesOf(pid: number, page: number, count: number): number[] {
  return pagemap(pid, page, count).map((entry) => ((entry & PM_PRESENT) === 0n ? -1 : Number(entry & PM_PFN)));
}

/** How often the kernel counts this frame as mapped. */
export function kpagecount(pfn: number): number {
  return Number(entries("/proc/kpagecount", pfn, 1)[0]);
}

/** The kernel's flags of this frame. */
export function kpageflags(pfn: number): bigint {
  return entries("/proc/kpageflags", pfn, 1)[0] ?? 0n;
}

/** The order of the folio that begins at this frame: 0 for a small one. */
export function orderAt(pfn: number): number {
  if ((kpageflags(pfn) & FLAG_HEAD) === 0n) return 0;
  let pages = 1;
  while ((kpageflags(pfn + pages) & FLAG_TAIL) !== 0n) pages++;
  return Math.log2(pages);
}

function entries(path: string, from: number, count: number): bigint[] {
  const fd = openSync(path, "r");
  try {
    const bytes = Buffer.alloc(count * 8);
    const got = readSync(fd, bytes, 0, bytes.length, from * 8);
    return Array.from({ length: Math.floor(got / 8) }, (_, index) => bytes.readBigUInt64LE(index * 8));
  } finally {
    closeSync(fd);
  }
}
