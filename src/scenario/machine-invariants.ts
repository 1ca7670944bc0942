/**
 * The invariants that hold after every operation (kernel-facts 8), checked against the page tables from scratch.
 *
 * The slow and obviously right side of the model: it walks every table of every address space, counts each page's entries
 * in plain arrays, and compares with what the kernel's counter says. For debug mode and tests; O(frames + entries).
 */
import { entriesOfBatch } from "../kernel/index.ts";
import {
  ANON,
  FREE,
  KSM,
  type Memory,
  type Mm,
  OWNER_2,
  PARTIALLY_MAPPED,
  PTE_WRITE,
  VM_SHARED,
  type Vma,
  ZERO,
  frameOfEntry,
  isPresent,
  isTable,
  mappingsOf,
  pmdEntryOf,
  pteIndex,
  refcount,
  tableOfEntry,
} from "../memory/index.ts";
import type { CountedMachine } from "./counted-machine.ts";

/** An invariant does not hold: a bug of the model. */
export class BrokenInvariant extends Error {
  constructor(what: string) {
    super(`invariant broken: ${what}`);
    this.name = "BrokenInvariant";
  }
}

function hold(holds: boolean, what: () => string): void {
  if (!holds) throw new BrokenInvariant(what());
}

/** What the page tables say. */
class Truth {
  /** PTEs by frame, PMD entries by head. */
  readonly ptes: Int32Array;
  readonly pmds: Int32Array;
  /** Entries of each VMA, by head and VMA id. */
  readonly entriesOfVma = new Map<number, Map<number, number>>();
  /** Entries of each address space, by head and mm id. */
  readonly entriesOfMm = new Map<number, Map<number, number>>();

  constructor(frameCount: number) {
    this.ptes = new Int32Array(frameCount);
    this.pmds = new Int32Array(frameCount);
  }

  count(head: number, { id, mm }: Vma): void {
    let ofVmas = this.entriesOfVma.get(head);
    if (ofVmas === undefined) this.entriesOfVma.set(head, (ofVmas = new Map<number, number>()));
    ofVmas.set(id, (ofVmas.get(id) ?? 0) + 1);
    let entries = this.entriesOfMm.get(head);
    if (entries === undefined) this.entriesOfMm.set(head, (entries = new Map<number, number>()));
    entries.set(mm.id, (entries.get(mm.id) ?? 0) + 1);
  }
}

/** Throws BrokenInvariant with what is wrong, and where. */
export function checkMachine(machine: CountedMachine): void {
  const { memory } = machine;
  const truth = new Truth(memory.frames.count);
  for (const mm of memory.mms.values()) checkAddressSpace(memory, mm, truth);
  for (let head = 0; head < memory.frames.count; head += 2 ** memory.frames.order[head]) {
    checkFolio(machine, head, truth);
  }
}

function checkAddressSpace(memory: Memory, mm: Mm, truth: Truth): void {
  let end = 0;
  for (const vma of mm.vmas) {
    hold(vma.start >= end && vma.end > vma.start, () => `VMAs of ${mm.name} are in order and apart`);
    end = vma.end;
    checkVma(memory, vma, truth);
  }
}

/** The interval trees know of the VMA, so that the reverse map finds what it maps. */
function checkTrees(mm: Mm, vma: Vma): void {
  hold(vma.file === undefined || vma.file.vmas.has(vma), () => `a VMA of ${mm.name} is in its file's tree`);
  for (const { vmas } of vma.anonVmaChain) {
    hold(vmas.has(vma), () => `a VMA of ${mm.name} is in the tree of every anon_vma of its chain`);
  }
}

function checkVma(memory: Memory, vma: Vma, truth: Truth): void {
  const { mm } = vma;
  checkTrees(mm, vma);
  for (let page = vma.start; page < vma.end;) {
    const end = Math.min(vma.end, page - pteIndex(page) + 512);
    const pmd = pmdEntryOf(memory, mm, page);
    if (isPresent(pmd)) {
      const head = frameOfEntry(pmd);
      if (memory.frames.kindOf(head) !== ZERO) {
        truth.pmds[head]++;
        truth.count(head, vma);
      }
    } else if (isTable(pmd)) {
      for (let at = page; at < end; at++)
        checkPte(memory, vma, memory.tables.get(tableOfEntry(pmd), pteIndex(at)), truth);
    }
    page = end;
  }
}

function checkPte(memory: Memory, vma: Vma, entry: number, truth: Truth): void {
  if (!isPresent(entry)) return;
  const frame = frameOfEntry(entry);
  const { frames } = memory;
  const kind = frames.kindOf(frame);
  hold(kind !== FREE, () => `${vma.mm.name} maps no free frame (${frame})`);
  if (kind === ZERO) {
    hold((entry & PTE_WRITE) === 0, () => `the zero page is never writable`);
    return;
  }
  truth.ptes[frame]++;
  truth.count(frames.headOf(frame), vma);
  if (kind === ANON && !vma.has(VM_SHARED) && (entry & PTE_WRITE) !== 0) {
    hold(frames.has(frame, OWNER_2), () => `a writable private page is exclusive (frame ${frame} of ${vma.mm.name})`);
  }
}

