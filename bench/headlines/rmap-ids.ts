/**
 * 3.6 and 3.7: the stages of the rmap-id series on two machines, and what many children do to one folio's lines.
 *
 * Contention is not simulated: it is assumed that while many children fault on the same folios, the first access to each
 * line of the folio that all of them write finds it modified in another core's cache, and what else is on that line does
 * not. How many such lines a fault meets is a property of the kernel, stated below. anon-cow-seq maps the folio's PMD to
 * PTEs in each child, then copies its pages one by one.
 */
import { ratioOfTerms } from "../../src/study/index.ts";
import { TOLERANCE, compareKernels, historyOf } from "./folio-sizes.ts";
import type { Operation } from "./histories.ts";
import { type Headline, changeOfRuntime, changeOfThroughput } from "./judge.ts";
import { type Kernel, LINUX_6_12, LINUX_6_8, MM_ID, NO_PAGE_MAPCOUNT, RMAP_ID_STAGES } from "./kernels.ts";
import { type Machine, XEON, epyc7313, termsOfOperation } from "./prices.ts";
import {
  OWNER_TRACKING_THROUGHPUT,
  RMAP_ID_AMD,
  RMAP_ID_INTEL,
  RMAP_ID_THROUGHPUT,
  ROBOT,
  STAGES,
  STAGE_COLUMNS,
  type StageColumn,
} from "./published.ts";

const ORDER = 9;

/** The history behind a column, and whether its user writes the whole page. */
function operationOf(column: StageColumn): { readonly operation: Operation; readonly isWholePageWritten: boolean } {
  switch (column) {
    case "cow":
      return { operation: "cow-byte", isWholePageWritten: true };
    case "reuse":
      return { operation: "reuse-byte", isWholePageWritten: true };
    case "remap":
    case "munmap":
    case "fork":
    case "cow-byte":
    case "reuse-byte":
    case "pte-dontneed":
      return { operation: column, isWholePageWritten: false };
  }
}

/** Rows that fit.ts computes prices from: stage and column. */
const FITTED_INTEL: ReadonlySet<string> = new Set([
  "total mapcount only remap",
  "+ batch remap remap",
  "+ rmap-id cow-byte",
  "+ rmap-id reuse",
  "+ 1/2/3 values pte-dontneed",
]);
const FITTED_AMD: ReadonlySet<string> = new Set(["+ rmap-id munmap", "+ rmap-id reuse"]);

const AMD_REMARK =
  "no time of this machine is published, so its work is the Xeon's; where its first extra atomic of a page is dear and " +
  "eight more are nearly free, one price of an atomic cannot follow";

/** Of the Intel tables: what is known about rows that do not come out. */
function remarkOf(isIntel: boolean, stage: string, column: StageColumn): string | undefined {
  if (!isIntel) return AMD_REMARK;
  if (column === "fork" && stage === "+ rmap-id") {
    return "published: eight atomics more are 6.3 ns each; the fitted price is 8.0";
  }
  if (column === "fork" && (stage.startsWith("+ exclusive") || stage.startsWith("+ add-return"))) {
    return "these two stages count alike: another instruction for the same purpose";
  }
  if (column === "munmap")
    return "published: the total is free and eight atomics more are 5.5 ns each; the fitted price is 8.0";
  if (column === "pte-dontneed" && stage === "+ batch remap") {
    return "published: it falls by half with a change of another operation, which no count of this one can show";
  }
  if (column === "remap" && stage === "+ 1/2/3 values") {
    return "published: three atomics less save 15 points of 124; at the fitted price of one they save 40";
  }
  return undefined;
}

/** The table of one machine: seven stages, eight columns. */
function stageTable(name: string, machine: Machine, published: readonly (readonly number[])[]): Headline[] {
  const isIntel = machine === XEON;
  const fitted = isIntel ? FITTED_INTEL : FITTED_AMD;
  return STAGE_COLUMNS.flatMap((column, place) =>
    STAGES.map((stage, row): Headline => {
      const { operation, isWholePageWritten } = operationOf(column);
      const value = published[row][place];
      const isReuseByte = column === "reuse-byte" && row > 0;
      const remark = remarkOf(isIntel, stage, column);
      return {
        section: "3.7",
        series: `${column}, ${name}`,
        label: stage,
        published: { kind: "figure", value },
        model: changeOfRuntime(
          compareKernels({
            machine,
            kernel: RMAP_ID_STAGES[row],
            against: LINUX_6_8,
            operation,
            order: ORDER,
            options: { isWholePageWritten },
          }),
        ),
        basis: fitted.has(`${stage} ${column}`) ? "fitted" : "predicted",
        // Before ids there is nothing to reuse by: a copy as before.
        tolerance: column === "reuse-byte" && !isReuseByte ? TOLERANCE["cow-byte"] : TOLERANCE[column],
        ...(remark === undefined ? {} : { remark }),
      };
    }),
  );
}

/**
 * Lines of a folio that a fault finds modified elsewhere: of the reference count, of the page's own mapcount, of the large
 * mapcount or the lock in its place, of the rmap values. A lock that others wait for meets its line once more when it is
 * released, because they have it by then: so with the robot's 256 threads, and not with 20 children.
 */
interface ContendedLines {
  readonly kernel: Kernel;
  readonly lines: number;
}

