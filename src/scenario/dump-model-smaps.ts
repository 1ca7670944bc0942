/**
 * One VMA of the model as smaps and numa_maps print it (kernel-facts 3.2-3.5, 3.10).
 *
 * The page tables are walked once; every batch of entries with equal attributes goes to both accounts.
 */
import { NumaMapsAccount, type PageCounts, SmapsAccount } from "../figures/index.ts";
import {
  FILE,
  HUGETLB_ANON,
  HUGETLB_FILE,
  KSM,
  type Memory,
  SHMEM,
  VM_LOCKED,
  VM_MAYSHARE,
  VM_SHARED,
  VM_WRITE,
  type Vma,
  ZERO,
  hasFolioFlag,
  frameOfEntry,
  hasEntryFlag,
  isNotPresent,
  isPresent,
  isSwapEntry,
  isTable,
  offsetOfEntry,
  swappedPagesIn,
  pmdEntryOf,
  pteIndex,
  refcount,
  tableOfEntry,
  thpEligible,
  vmFlagNames,
  typeOfEntry,
  TYPE_HWPOISON,
  TYPE_MIGRATION,
} from "../memory/index.ts";
import type { FigureRules } from "../schemes/index.ts";
import type { CountedMachine } from "./counted-machine.ts";
import type { VmaDump } from "./dump.ts";

/** Everything a dump says of a VMA. `policy`: the task's memory policy as numa_maps names it. */
export function dumpVma(machine: CountedMachine, vma: Vma, policy: string): VmaDump {
  const { memory, kernel } = machine;
  const smaps = new SmapsAccount(kernel.counter, kernel.scheme.rules, vma.has(VM_LOCKED));
  const numa = new NumaMapsAccount(kernel.counter);
  accountVma(memory, vma, smaps, numa);
  const sizeKb = (vma.end - vma.start) * 4;
  const pageKb = vma.isHugetlb ? 2048 : 4;
  const name = vma.file === undefined ? "" : vma.file.mapsName;
  return {
    start: hex(vma.start),
    end: hex(vma.end),
    perm: permissions(vma),
    name,
    smaps: {
      Size: sizeKb,
      KernelPageSize: pageKb,
      MMUPageSize: pageKb,
      ...smaps.lines(),
      THPeligible: thpEligible(memory, vma) ? 1 : 0,
    },
    vmflags: vmFlagNames(vma.flags),
    numa_maps: numa.line(policy, vma.file === undefined ? undefined : name, vma.isHugetlb),
  };
}

/** The lines of the VMA's smaps as they would be printed by other counts than the kernel's. */
export function smapsOfVma(memory: Memory, vma: Vma, counts: PageCounts, rules: FigureRules): Record<string, number> {
  const smaps = new SmapsAccount(counts, rules, vma.has(VM_LOCKED));
  accountVma(memory, vma, smaps, new NumaMapsAccount(counts));
  return smaps.lines();
}

function hex(page: number): string {
  return `0x${(page * 4096).toString(16)}`;
}

function permissions(vma: Vma): string {
  const letter = (bit: number, name: string): string => (((vma.flags >>> bit) & 1) === 1 ? name : "-");
  return `${letter(0, "r")}${letter(1, "w")}${letter(2, "x")}${vma.has(VM_MAYSHARE) ? "s" : "p"}`;
}

function accountVma(memory: Memory, vma: Vma, smaps: SmapsAccount, numa: NumaMapsAccount): void {
  accountShmemSwap(memory, vma, smaps);
  for (let page = vma.start; page < vma.end;) {
    const end = Math.min(vma.end, page - pteIndex(page) + 512);
    const pmd = pmdEntryOf(memory, vma.mm, page);
    if (isTable(pmd)) accountTable(memory, vma, page, end, tableOfEntry(pmd), smaps, numa);
    else if (isPresent(pmd)) accountPmd(memory, pmd, smaps, numa);
    else accountHole(memory, vma, page, end, smaps);
    page = end;
  }
}

/** A file's pages on swap, by the object: a shared mapping counts all that fall into it (kernel-facts 3.4). */
function accountShmemSwap(memory: Memory, vma: Vma, smaps: SmapsAccount): void {
  const { file } = vma;
  if (file?.fileKind !== "shmem" || file.swappedPages === 0 || (!vma.has(VM_SHARED) && vma.has(VM_WRITE))) return;
  const isWhole = vma.pgoff === 0 && (vma.end - vma.start) * 4096 >= file.sizeBytes;
  const end = vma.indexOf(vma.end);
  smaps.swap += (isWhole ? file.swappedPages : swappedPagesIn(memory, file, vma.pgoff, end)) * 4096;
}

