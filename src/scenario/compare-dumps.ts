/**
 * Two dumps of the same scenario, or two whole recordings, held against each other: what differs, in words.
 *
 * Folios are compared by where they are mapped (canonical-folios.ts), page-table entries page by page; neighbouring pages
 * with the same difference are one difference. Figures that only one side has are differences too. Invariant: comparing
 * is symmetric but for the words' order, and a recording differs from itself in nothing.
 */
import { type CanonicalDump, type CanonicalEntry, canonicalDump, folioFigures } from "./canonical-folios.ts";
import { type ComparisonRule, type FigureDifference, MACHINE_NOISE, rulesThatCover } from "./comparison-rules.ts";
import type { Dump, ScenarioRecord, VmaDump } from "./dump.ts";

/** A difference and where it is. */
export interface DumpDifference extends FigureDifference {
  /** The dump's label. */
  readonly step: string;
  /** In words: "process P, VMA 0x200000000, Pss". */
  readonly place: string;
}

/** How to compare. */
export interface ComparisonOptions {
  /** What may differ; MACHINE_NOISE if not given. */
  readonly rules?: readonly ComparisonRule[];
  /** Keys of vmstat_delta that are compared; none if not given. */
  readonly vmstatKeys?: readonly string[];
}

/** What a comparison found. */
export interface Comparison {
  readonly differences: readonly DumpDifference[];
  /** How many differences each rule has covered, by its name. */
  readonly covered: ReadonlyMap<string, number>;
}

/** Compares two dumps. */
export function compareDumps(left: Dump, right: Dump, options: ComparisonOptions = {}): DumpDifference[] {
  const collector = new DifferenceCollector(options);
  collector.addDumps(left, right);
  return collector.differences;
}

/** Compares two recordings step by step, commands and their results included. */
export function compareRecords(
  left: ScenarioRecord,
  right: ScenarioRecord,
  options: ComparisonOptions = {},
): Comparison {
  const collector = new DifferenceCollector(options);
  const steps = Math.max(left.steps.length, right.steps.length);
  for (let index = 0; index < steps; index++) {
    const [a, b] = [left.steps.at(index), right.steps.at(index)];
    collector.step = a?.dump.label ?? b?.dump.label ?? "";
    if (a === undefined || b === undefined) {
      collector.add(["label"], "dump", a?.dump.label ?? null, b?.dump.label ?? null);
      continue;
    }
    collector.addCommands(a.commands, b.commands);
    collector.addDumps(a.dump, b.dump);
  }
  return { differences: collector.differences, covered: collector.covered };
}

/**
 * One line: "step 2_forked, process P, VMA 0x200000000, Pss: model 992, kernel 1024".
 * @example describeDifference(difference, { left: "model", right: "kernel" })
 */
export function describeDifference(
  { step, place, left, right }: DumpDifference,
  names: { readonly left: string; readonly right: string },
): string {
  const shown = (value: string | null): string => (value === null ? "nothing" : value === "" ? "(empty)" : value);
  return `step ${step}, ${place}: ${names.left} ${shown(left)}, ${names.right} ${shown(right)}`;
}

const PAGE_BYTES = 4096;

class DifferenceCollector {
  readonly differences: DumpDifference[] = [];
  readonly covered = new Map<string, number>();
  step = "";
  private readonly rules: readonly ComparisonRule[];
  private readonly vmstatKeys: readonly string[];

  constructor({ rules, vmstatKeys }: ComparisonOptions) {
    this.rules = rules ?? MACHINE_NOISE;
    this.vmstatKeys = vmstatKeys ?? [];
  }

  add(path: readonly string[], place: string, left: string | null, right: string | null): void {
    if (left === right) return;
    const difference = { step: this.step, place, path, left, right };
    const names = rulesThatCover(this.rules, difference);
    if (names === undefined) this.differences.push(difference);
    for (const name of names ?? []) this.covered.set(name, (this.covered.get(name) ?? 0) + 1);
  }

