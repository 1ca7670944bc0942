/**
 * Operations in time: the counts of each under each scheme times a price list, and the ratio to one of the schemes.
 *
 * Every operation enters the kernel and leaves it. Where the machine counts no fault for that, one is charged: the nearest
 * price there is. So no operation takes no time, and counting that costs something where nothing else does is compared with
 * a system call and not with nothing.
 */
import type { CostProfile } from "../schemes/index.ts";
import type { OperationRow } from "./comparison.ts";
import { ratioOfTimes, timeOf } from "./cost-model.ts";
import type { Counts, CountedOperation } from "./operation-tally.ts";

/** One row an operation. `against`: position of the scheme that ratios compare with. */
export function priceOperations(
  operations: readonly CountedOperation[],
  { profile, against }: { readonly profile: CostProfile; readonly against: number },
): OperationRow[] {
  return operations.map(({ operation, count, entries, byScheme }) => {
    const base = entering(byScheme[against], count);
    return {
      operation,
      count,
      entries,
      byScheme: byScheme.map((counts) => {
        const entered = entering(counts, count);
        const { total, counting } = timeOf(entered, profile);
        const { worst } = counts;
        return {
          counting: counts.counting,
          time: total,
          countingTime: counting,
          ratio: ratioOfTimes(entered, base, profile),
          worst: {
            ratio: ratioOfTimes(entering(worst.counts, 1), entering(worst.against, 1), profile),
            line: worst.line,
            text: worst.text,
          },
        };
      }),
    };
  });
}

/** With one fault for each time that the kernel was entered, at least; a scan enters it once for very many items. */
function entering({ counting, work }: Counts, count: number): Counts {
  if (work["page-scanned"] > 0) return { counting, work };
  return { counting, work: { ...work, fault: Math.max(work.fault, count) } };
}
