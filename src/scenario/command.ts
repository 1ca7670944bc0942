/**
 * The commands of the scenario language as data: one variant a command, addresses and sizes resolved to bytes.
 *
 * A scenario is a list of commands in the order in which they run. A command that names a process is run by that
 * process, and the next begins when it has returned. What a command asks of the kernel may be refused by the kernel (a
 * length that is no multiple of a page, a descriptor that was never opened): that is a result, and no business of the
 * language. Invariant: `echo` is the command's text with `@NAME+16k` replaced by its address, word by word, as a run
 * records it before `= RESULT`.
 */

/** The values of `madvise`, with the numbers of the kernel's MADV_ constants. */
export const ADVICE_NUMBERS = {
  normal: 0,
  random: 1,
  sequential: 2,
  willneed: 3,
  dontneed: 4,
  free: 8,
  remove: 9,
  dontfork: 10,
  dofork: 11,
  mergeable: 12,
  unmergeable: 13,
  hugepage: 14,
  nohugepage: 15,
  wipeonfork: 18,
  keeponfork: 19,
  cold: 20,
  pageout: 21,
  populate_read: 22,
  populate_write: 23,
  dontneed_locked: 24,
  collapse: 25,
  hwpoison: 100,
  soft_offline: 101,
  guard_install: 102,
  guard_remove: 103,
} as const;
export type Advice = keyof typeof ADVICE_NUMBERS;
export const ADVICES = Object.keys(ADVICE_NUMBERS) as readonly Advice[];

/** The flags of `mmap`. Without `fixed` an address that is taken is refused (MAP_FIXED_NOREPLACE). */
export const MAP_FLAGS = [
  "anon",
  "priv",
  "shared",
  "droppable",
  "pop",
  "locked",
  "hugetlb",
  "noreserve",
  "fixed",
] as const;
export type MapFlag = (typeof MAP_FLAGS)[number];

/** Protection bits, as PROT_READ, PROT_WRITE and PROT_EXEC. */
export const PROTECTION_READ = 1;
export const PROTECTION_WRITE = 2;
export const PROTECTION_EXEC = 4;

/** Values of a size's `enabled`. */
export const THP_VALUES = ["always", "inherit", "madvise", "never"] as const;
export type ThpValue = (typeof THP_VALUES)[number];
/** Values of a size's `shmem_enabled`. */
export const SHMEM_THP_VALUES = ["always", "inherit", "within_size", "advise", "never"] as const;
export type ShmemThpValue = (typeof SHMEM_THP_VALUES)[number];
/** Sizes of anonymous folios with a setting. 32 kB is missing: runs on real kernels probe for owner ids with it. */
export const THP_SIZES_KB: readonly number[] = [16, 64, 128, 256, 512, 1024, 2048];
/** Sizes of shmem folios with a setting. */
export const SHMEM_THP_SIZES_KB: readonly number[] = [8, ...THP_SIZES_KB];

/** One byte a page unless `touch` says otherwise. */
export const TOUCH_STEP_BYTES = 4096;
/** One write of `pwrite` unless it says otherwise. */
export const PWRITE_CHUNK_BYTES = 1024 * 1024;

/** A command of the machine as a whole. */
export type MachineCommand =
  | { readonly kind: "spawn"; readonly process: string }
  /** All processes alive if none is named. */
  | { readonly kind: "dump"; readonly label: string; readonly processes: readonly string[] }
  | { readonly kind: "thp"; readonly sizeKb: number; readonly value: ThpValue }
  | { readonly kind: "shmthp"; readonly sizeKb: number; readonly value: ShmemThpValue }
  | { readonly kind: "sys"; readonly path: string; readonly value: string }
  | { readonly kind: "sleep"; readonly durationMs: number }
  /** Counters are printed as differences from here; a scenario begins with one. */
  | { readonly kind: "baseline" }
  | { readonly kind: "ksmscan"; readonly scans: number }
  | { readonly kind: "swapon" | "swapoff"; readonly path: string }
  /** By the debugfs file split_huge_pages; the process does nothing itself. */
  | {
      readonly kind: "split";
      readonly process: string;
      readonly address: number;
      readonly lengthBytes: number;
      readonly order: number;
    };

/** A range of the process's address space. */
interface Range {
  readonly process: string;
  readonly address: number;
  readonly lengthBytes: number;
}

