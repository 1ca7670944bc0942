/**
 * The entry machine: folios, address spaces and page-table entries that come and go as they are told to, while schemes
 * count. It decides nothing.
 *
 * The model runs the kernel's operations; this machine has only what they leave behind. So it can start from a captured
 * machine, whose history nobody knows, and it has folios larger than the model's: of 1 GiB, mapped by PUDs, PMDs and PTEs
 * at will. Every change is told to the counters in the kernel's batches and order (kernel-facts 2.9-2.11): an add before
 * its entries are visible, a remove after they are gone, a dup for the child of a fork; a split adds before it removes.
 * Pages are virtual page numbers; a folio is its head frame, an address space and a VMA small numbers.
 */
import { type Answers, type DecisionListener, TruthAnswers } from "../decisions/index.ts";
import {
  HPAGE_PMD_NR,
  HPAGE_PUD_NR,
  LEVEL_PMD,
  LEVEL_PTE,
  LEVEL_PUD,
  type Level,
  type WorkName,
} from "../kernel/index.ts";
import { ANON, FILE, type FrameKind, HUGETLB_ANON, HUGETLB_FILE, KSM, SHMEM } from "../memory/index.ts";
import { Meter, type PageTableView, type ReferenceView, type Scheme } from "../schemes/index.ts";
import { type EntryVma, firstRunBehind } from "./entry-machine-spaces.ts";
import { EntryState, type Stretch } from "./entry-machine-state.ts";
import type { StudiedMachine, StudiedScheme } from "./studied-history.ts";

/** What machine a history needs. */
export interface EntryMachineShape {
  /** Frames; each costs every scheme its state per page. Default: 4 GiB. */
  readonly frameCount?: number;
  /**
   * "any-part": PMD entries may map parts of folios above PMD size. Schemes that can count only entries of whole folios
   * (`Scheme.leafEntries`) are then left out and named in `excluded`. Default: "whole-folio".
   */
  readonly leafEntries?: "whole-folio" | "any-part";
}

export interface EntryMachineOptions extends EntryMachineShape {
  readonly schemes: readonly Scheme[];
  /** For schemes with secret or random numbers. */
  readonly seed?: number;
}

const DEFAULT_FRAMES = 2 ** 20;

/** A machine of entries. Errors that begin with "invariant" are the caller's: a page mapped twice, a VMA that is not there. */
export class EntryMachine implements StudiedMachine {
  readonly studied: readonly StudiedScheme[];
  /** Schemes that cannot count the entries that this machine may have. */
  readonly excluded: readonly Scheme[];
  readonly truth: Answers;
  readonly pageTables: PageTableView;
  readonly references: ReferenceView;
  readonly work: Readonly<Record<WorkName, number>>;
  private readonly state: EntryState;
  private readonly leafEntries: "whole-folio" | "any-part";

  constructor({ schemes, frameCount = DEFAULT_FRAMES, leafEntries = "whole-folio", seed = 1 }: EntryMachineOptions) {
    const state = new EntryState(frameCount);
    this.state = state;
    this.leafEntries = leafEntries;
    this.pageTables = state.view;
    this.references = state.folios;
    this.work = state.work;
    const isKsm = (folio: number): boolean => state.folios.kindOf(folio) === KSM;
    const { orders } = state.folios;
    const context = { frameCount, orders, pageTables: state.view, references: state.folios, isKsm, seed };
    const canCount = (scheme: Scheme): boolean => leafEntries === "whole-folio" || scheme.leafEntries === "any-part";
    this.studied = schemes.filter(canCount).map((scheme) => {
      const meter = new Meter();
      return { scheme, meter, counter: scheme.createCounter({ ...context, meter }) };
    });
    this.excluded = schemes.filter((scheme) => !canCount(scheme));
    state.counters = this.studied.map(({ counter }) => counter);
    this.truth = new TruthAnswers(state.view, state.folios, (folio) => state.folios.orders[folio]);
  }

  /** Batches of entries told to the counters so far. */
  get events(): number {
    return this.state.events;
  }

  /** Address spaces now. */
  get mmCount(): number {
    return this.state.spaces.mmCount;
  }

  /** Ids of the address spaces, ascending. */
  mmIds(): number[] {
    return this.state.spaces.mmIds();
  }

  createMm(): number {
    return this.state.spaces.createMm();
  }

  /** A VMA of `pageCount` pages. `isCopiedAtFork`: fork copies its entries (kernel-facts 2.10); default true. */
  createVma(mm: number, startPage: number, pageCount: number, isCopiedAtFork = true): number {
    return this.state.spaces.createVma(mm, startPage, startPage + pageCount, isCopiedAtFork).id;
  }

