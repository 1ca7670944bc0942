/**
 * Cases about counting: are the words right when nobody is at work, and is an answer ever wrong that somebody acts on?
 *
 * File memory and anonymous memory differ in who may begin to map a folio, and so in what an answer is worth
 * (programs/file-memory.ts, programs/anonymous-memory.ts). Cases with one thread (`serial...`) ask what the state of a scheme
 * forgets; cases with more, what it says while others are within an operation.
 */
import { type CheckCase, defineCase, sameFor } from "./check-case.ts";
import { ANONYMOUS_MEMORY_TEXT } from "./programs/anonymous-memory.ts";
import { FILE_MEMORY_TEXT } from "./programs/file-memory.ts";
import { PMD_SPLIT_TEXT } from "./programs/pmd-split.ts";
import { SERIAL_QUESTIONS_TEXT } from "./programs/serial-questions.ts";

const FILE = [{ name: "programs/file-memory", text: FILE_MEMORY_TEXT }];
const ANONYMOUS = [{ name: "programs/anonymous-memory", text: ANONYMOUS_MEMORY_TEXT }];
const SERIAL = [{ name: "programs/serial-questions", text: SERIAL_QUESTIONS_TEXT }];
const PMD_SPLIT = [{ name: "programs/pmd-split", text: PMD_SPLIT_TEXT }];

/** Elsewhere than in the cases about locks `vma` takes them in an order that works. */
const ORDERED = { vma: { REMEDY: 3 } };
/** Their `mappings` counts VMAs or tables. */
const UNITS = {
  "three-state": { COUNTS_ENTRIES: 0 },
  troll: { COUNTS_ENTRIES: 0 },
  "vma-table": { COUNTS_ENTRIES: 0 },
  vma: { COUNTS_ENTRIES: 0, REMEDY: 3 },
};
const ANSWERS = ["answered_no", "answered_yes"];
/** `three-state` and `vma-table` say UNKNOWN where others say YES. */
const NEVER_YES = ["answered_yes"];
/** No reader, or none that is told a number. */
const NOT_READ = ["right_while_splitting"];

