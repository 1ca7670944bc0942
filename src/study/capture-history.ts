/**
 * What if: steps on a captured machine, as a history that schemes can be compared over.
 *
 * Every step is checked against the capture before the first one runs, so that a history never stops half-way: processes
 * are there when they are named, ranges lie in mappings, what is written is private and writable. A write changes entries
 * where the kernel would copy (kernel-facts 4.1): a file's page in a private mapping, a KSM page, an anonymous page of a
 * folio that another address space maps; any other page is reused in place and no entry changes. Only pages that are
 * there are written: what a fault would bring in depends on settings that a capture does not hold.
 */
import type { Capture, CapturedProcess } from "../capture/index.ts";
import type { MapsVma } from "../kernel/index.ts";
import { ANON, HUGETLB_ANON, HUGETLB_FILE } from "../memory/index.ts";
import { type EntryMachine, type StudiedHistory, historyOfSteps } from "../scenario/index.ts";
import { NO, type Scheme } from "../schemes/index.ts";
import { BadWhatIf, type WhatIfPlace, type WhatIfStep } from "./capture-what-if-steps.ts";
import { type CapturedMachine, type CapturedMachineFacts, buildCapturedMachine } from "./captured-machine.ts";

/** Pages of an address space, from the first to behind the last. */
interface PageRange {
  readonly startPage: number;
  readonly endPage: number;
}

/** A step whose process and place are known to be there. */
interface PlannedStep {
  readonly step: WhatIfStep;
  readonly ranges: readonly PageRange[];
  /** The captured process that it is, or descends from: whose mappings it has. */
  readonly origin: CapturedProcess;
}

/** A history on a captured machine, and what it begins with. */
export interface CaptureHistory {
  readonly history: StudiedHistory;
  readonly machine: EntryMachine;
  readonly facts: CapturedMachineFacts;
}

/** Builds the captured machine and its history. Throws BadWhatIf for steps that it cannot follow. */
export async function createCaptureHistory(
  capture: Capture,
  steps: readonly WhatIfStep[],
  { schemes, seed = 1 }: { readonly schemes: readonly Scheme[]; readonly seed?: number },
): Promise<CaptureHistory> {
  const plan = planSteps(capture, steps);
  const captured = await buildCapturedMachine(capture, {
    schemes,
    seed,
    spareFrames: (pagesOfPid) => plan.reduce((sum, planned) => sum + copiesAtMost(planned, pagesOfPid), 0),
  });
  const { machine, facts } = captured;
  for (const planned of plan) checkHugetlb(captured, planned);
  return { machine, facts, history: historyOfSteps(machine, runSteps(captured, plan)) };
}

/** A hugetlb page is unmapped as a whole or not at all: munmap refuses ranges that cut one (EINVAL). */
function checkHugetlb({ machine, mmOfPid }: CapturedMachine, { step, ranges, origin }: PlannedStep): void {
  const mm = mmOfPid.get(origin.pid);
  if (step.kind !== "unmap" || mm === undefined) return;
  const boundaries = ranges.flatMap(({ startPage, endPage }) => [startPage, endPage]);
  for (const vma of machine.vmasOf(mm)) {
    for (const boundary of boundaries) {
      const [run] = machine.runsIn(vma, boundary, 1);
      if (run === undefined || run.page >= boundary) continue;
      const kind = machine.kindOf(run.frame);
      if (kind !== HUGETLB_ANON && kind !== HUGETLB_FILE) continue;
      throw new BadWhatIf(`"${step.text}" cuts a hugetlb page: such ranges begin and end between two of them.`);
    }
  }
}

/** Pages that a step may copy: those it writes to, and no more than the process has. */
function copiesAtMost({ step, ranges, origin }: PlannedStep, pagesOfPid: ReadonlyMap<number, number>): number {
  if (step.kind !== "write") return 0;
  const written = ranges.reduce((sum, range) => sum + Math.ceil((range.endPage - range.startPage) / step.every), 0);
  return Math.min(written, pagesOfPid.get(origin.pid) ?? 0);
}

/** Holds every step against the capture and the steps before it. */
function planSteps(capture: Capture, steps: readonly WhatIfStep[]): PlannedStep[] {
  const read = capture.processes.filter(({ state, mm }) => mm >= 0 && (state === "complete" || state === "shares-mm"));
  const alive = new Map(read.map((process) => [String(process.pid), process]));
  const children = new Map<string, number>();
  return steps.map((step) => {
    const origin = alive.get(step.process);
    if (origin === undefined) throw new BadWhatIf(whyAbsent(capture, step));
    if (step.kind === "exit") alive.delete(step.process);
    if (step.kind === "fork") {
      for (let time = 0; time < step.times; time++) alive.set(nextChild(children, step.process), origin);
    }
    const vmas = capture.vmas.slice(origin.firstVma, origin.endVma);
    const ranges = step.kind === "unmap" || step.kind === "write" ? findRanges(step, vmas) : [];
    return { step, ranges, origin };
  });
}

