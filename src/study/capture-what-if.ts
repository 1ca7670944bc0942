/**
 * A captured machine with what-if steps, ready to be compared: the history, and what a comparison says of it.
 */
import type { Capture } from "../capture/index.ts";
import type { StudiedHistory } from "../scenario/index.ts";
import type { Scheme } from "../schemes/index.ts";
import { createCaptureHistory } from "./capture-history.ts";
import { parseWhatIf } from "./capture-what-if-steps.ts";
import type { StudyOptions, WorkloadFacts } from "./compare-history.ts";

/** What the comparison of a capture begins with. */
export interface WhatIf {
  readonly history: StudiedHistory;
  readonly facts: WorkloadFacts;
  /** Schemes that cannot count what this machine maps. */
  readonly excluded: NonNullable<StudyOptions["excluded"]>;
  readonly processesNow: () => number;
  /** Sentences about what the machine lacks of the capture, and what depends on its order. */
  readonly notes: readonly string[];
}

/** The state of a capture is replayed in one order; these weights of schemes are drawn anew for each seed. */
const SEED = 1;

/**
 * The machine of an open capture, and the steps on it. The capture may be closed when this has resolved. Throws BadWhatIf
 * for steps that cannot be.
 *
 * @example what exit of a process changes
 * ```ts
 * const whatIf = await openWhatIf(capture, ["fork 1234 2; exit 1234.1"], SCHEMES);
 * ```
 */
export async function openWhatIf(
  capture: Capture,
  thenTexts: readonly string[],
  schemes: readonly Scheme[],
): Promise<WhatIf> {
  const steps = parseWhatIf(thenTexts);
  const { history, machine, facts: captured } = await createCaptureHistory(capture, steps, { schemes, seed: SEED });
  return {
    history,
    excluded: machine.excluded.map(({ id }) => ({
      id,
      reason: "counts PMD entries only where they map a whole folio; here some map parts of larger folios",
    })),
    processesNow: () => machine.mmCount,
    facts: {
      id: "capture",
      title: `a captured machine, then ${steps.map(({ text }) => text).join("; ")}`,
      source: sourceOf(capture),
      parameters: { processes: captured.processes, addressSpaces: captured.addressSpaces, folios: captured.folios },
      seed: SEED,
      processesMax: captured.addressSpaces,
    },
    notes: notesOf(capture, captured),
  };
}

function sourceOf({ machine }: Capture): string {
  return `Linux ${machine.kernelRelease}, captured ${new Date(machine.beganAtMs).toISOString()}`;
}

function notesOf(
  { wholeMachine, folios }: Capture,
  facts: Awaited<ReturnType<typeof createCaptureHistory>>["facts"],
): string[] {
  const notes = [
    "The state is replayed process by process, parents first, then by pid; what depends on the order (owner slots, the " +
      "shared bit) may have been otherwise: the report's ranges say how far.",
    "fork copies the page tables of private mappings with an anonymous page now; one whose pages are all swapped out counts " +
      "as without.",
  ];
  const outside = folios.mappedOutside.subarray(0, folios.count).reduce((sum, pages) => sum + Math.sign(pages), 0);
  if (outside > 0)
    notes.push(`Large folios that processes map which were not read, and which do not count: ${outside}.`);
  if (!wholeMachine) notes.push("Only some of the machine's processes were captured; the others do not count.");
  if (facts.pagesNotCounted > 0) {
    notes.push(`Mapped pages that no kernel counts (zero pages, device memory): ${facts.pagesNotCounted}.`);
  }
  if (facts.hugetlbPagesLeftOut > 0) {
    notes.push(`Pages left out, of hugetlb folios whose size no single entry maps: ${facts.hugetlbPagesLeftOut}.`);
  }
  return notes;
}
