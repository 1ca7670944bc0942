/**
 * A machine and those who count on it: the kernel's own scheme, whose count decides, and any others, who only listen.
 *
 * The model knows nothing of schemes and the schemes nothing of the model; here they meet. Every event goes to the kernel's
 * counter first and then to the others, each of which may look into the page tables and at the reference counts.
 */
import type { Level } from "../kernel/index.ts";
import {
  Frames,
  KSM,
  type KernelCounts,
  Memory,
  type MemoryEvents,
  cacheReferences,
  mappingsOf,
} from "../memory/index.ts";
import {
  type Counter,
  type CounterContext,
  Meter,
  type PageTableView,
  type RawCounts,
  type ReferenceView,
  type RmapVisitor,
  SCHEMES,
  type Scheme,
} from "../schemes/index.ts";
import { EntryLedger } from "./entry-ledger.ts";

/** How the kernel is built. */
export type KernelConfig = "page" | "nopage";

/** A scheme at work on the machine. */
export interface StudiedScheme {
  readonly scheme: Scheme;
  readonly counter: Counter;
  readonly meter: Meter;
}

export interface CountedMachine {
  readonly memory: Memory;
  readonly config: KernelConfig;
  /** The scheme that the kernel is built with; its counter decides. */
  readonly kernel: { readonly scheme: Scheme; readonly counter: Counter & RawCounts };
  readonly studied: readonly StudiedScheme[];
  /** Kept when schemes are studied. */
  readonly ledger: EntryLedger | undefined;
}

export interface MachineOptions {
  readonly config: KernelConfig;
  readonly schemes?: readonly Scheme[];
  /** Default: 1 GiB in two nodes, as the kernel lab's guest. */
  readonly frameCount?: number;
  readonly nodeCount?: number;
  readonly keepContents?: boolean;
  readonly hasSoftDirty?: boolean;
  readonly hugetlbPages?: number;
  /** For schemes with secret or random numbers. */
  readonly seed?: number;
}

const DEFAULT_FRAMES = 262_144;

/** Builds a machine without processes. */
export function createCountedMachine(options: MachineOptions): CountedMachine {
  const frameCount = options.frameCount ?? DEFAULT_FRAMES;
  const frames = new Frames(frameCount, options.keepContents ?? true);
  // The views look at the machine, which needs the counters first: they are connected last.
  const connection: { memory?: Memory } = {};
  const context: CounterContext = { frameCount, orders: frames.order, seed: options.seed ?? 1 };
  const kernelScheme = schemeOfKernel(options.config);
  const counter = kernelScheme.createCounter(context);
  if (!hasRawCounts(counter)) throw new Error(`scheme ${kernelScheme.id} does not show the kernel's words`);
  const ledger = new EntryLedger();
  const views = viewsOf(connection, ledger);
  const studied = (options.schemes ?? []).map((scheme): StudiedScheme => {
    const meter = new Meter();
    const isKsm = (folio: number): boolean => frames.kindOf(folio) === KSM;
    return { scheme, meter, counter: scheme.createCounter({ ...context, ...views, isKsm, meter }) };
  });
  const events = studied.length === 0 ? new OneListener(counter) : new ManyListeners(counter, studied, ledger);
  const memory = new Memory({
    frames,
    counts: kernelCountsOf(counter),
    events,
    nodeCount: options.nodeCount ?? 2,
    hasSoftDirty: options.hasSoftDirty ?? true,
    hugetlbPages: options.hugetlbPages ?? 8,
  });
  connection.memory = memory;
  return {
    memory,
    config: options.config,
    kernel: { scheme: kernelScheme, counter },
    studied,
    ledger: studied.length === 0 ? undefined : ledger,
  };
}

function schemeOfKernel(config: KernelConfig): Scheme {
  const scheme = SCHEMES.find(({ kernelConfig }) => kernelConfig === config);
  if (scheme === undefined) throw new Error(`no scheme is that of a kernel built with config ${config}`);
  return scheme;
}

function hasRawCounts(counter: Counter): counter is Counter & RawCounts {
  return "becamePartial" in counter && "owners" in counter;
}

function kernelCountsOf(counter: Counter & RawCounts): KernelCounts {
  return {
    mapcount: (folio) => counter.mapcount(folio),
    entireMapcount: (folio) => counter.entireMapcount(folio),
    isMaybeMappedShared: (folio) => counter.isMaybeMappedShared(folio),
    sharedBit: (folio) => counter.sharedBit(folio),
    statisticsPages: (folio) => counter.statisticsPages(folio),
    becamePartial: (folio, before) => counter.becamePartial(folio, before),
  };
}

