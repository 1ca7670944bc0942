/**
 * The reverse map: from a folio to every page-table entry that maps it (kernel-facts 6.1-6.4).
 *
 * The VMAs come from the folio's mapping: the tree of the anon_vma, the file's i_mmap, or the places of a KSM stable node.
 * They are candidates only; each one's page tables are looked at, in batches as the tables hold them. A walk tells what it
 * looks at to whoever wants to know, also where it finds nothing.
 */
import { HPAGE_PMD_NR, LEVEL_PMD, LEVEL_PTE, type Level, type WalkCosts } from "../kernel/index.ts";
import { AnonVma } from "./anon-vma.ts";
import { FileMapping } from "./file-mapping.ts";
import { KsmStableNode } from "./ksm-state.ts";
import type { Memory } from "./memory.ts";
import { frameOfEntry, isPresent, isTable, tableOfEntry } from "./page-table.ts";
import { findPmdTable, nextPmd, pmdIndex, pteIndex } from "./table-walk.ts";
import type { Vma } from "./vma.ts";

/** A VMA that may map a folio, whose first page is page `index` of the VMA's file or anon_vma. */
export interface CandidateVma {
  readonly vma: Vma;
  readonly index: number;
}

/** VMAs that may map the folio: anon, file, or every place of a KSM page. A copy: the VMAs may change meanwhile. */
export function candidateVmas(memory: Memory, head: number): CandidateVma[] {
  const found: CandidateVma[] = [];
  visitCandidates(memory, head, (vma, index) => found.push({ vma, index }) > 0);
  return found;
}

type CandidateVisitor = (vma: Vma, index: number) => boolean;

/** rmap_walk_anon, rmap_walk_file, rmap_walk_ksm: candidates one by one, until `visit` says false. */
function visitCandidates(memory: Memory, head: number, visit: CandidateVisitor, costs?: WalkCosts): void {
  const key = memory.frames.rmapKey[head];
  const mapping = memory.keys.mappingOf(key);
  if (mapping instanceof KsmStableNode) visitKsmPlaces(mapping, visit, costs);
  if (!(mapping instanceof AnonVma || mapping instanceof FileMapping)) return;
  const index = memory.keys.indexOf(key);
  const visitOne = (vma: Vma): boolean => {
    if (costs !== undefined) costs.vmas++;
    return visit(vma, index);
  };
  if (costs !== undefined) costs.treeLocks++;
  mapping.vmas.visitOverlapping(index, index + 2 ** memory.frames.order[head] - 1, visitOne, costs);
}

/**
 * Every item's anon_vma is searched twice, whole: first for VMAs of the item's own address space, then for those of others,
 * forked since (kernel-facts 6.2). A place that two items lead to is visited once.
 */
function visitKsmPlaces(node: KsmStableNode, visit: CandidateVisitor, costs?: WalkCosts): void {
  const seen = new Set<string>();
  for (const isOwn of [true, false]) {
    for (const { anonVma, mm, page } of node.items) {
      if (anonVma === undefined) continue;
      if (costs !== undefined) costs.treeLocks++;
      for (const vma of anonVma.vmas) {
        if (costs !== undefined) costs.treeNodes++;
        const place = `${vma.id} ${page}`;
        if (page < vma.start || page >= vma.end || (vma.mm === mm) !== isOwn || seen.has(place)) continue;
        seen.add(place);
        if (costs !== undefined) costs.vmas++;
        if (!visit(vma, vma.indexOf(page))) return;
      }
    }
  }
}

/** One batch of entries that map a folio. */
export interface FolioMapping {
  readonly vma: Vma;
  /** Page number of the first entry. */
  readonly page: number;
  /** The table that holds the entries: a PTE table, or the PMD table of a PMD entry. */
  readonly table: number;
  readonly level: Level;
  /** First page of the folio that is mapped, and how many. */
  readonly first: number;
  readonly pageCount: number;
}

/** Told of each batch that a walk finds; false ends the walk. */
export type MappingVisitor = (found: FolioMapping) => boolean;

/** A walk of one folio in one VMA. */
interface VmaWalk {
  readonly memory: Memory;
  readonly head: number;
  readonly nrPages: number;
  readonly vma: Vma;
  readonly visit: MappingVisitor;
  readonly costs: WalkCosts | undefined;
}

/** page_vma_mapped_walk: the entries of one VMA that map the folio, in address order. */
export function mappingsInVma(memory: Memory, head: number, vma: Vma, index: number, found: FolioMapping[]): void {
  walkVma(memory, head, vma, index, (batch) => found.push(batch) > 0);
}

