/**
 * What operations on a machine of the model did besides counting, added up by name.
 *
 * Pages, tables and faults the model tells of (`OperationWatch`). Entries are those that the mapping events name: fork
 * copies, an add sets, a remove clears; a run of 512 that fork copies at once is 512 entries, a PMD entry is one. A walk of
 * the reverse map is told before it happens, and studied under each scheme (walk-study.ts).
 */
import { type Level, WORK_NAMES, type WorkName, entriesOfBatch } from "../kernel/index.ts";
import type { OperationWatch, WalkPurpose } from "../memory/index.ts";

/** What happens to entries. */
export type EntryWork = Extract<WorkName, "entry-copied" | "entry-set" | "entry-cleared">;

export class WorkCount implements OperationWatch {
  /** Since the machine began. */
  readonly work: Record<WorkName, number>;
  private readonly study: (purpose: WalkPurpose, head: number) => void;

  /** `study`: studies a walk that is about to be made. */
  constructor(study: (purpose: WalkPurpose, head: number) => void) {
    this.study = study;
    this.work = Object.fromEntries(WORK_NAMES.map((name) => [name, 0])) as Record<WorkName, number>;
  }

  did(work: WorkName, times: number): void {
    this.work[work] += times;
  }

  /** A batch of entries came or went. */
  didEntries(work: EntryWork, pageCount: number, level: Level): void {
    this.work[work] += entriesOfBatch(pageCount, level);
  }

  willWalk(purpose: WalkPurpose, head: number): void {
    this.study(purpose, head);
  }
}
