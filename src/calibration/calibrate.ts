/**
 * Measures what each unit of cost takes on this machine: instructions and lines in JavaScript, contention between worker
 * threads, and with a compiler the kernel's own work (and instructions once more, which C measures more closely).
 *
 * Nothing is changed on the machine. What cannot be measured is no error: its units have the reference profile's prices and
 * say why.
 */
import type { CostProfile } from "../schemes/index.ts";
import { CannotMeasure } from "./bad-cost-profile.ts";
import {
  type CalibratedProfile,
  type CalibrationControl,
  type CostUnit,
  type PricedUnit,
  assembleProfile,
} from "./calibrated-profile.ts";
import { timeContention } from "./contended-atomics.ts";
import { CONTENDERS_MAX } from "./contention-protocol.ts";
import { type LoopSizes, makeLineArena, timeInstructions } from "./instruction-loops.ts";
import { type LoopLanguage, instructionUnits } from "./instruction-units.ts";
import { type KernelTimerSizes, timeKernel } from "./kernel-timings.ts";
import { kernelControls, kernelUnits, whyNotMeasured } from "./kernel-units.ts";
import { describeMachine, linesOfWorkingSet } from "./machine-description.ts";
import { type Timings, estimate } from "./order-statistics.ts";

export interface CalibrateOptions {
  /** Prices for what cannot be measured. */
  readonly reference: CostProfile;
  /** Threads that contend; if not given, one for each processor, at most CONTENDERS_MAX. */
  readonly threads?: number;
  /** Fewer and smaller repetitions: a second or two, and wider ranges. */
  readonly quick?: boolean;
  /** Told often: what is being measured, and how far it is from 0 to 1. */
  readonly onProgress?: (step: string, share: number) => void;
}

interface Sizes {
  readonly loops: { readonly repetitions: number; readonly operations: number };
  readonly contention: { readonly rounds: number; readonly operations: number };
  readonly kernel: Omit<KernelTimerSizes, "lines">;
}

const FULL: Sizes = {
  loops: { repetitions: 15, operations: 1_000_000 },
  contention: { rounds: 40, operations: 20_000 },
  kernel: { repetitions: 25, operations: 1_000_000, pages: 16_384, tables: 1024, folios: 32 },
};

const QUICK: Sizes = {
  loops: { repetitions: 5, operations: 200_000 },
  contention: { rounds: 12, operations: 10_000 },
  kernel: { repetitions: 5, operations: 200_000, pages: 8192, tables: 256, folios: 32 },
};

/** The profile of this machine. Throws only for a bug. */
export async function calibrate(options: CalibrateOptions): Promise<CalibratedProfile> {
  const { reference, quick = false, onProgress = () => undefined } = options;
  const sizes = quick ? QUICK : FULL;
  const lines = linesOfWorkingSet();
  const workingSet = `${(lines * 64) / 2 ** 20} MiB`;
  const measured = new Map<CostUnit, PricedUnit>();
  const controls: CalibrationControl[] = [];
  const take = (units: ReadonlyMap<CostUnit, PricedUnit>): void => {
    for (const [unit, priced] of units) measured.set(unit, priced);
  };
  const loops = await repeatLoops({ ...sizes.loops, lines }, onProgress);
  take(instructionUnits(loops, { language: "JavaScript", workingSet }));
  const { processors } = describeMachine(new Date());
  const threads = options.threads ?? Math.min(CONTENDERS_MAX, processors);
  const contention = await orReason(
    timeContention({ ...sizes.contention, threads, processors }, (done) =>
      onProgress("contended atomics", done / sizes.contention.rounds),
    ),
  );
  if (Array.isArray(contention)) {
    measured.set("contendedAtomic", contendedUnit(contention, threads));
    controls.push(...contentionControls(contention));
  }
  const kernel = await orReason(
    timeKernel({ ...sizes.kernel, lines }, (done) => onProgress("the kernel", done / sizes.kernel.repetitions)),
  );
  const machine = describeMachine(new Date());
  if (Array.isArray(kernel)) {
    take(instructionUnits(kernel, { language: "C", workingSet }));
    take(kernelUnits(kernel, machine.mapcountConfig));
    controls.push(...loopControls(loops, "JavaScript"), ...kernelControls(kernel));
  }
  controls.push(...lineControls(Array.isArray(kernel) ? kernel : loops, workingSet));
  return assembleProfile({
    machine,
    reference,
    measured,
    controls,
    missing: (unit) => {
      if (unit === "contendedAtomic" && typeof contention === "string") return contention;
      return typeof kernel === "string" ? kernel : whyNotMeasured(unit);
    },
  });
}

/** Repetitions of loops before they count. */
const WARMING_UP = 4;

async function repeatLoops(
  sizes: LoopSizes & { readonly repetitions: number },
  onProgress: (step: string, share: number) => void,
): Promise<Timings[]> {
  const arena = makeLineArena(sizes.lines);
  const now = (): number => performance.now();
  const rows: Timings[] = [];
  // The first find loops that are not compiled yet, or only in part.
  for (let warming = 0; warming < WARMING_UP; warming++) timeInstructions(arena, sizes, now);
  for (let done = 1; done <= sizes.repetitions; done++) {
    rows.push(timeInstructions(arena, sizes, now));
    onProgress("instructions and lines", done / sizes.repetitions);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return rows;
}

/** Timings, or the sentence why there are none. */
async function orReason(timings: Promise<Timings[]>): Promise<Timings[] | string> {
  try {
    return await timings;
  } catch (error) {
    if (error instanceof CannotMeasure) return error.message;
    throw error;
  }
}

function contendedUnit(rounds: readonly Timings[], threads: number): PricedUnit {
  return {
    cost: estimate(rounds, (middle) => middle("one-word")),
    origin: {
      how: "measured",
      by: `JavaScript: ${threads} worker threads add to one word of shared memory, ${rounds.length} rounds.`,
    },
  };
}

function contentionControls(rounds: readonly Timings[]): CalibrationControl[] {
  return [
    {
      name: "false sharing",
      cost: estimate(rounds, (middle) => middle("one-line")),
      text: "The same threads, a word each on one line: as dear as one word.",
    },
    {
      name: "no sharing",
      cost: estimate(rounds, (middle) => middle("own-lines")),
      text: "The same threads, each on a line of its own: as cheap as alone.",
    },
  ];
}

function loopControls(loops: readonly Timings[], language: LoopLanguage): CalibrationControl[] {
  return [
    {
      name: `atomic in ${language}`,
      cost: estimate(loops, (middle) => middle("atomic") - middle("loop")),
      text: `What ${language} finds where C measured the unit.`,
    },
    {
      name: `line in ${language}`,
      cost: estimate(loops, (middle) => middle("line-in-order")),
      text: `The same of a struct page's line.`,
    },
  ];
}

function lineControls(rows: readonly Timings[], workingSet: string): CalibrationControl[] {
  return [
    {
      name: "line, dependent",
      cost: estimate(rows, (middle) => middle("line-dependent")),
      text: `A line anywhere in ${workingSet}, each known only from the one before: a miss that is waited for.`,
    },
    {
      name: "line, random",
      cost: estimate(rows, (middle) => middle("line-random")),
      text: `Lines anywhere in ${workingSet}, several misses under way at once.`,
    },
  ];
}
