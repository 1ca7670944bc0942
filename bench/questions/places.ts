/**
 * Places of the running workload that questions are asked about: a page that is there, by address and by frame.
 *
 * The page is looked for from the middle of the largest mapping of a kind, because the middle of what a program uses is
 * most likely in use. An entry of pagemap has the frame in bits 0-54 and "present" in bit 63 (kernel-facts 4.1).
 */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";

const PAGE_BYTES = 4096;
const ENTRY_BYTES = 8;
const ENTRIES_AT_ONCE = 512;
const PFN_MASK = (1n << 55n) - 1n;
const PRESENT = 1n << 63n;

/** One page of a process that is present. */
export interface Place {
  readonly pid: number;
  /** Hexadecimal, without 0x, as /proc/PID/maps has it. */
  readonly address: string;
  readonly pfn: number;
}

/** A line of /proc/PID/maps, as far as places need it. */
export interface MapsLine {
  readonly start: number;
  readonly end: number;
  readonly rights: string;
  readonly name: string;
}

/** The mappings of a process. */
function readMapsLines(pid: number): MapsLine[] {
  const lines = readFileSync(`/proc/${pid}/maps`, "latin1").matchAll(
    /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ *(.*)$/gm,
  );
  return Array.from(lines, ([, start = "", end = "", rights = "", name = ""]) => {
    return { start: Number.parseInt(start, 16), end: Number.parseInt(end, 16), rights, name };
  });
}

/** A present page of the process's largest mapping that `isWanted` accepts. Throws if there is none. */
export function findPlace(pid: number, isWanted: (line: MapsLine) => boolean): Place {
  const [largest] = readMapsLines(pid)
    .filter(isWanted)
    .toSorted((one, other) => other.end - other.start - (one.end - one.start));
  if (largest === undefined) throw new Error(`process ${pid} has no such mapping`);
  const firstPage = largest.start / PAGE_BYTES;
  const endPage = largest.end / PAGE_BYTES;
  const found =
    presentFrom(pid, Math.floor((firstPage + endPage) / 2), endPage) ?? presentFrom(pid, firstPage, endPage);
  if (found === undefined) throw new Error(`process ${pid} has no page in ${largest.name || "its largest mapping"}`);
  return found;
}

function presentFrom(pid: number, firstPage: number, endPage: number): Place | undefined {
  const file = openSync(`/proc/${pid}/pagemap`, "r");
  try {
    const buffer = Buffer.alloc(ENTRIES_AT_ONCE * ENTRY_BYTES);
    for (let page = firstPage; page < endPage; page += ENTRIES_AT_ONCE) {
      const count = Math.min(ENTRIES_AT_ONCE, endPage - page);
      const bytes = readSync(file, buffer, 0, count * ENTRY_BYTES, page * ENTRY_BYTES);
      for (let index = 0; index < Math.floor(bytes / ENTRY_BYTES); index++) {
        const entry = buffer.readBigUInt64LE(index * ENTRY_BYTES);
        const pfn = Number(entry & PFN_MASK);
        if ((entry & PRESENT) === 0n || pfn === 0) continue;
        return { pid, address: ((page + index) * PAGE_BYTES).toString(16), pfn };
      }
    }
    return undefined;
  } finally {
    closeSync(file);
  }
}
