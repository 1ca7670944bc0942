/**
 * What must hold of the owner slots whenever no operation is under way (kernel-facts 2.2 and 8).
 *
 * The answer is a complaint in words, so that a search over many states can say what is wrong with which.
 */
import type { OwnerSlots } from "../../src/schemes/owner-slots.ts";

const FREE = -1;

/** What is wrong with a folio's slots, given how many entries each mm really has; undefined: nothing. */
export function slotComplaint(slots: OwnerSlots, folio: number, entriesOfMm: readonly number[]): string | undefined {
  const total = slots.entries[folio];
  const [ownerA, inA, ownerB, inB] = slots.owners(folio);
  const shared = slots.sharedBit[folio] === 1;
  if (total !== entriesOfMm.reduce((sum, entries) => sum + entries, 0)) return "the total is not the sum over mms";
  if ((ownerA === FREE) !== (inA === 0) || (ownerB === FREE) !== (inB === 0)) return "a slot is free and is not empty";
  if (ownerA !== FREE && ownerA === ownerB) return "one mm has both slots";
  if (inA < 0 || inB < 0 || inA + inB > total) return "the slots hold more than all entries";
  if (ownerA !== FREE && inA > (entriesOfMm[ownerA] ?? 0)) return "slot A holds more than its mm has";
  if (ownerB !== FREE && inB > (entriesOfMm[ownerB] ?? 0)) return "slot B holds more than its mm has";
  if (total === 0 && (shared || ownerA !== FREE || ownerB !== FREE)) return "an unmapped folio keeps a slot or the bit";
  if (total > 0 && !shared && inA !== total && inB !== total) return "the bit is clear and no slot has all entries";
  return undefined;
}
