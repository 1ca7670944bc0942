/**
 * What the C program of a scenario printed, to the schema of recordings.
 *
 * The program prints page-table entries and frames as the kernel has them (c-dump.ts shows the format); here folios get
 * their labels, in the order in which the processes' entries lead to them, and entries that say the same become runs.
 * A run that stopped early is still a recording of the dumps that it came to.
 */
import { type DumpedFolio, FolioBook } from "./dumped-folios.ts";
import { RunBuilder } from "./pagemap-runs.ts";
import type {
  Dump,
  KsmCounters,
  MthpCounters,
  PagemapRun,
  ProcessDump,
  RecordedStep,
  ScenarioRecord,
  TestMemory,
  VmaDump,
} from "./dump.ts";

/** Output that is not the program's. */
export class BadReproduction extends Error {
  constructor(line: number, text: string) {
    super(`The program's output is damaged in line ${line}: ${JSON.stringify(text.slice(0, 80))}.`);
    this.name = "BadReproduction";
  }
}

/** Why a run stopped: what this machine cannot do. */
export interface CannotStep {
  /** The scenario's line. */
  readonly line: number;
  readonly reason: string;
}

/** How long a command took. */
export interface CommandTime {
  /** The command with its result. */
  readonly command: string;
  readonly elapsedNs: number;
}

export interface Reproduction {
  /** uname -r; "" if the program did not come so far. */
  readonly kernelRelease: string;
  readonly record: ScenarioRecord;
  readonly times: readonly CommandTime[];
  /** Undefined if every step was done. */
  readonly cannot?: CannotStep;
  /** Conditions that could not be set, in words. */
  readonly notes: readonly string[];
  /** The program came to its end. */
  readonly done: boolean;
}

/** Reads the program's output. Throws BadReproduction. */
export function parseReproduction(output: string): Reproduction {
  const reader = new OutputReader();
  for (const [index, line] of output.split("\n").entries()) {
    if (line !== "" && !reader.readLine(line)) throw new BadReproduction(index + 1, line);
  }
  return reader.finish();
}

interface OpenVma {
  readonly start: number;
  readonly end: number;
  readonly vma: { -readonly [K in keyof VmaDump]: VmaDump[K] } & { smaps: Record<string, number> };
}

/** Entries as printed: so many from this address, the first one, and how the next ones differ. */
interface EntryRun {
  readonly address: number;
  readonly pageCount: number;
  /** Bits 55 to 63. */
  readonly bits: number;
  /** Bits 0 to 54. */
  readonly value: number;
  readonly step: number;
  readonly huge: boolean;
}

interface OpenProcess {
  readonly name: string;
  readonly vmas: OpenVma[];
  readonly entries: EntryRun[];
}

interface OpenDump {
  readonly label: string;
  readonly processes: OpenProcess[];
  readonly folios: DumpedFolio[];
  readonly zeroFrames: Set<number>;
  readonly meminfo: Record<string, number>;
  readonly vmstat: Record<string, number>;
  readonly mthp: Record<string, MthpCounters>;
  testMemory?: TestMemory;
  ksm?: KsmCounters;
}

const PAGE_BYTES = 4096;
const SMAPS_HEADER = /^([0-9a-f]+)-([0-9a-f]+) (\S+) [0-9a-f]+ \S+ [0-9]+\s*(.*)$/;

class OutputReader {
  private kernelRelease = "";
  private readonly steps: RecordedStep[] = [];
  private readonly times: CommandTime[] = [];
  private readonly notes: string[] = [];
  private commands: string[] = [];
  private cannot: CannotStep | undefined;
  private dump: OpenDump | undefined;
  private done = false;

  /** False: the line is none of the program's. */
  readLine(line: string): boolean {
    return this.dump === undefined ? this.readOutside(line) : this.readInside(this.dump, line);
  }

  finish(): Reproduction {
    const { kernelRelease, times, cannot, notes, done } = this;
    const record = { steps: this.steps };
    return { kernelRelease, record, times, ...(cannot === undefined ? {} : { cannot }), notes, done };
  }

