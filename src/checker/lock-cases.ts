/**
 * Cases about locks: can those that counting wants be taken where it wants them?
 *
 * Schemes that count VMAs look into an area's other page tables while the lock of one is held ("this will currently deadlock
 * on the PTL ... a deadly embrace between two threads", February 2023). Each remedy of src/schemes/vma-look-steps.ts is a case.
 * One address space is enough, and the folio straddles two tables: two threads then fault, or zap, in one of them each.
 */
import { type CheckCase, defineCase } from "./check-case.ts";
import { FILE_MEMORY_TEXT } from "./programs/file-memory.ts";

const FILE = [{ name: "programs/file-memory", text: FILE_MEMORY_TEXT }];
const STRADDLING = { MMS: 1, TABLES: 2 };
const ALONE = ["answered_yes", "mapped_by_two"];
const ONE_THREAD = ["two_count_at_once", ...ALONE];
const NO_QUESTION = ["two_count_at_once", "answered_no", ...ALONE];

/** In the order in which they are listed. */
export const LOCK_CASES: readonly CheckCase[] = [
  defineCase({
    id: "self-deadlock",
    title: "the look takes every table's lock, the one at hand too",
    asks: "Does one thread wait for itself?",
    programs: FILE,
    constants: { ...STRADDLING, REMEDY: 0, THREADS: 1 },
    outcomes: {
      "three-state": { states: 91, broken: ["deadlock"], unseen: ONE_THREAD },
      troll: { states: 41, broken: ["deadlock"], unseen: NO_QUESTION },
      vma: { states: 37, broken: ["deadlock"], unseen: NO_QUESTION },
    },
  }),
  defineCase({
    id: "embrace",
    title: "the table at hand is excluded",
    asks: "Do two threads, each in one of the folio's tables, wait for each other?",
    programs: FILE,
    constants: { ...STRADDLING, REMEDY: 1 },
    outcomes: {
      "three-state": { states: 4840, broken: ["deadlock"], unseen: ALONE },
      troll: { states: 5307, broken: ["deadlock"], unseen: ALONE },
      vma: { states: 4267, broken: ["deadlock"], unseen: ALONE },
    },
  }),
  defineCase({
    id: "try-lock",
    title: "the other locks are only tried, and all is begun again",
    asks: "Nobody waits for ever; but do two threads ever get on, if each always finds the other's lock taken?",
    programs: FILE,
    constants: { ...STRADDLING, REMEDY: 2 },
    options: { liveness: true },
    outcomes: {
      "three-state": { states: 6452, broken: ["livelock"], unseen: ALONE },
      troll: { states: 7363, broken: ["livelock"], unseen: ALONE },
      vma: { states: 6127, broken: ["livelock"], unseen: ALONE },
    },
  }),
  defineCase({
    id: "address-order",
    title: "all locks beforehand, in the order of addresses",
    asks: "Does the order hold, and does everybody get on?",
    programs: FILE,
    constants: { ...STRADDLING, REMEDY: 3 },
    options: { liveness: true },
    outcomes: {
      "three-state": { states: 3427, unseen: ONE_THREAD },
      troll: { states: 3687, unseen: ONE_THREAD },
      vma: { states: 3351, unseen: ONE_THREAD },
    },
  }),
  defineCase({
    id: "address-order-areas",
    title: "the same with 2 address spaces of 2 VMAs",
    asks: "Does the order hold across VMAs, and do the counts?",
    programs: FILE,
    constants: { MMS: 2, VMAS: 2, TABLES: 2, REMEDY: 3 },
    outcomes: { "three-state": { unseen: ["answered_yes"] }, troll: {}, vma: {} },
  }),
];