/** The same one by one, until `visit` says false; then so does the answer. Looks at every entry of the folio's range. */
export function walkVma(
  memory: Memory,
  head: number,
  vma: Vma,
  index: number,
  visit: MappingVisitor,
  costs?: WalkCosts,
): boolean {
  // prettier-ignore
  const nrPages = 2 ** memory.frames.order[head];
  const walk: VmaWalk = { memory, head, nrPages, vma, visit, costs };
  const from = Math.max(vma.start, index - vma.pgoff + vma.start);
  const to = Math.min(vma.end, index + nrPages - vma.pgoff + vma.start);
  for (let page = from, end = from; page < to; page = end) {
    end = Math.min(to, nextPmd(page));
    const pmdTable = findPmdTable(memory, vma.mm, page);
    if (pmdTable === 0) continue;
    if (costs !== undefined) costs.tables++;
    const pmd = memory.tables.get(pmdTable, pmdIndex(page));
    if (isTable(pmd)) {
      if (!walkPtes(walk, tableOfEntry(pmd), page, end)) return false;
    } else if (!walkPmd(walk, pmdTable, pmd, page)) return false;
  }
  return true;
}

/** A PMD entry: a leaf, or nothing. */
function walkPmd({ head, vma, visit, costs }: VmaWalk, pmdTable: number, pmd: number, page: number): boolean {
  if (costs !== undefined) costs.entries++;
  if (!isPresent(pmd)) return true;
  if (costs !== undefined) costs.tableLocks++;
  if (frameOfEntry(pmd) !== head) return true;
  return visit({
    vma,
    page: page - pteIndex(page),
    table: pmdTable,
    level: LEVEL_PMD,
    first: 0,
    pageCount: HPAGE_PMD_NR,
  });
}

/** Entries of pages [start, end) of one PTE table, which is locked at the first that is present. */
function walkPtes(walk: VmaWalk, table: number, start: number, end: number): boolean {
  const { memory, head, nrPages, vma, visit, costs } = walk;
  const { tables } = memory;
  let isLocked = false;
  for (let page = start, count = 1; page < end; page += count) {
    const entry = tables.get(table, pteIndex(page));
    const frame = frameOfEntry(entry);
    count = 1;
    if (costs !== undefined && isPresent(entry) && !isLocked) costs.tableLocks++;
    isLocked ||= isPresent(entry);
    const isFound = isPresent(entry) && frame >= head && frame < head + nrPages;
    if (isFound) {
      const most = Math.min(end - page, head + nrPages - frame);
      for (; count < most; count++) {
        const next = tables.get(table, pteIndex(page + count));
        if (!isPresent(next) || frameOfEntry(next) !== frame + count) break;
      }
    }
    // Whom one entry satisfies looks at no other of the batch.
    if (costs !== undefined) costs.entries++;
    if (isFound && !visit({ vma, page, table, level: LEVEL_PTE, first: frame - head, pageCount: count })) return false;
    if (costs !== undefined) costs.entries += count - 1;
  }
  return true;
}

/** rmap_walk: every batch of entries that maps the folio, until `visit` says false. */
export function walkRmap(memory: Memory, head: number, visit: MappingVisitor, costs?: WalkCosts): void {
  visitCandidates(memory, head, (vma, index) => walkVma(memory, head, vma, index, visit, costs), costs);
}

/**
 * The same VMA by VMA: what each candidate maps, until `visit` says false. VMAs that are not `wanted` (invalid_vma) are
 * passed over.
 */
export function walkRmapByVma(
  memory: Memory,
  head: number,
  visit: (found: readonly FolioMapping[]) => boolean,
  costs: WalkCosts,
  wanted: (vma: Vma) => boolean = () => true,
): void {
  visitCandidates(
    memory,
    head,
    (vma, index) => {
      if (!wanted(vma)) return true;
      const found: FolioMapping[] = [];
      walkVma(memory, head, vma, index, (batch) => found.push(batch) > 0, costs);
      return visit(found);
    },
    costs,
  );
}

/** rmap_walk: all entries that map the folio. O(log VMAs + candidates x pages of the folio). */
export function mappingsOf(memory: Memory, head: number): FolioMapping[] {
  const found: FolioMapping[] = [];
  walkRmap(memory, head, (batch) => found.push(batch) > 0);
  return found;
}
