/**
 * What operations cost under each scheme: counting by its meter, work by the machine, added up by the operation's name.
 *
 * A step is charged with what the meters and the work counters gain while it runs, and so with the decisions that it makes
 * under each scheme; what the study asks between two steps is charged to nobody. The machine does what one scheme decides.
 * Where another scheme would have copied pages that were not copied, or the other way round, its work differs by these
 * pages; all other consequences of a decision are counted as decisions and change no time. Beside the sums the one step is
 * kept that is the worst for a scheme: an average over many may hide it.
 */
import type { DecisionRecord, DecisionRule } from "../decisions/index.ts";
import { PAGE_SIZE_BYTES, WORK_NAMES, type WorkName } from "../kernel/index.ts";
import { COST_NAMES, type CostProfile, type CountingCost, NO, UNKNOWN, YES } from "../schemes/index.ts";
import type { HistoryStep, StudiedMachine } from "../scenario/index.ts";
import { namedCosts } from "./question-tally.ts";

const COSTS = COST_NAMES.length;
const WORKS = WORK_NAMES.length;
const FAULT = WORK_NAMES.indexOf("fault");
const PAGE_SCANNED = WORK_NAMES.indexOf("page-scanned");
/** Work that a copied page makes. */
const OF_A_COPY: readonly WorkName[] = ["page-copied", "page-allocated"];

/** What was done, once or many times, under one scheme. */
export interface Counts {
  readonly counting: Readonly<Record<CountingCost, number>>;
  readonly work: Readonly<Record<WorkName, number>>;
}

/** The counts of one operation. */
export interface CountedOperation {
  readonly operation: string;
  readonly count: number;
  /** Page-table entries copied, set or cleared. */
  readonly entries: number;
  /** One a scheme. Work differs between schemes only by pages copied. */
  readonly byScheme: readonly (Counts & {
    /** The step with the largest ratio to the same step under the scheme that is compared with. */
    readonly worst: { readonly counts: Counts; readonly against: Counts; readonly line: number; readonly text: string };
  })[];
}

/** The worst step of an operation under a scheme. */
interface WorstStep {
  readonly ratio: number;
  readonly costs: Float64Array;
  readonly costsAgainst: Float64Array;
  readonly work: Float64Array;
  readonly copies: number;
  readonly copiesAgainst: number;
  readonly step: HistoryStep;
}

interface Sums {
  count: number;
  readonly work: Float64Array;
  /** By scheme and cost. */
  readonly costs: Float64Array;
  /** By scheme: pages that it would have copied beyond those that were. */
  readonly copies: Float64Array;
  readonly worst: (WorstStep | undefined)[];
}

export class OperationTally {
  private readonly machine: StudiedMachine;
  private readonly against: number;
  private readonly operations = new Map<string, Sums>();
  private readonly costsBefore: Float64Array;
  private readonly workBefore = new Float64Array(WORKS);
  /** Of the step under way, and when it is done: what it cost. */
  private readonly copies: Float64Array;
  private readonly costs: Float64Array;
  private readonly work = new Float64Array(WORKS);
  /** Prices in nanoseconds. */
  private readonly costPrices: Float64Array;
  private readonly workPrices: Float64Array;
  private readonly copyPrice: number;

  /** `against`: position of the scheme that others are compared with. */
  constructor(
    machine: StudiedMachine,
    { profile, against }: { readonly profile: CostProfile; readonly against: number },
  ) {
    const rows = machine.studied.length;
    this.machine = machine;
    this.against = against;
    this.costsBefore = new Float64Array(rows * COSTS);
    this.costs = new Float64Array(rows * COSTS);
    this.copies = new Float64Array(rows);
    this.costPrices = Float64Array.from(COST_NAMES, (name) => profile.counting[name].ns);
    this.workPrices = Float64Array.from(WORK_NAMES, (name) => profile.work[name].ns);
    this.copyPrice = OF_A_COPY.reduce((sum, name) => sum + profile.work[name].ns, 0);
  }

  /** Call right before a step. */
  begin(): void {
    const { studied, work } = this.machine;
    for (let row = 0; row < studied.length; row++) this.costsBefore.set(studied[row].meter.totals, row * COSTS);
    for (let name = 0; name < WORKS; name++) this.workBefore[name] = work[WORK_NAMES[name]];
    this.copies.fill(0);
  }

  /** A decision of the step under way. */
  hear({ rule, situation, decisions, truth, taken }: DecisionRecord): void {
    const copyBytes = bytesOfCopy(rule);
    if (copyBytes === undefined) return;
    const wasCopied = taken === (copyBytes.answer === YES);
    for (let row = 0; row < decisions.length; row++) {
      const decision = decisions[row] === UNKNOWN ? truth : decisions[row];
      const copies = decision === copyBytes.answer;
      if (copies !== wasCopied) {
        this.copies[row] += ((copies ? 1 : -1) * copyBytes.bytes(situation)) / PAGE_SIZE_BYTES;
      }
    }
  }