function nextChild(children: Map<string, number>, process: string): string {
  const number = (children.get(process) ?? 0) + 1;
  children.set(process, number);
  return `${process}.${number}`;
}

function whyAbsent({ processes }: Capture, { process, text }: WhatIfStep): string {
  const known = processes.find(({ pid }) => String(pid) === process);
  if (known === undefined) return `"${text}": there is no process ${process} then; a forked child is called PID.1.`;
  if (known.state === "refused") return `"${text}": process ${process} could not be read when the capture was taken.`;
  if (known.state === "ended") return `"${text}": process ${process} ended while the capture was taken.`;
  return `"${text}": process ${process} has exited by then.`;
}

/** The pages that a place stands for; of a write, those that are private and writable. */
function findRanges(
  { kind, text, place }: Extract<WhatIfStep, { readonly place: WhatIfPlace }>,
  vmas: readonly MapsVma[],
): PageRange[] {
  const there =
    place.kind === "name"
      ? vmas.filter(({ name }) => name === place.name)
      : vmas.filter((vma) => vma.startPage < place.endPage && vma.endPage > place.startPage);
  if (there.length === 0) {
    throw new BadWhatIf(
      place.kind === "name"
        ? `"${text}": the process has no mapping of that name; names are those of /proc/PID/maps.`
        : `"${text}": nothing is mapped in that range.`,
    );
  }
  const wanted = kind === "unmap" ? there : there.filter(({ shared, write }) => write && !shared);
  if (wanted.length === 0) {
    throw new BadWhatIf(`"${text}" copies nothing: what is mapped there is shared or cannot be written to.`);
  }
  return wanted.map(({ startPage, endPage }) => ({
    startPage: place.kind === "range" ? Math.max(startPage, place.startPage) : startPage,
    endPage: place.kind === "range" ? Math.min(endPage, place.endPage) : endPage,
  }));
}

/** Does the steps; each fork of a step is a step of the history. */
function* runSteps(
  { machine, mmOfPid }: CapturedMachine,
  plan: readonly PlannedStep[],
): Generator<{ operation: string; text: string }> {
  const mms = new Map([...mmOfPid].map(([pid, mm]) => [String(pid), mm]));
  const children = new Map<string, number>();
  for (const { step, ranges } of plan) {
    const { process, text } = step;
    const mm = mms.get(process);
    if (mm === undefined) throw new Error(`invariant: process ${process} is there when its step runs`);
    if (step.kind === "fork") {
      for (let time = 0; time < step.times; time++) {
        const child = nextChild(children, process);
        mms.set(child, machine.forkMm(mm));
        yield { operation: "fork", text: `fork ${process} as ${child}` };
      }
    } else if (step.kind === "exit") {
      mms.delete(process);
      const isShared = [...mms.values()].includes(mm);
      // Whoever has the same address space keeps it (CLONE_VM).
      if (!isShared) machine.exitMm(mm);
      yield { operation: "exit", text: isShared ? `${text} (others have its address space)` : text };
    } else if (step.kind === "unmap") {
      for (const { startPage, endPage } of ranges) machine.munmap(mm, startPage, endPage - startPage);
      yield { operation: "munmap", text };
    } else {
      const copied = ranges.reduce((sum, range) => sum + writePages(machine, mm, range, step.every), 0);
      yield { operation: "copy", text: `${text} (${copied} pages copied)` };
    }
  }
}

/** Writes to every Nth page of a range; returns how many were copied. */
function writePages(machine: EntryMachine, mm: number, range: PageRange, every: number): number {
  let copied = 0;
  for (const vma of machine.vmasOf(mm)) {
    const { startPage, endPage } = machine.vmaOf(vma);
    const from = Math.max(startPage, range.startPage);
    const behind = Math.min(endPage, range.endPage);
    if (from >= behind) continue;
    // Copies change the runs, so what is to be copied is found first.
    const pages = pagesToCopy(machine, { vma, mm }, { startPage: from, endPage: behind }, range.startPage, every);
    for (const page of pages) machine.copyOnWrite(vma, page);
    copied += pages.length;
  }
  return copied;
}

function pagesToCopy(
  machine: EntryMachine,
  { vma, mm }: { readonly vma: number; readonly mm: number },
  { startPage, endPage }: PageRange,
  base: number,
  every: number,
): number[] {
  const found: number[] = [];
  for (const run of machine.runsIn(vma, startPage, endPage - startPage)) {
    const from = Math.max(run.page, startPage);
    const behind = Math.min(run.page + run.pages, endPage);
    for (let page = base + Math.ceil((from - base) / every) * every; page < behind; page += every) {
      if (mustCopy(machine, machine.headOf(run.frame + run.step * (page - run.page)), mm)) found.push(page);
    }
  }
  return found;
}

/** hugetlb pages are copied as a whole, to a pool that the machine has not: they are left alone. */
function mustCopy(machine: EntryMachine, folio: number, mm: number): boolean {
  const kind = machine.kindOf(folio);
  if (kind === HUGETLB_ANON || kind === HUGETLB_FILE) return false;
  return kind !== ANON || machine.truth.others(folio, mm) !== NO;
}