/** A private writable mapping of shmem adds what is swapped behind its holes. */
function accountHole(memory: Memory, vma: Vma, start: number, end: number, smaps: SmapsAccount): void {
  const { file } = vma;
  if (file?.fileKind !== "shmem" || file.swappedPages === 0 || vma.has(VM_SHARED) || !vma.has(VM_WRITE)) return;
  smaps.swap += swappedPagesIn(memory, file, vma.indexOf(start), vma.indexOf(end)) * 4096;
}

function accountTable(
  memory: Memory,
  vma: Vma,
  start: number,
  end: number,
  table: number,
  smaps: SmapsAccount,
  numa: NumaMapsAccount,
): void {
  for (let page = start; page < end; page++) {
    const entry = memory.tables.get(table, pteIndex(page));
    if (isPresent(entry)) accountPresent(memory, entry, 1, smaps, numa);
    else if (entry === 0) accountHole(memory, vma, page, page + 1, smaps);
    else if (isSwapEntry(entry)) smaps.addSwap(memory.swap.entries[offsetOfEntry(entry)] ?? 0);
    else if (isNotPresent(entry)) accountHeldPage(memory, entry, smaps);
  }
}

/** Migration and poison entries hold a page: shared, with full Pss. */
function accountHeldPage(memory: Memory, entry: number, smaps: SmapsAccount): void {
  const type = typeOfEntry(entry);
  if (type !== TYPE_HWPOISON && type !== TYPE_MIGRATION) return;
  const frame = offsetOfEntry(entry);
  const head = memory.frames.headOf(frame);
  smaps.addPages(factsOf(memory, head), frame - head, 1, { young: false, dirty: false, present: false });
}

function factsOf(
  memory: Memory,
  head: number,
): Parameters<SmapsAccount["addPages"]>[0] & Parameters<NumaMapsAccount["add"]>[0] {
  return {
    head,
    isAnon: memory.frames.isAnon(head),
    isKsm: memory.frames.kindOf(head) === KSM,
    isSwapBacked: hasFolioFlag(memory, head, "swapBacked"),
    isDirty: hasFolioFlag(memory, head, "dirty"),
    isReferenced: hasFolioFlag(memory, head, "referenced"),
    isSwapCache: hasFolioFlag(memory, head, "swapCache"),
    isActive: hasFolioFlag(memory, head, "active") || hasFolioFlag(memory, head, "unevictable"),
    refcount: refcount(memory, head),
    node: memory.allocator.nodeOf(head),
  };
}

function accountPresent(
  memory: Memory,
  entry: number,
  pageCount: number,
  smaps: SmapsAccount,
  numa: NumaMapsAccount,
): void {
  const frame = frameOfEntry(entry);
  if (memory.frames.kindOf(frame) === ZERO) return;
  const head = memory.frames.headOf(frame);
  const facts = factsOf(memory, head);
  const dirty = hasEntryFlag(entry, "dirty");
  smaps.addPages(facts, frame - head, pageCount, { young: hasEntryFlag(entry, "young"), dirty, present: true });
  numa.add(facts, frame - head, pageCount, dirty);
}

function accountPmd(memory: Memory, pmd: number, smaps: SmapsAccount, numa: NumaMapsAccount): void {
  const head = frameOfEntry(pmd);
  const kind = memory.frames.kindOf(head);
  if (kind === ZERO) return;
  if (kind === HUGETLB_ANON || kind === HUGETLB_FILE) {
    numa.add(factsOf(memory, head), 0, 1, hasEntryFlag(pmd, "dirty"));
    // folio_maybe_mapped_shared, of which hugetlb knows no more than its mapcount.
    if (memory.counts.mapcount(head) > 1) smaps.sharedHugetlb += 512 * 4096;
    else smaps.privateHugetlb += 512 * 4096;
    return;
  }
  if (kind === SHMEM) smaps.shmemPmdMapped += 512 * 4096;
  else if (kind === FILE) smaps.filePmdMapped += 512 * 4096;
  else smaps.anonHugePages += 512 * 4096;
  accountPresent(memory, pmd, 512, smaps, numa);
}
