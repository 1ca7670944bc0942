/**
 * The made-up capture (made-up-capture.ts) at other times: what a recording may find changed, and all that a capture says,
 * so that two can be compared.
 */
import * as fc from "fast-check";
import type { StoredCapture } from "../src/capture/open-capture.ts";
import { figuresOf } from "./captured-child.ts";
import { MADE_UP_FRAMES, MADE_UP_RUNS, type MadeUpRun, madeUpFacts, writeMadeUpCapture } from "./made-up-capture.ts";

/** What differs from the made-up capture. */
export interface Change {
  /** Runs left out, by index. */
  readonly without: readonly number[];
  /** Frames that the first run goes to. */
  readonly frame: number;
  readonly name: string;
  readonly vmRssBytes: number;
  /** The process that ended is gone, and so is its VMA. */
  readonly withoutEnded: boolean;
  readonly flags: number;
  readonly withCgroup: boolean;
}

/** Nothing. */
export const AS_IT_IS: Change = {
  without: [],
  frame: 700,
  name: "planted-comm",
  vmRssBytes: 4096,
  withoutEnded: false,
  flags: 0x5868,
  withCgroup: true,
};

/** Any change. */
export const change: fc.Arbitrary<Change> = fc.record({
  without: fc.subarray([1, 2, 3, 7, 8, 9, 12, 13, 15, 16]),
  frame: fc.integer({ min: 650, max: 700 }),
  name: fc.constantFrom("planted-comm", "", "a\u001b[31m\uFEFF", "name"),
  vmRssBytes: fc.integer({ min: 0, max: 2 ** 40 }),
  withoutEnded: fc.boolean(),
  flags: fc.constantFrom(0x5868, 0x5828, -1),
  withCgroup: fc.boolean(),
});

/** Writes the made-up capture with a change, as if it was taken then. */
export function writeChanged(directory: string, { without, frame, name, vmRssBytes, ...rest }: Change): void {
  const facts = madeUpFacts();
  const runs = MADE_UP_RUNS.flatMap((run, index): MadeUpRun[] => {
    if (without.includes(index)) return [];
    if (rest.withoutEnded && run.vma === 3) return [];
    const vma = rest.withoutEnded && run.vma === 4 ? 3 : run.vma;
    return [{ ...run, vma, ...(index === 0 ? { frame } : {}) }];
  });
  const [first, ...others] = facts.processes;
  const processes = [{ ...first, name, status: { ...first.status, vmRssBytes } }, ...others];
  const kept = rest.withoutEnded
    ? processes
        .filter(({ pid }) => pid !== 102)
        .map((each) => (each.pid === 103 ? { ...each, mm: 1, firstVma: 3, endVma: 4 } : each))
    : processes;
  writeMadeUpCapture(directory, runs, {
    ...facts,
    processes: kept,
    ...(rest.withoutEnded
      ? { vmas: facts.vmas.filter((_, index) => index !== 3), mmOfVma: Int32Array.of(0, 0, 0, 1) }
      : {}),
    small: { ...facts.small, flagsLow: facts.small.flagsLow.with(1, rest.flags) },
    folioCgroups: rest.withCgroup ? facts.folioCgroups : new Map(),
  });
}

/** All that a capture says, so that two can be compared. Closes it. */
export async function contentOf(capture: StoredCapture): Promise<unknown> {
  const { files: _, ...about } = capture.manifest;
  const runs = (await capture.presentRuns()).flatMap(({ count, vma, page, frame, pages, step, level, file }) =>
    Array.from({ length: count }, (__, row) =>
      [vma[row], page[row], frame[row], pages[row], step[row], level[row], file[row]].join(" "),
    ),
  );
  const content = {
    about,
    machine: capture.machine,
    processes: capture.processes,
    vmas: capture.vmas,
    mmOfVma: [...capture.mmOfVma],
    folioCgroups: [...capture.folioCgroups],
    corrected: capture.frames.corrected,
    runs: runs.toSorted(),
    figures: await figuresOf(capture),
    smaps: capture.vmas.map((___, row) => capture.smapsOf(row)),
    flags: Array.from({ length: MADE_UP_FRAMES }, (____, pfn) => capture.flagsOfFrame(pfn)),
  };
  await capture.close();
  return content;
}
