/**
 * Two captures, or one under two schemes, side by side: what changed for each process, program, control group or user,
 * mapping by mapping, and for the machine.
 *
 * Invariant: the figures of the groups add up to the totals on each side, so the changes add up too; a process that is on
 * one side only counts as nothing on the other. The answer for (B, A) is that for (A, B) with every sign turned.
 */
import type { CapturedProcess } from "../capture/index.ts";
import type { CaptureScope } from "./capture-scope.ts";
import { type CaptureSide, type SideView, figuresOf, ownScheme, viewUnder } from "./capture-side.ts";
import { type MemoryFigures, NO_FIGURES, type Tolerance, changeBytes, isBeyond, sumFigures } from "./diff-figures.ts";
import {
  type FolioChange,
  type MachineChange,
  compareAccounts,
  compareFolios,
  compareMachines,
} from "./diff-machine.ts";
import { type MappingChange, type MappingKey, compareByName, compareMappings } from "./diff-mappings.ts";
import { type ProcessMatching, matchProcesses } from "./match-processes.ts";
import { type GroupKey, type ProcessName, groupName, nameOf } from "./mm-groups.ts";

/** Raised when a field changes its meaning or goes away. */
export const DIFF_VERSION = 1;

/**
 * Where a group is. What a side could not read, or counts with another one, is unread there; and so is what a capture of
 * chosen processes lacks beside one of the whole machine, for nobody knows whether it was there. Two captures of chosen
 * processes are compared as if chosen alike.
 */
export type GroupPresence = "both" | "only-a" | "only-b" | "unread-a" | "unread-b";

/** What changed for one process, or for processes taken together. */
export interface GroupChange {
  /** The pid and name of a process, B's where it is there; otherwise the program's, control group's or user's name. */
  readonly name: string;
  readonly presence: GroupPresence;
  /** By pid; of a single process at most one on each side, read or not, otherwise those that were read. */
  readonly processes: { readonly a: readonly ProcessName[]; readonly b: readonly ProcessName[] };
  /** null: not on that side. */
  readonly a: MemoryFigures | null;
  readonly b: MemoryFigures | null;
  /** Whether some figure changed by more than the tolerance; never of what one side could not read. */
  readonly differs: boolean;
  /** Mappings that changed, largest change first; empty for a group that is on one side only. */
  readonly mappings: readonly MappingChange[];
}

/** One side: what it rests on, and how it is counted. */
export interface DiffScope extends CaptureScope {
  /** Where it came from, as the user called it. */
  readonly source: string;
  readonly scheme: string;
  /** Whether this is not how the captured kernel counts. */
  readonly derived: boolean;
}

/** The whole answer. Sizes are bytes. */
export interface CaptureDiff {
  readonly schema: "foliometer-diff";
  readonly version: typeof DIFF_VERSION;
  readonly by: GroupKey;
  readonly a: DiffScope;
  readonly b: DiffScope;
  readonly matching: ProcessMatching;
  readonly tolerance: Tolerance;
  /** Groups that differ by more than the tolerance; 0: the sides are the same. */
  readonly differing: number;
  /** Largest change first. */
  readonly groups: readonly GroupChange[];
  /** Groups that are not listed, and their sums. */
  readonly leftOut: { readonly groups: number; readonly a: MemoryFigures; readonly b: MemoryFigures };
  readonly totals: { readonly a: MemoryFigures; readonly b: MemoryFigures };
  /** What memory is used for, on each side with the sum MemTotal. */
  readonly accounts: readonly MachineChange[];
  readonly machine: readonly MachineChange[];
  readonly folios: readonly FolioChange[];
  readonly notes: readonly string[];
}

/** What to compare and how. */
export interface DiffOptions {
  readonly a: { readonly side: CaptureSide; readonly source: string; readonly scheme: string };
  readonly b: { readonly side: CaptureSide; readonly source: string; readonly scheme: string };
  readonly by: GroupKey;
  /** How the mappings of single processes are compared; those of several are by their names. */
  readonly mappingsBy: MappingKey;
  readonly tolerance: Tolerance;
  /** Processes that count on either side; all if absent. */
  readonly wanted?: (process: ProcessName) => boolean;
}

/**
 * Compares. O(processes + VMAs). If both sides are one object they are one capture.
 * @example diffCaptures({ a: { side, source: "night", scheme: "page" }, b: ..., by: "program", mappingsBy: "name", tolerance })
 */
export function diffCaptures({ a, b, by, mappingsBy, tolerance, wanted }: DiffOptions): CaptureDiff {
  const views = { a: viewUnder(a.side, a.scheme), b: viewUnder(b.side, b.scheme) };
  const matching = matchingOf(a.side, b.side);
  const pairs = by === "process" ? pairProcesses(a.side, b.side, matching) : pairByName(a.side, b.side, by);
  const chosen = { a: isChosenBeside(a.side, b.side), b: isChosenBeside(b.side, a.side) };
  const groups = pairs
    .map((pair) => keepWanted(pair, { by, wanted }))
    .filter(({ a: some, b: others }) => some.some(isRead) || others.some(isRead))
    .map((pair) => compareGroup(pair, views, { by, byAddress: mappingsBy === "address", chosen, matching, tolerance }));
  const sizes = new Map(groups.map((group) => [group, changeBytes(group.a, group.b)]));
  const size = (group: GroupChange): number => sizes.get(group) ?? 0;
  const machines = [
    { report: a.side.report, scheme: a.scheme },
    { report: b.side.report, scheme: b.scheme },
  ] as const;
  return {
    schema: "foliometer-diff",
    version: DIFF_VERSION,
    by,
    a: scopeOfSide(a),
    b: scopeOfSide(b),
    matching,
    tolerance,
    differing: groups.filter(({ differs }) => differs).length,
    groups: groups.toSorted((one, two) => size(two) - size(one)),
    leftOut: { groups: 0, a: NO_FIGURES, b: NO_FIGURES },
    totals: {
      a: sumFigures(groups.map((group) => group.a ?? NO_FIGURES)),
      b: sumFigures(groups.map((group) => group.b ?? NO_FIGURES)),
    },
    accounts: compareAccounts(...machines),
    machine: compareMachines(...machines),
    folios: compareFolios(a.side.report, b.side.report),
    notes: [...new Set([...a.side.report.notes, ...b.side.report.notes])],
  };
}

