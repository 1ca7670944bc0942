/**
 * The memory that the copy-on-write plan runs on: how each backing is made, as lines of a scenario (literature 2.3).
 *
 * A backing ends with process P, and a range `@mem` of `lengthBytes` that the case works on. Every page of written memory
 * is told apart from its neighbours: byte 1 throughout, and in its second word who wrote it and where.
 */
import { type CowStep, processSees, run, sizeWord } from "./cow-plan-steps.ts";

const PAGE = 4096;
/** The size of a PMD: the largest THP, and the model's huge page. */
const PMD_BYTES = 2 ** 21;
const PMD_KB = 2048;

/** Sizes of anonymous THP in KiB, as the kernel's test finds them on x86-64 with 4 KiB pages. */
export const COW_THP_SIZES_KB: readonly number[] = [16, 32, 64, 128, 256, 512, 1024, PMD_KB];

/** Kinds of backing; the table of expected failures speaks of these. */
export type CowBackingKind =
  | "base"
  | "base-swapped"
  | "pmd"
  | "pmd-swapped"
  | "pte"
  | "pte-swapped"
  | "single"
  | "single-swapped"
  | "mremapped"
  | "part-shared"
  | "hugetlb"
  | "zeropage"
  | "memfd"
  | "tmpfile"
  | "huge-zeropage"
  | "memfd-hugetlb";

export interface CowBacking {
  readonly kind: CowBackingKind;
  /** "PTE-mapped THP (64 kB)" */
  readonly title: string;
  /** Bytes of `@mem` that the case works on. */
  readonly lengthBytes: number;
  readonly steps: readonly CowStep[];
  /** Why the model has no such memory; then there are no steps. */
  readonly missing?: string;
}

const WRITE_ALL = (bytes: number): CowStep[] => [
  run(`P fill @mem ${sizeWord(bytes)} 1`),
  run(`P touch @mem+8 ${bytes - 8} w`),
];
const SWAP_ON = run("swapon /dev/ram1");
const SPAWN = run("spawn P");

/** Pages go to swap, and the test needs them there. */
function pagedOut(bytes: number): CowStep[] {
  return [
    run(`P madvise @mem ${sizeWord(bytes)} pageout`),
    { kind: "needSwap", process: "P", at: "@mem", lengthBytes: bytes },
  ];
}

function basePage(isSwapped: boolean): CowBacking {
  return {
    kind: isSwapped ? "base-swapped" : "base",
    title: isSwapped ? "swapped out base page" : "base page",
    lengthBytes: PAGE,
    steps: [
      ...(isSwapped ? [SWAP_ON] : []),
      SPAWN,
      run("P mmap mem 0x200000000 4k rw anon,priv"),
      ...WRITE_ALL(PAGE),
      ...(isSwapped ? pagedOut(PAGE) : []),
    ],
  };
}

/** A THP of this size, all of it written. 32 kB: `thp` leaves that size to those who look for owner ids. */
function filledThp(sizeKb: number, isSwapped: boolean): CowStep[] {
  const bytes = sizeKb * 1024;
  const enable =
    sizeKb === 32
      ? "sys /sys/kernel/mm/transparent_hugepage/hugepages-32kB/enabled madvise"
      : `thp ${sizeKb}kB madvise`;
  return [
    ...(isSwapped ? [SWAP_ON] : []),
    SPAWN,
    run(enable),
    run(`P mmap mem 0x200000000 ${sizeWord(bytes)} rw anon,priv`),
    run(`P madvise @mem ${sizeWord(bytes)} hugepage`),
    ...WRITE_ALL(bytes),
  ];
}

/** One page made read-only for a moment: a PMD is split into PTEs by it; smaller sizes have none. */
const MAP_BY_PTES: readonly CowStep[] = [run("P mprotect @mem+4k 4k r"), run("P mprotect @mem+4k 4k rw")];

/** How a THP is mapped when the case begins. */
interface ThpShape {
  readonly kind: CowBackingKind;
  readonly title: (size: string) => string;
  readonly isSwapped?: boolean;
  /** Pages of the THP that the case works on; default all. */
  readonly pages?: (pages: number) => number;
  /** What is done to a THP of so many bytes before it is swapped out. */
  readonly shape: (bytes: number) => readonly CowStep[];
}

const dropAllButOne = (bytes: number): readonly CowStep[] => [
  run(`P madvise @mem+4k ${sizeWord(bytes - PAGE)} dontneed`),
];
const PMD_SHAPES: readonly ThpShape[] = [
  { kind: "pmd", title: (size) => `THP (${size})`, shape: () => [] },
  { kind: "pmd-swapped", title: (size) => `swapped-out THP (${size})`, isSwapped: true, shape: () => [] },
];
const SHAPES: readonly ThpShape[] = [
  { kind: "pte", title: (size) => `PTE-mapped THP (${size})`, shape: () => MAP_BY_PTES },
  {
    kind: "pte-swapped",
    title: (size) => `swapped-out, PTE-mapped THP (${size})`,
    isSwapped: true,
    shape: () => MAP_BY_PTES,
  },
  { kind: "single", title: (size) => `single PTE of THP (${size})`, pages: () => 1, shape: dropAllButOne },
  {
    kind: "single-swapped",
    title: (size) => `single PTE of swapped-out THP (${size})`,
    isSwapped: true,
    pages: () => 1,
    shape: dropAllButOne,
  },
  {
    kind: "mremapped",
    title: (size) => `partially mremap()'ed THP (${size})`,
    pages: (pages) => pages / 2,
    shape: (bytes) => {
      const half = sizeWord(bytes / 2);
      return [run(`P mremap @mem+${half} ${half} ${half} 0x280000000`)];
    },
  },
  {
    kind: "part-shared",
    title: (size) => `partially shared THP (${size})`,
    shape: (bytes) => {
      const rest = `@mem+4k ${sizeWord(bytes - PAGE)}`;
      return [run(`P madvise ${rest} dontfork`), run("P fork X"), run("X exit"), run(`P madvise ${rest} dofork`)];
    },
  },
];

