/**
 * The machine: everything the operations work on, in one place and without behaviour of its own.
 *
 * Operations are functions of other files that take the machine as their first argument. Truth is the page tables; events
 * go to `events`, decisions are asked of `decisions` (kernel-decisions.ts), reference counts and statistics of `counts`
 * (kernel-counts.ts). Nothing here reads a clock or a random number: the same
 * operations give the same machine.
 */
import { COW_ERAS, type CowEra, type CowRule } from "./cow-rule.ts";
import { assert } from "./assert.ts";
import { FrameAllocator } from "./frame-allocator.ts";
import type { Frames } from "./frames.ts";
import { ZERO } from "./frames.ts";
import type { KernelCounts, MemoryEvents } from "./kernel-counts.ts";
import type { KernelDecisions, OperationWatch } from "./kernel-decisions.ts";
import { HugetlbPool } from "./hugetlb-pool.ts";
import { KsmState } from "./ksm-state.ts";
import { LruBatches } from "./lru-batches.ts";
import { MachineStatistics } from "./machine-statistics.ts";
import { Mm } from "./mm.ts";
import { PageContents } from "./page-contents.ts";
import { FRAME_LIMIT, PageTables } from "./page-table.ts";
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
  readonly decisions: KernelDecisions;
  /** Told of work besides counting. */
  readonly watch?: OperationWatch | undefined;
  /** How the kernel decides about copy-on-write. Default: as today. */
  readonly cowRule?: CowRule | undefined;
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
  readonly decisions: KernelDecisions;
  readonly watch: OperationWatch | undefined;
  readonly cow: CowEra;
  readonly allocator: FrameAllocator;
  readonly tables: PageTables;
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
    assert(options.frames.count <= FRAME_LIMIT, "every frame can be named in a page-table entry");
    this.frames = options.frames;
    this.lruBatches = new LruBatches(this.frames);
    this.counts = options.counts;
    this.events = options.events;
    this.decisions = options.decisions;
    this.watch = options.watch;
    this.tables = new PageTables(options.watch);
    this.cow = COW_ERAS[options.cowRule ?? "large-reuse"];
    this.hasSoftDirty = options.hasSoftDirty;
    this.hugetlb = new HugetlbPool(options.hugetlbPages, options.nodeCount);
    this.workingset = new Workingset(options.nodeCount);
    this.allocator = new FrameAllocator(this.frames, options.nodeCount, RESERVED_FRAMES, options.watch);
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
