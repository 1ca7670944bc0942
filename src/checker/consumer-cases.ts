/** Cases about consumers. */
import { defineCase, type CheckCase } from "./check-case.ts";
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
const ALL = Object.fromEntries("page mm-owner mapped-pages mm-owner-levels sums doublemap subpages none three-state troll vma-table vma first-page total rmap-id".split(" ").map((id) => [id, {}]));
const only = (...ids: string[]) => Object.fromEntries(ids.map((id) => [id, {}]));
const R = { REFERENCES: 1, TABLES: 2 };
export const CONSUMER_CASES: readonly CheckCase[] = [
  defineCase({ id: "reuse", title: "", asks: "", programs: REUSE, constants: R, schemeConstants: ORDERED, outcomes: ALL }),
  defineCase({ id: "reuse-unchecked", title: "", asks: "", programs: REUSE, constants: { ...R, RECHECK: 0 }, outcomes: only("page", "mm-owner", "mapped-pages", "mm-owner-levels", "sums", "rmap-id") }),
  defineCase({ id: "reuse-by-mapcount", title: "", asks: "", programs: REUSE, constants: { ...R, RULE: 1 }, outcomes: only("doublemap", "page", "subpages", "first-page") }),
  defineCase({ id: "reuse-by-refcount", title: "", asks: "", programs: REUSE, constants: { ...R, RULE: 2 }, outcomes: only("doublemap", "none", "page") }),
  defineCase({ id: "reuse-tso", title: "", asks: "", programs: REUSE, constants: R, options: { memory: "tso" }, outcomes: only("page", "mm-owner", "mapped-pages", "mm-owner-levels", "sums", "rmap-id") }),
  defineCase({ id: "gup-fork", title: "", asks: "", programs: GUP, constants: { REFERENCES: 1 }, outcomes: only("mm-owner", "page") }),
  defineCase({ id: "gup-fork-tso", title: "", asks: "", programs: GUP, constants: { REFERENCES: 1 }, options: { memory: "tso" }, outcomes: only("mm-owner", "page") }),
  defineCase({ id: "gup-unsequenced", title: "", asks: "", programs: GUP, constants: { REFERENCES: 1, SEQUENCE: 0 }, outcomes: only("mm-owner", "page") }),
  defineCase({ id: "gup-late-sequence", title: "", asks: "", programs: GUP, constants: { REFERENCES: 1, SEQUENCE: 2 }, outcomes: only("mm-owner", "page") }),
  defineCase({ id: "gup-late-sequence-tso", title: "", asks: "", programs: GUP, constants: { REFERENCES: 1, SEQUENCE: 2 }, options: { memory: "tso" }, outcomes: only("mm-owner", "page") }),
  defineCase({ id: "reclaim", title: "", asks: "", programs: RECLAIM, constants: { REFERENCES: 1, MMS: 3 }, schemeConstants: ORDERED, outcomes: ALL }),
  defineCase({ id: "reclaim-unfrozen", title: "", asks: "", programs: RECLAIM, constants: { REFERENCES: 1, MMS: 3, FREEZE: 0 }, schemeConstants: ORDERED, outcomes: ALL }),
  defineCase({ id: "reclaim-youngest-first", title: "", asks: "", programs: RECLAIM, constants: { REFERENCES: 1, MMS: 3, FREEZE: 0, ORDER: 1, GUPS: 0 }, schemeConstants: ORDERED, outcomes: ALL }),
  defineCase({ id: "split", title: "", asks: "", programs: SPLIT, constants: { REFERENCES: 1 }, schemeConstants: ORDERED, outcomes: only("page", "mm-owner", "mapped-pages", "mm-owner-levels", "sums", "doublemap", "subpages", "none", "first-page", "total", "rmap-id") }),
  defineCase({ id: "split-unfrozen", title: "", asks: "", programs: SPLIT, constants: { REFERENCES: 1, FREEZE: 0 }, schemeConstants: ORDERED, outcomes: only("page", "mm-owner", "mapped-pages", "mm-owner-levels", "sums", "doublemap", "subpages", "none", "first-page", "total", "rmap-id") }),
];
