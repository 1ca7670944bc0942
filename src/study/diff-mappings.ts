/**
 * What changed mapping by mapping: of a process VMA by VMA or by the mappings' names, of several processes by names. A
 * garbage-collected heap is hundreds of VMAs without a name that come and go; by name they are one line.
 *
 * Each mapping's Pss is truncated to bytes for itself, as smaps does; so the mappings of a process add up to its Pss but
 * for less than a byte a mapping, and to every other figure exactly.
 */
import type { CapturedProcess } from "../capture/index.ts";
import { readableVmaName } from "../kernel/index.ts";
import { type SideView, figuresOf } from "./capture-side.ts";
import {
  type FigureTotal,
  type MemoryFigures,
  addRows,
  changeBytes,
  emptyTotal,
  figuresOfTotal,
} from "./diff-figures.ts";
import { mappingName, matchMappings, permsOf } from "./match-mappings.ts";

/** How the mappings of a process are compared. */
export const MAPPING_KEYS = ["name", "address"] as const;
export type MappingKey = (typeof MAPPING_KEYS)[number];

/** A mapping that changed, or all mappings of one name. */
export interface MappingChange {
  /** As in maps, UTF-8 read as such, without " (deleted)"; "" for anonymous memory without a name. */
  readonly name: string;
  /** VMAs on each side. */
  readonly vmas: { readonly a: number; readonly b: number };
  /** Where a VMA is on each side, null where it is not; null where VMAs are taken together. */
  readonly place: { readonly a: MappingPlace | null; readonly b: MappingPlace | null } | null;
  /** null: not on that side. */
  readonly a: MemoryFigures | null;
  readonly b: MemoryFigures | null;
}

/** Where a VMA begins, in hexadecimal, and its rights as maps prints them. */
export interface MappingPlace {
  readonly address: string;
  readonly perms: string;
}

interface Views {
  readonly a: SideView;
  readonly b: SideView;
}

/** The VMAs of a process that changed, largest change first. Under one pid and boot they are of one address space. */
export function compareMappings(
  views: Views,
  { a, b }: { readonly a: CapturedProcess; readonly b: CapturedProcess },
  options: { readonly sameSpace: boolean },
): MappingChange[] {
  const vmasOf = ({ side }: SideView, { firstVma, endVma }: CapturedProcess) => side.vmas.slice(firstVma, endVma);
  const vmas = { a: vmasOf(views.a, a), b: vmasOf(views.b, b) };
  const changes: MappingChange[] = [];
  for (const [rowA, rowB] of matchMappings(vmas.a, vmas.b, options).pairs()) {
    const figures = (view: SideView, first: number, row: number): MemoryFigures | null =>
      row < 0 ? null : figuresOf(view, first + row, first + row + 1);
    const place = (of: typeof vmas.a, row: number): MappingPlace | null =>
      row < 0 ? null : { address: `${of[row].startPage.toString(16)}000`, perms: permsOf(of[row]) };
    const change = {
      name: readableVmaName(mappingName(rowB < 0 ? vmas.a[rowA] : vmas.b[rowB])),
      vmas: { a: rowA < 0 ? 0 : 1, b: rowB < 0 ? 0 : 1 },
      place: { a: place(vmas.a, rowA), b: place(vmas.b, rowB) },
      a: figures(views.a, a.firstVma, rowA),
      b: figures(views.b, b.firstVma, rowB),
    };
    if (changeBytes(change.a, change.b) > 0) changes.push(change);
  }
  return sortChanges(changes);
}

/** The mappings of several processes by their names, those that changed, largest change first. */
export function compareByName(
  views: Views,
  processes: { readonly a: readonly CapturedProcess[]; readonly b: readonly CapturedProcess[] },
): MappingChange[] {
  const a = sumByName(views.a, processes.a);
  const b = sumByName(views.b, processes.b);
  const changes: MappingChange[] = [];
  for (const name of new Set([...a.keys(), ...b.keys()])) {
    const [one, other] = [a.get(name), b.get(name)];
    const change = {
      name: readableVmaName(name),
      vmas: { a: one?.vmas ?? 0, b: other?.vmas ?? 0 },
      place: null,
      a: one?.figures ?? null,
      b: other?.figures ?? null,
    };
    if (changeBytes(change.a, change.b) > 0) changes.push(change);
  }
  return sortChanges(changes);
}

/** VMAs of one name. */
interface NamedVmas {
  readonly vmas: number;
  readonly figures: MemoryFigures;
}

function sumByName(view: SideView, processes: readonly CapturedProcess[]): Map<string, NamedVmas> {
  const found = new Map<string, { readonly total: FigureTotal; vmas: number }>();
  for (const { firstVma, endVma } of processes) {
    for (let vma = firstVma; vma < endVma; vma++) {
      const name = mappingName(view.side.vmas[vma]);
      let sum = found.get(name);
      if (sum === undefined) {
        sum = { total: emptyTotal(view.columns), vmas: 0 };
        found.set(name, sum);
      }
      addRows(sum.total, view, vma, vma + 1);
      sum.vmas++;
    }
  }
  return new Map([...found].map(([name, { total, vmas }]) => [name, { vmas, figures: figuresOfTotal(total) }]));
}

function sortChanges(changes: readonly MappingChange[]): MappingChange[] {
  const sizes = new Map(changes.map((change) => [change, changeBytes(change.a, change.b)]));
  return changes.toSorted((one, two) => (sizes.get(two) ?? 0) - (sizes.get(one) ?? 0));
}