function thp(sizeKb: number, { kind, title, shape, pages, isSwapped = false }: ThpShape): CowBacking {
  const bytes = sizeKb * 1024;
  const lengthBytes = (pages?.(bytes / PAGE) ?? bytes / PAGE) * PAGE;
  return {
    kind,
    title: title(`${sizeKb} kB`),
    lengthBytes,
    steps: [...filledThp(sizeKb, isSwapped), ...shape(bytes), ...(isSwapped ? pagedOut(lengthBytes) : [])],
  };
}

const NO_GIGANTIC = "the model has huge pages of 2048 kB only";

function hugetlb(): CowBacking[] {
  return [
    {
      kind: "hugetlb",
      title: "hugetlb (2048 kB)",
      lengthBytes: PMD_BYTES,
      steps: [SPAWN, run("P mmap mem 0x200000000 2M rw anon,priv,hugetlb"), ...WRITE_ALL(PMD_BYTES)],
    },
    { kind: "hugetlb", title: "hugetlb (1048576 kB)", lengthBytes: 2 ** 30, steps: [], missing: NO_GIGANTIC },
  ];
}

/** The backings of anonymous memory (cases A), in the order of the kernel's test. */
export function anonymousBackings(): CowBacking[] {
  const thps = COW_THP_SIZES_KB.toReversed().flatMap((sizeKb) =>
    [...(sizeKb === PMD_KB ? PMD_SHAPES : []), ...SHAPES].map((shape) => thp(sizeKb, shape)),
  );
  return [basePage(false), basePage(true), ...thps, ...hugetlb()];
}

/** The backing of the collapse cases (B): a THP of PMD size, mapped by PTEs. */
export function collapseBacking(): CowBacking {
  return {
    kind: "pte",
    title: "PTE-mapped THP (2048 kB)",
    lengthBytes: PMD_BYTES,
    steps: [...filledThp(PMD_KB, false), ...MAP_BY_PTES],
  };
}

const ZEROPAGE_STEPS = (length: string): CowStep[] => [
  run(`P mmap mem 0x200000000 ${length} rw anon,priv`),
  run(`P mmap smem 0x280000000 ${length} r anon,priv`),
];
const FAULT_BOTH_IN: readonly CowStep[] = [run("P touch @mem 4k r"), run("P touch @smem 4k r")];

function filePage(kind: "memfd" | "tmpfile", open: string): CowBacking {
  return {
    kind,
    title: kind,
    lengthBytes: PAGE,
    steps: [
      SPAWN,
      run(open),
      run("P pwrite 0 0 4k"),
      run("P mmap mem 0x200000000 4k rw priv fd=0"),
      run("P mmap smem 0x280000000 4k r shared fd=0"),
      ...FAULT_BOTH_IN,
    ],
  };
}

/** The backings of private mappings of something else (cases C): `@smem` maps the same. */
export function otherBackings(): CowBacking[] {
  return [
    {
      kind: "zeropage",
      title: "shared zeropage",
      lengthBytes: PAGE,
      steps: [SPAWN, ...ZEROPAGE_STEPS("4k"), ...FAULT_BOTH_IN],
    },
    {
      kind: "huge-zeropage",
      title: "huge zeropage",
      lengthBytes: PAGE,
      steps: [
        run("thp 2048kB madvise"),
        SPAWN,
        ...ZEROPAGE_STEPS("2M"),
        run("P madvise @mem 2M hugepage"),
        run("P madvise @smem 2M hugepage"),
        ...FAULT_BOTH_IN,
      ],
    },
    filePage("memfd", "P memfd 0 4k"),
    filePage("tmpfile", "P open 0 /mnt/cow 4k"),
    {
      kind: "memfd-hugetlb",
      title: "memfd hugetlb (2048 kB)",
      lengthBytes: PMD_BYTES,
      steps: [
        SPAWN,
        run("P memfd 0 2M hugetlb"),
        run("P mmap writable 0x300000000 2M rw shared fd=0"),
        run("P fill @writable 2M 1"),
        run("P munmap @writable 2M"),
        run("P mmap mem 0x200000000 2M rw priv fd=0"),
        run("P mmap smem 0x280000000 2M r shared fd=0"),
        ...FAULT_BOTH_IN,
      ],
    },
    {
      kind: "memfd-hugetlb",
      title: "memfd hugetlb (1048576 kB)",
      lengthBytes: 2 ** 30,
      steps: [],
      missing: NO_GIGANTIC,
    },
  ];
}

/** P's view of the range that the case works on. */
export const memSeenBy = (process: string, { lengthBytes }: CowBacking): ReturnType<typeof processSees> =>
  processSees(process, "@mem", lengthBytes);
