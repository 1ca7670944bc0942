/**
 * A story as a scenario: the same history made by processes of user space, where they can make it.
 *
 * User space decides which call comes after which, and nothing about what happens within one: a thread cannot be held
 * between two loads. So a story is a scenario exactly if its operations do not overlap; then each operation becomes the
 * call that does it (map: mmap and a read of the pages; unmap: munmap or MADV_DONTNEED; fork; a write; vmsplice), judged by the
 * entries that it set and cleared, and a question becomes a dump. What has no call is refused with the reason.
 *
 * The folio is as large as the story's: a memfd's of 8 kB and more, or an anonymous one of 16 kB and more (kernel-facts 3.5:
 * the orders that there are). File memory is mapped by VMAs of exactly the pages, because a fault maps a whole folio if
 * the VMA allows it (2.9); neighbours merge. Address space m is process `Mm`, `Mm_2` after it was forked anew.
 * The scenario language is docs/scenarios.md's.
 */
import type { Story, StoryStep } from "./check.ts";
import { initialState } from "./interpret.ts";
import type { StepMachine } from "./step-machine.ts";

/** A scenario, or the sentence that says why there is none. */
export type StoryScenario =
  | { readonly outcome: "scenario"; readonly text: string }
  | { readonly outcome: "refused"; readonly reason: string };

/** One operation of a story, its steps together. */
interface StoryOperation {
  readonly thread: number;
  readonly name: string;
  readonly steps: readonly StoryStep[];
}

/** Entries [first, first + count) of one area that an operation sets or clears. */
interface EntryRun {
  readonly mm: number;
  readonly area: number;
  readonly first: number;
  readonly count: number;
}

class NoScenario extends Error {}

const AREA_BYTES = 0x1000_0000;
const FIRST_ADDRESS = 0x2_0000_0000;
const TABLE_BYTES = 2 ** 21;
const PAGE_BYTES = 4096;
/** Threads that exist only while the kernel does something by itself. */
const KERNEL_OPERATIONS: Readonly<Record<string, string>> = {
  reclaim: "reclaim chooses its folios itself",
  read: "a read of a count beside a split cannot be timed",
  pin: "GUP-fast against fork is a matter of single accesses",
  get: "a reference without a lock is a matter of single accesses",
};

/** The story of a check of `machine` as a scenario. Never throws: what cannot be driven is refused with the reason. */
export function scenarioOfStory(story: Story, machine: StepMachine): StoryScenario {
  try {
    if (story.property === "deadlock" || story.property === "livelock") {
      throw new NoScenario("a call that never returns is no command: the dump behind it would not be reached");
    }
    const operations = serialOperations(story);
    return { outcome: "scenario", text: new Writer(machine).write(story, operations) };
  } catch (error) {
    if (error instanceof NoScenario) return { outcome: "refused", reason: error.message };
    throw error;
  }
}

/** The operations in order. Refuses if one begins before another has ended. */
function serialOperations(story: Story): StoryOperation[] {
  const operations: StoryOperation[] = [];
  let open: (StoryOperation & { readonly steps: StoryStep[] }) | undefined;
  for (const step of story.steps) {
    const { thread, operation: name } = step;
    if (name === "") continue;
    if (open !== undefined && open.thread !== thread) {
      throw new NoScenario(
        `two operations overlap (${open.name} by ${story.threads[open.thread]}, ${name} by ${story.threads[thread]}): user space cannot hold a thread between two accesses`,
      );
    }
    if (open === undefined) {
      open = { thread, name, steps: [] };
      operations.push(open);
    }
    open.steps.push(step);
    if (step.endsOperation === true) open = undefined;
  }
  return operations;
}

/** Writes the commands; knows which process an address space is and what it maps. */
class Writer {
  private readonly lines: string[] = [];
  private readonly machine: StepMachine;
  private readonly pages: number;
  private readonly isAnonymous: boolean;
  private readonly processes: string[] = [];
  /** Names of entries that are set, as the machine writes them. */
  private readonly set = new Set<string>();
  private forks = 0;
  private dumps = 0;

