/**
 * Who maps which page of a small machine, one page after the other: what tests of sharing compare with.
 */
import { type SmallFolio, type SmallMachine, entriesOf, framesOf, isCounted } from "../figures/small-machine.ts";

/** A folio that is counted, and the mms that map each of its frames. */
export interface MappedFolio {
  readonly folio: SmallFolio;
  /** One set a frame; empty where nobody maps it. */
  readonly mappers: readonly ReadonlySet<number>[];
}

/** All folios with at least one mapping. */
export function mappedFolios(machine: SmallMachine): MappedFolio[] {
  const mappers = new Map<number, Set<number>>();
  for (const [mm, process] of machine.processes.entries()) {
    if (process.ended) continue;
    for (const { frame } of entriesOf(process)) mappers.set(frame, (mappers.get(frame) ?? new Set<number>()).add(mm));
  }
  return machine.folios
    .filter(({ kind }) => isCounted(kind))
    .map((folio) => ({
      folio,
      mappers: Array.from(
        { length: framesOf(folio) },
        (_, index) => mappers.get(folio.head + index) ?? new Set<number>(),
      ),
    }))
    .filter(({ mappers: each }) => each.some(({ size }) => size > 0));
}