function viewsOf(
  connection: { memory?: Memory },
  ledger: EntryLedger,
): { pageTables: PageTableView; references: ReferenceView } {
  const machine = (): Memory => {
    if (connection.memory === undefined) throw new Error("a counter looked at a machine that is not built yet");
    return connection.memory;
  };
  return { pageTables: new ModelPageTables(machine, ledger), references: new ModelReferences(machine) };
}

/** Entries by the ledger, between two events; the walk over the model's own page tables, at rest. */
class ModelPageTables implements PageTableView {
  private readonly machine: () => Memory;
  private readonly ledger: EntryLedger;

  constructor(machine: () => Memory, ledger: EntryLedger) {
    this.machine = machine;
    this.ledger = ledger;
  }

  entriesOfVma(folio: number, vma: number): number {
    return this.ledger.entriesOfVma(folio, vma);
  }

  entriesOfTable(folio: number, vma: number, table: number): number {
    return this.ledger.entriesOfTable(folio, vma, table);
  }

  walk(folio: number, visit: RmapVisitor): void {
    for (const { first, pageCount, level, table, vma } of mappingsOf(this.machine(), folio)) {
      if (!visit(first, pageCount, level, table, vma.id, vma.mm.id)) return;
    }
  }
}

class ModelReferences implements ReferenceView {
  private readonly machine: () => Memory;

  constructor(machine: () => Memory) {
    this.machine = machine;
  }

  references(folio: number): number {
    return cacheReferences(this.machine(), folio) + this.machine().frames.extraReferences(folio);
  }

  cacheReferences(folio: number): number {
    const hasPrivate = this.machine().frames.extraOf(folio)?.hasPrivate ?? false;
    return cacheReferences(this.machine(), folio) + (hasPrivate ? 1 : 0);
  }

  pins(folio: number): number {
    return this.machine().frames.extraOf(folio)?.pins ?? 0;
  }
}

/** The kernel's counter alone: nothing stands between the model and it. */
class OneListener implements MemoryEvents {
  /** Neither of the kernel's schemes counts tables or VMAs. */
  readonly ignoresMoves = true;
  private readonly counter: Counter;

  constructor(counter: Counter) {
    this.counter = counter;
  }

  add(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, mm: number): void {
    this.counter.add(folio, first, pageCount, level, table, vma, mm);
  }

  dup(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, mm: number): void {
    this.counter.add(folio, first, pageCount, level, table, vma, mm);
  }

  remove(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, mm: number): void {
    this.counter.remove(folio, first, pageCount, level, table, vma, mm);
  }

  move(): void {}

  created(folio: number, order: number, isHugetlb: boolean): void {
    this.counter.created?.(folio, order, isHugetlb);
  }

  freed(folio: number): void {
    this.counter.freed?.(folio);
  }
}

/** The kernel's counter and everybody who listens. */
class ManyListeners implements MemoryEvents {
  private readonly counters: readonly Counter[];
  private readonly ledger: EntryLedger;

  constructor(kernel: Counter, studied: readonly StudiedScheme[], ledger: EntryLedger) {
    this.ledger = ledger;
    this.counters = [kernel, ...studied.map(({ counter }) => counter)];
  }

  add(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, mm: number): void {
    for (const counter of this.counters) counter.add(folio, first, pageCount, level, table, vma, mm);
    this.ledger.add(folio, pageCount, level, table, vma);
  }

  dup(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, mm: number): void {
    for (const counter of this.counters) {
      if (counter.dup === undefined) counter.add(folio, first, pageCount, level, table, vma, mm);
      else counter.dup(folio, first, pageCount, level, table, vma, mm);
    }
    this.ledger.add(folio, pageCount, level, table, vma);
  }

  remove(folio: number, first: number, pageCount: number, level: Level, table: number, vma: number, mm: number): void {
    this.ledger.remove(folio, pageCount, level, table, vma);
    for (const counter of this.counters) counter.remove(folio, first, pageCount, level, table, vma, mm);
  }

  move(
    folio: number,
    first: number,
    pageCount: number,
    level: Level,
    fromTable: number,
    fromVma: number,
    toTable: number,
    toVma: number,
    mm: number,
  ): void {
    this.ledger.remove(folio, pageCount, level, fromTable, fromVma);
    for (const counter of this.counters) {
      counter.move?.(folio, first, pageCount, level, fromTable, fromVma, toTable, toVma, mm);
    }
    this.ledger.add(folio, pageCount, level, toTable, toVma);
  }

  created(folio: number, order: number, isHugetlb: boolean): void {
    for (const counter of this.counters) counter.created?.(folio, order, isHugetlb);
  }

  freed(folio: number): void {
    this.ledger.freed(folio);
    for (const counter of this.counters) counter.freed?.(folio);
  }
}
