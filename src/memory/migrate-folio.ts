/**
 * migrate_pages: a folio's content moves to a new folio on another node (kernel-facts 2.8, 4.5).
 *
 * All mappings become migration entries, the new folio takes over cache, flags and content, and the entries come back for
 * it. It needs that nobody but mappings and caches refers to the old one; else everything is put back as it was, but that
 * the walk may have flagged the folio as partially mapped. A folio with that flag is split instead, and its pages move.
 */
import { HPAGE_PMD_ORDER } from "../kernel/index.ts";
import { assert } from "./assert.ts";
import { FileMapping } from "./file-mapping.ts";
import { forgetPartiallyMapped, freeFolio, refcount } from "./folio-references.ts";
import {
  ACTIVE, DIRTY, LRU, OWNER_2, PARTIALLY_MAPPED, REFERENCED, SWAPBACKED, SWAPCACHE, UPTODATE,
} from "./frames.ts"; // prettier-ignore
import { moveHugetlbState, returnToHugetlbPool, takeMigrationTarget } from "./hugetlb-pool.ts";
import { KsmStableNode } from "./ksm-state.ts";
import type { Memory } from "./memory.ts";
import { NOTHING_TAKEN, returnMappings, returnMappingsTo, takeMappings } from "./migration-entries.ts";
import { copyPages } from "./new-page-content.ts";
import { splitFolio } from "./split-folio.ts";
import { addToSwapCache, swapSlotOf } from "./swap-cache.ts";

export type MigrationResult = "moved" | "again" | "no-memory";

/** Flags that the new folio inherits (folio_migrate_flags). PG_unevictable and PG_mlocked come back with the mappings. */
const INHERITED = REFERENCED | UPTODATE | ACTIVE | OWNER_2 | DIRTY | SWAPBACKED | SWAPCACHE | LRU;

/** migrate_pages of one folio that the caller has isolated. "moved" also if it was split and all its pages moved. */
export function migrateFolio(memory: Memory, head: number, node: number): MigrationResult {
  const { frames } = memory;
  const first = splitOrMove(memory, head, node);
  if (first !== "again") return first;
  // The first attempt was asynchronous. The second may find that the first left the partially mapped flag.
  return frames.has(head, PARTIALLY_MAPPED) ? splitOrMove(memory, head, node) : "again";
}

/** migrate_pages_batch of one folio. */
function splitOrMove(memory: Memory, head: number, node: number): MigrationResult {
  const { frames, statistics } = memory;
  const order = frames.order[head];
  const isPartial = order > 1 && frames.has(head, PARTIALLY_MAPPED);
  if (order > 1 && frames.isAnon(head)) memory.decisions.noted("migrate-split-partial", head, isPartial);
  if (isPartial) {
    const end = head + 2 ** order;
    if (splitFolio(memory, head, 0) === 0) {
      if (order === HPAGE_PMD_ORDER) statistics.count("thp_migration_split");
      return moveSplitPages(memory, head, end, node);
    }
  }
  return moveFolio(memory, head, node);
}

/** The pages of a folio that was split: those still in use move too. Pages that the split freed count as moved. */
function moveSplitPages(memory: Memory, first: number, end: number, node: number): MigrationResult {
  let result: MigrationResult = "moved";
  for (let frame = first; frame < end; frame++) {
    if (refcount(memory, frame) === 0) memory.statistics.count("pgmigrate_success");
    else if (moveFolio(memory, frame, node) !== "moved") result = "again";
  }
  return result;
}

/** migrate_folio_unmap and migrate_folio_move. */
function moveFolio(memory: Memory, head: number, node: number): MigrationResult {
  const { allocator, counts, decisions, frames, statistics } = memory;
  const order = frames.order[head];
  const isHugetlb = frames.isHugetlb(head);
  const target = isHugetlb
    ? takeMigrationTarget(memory, head, node)
    : allocator.allocateOnNode(order, frames.kindOf(head), node);
  if (target < 0) return "no-memory";
  const isMapped = decisions.decide("migrate-unmap", head, -1, -1, 0);
  const taken = isMapped ? takeMappings(memory, head, false) : NOTHING_TAKEN;
  // Mappings that are left hold references that nobody expects.
  if (counts.mapcount(head) > 0 || !decisions.decide("migrate-references", head, -1, -1, 0)) {
    returnMappings(memory, head, taken);
    if (isHugetlb) returnToHugetlbPool(memory, target);
    allocator.free(target);
    return "again";
  }
  memory.events.created(target, order, isHugetlb);
  moveFolioState(memory, head, target);
  if (isHugetlb) moveHugetlbState(memory, head, target);
  returnMappingsTo(memory, taken, head, target, { zeroPages: false });
  freeFolio(memory, head);
  statistics.count("pgmigrate_success", 2 ** order);
  if (order === HPAGE_PMD_ORDER && !isHugetlb) statistics.count("thp_migration_success");
  return "moved";
}

/** folio_migrate_mapping, folio_migrate_flags and the copy. What is left of the old folio is only to be freed. */
function moveFolioState(memory: Memory, from: number, to: number): void {
  const { frames, keys, statistics } = memory;
  const order = frames.order[from];
  const n = 2 ** order;
  copyPages(memory, from, to, n);
  forgetPartiallyMapped(memory, from);
  frames.set(to, frames.state[from] & INHERITED);
  const key = frames.rmapKey[from];
  const mapping = keys.mappingOf(key);
  assert(mapping !== undefined, "a folio that is moved has a mapping");
  const index = keys.indexOf(key);
  frames.rmapKey[to] = key;
  frames.rmapKey[from] = 0;
  if (mapping instanceof FileMapping) mapping.setFrames(index, to, n);
  if (mapping instanceof KsmStableNode) mapping.frame = to;
  if (frames.has(from, SWAPCACHE)) moveSwapCache(memory, from, to);
  // A hugetlb folio takes its dirtiness back to the pool too.
  if (!frames.isHugetlb(from)) frames.clear(from, SWAPCACHE | DIRTY);
  if (frames.extraOf(from)?.hasPrivate === true) {
    frames.changeExtra(from, (extra) => (extra.hasPrivate = false));
    frames.changeExtra(to, (extra) => (extra.hasPrivate = true));
  }
  // The kernel counts a hugetlb folio too, and never takes that back.
  if (order > 0 && frames.isAnon(from)) statistics.mthp.nrAnon[order]++;
}

function moveSwapCache(memory: Memory, from: number, to: number): void {
  const slot = swapSlotOf(memory, from);
  memory.swap.slotOfFolio.delete(from);
  addToSwapCache(memory, to, slot);
}
