/**
 * A machine and those who count on it: the kernel's own scheme, whose count decides, and any others, who only listen.
 *
 * The model knows nothing of schemes and the schemes nothing of the model; here they meet. Every event goes to the kernel's
 * counter first and then to the others, each of which may look into the page tables and at the reference counts. Any
 * scheme may be put in the kernel's place as the one that decides (`decidedBy`); the kernel's counter still counts, for
 * reference counts, statistics and dumps.
 */
import { type Answers, Decisions, SchemeAnswers, type Situation, TruthAnswers } from "../decisions/index.ts";
import {
  type CowRule,
  Frames,
  KSM,
  type KernelCounts,
  Memory,
  type MemoryEvents,
  cacheReferences,
} from "../memory/index.ts";
import {
  type Counter,
  type CounterContext,
  Meter,
  type RawCounts,
  SCHEMES,
  type Scheme,
  YES,
} from "../schemes/index.ts";
import { EntryLedger } from "./entry-ledger.ts";
import { type MachineViews, viewsOf } from "./model-views.ts";
import { ManyListeners, OneListener } from "./studied-events.ts";
import type { StudiedMachine, StudiedScheme } from "./studied-history.ts";
import { studyWalk } from "./walk-study.ts";
import { WorkCount } from "./work-count.ts";

/** How the kernel is built. */
export type KernelConfig = "page" | "nopage";

export interface CountedMachine extends StudiedMachine {
  readonly memory: Memory;
  readonly config: KernelConfig;
  /** The scheme that the kernel is built with; its counter decides unless another does. */
  readonly kernel: { readonly scheme: Scheme; readonly counter: Counter & RawCounts };
  /** The scheme by which the kernel decides: its own, or the one put in its place. */
  readonly decidedBy: Scheme;
  /** Kept when schemes are studied. */
  readonly ledger: EntryLedger | undefined;
}

