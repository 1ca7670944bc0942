/**
 * How far each scheme would let the kernel walk the reverse map, and what that costs under it.
 *
 * The model's kernel is about to walk; its entries are still there. The walk is made once, VMA by VMA, as rmap_walk makes it
 * (kernel-facts 6.3): each VMA is looked at to the end of the folio's range, and after each the walk may end. Then every
 * scheme is charged as far as it would have gone: not at all if it knows that nothing is mapped, to the VMA after which its
 * count says that all is found (`stopWalk`), else to the end. A scheme that had lost count learns from a walk to the end.
 *
 * Putting entries back after migration walks whatever is counted: that is work of the operation and of no scheme. What the
 * questions themselves cost is charged where the decision is asked, not here.
 */
import { type WalkCosts, type WorkName, entriesOfBatch, noWalkCosts } from "../kernel/index.ts";
import { type FolioMapping, type Memory, VM_SHARED, type WalkPurpose, walkRmapByVma } from "../memory/index.ts";
import { NO, type RmapFindings, type Scheme, YES, chargeWalk } from "../schemes/index.ts";
import type { StudiedScheme } from "./studied-history.ts";

/** What a walk has found and cost when a VMA was done. */
interface WalkStage {
  readonly found: Readonly<Record<Scheme["unit"], number>>;
  readonly costs: WalkCosts;
}

interface StudiedWalk {
  /** One a VMA with entries of the folio, in order. */
  readonly stages: readonly WalkStage[];
  readonly costs: WalkCosts;
  readonly findings: RmapFindings;
}

/** rwc.done of try_to_unmap and try_to_migrate; folio_referenced counts down. The other walks go to their end. */
const STOPS_EARLY: Readonly<Record<WalkPurpose, boolean>> = {
  unmap: true,
  migrate: true,
  referenced: true,
  restore: false,
  clean: false,
  truncate: false,
};

/** Charges the schemes for a walk that is about to be made; `work` is charged for one that no scheme can shorten. */
export function studyWalk(
  memory: Memory,
  head: number,
  purpose: WalkPurpose,
  studied: readonly StudiedScheme[],
  work: Record<WorkName, number>,
): void {
  const walk = walkNow(memory, head, purpose);
  if (purpose === "restore") {
    work["walk-vma"] += walk.costs.vmas;
    work["walk-table"] += walk.costs.tables;
    work["walk-entry"] += walk.costs.entries;
    return;
  }
  for (const scheme of studied) {
    const costs = silently(scheme, () => costsUnder(scheme, head, walk, STOPS_EARLY[purpose]));
    if (costs === undefined) continue;
    chargeWalk(scheme.meter, costs);
    // A walk of shared mappings alone has not seen all.
    if (costs === walk.costs && purpose !== "clean") scheme.counter.learn?.(head, walk.findings);
  }
}

function walkNow(memory: Memory, head: number, purpose: WalkPurpose): StudiedWalk {
  const stages: WalkStage[] = [];
  const costs = noWalkCosts();
  const tables = new Set<string>();
  const addressSpaces = new Set<number>();
  let entries = 0;
  let lastVma = -1;
  const visit = (found: readonly FolioMapping[]): boolean => {
    if (found.length === 0) return true;
    for (const { vma, table, level, pageCount } of found) {
      entries += entriesOfBatch(pageCount, level);
      tables.add(`${vma.id} ${table}`);
      addressSpaces.add(vma.mm.id);
      lastVma = vma.id;
    }
    stages.push({ found: { entries, vmas: stages.length + 1, tables: tables.size }, costs: { ...costs } });
    return true;
  };
  // page_mkclean looks at shared mappings alone.
  walkRmapByVma(memory, head, visit, costs, purpose === "clean" ? (vma) => vma.has(VM_SHARED) : undefined);
  const findings: RmapFindings = {
    entries,
    tables: tables.size,
    vmas: stages.length,
    addressSpaces: addressSpaces.size,
    lastVma,
    isComplete: true,
  };
  return { stages, costs, findings };
}

/** What the walk costs under the scheme; undefined: it knows that there is nothing to find. */
function costsUnder(
  { scheme, counter }: StudiedScheme,
  head: number,
  walk: StudiedWalk,
  stopsEarly: boolean,
): WalkCosts | undefined {
  if (counter.mapped(head) === NO) return undefined;
  if (!stopsEarly) return walk.costs;
  for (const { found, costs } of walk.stages) if (counter.stopWalk(head, found[scheme.unit]) === YES) return costs;
  return walk.costs;
}

/** Asks without charging. */
function silently<Result>({ meter }: StudiedScheme, ask: () => Result): Result {
  const before = meter.totals.slice();
  const result = ask();
  meter.totals.set(before);
  return result;
}
