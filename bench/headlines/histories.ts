/**
 * What the page tables do in each of the micro-benchmark's operations: the model runs it on memory of one folio size, and
 * the batches that it emits are kept, to be counted afterwards by any kernel.
 *
 * The model's batches are those of Linux 6.18. Older kernels handled page by page what it handles at once; kernels.ts cuts
 * batches up for them. A write after fork is another history where a kernel may not reuse pages of large folios: then the
 * model runs by that kernel's rule of copy-on-write.
 */
import { type Level, WORK_NAMES, type WorkName } from "../../src/kernel/index.ts";
import { createCountedMachine } from "../../src/scenario/counted-machine.ts";
import { type ScenarioCommand, scenarioOf } from "../../src/scenario/index.ts";
import { runCommand } from "../../src/scenario/model-commands.ts";
import { ModelRun } from "../../src/scenario/model-run.ts";
import type { CowRule } from "../../src/memory/index.ts";
import { type Counter, type Scheme, findScheme } from "../../src/schemes/index.ts";

export const OPERATIONS = [
  "fork",
  "munmap",
  "remap",
  "cow-byte",
  "reuse-byte",
  "child-reuse-byte",
  "pte-dontneed",
] as const;
export type Operation = (typeof OPERATIONS)[number];

/** One batch of mapping events, as the model emitted it. */
export interface Batch {
  readonly kind: "add" | "dup" | "remove";
  readonly folio: number;
  /** Of the folio, at this moment. */
  readonly order: number;
  readonly first: number;
  readonly pageCount: number;
  readonly level: Level;
  readonly table: number;
  readonly vma: number;
  readonly mm: number;
}

type WorkOfModel = Readonly<Partial<Record<WorkName, number>>>;

/** An operation: what happened before it, what it did, and the work in it. */
export interface OperationHistory {
  readonly operation: Operation;
  readonly pages: number;
  readonly before: readonly Batch[];
  readonly during: readonly Batch[];
  /** As the model counts it. Tables, of which 512 entries share one, are in the prices of entries. */
  readonly work: WorkOfModel;
  readonly largeFoliosFreed: number;
  /** System calls made one a page; 0 where one does it all. */
  readonly calls: number;
}

const PAGE_BYTES = 4096;
const PMD_ORDER = 9;
const START = 0x2_0000_0000;
/** Enough for the largest history here: its pages, their copies, and what alignment costs. */
const FRAMES = 16_384;

/** The scenario's lines before the operation and in it. */
function linesOf(operation: Operation, order: number, pages: number): { before: string[]; during: string[] } {
  const length = `${pages * 4}k`;
  const pageLines = (step: number, line: (address: string) => string[]): string[] =>
    Array.from({ length: pages / step }, (_, i) => line(`0x${(START + i * step * PAGE_BYTES).toString(16)}`)).flat();
  const split = pageLines(2 ** PMD_ORDER, (address) => [`P mprotect ${address} 4k r`, `P mprotect ${address} 4k rw`]);
  const before = [
    "spawn P",
    `P mmap a 0x${START.toString(16)} ${length} rw anon,priv`,
    `P madvise @a ${length} ${order === 0 ? "nohugepage" : "hugepage"}`,
    `P touch @a ${length} w`,
    ...(order === PMD_ORDER && operation !== "remap" ? split : []),
  ];
  switch (operation) {
    case "fork":
      return { before, during: ["P fork C"] };
    case "munmap":
      return { before, during: [`P munmap @a ${length}`] };
    case "remap":
      return { before, during: split };
    case "cow-byte":
      return { before: [...before, "P fork C"], during: [`P touch @a ${length} w`] };
    case "reuse-byte":
      return { before: [...before, "P fork C", "C exit"], during: [`P touch @a ${length} w`] };
    case "child-reuse-byte":
      return { before: [...before, "P fork C", `P munmap @a ${length}`], during: [`C touch @a ${length} w`] };
    case "pte-dontneed":
      return { before, during: pageLines(1, (address) => [`P madvise ${address} 4k dontneed`]) };
  }
}