const CONCURRENT_CASES: readonly CheckCase[] = [
  defineCase({
    id: "file",
    title: "file memory, 2 threads",
    asks: "Do the counts equal the truth when nobody is at work, and is NO said only if nobody else mapped the folio at some moment since the question began?",
    programs: FILE,
    schemeConstants: ORDERED,
    outcomes: {
      page: { states: 230_319 },
      "mm-owner": { states: 180_221 },
      "mapped-pages": { states: 206_581 },
      "mm-owner-levels": { states: 180_221 },
      sums: { states: 159_939 },
      doublemap: { states: 62_073 },
      subpages: { states: 70_539 },
      none: { states: 36_693, unseen: ["two_count_at_once", ...ANSWERS] },
      "three-state": { states: 74_844, unseen: NEVER_YES },
      troll: { states: 84_359 },
      "vma-table": { states: 60_379, unseen: NEVER_YES },
      vma: { states: 60_379 },
      "first-page": { states: 79_463, broken: ["no_false_exclusive"] },
      total: { states: 49_371 },
      "rmap-id": { states: 198_463 },
    },
  }),
  defineCase({
    id: "anonymous",
    title: "anonymous memory, 2 threads",
    asks: "While forks, MADV_DONTNEED and questions overlap: is NO ever said to somebody who then acts on a folio that others map?",
    programs: ANONYMOUS,
    schemeConstants: ORDERED,
    outcomes: {
      page: { states: 85_673 },
      "mm-owner": { states: 76_261 },
      "mapped-pages": { states: 84_009 },
      "mm-owner-levels": { states: 76_261 },
      sums: { states: 87_061 },
      doublemap: { states: 48_353 },
      subpages: { states: 47_965 },
      none: { states: 33_507, unseen: ["two_count_at_once", ...ANSWERS, "somebody_acts"] },
      "three-state": { states: 45_835, unseen: NEVER_YES },
      troll: { states: 50_815 },
      "vma-table": { states: 44_603, unseen: NEVER_YES },
      vma: { states: 44_603 },
      "first-page": { states: 52_507, broken: ["no_false_exclusive", "still_exclusive"] },
      total: { states: 40_555 },
      "rmap-id": { states: 93_705 },
    },
  }),
  defineCase({
    id: "three",
    title: "3 address spaces, 2 pages, 3 threads of 2 operations",
    asks: "With more address spaces than owner slots, any thread working on any of them: no false exclusive, and no drift?",
    programs: FILE,
    constants: { MMS: 3, THREADS: 3 },
    outcomes: sameFor(["page", "mm-owner", "mapped-pages", "mm-owner-levels", "sums"], {}),
  }),
  defineCase({
    id: "three-anonymous",
    title: "3 address spaces, 2 pages, 3 threads of 2 operations, anonymous",
    asks: "The same with forks: is NO ever said to somebody who then acts on a folio that others map?",
    programs: ANONYMOUS,
    constants: { MMS: 3, THREADS: 3 },
    outcomes: sameFor(["page", "mm-owner", "mapped-pages", "mm-owner-levels", "sums"], {}),
  }),
  defineCase({
    id: "fork-unwaited",
    title: "anonymous memory, and fork does not wait for readers of the mmap lock",
    asks: "The table locks make the answer true; what keeps it true while somebody acts on it?",
    programs: ANONYMOUS,
    constants: { FORK_WAITS: 0 },
    outcomes: {
      page: { states: 111_747, broken: ["still_exclusive"] },
      "mm-owner": { states: 100_669, broken: ["still_exclusive"] },
      "mapped-pages": { states: 110_413, broken: ["still_exclusive"] },
      "mm-owner-levels": { states: 100_669, broken: ["still_exclusive"] },
      sums: { states: 113_595, broken: ["still_exclusive"] },
      total: { states: 55_791, broken: ["still_exclusive"] },
      "rmap-id": { states: 122_908, broken: ["still_exclusive"] },
    },
  }),
  defineCase({
    id: "anonymous-tso",
    title: "anonymous memory, 2 threads, with store buffers",
    asks: "The same when a CPU's plain stores reach memory later?",
    programs: ANONYMOUS,
    options: { memory: "tso" },
    outcomes: {
      page: { states: 168_905 },
      "mm-owner": { states: 159_007 },
      "mapped-pages": { states: 192_829 },
      "mm-owner-levels": { states: 159_007 },
      sums: { states: 195_831 },
      total: { states: 58_565 },
      "rmap-id": { states: 201_071 },
    },
  }),
  defineCase({
    id: "unlocked",
    title: "without the lock of the large mapcount",
    asks: "What is the bit spinlock for?",
    programs: FILE,
    constants: { OPERATIONS: 1 },
    withoutLocks: ["large"],
    outcomes: {
      page: { states: 14_444, broken: ["counts"], unseen: NEVER_YES },
      "mm-owner": { states: 12_808, broken: ["counts", "statistics"], unseen: NEVER_YES },
      "mapped-pages": { states: 29_706, broken: ["counts", "statistics"], unseen: NEVER_YES },
      "mm-owner-levels": { states: 12_808, broken: ["counts", "statistics"], unseen: NEVER_YES },
      sums: { states: 37_986, broken: ["counts", "statistics"], unseen: NEVER_YES },
    },
  }),
];