function checkFolio(machine: CountedMachine, head: number, truth: Truth): void {
  const { memory, kernel } = machine;
  const { frames } = memory;
  const kind = frames.kindOf(head);
  if (kind === ZERO) return;
  const n = 2 ** frames.order[head];
  const pmds = truth.pmds[head];
  let ptes = 0;
  let pagesWithPte = 0;
  for (let frame = head; frame < head + n; frame++) {
    ptes += truth.ptes[frame];
    if (truth.ptes[frame] > 0) pagesWithPte++;
    const isExclusive = (kind === ANON || kind === KSM) && frames.has(frame, OWNER_2);
    hold(!isExclusive || truth.ptes[frame] + pmds <= 1, () => `an exclusive page has one mapping (frame ${frame})`);
  }
  const mapcount = kernel.counter.mapcount(head);
  hold(mapcount === ptes + pmds, () => `folio ${head} counts ${mapcount} entries and has ${ptes + pmds}`);
  checkLedger(machine, head, truth);
  checkRmap(memory, head, ptes + pmds);
  if (kind === FREE) return;
  hold(refcount(memory, head) > 0, () => `folio ${head} is in use and nobody refers to it`);
  if (n > 1) checkLarge(machine, head, n, pmds, pagesWithPte, truth);
  else hold(!frames.has(head, PARTIALLY_MAPPED), () => `a small folio is never partially mapped`);
}

/** A walk of the reverse map finds every entry, and none twice. */
function checkRmap(memory: Memory, head: number, entries: number): void {
  if (entries === 0) return;
  let found = 0;
  for (const { level, pageCount } of mappingsOf(memory, head)) found += entriesOfBatch(pageCount, level);
  hold(found === entries, () => `folio ${head}: the reverse map finds ${found} of ${entries} entries`);
}

/** What schemes see of page tables between events is what stands in them. */
function checkLedger({ ledger, memory }: CountedMachine, head: number, truth: Truth): void {
  if (ledger === undefined) return;
  const lowest = new Map<number, number>();
  if ((truth.entriesOfVma.get(head)?.size ?? 0) > 0) {
    for (const { vma, first } of mappingsOf(memory, head)) {
      lowest.set(vma.id, Math.min(first, lowest.get(vma.id) ?? first));
    }
  }
  const entries = truth.entriesOfVma.get(head);
  let vmaCount = 0;
  for (const [vma, counted] of ledger.vmasOf(head)) {
    vmaCount++;
    hold(
      entries?.get(vma) === counted,
      () => `folio ${head}: events give VMA ${vma} ${counted} entries, its tables ${entries?.get(vma) ?? 0}`,
    );
    const page = ledger.lowestMapped(head, vma, -1);
    hold(
      lowest.get(vma) === page,
      () => `folio ${head}: events give VMA ${vma} page ${page} as its lowest, its tables ${lowest.get(vma)}`,
    );
  }
  hold(
    vmaCount === (entries?.size ?? 0),
    () => `folio ${head}: events know ${vmaCount} VMAs, the tables ${entries?.size ?? 0}`,
  );
}

function checkLarge(
  machine: CountedMachine,
  head: number,
  n: number,
  pmds: number,
  pagesWithPte: number,
  truth: Truth,
): void {
  const { memory, kernel } = machine;
  const { counter } = kernel;
  hold(counter.entireMapcount(head) === pmds, () => `folio ${head}: entire mapcount is its PMD entries`);
  if (memory.frames.isHugetlb(head)) return;
  const nrMapped = counter.nrPagesMapped(head);
  hold(
    nrMapped < 0 || nrMapped === pagesWithPte,
    () => `folio ${head}: pages mapped ${nrMapped}, true ${pagesWithPte}`,
  );
  if (nrMapped >= 0) {
    for (let page = 0; page < n; page++) {
      hold(
        counter.pageMapcount(head, page) === truth.ptes[head + page] + pmds,
        () => `folio ${head} page ${page}: mapcount`,
      );
    }
  }
  checkSlots(machine, head, truth);
}

function checkSlots({ kernel }: CountedMachine, head: number, truth: Truth): void {
  const { counter } = kernel;
  const total = counter.largeMapcount(head);
  const [ownerA, entriesA, ownerB, entriesB] = counter.owners(head);
  const entries = truth.entriesOfMm.get(head);
  hold(entriesA + entriesB <= total, () => `folio ${head}: the slots have no more than all entries`);
  for (const [owner, counted] of [
    [ownerA, entriesA],
    [ownerB, entriesB],
  ]) {
    hold(owner < 0 === (counted === 0), () => `folio ${head}: a slot is free exactly when it counts nothing`);
    hold(counted <= (entries?.get(owner) ?? 0), () => `folio ${head}: a slot counts no more than its owner maps`);
  }
  const isShared = counter.sharedBit(head);
  hold(total > 0 || !isShared, () => `folio ${head}: unmapped, and the shared bit is set`);
  hold(isShared || total === 0 || (entries?.size ?? 0) === 1, () => `folio ${head}: shared, and the bit is clear`);
}
