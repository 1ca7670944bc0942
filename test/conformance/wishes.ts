/**
 * Wishes: what may happen next to a machine's mappings, as a handful of numbers that any state can make something of.
 *
 * A wish names a slot, a VMA and some sizes; what it comes to depends on what is mapped when its turn comes. A range is
 * cut to the first run of pages that can be mapped (or unmapped), a fork needs a child that maps nothing of the folio; a
 * wish that cannot be met comes to nothing. So every part of a history that is left out leaves a legal history: witnesses
 * are shrunk by leaving wishes out.
 */
import { HPAGE_PMD_NR, HPAGE_PMD_ORDER, HPAGE_PUD_ORDER, LEVEL_PMD, LEVEL_PUD } from "../../src/kernel/index.ts";
import { askRmap } from "../../src/schemes/index.ts";
import { type Listener, type MappingMachine } from "./mapping-machine.ts";
import { MMS, VMAS, VMAS_OF_MM, mmOf } from "./table-shape.ts";

export const WISH_KINDS = [
  "map",
  "unmap",
  "mapLeaf",
  "unmapLeaf",
  "splitLeaf",
  "fork",
  "exit",
  "move",
  "get",
  "put",
  "pin",
  "unpin",
  "cache",
  "recreate",
  "walk",
] as const;
export type WishKind = (typeof WISH_KINDS)[number];

/** Something to be tried. */
export interface Wish {
  readonly kind: WishKind;
  readonly slot: number;
  readonly vma: number;
  readonly other: number;
  readonly from: number;
  readonly length: number;
}

/** Tries a wish. */
export function grant(machine: MappingMachine, listeners: readonly Listener[], wish: Wish): void {
  const slot = wish.slot % machine.slots.length;
  const vma = wish.vma % VMAS;
  switch (wish.kind) {
    case "map":
      return map(machine, slot, vma, wish);
    case "unmap":
      return unmap(machine, slot, vma, wish);
    case "mapLeaf":
      return mapLeaf(machine, slot, vma, wish);
    case "unmapLeaf":
      return takeLeaf(machine, slot, vma, { from: wish.from, isSplit: false });
    case "splitLeaf":
      return takeLeaf(machine, slot, vma, { from: wish.from, isSplit: machine.isHugetlb[slot] === 0 });
    case "fork":
      return fork(machine, slot, mmOf(vma), wish.other % MMS);
    case "exit":
      return exit(machine, slot, mmOf(vma));
    case "move":
      return move(machine, slot, vma, wish);
    case "recreate":
      return recreate(machine, slot, wish);
    case "walk":
      return walk(machine, slot, listeners);
    default:
      return refer(machine, slot, wish.kind);
  }
}

/** An empty VMA gets a place for the folio: aligned, straddling two tables in the middle or at its first page. */
function place(machine: MappingMachine, slot: number, vma: number, choice: number): void {
  if (machine.entriesOfVmas[slot * VMAS + vma] > 0) return;
  const pages = machine.nrPages(slot);
  const straddling = HPAGE_PMD_NR - Math.floor(Math.min(pages, HPAGE_PMD_NR) / 2);
  machine.starts[slot * VMAS + vma] = [0, straddling, 3 * HPAGE_PMD_NR, HPAGE_PMD_NR - 1][choice % 4];
}

/** One batch at most: the first run of pages in the wished range of which all are such, within one page table. */
function firstRun(
  machine: MappingMachine,
  slot: number,
  { from, length, vmas }: { from: number; length: number; vmas: readonly number[] },
  isSuch: (page: number) => boolean,
): readonly [first: number, n: number] {
  const pages = machine.nrPages(slot);
  const wished = length % 4 === 0 ? pages : 1 + ((length >> 2) % Math.min(pages, 8));
  let first = isWhole(length) ? 0 : from % pages;
  const end = Math.min(pages, first + wished);
  while (first < end && !isSuch(first)) first++;
  let behind = first;
  while (behind < end && isSuch(behind) && isOneTable(machine, slot, vmas, first, behind)) behind++;
  return [first, behind - first];
}

function isOneTable(machine: MappingMachine, slot: number, vmas: readonly number[], a: number, b: number): boolean {
  for (const vma of vmas) if (machine.tableOf(slot, vma, a, 0) !== machine.tableOf(slot, vma, b, 0)) return false;
  return true;
}

