/**
 * The machine: everything the operations work on, in one place and without behaviour of its own.
 *
 * Operations are functions of other files that take the machine as their first argument. Truth is the page tables; events
 * go to `events`, decisions ask `counts` (kernel-counts.ts). Nothing here reads a clock or a random number: the same
 * operations give the same machine.
 */
import { FrameAllocator } from "./frame-allocator.ts";
import type { Frames } from "./frames.ts";
import { ZERO } from "./frames.ts";
import type { KernelCounts, MemoryEvents } from "./kernel-counts.ts";
import { HugetlbPool } from "./hugetlb-pool.ts";
import { KsmState } from "./ksm-state.ts";
import { LruBatches } from "./lru-batches.ts";
import { MachineStatistics } from "./machine-statistics.ts";
import { Mm } from "./mm.ts";
import { PageContents } from "./page-contents.ts";
import { PageTables } from "./page-table.ts";
import { PinState } from "./pin-state.ts";
import { RmapKeys } from "./rmap-key.ts";
import { SwapDevice } from "./swap-device.ts";
import { ThpSettings } from "./thp-settings.ts";
import { Workingset } from "./workingset.ts";

/** Frames that belong to nobody: "none", the zero page. */
const RESERVED_FRAMES = 512;
/** The zero page's frame. */
export const ZERO_FRAME = 1;

export interface MemoryOptions {
  readonly frames: Frames;
  readonly counts: KernelCounts;
  readonly events: MemoryEvents;
  /** NUMA nodes of equal size. */
  readonly nodeCount: number;
  /** CONFIG_MEM_SOFT_DIRTY. */
  readonly hasSoftDirty: boolean;
  /** Huge pages in the hugetlb pool, 2 MiB each. */
  readonly hugetlbPages: number;
}

export class Memory {
  readonly frames: Frames;
  readonly counts: KernelCounts;
  readonly events: MemoryEvents;
  readonly allocator: FrameAllocator;
  readonly tables = new PageTables();
  readonly keys = new RmapKeys();
  readonly thp = new ThpSettings();
  readonly statistics = new MachineStatistics();
  readonly swap = new SwapDevice();
  readonly ksm = new KsmState();
  readonly pins = new PinState();
  readonly lruBatches: LruBatches;
  readonly workingset: Workingset;
  readonly contents: PageContents;
  readonly hasSoftDirty: boolean;
  /** Address spaces alive, by mm id. */
  readonly mms = new Map<number, Mm>();
  /** The huge zero folio's head, or 0 until somebody needs it. */
  hugeZeroHead = 0;
  readonly hugetlb: HugetlbPool;

  constructor(options: MemoryOptions) {
    this.frames = options.frames;
    this.lruBatches = new LruBatches(this.frames);
    this.counts = options.counts;
    this.events = options.events;
    this.hasSoftDirty = options.hasSoftDirty;
    this.hugetlb = new HugetlbPool(options.hugetlbPages, options.nodeCount);
    this.workingset = new Workingset(options.nodeCount);
    this.allocator = new FrameAllocator(this.frames, options.nodeCount, RESERVED_FRAMES);
    this.frames.prepare(ZERO_FRAME, 0, ZERO);
    this.contents = new PageContents(this.frames);
  }

  /** mm_alloc: an empty address space with the lowest free mm id. */
  createMm(name: string): Mm {
    let id = 1;
    while (this.mms.has(id)) id++;
    const mm = new Mm(id, name, this.tables.allocate());
    this.mms.set(id, mm);
    return mm;
  }

  /** mmdrop: the last user is gone and all page tables are freed. */
  dropMm(mm: Mm): void {
    this.tables.free(mm.pgd);
    this.mms.delete(mm.id);
  }
}
