/**
 * Cases about what the kernel does with answers: copy-on-write reuse, GUP-fast, reclaim, the split of a folio.
 *
 * Each comes with what is left out to see it break: the re-check under the lock, the sequence, the freeze of the reference
 * count. What holds a rule together is known when the rule falls without it.
 */
import { type CheckCase, defineCase, sameFor } from "./check-case.ts";
import { COW_REUSE_TEXT } from "./programs/cow-reuse.ts";
import { FIRST_MM_THREADS_TEXT } from "./programs/first-mm-threads.ts";
import { FOLIO_SPLIT_TEXT } from "./programs/folio-split.ts";
import { GUP_FAST_FORK_TEXT } from "./programs/gup-fast-fork.ts";
import { RECLAIM_TEXT } from "./programs/reclaim.ts";

const REUSE = [{ name: "programs/cow-reuse", text: COW_REUSE_TEXT }];
const GUP = [{ name: "programs/gup-fast-fork", text: GUP_FAST_FORK_TEXT }];
const BESIDE = { name: "programs/first-mm-threads", text: FIRST_MM_THREADS_TEXT };
const RECLAIM = [BESIDE, { name: "programs/reclaim", text: RECLAIM_TEXT }];
const SPLIT = [BESIDE, { name: "programs/folio-split", text: FOLIO_SPLIT_TEXT }];
const ORDERED = { vma: { REMEDY: 3 } };
const TWO_TABLES = { REFERENCES: 1, TABLES: 2 };
const RECLAIMED = { REFERENCES: 1, MMS: 3 };

/** A page that the child has unmapped is never copied. */
const ALWAYS_REUSED = ["writes_while_held"];

const REUSE_CASES: readonly CheckCase[] = [
  defineCase({
    id: "reuse",
    title: "copy-on-write reuse as the scheme allows it",
    asks: "May a page be written in place while a child's reference, older than its unmap, still reads it?",
    programs: REUSE,
    constants: TWO_TABLES,
    schemeConstants: ORDERED,
    outcomes: {
      page: { states: 31_893 },
      "mm-owner": { states: 22_765 },
      "mapped-pages": { states: 26_637 },
      "mm-owner-levels": { states: 22_765 },
      sums: { states: 30_169 },
      doublemap: { states: 4779 },
      subpages: { states: 5435 },
      none: { states: 3339 },
      "three-state": { states: 6721 },
      troll: { states: 10_803 },
      "vma-table": { states: 6607 },
      vma: { states: 8533 },
      "first-page": { states: 7377 },
      total: { states: 4779 },
      "rmap-id": { states: 44_831 },
    },
  }),
  defineCase({
    id: "reuse-unchecked",
    title: "the same without the re-check under the lock",
    asks: "Mapcount and reference count are read one after the other: what if a page in the other table is zapped between?",
    programs: REUSE,
    constants: { ...TWO_TABLES, RECHECK: 0 },
    outcomes: {
      page: { states: 32_001, broken: ["leak"] },
      "mm-owner": { states: 22_881, broken: ["leak"] },
      "mapped-pages": { states: 26_833, broken: ["leak"] },
      "mm-owner-levels": { states: 22_881, broken: ["leak"] },
      sums: { states: 30_065, broken: ["leak"] },
      "rmap-id": { states: 44_939, broken: ["leak"] },
    },
  }),
  defineCase({
    id: "reuse-by-mapcount",
    title: "reuse if the page's mapcount is 1 (until 5.7), one operation after another",
    asks: "What does a mapcount of 1 say about a page that somebody has unmapped and still refers to (CVE-2020-29374)?",
    programs: REUSE,
    constants: { REFERENCES: 1, PAGES: 4, RULE: 1, SERIAL: 1 },
    outcomes: {
      page: { states: 8320, broken: ["leak"], unseen: ALWAYS_REUSED },
      doublemap: { states: 5096, broken: ["leak"], unseen: ALWAYS_REUSED },
      subpages: { states: 5168, broken: ["leak"], unseen: ALWAYS_REUSED },
      "first-page": { states: 5564, broken: ["leak"], unseen: ALWAYS_REUSED },
    },
  }),
  defineCase({
    id: "reuse-by-refcount",
    title: "reuse if there is one reference (5.9)",
    asks: "Is the reference count alone enough?",
    programs: REUSE,
    constants: { ...TWO_TABLES, RULE: 2 },
    outcomes: { page: { states: 25_375 }, doublemap: { states: 4779 }, none: { states: 3339 } },
  }),
  defineCase({
    id: "reuse-tso",
    title: "copy-on-write reuse with store buffers",
    asks: "Does the re-check hold when a CPU's stores reach memory later?",
    programs: REUSE,
    constants: TWO_TABLES,
    options: { memory: "tso" },
    outcomes: {
      page: { states: 94_923 },
      "mm-owner": { states: 76_155 },
      "mapped-pages": { states: 98_717 },
      "mm-owner-levels": { states: 76_155 },
      sums: { states: 109_833 },
      "rmap-id": { states: 146_121 },
    },
  }),
];

