/**
 * One folio heard by one scheme: the stage of a history told step by step.
 */
import { type Level, LEVEL_PMD } from "../../src/kernel/index.ts";
import { type Counter, Meter, findScheme } from "../../src/schemes/index.ts";
import { MappingMachine } from "./mapping-machine.ts";
import { VMAS_OF_MM } from "./table-shape.ts";

/** Pages of a folio that one PMD entry maps. */
export const PAGES = 512;

/** Address spaces. */
export const A = 0;
export const B = 1;
export const C = 2;

/** One folio; each address space maps it in the first of its VMAs unless told. */
export class Trial {
  readonly counter: Counter;
  readonly machine: MappingMachine;
  readonly meter = new Meter();

  constructor(id: string, order: number) {
    this.machine = new MappingMachine([{ order, leaves: true }]);
    const scheme = findScheme(id)!;
    const { frameCount, orders } = this.machine;
    const context = { frameCount, orders, pageTables: this.machine, references: this.machine, seed: 7 };
    this.counter = scheme.createCounter({ ...context, meter: this.meter });
    this.machine.listen([{ scheme, counter: this.counter }]);
  }

  map(mm: number, first: number, pageCount: number, view = 0): void {
    this.machine.addPtes(0, mm * VMAS_OF_MM + view, first, pageCount);
  }

  unmap(mm: number, first: number, pageCount: number, view = 0): void {
    this.machine.removePtes(0, mm * VMAS_OF_MM + view, first, pageCount);
  }

  mapLeaf(mm: number, level: Level = LEVEL_PMD, first = 0): void {
    this.machine.addLeaf(0, mm * VMAS_OF_MM, first, level);
  }

  unmapLeaf(mm: number, level: Level = LEVEL_PMD): void {
    this.machine.removeLeaf(0, mm * VMAS_OF_MM, 0, level);
  }

  splitPmd(mm: number): void {
    this.map(mm, 0, PAGES);
    this.unmapLeaf(mm);
  }
}
