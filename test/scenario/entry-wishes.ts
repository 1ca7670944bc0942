/**
 * Random histories of the entry machine: wishes, each turned into the nearest thing that is possible, on both machines.
 */
import * as fc from "fast-check";
import { HPAGE_PMD_NR, HPAGE_PMD_ORDER, LEVEL_PMD, LEVEL_PTE } from "../../src/kernel/index.ts";
import { ANON, FILE, type FrameKind, KSM } from "../../src/memory/index.ts";
import type { EntryMachine } from "../../src/scenario/index.ts";
import { MMS, VMAS } from "../conformance/table-shape.ts";
import type { SlowEntries, SlowVma } from "./slow-entries.ts";

const KINDS = [
  "folio",
  "vma",
  "map",
  "mapAll",
  "leaf",
  "stretch",
  "unmap",
  "munmap",
  "fork",
  "exit",
  "splitPmd",
  "splitVma",
  "moveVma",
  "cow",
  "hold",
  "cache",
] as const;

export interface EntryWish {
  readonly kind: (typeof KINDS)[number];
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

/** Pages of an address space that VMAs may lie in. */
const SPACE_PAGES = 4096;
const FOLIOS_MAX = 12;
export const FRAMES = 2 ** 14;

export function entryWishes(): fc.Arbitrary<EntryWish[]> {
  const weights: Partial<Record<EntryWish["kind"], number>> = {
    map: 6,
    mapAll: 5,
    fork: 4,
    leaf: 3,
    stretch: 4,
    unmap: 4,
    folio: 3,
    vma: 3,
  };
  const kind = fc.oneof(...KINDS.map((each) => ({ arbitrary: fc.constant(each), weight: weights[each] ?? 1 })));
  const number = fc.nat(2 ** 16);
  return fc.array(fc.record({ kind, a: number, b: number, c: number, d: number }), {
    minLength: 1,
    maxLength: 50,
    size: "max",
  });
}

/** Both machines, and the arguments of a wish. */
interface Both {
  readonly machine: EntryMachine;
  readonly slow: SlowEntries;
}

/** Does one wish to both machines, or nothing where it is impossible. */
export function grantEntryWish({ machine, slow }: Both, { kind, a, b, c, d }: EntryWish): void {
  const vma = slow.vmas.length === 0 ? undefined : slow.vmas[a % slow.vmas.length];
  if (kind === "folio") createFolio({ machine, slow }, a, b);
  else if (kind === "vma") createVma({ machine, slow }, { a, b, c, d });
  else if (kind === "hold" || kind === "cache") changeReferences({ machine, slow }, { a, b, c, kind });
  else if (kind === "fork") fork({ machine, slow }, a);
  else if (kind === "exit") exit({ machine, slow }, a);
  else if (vma === undefined) return;
  else if (kind === "map" || kind === "mapAll" || kind === "leaf") map({ machine, slow }, vma, { kind, b, c, d });
  else if (kind === "stretch") mapStretch({ machine, slow }, vma, b, c, d);
  else if (kind === "splitPmd") splitPmd({ machine, slow }, b);
  else if (kind === "splitVma") splitVma({ machine, slow }, vma, b);
  else if (kind === "moveVma") moveVma({ machine, slow }, vma, b);
  else if (kind === "cow") copyOnWrite({ machine, slow }, b);
  else unmap({ machine, slow }, vma, { isWhole: kind === "munmap", b, c });
  slow.freeUnused();
}

const ORDERS = [0, 0, 0, 1, 2, 4, 9, 9];

function createFolio({ machine, slow }: Both, a: number, b: number): void {
  if (slow.folios.length >= FOLIOS_MAX) return;
  const order = ORDERS[a % ORDERS.length];
  const kind: FrameKind = order === 0 && b % 5 === 0 ? KSM : b % 3 === 0 ? FILE : ANON;
  const head = machine.createFolio(order, kind);
  machine.hold(head, { gets: 1 });
  slow.folios.push({ head, order, kind, isCached: false, gets: 1, pins: 0 });
}

function createVma({ machine, slow }: Both, { a, b, c, d }: Omit<EntryWish, "kind">): void {
  if (slow.mms.length < MMS && (slow.mms.length === 0 || d % 4 === 0)) slow.mms.push(machine.createMm());
  const mm = slow.mms[a % slow.mms.length];
  const start = b % SPACE_PAGES;
  const end = Math.min(SPACE_PAGES, start + 1 + (c % 1500));
  if (slow.vmas.length >= VMAS || slow.hasVmaIn(mm, start, end)) return;
  const isCopied = d % 5 > 0;
  slow.vmas.push({ id: machine.createVma(mm, start, end - start, isCopied), mm, start, end, isCopied });
}

function map(
  { machine, slow }: Both,
  vma: SlowVma,
  { kind, b, c, d }: { kind: string; b: number; c: number; d: number },
): void {
  if (slow.folios.length === 0) return;
  const folio = slow.folios[b % slow.folios.length];
  const size = 2 ** folio.order;
  let page = vma.start + (c % (vma.end - vma.start));
  let first = kind === "map" ? d % size : 0;
  let pages = kind === "map" ? Math.min(size - first, 1 + (d % 7)) : size;
  if (kind === "leaf") {
    if (folio.order !== HPAGE_PMD_ORDER) return;
    page -= page % HPAGE_PMD_NR;
    first = 0;
  }
  if (kind === "leaf" && pages > vma.end - page) return;
  pages = Math.min(pages, vma.end - page);
  if (page < vma.start || !slow.isFree(vma.mm, page, pages)) return;
  // A folio lies in a VMA once; only a KSM page may be at many addresses.
  const own = slow.entriesOf(folio).filter((each) => each.vma === vma.id);
  const isElsewhere = own.some((each) => each.page - (each.frame - folio.head) !== page - first);
  const isThere = own.some(
    (each) => each.frame < folio.head + first + pages && each.frame + slow.pagesOf(each) > folio.head + first,
  );
  if (folio.kind !== KSM && (isElsewhere || isThere)) return;
  const level = kind === "leaf" ? LEVEL_PMD : LEVEL_PTE;
  machine.map(folio.head, first, pages, level, vma.id, page);
  slow.map(vma, page, folio.head + first, pages, level);
}

/** Small folios with consecutive frames, upwards or downwards: as many as there are and fit. */
function mapStretch({ machine, slow }: Both, vma: SlowVma, b: number, c: number, d: number): void {
  const small = slow.folios.filter(({ order }) => order === 0).map(({ head }) => head);
  if (small.length === 0) return;
  const step = d % 2 === 0 ? 1 : -1;
  const frame = small[b % small.length];
  const page = vma.start + (c % (vma.end - vma.start));
  const isElsewhere = (head: number): boolean =>
    slow.entries.some((each) => each.vma === vma.id && each.frame === head);
  let pages = 0;
  while (page + pages < vma.end && small.includes(frame + step * pages) && !isElsewhere(frame + step * pages)) pages++;
  if (pages === 0 || !slow.isFree(vma.mm, page, pages)) return;
  machine.mapStretch({ page, frame, pages, step }, vma.id);
  for (let i = 0; i < pages; i++) slow.map(vma, page + i, frame + step * i, 1);
}

function unmap(
  { machine, slow }: Both,
  vma: SlowVma,
  { isWhole, b, c }: { isWhole: boolean; b: number; c: number },
): void {
  const page = vma.start + (b % (vma.end - vma.start));
  const pages = 1 + (c % 700);
  if (!isWhole) {
    machine.unmap(vma.id, page, Math.min(pages, vma.end - page));
    slow.unmap(vma.mm, page, Math.min(pages, vma.end - page));
    return;
  }
  const inside = slow.vmas.filter((each) => each.mm === vma.mm && each.start < page && each.end > page + pages);
  if (slow.vmas.length + inside.length + 1 > VMAS) return;
  machine.munmap(vma.mm, page, pages);
  slow.unmap(vma.mm, page, pages);
  readVmas({ machine, slow });
}

/** What VMAs the machine has now, under which ids; entries are found in them by their pages. */
function readVmas({ machine, slow }: Both): void {
  slow.vmas = slow.mms.flatMap((mm) =>
    machine.vmasOf(mm).map((id) => {
      const { startPage, endPage, isCopiedAtFork } = machine.vmaOf(id);
      return { id, mm, start: startPage, end: endPage, isCopied: isCopiedAtFork };
    }),
  );
  slow.entries = slow.entries.map((each) => {
    const vma = slow.vmas.find(({ mm, start, end }) => mm === each.mm && each.page >= start && each.page < end)!;
    return { ...each, vma: vma.id };
  });
}

function fork({ machine, slow }: Both, a: number): void {
  if (slow.mms.length === 0 || slow.mms.length >= MMS) return;
  const parent = slow.mms[a % slow.mms.length];
  const own = slow.vmas.filter(({ mm }) => mm === parent);
  if (slow.vmas.length + own.length > VMAS) return;
  const child = machine.forkMm(parent);
  const copied = slow.entries.filter((each) => own.some(({ id, isCopied }) => id === each.vma && isCopied));
  slow.mms.push(child);
  slow.entries.push(...copied.map((each) => ({ ...each, mm: child })));
  readVmas({ machine, slow });
}

function exit({ machine, slow }: Both, a: number): void {
  if (slow.mms.length === 0) return;
  const [gone] = slow.mms.splice(a % slow.mms.length, 1);
  machine.exitMm(gone);
  slow.entries = slow.entries.filter(({ mm }) => mm !== gone);
  slow.vmas = slow.vmas.filter(({ mm }) => mm !== gone);
}

function splitPmd({ machine, slow }: Both, b: number): void {
  const leaves = slow.entries.filter((each) => each.level === LEVEL_PMD && slow.folioOf(each.frame).kind === ANON);
  if (leaves.length === 0) return;
  const leaf = leaves[b % leaves.length];
  machine.splitPmd(leaf.vma, leaf.page + (b % HPAGE_PMD_NR));
  slow.splitLeaf(leaf);
}

function splitVma({ machine, slow }: Both, vma: SlowVma, b: number): void {
  if (vma.end - vma.start < 2 || slow.vmas.length >= VMAS) return;
  const page = vma.start + 1 + (b % (vma.end - vma.start - 1));
  machine.splitVma(vma.id, page);
  slow.cut(vma.mm, page);
  readVmas({ machine, slow });
}

function moveVma({ machine, slow }: Both, vma: SlowVma, b: number): void {
  const start = b % SPACE_PAGES;
  const distance = start - vma.start;
  // For a moment there are both VMAs.
  if (slow.vmas.length >= VMAS || slow.hasVmaIn(vma.mm, start, vma.end + distance)) return;
  const id = machine.moveVma(vma.id, start);
  if (distance % HPAGE_PMD_NR !== 0) {
    for (const leaf of slow.entries.filter((each) => each.vma === vma.id && each.level === LEVEL_PMD))
      slow.splitLeaf(leaf);
  }
  slow.vmas = slow.vmas.map((each) => (each === vma ? { ...vma, id, start, end: vma.end + distance } : each));
  slow.entries = slow.entries.map((each) =>
    each.vma === vma.id ? { ...each, vma: id, page: each.page + distance } : each,
  );
}

function copyOnWrite({ machine, slow }: Both, b: number): void {
  const candidates = slow.entries.filter((each) => slow.folioOf(each.frame).kind === ANON);
  if (candidates.length === 0 || slow.folios.length >= FOLIOS_MAX) return;
  const old = candidates[b % candidates.length];
  const page = old.page + (b % slow.pagesOf(old));
  const head = machine.copyOnWrite(old.vma, page);
  slow.cut(old.mm, page);
  slow.cut(old.mm, page + 1);
  slow.entries = slow.entries.filter((each) => each.mm !== old.mm || each.page !== page);
  slow.folios.push({ head, order: 0, kind: ANON, isCached: false, gets: 0, pins: 0 });
  slow.entries.push({ mm: old.mm, vma: old.vma, page, frame: head, level: LEVEL_PTE });
}

function changeReferences(
  { machine, slow }: Both,
  { a, b, c, kind }: { a: number; b: number; c: number; kind: string },
): void {
  if (slow.folios.length === 0) return;
  const folio = slow.folios[a % slow.folios.length];
  if (kind === "cache") {
    folio.isCached = !folio.isCached;
    machine.setCached(folio.head, folio.isCached);
    return;
  }
  const gets = folio.gets > 0 && b % 2 === 0 ? -1 : b % 3 === 0 ? 1 : 0;
  const pins = folio.pins > 0 && c % 2 === 0 ? -1 : c % 7 === 0 ? 1 : 0;
  folio.gets += gets;
  folio.pins += pins;
  machine.hold(folio.head, { gets, pins });
}