  /** Ids of an address space's VMAs, ascending by address. */
  vmasOf(mm: number): number[] {
    return this.state.spaces.vmasOf(mm).map(({ id }) => id);
  }

  /** Where a VMA lies. */
  vmaOf(vma: number): Readonly<Pick<EntryVma, "mm" | "startPage" | "endPage" | "isCopiedAtFork">> {
    return this.state.spaces.vmaOf(vma);
  }

  /** A new folio, at `head` or where there is room, of order 0 to 18; nothing maps it. Throws RangeError without room. */
  createFolio(order: number, kind: FrameKind, head?: number): number {
    const { state } = this;
    const at = state.folios.take(order, kind, head);
    const isHugetlb = kind === HUGETLB_FILE || kind === HUGETLB_ANON;
    for (const counter of state.counters) counter.created?.(at, order, isHugetlb);
    state.work["page-allocated"] += 1;
    return at;
  }

  /**
   * Maps pages [first, first + pageCount) of a folio from virtual page `page` on, by entries of one level. PMD and PUD
   * entries are aligned on both sides. The pages are free.
   */
  map(folio: number, first: number, pageCount: number, level: Level, vma: number, page: number): void {
    if (first + pageCount > 2 ** this.orderOf(folio)) throw new Error(`invariant: folio ${folio} has the pages mapped`);
    const stretch: Stretch = { page, frame: folio + first, pages: pageCount, step: 1 };
    if (level === LEVEL_PMD || level === LEVEL_PUD) this.mapLeaves(stretch, level, vma);
    else this.mapStretch(stretch, vma);
  }

  /** Maps consecutive pages by PTEs, whatever folios their frames belong to. */
  mapStretch(stretch: Stretch, vma: number): void {
    const at = this.state.spaces.vmaOf(vma);
    this.state.addPtes(at, stretch, this.findFree(at, stretch), false);
  }

  private mapLeaves({ page, frame, pages }: Stretch, level: Level, vma: number): void {
    const size = level === LEVEL_PUD ? HPAGE_PUD_NR : HPAGE_PMD_NR;
    if (page % size !== 0 || frame % size !== 0 || pages % size !== 0) {
      throw new Error(`invariant: an entry of ${size} pages is aligned, and page ${page}, frame ${frame} are not`);
    }
    const order = this.orderOf(frame);
    if (this.leafEntries === "whole-folio" && 2 ** order !== size) {
      throw new Error(`invariant: a machine of whole folios maps one of order ${order} by entries of ${size} pages`);
    }
    const at = this.state.spaces.vmaOf(vma);
    const index = this.findFree(at, { page, frame, pages, step: 1 });
    for (let done = 0; done < pages; done += size) {
      const stretch: Stretch = { page: page + done, frame: frame + done, pages: size, step: 1 };
      this.state.addLeaf(at, stretch, level, index + done / size, false);
    }
  }

  /** Removes the entries of [page, page + pageCount) of a VMA, as MADV_DONTNEED does; the VMA stays. */
  unmap(vma: number, page: number, pageCount: number): void {
    const at = this.state.spaces.vmaOf(vma);
    this.cutAt(at, page);
    this.cutAt(at, page + pageCount);
    const { runs } = this.state;
    this.state.remove(at, firstRunBehind(at, runs, page), firstRunBehind(at, runs, page + pageCount));
  }

  /** munmap: VMAs are split at both ends, what lies between is unmapped and gone (kernel-facts 2.11). */
  munmap(mm: number, page: number, pageCount: number): void {
    const { spaces } = this.state;
    for (const vma of spaces.overlapping(mm, page, page + pageCount)) {
      if (vma.endPage > page + pageCount) this.splitVma(vma.id, page + pageCount);
      const gone = vma.startPage < page ? spaces.vmaOf(this.splitVma(vma.id, page)) : vma;
      this.state.remove(gone, 0, gone.runs.length);
      spaces.deleteVma(gone);
    }
  }

  /** fork: a new address space with the same VMAs; entries are copied where the VMA says so. Returns it. */
  forkMm(parent: number): number {
    const { spaces, runs } = this.state;
    const child = spaces.createMm();
    for (const vma of spaces.vmasOf(parent)) {
      const copy = spaces.createVma(child, vma.startPage, vma.endPage, vma.isCopiedAtFork);
      if (!vma.isCopiedAtFork) continue;
      for (const run of vma.runs) {
        const stretch = this.state.stretchOf(run);
        const level = runs.levelOf(run);
        if (level === LEVEL_PTE) this.state.addPtes(copy, stretch, copy.runs.length, true);
        else this.state.addLeaf(copy, stretch, level, copy.runs.length, true);
      }
    }
    return child;
  }