function scopeOfSide({ side, source, scheme }: DiffOptions["a"]): DiffScope {
  return { ...side.scope, source, scheme, derived: scheme !== ownScheme(side) };
}

function matchingOf(a: CaptureSide, b: CaptureSide): ProcessMatching {
  if (a === b) return "one-capture";
  const { bootId } = a.scope.machine;
  return bootId !== "" && bootId === b.scope.machine.bootId ? "pid" : "command";
}

/** Whether this side holds chosen processes only, and the other the whole machine. */
function isChosenBeside({ scope }: CaptureSide, other: CaptureSide): boolean {
  return !scope.wholeMachine && other.scope.wholeMachine;
}

/** Processes of both sides that are taken together, those that were not read among them: they are neither new nor gone. */
interface GroupPair {
  readonly name: string;
  readonly a: readonly CapturedProcess[];
  readonly b: readonly CapturedProcess[];
}

/** Whether it has figures of its own. */
function isRead({ state }: CapturedProcess): boolean {
  return state === "complete";
}

function byPid({ processes }: CaptureSide): CapturedProcess[] {
  return processes.toSorted((one, two) => one.pid - two.pid);
}

/** Every process with its other self. */
function pairProcesses(a: CaptureSide, b: CaptureSide, how: ProcessMatching): GroupPair[] {
  const ofA = byPid(a);
  const ofB = byPid(b);
  return matchProcesses(ofA, ofB, how)
    .pairs()
    .map(([rowA, rowB]) => ({
      name: groupName(rowB < 0 ? ofA[rowA] : ofB[rowB], "process"),
      a: rowA < 0 ? [] : [ofA[rowA]],
      b: rowB < 0 ? [] : [ofB[rowB]],
    }));
}

function pairByName(a: CaptureSide, b: CaptureSide, by: GroupKey): GroupPair[] {
  const found = new Map<string, { name: string; a: CapturedProcess[]; b: CapturedProcess[] }>();
  for (const [key, processes] of [["a", byPid(a)] as const, ["b", byPid(b)] as const]) {
    for (const process of processes) {
      const name = groupName(process, by);
      const pair = found.get(name) ?? { name, a: [], b: [] };
      pair[key].push(process);
      found.set(name, pair);
    }
  }
  return [...found.values()];
}

/** Of one process both selves are kept if one is wanted: it may have changed its name or control group. */
function keepWanted(
  pair: GroupPair,
  { by, wanted }: { readonly by: GroupKey; readonly wanted: DiffOptions["wanted"] | undefined },
): GroupPair {
  if (wanted === undefined) return pair;
  const isWanted = (process: CapturedProcess): boolean => wanted(nameOf(process));
  if (by !== "process") return { ...pair, a: pair.a.filter(isWanted), b: pair.b.filter(isWanted) };
  return [...pair.a, ...pair.b].some(isWanted) ? pair : { ...pair, a: [], b: [] };
}

function presenceOf({ a, b }: GroupPair, chosen: { readonly a: boolean; readonly b: boolean }): GroupPresence {
  const readA = a.some(isRead);
  const readB = b.some(isRead);
  if (readA && readB) return "both";
  if (readA) return b.length > 0 || chosen.b ? "unread-b" : "only-a";
  return a.length > 0 || chosen.a ? "unread-a" : "only-b";
}

function compareGroup(
  pair: GroupPair,
  views: { readonly a: SideView; readonly b: SideView },
  {
    by,
    byAddress,
    chosen,
    matching,
    tolerance,
  }: {
    readonly by: GroupKey;
    readonly byAddress: boolean;
    readonly chosen: { readonly a: boolean; readonly b: boolean };
    readonly matching: ProcessMatching;
    readonly tolerance: Tolerance;
  },
): GroupChange {
  const presence = presenceOf(pair, chosen);
  const read = { a: pair.a.filter(isRead), b: pair.b.filter(isRead) };
  const sum = (view: SideView, processes: readonly CapturedProcess[]): MemoryFigures | null =>
    processes.length === 0
      ? null
      : sumFigures(processes.map(({ firstVma, endVma }) => figuresOf(view, firstVma, endVma)));
  const a = sum(views.a, read.a);
  const b = sum(views.b, read.b);
  let mappings: readonly MappingChange[] = [];
  if (presence === "both") {
    mappings =
      by === "process" && byAddress
        ? compareMappings(views, { a: read.a[0], b: read.b[0] }, { sameSpace: matching !== "command" })
        : compareByName(views, read);
  }
  const named = by === "process" ? pair : read;
  return {
    name: pair.name,
    presence,
    processes: { a: named.a.map(nameOf), b: named.b.map(nameOf) },
    a,
    b,
    differs: presence !== "unread-a" && presence !== "unread-b" && isBeyond(a, b, tolerance),
    mappings,
  };
}