const HUGE_CASES: readonly CheckCase[] = [
  defineCase({
    id: "huge",
    title: "PTEs, PMD entries and splits of them, 2 threads",
    asks: "Do counts in several words still agree when nobody is at work, and what is said while a PMD entry becomes PTEs?",
    programs: FILE,
    constants: { PMDS: 1, SPLITS: 1, BATCHES: 0 },
    schemeConstants: ORDERED,
    outcomes: {
      page: { states: 296_569, broken: ["statistics"] },
      "mm-owner": { states: 250_789 },
      "mapped-pages": { states: 276_229 },
      "mm-owner-levels": { states: 250_789 },
      sums: { states: 213_726 },
      doublemap: { states: 96_126, broken: ["no_false_exclusive"] },
      subpages: { states: 98_890, broken: ["statistics"] },
      none: { states: 60_132, unseen: ["two_count_at_once", ...ANSWERS] },
      "three-state": { states: 103_185, unseen: NEVER_YES },
      troll: { states: 114_352 },
      "vma-table": { states: 89_420 },
      vma: { states: 87_524 },
      "first-page": { states: 107_946, broken: ["no_false_exclusive", "statistics"] },
      total: { states: 76_414 },
      "rmap-id": { states: 240_551 },
    },
  }),
  defineCase({
    id: "two-counters",
    title: "two counters and no lock",
    asks: "Who says that the last mapping is gone, if pages and PMD entries are counted apart (the form of November 2022, before COMPOUND_MAPPED)?",
    programs: FILE,
    constants: { PMDS: 1, ASKS: 0, COMPOUND_MAPPED: 0 },
    outcomes: { subpages: { states: 152_855, broken: ["statistics"], unseen: ANSWERS } },
  }),
  defineCase({
    id: "one-word",
    title: "two counters in one word (COMPOUND_MAPPED)",
    asks: "The same with the PMD entries as a bit of the other counter's word: do the statistics hold while nobody splits?",
    programs: FILE,
    constants: { PMDS: 1, ASKS: 0 },
    outcomes: { subpages: { states: 91_605, unseen: ANSWERS } },
  }),
  defineCase({
    id: "statistics",
    title: "a page is zapped while another address space splits its PMD entry",
    asks: "Are AnonPages right afterwards, although neither waits for the other?",
    programs: PMD_SPLIT,
    constants: { PMDS: 1, SPLIT_FIRST: 1, ZAPS: 1, READS: 0 },
    outcomes: {
      page: { states: 622, broken: ["statistics"], unseen: NOT_READ },
      subpages: { states: 190, broken: ["statistics"], unseen: NOT_READ },
      "first-page": { states: 244, broken: ["statistics"], unseen: NOT_READ },
    },
  }),
  defineCase({
    id: "statistics-unclamped",
    title: "the same, with negative differences counted",
    asks: "Is it the clamp at 0 in __folio_remove_rmap that loses the page?",
    programs: PMD_SPLIT,
    constants: { PMDS: 1, SPLIT_FIRST: 1, ZAPS: 1, READS: 0, CLAMPED: 0 },
    outcomes: {
      page: { states: 602, unseen: NOT_READ },
      subpages: { states: 170, unseen: NOT_READ },
      "first-page": { states: 224, unseen: NOT_READ },
    },
  }),
  defineCase({
    id: "pmd-split",
    title: "a reader without locks while a PMD entry is split",
    asks: "A page is mapped by two address spaces throughout: how often does a reader say it is (DoubleMap's transient)?",
    programs: PMD_SPLIT,
    constants: { PMDS: 1 },
    schemeConstants: ORDERED,
    outcomes: {
      page: { states: 249, broken: ["never_too_high", "never_too_low"] },
      "mm-owner": { states: 234, broken: ["never_too_high"] },
      "mapped-pages": { states: 152, broken: ["never_too_high"] },
      "mm-owner-levels": { states: 234, broken: ["never_too_high"] },
      sums: { states: 170, broken: ["never_too_high"] },
      doublemap: { states: 236, broken: ["never_too_high", "never_too_low", "never_unmapped"] },
      subpages: { states: 99, broken: ["never_too_high", "never_too_low"] },
      ...sameFor(["none", "three-state", "troll", "vma"], { states: 26, unseen: NOT_READ }),
      ...sameFor(["vma-table", "total"], { states: 34, unseen: NOT_READ }),
      "first-page": { states: 119, broken: ["never_too_high", "never_too_low"] },
      "rmap-id": { states: 106, unseen: NOT_READ },
    },
  }),
];

