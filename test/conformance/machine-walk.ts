/**
 * The machine's bitmaps, read entry by entry: the reverse map walk, and what the machine's O(1) counters must say.
 */
import { HPAGE_PMD_NR, HPAGE_PMD_ORDER, LEVEL_PMD, LEVEL_PTE, LEVEL_PUD } from "../../src/kernel/index.ts";
import type { RmapVisitor } from "../../src/schemes/index.ts";
import type { MappingMachine } from "./mapping-machine.ts";
import { mmOf } from "./table-shape.ts";

/** All entries of one VMA, in the order of pages; false if the visitor has stopped the walk. */
export function walkVma(machine: MappingMachine, slot: number, vma: number, visit: RmapVisitor): boolean {
  const mm = mmOf(vma);
  const pages = machine.nrPages(slot);
  if (machine.hasPud(slot, vma)) {
    const table = machine.tableOf(slot, vma, 0, LEVEL_PUD);
    if (!visit(0, pages, LEVEL_PUD, table, vma, mm)) return false;
  }
  for (let page = 0; page < pages; page++) {
    const part = page >> HPAGE_PMD_ORDER;
    if (page % HPAGE_PMD_NR === 0 && machine.hasPmd(slot, vma, part)) {
      const table = machine.tableOf(slot, vma, page, LEVEL_PMD);
      if (!visit(page, HPAGE_PMD_NR, LEVEL_PMD, table, vma, mm)) return false;
    }
    if (!machine.hasPte(slot, vma, page)) continue;
    if (!visit(page, 1, LEVEL_PTE, machine.tableOf(slot, vma, page, LEVEL_PTE), vma, mm)) return false;
  }
  return true;
}

/** Counts everything anew from the bitmaps; says what differs from the counters beside them. */
export function recount(machine: MappingMachine, slot: number): string | undefined {
  const pages = machine.nrPages(slot);
  const mms = new Set<number>();
  const vmas = new Set<number>();
  const tables = new Set<string>();
  const mapcounts = new Int32Array(pages);
  let entries = 0;
  machine.walk(machine.heads[slot], (first, count, _level, table, vma, mm) => {
    entries++;
    mms.add(mm);
    vmas.add(vma);
    tables.add(`${vma} ${table}`);
    for (let page = first; page < first + count; page++) mapcounts[page]++;
    return true;
  });
  if (entries !== machine.entries[slot]) return `entries: ${machine.entries[slot]}, not ${entries}`;
  if (mms.size !== machine.mms[slot]) return `mms: ${machine.mms[slot]}, not ${mms.size}`;
  if (vmas.size !== machine.vmas[slot]) return `vmas: ${machine.vmas[slot]}, not ${vmas.size}`;
  if (tables.size !== machine.tables[slot]) return `tables: ${machine.tables[slot]}, not ${tables.size}`;
  const sum = mapcounts.reduce((total, count) => total + count, 0);
  if (sum !== machine.mappedPages[slot]) return `mappedPages: ${machine.mappedPages[slot]}, not ${sum}`;
  const mapped = mapcounts.filter((count) => count > 0).length;
  if (mapped !== machine.pagesMapped(slot)) return `pagesMapped: ${machine.pagesMapped(slot)}, not ${mapped}`;
  const wrong = mapcounts.findIndex((count, page) => count !== machine.pageMapcount(slot, page));
  return wrong < 0 ? undefined : `mapcount of page ${wrong}: ${machine.pageMapcount(slot, wrong)}`;
}
