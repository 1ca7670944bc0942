/**
 * What running a scenario on the model gives: the recording that a kernel would have printed, and beside it every
 * scheme's answers and the truth.
 *
 * A view is plain data for drawing, one a dump: which page of which process shows which folio, and rows of answers. It
 * says nothing that the recording does not, but for the answers. Invariant: `answers` of every row stand in the order of
 * `schemes`.
 */
import type { CowRule } from "../memory/index.ts";
import type { Question, Scheme } from "../schemes/index.ts";
import type { ScenarioRecord } from "./dump.ts";

/** The configuration of the kernel that the model is: CONFIG_PAGE_MAPCOUNT or CONFIG_NO_PAGE_MAPCOUNT. */
export type KernelCounting = "page" | "nopage";

export interface RunScenarioOptions {
  readonly config: KernelCounting;
  /** Schemes that count beside the kernel's own. */
  readonly schemes: readonly Scheme[];
  /** CONFIG_MEM_SOFT_DIRTY; true if not given. */
  readonly hasSoftDirty?: boolean;
  /** Page frames of the machine, of 4 KiB; 1 GiB if not given. At most MODEL_MEMORY_BYTES_MAX in all. */
  readonly frameCount?: number;
  /** Hold the invariants of kernel-facts 8 after every command: slow. */
  readonly checkInvariants?: boolean;
  /** Check on contents after every command that nobody sees what it must not: slow. */
  readonly checkContents?: boolean;
  /** Work out what programs would read of the processes at every dump: the views' `consumers`. */
  readonly consumers?: boolean;
  /** The era of copy-on-write; today's if not given. */
  readonly cowRule?: CowRule;
  /** The scheme that decides in the kernel's place. */
  readonly decidedBy?: Scheme;
}

export interface ScenarioRun {
  readonly config: KernelCounting;
  /** Ids. */
  readonly schemes: readonly string[];
  readonly record: ScenarioRecord;
  /** One a dump, in the order of the record's steps. */
  readonly views: readonly ScenarioView[];
}

/** The machine at a dump. */
export interface ScenarioView {
  readonly label: string;
  readonly line: number;
  /** What ran since the last dump, with results, as in the recording. */
  readonly commands: readonly string[];
  /** Ids of the schemes, in the order of all answers. */
  readonly schemes: readonly string[];
  readonly processes: readonly ProcessView[];
  readonly folios: readonly FolioView[];
  /** One a process, if they were asked for. */
  readonly consumers?: readonly ConsumerFigures[];
}

/** What programs make of a process through /proc, in bytes. */
export interface ConsumerValues {
  /** Redis' copy-on-write memory: Private_Dirty of all VMAs. */
  readonly privateDirtyBytes: number;
  /** Android's procrank, from pagemap and kpagecount. */
  readonly procrankPssBytes: number;
  readonly procrankUssBytes: number;
}

export interface ConsumerFigures {
  readonly process: string;
  /** Page-exact, by the page tables. */
  readonly truth: ConsumerValues;
  /** In the order of the schemes; folios of which only a walk of the reverse map could tell. */
  readonly byScheme: readonly (ConsumerValues & { readonly foliosWalked: number })[];
}

export interface ProcessView {
  readonly name: string;
  readonly vmas: readonly VmaView[];
}

export interface VmaView {
  readonly start: number;
  readonly end: number;
  /** "rw-p" */
  readonly perm: string;
  /** The file's name; "" for anonymous memory. */
  readonly name: string;
  /** In order of address, not overlapping; what is in no run holds nothing. */
  readonly pages: readonly PageRunView[];
}

/** Consecutive pages that hold the same kind of thing. */
export interface PageRunView {
  /** In pages from the VMA's start. */
  readonly firstPage: number;
  readonly pageCount: number;
  readonly holds: PageContent;
}

export type PageContent =
  /** Pages of a folio, the first of the run being `folioPage`; `repeats`: every page of the run is this one (KSM). */
  | {
      readonly kind: "folio";
      readonly label: string;
      readonly folioPage: number;
      readonly byPmd: boolean;
      readonly repeats?: boolean;
    }
  | { readonly kind: "zero" | "swap" | "guard" | "marker" };

/** A folio and what is said about it. */
export interface FolioView {
  /** "F1" */
  readonly label: string;
  readonly order: number;
  readonly memory: "anon" | "shmem" | "file" | "hugetlb" | "ksm";
  readonly answers: readonly AnswerRow[];
}

/** One question about a folio. */
export interface AnswerRow {
  readonly question: Question;
  /** Whom the question is about ("P", "P, VMA 0x200000000"); "" for the folio itself. */
  readonly about: string;
  readonly truth: AnswerValue;
  /** One a scheme. */
  readonly answers: readonly AnswerValue[];
}

/** A yes or no, a number, a number for each page as runs, or no answer: ask the reverse map. */
export type AnswerValue =
  | boolean
  | number
  | "unknown"
  | readonly (readonly [first: number, last: number, value: number])[];
