/**
 * What a random scenario wishes for: small records of numbers, and profiles that say which wishes come how often.
 *
 * A wish names nothing. What it comes to (render-wish.ts) depends on who lives and what is mapped when its turn comes;
 * one that cannot be met comes to nothing. So any list of wishes is a legal scenario, and so is any part of it.
 */
import * as fc from "fast-check";

/** Wishes about address spaces and their contents. */
const MEMORY_WISHES = [
  "mapAnon",
  "mapShared",
  "mapOver",
  "munmap",
  "mprotect",
  "mremapMove",
  "mremapResize",
  "mremapKeep",
  "touchRead",
  "touchWrite",
  "fill",
  "advise",
  "collapse",
  "free",
  "cold",
  "pageout",
  "guard",
  "mergeable",
  "mlock",
  "munlock",
] as const;

/** Wishes about files. */
const FILE_WISHES = [
  "memfd",
  "tmpfs",
  "ext4",
  "mapFile",
  "pwrite",
  "pread",
  "ftruncate",
  "punch",
  "allocate",
  "fsync",
  "fadvise",
  "remove",
  "hugetlb",
] as const;

/** Wishes about processes, pins and the machine. */
const MACHINE_WISHES = [
  "spawn",
  "fork",
  "exit",
  "uring",
  "unuring",
  "guppin",
  "vmsplice",
  "unvmsplice",
  "uffdwp",
  "unuffdwp",
  "split",
  "ksmscan",
  "migrate",
  "node",
  "setting",
  "sys",
  "mistake",
  "dump",
] as const;

export const WISH_KINDS = [...MEMORY_WISHES, ...FILE_WISHES, ...MACHINE_WISHES] as const;
export type WishKind = (typeof WISH_KINDS)[number];

/** Something to be tried. */
export interface Wish {
  readonly what: WishKind;
  /** Which of the processes alive. */
  readonly process: number;
  /** Which of its mappings. */
  readonly area: number;
  /** How a range is cut out of the mapping. */
  readonly grain: (typeof GRAINS)[number];
  /** First page and number of pages, in 1/64 of the mapping. */
  readonly from: number;
  readonly length: number;
  /** Whatever else there is to choose. */
  readonly choice: number;
}

export const GRAINS = ["whole", "page", "part", "aligned", "half"] as const;
export const SHARES = 64;
const CHOICES = 1 << 16;

/** A list of wishes and what they are made into. */
export interface Plan {
  readonly profile: ProfileName;
  /** What settings and swap the machine begins with. */
  readonly start: number;
  readonly wishes: readonly Wish[];
}

type Weights = Readonly<Partial<Record<WishKind, number>>>;

const EVERYWHERE: Weights = {
  munmap: 4,
  mprotect: 4,
  mremapMove: 3,
  mremapResize: 2,
  mremapKeep: 1,
  touchRead: 8,
  touchWrite: 12,
  advise: 5,
  fork: 7,
  exit: 3,
  spawn: 1,
  mistake: 2,
  mapOver: 1,
  sys: 1,
};