const SERIAL_CASES: readonly CheckCase[] = [
  defineCase({
    id: "serial",
    title: "3 address spaces, one operation after another",
    asks: "Which states lie: does YES stay when the others have gone (a third address space that outlives both owners), is NO ever wrong?",
    programs: SERIAL,
    constants: { MMS: 3 },
    schemeConstants: UNITS,
    outcomes: {
      page: { states: 106_545, broken: ["exact"] },
      "mm-owner": { states: 102_792, broken: ["exact"] },
      "mapped-pages": { states: 112_635, broken: ["exact"] },
      "mm-owner-levels": { states: 102_792, broken: ["exact"] },
      sums: { states: 9820 },
      doublemap: { states: 6076 },
      subpages: { states: 5626 },
      none: { states: 3616, unseen: ANSWERS },
      "three-state": { states: 5414, unseen: NEVER_YES },
      troll: { states: 7946 },
      "vma-table": { states: 5152 },
      vma: { states: 5152 },
      "first-page": { states: 5551, broken: ["one_sided"] },
      total: { states: 4672 },
      "rmap-id": { states: 74_672 },
    },
  }),
  defineCase({
    id: "serial-huge",
    title: "2 address spaces, PTEs and PMD entries, one operation after another",
    asks: "Which states lie when a folio is mapped whole and in parts?",
    programs: SERIAL,
    constants: { PMDS: 1, SPLITS: 1 },
    schemeConstants: UNITS,
    outcomes: {
      page: { states: 6349 },
      "mm-owner": { states: 5991 },
      "mapped-pages": { states: 6397 },
      "mm-owner-levels": { states: 5991 },
      sums: { states: 3343 },
      doublemap: { states: 3018 },
      subpages: { states: 2173 },
      none: { states: 1555, unseen: ANSWERS },
      "three-state": { states: 2522, unseen: NEVER_YES },
      troll: { states: 2135 },
      "vma-table": { states: 1955, unseen: NEVER_YES },
      vma: { states: 1935 },
      "first-page": { states: 2165, broken: ["one_sided"] },
      total: { states: 1855 },
      "rmap-id": { states: 25_880 },
    },
  }),
  defineCase({
    id: "serial-areas",
    title: "2 address spaces of 2 VMAs, one operation after another",
    asks: "Does a second VMA of the same address space look like another address space?",
    programs: SERIAL,
    constants: { VMAS: 2 },
    schemeConstants: UNITS,
    outcomes: {
      page: { states: 93_159 },
      "mm-owner": { states: 87_855 },
      "mapped-pages": { states: 96_535 },
      "mm-owner-levels": { states: 87_855 },
      sums: { states: 52_336 },
      doublemap: { states: 32_288, broken: ["exact"] },
      subpages: { states: 29_560, broken: ["exact"] },
      none: { states: 19_200, unseen: ANSWERS },
      "three-state": { states: 26_085, unseen: NEVER_YES },
      troll: { states: 32_479, broken: ["exact"] },
      "vma-table": { states: 27_392 },
      vma: { states: 27_392, broken: ["exact"] },
      "first-page": { states: 29_092, broken: ["exact", "one_sided"] },
      total: { states: 24_832, broken: ["exact"] },
      "rmap-id": { states: 396_096, broken: ["exact"] },
    },
  }),
  defineCase({
    id: "serial-tables",
    title: "2 address spaces, the folio straddles 2 page tables, one operation after another",
    asks: "Does a folio in two page tables look shared?",
    programs: SERIAL,
    constants: { TABLES: 2 },
    schemeConstants: UNITS,
    outcomes: {
      page: { states: 2463 },
      "mm-owner": { states: 2351 },
      "mapped-pages": { states: 2535 },
      "mm-owner-levels": { states: 2351 },
      sums: { states: 1368 },
      doublemap: { states: 948 },
      subpages: { states: 848 },
      none: { states: 464, unseen: ANSWERS },
      "three-state": { states: 1395, unseen: NEVER_YES },
      troll: { states: 1152 },
      "vma-table": { states: 720 },
      vma: { states: 1056 },
      "first-page": { states: 792, broken: ["one_sided"] },
      total: { states: 656 },
      "rmap-id": { states: 5280 },
    },
  }),
];

/** In the order in which they are listed. */
export const COUNTING_CASES: readonly CheckCase[] = [...CONCURRENT_CASES, ...HUGE_CASES, ...SERIAL_CASES];
