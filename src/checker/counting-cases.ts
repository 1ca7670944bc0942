/** Cases about counting. */
import { defineCase, type CheckCase } from "./check-case.ts";
import { ANONYMOUS_MEMORY_TEXT } from "./programs/anonymous-memory.ts";
import { FILE_MEMORY_TEXT } from "./programs/file-memory.ts";
import { PMD_SPLIT_TEXT } from "./programs/pmd-split.ts";
import { SERIAL_QUESTIONS_TEXT } from "./programs/serial-questions.ts";

const FILE = [{ name: "programs/file-memory", text: FILE_MEMORY_TEXT }];
const ANONYMOUS = [{ name: "programs/anonymous-memory", text: ANONYMOUS_MEMORY_TEXT }];
const SERIAL = [{ name: "programs/serial-questions", text: SERIAL_QUESTIONS_TEXT }];
const PMD_SPLIT = [{ name: "programs/pmd-split", text: PMD_SPLIT_TEXT }];
const ORDERED = { vma: { REMEDY: 3 } };
const NOT_ENTRIES = { "three-state": { COUNTS_ENTRIES: 0 }, troll: { COUNTS_ENTRIES: 0 }, "vma-table": { COUNTS_ENTRIES: 0 }, vma: { COUNTS_ENTRIES: 0, REMEDY: 3 } };
const ALL = Object.fromEntries("page mm-owner mapped-pages mm-owner-levels sums doublemap subpages none three-state troll vma-table vma first-page total rmap-id".split(" ").map((id) => [id, {}]));
const only = (...ids: string[]) => Object.fromEntries(ids.map((id) => [id, {}]));

export const COUNTING_CASES: readonly CheckCase[] = [
  defineCase({ id: "file", title: "", asks: "", programs: FILE, schemeConstants: ORDERED, outcomes: ALL }),
  defineCase({ id: "anonymous", title: "", asks: "", programs: ANONYMOUS, schemeConstants: ORDERED, outcomes: ALL }),
  defineCase({ id: "huge", title: "", asks: "", programs: FILE, constants: { PMDS: 1, SPLITS: 1, ASKS: 0 }, schemeConstants: ORDERED, outcomes: ALL }),
  defineCase({ id: "huge-asks", title: "", asks: "", programs: FILE, constants: { PMDS: 1, SPLITS: 1, BATCHES: 0 }, schemeConstants: ORDERED, outcomes: ALL }),
  defineCase({ id: "serial", title: "", asks: "", programs: SERIAL, constants: { MMS: 3 }, schemeConstants: NOT_ENTRIES, outcomes: ALL }),
  defineCase({ id: "serial-huge", title: "", asks: "", programs: SERIAL, constants: { MMS: 2, PMDS: 1, SPLITS: 1 }, schemeConstants: NOT_ENTRIES, outcomes: ALL }),
  defineCase({ id: "serial-areas", title: "", asks: "", programs: SERIAL, constants: { MMS: 2, VMAS: 2 }, schemeConstants: NOT_ENTRIES, outcomes: ALL }),
  defineCase({ id: "serial-tables", title: "", asks: "", programs: SERIAL, constants: { MMS: 2, TABLES: 2 }, schemeConstants: NOT_ENTRIES, outcomes: ALL }),
  defineCase({ id: "unlocked", title: "", asks: "", programs: FILE, constants: {OPERATIONS: 1}, withoutLocks: ["large"], outcomes: only("page", "mm-owner", "mapped-pages", "mm-owner-levels", "sums") }),
  defineCase({ id: "pmd-split", title: "", asks: "", programs: PMD_SPLIT, constants: { PMDS: 1 }, schemeConstants: ORDERED, outcomes: ALL }),
  defineCase({ id: "two-counters", title: "", asks: "", programs: FILE, constants: { PMDS: 1, ASKS: 0, COMPOUND_MAPPED: 0 }, outcomes: only("subpages") }),
];
