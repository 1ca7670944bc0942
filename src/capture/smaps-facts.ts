/**
 * What /proc/PID/smaps says of each VMA beyond page tables: VmFlags, Referenced, dirty and clean, hugetlb, swap.
 *
 * The kernel walks the page tables itself to print it, a second time after the capture, so it is read only on request
 * and matched by address: a VMA that moved, grew or went away in between has no facts.
 */
import { readFileSync } from "node:fs";
import {
  type ProcRefusal,
  type SmapsRollup,
  type SmapsVma,
  parseSmapsRollup,
  parseSmapsText,
  procRefusal,
} from "../kernel/index.ts";
import type { Capture } from "./capture.ts";
import { SmapsColumns } from "./smaps-columns.ts";

/** The blocks of a process's smaps, or why they cannot be read. The gate page of x86-64 is among them. */
export function readSmapsFacts(pid: number): SmapsVma[] | ProcRefusal {
  const text = readText(`/proc/${pid}/smaps`);
  return typeof text === "string" ? parseSmapsText(text) : text;
}

/** The sums of a process's smaps, or why they cannot be read. */
export function readSmapsRollup(pid: number): SmapsRollup | ProcRefusal {
  const text = readText(`/proc/${pid}/smaps_rollup`);
  return typeof text === "string" ? parseSmapsRollup(text) : text;
}

function readText(path: string): string | ProcRefusal {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    return procRefusal((error as NodeJS.ErrnoException).code ?? "EIO", path);
  }
}

/** Facts of all address spaces that were read to their end. Reads process by process and waits for nothing. */
export function collectSmaps(capture: Pick<Capture, "processes" | "vmas">): SmapsColumns {
  const smaps = new SmapsColumns(capture.vmas.length);
  for (const { pid, state, firstVma, endVma } of capture.processes) {
    if (state !== "complete") continue;
    const blocks = readSmapsFacts(pid);
    if ("code" in blocks) continue;
    const byStart = new Map(blocks.map((block) => [block.header.startPage, block]));
    for (let row = firstVma; row < endVma; row++) {
      const vma = capture.vmas[row];
      const block = byStart.get(vma.startPage);
      if (block !== undefined && block.header.endPage === vma.endPage) smaps.set(row, block.fields);
    }
  }
  return smaps;
}
