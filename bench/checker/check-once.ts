/**
 * One check in a process of its own: from the text to the verdict, with the memory that it took.
 *
 *     node check-once.js MMS MOST OPTIONS WORKERS       OPTIONS: CheckOptions as JSON; prints a Measured as JSON
 *
 * A process of its own, because that is what a user starts: the engine is cold, and nothing is left over from the last round.
 */
import { check, type CheckOptions, type CheckResult } from "../../src/checker/index.ts";
import { startSearch } from "../../src/study/index.ts";
import { twoSlots } from "./two-slots.ts";

/** What one round found. */
export interface Measured {
  readonly coverage: CheckResult["coverage"];
  readonly figures: CheckResult["figures"];
  /** Properties that do not hold. */
  readonly broken: readonly string[];
  /** From the text to the verdict. */
  readonly elapsedMs: number;
  readonly cpuMs: number;
  /** Of the whole process, the engine included. */
  readonly peakRssBytes: number;
}

async function measure(mms: number, most: number, options: CheckOptions, workers: number): Promise<Measured> {
  const began = performance.now();
  const { coverage, figures, properties } =
    workers === 1
      ? check(twoSlots(mms, most), options)
      : (await startSearch(twoSlots(mms, most), options, { workers }).done).result;
  const elapsedMs = performance.now() - began;
  const { user, system } = process.cpuUsage();
  return {
    coverage,
    figures,
    broken: properties.filter(({ outcome }) => outcome !== "holds").map(({ name }) => name),
    elapsedMs,
    cpuMs: (user + system) / 1000,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
  };
}

const [mms, most, options, workers] = process.argv.slice(2);
const measured = await measure(Number(mms), Number(most), JSON.parse(options) as CheckOptions, Number(workers));
process.stdout.write(JSON.stringify(measured));