const GUP_CASES: readonly CheckCase[] = [
  defineCase({
    id: "gup-fork",
    title: "GUP-fast against fork",
    asks: "Is a page that GUP-fast has pinned ever shared with a child?",
    programs: GUP,
    constants: { REFERENCES: 1 },
    outcomes: { page: { states: 449 }, "mm-owner": { states: 434 } },
  }),
  defineCase({
    id: "gup-fork-tso",
    title: "GUP-fast against fork, with store buffers",
    asks: "The same on x86: the lock taken between the sequence and the look at the pins is what orders them.",
    programs: GUP,
    constants: { REFERENCES: 1 },
    options: { memory: "tso" },
    outcomes: { page: { states: 973 }, "mm-owner": { states: 956 } },
  }),
  defineCase({
    id: "gup-unsequenced",
    title: "GUP-fast against fork without the write-protect sequence",
    asks: "What is write_protect_seq for?",
    programs: GUP,
    constants: { REFERENCES: 1, SEQUENCE: 0 },
    outcomes: {
      page: { states: 241, broken: ["pinned_stays_exclusive"] },
      "mm-owner": { states: 232, broken: ["pinned_stays_exclusive"] },
    },
  }),
  defineCase({
    id: "gup-late-sequence",
    title: "the sequence raised inside the page table locks",
    asks: "Does it matter where fork raises it, if every store is seen at once?",
    programs: GUP,
    constants: { REFERENCES: 1, SEQUENCE: 2 },
    outcomes: { page: { states: 461 }, "mm-owner": { states: 446 } },
  }),
  defineCase({
    id: "gup-late-sequence-tso",
    title: "the sequence raised inside the page table locks, with store buffers",
    asks: "And if the store can wait in a buffer while the pins are looked at?",
    programs: GUP,
    constants: { REFERENCES: 1, SEQUENCE: 2 },
    options: { memory: "tso" },
    outcomes: {
      page: { states: 1126, broken: ["pinned_stays_exclusive"] },
      "mm-owner": { states: 1108, broken: ["pinned_stays_exclusive"] },
    },
  }),
];

const UNFROZEN = { broken: ["freed_while_held"], unseen: ["kept_by_reclaim"] };
const UNFROZEN_TO_THE_END = {
  broken: ["freed_while_held"],
  unseen: ["kept_by_reclaim", "walk_stops_early"],
};
/** A walk that begins with the youngest cannot stop early: the first address space keeps a page. */
const BACKWARDS = ["held_by_user", "walk_stops_early"];
const MISSED = { broken: ["freed"], unseen: ["kept_by_reclaim", ...BACKWARDS] };