/** What a kind of scenario is about. Numbers are weights; what is not named takes them from EVERYWHERE. */
export const PROFILES = {
  thp: { mapAnon: 7, collapse: 3, free: 2, split: 3, mapShared: 1, migrate: 1, guard: 1, mlock: 1, setting: 1 },
  mthp: { mapAnon: 8, free: 3, cold: 1, split: 2, collapse: 1, mlock: 2, munlock: 1, migrate: 1, setting: 1, guard: 1 },
  shmem: { memfd: 5, mapShared: 4, mapFile: 5, ftruncate: 3, punch: 3, allocate: 2, remove: 2, collapse: 1, pwrite: 3 },
  small: { mapAnon: 7, mapShared: 3, memfd: 2, mapFile: 2, free: 3, cold: 2, mlock: 2, munlock: 2, guard: 2 },
  swap: { mapAnon: 6, mapShared: 2, memfd: 1, mapFile: 1, pageout: 12, free: 1, cold: 2, mlock: 1, split: 1 },
  ksm: { mapAnon: 5, fill: 8, mergeable: 7, ksmscan: 5, uring: 1, unuring: 1, mlock: 1 },
  pins: {
    mapAnon: 6,
    mapFile: 2,
    memfd: 2,
    uring: 6,
    unuring: 3,
    guppin: 6,
    vmsplice: 4,
    unvmsplice: 3,
    split: 1,
    migrate: 1,
  },
  files: {
    ext4: 6,
    tmpfs: 3,
    mapFile: 8,
    pwrite: 6,
    pread: 3,
    ftruncate: 3,
    punch: 2,
    fsync: 3,
    fadvise: 2,
    cold: 1,
    pageout: 1,
  },
  hugetlb: { hugetlb: 7, mapFile: 3, punch: 1, ftruncate: 1, uring: 1, unuring: 1, mapAnon: 2, migrate: 1 },
  vmas: { mapAnon: 9, mapShared: 3, mapOver: 3, mprotect: 12, munmap: 7, mremapMove: 8, mremapResize: 5, mlock: 4 },
  mixed: {
    mapAnon: 6,
    mapShared: 2,
    memfd: 2,
    tmpfs: 1,
    mapFile: 3,
    fill: 1,
    collapse: 1,
    free: 2,
    cold: 1,
    pageout: 3,
    guard: 2,
    mergeable: 1,
    mlock: 2,
    munlock: 1,
    pwrite: 1,
    ftruncate: 1,
    punch: 1,
    uring: 1,
    unuring: 1,
    guppin: 1,
    vmsplice: 1,
    unvmsplice: 1,
    uffdwp: 2,
    unuffdwp: 2,
    split: 2,
    ksmscan: 1,
    migrate: 2,
    node: 1,
    setting: 1,
  },
} as const satisfies Readonly<Record<string, Weights>>;

export type ProfileName = keyof typeof PROFILES;
export const PROFILE_NAMES = Object.keys(PROFILES) as readonly ProfileName[];

function wishes(profile: ProfileName): fc.Arbitrary<Wish> {
  const weights: Weights = { ...EVERYWHERE, ...PROFILES[profile] };
  const kinds = WISH_KINDS.filter((kind) => (weights[kind] ?? 0) > 0);
  return fc.record({
    what: fc.oneof(...kinds.map((kind) => ({ arbitrary: fc.constant(kind), weight: weights[kind] ?? 0 }))),
    process: fc.nat(11),
    area: fc.nat(23),
    grain: fc.constantFrom(...GRAINS),
    from: fc.nat(SHARES - 1),
    length: fc.nat(SHARES - 1),
    choice: fc.nat(CHOICES - 1),
  });
}

const DUMP: Wish = { what: "dump", process: 0, area: 0, grain: "whole", from: 0, length: 0, choice: 0 };

/** Wishes with a dump behind every three to six of them. */
function withDumps(wished: readonly Wish[], gaps: readonly number[]): Wish[] {
  const out: Wish[] = [];
  let left = gaps[0];
  let turn = 0;
  for (const wish of wished) {
    out.push(wish);
    left--;
    if (left > 0) continue;
    out.push(DUMP);
    turn++;
    left = gaps[turn % gaps.length];
  }
  return out;
}

/** Plans of a profile with about this many operations. */
export function plans(profile: ProfileName, { operations }: { readonly operations: number }): fc.Arbitrary<Plan> {
  const least = Math.max(1, Math.round(operations * 0.7));
  const most = Math.max(least, Math.round(operations * 1.3));
  return fc
    .record({
      start: fc.nat(CHOICES - 1),
      wished: fc.array(wishes(profile), { minLength: least, maxLength: most, size: "max" }),
      gaps: fc.array(fc.integer({ min: 3, max: 6 }), { minLength: 4, maxLength: 4 }),
    })
    .map(({ start, wished, gaps }) => ({ profile, start, wishes: withDumps(wished, gaps) }));
}