  private readOutside(line: string): boolean {
    if (line.startsWith("> ")) {
      this.commands.push(line.slice(2));
      return true;
    }
    const match = /^(kernel|note:|dump|cannot: line|=| {2}elapsed_ns|done)(?: (.*))?$/.exec(line);
    if (match === null) return false;
    const [, word, rest = ""] = match;
    if (word === "kernel") this.kernelRelease = rest;
    else if (word === "note:") this.notes.push(rest);
    else if (word === "done") this.done = true;
    else if (word === "dump") this.dump = openDump(rest);
    else if (word === "  elapsed_ns") this.times.push({ command: this.commands.at(-1) ?? "", elapsedNs: Number(rest) });
    else if (word === "cannot: line") {
      const reason = /^(\d+): (.*)$/.exec(rest);
      if (reason === null) return false;
      this.cannot = { line: Number(reason[1]), reason: reason[2] };
    }
    return true;
  }

  private readInside(dump: OpenDump, line: string): boolean {
    const cannot = line.startsWith("cannot: line");
    if (cannot || line === `end ${dump.label}`) {
      this.dump = undefined;
      if (cannot) return this.readOutside(line);
      this.steps.push({ commands: this.commands, dump: closeDump(dump) });
      this.commands = [];
      return true;
    }
    const process = dump.processes.at(-1);
    const name = /^process (\S+)$/.exec(line)?.[1];
    if (name !== undefined) dump.processes.push({ name, vmas: [], entries: [] });
    else if (!readCounters(dump, line) && !readFrames(dump, line)) {
      return process !== undefined && (readSmaps(process, line) || readEntries(process, line));
    }
    return true;
  }
}

function openDump(label: string): OpenDump {
  return { label, processes: [], folios: [], zeroFrames: new Set(), meminfo: {}, vmstat: {}, mthp: {} };
}

/** `name 1 name +2` as numbers by name. */
function pairsOf(text: string): Record<string, number> {
  const words = text.split(" ");
  const pairs: Record<string, number> = {};
  for (let index = 0; index + 1 < words.length; index += 2) pairs[words[index]] = Number(words[index + 1]);
  return pairs;
}

function readCounters(dump: OpenDump, line: string): boolean {
  const match = /^(meminfo|test_kB|vmstat|ksm) (.*)$/.exec(line);
  const size = /^mthp ([0-9]+kB) (.*)$/.exec(line);
  if (size !== null) {
    const { nr_anon = 0, nr_anon_partially_mapped = 0, split = 0, split_deferred = 0 } = pairsOf(size[2]);
    dump.mthp[size[1]] = { nr_anon, nr_anon_partially_mapped, split, split_deferred };
    return true;
  }
  if (match === null) return false;
  const pairs = pairsOf(match[2]);
  if (match[1] === "meminfo") Object.assign(dump.meminfo, pairs);
  else if (match[1] === "vmstat") Object.assign(dump.vmstat, pairs);
  else if (match[1] === "test_kB") dump.testMemory = { AnonPages: pairs.AnonPages ?? 0, Mapped: pairs.Mapped ?? 0 };
  else {
    const { pages_shared = 0, pages_sharing = 0, pages_unshared = 0, ksm_zero_pages = 0 } = pairs;
    dump.ksm = { pages_shared, pages_sharing, pages_unshared, ksm_zero_pages };
  }
  return true;
}

function readFrames(dump: OpenDump, line: string): boolean {
  const [word, ...rest] = line.split(" ");
  const [first, second, third] = rest.map(Number);
  if (word === "zero") dump.zeroFrames.add(first);
  else if (word === "folio") dump.folios.push({ head: first, pages: second, counts: [], flags: [] });
  else if (word === "count") dump.folios.at(-1)?.counts.push([first, second, third]);
  else if (word === "flags") dump.folios.at(-1)?.flags.push([first, second, rest[2]]);
  else return false;
  return true;
}