const RECLAIM_CASES: readonly CheckCase[] = [
  defineCase({
    id: "reclaim",
    title: "reclaim's walk beside fork, MADV_DONTNEED and GUP-fast",
    asks: "Is a folio ever freed while it is mapped or referred to, and may the walk believe the count when it stops early?",
    programs: RECLAIM,
    constants: RECLAIMED,
    schemeConstants: ORDERED,
    outcomes: {
      page: { states: 56_025 },
      "mm-owner": { states: 51_569 },
      "mapped-pages": { states: 57_529 },
      "mm-owner-levels": { states: 51_569 },
      sums: { states: 56_580 },
      doublemap: { states: 30_634 },
      subpages: { states: 28_256 },
      none: { states: 22_590, unseen: ["walk_stops_early"] },
      "three-state": { states: 28_302, unseen: ["walk_stops_early"] },
      troll: { states: 31_721 },
      "vma-table": { states: 31_419 },
      vma: { states: 31_419 },
      "first-page": { states: 31_236 },
      total: { states: 26_780 },
      "rmap-id": { states: 57_085 },
    },
  }),
  defineCase({
    id: "reclaim-unfrozen",
    title: "the same without freezing the reference count",
    asks: "Is it enough that nothing is mapped any more?",
    programs: RECLAIM,
    constants: { ...RECLAIMED, FREEZE: 0 },
    schemeConstants: ORDERED,
    outcomes: {
      ...sameFor(["page", "mm-owner", "mapped-pages", "mm-owner-levels", "sums", "doublemap", "subpages"], UNFROZEN),
      ...sameFor(["none", "three-state"], UNFROZEN_TO_THE_END),
      ...sameFor(["troll", "vma-table", "vma", "first-page", "total", "rmap-id"], UNFROZEN),
    },
  }),
  defineCase({
    id: "reclaim-backwards",
    title: "a walk from the youngest to the oldest, trusted",
    asks: "fork carries an entry from in front of the walk to behind it: who notices?",
    programs: RECLAIM,
    constants: { ...RECLAIMED, FREEZE: 0, ORDER: 1, GUPS: 0 },
    schemeConstants: ORDERED,
    outcomes: {
      ...sameFor(["page", "mm-owner", "mapped-pages", "mm-owner-levels", "sums", "doublemap", "subpages"], {
        unseen: BACKWARDS,
      }),
      ...sameFor(["none", "three-state"], MISSED),
      troll: { broken: ["freed"], unseen: BACKWARDS },
      ...sameFor(["vma-table", "vma", "first-page", "total", "rmap-id"], { unseen: BACKWARDS }),
    },
  }),
];

/** Those whose `mappings` counts entries, or says that it cannot: the question before a split is about references. */
const SPLITTABLE = {
  page: { states: 16_884 },
  "mm-owner": { states: 14_906 },
  "mapped-pages": { states: 16_842 },
  "mm-owner-levels": { states: 14_906 },
  sums: { states: 17_276 },
  doublemap: { states: 7688 },
  subpages: { states: 8222 },
  none: { states: 5989 },
  "first-page": { states: 8854 },
  total: { states: 7212 },
  "rmap-id": { states: 17_296 },
};

const SPLIT_CASES: readonly CheckCase[] = [
  defineCase({
    id: "split",
    title: "the split of a folio beside MADV_DONTNEED and GUP-fast",
    asks: "Is a folio ever split while it is mapped or somebody else refers to it?",
    programs: SPLIT,
    constants: { REFERENCES: 1 },
    outcomes: SPLITTABLE,
  }),
  defineCase({
    id: "split-unfrozen",
    title: "the same without freezing the reference count",
    asks: "Is can_split_folio's comparison of mapcount and reference count enough?",
    programs: SPLIT,
    constants: { REFERENCES: 1, FREEZE: 0 },
    outcomes: sameFor(Object.keys(SPLITTABLE), { broken: ["split_while_held"], unseen: ["split_put_back"] }),
  }),
];

/** In the order in which they are listed. */
export const CONSUMER_CASES: readonly CheckCase[] = [...REUSE_CASES, ...GUP_CASES, ...RECLAIM_CASES, ...SPLIT_CASES];