  addCommands(left: readonly string[], right: readonly string[]): void {
    for (let index = 0; index < Math.max(left.length, right.length); index++) {
      const [a, b] = [left.at(index), right.at(index)];
      this.add(["commands", index.toString()], `command ${index + 1}`, a?.trimEnd() ?? null, b?.trimEnd() ?? null);
    }
  }

  addDumps(left: Dump, right: Dump): void {
    this.step = left.label;
    this.add(["label"], "label", left.label, right.label);
    const order = Object.keys(left.processes);
    const [a, b] = [canonicalDump(left, order), canonicalDump(right, order)];
    for (const name of unionOf(order, Object.keys(right.processes))) {
      const inLeft = Object.hasOwn(left.processes, name);
      const inRight = Object.hasOwn(right.processes, name);
      this.add(["processes", name], `process ${name}`, inLeft ? "is there" : null, inRight ? "is there" : null);
      if (!inLeft || !inRight) continue;
      this.addVmas(name, left.processes[name].vmas, right.processes[name].vmas);
      this.addEntries(name, a.entries.get(name) ?? [], b.entries.get(name) ?? []);
    }
    this.addFolios(a, b);
    this.addNumbers("meminfo_kB", left.meminfo_kB, right.meminfo_kB);
    this.addNumbers("test_kB", { ...left.test_kB }, { ...right.test_kB });
    this.addVmstat(left.vmstat_delta, right.vmstat_delta);
    for (const size of unionOf(Object.keys(left.mthp ?? {}), Object.keys(right.mthp ?? {}))) {
      // A size whose counters have not changed is not printed.
      this.addChanges(["mthp", size], { ...left.mthp?.[size] }, { ...right.mthp?.[size] });
    }
    this.addNumbers("ksm", { ...left.ksm }, { ...right.ksm });
  }

  private addNumbers(
    key: string,
    left: Readonly<Record<string, number>>,
    right: Readonly<Record<string, number>>,
  ): void {
    for (const name of unionOf(Object.keys(left), Object.keys(right))) {
      this.add([key, name], `${key} ${name}`, textOf(left, name), textOf(right, name));
    }
  }

  private addChanges(
    path: readonly string[],
    left: Readonly<Record<string, number>>,
    right: Readonly<Record<string, number>>,
  ): void {
    for (const name of unionOf(Object.keys(left), Object.keys(right))) {
      const place = `${path.join(" ")} ${name}`;
      this.add([...path, name], place, (left[name] ?? 0).toString(), (right[name] ?? 0).toString());
    }
  }

  private addVmstat(left: Readonly<Record<string, number>>, right: Readonly<Record<string, number>>): void {
    for (const key of this.vmstatKeys) {
      this.add(["vmstat_delta", key], `vmstat ${key}`, (left[key] ?? 0).toString(), (right[key] ?? 0).toString());
    }
  }

  private addVmas(process: string, left: readonly VmaDump[], right: readonly VmaDump[]): void {
    const [a, b] = [byStart(left), byStart(right)];
    for (const start of unionOf([...a.keys()], [...b.keys()])) {
      const [vma, other] = [a.get(start), b.get(start)];
      const path = ["processes", process, "vmas", start];
      const place = `process ${process}, VMA ${start}`;
      const span = (each: VmaDump | undefined): string | null => (each === undefined ? null : `ends at ${each.end}`);
      this.add([...path, "end"], place, span(vma), span(other));
      if (vma === undefined || other === undefined) continue;
      this.add([...path, "perm"], `${place}, permissions`, vma.perm, other.perm);
      this.add([...path, "name"], `${place}, name`, vma.name, other.name);
      this.add([...path, "vmflags"], `${place}, VmFlags`, vma.vmflags.join(" "), other.vmflags.join(" "));
      this.add([...path, "numa_maps"], `${place}, numa_maps`, vma.numa_maps ?? null, other.numa_maps ?? null);
      for (const line of unionOf(Object.keys(vma.smaps), Object.keys(other.smaps))) {
        this.add([...path, "smaps", line], `${place}, ${line}`, textOf(vma.smaps, line), textOf(other.smaps, line));
      }
    }
  }

