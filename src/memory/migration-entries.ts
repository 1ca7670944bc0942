/**
 * Migration entries: how the kernel takes a folio's mappings away for a moment, and puts them back (try_to_migrate,
 * remove_migration_ptes; kernel-facts 2.8, 2.9).
 *
 * The reverse map is walked once; each entry that goes is remembered with its bits and with whether its page was
 * exclusive. The walk ends early where the kernel's does: at a page that may be pinned, and behind the first PMD entry
 * that has to be split. Whoever called then finds the folio still mapped, and puts back what was taken. Nothing looks at
 * page tables meanwhile, so an entry that is taken is simply empty.
 */
import { HPAGE_PMD_NR, LEVEL_PMD } from "../kernel/index.ts";
import { isMaybeDmaPinned } from "./folio-references.ts";
import { DIRTY, MLOCKED, OWNER_2 } from "./frames.ts";
import { drainMlock } from "./lru-batches.ts";
import { type Memory, ZERO_FRAME } from "./memory.ts";
import {
  LEAF_FLAGS, NEXT_FRAME, PTE_DIRTY, PTE_SOFT_DIRTY, PTE_UFFD_WP, PTE_WRITE, PTE_YOUNG, frameOfEntry, presentEntry, tableEntry,
} from "./page-table.ts"; // prettier-ignore
import { type FolioMapping, candidateVmas, mappingsInVma } from "./rmap-walk.ts";
import {
  addAnonRmapPmd, addAnonRmapPtes, addFileRmapPmd, addFileRmapPtes, removeRmapPmd, removeRmapPtes, tryShareAnonRmap,
} from "./rmap.ts"; // prettier-ignore
import { pmdIndex, pteIndex } from "./table-walk.ts";
import { VM_LOCKED, type Vma } from "./vma.ts";

/** One entry that was taken. */
interface TakenEntry {
  readonly page: number;
  /** The table and index where the entry was, and where it will be again. */
  readonly table: number;
  readonly index: number;
  /** The present entry as it was. */
  readonly entry: number;
  readonly isExclusive: boolean;
  readonly isPmd: boolean;
}

/** All that was taken from one VMA, in address order. */
interface TakenFromVma {
  readonly vma: Vma;
  readonly entries: TakenEntry[];
}

export interface TakenMappings {
  readonly vmas: readonly TakenFromVma[];
}

export const NOTHING_TAKEN: TakenMappings = { vmas: [] };

/** try_to_migrate. `splitPmds` (TTU_SPLIT_HUGE_PMD): a PMD entry becomes PTEs, and the walk ends behind the first such. */
export function takeMappings(memory: Memory, head: number, splitPmds: boolean): TakenMappings {
  memory.watch?.willWalk("migrate", head);
  const vmas: TakenFromVma[] = [];
  for (const { vma, index } of candidateVmas(memory, head)) {
    const batches: FolioMapping[] = [];
    mappingsInVma(memory, head, vma, index, batches);
    const entries: TakenEntry[] = [];
    let goesOn = true;
    for (const batch of batches) {
      goesOn = takeBatch(memory, head, batch, splitPmds, entries);
      if (!goesOn) break;
    }
    if (entries.length > 0) vmas.push({ vma, entries });
    if (!goesOn || memory.decisions.decide("stop-unmap-walk", head, -1, -1, 0)) break;
  }
  return { vmas };
}

/** try_to_migrate_one for neighbouring entries. False: the walk ends. */
function takeBatch(
  memory: Memory,
  head: number,
  batch: FolioMapping,
  splitPmds: boolean,
  taken: TakenEntry[],
): boolean {
  // prettier-ignore
  if (batch.level === LEVEL_PMD) {
    if (!splitPmds) return takePmd(memory, head, batch, taken);
    splitPmdAndTake(memory, head, batch, taken);
    return false;
  }
  const { frames, tables } = memory;
  const { vma, table } = batch;
  for (let i = 0; i < batch.pageCount; i++) {
    const page = batch.page + i;
    const index = pteIndex(page);
    const entry = tables.get(table, index);
    const frame = frameOfEntry(entry);
    const isExclusive = frames.isAnon(head) && frames.has(frame, OWNER_2);
    // The folio learns that it is dirty even if the entry has to stay.
    if ((entry & PTE_DIRTY) !== 0) frames.set(head, DIRTY);
    if (isExclusive && !tryShareAnonRmap(memory, frame)) return false;
    tables.set(table, index, 0);
    taken.push({ page, table, index, entry, isExclusive, isPmd: false });
    removeRmapPtes(memory, frame, 1, vma, table);
    if (vma.has(VM_LOCKED)) drainMlock(memory, head);
  }
  return true;
}

/** set_pmd_migration_entry. */
function takePmd(memory: Memory, head: number, batch: FolioMapping, taken: TakenEntry[]): boolean {
  const { frames, tables } = memory;
  const { vma, table, page } = batch;
  const index = pmdIndex(page);
  const entry = tables.get(table, index);
  const isExclusive = frames.isAnon(head) && frames.has(head, OWNER_2);
  if (isExclusive && !tryShareAnonRmap(memory, head)) return false;
  tables.set(table, index, 0);
  if ((entry & PTE_DIRTY) !== 0) frames.set(head, DIRTY);
  taken.push({ page, table, index, entry, isExclusive, isPmd: true });
  removeRmapPmd(memory, head, vma, table);
  return true;
}