/** A wish for a whole folio is met in as many batches as it takes: mapping it all, or munmap of all of it. */
function map(machine: MappingMachine, slot: number, vma: number, { other, from, length }: Wish): void {
  if (machine.isHugetlb[slot] === 1) return;
  place(machine, slot, vma, other);
  const isFree = (page: number): boolean => machine.isFree(slot, vma, page);
  for (;;) {
    const [first, n] = firstRun(machine, slot, { from, length, vmas: [vma] }, isFree);
    if (n === 0) return;
    machine.addPtes(slot, vma, first, n);
    if (!isWhole(length)) return;
  }
}

function unmap(machine: MappingMachine, slot: number, vma: number, { from, length }: Wish): void {
  const hasPte = (page: number): boolean => machine.hasPte(slot, vma, page);
  for (;;) {
    const [first, n] = firstRun(machine, slot, { from, length, vmas: [vma] }, hasPte);
    if (n === 0) return;
    machine.removePtes(slot, vma, first, n);
    if (!isWhole(length)) return;
  }
}

function isWhole(length: number): boolean {
  return length % 8 === 0;
}

function mapLeaf(machine: MappingMachine, slot: number, vma: number, { from, length }: Wish): void {
  const order = machine.orderOf(slot);
  if (!machine.slots[slot].leaves || order < HPAGE_PMD_ORDER) return;
  const isEmpty = machine.entriesOfVmas[slot * VMAS + vma] === 0;
  if (isEmpty) machine.starts[slot * VMAS + vma] = 0;
  if (machine.starts[slot * VMAS + vma] % HPAGE_PMD_NR !== 0 || machine.hasPud(slot, vma)) return;
  const isPud = machine.isHugetlb[slot] === 1 || length % 2 === 0;
  if (order === HPAGE_PUD_ORDER && isPud) {
    if (isEmpty) machine.addLeaf(slot, vma, 0, LEVEL_PUD);
    return;
  }
  const first = (from % 2 ** (order - HPAGE_PMD_ORDER)) * HPAGE_PMD_NR;
  for (let page = first; page < first + HPAGE_PMD_NR; page++) if (!machine.isFree(slot, vma, page)) return;
  machine.addLeaf(slot, vma, first, LEVEL_PMD);
}

/** A PMD or PUD entry goes; a split puts its PTEs in place before, as the kernel does. */
function takeLeaf(
  machine: MappingMachine,
  slot: number,
  vma: number,
  { from, isSplit }: { readonly from: number; readonly isSplit: boolean },
): void {
  const parts = Math.max(1, machine.nrPages(slot) / HPAGE_PMD_NR);
  const part = from % parts;
  const isPud = machine.hasPud(slot, vma);
  if (!isPud && !machine.hasPmd(slot, vma, part)) return;
  if (isSplit) {
    const [first, end] = isPud ? [0, parts] : [part, part + 1];
    for (let each = first; each < end; each++) machine.addPtes(slot, vma, each * HPAGE_PMD_NR, HPAGE_PMD_NR);
  }
  machine.removeLeaf(slot, vma, isPud ? 0 : part * HPAGE_PMD_NR, isPud ? LEVEL_PUD : LEVEL_PMD);
}

/** Calls with every entry of a VMA, PTEs in runs that lie in one table of each of `vmas`. */
function forEachBatch(
  machine: MappingMachine,
  slot: number,
  { vma, vmas, fromPage }: { vma: number; vmas: readonly number[]; fromPage: number },
  visitPtes: (first: number, n: number) => void,
  visitLeaf: (first: number, level: 1 | 2) => void,
): void {
  const pages = machine.nrPages(slot);
  if (machine.hasPud(slot, vma)) {
    if (fromPage === 0) visitLeaf(0, LEVEL_PUD);
    return;
  }
  for (let page = fromPage; page < pages; page++) {
    if (page % HPAGE_PMD_NR === 0 && machine.hasPmd(slot, vma, page >> HPAGE_PMD_ORDER)) visitLeaf(page, LEVEL_PMD);
    if (!machine.hasPte(slot, vma, page)) continue;
    let behind = page + 1;
    while (
      behind < pages &&
      behind % HPAGE_PMD_NR !== 0 &&
      machine.hasPte(slot, vma, behind) &&
      isOneTable(machine, slot, vmas, page, behind)
    ) {
      behind++;
    }
    visitPtes(page, behind - page);
    page = behind - 1;
  }
}

