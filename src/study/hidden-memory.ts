/**
 * Partially mapped anonymous folios that a scheme does not see: how many, how much unmapped memory they hold, how long.
 *
 * A scheme that answers NO or UNKNOWN to `partial` does not put the folio on the deferred split queue (kernel-facts 2.7),
 * so its unmapped pages stay allocated until somebody looks. Once it has said YES the folio is on the queue, and what it
 * says later changes nothing: PG_partially_mapped stays until the folio is split or freed. Whether a folio is hidden changes
 * only with its entries: looked at are the folios that a step touched, and forgotten those that are mapped no longer.
 * Invariant: between two steps `folios` of a scheme holds exactly the folios that are hidden from it.
 */
import { PAGE_SIZE_BYTES } from "../kernel/index.ts";
import { ANON } from "../memory/index.ts";
import { YES } from "../schemes/index.ts";
import type { StudiedMachine } from "../scenario/index.ts";
import type { HiddenMemory } from "./comparison.ts";
import type { FolioTruth } from "./question-truth.ts";

interface HiddenFolio {
  readonly sinceStep: number;
  bytes: number;
}

interface HiddenFromScheme {
  readonly folios: Map<number, HiddenFolio>;
  /** Orders of the folios that the scheme has seen to be partially mapped, by head: they are queued. */
  readonly queued: Map<number, number>;
  bytes: number;
  foliosMax: number;
  bytesMax: number;
  stepsMax: number;
}

export class HiddenMemoryTally {
  private readonly machine: StudiedMachine;
  private readonly schemes: readonly HiddenFromScheme[];
  /** How many schemes a folio is hidden from. */
  private readonly hiddenCount = new Map<number, number>();

  constructor(machine: StudiedMachine) {
    this.machine = machine;
    this.schemes = machine.studied.map(() => ({
      folios: new Map<number, HiddenFolio>(),
      queued: new Map<number, number>(),
      bytes: 0,
      foliosMax: 0,
      bytesMax: 0,
      stepsMax: 0,
    }));
  }

  /** True of a folio that is to be looked at after its entries changed: large, anonymous, and partially mapped now or before. */
  concerns(head: number): boolean {
    if (this.hiddenCount.has(head)) return true;
    const { machine } = this;
    return machine.orderOf(head) > 0 && machine.kindOf(head) === ANON && machine.truth.partial(head) === YES;
  }

  /** Looks at a folio after step number `step` (from 1). The questions that this asks are the study's own. */
  look(truth: FolioTruth, step: number): void {
    const isPartial = truth.order > 0 && truth.kind === ANON && truth.isPartial;
    const bytes = (truth.nrPages - truth.pagesMapped) * PAGE_SIZE_BYTES;
    for (const [row, { counter }] of this.machine.studied.entries()) {
      if (isPartial && counter.partial(truth.head) === YES) this.schemes[row].queued.set(truth.head, truth.order);
      if (isPartial && !this.isQueued(row, truth)) this.hide(row, truth.head, bytes, step);
      else this.show(row, truth.head, step);
    }
  }

  /** Has this scheme seen at the end of some step that the folio is partially mapped? One of another order is another folio. */
  isQueued(row: number, { head, order }: { readonly head: number; readonly order: number }): boolean {
    return this.schemes[row].queued.get(head) === order;
  }

  /** A folio is mapped no longer. */
  forget(head: number, step: number): void {
    for (const { queued } of this.schemes) queued.delete(head);
    if (!this.hiddenCount.has(head)) return;
    for (let row = 0; row < this.schemes.length; row++) this.show(row, head, step);
  }

  /** Call after all folios of a step were looked at. */
  endStep(): void {
    for (const scheme of this.schemes) {
      scheme.foliosMax = Math.max(scheme.foliosMax, scheme.folios.size);
      scheme.bytesMax = Math.max(scheme.bytesMax, scheme.bytes);
    }
  }

  private hide(row: number, head: number, bytes: number, step: number): void {
    const scheme = this.schemes[row];
    const hidden = scheme.folios.get(head);
    scheme.bytes += bytes - (hidden?.bytes ?? 0);
    if (hidden !== undefined) {
      hidden.bytes = bytes;
      return;
    }
    scheme.folios.set(head, { sinceStep: step, bytes });
    this.hiddenCount.set(head, (this.hiddenCount.get(head) ?? 0) + 1);
  }

  private show(row: number, head: number, step: number): void {
    const scheme = this.schemes[row];
    const hidden = scheme.folios.get(head);
    if (hidden === undefined) return;
    scheme.folios.delete(head);
    scheme.bytes -= hidden.bytes;
    scheme.stepsMax = Math.max(scheme.stepsMax, step - hidden.sinceStep);
    const left = (this.hiddenCount.get(head) ?? 0) - 1;
    if (left > 0) this.hiddenCount.set(head, left);
    else this.hiddenCount.delete(head);
  }

  /** One a scheme; `steps`: how many steps the history had. */
  results(steps: number): HiddenMemory[] {
    return this.schemes.map(({ folios, foliosMax, bytesMax, stepsMax }) => {
      let longest = stepsMax;
      for (const { sinceStep } of folios.values()) longest = Math.max(longest, steps + 1 - sinceStep);
      return { foliosMax, bytesMax, stepsMax: longest, foliosAtEnd: folios.size };
    });
  }
}
