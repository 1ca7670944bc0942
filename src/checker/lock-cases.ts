/** Cases about locks. */
import { defineCase, type CheckCase } from "./check-case.ts";
import { FILE_MEMORY_TEXT } from "./programs/file-memory.ts";
const FILE = [{ name: "programs/file-memory", text: FILE_MEMORY_TEXT }];
const only = (...ids: string[]) => Object.fromEntries(ids.map((id) => [id, {}]));
const L = only("three-state", "troll", "vma");
export const LOCK_CASES: readonly CheckCase[] = [
  defineCase({ id: "self-deadlock", title: "", asks: "", programs: FILE, constants: { REMEDY: 0, THREADS: 1, MMS: 1, TABLES: 2 }, outcomes: L }),
  defineCase({ id: "embrace", title: "", asks: "", programs: FILE, constants: { REMEDY: 1, THREADS: 2, MMS: 1, TABLES: 2 }, outcomes: L }),
  defineCase({ id: "try-lock", title: "", asks: "", programs: FILE, constants: { REMEDY: 2, THREADS: 2, MMS: 1, TABLES: 2 }, options: { liveness: true }, outcomes: L }),
  defineCase({ id: "address-order", title: "", asks: "", programs: FILE, constants: { REMEDY: 3, THREADS: 2, MMS: 1, TABLES: 2 }, options: { liveness: true }, outcomes: L }),
  defineCase({ id: "address-order-areas", title: "", asks: "", programs: FILE, constants: { REMEDY: 3, THREADS: 2, MMS: 2, VMAS: 2, TABLES: 2 }, options: { liveness: true }, outcomes: L }),
];