/** __split_huge_pmd_locked with "freeze": the PMD entry goes, and 512 PTEs will come back in its place. */
function splitPmdAndTake(memory: Memory, head: number, batch: FolioMapping, taken: TakenEntry[]): void {
  const { frames, tables } = memory;
  const { vma, page } = batch;
  const index = pmdIndex(page);
  const entry = tables.get(batch.table, index);
  memory.statistics.count("thp_split_pmd");
  memory.watch?.did("pmd-split", 1);
  let flags = entry & LEAF_FLAGS;
  if ((entry & PTE_DIRTY) !== 0) {
    frames.set(head, DIRTY);
    if (memory.hasSoftDirty) flags |= PTE_SOFT_DIRTY;
  }
  const isExclusive = frames.has(head, OWNER_2);
  const mustStay = memory.cow.hasExclusivePages && isExclusive && isMaybeDmaPinned(memory, head);
  const table = tables.allocate();
  tables.set(batch.table, index, tableEntry(table));
  const first = presentEntry(head, flags);
  if (mustStay) {
    addAnonRmapPtes(memory, head, HPAGE_PMD_NR, vma, table, true);
    tables.setRun(table, first);
  } else {
    frames.clear(head, OWNER_2);
    for (let i = 0; i < HPAGE_PMD_NR; i++) {
      const pte = (first + i * NEXT_FRAME) | 0;
      taken.push({ page: page + i, table, index: i, entry: pte, isExclusive, isPmd: false });
    }
  }
  removeRmapPmd(memory, head, vma, batch.table);
}

/** Puts back what was taken from a folio that was neither split nor moved. */
export function returnMappings(memory: Memory, head: number, taken: TakenMappings): void {
  returnMappingsTo(memory, taken, head, head, { zeroPages: false });
}

/**
 * remove_migration_ptes: the entries that mapped pages of the folio `to`, as it lay at frame `from` before, come back.
 * `zeroPages`: a page of zeros is not mapped again, the shared zero page is mapped instead (after a split, order 0 only).
 */
export function returnMappingsTo(
  memory: Memory,
  taken: TakenMappings,
  from: number,
  to: number,
  { zeroPages }: { readonly zeroPages: boolean },
): void {
  // prettier-ignore
  if (taken.vmas.length > 0) memory.watch?.willWalk("restore", to);
  const end = from + 2 ** memory.frames.order[to];
  for (const { vma, entries } of taken.vmas) {
    for (let at = firstOfFrame(entries, from); at < entries.length; at++) {
      const old = entries[at];
      const frame = frameOfEntry(old.entry);
      if (frame >= end) break;
      if (old.isPmd) returnPmd(memory, vma, old, to);
      else if (zeroPages && isUnused(memory, vma, to)) returnZeroPage(memory, old);
      else returnPte(memory, vma, old, to + frame - from);
    }
  }
}

/** Entries of one VMA ascend in frames as they do in addresses, but those of a KSM page, which all name one frame. */
function firstOfFrame(entries: readonly TakenEntry[], frame: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (frameOfEntry(entries[middle].entry) < frame) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The bits that a migration entry keeps. */
function keptFlags(memory: Memory, head: number, entry: number): number {
  let flags = entry & (PTE_YOUNG | PTE_SOFT_DIRTY | PTE_WRITE);
  if ((entry & PTE_DIRTY) !== 0 && memory.frames.has(head, DIRTY)) flags |= PTE_DIRTY;
  if ((entry & PTE_WRITE) === 0) flags |= entry & PTE_UFFD_WP;
  return flags;
}

function returnPte(memory: Memory, vma: Vma, old: TakenEntry, frame: number): void {
  const { frames, tables } = memory;
  const head = frames.headOf(frame);
  if (frames.isAnon(head)) addAnonRmapPtes(memory, frame, 1, vma, old.table, old.isExclusive);
  else addFileRmapPtes(memory, frame, 1, vma, old.table);
  if (vma.has(VM_LOCKED)) drainMlock(memory, head);
  tables.set(old.table, old.index, presentEntry(frame, keptFlags(memory, head, old.entry)));
}

function returnPmd(memory: Memory, vma: Vma, old: TakenEntry, head: number): void {
  const { frames, tables } = memory;
  if (frames.isAnon(head) && !frames.isHugetlb(head)) addAnonRmapPmd(memory, head, vma, old.table, old.isExclusive);
  else {
    addFileRmapPmd(memory, head, vma, old.table);
    if (old.isExclusive) frames.set(head, OWNER_2);
  }
  tables.set(old.table, old.index, presentEntry(head, keptFlags(memory, head, old.entry)));
}

/** try_to_map_unused_to_zeropage: may the zero page stand for this page? */
function isUnused(memory: Memory, vma: Vma, head: number): boolean {
  const { frames, contents } = memory;
  if (frames.order[head] !== 0 || frames.isPoisoned(head)) return false;
  return !frames.has(head, MLOCKED) && !vma.has(VM_LOCKED) && contents.isZero(head);
}

function returnZeroPage(memory: Memory, old: TakenEntry): void {
  const kept = old.entry & (PTE_SOFT_DIRTY | PTE_UFFD_WP);
  memory.tables.set(old.table, old.index, presentEntry(ZERO_FRAME, PTE_YOUNG | kept));
}
