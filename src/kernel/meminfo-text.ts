/**
 * /proc/meminfo: the whole machine's figures, in bytes.
 *
 *     AnonPages:       2700500 kB        bytes = value * 1024
 *     HugePages_Total:       0           a plain count of hugetlb pages of the default size
 *
 * Invariant: a label that the kernel does not print is `undefined`, never 0. The figures are sums of per-CPU deltas and
 * may lag by a threshold per CPU (kernel-facts 3.10); reading /proc/sys/vm/stat_refresh first folds them.
 * Kernel: kernel-facts 3.10 (which counter each line is).
 */

import { ProcTextError, quoteUntrusted } from "./proc-error.ts";

/** Labels of /proc/meminfo that this program reads by name, in bytes. */
export type MeminfoBytesLabel =
  | "MemTotal"
  | "MemFree"
  | "MemAvailable"
  | "Buffers"
  | "Cached"
  | "SwapCached"
  | "Mlocked"
  | "SwapTotal"
  | "SwapFree"
  | "AnonPages"
  | "Mapped"
  | "Shmem"
  | "Slab"
  | "KernelStack"
  | "PageTables"
  | "AnonHugePages"
  | "ShmemHugePages"
  | "ShmemPmdMapped"
  | "FileHugePages"
  | "FilePmdMapped"
  | "Hugepagesize"
  | "Hugetlb";

/** Labels whose lines have no unit: counts of hugetlb pages. */
export type MeminfoCountLabel = "HugePages_Total" | "HugePages_Free" | "HugePages_Rsvd" | "HugePages_Surp";

/** Every line by its label: bytes, or a count for the HugePages_ lines. */
export type Meminfo = ReadonlyMap<string, number>;

const FILE = "meminfo";
const KB = " kB";
const BYTES_PER_KB = 1024;
/** How labels begin whose lines have no unit. */
const COUNT_LABELS = "HugePages_";

function parseLine(line: string, lineNumber: number): readonly [label: string, value: number] {
  const colon = line.indexOf(":");
  const inKb = line.endsWith(KB);
  const digits = line.slice(colon + 1, inKb ? -KB.length : undefined).trimStart();
  const value = /^[0-9]{1,16}$/.test(digits) ? Number(digits) * (inKb ? BYTES_PER_KB : 1) : Number.NaN;
  if (colon <= 0 || !Number.isSafeInteger(value)) {
    throw new ProcTextError({ file: FILE, lineNumber }, `no label and number in ${quoteUntrusted(line)}`);
  }
  return [line.slice(0, colon), value];
}

/** Parses all of /proc/meminfo; throws `ProcTextError`. */
export function parseMeminfoText(text: string): Meminfo {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return new Map(lines.map((line, index) => parseLine(line, index + 1)));
}

const LABEL_COLUMNS = 16;
const LINE_COLUMNS = 24;

/** The text of these lines as the kernel prints them; counts of hugetlb pages have no unit, all else is in kB. */
export function formatMeminfoText(lines: Iterable<readonly [label: string, value: number]>): string {
  let text = "";
  for (const [label, value] of lines) {
    const start = label.length < LABEL_COLUMNS - 1 ? `${label}:`.padEnd(LABEL_COLUMNS, " ") : `${label}: `;
    const isCount = label.startsWith(COUNT_LABELS);
    const number = isCount ? value : Math.floor(value / BYTES_PER_KB);
    text += `${start}${number.toString().padStart(LINE_COLUMNS - start.length, " ")}${isCount ? "" : KB}\n`;
  }
  return text;
}

/** A figure in bytes; undefined if this kernel does not print it. */
export function meminfoBytes(meminfo: Meminfo, label: MeminfoBytesLabel): number | undefined {
  return meminfo.get(label);
}

/** A count of hugetlb pages; undefined if this kernel does not print it. */
export function meminfoCount(meminfo: Meminfo, label: MeminfoCountLabel): number | undefined {
  return meminfo.get(label);
}

/** The default hugetlb page's size; undefined on a kernel without hugetlb. */
export function hugepageSizeBytes(meminfo: Meminfo): number | undefined {
  return meminfoBytes(meminfo, "Hugepagesize");
}