const LINES_6_8 = 2;
const LINES_6_12 = 3;
const LINES_MM_ID = 3;
const LINES_MM_ID_WAITED_FOR = 4;
const LINES_NO_PAGE_MAPCOUNT = 2;
/** By stage. The values lie on one line, with or without all six. */
const LINES_OF_STAGE: readonly number[] = [3, 4, 4, 4, 4, 4, 4];

/** anon-cow-seq: all children remap and copy the same folio; `other` is what the lines are compared with. */
function cowSequence(
  machine: Machine,
  kernel: ContendedLines,
  against: ContendedLines,
): NonNullable<Headline["model"]> {
  const termsOf = ({ kernel: counting, lines }: ContendedLines) => {
    const copies = termsOfOperation(machine, counting, historyOf("cow-byte", ORDER), { contendedPerPage: lines });
    const remaps = termsOfOperation(machine, counting, historyOf("remap", ORDER));
    return copies.map(({ unit, times }, place) => ({
      // Units that only one of the two pays have no price in the other.
      unit: unit.ns === 0 ? remaps[place].unit : unit,
      times: times + remaps[place].times,
    }));
  };
  return changeOfThroughput(ratioOfTerms(termsOf(kernel), termsOf(against)));
}

const LINES_REMARK =
  "each line is assumed to be met in another cache by every fault; after a remap in one batch children meet less often";

function throughputOfStages(name: string, machine: Machine, published: readonly number[]): Headline[] {
  return STAGES.map((label, row) => ({
    section: "3.7",
    series: `anon-cow-seq throughput, 20 children, ${name}`,
    label,
    published: { kind: "figure", value: published[row] },
    model: cowSequence(
      machine,
      { kernel: RMAP_ID_STAGES[row], lines: LINES_OF_STAGE[row] },
      { kernel: LINUX_6_8, lines: LINES_6_8 },
    ),
    basis: machine === XEON && row === 0 ? "fitted" : "predicted",
    tolerance: TOLERANCE.munmap,
    ...(row >= 3 ? { remark: LINES_REMARK } : {}),
  }));
}

/** 3.5's vm-scalability, and the robot's report. */
function ownerTrackingThroughput(): Headline[] {
  const before = { kernel: LINUX_6_12, lines: LINES_6_12 };
  const random = compareKernels({
    machine: XEON,
    kernel: MM_ID,
    against: LINUX_6_12,
    operation: "cow-byte",
    order: ORDER,
  });
  const shared = { basis: "predicted", tolerance: TOLERANCE.munmap } as const;
  const { cowSeqMmId, cowSeqNoMapcount, cowRandBelow } = OWNER_TRACKING_THROUGHPUT;
  return [
    {
      ...shared,
      section: "3.5",
      series: "anon-cow-seq throughput, 20 children",
      label: MM_ID.title,
      published: { kind: "figure", value: cowSeqMmId },
      model: cowSequence(XEON, { kernel: MM_ID, lines: LINES_MM_ID }, before),
    },
    {
      ...shared,
      section: "3.5",
      series: "anon-cow-seq throughput, 20 children",
      label: NO_PAGE_MAPCOUNT.title,
      published: { kind: "figure", value: cowSeqNoMapcount },
      model: cowSequence(XEON, { kernel: NO_PAGE_MAPCOUNT, lines: LINES_NO_PAGE_MAPCOUNT }, before),
      remark: "without page mapcounts one line less is written by all children",
    },
    {
      ...shared,
      section: "3.5",
      series: "anon-cow-rand throughput, 20 children",
      label: MM_ID.title,
      published: { kind: "within", value: cowRandBelow },
      model: changeOfThroughput(random),
      remark: "children are on different folios: no line is contended",
    },
    {
      ...shared,
      section: "3.6",
      series: "anon-cow-seq throughput, 256 threads",
      label: MM_ID.title,
      published: { kind: "figure", value: ROBOT.throughput },
      model: cowSequence(XEON, { kernel: MM_ID, lines: LINES_MM_ID_WAITED_FOR }, before),
      remark:
        "another machine: only the sign is meant; the run did 16.5 % less work, and how much of it is the lock is open",
    },
    {
      ...shared,
      section: "3.6",
      series: "lines found modified in another cache, 256 threads",
      label: MM_ID.title,
      published: { kind: "figure", value: ROBOT.linesFoundModified },
      model: exactly((LINES_MM_ID_WAITED_FOR / LINES_6_12 - 1) * 100),
      tolerance: 15,
      remark: "per fault, by the assumption itself: the release of a lock that is waited for finds its line gone",
    },
  ];
}

function exactly(middle: number): NonNullable<Headline["model"]> {
  return { middle, low: middle, high: middle };
}

/** All rows of 3.6 and 3.7, and those of 3.5 that concern many children. */
export function rmapIdHeadlines(): Headline[] {
  const amd = epyc7313();
  return [
    ...ownerTrackingThroughput(),
    ...stageTable("Intel Xeon Silver 4210R", XEON, RMAP_ID_INTEL),
    ...throughputOfStages("Intel Xeon Silver 4210R", XEON, RMAP_ID_THROUGHPUT.intel),
    ...stageTable("AMD EPYC 7313", amd, RMAP_ID_AMD),
    ...throughputOfStages("AMD EPYC 7313", amd, RMAP_ID_THROUGHPUT.amd),
  ];
}