/** A command that a process runs on its own memory. */
export type MemoryCommand =
  | (Range & {
      readonly kind: "mmap";
      readonly region: string;
      readonly protection: number;
      readonly flags: readonly MapFlag[];
      readonly descriptor?: number;
      readonly offsetBytes: number;
    })
  | (Range & { readonly kind: "munmap" | "mlock" | "mlock_onfault" | "munlock" | "uffdwp" | "unuffdwp" })
  | (Range & { readonly kind: "mprotect"; readonly protection: number })
  /** With a new address MREMAP_MAYMOVE | MREMAP_FIXED; without, the mapping stays where it is. */
  | (Range & {
      readonly kind: "mremap";
      readonly newLengthBytes: number;
      readonly newAddress?: number;
      readonly dontUnmap: boolean;
    })
  /** `write` stores eight bytes at every step, without reading first. */
  | (Range & { readonly kind: "touch"; readonly write: boolean; readonly stepBytes: number })
  | (Range & { readonly kind: "fill"; readonly byte: number })
  | { readonly kind: "peek"; readonly process: string; readonly address: number }
  | (Range & { readonly kind: "madvise"; readonly advice: Advice })
  /** Pins through an io_uring's registered buffer: FOLL_PIN | FOLL_LONGTERM | FOLL_WRITE. */
  | (Range & { readonly kind: "uring"; readonly id: number })
  | { readonly kind: "unuring"; readonly process: string; readonly id: number }
  /** Pins through gup_test; one at a time. */
  | (Range & { readonly kind: "guppin"; readonly write: boolean })
  | { readonly kind: "gupunpin"; readonly process: string }
  /** Plain references held by a pipe: FOLL_GET. */
  | (Range & { readonly kind: "vmsplice"; readonly id: number })
  | { readonly kind: "unvmsplice"; readonly process: string; readonly id: number }
  /** move_pages() page by page; the result is the number of pages that are on the node now. */
  | (Range & { readonly kind: "migrate"; readonly node: number })
  /** set_mempolicy(MPOL_BIND). */
  | { readonly kind: "node"; readonly process: string; readonly node: number }
  | { readonly kind: "prctl"; readonly process: string; readonly option: number; readonly argument: number };

/** A command that a process runs on a file. */
export type FileCommand =
  | {
      readonly kind: "memfd";
      readonly process: string;
      readonly descriptor: number;
      readonly sizeBytes: number;
      readonly hugetlb: boolean;
    }
  | {
      readonly kind: "open";
      readonly process: string;
      readonly descriptor: number;
      readonly path: string;
      /** ftruncate to this; a file opened read-only stays as it is. */
      readonly sizeBytes?: number;
      readonly readOnly: boolean;
    }
  | { readonly kind: "close" | "fsync" | "fadvise"; readonly process: string; readonly descriptor: number }
  | { readonly kind: "ftruncate"; readonly process: string; readonly descriptor: number; readonly sizeBytes: number }
  | {
      readonly kind: "fallocate";
      readonly process: string;
      readonly descriptor: number;
      readonly offsetBytes: number;
      readonly lengthBytes: number;
      /** FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE. */
      readonly punch: boolean;
    }
  | {
      readonly kind: "pwrite";
      readonly process: string;
      readonly descriptor: number;
      readonly offsetBytes: number;
      readonly lengthBytes: number;
      readonly chunkBytes: number;
    }
  | {
      readonly kind: "pread";
      readonly process: string;
      readonly descriptor: number;
      readonly offsetBytes: number;
      readonly lengthBytes: number;
    };

/** What a command says, without where it stands. */
export type CommandBody =
  | MachineCommand
  | { readonly kind: "fork"; readonly process: string; readonly child: string }
  | { readonly kind: "exit"; readonly process: string }
  | MemoryCommand
  | FileCommand;

/** Where a command stands. Lines and columns count from 1. */
export interface CommandPlace {
  readonly line: number;
  readonly column: number;
  /** The line without its comment and the spaces around it. */
  readonly source: string;
  /** The words with addresses resolved, one space apart. */
  readonly echo: string;
}

/** A command of a scenario. */
export type ScenarioCommand = CommandPlace & CommandBody;

/** A scenario that was understood. */
export interface Scenario {
  /** As it was given, for messages: a path, or "-" for standard input. */
  readonly file: string;
  readonly text: string;
  readonly commands: readonly ScenarioCommand[];
}
