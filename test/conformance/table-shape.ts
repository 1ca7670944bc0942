/**
 * What folios the machine of these tests has room for, how its page tables are numbered, and how many pages an entry maps.
 */
import { HPAGE_PMD_NR, HPAGE_PMD_ORDER, HPAGE_PUD_ORDER, LEVEL_PUD, type Level } from "../../src/kernel/index.ts";

/** A place for one folio. */
export interface Slot {
  /** Its first folio's order, and the largest. */
  readonly order: number;
  /** PMD and PUD entries may map it, also parts of it. */
  readonly leaves: boolean;
}

export const MMS = 6;
export const VMAS_OF_MM = 3;
export const VMAS = MMS * VMAS_OF_MM;

/** Table numbers of one address space: PTE tables from 0, PMD tables and the PUD table behind them. */
export const TABLES_OF_MM = 4096;
export const FIRST_PMD_TABLE = 2048;
export const PUD_TABLE = 4095;

export function mmOf(vma: number): number {
  return Math.floor(vma / VMAS_OF_MM);
}

/** Pages under one entry of this level. */
export function pagesOfLeaf(level: Level): number {
  return level === LEVEL_PUD ? 2 ** HPAGE_PUD_ORDER : HPAGE_PMD_NR;
}

/** Parts that a PMD entry could map. */
export function partsOf(order: number): number {
  return order <= HPAGE_PMD_ORDER ? 1 : 2 ** (order - HPAGE_PMD_ORDER);
}

/** Tables that one VMA's mapping may have entries in: of PTEs, two of PMDs, one of PUDs. */
export function localTablesOf(order: number): number {
  return partsOf(order) + 1 + 2 + 1;
}

/** +1 if a count has just left zero, -1 if it has come back. */
export function crossing(count: number, change: number): number {
  if (change > 0) return count === change ? 1 : 0;
  return count === 0 ? -1 : 0;
}