/** Keeps what its counter hears. */
class Recorder {
  batches: Batch[] = [];
  freedOrders: number[] = [];

  /** The scheme of the kernel, with ears. */
  scheme(scheme: Scheme): Scheme {
    return { ...scheme, createCounter: (context) => this.listen(scheme.createCounter(context), context.orders) };
  }

  private listen(counter: Counter, orders: ArrayLike<number>): Counter {
    const keep =
      (kind: Batch["kind"]): Counter["add"] =>
      (folio, first, pageCount, level, table, vma, mm) => {
        this.batches.push({ kind, folio, order: orders[folio], first, pageCount, level, table, vma, mm });
      };
    counter.add = keep("add");
    counter.dup = keep("dup");
    counter.remove = keep("remove");
    counter.freed = (folio) => void this.freedOrders.push(orders[folio]);
    return counter;
  }

  /** What was kept since the last call. */
  take(): { readonly batches: Batch[]; readonly freedOrders: number[] } {
    const { batches, freedOrders } = this;
    this.batches = [];
    this.freedOrders = [];
    return { batches, freedOrders };
  }
}

function schemeNamed(id: string): Scheme {
  const scheme = findScheme(id);
  if (scheme === undefined) throw new Error(`there is no scheme ${id}`);
  return scheme;
}

/** The operation on `pages` pages (a multiple of 512) in folios of one order, mapped by PTEs. Throws if a command fails. */
export function recordOperation(
  operation: Operation,
  order: number,
  pages: number,
  cowRule: CowRule = "large-reuse",
): OperationHistory {
  const recorder = new Recorder();
  const machine = createCountedMachine({
    config: "page",
    cowRule,
    schemes: [recorder.scheme(schemeNamed("page"))],
    frameCount: FRAMES,
    nodeCount: 1,
    keepContents: false,
  });
  const run = new ModelRun(machine);
  // As a command this could not be said of 32 KiB, a size that the laboratory keeps for itself.
  for (let size = 0; size <= PMD_ORDER; size++) machine.memory.thp.size[size] = size === order ? "madvise" : "never";
  const { before, during } = linesOf(operation, order, pages);
  const { commands } = scenarioOf(`${[...before, ...during].join("\n")}\n`, "headlines.scn");
  runAll(run, commands.slice(0, before.length));
  const past = recorder.take();
  const workBefore = { ...machine.work };
  runAll(run, commands.slice(before.length));
  const present = recorder.take();
  return {
    operation,
    pages,
    before: past.batches,
    during: present.batches,
    work: workOf(operation, difference(machine.work, workBefore), present.freedOrders),
    largeFoliosFreed: present.freedOrders.filter((freed) => freed > 0).length,
    calls: operation === "pte-dontneed" ? pages : 0,
  };
}

function runAll(run: ModelRun, commands: readonly ScenarioCommand[]): void {
  for (const command of commands) {
    const result = runCommand(run, command);
    if (/-E[A-Z]|!!|died/.test(result)) throw new Error(`${command.echo}${result}`);
  }
}

/** What the operation did besides counting that has a price of its own. */
function workOf(operation: Operation, work: WorkOfModel, freedOrders: readonly number[]): WorkOfModel {
  const pick = (...names: WorkName[]): WorkOfModel => Object.fromEntries(names.map((name) => [name, work[name]]));
  switch (operation) {
    case "fork":
      return pick("entry-copied");
    case "munmap":
    case "pte-dontneed":
      return { ...pick("entry-cleared"), "page-freed": freedOrders.filter((order) => order === 0).length };
    case "remap":
      return pick("entry-set");
    case "cow-byte":
    case "reuse-byte":
    case "child-reuse-byte":
      return pick("fault", "entry-set", "entry-cleared", "page-allocated", "page-copied");
  }
}

function difference(after: WorkOfModel, before: WorkOfModel): WorkOfModel {
  return Object.fromEntries(WORK_NAMES.map((name) => [name, (after[name] ?? 0) - (before[name] ?? 0)]));
}