/** The child maps what the parent maps, each VMA at the same place. */
function fork(machine: MappingMachine, slot: number, parent: number, child: number): void {
  if (parent === child || machine.entriesOfMm[slot * MMS + child] > 0) return;
  for (let view = 0; view < VMAS_OF_MM; view++) {
    const vma = parent * VMAS_OF_MM + view;
    const copy = child * VMAS_OF_MM + view;
    if (machine.entriesOfVmas[slot * VMAS + vma] === 0) continue;
    machine.starts[slot * VMAS + copy] = machine.starts[slot * VMAS + vma];
    forEachBatch(
      machine,
      slot,
      { vma, vmas: [vma], fromPage: 0 },
      (first, n) => machine.addPtes(slot, copy, first, n, true),
      (first, level) => machine.addLeaf(slot, copy, first, level, true),
    );
  }
}

function exit(machine: MappingMachine, slot: number, mm: number): void {
  if (machine.entriesOfMm[slot * MMS + mm] === 0) return;
  for (let vma = mm * VMAS_OF_MM; vma < (mm + 1) * VMAS_OF_MM; vma++) {
    if (machine.entriesOfVmas[slot * VMAS + vma] === 0) continue;
    forEachBatch(
      machine,
      slot,
      { vma, vmas: [vma], fromPage: 0 },
      (first, n) => machine.removePtes(slot, vma, first, n),
      (first, level) => machine.removeLeaf(slot, vma, first, level),
    );
  }
}

/**
 * Entries go from one VMA of an mm to another: a VMA split or merge (same place, so same tables) or mremap (another place).
 */
function move(machine: MappingMachine, slot: number, vma: number, { other, from, length }: Wish): void {
  const to = mmOf(vma) * VMAS_OF_MM + (other % VMAS_OF_MM);
  if (to === vma || machine.entriesOfVmas[slot * VMAS + vma] === 0) return;
  const start = machine.starts[slot * VMAS + vma];
  const isMremap = length % 2 === 1 && !hasLeaf(machine, slot, vma);
  if (machine.entriesOfVmas[slot * VMAS + to] === 0) {
    if (isMremap) place(machine, slot, to, length >> 1);
    else machine.starts[slot * VMAS + to] = start;
  }
  if (machine.starts[slot * VMAS + to] !== start && !isMremap) return;
  const isAll = isMremap || length % 4 === 0;
  forEachBatch(
    machine,
    slot,
    { vma, vmas: [vma, to], fromPage: isAll ? 0 : from % machine.nrPages(slot) },
    (first, n) => {
      for (let page = first; page < first + n; page++) if (!machine.isFree(slot, to, page)) return;
      machine.movePtes(slot, vma, to, first, n);
    },
    (first, level) => {
      const isEmpty = machine.entriesOfVmas[slot * VMAS + to] === 0;
      for (let page = first; page < first + HPAGE_PMD_NR; page++) if (!machine.isFree(slot, to, page)) return;
      if (level === LEVEL_PMD || isEmpty) machine.moveLeaf(slot, vma, to, first, level);
    },
  );
}

function hasLeaf(machine: MappingMachine, slot: number, vma: number): boolean {
  if (machine.hasPud(slot, vma)) return true;
  const parts = machine.nrPages(slot) / HPAGE_PMD_NR;
  for (let part = 0; part < parts; part++) if (machine.hasPmd(slot, vma, part)) return true;
  return false;
}

function refer(machine: MappingMachine, slot: number, kind: WishKind): void {
  if (kind === "get") machine.gets[slot] += 1;
  else if (kind === "put") machine.gets[slot] = Math.max(0, machine.gets[slot] - 1);
  else if (kind === "pin") machine.pinCounts[slot] += 1;
  else if (kind === "unpin") machine.pinCounts[slot] = Math.max(0, machine.pinCounts[slot] - 1);
  else machine.isCached[slot] = 1 - machine.isCached[slot];
}

/** An unmapped folio is freed; the next in its place may be smaller, or hugetlb. */
function recreate(machine: MappingMachine, slot: number, { from, length }: Wish): void {
  if (machine.entries[slot] > 0) return;
  const { order: largest, leaves } = machine.slots[slot];
  const order = length % 4 === 0 ? largest : from % (largest + 1);
  const isLeaf = order === HPAGE_PMD_ORDER || order === HPAGE_PUD_ORDER;
  machine.recreate(slot, order, isLeaf && leaves && length % 3 === 0);
}

/** A full walk of the reverse map, from which those learn who have lost count. */
function walk(machine: MappingMachine, slot: number, listeners: readonly Listener[]): void {
  const folio = machine.heads[slot];
  const findings = askRmap(folio, { pageTables: machine });
  for (const { scheme, counter } of listeners) if (machine.canCount(slot, scheme)) counter.learn?.(folio, findings);
  machine.afterEvent(slot);
}
