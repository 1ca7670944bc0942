/**
 * exit_mmap: an address space goes away, VMAs in address order, then every page table.
 */
import { unlinkAnonVmas } from "./anon-vma.ts";
import { freePageTables } from "./free-tables.ts";
import { ksmExit } from "./ksm.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import { forgetSwappedMm } from "./swap.ts";
import { ADDRESS_SPACE_PAGES } from "./table-walk.ts";
import { unlinkFile } from "./vma-file.ts";
import { zapVmaRange } from "./zap.ts";

/** mmput of the last user. */
export function exitMm(memory: Memory, mm: Mm): void {
  ksmExit(memory, mm);
  for (const vma of mm.vmas) zapVmaRange(memory, vma, vma.start, vma.end, { dropMarkers: true });
  freePageTables(memory, mm, mm.vmas, 0, ADDRESS_SPACE_PAGES);
  for (const vma of mm.vmas) {
    unlinkAnonVmas(vma);
    unlinkFile(memory, vma);
  }
  mm.vmas.length = 0;
  mm.forgetLast();
  forgetSwappedMm(memory, mm);
  memory.dropMm(mm);
}
