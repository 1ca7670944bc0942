/**
 * A process at its memory: loads and stores, as the processor and the fault handler share the work.
 *
 * The processor walks the tables, checks the rights in the entry, and sets accessed and dirty in it without telling
 * anybody; soft-dirty it does not know. Only what the entry does not allow becomes a fault, after which the access is tried
 * again. Whole page tables that need nothing are passed over at once.
 */
import { PAGE_SHIFT, PAGE_SIZE_BYTES } from "../kernel/index.ts";
import { assert } from "./assert.ts";
import { FAULTS_PER_ACCESS, RESOLVED_ONCE, handlePteFaultIn, handleVmaFault } from "./fault.ts";
import type { FaultResult } from "./fault-types.ts";
import type { Memory } from "./memory.ts";
import type { Mm } from "./mm.ts";
import {
  PTE_DIRTY,
  PTE_WRITE,
  PTE_YOUNG,
  TAG_MASK,
  TAG_PRESENT,
  frameOfEntry,
  isPresent,
  isTable,
  tableOfEntry,
} from "./page-table.ts";
import { PTE_TABLE_PAGES, findPmdTable, nextPmd, pmdIndex, pteIndex } from "./table-walk.ts";
import { Unsupported } from "./unsupported.ts";
import { VM_EXEC, VM_READ, VM_WRITE, type Vma } from "./vma.ts";

const WORD_BYTES = 8;

/** A run of accesses: at `address`, and every `stepBytes` after it below `end`. */
interface Accesses {
  readonly memory: Memory;
  readonly isWrite: boolean;
  /** What a store leaves in the page; absent if contents are not kept. */
  readonly store: ((frame: number, address: number) => void) | undefined;
  readonly stepBytes: number;
  readonly end: number;
  /** The next access. */
  address: number;
  /** Faults of the next access so far. */
  faults: number;
}

/**
 * Reads, or with `write` stores the 8-byte word that it gives for an address, at `startAddress` and every `stepBytes`
 * within `lengthBytes`. Stops at the first access that is a fault to the process.
 */
export function touchPages(
  memory: Memory,
  mm: Mm,
  startAddress: number,
  lengthBytes: number,
  stepBytes: number,
  write: undefined | ((address: number) => bigint),
): FaultResult {
  assert(stepBytes > 0, "an access moves on");
  const store = write === undefined || !memory.contents.isKept ? undefined : wordStore(memory, write);
  return access(
    {
      memory,
      isWrite: write !== undefined,
      store,
      stepBytes,
      end: startAddress + lengthBytes,
      address: startAddress,
      faults: 0,
    },
    mm,
  );
}

/** memset: every byte from `startAddress` on becomes `byte`. */
export function fillRange(
  memory: Memory,
  mm: Mm,
  startAddress: number,
  lengthBytes: number,
  byte: number,
): FaultResult {
  const end = startAddress + lengthBytes;
  const { contents } = memory;
  const store = (frame: number, address: number): void => {
    const from = address % PAGE_SIZE_BYTES;
    const to = Math.min(PAGE_SIZE_BYTES, from + end - address);
    const isWhole = to - from === PAGE_SIZE_BYTES;
    contents.set(frame, isWhole ? contents.filled(byte) : contents.withFilledBytes(contents.of(frame), from, to, byte));
  };
  const accesses: Omit<Accesses, "end" | "address"> = {
    memory,
    isWrite: true,
    store: contents.isKept ? store : undefined,
    stepBytes: PAGE_SIZE_BYTES,
    faults: 0,
  };
  const firstEnd = startAddress - (startAddress % PAGE_SIZE_BYTES) + PAGE_SIZE_BYTES;
  const head = access({ ...accesses, address: startAddress, end: Math.min(end, startAddress + 1) }, mm);
  return head === "ok" && firstEnd < end ? access({ ...accesses, address: firstEnd, end }, mm) : head;
}

/** Reads the 8 bytes at an aligned address; the fault's result if they cannot be read. */
export function peekWord(memory: Memory, mm: Mm, address: number): bigint | FaultResult {
  if (address % WORD_BYTES !== 0) throw new Unsupported("peek", "the address is no multiple of 8");
  if (!memory.contents.isKept) throw new Unsupported("peek", "this machine does not keep contents");
  const result = touchPages(memory, mm, address, 1, PAGE_SIZE_BYTES, undefined);
  if (result !== "ok") return result;
  const page = Math.floor(address / PAGE_SIZE_BYTES);
  const pmd = memory.tables.get(findPmdTable(memory, mm, page), pmdIndex(page));
  const frame = isTable(pmd)
    ? frameOfEntry(memory.tables.get(tableOfEntry(pmd), pteIndex(page)))
    : frameOfEntry(pmd) + pteIndex(page);
  return memory.contents.wordAt(memory.contents.of(frame), (address % PAGE_SIZE_BYTES) / WORD_BYTES);
}

function wordStore(memory: Memory, write: (address: number) => bigint): (frame: number, address: number) => void {
  const { contents } = memory;
  return (frame, address) => {
    if (address % WORD_BYTES !== 0) throw new Unsupported("touch w", "the address is no multiple of 8");
    contents.set(
      frame,
      contents.withWord(contents.of(frame), (address % PAGE_SIZE_BYTES) / WORD_BYTES, write(address)),
    );
  };
}

