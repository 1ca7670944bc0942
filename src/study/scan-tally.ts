/**
 * Scans: loops of the kernel that do little else than ask a count, page after page or folio after folio.
 *
 * Where a scheme cannot answer, such a loop walks a reverse map for each item, and this is where a scheme becomes
 * catastrophically slower if it does anywhere (the question of January 2022): reading smaps, setting NUMA hints, reclaim,
 * compaction. A history has no such loops of its own, so they are made up between its steps, over the folios just touched,
 * and priced as operations: an item costs what the loop takes for it, and what the question costs. A walk is charged as far as it
 * goes: one page's place in each VMA for a page, up to the first entry that decides for "mapped" and "others".
 */
import { type WalkCosts, entriesOfBatch, noWalkCosts } from "../kernel/index.ts";
import type { StudiedMachine, StudiedScheme } from "../scenario/index.ts";
import { type RmapVisitor, UNKNOWN, UNKNOWN_COUNT, chargeWalk } from "../schemes/index.ts";
import type { OperationTally } from "./operation-tally.ts";
import type { FolioTruth } from "./question-truth.ts";
import type { Sampler } from "./question-sample.ts";

/** A folio under the scans: the items drawn, and what a walk that decides each question looks at. */
interface ScannedFolio {
  readonly head: number;
  readonly page: number;
  readonly mm: number;
  readonly walkOfPage: WalkCosts;
  readonly walkToFirst: WalkCosts;
  readonly walkToOther: WalkCosts;
  readonly wholeWalk: WalkCosts;
}

interface Scan {
  readonly operation: string;
  /** Who loops like this. */
  readonly about: string;
  readonly knows: (scheme: StudiedScheme, folio: ScannedFolio) => boolean;
  readonly walk: (folio: ScannedFolio) => WalkCosts;
}

const SCANS: readonly Scan[] = [
  {
    operation: "scan pages",
    about: "a scan of pages for their mapcounts: smaps, pagemap, kpagecount",
    knows: ({ counter }, { head, page }) => counter.pageMapcount(head, page) !== UNKNOWN_COUNT,
    walk: ({ walkOfPage }) => walkOfPage,
  },
  {
    operation: "scan sharing",
    about: "a scan of entries for folios that others map, too: NUMA hinting, khugepaged, madvise",
    knows: ({ counter }, { head, mm }) => counter.others(head, mm) !== UNKNOWN,
    walk: ({ walkToOther }) => walkToOther,
  },
  {
    operation: "scan mapped",
    about: "a scan of folios for mapped ones: reclaim, idle tracking",
    knows: ({ counter }, { head }) => counter.mapped(head) !== UNKNOWN,
    walk: ({ walkToFirst }) => walkToFirst,
  },
  {
    operation: "scan references",
    about: "a scan of folios for references that no mapping explains: compaction, migration",
    knows: ({ counter }, { head }) => counter.extraReferences(head) !== UNKNOWN_COUNT,
    walk: ({ wholeWalk }) => wholeWalk,
  },
];

/** Is an operation of this name made up here? */
export function isScan(operation: string): boolean {
  return SCANS.some((scan) => scan.operation === operation);
}

/** The walk for one page of a folio: of each VMA one table, and one entry in it. */
function onePageOf(whole: WalkCosts): WalkCosts {
  const tables = Math.min(whole.tables, whole.vmas);
  const tableLocks = Math.min(whole.tableLocks, tables);
  return { ...whole, tables, tableLocks, entries: Math.min(whole.entries, tables) };
}

/** Makes the scans after a step and adds them to the operations. */
export class ScanTally {
  private readonly machine: StudiedMachine;
  private readonly operations: OperationTally;
  private readonly sampler: Sampler;
  private readonly picks: Int32Array;

  /** `scannedPerStep`: folios at most, drawn anew after every step. */
  constructor(machine: StudiedMachine, operations: OperationTally, sampler: Sampler, scannedPerStep: number) {
    this.picks = new Int32Array(scannedPerStep);
    this.machine = machine;
    this.operations = operations;
    this.sampler = sampler;
  }

  /** Scans a sample of the folios (heads). `truth` is filled anew. */
  scan(folios: readonly number[], truth: FolioTruth, line: number): void {
    const { machine, operations, sampler, picks } = this;
    const count = sampler.pick(folios.length, picks.length, picks);
    const scanned: ScannedFolio[] = [];
    for (let at = 0; at < count; at++) {
      truth.read(machine, folios[picks[at]]);
      if (truth.entries > 0) scanned.push(this.look(truth));
    }
    if (scanned.length === 0) return;
    for (const { operation, about, knows, walk } of SCANS) {
      operations.begin();
      for (const folio of scanned) {
        for (const scheme of machine.studied) {
          if (!knows(scheme, folio)) chargeWalk(scheme.meter, walk(folio));
        }
      }
      operations.end({ operation, text: about, line }, scanned.length);
    }
  }

  private look({ head, nrPages, mms, mmCount }: FolioTruth): ScannedFolio {
    const { sampler } = this;
    const mm = mms[sampler.below(mmCount)];
    const wholeWalk = this.walk(head, () => true);
    return {
      head,
      page: sampler.below(nrPages),
      mm,
      wholeWalk,
      walkOfPage: onePageOf(wholeWalk),
      walkToFirst: this.walk(head, () => false),
      walkToOther: this.walk(head, (found) => found === mm),
    };
  }

  private walk(head: number, goesOn: (mm: number) => boolean): WalkCosts {
    const costs = noWalkCosts();
    const vmas = new Set<number>();
    let entries = 0;
    const visit: RmapVisitor = (_first, pageCount, level, _table, vma, mm) => {
      vmas.add(vma);
      const isOn = goesOn(mm);
      entries += isOn ? entriesOfBatch(pageCount, level) : 1;
      return isOn;
    };
    this.machine.pageTables.walk(head, visit, costs);
    // A view that does not say what it looks at has at least looked at what it found.
    return costs.vmas > 0 ? costs : { ...costs, vmas: vmas.size, tables: vmas.size, tableLocks: vmas.size, entries };
  }
}