  /** Call right after a step, before anything is asked. `scanned`: items of a scan, which are no step: many more are looked at each time that the kernel is entered. */
  end(step: HistoryStep, scanned = 0): void {
    const { studied, work } = this.machine;
    const rows = studied.length;
    let sums = this.operations.get(step.operation);
    if (sums === undefined) {
      const costs = new Float64Array(rows * COSTS);
      const copies = new Float64Array(rows);
      const worst = Array.from({ length: rows }, () => undefined);
      sums = { count: 0, work: new Float64Array(WORKS), costs, copies, worst };
      this.operations.set(step.operation, sums);
    }
    sums.count += scanned === 0 ? 1 : scanned;
    for (let name = 0; name < WORKS; name++) {
      this.work[name] = work[WORK_NAMES[name]] - this.workBefore[name] + (name === PAGE_SCANNED ? scanned : 0);
      sums.work[name] += this.work[name];
    }
    for (let row = 0; row < rows; row++) {
      const { totals } = studied[row].meter;
      for (let cost = 0; cost < COSTS; cost++) {
        const at = row * COSTS + cost;
        this.costs[at] = totals[cost] - this.costsBefore[at];
        sums.costs[at] += this.costs[at];
      }
      sums.copies[row] += this.copies[row];
    }
    this.findWorst(sums, step);
  }

  private findWorst({ worst }: Sums, step: HistoryStep): void {
    const { against, costs, copies, work, workPrices } = this;
    let workTime = work[FAULT] === 0 && work[PAGE_SCANNED] === 0 ? workPrices[FAULT] : 0;
    for (let name = 0; name < WORKS; name++) workTime += work[name] * workPrices[name];
    const base = this.timeOf(against, workTime);
    for (let row = 0; row < worst.length; row++) {
      const time = this.timeOf(row, workTime);
      const ratio = time === base ? 1 : time / base;
      if (ratio <= (worst[row]?.ratio ?? 0)) continue;
      worst[row] = {
        ratio,
        costs: costs.slice(row * COSTS, (row + 1) * COSTS),
        costsAgainst: costs.slice(against * COSTS, (against + 1) * COSTS),
        work: work.slice(),
        copies: copies[row],
        copiesAgainst: copies[against],
        step,
      };
    }
  }

  /** Nanoseconds of the step just done. */
  private timeOf(row: number, workTime: number): number {
    let time = workTime + this.copies[row] * this.copyPrice;
    for (let cost = 0; cost < COSTS; cost++) time += this.costs[row * COSTS + cost] * this.costPrices[cost];
    return time;
  }

  /** In the order in which operations were first seen. */
  results(): CountedOperation[] {
    return Array.from(this.operations, ([operation, { count, work, costs, copies, worst }]) => {
      const named = namedWork(work);
      return {
        operation,
        count,
        entries: named["entry-copied"] + named["entry-set"] + named["entry-cleared"],
        byScheme: Array.from(copies, (pages, row) => ({
          counting: namedCosts(costs, row * COSTS),
          work: pages === 0 ? named : withCopies(named, pages),
          worst: namedWorst(worst[row]),
        })),
      };
    });
  }
}

function namedWork(work: Float64Array): Record<WorkName, number> {
  return Object.fromEntries(WORK_NAMES.map((name, at) => [name, work[at]])) as Record<WorkName, number>;
}

function namedWorst(worst: WorstStep | undefined): CountedOperation["byScheme"][number]["worst"] {
  if (worst === undefined) throw new Error("invariant: an operation that was counted has a worst step");
  const { costs, costsAgainst, work, copies, copiesAgainst, step } = worst;
  return {
    counts: { counting: namedCosts(costs, 0), work: withCopies(namedWork(work), copies) },
    against: { counting: namedCosts(costsAgainst, 0), work: withCopies(namedWork(work), copiesAgainst) },
    line: step.line,
    text: step.text,
  };
}

function withCopies(work: Readonly<Record<WorkName, number>>, pages: number): Record<WorkName, number> {
  const changed = { ...work };
  for (const name of OF_A_COPY) changed[name] = Math.max(0, changed[name] + pages);
  return changed;
}

/** The answer by which a rule copies pages, and how many bytes; undefined: it copies none. */
function bytesOfCopy({
  wrongYes,
  wrongNo,
}: DecisionRule):
  | { readonly answer: typeof YES | typeof NO; readonly bytes: NonNullable<DecisionRule["wrongNo"]["bytes"]> }
  | undefined {
  if (wrongNo.kind === "needless-copy" && wrongNo.bytes !== undefined) return { answer: NO, bytes: wrongNo.bytes };
  if (wrongYes.kind === "needless-copy" && wrongYes.bytes !== undefined) return { answer: YES, bytes: wrongYes.bytes };
  return undefined;
}