function readSmaps(process: OpenProcess, line: string): boolean {
  const header = SMAPS_HEADER.exec(line);
  if (header !== null) {
    const [, start, end, perm, name] = header;
    const vma = { start: `0x${start}`, end: `0x${end}`, perm, name, smaps: {}, vmflags: [] };
    process.vmas.push({ start: Number.parseInt(start, 16), end: Number.parseInt(end, 16), vma });
    return true;
  }
  const last = process.vmas.at(-1);
  const figure = /^(\w+):\s+([0-9]+)(?: kB)?$/.exec(line);
  if (last === undefined) return false;
  if (figure !== null) last.vma.smaps[figure[1]] = Number(figure[2]);
  else if (line.startsWith("VmFlags:")) last.vma.vmflags = line.trim().split(" ").slice(1);
  else {
    const numa = /^numa_maps ([0-9a-f]+) (.*)$/.exec(line);
    const of = process.vmas.find(({ start }) => start === Number.parseInt(numa?.[1] ?? "", 16));
    if (numa === null || of === undefined) return false;
    of.vma.numa_maps = numa[2].trimEnd();
  }
  return true;
}

const HIGH_HALF = 2 ** 32;

function readEntries(process: OpenProcess, line: string): boolean {
  const match = /^pagemap 0x([0-9a-f]+) ([0-9]+) 0x([0-9a-f]+) \+([0-9]+)( huge)?$/.exec(line);
  if (match === null) return false;
  const [, address, count, entry, step, huge] = match;
  const word = entry.padStart(16, "0");
  const high = Number.parseInt(word.slice(0, 8), 16);
  process.entries.push({
    address: Number.parseInt(address, 16),
    pageCount: Number(count),
    bits: high >>> 23,
    value: (high & 0x7fffff) * HIGH_HALF + Number.parseInt(word.slice(8), 16),
    step: Number(step),
    huge: huge !== undefined,
  });
  return true;
}

function closeDump(open: OpenDump): Dump {
  const folios = new FolioBook(open.folios, open.zeroFrames);
  const processes: Record<string, ProcessDump> = Object.create(null) as Record<string, ProcessDump>;
  for (const process of open.processes) processes[process.name] = closeProcess(process, folios);
  const { label, meminfo, testMemory, vmstat, mthp, ksm } = open;
  return {
    label,
    processes,
    folios: folios.describe(),
    meminfo_kB: meminfo,
    ...(testMemory === undefined ? {} : { test_kB: testMemory }),
    vmstat_delta: vmstat,
    ...(Object.keys(mthp).length === 0 ? {} : { mthp }),
    ksm: ksm ?? { pages_shared: 0, pages_sharing: 0, pages_unshared: 0, ksm_zero_pages: 0 },
  };
}

/** Bits of an entry from bit 55 on, with their letters. */
const FLAG_LETTERS: readonly (readonly [bit: number, letter: string])[] = [
  [63, "P"],
  [62, "S"],
  [61, "F"],
  [56, "X"],
  [55, "d"],
  [57, "w"],
  [58, "g"],
];

function flagsOf({ bits, huge }: EntryRun): string {
  const letters = FLAG_LETTERS.map(([bit, letter]) => (((bits >>> (bit - 55)) & 1) === 1 ? letter : "-"));
  return `${letters.join("")}${huge ? "H" : "-"}`;
}

function closeProcess({ vmas, entries }: OpenProcess, folios: FolioBook): ProcessDump {
  const pagemap: PagemapRun[] = [];
  for (const { start, end, vma } of vmas) {
    const runs = new RunBuilder(vma.start, folios);
    for (const run of entries) {
      if (run.address < start || run.address >= end) continue;
      const flags = flagsOf(run);
      for (let index = 0; index < run.pageCount; index++) {
        runs.add((run.address - start) / PAGE_BYTES + index, flags, run.bits, run.value + index * run.step);
      }
    }
    pagemap.push(...runs.close());
  }
  return { vmas: vmas.map(({ vma }) => vma), pagemap };
}