  /** exit: everything is unmapped, in the order of addresses, and the address space is gone. */
  exitMm(mm: number): void {
    const { spaces } = this.state;
    for (const id of this.vmasOf(mm)) {
      const vma = spaces.vmaOf(id);
      this.state.remove(vma, 0, vma.runs.length);
      spaces.deleteVma(vma);
    }
    spaces.deleteMm(mm);
  }

  /** The PUD entry over this page becomes 512 PMD entries: they are added first, then it goes. */
  splitPud(vma: number, page: number): void {
    if (this.leafEntries === "whole-folio") {
      throw new Error("invariant: a machine whose entries map whole folios splits no PUD entry");
    }
    const at = this.state.spaces.vmaOf(vma);
    const index = this.findLeaf(at, page, LEVEL_PUD);
    const [pud] = at.runs.splice(index, 1);
    const { page: start, frame } = this.state.stretchOf(pud);
    for (let done = 0; done < HPAGE_PUD_NR; done += HPAGE_PMD_NR) {
      const stretch: Stretch = { page: start + done, frame: frame + done, pages: HPAGE_PMD_NR, step: 1 };
      this.state.addLeaf(at, stretch, LEVEL_PMD, index + done / HPAGE_PMD_NR, false);
    }
    this.state.removeRun(at, pud);
  }

  /** The PMD entry over this page becomes 512 PTEs: they are added in one batch, then it goes (kernel-facts 2.9). */
  splitPmd(vma: number, page: number): void {
    const at = this.state.spaces.vmaOf(vma);
    const index = this.findLeaf(at, page, LEVEL_PMD);
    const [pmd] = at.runs.splice(index, 1);
    this.state.addPtes(at, this.state.stretchOf(pmd), index, false);
    this.state.removeRun(at, pmd);
    this.state.work["pmd-split"] += 1;
  }

  /** Splits a VMA before this page; the part behind becomes a VMA of its own, whose id is returned. */
  splitVma(vma: number, page: number): number {
    const { spaces, runs } = this.state;
    const below = spaces.vmaOf(vma);
    if (page <= below.startPage || page >= below.endPage) throw new Error(`invariant: VMA ${vma} is split inside`);
    this.cutAt(below, page);
    const end = below.endPage;
    below.endPage = page;
    const above = spaces.createVma(below.mm, page, end, below.isCopiedAtFork);
    const moved = below.runs.splice(firstRunBehind(below, runs, page));
    for (const run of moved) above.runs.push(...this.state.move(run, below, above, 0));
    return above.id;
  }

  /** mremap: the VMA's entries move to a new VMA that starts at `startPage`, whose id is returned. */
  moveVma(vma: number, startPage: number): number {
    const { spaces } = this.state;
    const from = spaces.vmaOf(vma);
    const distance = startPage - from.startPage;
    this.splitLeavesNotAligned(from, distance);
    const to = spaces.createVma(from.mm, startPage, from.endPage + distance, from.isCopiedAtFork);
    const moved = from.runs.splice(0);
    for (const run of moved) to.runs.push(...this.state.move(run, from, to, distance));
    spaces.deleteVma(from);
    return to.id;
  }

  /** Write fault on a page that others map, too: this VMA gets a copy of its own (kernel-facts 2.9). Returns the copy. */
  copyOnWrite(vma: number, page: number): number {
    const { state } = this;
    const at = state.spaces.vmaOf(vma);
    this.cutAt(at, page);
    this.cutAt(at, page + 1);
    const index = firstRunBehind(at, state.runs, page);
    const run = at.runs[index];
    const isMapped = run !== undefined && state.runs.page[run] === page;
    const copy = this.createFolio(0, ANON);
    const [old] = isMapped ? at.runs.splice(index, 1) : [];
    state.addPtes(at, { page, frame: copy, pages: 1, step: 1 }, index, false);
    if (old !== undefined) state.removeRun(at, old);
    state.work["fault"] += 1;
    state.work["page-copied"] += 1;
    return copy;
  }