  constructor(machine: StepMachine) {
    this.machine = machine;
    const { PAGES, TABLES, ANONYMOUS } = machine.constants;
    if (PAGES === undefined || TABLES === undefined)
      throw new NoScenario("the system has no folio with pages and tables");
    this.pages = PAGES;
    this.isAnonymous = ANONYMOUS === 1;
    const least = this.isAnonymous ? 4 : 2;
    if (PAGES < least || PAGES > 512 || Math.log2(PAGES) % 1 !== 0) {
      const kind = this.isAnonymous ? "an anonymous folio" : "a folio of a file";
      throw new NoScenario(
        `${kind} has ${least}, ${least * 2}, ... or 512 pages, not ${PAGES}: check with --set PAGES=${least}`,
      );
    }
    if (TABLES > 2) throw new NoScenario(`a folio up to PMD size lies in one or two page tables, not ${TABLES}`);
  }

  write(story: Story, operations: readonly StoryOperation[]): string {
    this.lines.push(`# ${story.property}: ${story.ending}`);
    this.begin();
    for (const operation of operations) this.writeOperation(operation);
    this.lines.push("dump end", "");
    return this.lines.join("\n");
  }

  /** The machine before the first operation. */
  private begin(): void {
    const size = `${this.pages * 4}k`;
    const mms = this.machine.constants["MMS"] ?? 1;
    this.lines.push(
      `${this.isAnonymous ? "thp" : "shmthp"} ${this.pages * 4}kB ${this.isAnonymous ? "madvise" : "always"}`,
    );
    this.lines.push("spawn M0");
    this.processes[0] = "M0";
    const { variables } = initialState(this.machine);
    this.machine.variables.forEach(({ array, name }, index) => {
      if ((array === "pte" || array === "pmd") && variables[index] !== 0) this.set.add(name);
    });
    if (this.isAnonymous) {
      this.lines.push(`M0 mmap a ${this.address(0, 0)} ${size} rw anon,priv`);
      this.lines.push(
        `M0 madvise ${this.address(0, 0)} ${size} hugepage`,
        `M0 fill ${this.address(0, 0)} ${size} 0x11`,
      );
      for (let mm = 1; mm < mms; mm++) if (this.maps(mm)) this.fork(0, mm);
      return;
    }
    this.lines.push("M0 memfd 0 " + size);
    for (let mm = 1; mm < mms; mm++) this.fork(0, mm);
    // The pages come into the page cache as one folio.
    this.lines.push(`M0 mmap w 0x300000000 ${size} rw shared fd=0`, `M0 touch @w ${size} w`, `M0 munmap @w ${size}`);
  }

  private writeOperation({ name, steps }: StoryOperation): void {
    const { set, cleared, parent } = effectsOf(steps);
    const refusal = KERNEL_OPERATIONS[name];
    if (refusal !== undefined) throw new NoScenario(refusal);
    if ([...set, ...cleared].some((entry) => entry.startsWith("pmd"))) {
      throw new NoScenario(`a PMD maps 512 pages, the story's folio has ${this.pages}`);
    }
    if (name === "ask") this.lines.push(`dump asked_${++this.dumps}`);
    else if (name === "fork") this.writeFork(set, parent);
    else if (name === "splice") this.writeSplice(steps);
    else if (name === "look") this.lines.push(`${this.processOf(1)} unvmsplice 1`);
    else if (name === "write") this.writePage(cleared, steps);
    else if (["map", "unmap", "dontneed"].includes(name)) this.writeRuns(set, cleared);
    else throw new NoScenario(`no call of user space does "${name}"`);
    for (const entry of set) this.set.add(entry);
    for (const entry of cleared) this.set.delete(entry);
  }

  private writeRuns(set: readonly string[], cleared: readonly string[]): void {
    for (const run of runsOf(set)) {
      const at = this.address(run.area, run.first);
      const size = `${run.count * 4}k`;
      if (this.isAnonymous) throw new NoScenario("anonymous memory gets new mappings by fork only");
      const process = this.processOf(run.mm);
      this.lines.push(`${process} mmap a${this.lines.length} ${at} ${size} rw shared fd=0 off=${run.first * 4}k`);
      this.lines.push(`${process} touch ${at} ${size} r`);
    }
    for (const run of runsOf(cleared)) {
      const range = `${this.address(run.area, run.first)} ${run.count * 4}k`;
      const process = this.processOf(run.mm);
      this.lines.push(this.isAnonymous ? `${process} madvise ${range} dontneed` : `${process} munmap ${range}`);
    }
  }

