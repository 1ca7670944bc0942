/**
 * What changed mapping by mapping: of a process VMA by VMA, of processes taken together by the mappings' names.
 *
 * Each mapping's Pss is truncated to bytes for itself, as smaps does; so the mappings of a process add up to its Pss but
 * for less than a byte a mapping, and to every other figure exactly.
 */
import type { CapturedProcess } from "../capture/index.ts";
import { type SideView, figuresOf } from "./capture-side.ts";
import { type MemoryFigures, changeBytes, figuresOfRow } from "./diff-figures.ts";
import { mappingName, matchMappings, permsOf } from "./match-mappings.ts";

/** A mapping that changed. */
export interface MappingChange {
  /** As in maps, without " (deleted)"; "" for anonymous memory without a name. */
  readonly name: string;
  /** Where it begins, in hexadecimal, and its rights as maps prints them; of several mappings or on no side: null. */
  readonly place: {
    readonly a: MappingPlace | null;
    readonly b: MappingPlace | null;
  } | null;
  /** null: not on that side. */
  readonly a: MemoryFigures | null;
  readonly b: MemoryFigures | null;
}

/** A VMA of one side. */
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
      name: mappingName(rowB < 0 ? vmas.a[rowA] : vmas.b[rowB]),
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
    const change = { name, place: null, a: a.get(name) ?? null, b: b.get(name) ?? null };
    if (changeBytes(change.a, change.b) > 0) changes.push(change);
  }
  return sortChanges(changes);
}

function sumByName({ side, schemeAt }: SideView, processes: readonly CapturedProcess[]): Map<string, MemoryFigures> {
  const { sums, swapPages, vmas } = side;
  const found = new Map<string, { readonly row: Float64Array; swap: number }>();
  for (const { firstVma, endVma } of processes) {
    for (let vma = firstVma; vma < endVma; vma++) {
      const name = mappingName(vmas[vma]);
      const sum = found.get(name) ?? { row: new Float64Array(sums.width), swap: 0 };
      sums.combine(vma, vma + 1, sum.row);
      sum.swap += swapPages[vma];
      found.set(name, sum);
    }
  }
  return new Map([...found].map(([name, { row, swap }]) => [name, figuresOfRow(row, schemeAt, swap)]));
}

function sortChanges(changes: readonly MappingChange[]): MappingChange[] {
  const sizes = new Map(changes.map((change) => [change, changeBytes(change.a, change.b)]));
  return changes.toSorted((one, two) => (sizes.get(two) ?? 0) - (sizes.get(one) ?? 0));
}