  /** Runs of a VMA that reach into [page, page + pageCount), in order, whole. */
  *runsIn(vma: number, page: number, pageCount: number): Generator<Stretch & { readonly level: Level }> {
    const { spaces, runs } = this.state;
    const at = spaces.vmaOf(vma);
    for (let index = firstRunBehind(at, runs, page); index < at.runs.length; index++) {
      const run = at.runs[index];
      if (runs.page[run] >= page + pageCount) return;
      yield { ...this.state.stretchOf(run), level: runs.levelOf(run) };
    }
  }

  /** Puts a folio into the page cache (or swap cache), or takes it out; a folio that nobody refers to is freed. */
  setCached(folio: number, isCached: boolean): void {
    this.state.folios.setCached(folio, isCached);
    if (!isCached) this.state.freeIfUnused(folio);
  }

  /** Takes (or drops, if negative) plain references and pins; a folio that nobody refers to any more is freed. */
  hold(folio: number, change: { readonly gets?: number; readonly pins?: number }): void {
    this.state.folios.hold(folio, change.gets ?? 0, change.pins ?? 0);
    this.state.freeIfUnused(folio);
  }

  orderOf(folio: number): number {
    return this.state.folios.orders[folio];
  }

  kindOf(folio: number): FrameKind {
    return this.state.folios.kindOf(folio);
  }

  /** The folio that a frame belongs to. */
  headOf(frame: number): number {
    return this.state.folios.headOf(frame);
  }

  /** Entries that map any part of the folio. */
  entriesOf(folio: number): number {
    return this.state.folios.entries[folio];
  }

  mappedFolios(): number[] {
    const { entries, framesUsed } = this.state.folios;
    const heads: number[] = [];
    for (let head = 0; head < framesUsed; head++) if (entries[head] > 0) heads.push(head);
    return heads;
  }

  takeTouched(): number[] {
    return this.state.takeTouched();
  }

  takeUnmapped(): number[] {
    return this.state.takeUnmapped();
  }

  /** Nothing here decides: whoever listens hears nothing. */
  listenToDecisions(_listener: DecisionListener | undefined): void {}

  /** Index among the VMA's runs where a free stretch belongs. */
  private findFree(vma: EntryVma, { page, pages }: Stretch): number {
    const { runs } = this.state;
    if (page < vma.startPage || page + pages > vma.endPage) {
      throw new Error(`invariant: pages ${page} to ${page + pages} lie in VMA ${vma.id}`);
    }
    const index = firstRunBehind(vma, runs, page);
    if (index < vma.runs.length && runs.page[vma.runs[index]] < page + pages) {
      throw new Error(`invariant: pages ${page} to ${page + pages} of VMA ${vma.id} are free`);
    }
    return index;
  }

  private findLeaf(vma: EntryVma, page: number, level: Level): number {
    const { runs } = this.state;
    const index = firstRunBehind(vma, runs, page);
    const run = vma.runs[index];
    if (run === undefined || runs.page[run] > page || runs.levelOf(run) !== level) {
      throw new Error(`invariant: VMA ${vma.id} has an entry of level ${level} at page ${page}`);
    }
    return index;
  }

  /** Makes `page` a boundary between runs: PTEs are cut; of a huge entry see below. */
  private cutAt(vma: EntryVma, page: number): void {
    const { runs } = this.state;
    for (;;) {
      const index = firstRunBehind(vma, runs, page);
      const run = vma.runs[index];
      if (run === undefined || runs.page[run] >= page) return;
      if (runs.levelOf(run) !== LEVEL_PTE) this.splitLeaf(vma, index);
      else vma.runs.splice(index + 1, 0, runs.cut(run, page - runs.page[run]));
    }
  }

  /** A huge entry that cannot stay: anonymous memory is mapped by smaller ones, a file's faults in again (kernel-facts 2.8). */
  private splitLeaf(vma: EntryVma, index: number): void {
    const run = vma.runs[index];
    const { page, frame } = this.state.stretchOf(run);
    const kind = this.kindOf(frame);
    if (kind === HUGETLB_ANON || kind === HUGETLB_FILE) throw new Error("invariant: hugetlb entries stay whole");
    if (kind === FILE || kind === SHMEM) this.state.remove(vma, index, index + 1);
    else if (this.state.runs.levelOf(run) === LEVEL_PUD) this.splitPud(vma.id, page);
    else this.splitPmd(vma.id, page);
  }

  private splitLeavesNotAligned(vma: EntryVma, distance: number): void {
    const { runs } = this.state;
    for (let index = 0; index < vma.runs.length;) {
      const run = vma.runs[index];
      if (runs.levelOf(run) === LEVEL_PTE || distance % runs.pages[run] === 0) index++;
      else this.splitLeaf(vma, index);
    }
  }
}