export interface MachineOptions {
  readonly config: KernelConfig;
  readonly schemes?: readonly Scheme[];
  /** The scheme that decides. Where it cannot say the reverse map is walked. Default: the kernel's own. */
  readonly decidedBy?: Scheme | undefined;
  /** How copy-on-write is decided. Default: as today. */
  readonly cowRule?: CowRule | undefined;
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

/** Everybody who counts on a machine. */
interface Counters {
  readonly kernel: { readonly scheme: Scheme; readonly counter: Counter & RawCounts };
  readonly studied: readonly StudiedScheme[];
  /** In the kernel's place; may be one of `studied`. */
  readonly decider: StudiedScheme | undefined;
}

/** Builds a machine without processes. */
export function createCountedMachine(options: MachineOptions): CountedMachine {
  const frames = new Frames(options.frameCount ?? DEFAULT_FRAMES, options.keepContents ?? true);
  // The views look at the machine, which needs the counters first: they are connected last.
  const connection: { memory?: Memory } = {};
  const ledger = new EntryLedger(frames.order);
  const views = viewsOf(connection, ledger);
  const counters = createCounters(options, frames, views);
  const { kernel, studied, decider } = counters;
  const listeners = listenersOf(counters);
  const watch = new WorkCount((purpose, head) => studyWalk(memory, head, purpose, studied, watch.work));
  const events = listeners.length === 1 ? new OneListener(kernel.counter) : new ManyListeners(listeners, ledger, watch);
  const orderOf = (folio: number): number => frames.order[folio];
  const kindOf = (folio: number): ReturnType<Frames["kindOf"]> => frames.kindOf(folio);
  const truth = new TruthAnswers(views.pageTables, views.references, orderOf);
  const decisions = new Decisions({
    answers: answersOf(decider ?? kernel),
    cowRule: options.cowRule ?? "large-reuse",
    truth,
    lookAt: (head, situation) => lookAtFolio(memory, head, situation),
    pageTables: views.pageTables,
    studied: studied.map(({ scheme, counter, meter }) => ({ answers: answersOf({ scheme, counter }), counter, meter })),
    decider,
  });
  const memory = new Memory({
    frames,
    counts: kernelCountsOf(kernel.counter, decider?.counter),
    events,
    decisions,
    watch: studied.length === 0 ? undefined : watch,
    cowRule: options.cowRule,
    nodeCount: options.nodeCount ?? 2,
    hasSoftDirty: options.hasSoftDirty ?? true,
    hugetlbPages: options.hugetlbPages ?? 8,
  });
  connection.memory = memory;
  const isMapped = (head: number): boolean => kernel.counter.mapcount(head) > 0;
  return {
    memory,
    config: options.config,
    kernel,
    decidedBy: (decider ?? kernel).scheme,
    studied,
    ledger: listeners.length === 1 ? undefined : ledger,
    truth,
    ...views,
    orderOf,
    kindOf,
    mappedFolios: () => headsOf(frames).filter(isMapped),
    takeTouched: () => take(events, isMapped),
    takeUnmapped: () => take(events, (head) => !isMapped(head)),
    get events() {
      return events instanceof ManyListeners ? events.count : 0;
    },
    listenToDecisions: (listener) => decisions.listen(listener),
    work: watch.work,
  };
}

/** What a decision sees of a folio: straight from the columns, since faults wait for it. */
function lookAtFolio(memory: Memory, head: number, situation: Situation): void {
  const { frames } = memory;
  situation.head = head;
  situation.order = frames.order[head];
  situation.kind = frames.kindOf(head);
  const ofPrivate = frames.extraOf(head)?.hasPrivate === true ? 1 : 0;
  situation.cacheReferences = cacheReferences(memory, head) + ofPrivate;
  situation.extraReferences = frames.extraReferences(head) - ofPrivate;
}

function createCounters(options: MachineOptions, frames: Frames, views: MachineViews): Counters {
  const context: CounterContext = { frameCount: frames.count, orders: frames.order, seed: options.seed ?? 1 };
  const scheme = schemeOfKernel(options.config);
  const counter = scheme.createCounter({ ...context, references: views.references });
  if (!hasRawCounts(counter)) throw new Error(`scheme ${scheme.id} does not show the kernel's words`);
  const isKsm = (folio: number): boolean => frames.kindOf(folio) === KSM;
  const study = (studied: Scheme): StudiedScheme => {
    const meter = new Meter();
    return { scheme: studied, meter, counter: studied.createCounter({ ...context, ...views, isKsm, meter }) };
  };
  const studied = (options.schemes ?? []).map(study);
  const { decidedBy } = options;
  const isOther = decidedBy !== undefined && decidedBy !== scheme;
  const decider = isOther ? (studied.find((one) => one.scheme === decidedBy) ?? study(decidedBy)) : undefined;
  return { kernel: { scheme, counter }, studied, decider };
}

/** The kernel's counter first. */
function listenersOf({ kernel, studied, decider }: Counters): Counter[] {
  const listeners: Counter[] = [kernel.counter, ...studied.map(({ counter }) => counter)];
  if (decider !== undefined && !studied.includes(decider)) listeners.push(decider.counter);
  return listeners;
}

function answersOf({ scheme, counter }: { readonly scheme: Scheme; readonly counter: Counter }): Answers {
  return new SchemeAnswers(scheme, counter);
}

function schemeOfKernel(config: KernelConfig): Scheme {
  const scheme = SCHEMES.find(({ kernelConfig }) => kernelConfig === config);
  if (scheme === undefined) throw new Error(`no scheme is that of a kernel built with config ${config}`);
  return scheme;
}

function hasRawCounts(counter: Counter): counter is Counter & RawCounts {
  return "becamePartial" in counter && "owners" in counter;
}

/** Whoever decides also says what is queued to be split; of what it cannot tell nothing is queued. */
function kernelCountsOf(counter: Counter & RawCounts, decider: Counter | undefined): KernelCounts {
  return {
    mapcount: (folio) => counter.mapcount(folio),
    sharedBit: (folio) => counter.sharedBit(folio),
    statisticsPages: (folio) => counter.statisticsPages(folio),
    becamePartial:
      decider === undefined
        ? (folio, before) => counter.becamePartial(folio, before)
        : (folio) => decider.partial(folio) === YES,
  };
}

/** Heads of all folios, and free frames, ascending. */
function headsOf({ count, order }: Frames): number[] {
  const heads: number[] = [];
  for (let head = 0; head < count; head += 2 ** order[head]) heads.push(head);
  return heads;
}

/** Nothing is remembered where nobody is studied. */
function take(events: MemoryEvents, isWanted: (head: number) => boolean): number[] {
  return events instanceof ManyListeners ? events.take(isWanted) : [];
}
