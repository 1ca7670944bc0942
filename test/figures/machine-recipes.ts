/**
 * Recipes of small machines (small-machine.ts): what a machine is, in a few words.
 *
 * fast-check makes recipes up and shrinks them, so a counterexample is short enough to be read and may be pasted into a
 * test as it is. Every recipe gives a machine: numbers that name a folio or a process are taken modulo those there are.
 */
import * as fc from "fast-check";
import type { SmallKind } from "./small-machine.ts";

/** A folio, `gap` free frames behind the one before it or at the next frame that its order allows. */
export interface FolioRecipe {
  readonly gap: number;
  readonly order: number;
  readonly kind: SmallKind;
  readonly owner2: boolean;
  readonly ofFile: boolean;
  readonly historyBit: boolean;
}

/** Pages of a VMA, in the order of addresses. */
export type PieceRecipe =
  | { readonly type: "hole"; readonly pages: number }
  /** PTEs on consecutive frames from page `first` of a folio on, also beyond it; `align`: as a PMD could map them. */
  | {
      readonly type: "map";
      readonly folio: number;
      readonly first: number;
      readonly pages: number;
      readonly step: number;
      readonly align: boolean;
    }
  /** A PMD entry on a folio of its size, if there is one. */
  | { readonly type: "pmd"; readonly folio: number }
  /** A page table full of PTEs that jump between frames, the first few of them swapped out. */
  | { readonly type: "scatter"; readonly first: number; readonly stride: number; readonly swapped: number }
  | {
      readonly type: "swap";
      readonly swapType: number;
      readonly offset: number;
      readonly pages: number;
      readonly step: number;
      readonly file: boolean;
    }
  /** Frames that kpageflags does not cover, `above` the last one that it does. */
  | { readonly type: "device"; readonly above: number; readonly pages: number };

export interface VmaRecipe {
  readonly gap: number;
  readonly shared: boolean;
  readonly pieces: readonly PieceRecipe[];
}

export interface ProcessRecipe {
  /** As fork leaves it: the VMAs of an earlier process, if there is one, before its own. */
  readonly like: number | null;
  readonly base: number;
  readonly ended: boolean;
  readonly vmas: readonly VmaRecipe[];
}

export interface MachineRecipe {
  readonly config: "page" | "nopage";
  readonly folios: readonly FolioRecipe[];
  readonly processes: readonly ProcessRecipe[];
  /** Frames behind the last folio. */
  readonly slack: number;
}

const smallOrders: fc.Arbitrary<Pick<FolioRecipe, "order" | "kind">> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      order: fc.constant(0),
      kind: fc.constantFrom<SmallKind>("anon", "file", "shmem", "ksm", "zero", "freed", "reserved"),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      order: fc.integer({ min: 1, max: 4 }),
      kind: fc.constantFrom<SmallKind>("anon", "file", "shmem"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      order: fc.constant(9),
      kind: fc.constantFrom<SmallKind>("anon", "file", "shmem", "hugetlb", "zero"),
    }),
  },
);

const folioRecipe: fc.Arbitrary<FolioRecipe> = fc
  .record({
    gap: fc.oneof(fc.nat(3), fc.constantFrom(100, 512)),
    owner2: fc.boolean(),
    ofFile: fc.boolean(),
    historyBit: fc.boolean(),
    size: smallOrders,
  })
  .map(({ size, ...rest }) => ({ ...rest, ...size }));

const pieceRecipe: fc.Arbitrary<PieceRecipe> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant("map" as const),
      folio: fc.nat(20),
      first: fc.nat(520),
      pages: fc.oneof(
        { weight: 5, arbitrary: fc.integer({ min: 1, max: 20 }) },
        { weight: 1, arbitrary: fc.constantFrom(512, 700, 1100) },
      ),
      step: fc.constantFrom(1, -1, 0),
      align: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("pmd" as const), folio: fc.nat(20) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("hole" as const),
      pages: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constantFrom(300, 600, 20_000, 70_000)),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("scatter" as const),
      first: fc.nat(600),
      stride: fc.constantFrom(3, 7, 17, 1),
      swapped: fc.constantFrom(0, 0, 5),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("swap" as const),
      swapType: fc.constantFrom(0, 1, 26, 27, 29, 31),
      offset: fc.integer({ min: 50, max: 2 ** 27 + 50 }),
      pages: fc.integer({ min: 1, max: 40 }),
      step: fc.constantFrom(1, -1, 0),
      file: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("device" as const),
      above: fc.constantFrom(0, 5, 2 ** 31 - 2000, 2 ** 31, 2 ** 32, 2 ** 40),
      pages: fc.integer({ min: 1, max: 5 }),
    }),
  },
);

const vmaRecipe: fc.Arbitrary<VmaRecipe> = fc.record({
  gap: fc.oneof(fc.nat(3), fc.constantFrom(510, 512, 513, 20_000)),
  shared: fc.boolean(),
  pieces: fc.array(pieceRecipe, { maxLength: 4 }),
});

const processRecipe: fc.Arbitrary<ProcessRecipe> = fc.record({
  like: fc.option(fc.nat(5)),
  base: fc.constantFrom(16, 512, 1_048_576 - 600, 2 ** 34 + 7),
  ended: fc.integer({ min: 0, max: 7 }).map((n) => n === 7),
  vmas: fc.array(vmaRecipe, { maxLength: 3 }),
});

/** Random machines: up to 6 address spaces and 14 folios below frame 8,192. */
export const machineRecipes: fc.Arbitrary<MachineRecipe> = fc.record({
  config: fc.constantFrom("page" as const, "nopage" as const),
  folios: fc.array(folioRecipe, { minLength: 1, maxLength: 14 }),
  processes: fc.array(processRecipe, { minLength: 1, maxLength: 6 }),
  slack: fc.constantFrom(0, 1, 300),
});

/** A machine of one process, or of several alike, with one VMA. */
export function machineOf(
  folios: readonly Partial<MachineRecipe["folios"][number]>[],
  pieces: readonly PieceRecipe[],
  rest: Partial<MachineRecipe> & { readonly likes?: number } = {},
): MachineRecipe {
  const { likes = 0, ...machine } = rest;
  const first = { like: null, base: 512, ended: false, vmas: [{ gap: 0, shared: false, pieces }] };
  return {
    config: "page",
    slack: 0,
    folios: folios.map((folio) => ({
      gap: 0,
      order: 0,
      kind: "anon",
      owner2: false,
      ofFile: false,
      historyBit: false,
      ...folio,
    })),
    processes: [first, ...Array.from({ length: likes }, () => ({ ...first, like: 0, vmas: [] }))],
    ...machine,
  };
}

/** PTEs on so many frames from the first of a folio on. */
export function mapPages(folio: number, pages: number, more: object = {}): PieceRecipe {
  return { type: "map", folio, first: 0, pages, step: 1, align: false, ...more };
}