/** What the fault handler of x86-64 checks in the VMA: an inaccessible one refuses all, writing wants VM_WRITE. */
function mayAccess(vma: Vma, isWrite: boolean): boolean {
  return vma.has(isWrite ? VM_WRITE : VM_READ | VM_WRITE | VM_EXEC);
}

function access(accesses: Accesses, mm: Mm): FaultResult {
  const { memory, isWrite, end } = accesses;
  while (accesses.address < end) {
    const page = Math.floor(accesses.address / PAGE_SIZE_BYTES);
    const vma = mm.findVma(page);
    if (vma === undefined || !mayAccess(vma, isWrite)) return "sigsegv";
    const limit = Math.min(end, Math.min(vma.end, nextPmd(page)) * PAGE_SIZE_BYTES);
    const pmdTable = findPmdTable(memory, mm, page);
    const pmd = pmdTable === 0 ? 0 : memory.tables.get(pmdTable, pmdIndex(page));
    let result: FaultResult = "ok";
    if (isTable(pmd)) result = accessPtes(accesses, vma, tableOfEntry(pmd), limit);
    else if (isPresent(pmd) && (!isWrite || (pmd & PTE_WRITE) !== 0)) accessPmd(accesses, pmdTable, page, pmd, limit);
    else {
      assert(++accesses.faults <= FAULTS_PER_ACCESS, RESOLVED_ONCE);
      result = handleVmaFault(memory, vma, page, isWrite ? "write" : "read", "user");
    }
    if (result !== "ok") return result === "hwpoison" ? "sigbus" : result;
  }
  return "ok";
}

/** All accesses below `limit`, through a PMD leaf that allows them. */
function accessPmd(accesses: Accesses, pmdTable: number, page: number, entry: number, limit: number): void {
  const { memory, isWrite, store, stepBytes } = accesses;
  const made = entry | (isWrite ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG);
  if (made !== entry) memory.tables.set(pmdTable, pmdIndex(page), made);
  accesses.faults = 0;
  if (store === undefined) {
    accesses.address += Math.ceil((limit - accesses.address) / stepBytes) * stepBytes;
    return;
  }
  const base = (page - pteIndex(page)) * PAGE_SIZE_BYTES;
  const head = frameOfEntry(entry);
  for (; accesses.address < limit; accesses.address += stepBytes) {
    store(head + ((accesses.address - base) >>> PAGE_SHIFT), accesses.address);
  }
}

/** All accesses below `limit`, through one PTE table; faults where an entry does not allow the access. */
function accessPtes(accesses: Accesses, vma: Vma, table: number, limit: number): FaultResult {
  const { memory, isWrite, store, stepBytes } = accesses;
  const { tables } = memory;
  const mask = isWrite ? TAG_MASK | PTE_WRITE : TAG_MASK;
  const wanted = isWrite ? TAG_PRESENT | PTE_WRITE : TAG_PRESENT;
  const made = isWrite ? PTE_YOUNG | PTE_DIRTY : PTE_YOUNG;
  if (store === undefined && passRun(accesses, table, limit, mask, wanted, made)) return "ok";
  const basePage = Math.floor(accesses.address / PAGE_SIZE_BYTES);
  const firstPage = basePage - pteIndex(basePage);
  const base = firstPage * PAGE_SIZE_BYTES;
  const last = limit - base;
  let offset = accesses.address - base;
  let faults = accesses.faults;
  let result: FaultResult = "ok";
  while (offset < last) {
    const index = offset >>> PAGE_SHIFT;
    const entry = tables.get(table, index);
    if ((entry & mask) !== wanted) {
      assert(++faults <= FAULTS_PER_ACCESS, RESOLVED_ONCE);
      result = handlePteFaultIn(memory, vma, firstPage + index, table, isWrite ? "write" : "read", "user");
      if (result !== "ok") break;
      continue;
    }
    if ((entry & made) !== made) tables.set(table, index, entry | made);
    if (store !== undefined) store(frameOfEntry(entry), base + offset);
    faults = 0;
    offset += stepBytes;
  }
  accesses.address = base + offset;
  accesses.faults = faults;
  return result;
}

/** A table that is one run needs one look: passes it over if the accesses change nothing or all of it alike. */
function passRun(
  accesses: Accesses,
  table: number,
  limit: number,
  mask: number,
  wanted: number,
  made: number,
): boolean {
  const { memory, stepBytes } = accesses;
  const run = memory.tables.runOf(table);
  if (run === 0 || (run & mask) !== wanted) return false;
  if ((run & made) !== made) {
    const touched = (limit - accesses.address) / PAGE_SIZE_BYTES;
    if (touched <= PTE_TABLE_PAGES - 1 || stepBytes > PAGE_SIZE_BYTES) return false;
    memory.tables.setRun(table, run | made);
  }
  accesses.faults = 0;
  accesses.address += Math.ceil((limit - accesses.address) / stepBytes) * stepBytes;
  return true;
}