  private writeFork(set: readonly string[], parent: number | undefined): void {
    const runs = runsOf(set);
    if (runs.length === 0) return;
    if (parent === undefined) throw new NoScenario("the story does not show which address space forks");
    const child = runs[0].mm;
    const has = (mm: number): string =>
      [...this.set]
        .filter((entry) => entry.startsWith(`pte[${mm}]`))
        .map(behindMm)
        .toSorted()
        .join();
    if (has(parent) !== set.map(behindMm).toSorted().join()) {
      throw new NoScenario("fork copies every entry of the parent, the story's copies only some");
    }
    this.fork(parent, child);
  }

  private fork(parent: number, child: number): void {
    const old = this.processes[child];
    if (old !== undefined) this.lines.push(`${old} exit`);
    const name = old === undefined ? `M${child}` : `M${child}_${++this.forks + 1}`;
    this.lines.push(`${this.processOf(parent)} fork ${name}`);
    this.processes[child] = name;
  }

  /** vmsplice of the page whose entry was read. */
  private writeSplice(steps: readonly StoryStep[]): void {
    const page = pageLookedAt(steps);
    this.lines.push(`${this.processOf(1)} vmsplice 1 ${this.address(0, page)} 4k`);
  }

  private writePage(cleared: readonly string[], steps: readonly StoryStep[]): void {
    const [run] = runsOf(cleared);
    const written = changesOf(steps).find(({ name }) => name.startsWith("content["));
    if (run === undefined && written === undefined) return;
    const page = run?.first ?? Number(/\d+/.exec(written?.name ?? "")?.[0] ?? 0);
    this.lines.push(`${this.processOf(run?.mm ?? 0)} fill ${this.address(0, page)} 4k 0x22`);
  }

  private maps(mm: number): boolean {
    return [...this.set].some((entry) => entry.startsWith(`pte[${mm}]`));
  }

  private processOf(mm: number): string {
    const process = this.processes[mm];
    if (process === undefined) throw new NoScenario(`address space ${mm} acts before it was forked`);
    return process;
  }

  /** Where page `page` of the folio lies in area `area`: with two tables their boundary lies where the story has it. */
  private address(area: number, page: number): string {
    const tables = this.machine.constants["TABLES"] ?? 1;
    const firstOfSecond = Math.ceil(this.pages / 2);
    const folio = FIRST_ADDRESS + area * AREA_BYTES + (tables === 2 ? TABLE_BYTES - firstOfSecond * PAGE_BYTES : 0);
    return `0x${(folio + page * PAGE_BYTES).toString(16)}`;
  }
}

function changesOf(steps: readonly StoryStep[]): StoryStep["changes"][number][] {
  return steps.flatMap(({ changes }) => changes);
}

/** Entries that the steps leave set or cleared, and the first address space whose mmap lock was taken. */
function effectsOf(steps: readonly StoryStep[]): { set: string[]; cleared: string[]; parent: number | undefined } {
  const before = new Map<string, number>();
  const after = new Map<string, number>();
  let parent: number | undefined;
  for (const change of changesOf(steps)) {
    const lock = /^mmap\[(\d+)\]$/.exec(change.name);
    if (lock !== null) parent ??= Number(lock[1]);
    if (!/^(pte|pmd)\[/.test(change.name)) continue;
    if (!before.has(change.name)) before.set(change.name, change.before);
    after.set(change.name, change.after);
  }
  const changed = [...after].filter(([name, value]) => value !== before.get(name));
  return {
    set: changed.filter(([, value]) => value === 1).map(([name]) => name),
    cleared: changed.filter(([, value]) => value === 0).map(([name]) => name),
    parent,
  };
}

function indexesOf(name: string): number[] {
  return [...name.matchAll(/\[(\d+)\]/g)].map(([, index]) => Number(index));
}

function behindMm(name: string): string {
  return name.replace(/^pte\[\d+\]/, "");
}

/** The page of the first entry that the steps read. */
function pageLookedAt(steps: readonly StoryStep[]): number {
  for (const { what } of steps) {
    const entry = /pte(?:\[\d+\]){3}/.exec(what);
    if (entry !== null) return indexesOf(entry[0])[2];
  }
  throw new NoScenario("the story does not show which page is spliced");
}

/** Entries as runs of consecutive pages, in order. */
function runsOf(entries: readonly string[]): EntryRun[] {
  const runs: { mm: number; area: number; first: number; count: number }[] = [];
  const sorted = entries.map(indexesOf).toSorted((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
  for (const [mm, area, page] of sorted) {
    const last = runs.at(-1);
    if (last?.mm === mm && last.area === area && last.first + last.count === page) last.count++;
    else runs.push({ mm, area, first: page, count: 1 });
  }
  return runs;
}