  /** Entries by address; neighbours that differ in the same way are told once. */
  private addEntries(process: string, left: readonly CanonicalEntry[], right: readonly CanonicalEntry[]): void {
    const [a, b] = [byAddress(left), byAddress(right)];
    const addresses = [...new Set([...a.keys(), ...b.keys()])].sort((x, y) => x - y);
    let run: EntryRun | undefined;
    for (const address of addresses) {
      const next: EntryRun = {
        first: address,
        last: address,
        left: entryText(a.get(address)),
        right: entryText(b.get(address)),
      };
      if (run !== undefined && continuesRun(run, next)) run.last = address;
      else {
        this.addEntryRun(process, run);
        run = next;
      }
    }
    this.addEntryRun(process, run);
  }

  private addEntryRun(process: string, run: EntryRun | undefined): void {
    if (run === undefined || run.left === run.right) return;
    const first = `0x${run.first.toString(16)}`;
    const pages = (run.last - run.first) / PAGE_BYTES + 1;
    const place = `process ${process}, pagemap of ${pages === 1 ? "the page" : `${pages} pages`} at ${first}`;
    this.add(["processes", process, "pagemap", first], place, run.left, run.right);
  }

  private addFolios(left: CanonicalDump, right: CanonicalDump): void {
    for (let index = 0; index < Math.max(left.folios.length, right.folios.length); index++) {
      const [a, b] = [left.folios.at(index), right.folios.at(index)];
      const path = ["folios", (index + 1).toString()];
      const place = `folio ${index + 1} (${a?.firstSeen ?? b?.firstSeen})`;
      if (a === undefined || b === undefined) {
        this.add(path, place, a === undefined ? null : "is there", b === undefined ? null : "is there");
        continue;
      }
      const [figures, others] = [folioFigures(a.dump), folioFigures(b.dump)];
      for (const name of unionOf([...figures.keys()], [...others.keys()])) {
        this.add([...path, name], `${place}, ${name}`, figures.get(name) ?? null, others.get(name) ?? null);
      }
    }
    for (const [key, place] of [
      ["unknownLabels", "folios in pagemap that the dump does not describe"],
      ["unmappedLabels", "folios that the dump describes and no process maps"],
    ] as const) {
      this.add(["folios", key], place, left[key].length.toString(), right[key].length.toString());
    }
  }
}

interface EntryRun {
  readonly first: number;
  last: number;
  readonly left: string | null;
  readonly right: string | null;
}

function entryText(entry: CanonicalEntry | undefined): string | null {
  return entry === undefined ? null : `${entry.flags} ${entry.where}`;
}

/** The next page, different in the same way: pages of a folio and swap slots counted on. */
function continuesRun(run: EntryRun, next: EntryRun): boolean {
  const isEqual = run.left === run.right;
  if (isEqual !== (next.left === next.right)) return false;
  if (isEqual) return true;
  if (next.first !== run.last + PAGE_BYTES) return false;
  const shape = (text: string | null): string | undefined => text?.replaceAll(/(folio |page |off=0x)[0-9a-f]+/g, "$1");
  return shape(run.left) === shape(next.left) && shape(run.right) === shape(next.right);
}

function byStart(vmas: readonly VmaDump[]): Map<string, VmaDump> {
  return new Map(vmas.map((vma) => [vma.start, vma]));
}

function byAddress(entries: readonly CanonicalEntry[]): Map<number, CanonicalEntry> {
  return new Map(entries.map((entry) => [entry.address, entry]));
}

function textOf(record: Readonly<Record<string, number>>, name: string): string | null {
  return Object.hasOwn(record, name) ? record[name].toString() : null;
}

function unionOf(left: readonly string[], right: readonly string[]): Set<string> {
  return new Set([...left, ...right]);
}
