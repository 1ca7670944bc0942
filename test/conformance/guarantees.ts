/**
 * Holds a scheme's answers against the truth, as far as the scheme says that they can be trusted.
 *
 * One check a question; each reads the declared guarantee and nothing else of the scheme. `pick` chooses what is asked
 * where there is a choice (which page, which address space), so that a soak asks a little after each event and a test may
 * ask everything.
 */
import {
  type Counter,
  EITHER,
  type Guarantee,
  NO,
  type Question,
  type Scheme,
  UNKNOWN,
  UNKNOWN_COUNT,
  YES,
} from "../../src/schemes/index.ts";
import { type MappingMachine } from "./mapping-machine.ts";
import { MMS, VMAS } from "./table-shape.ts";

/** Says what is wrong with one answer about the folio of a slot; undefined: nothing. */
export type Check = (
  scheme: Scheme,
  counter: Counter,
  at: { readonly machine: MappingMachine; readonly slot: number; readonly pick: number },
) => string | undefined;

export const CHECKS: Readonly<Record<Question, Check>> = {
  mapped: (scheme, counter, { machine, slot }) =>
    judge(scheme.guarantees.mapped, "mapped", counter.mapped(machine.heads[slot]), machine.entries[slot] > 0, NO),
  mappings: (scheme, counter, { machine, slot }) =>
    judgeCount(
      scheme.guarantees.mappings,
      "mappings",
      counter.mappings(machine.heads[slot]),
      unitsOf(scheme, machine, slot),
    ),
  pageMapcount: checkPageMapcount,
  others: checkOthers,
  otherVmas: checkOtherVmas,
  partial: checkPartial,
  canReuse: checkCanReuse,
  stopWalk: (scheme, counter, { machine, slot, pick }) => {
    const units = unitsOf(scheme, machine, slot);
    const found = pick % (units + 2);
    return judge(
      scheme.guarantees.stopWalk,
      `stopWalk at ${found}`,
      counter.stopWalk(machine.heads[slot], found),
      found >= units,
      YES,
    );
  },
  extraReferences: (scheme, counter, { machine, slot }) =>
    judgeCount(
      scheme.guarantees.extraReferences,
      "extraReferences",
      counter.extraReferences(machine.heads[slot]),
      machine.extraReferences(slot),
    ),
  pinned: (scheme, counter, { machine, slot }) =>
    judge(scheme.guarantees.pinned, "pinned", counter.pinned(machine.heads[slot]), machine.pinCounts[slot] > 0, NO),
};

export const QUESTIONS = Object.keys(CHECKS) as Question[];

/** What the scheme counts, in truth. */
function unitsOf(scheme: Scheme, machine: MappingMachine, slot: number): number {
  if (scheme.unit === "entries") return machine.entries[slot];
  return scheme.unit === "vmas" ? machine.vmas[slot] : machine.tables[slot];
}

const ANSWER_NAMES = ["NO", "YES", "EITHER", "UNKNOWN"];

/** `surest`: the answer that is never wrong where the guarantee is one-sided. */
function judge(guarantee: Guarantee, what: string, said: number, truth: boolean, surest: 0 | 1): string | undefined {
  const expected = truth ? YES : NO;
  if (said === EITHER) return `${what} is EITHER, which is an answer at rest only`;
  if (said === expected || (said === UNKNOWN && guarantee !== "exact")) return undefined;
  const isBroken =
    guarantee === "exact" ||
    guarantee === "exact-or-unknown" ||
    guarantee === "probable" ||
    (guarantee === "one-sided" && said === surest) ||
    guarantee === "unknown";
  return isBroken ? `${what} is ${ANSWER_NAMES[said]}, not ${ANSWER_NAMES[expected]} (${guarantee})` : undefined;
}

function judgeCount(guarantee: Guarantee, what: string, said: number, expected: number): string | undefined {
  if (said === expected && guarantee !== "unknown") return undefined;
  if (said === UNKNOWN_COUNT && guarantee !== "exact") return undefined;
  return `${what} is ${said}, not ${expected} (${guarantee})`;
}

function checkPageMapcount(scheme: Scheme, counter: Counter, at: Parameters<Check>[2]): string | undefined {
  const { machine, slot, pick } = at;
  const guarantee = scheme.guarantees.pageMapcount;
  const nrPages = machine.nrPages(slot);
  const page = pick % nrPages;
  const said = counter.pageMapcount(machine.heads[slot], page);
  if (guarantee !== "estimate") {
    return judgeCount(guarantee, `pageMapcount of page ${page}`, said, machine.pageMapcount(slot, page));
  }
  const mapped = machine.mappedPages[slot];
  const average = Math.round(mapped / nrPages);
  if (Math.abs(said - average) > 1) return `pageMapcount is ${said}, the average rounds to ${average}`;
  return said > 0 === mapped > 0 ? undefined : `pageMapcount is ${said} with ${mapped} pages mapped`;
}

/** The pick-th address space that maps the folio; -1 if none does. */
export function pickMm(machine: MappingMachine, slot: number, pick: number): number {
  const count = machine.mms[slot];
  if (count === 0) return -1;
  let left = pick % count;
  for (let mm = 0; mm < MMS; mm++) if (machine.entriesOfMm[slot * MMS + mm] > 0 && left-- === 0) return mm;
  throw new Error("invariant: mms is the number of address spaces with entries");
}

function pickVma(machine: MappingMachine, slot: number, pick: number): number {
  const count = machine.vmas[slot];
  if (count === 0) return -1;
  let left = pick % count;
  for (let vma = 0; vma < VMAS; vma++) if (machine.entriesOfVmas[slot * VMAS + vma] > 0 && left-- === 0) return vma;
  throw new Error("invariant: vmas is the number of VMAs with entries");
}

/** Of a small folio with one mapcount no scheme says more than "one mapping or several". */
function guaranteeOfOthers(scheme: Scheme, machine: MappingMachine, slot: number): Guarantee {
  const guarantee = scheme.guarantees.others;
  return guarantee === "probable" && machine.orderOf(slot) === 0 ? "one-sided" : guarantee;
}

function checkOthers(scheme: Scheme, counter: Counter, at: Parameters<Check>[2]): string | undefined {
  const { machine, slot, pick } = at;
  const mm = pickMm(machine, slot, pick);
  if (mm < 0) return undefined;
  const isShared = machine.mms[slot] > 1;
  const guarantee = guaranteeOfOthers(scheme, machine, slot);
  const isSaidShared = counter.isMaybeMappedShared(machine.heads[slot]);
  if (isShared && !isSaidShared && guarantee !== "estimate") return "isMaybeMappedShared is false of a shared folio";
  return judge(guarantee, `others of mm ${mm}`, counter.others(machine.heads[slot], mm), isShared, NO);
}

function checkOtherVmas(scheme: Scheme, counter: Counter, at: Parameters<Check>[2]): string | undefined {
  const { machine, slot, pick } = at;
  const vma = pickVma(machine, slot, pick);
  if (vma < 0) return undefined;
  const said = counter.otherVmas(machine.heads[slot], vma);
  return judge(scheme.guarantees.otherVmas, `otherVmas of VMA ${vma}`, said, machine.vmas[slot] > 1, NO);
}

/** A partial mapping that a scheme cannot see is UNKNOWN to it, never NO. */
function checkPartial(scheme: Scheme, counter: Counter, at: Parameters<Check>[2]): string | undefined {
  const { machine, slot } = at;
  const said = counter.partial(machine.heads[slot]);
  const isPartial = machine.isPartial(slot);
  if (isPartial && said === NO) return "partial is NO of a partially mapped folio";
  return judge(scheme.guarantees.partial, "partial", said, isPartial, YES);
}

/** YES must be right; NO copies a page that need not be copied. */
function checkCanReuse(_scheme: Scheme, counter: Counter, at: Parameters<Check>[2]): string | undefined {
  const { machine, slot, pick } = at;
  const mm = pickMm(machine, slot, pick);
  if (mm < 0 || counter.canReuse(machine.heads[slot], mm) !== YES) return undefined;
  if (machine.mms[slot] > 1) return `canReuse of mm ${mm} is YES while others map the folio`;
  return machine.references(machine.heads[slot]) === 0 ? undefined : `canReuse of mm ${mm} is YES beside references`;
}

/** What is counted into AnonPages and Mapped follows the scheme's rule, where it is known at all. */
export const checkStatistics: Check = (scheme, counter, { machine, slot }) => {
  const said = counter.statisticsPages(machine.heads[slot]);
  const isExact = scheme.guarantees.mapped === "exact";
  if (said === UNKNOWN_COUNT && !isExact) return undefined;
  const whole = machine.entries[slot] > 0 ? machine.nrPages(slot) : 0;
  const expected = scheme.rules.statistics === "pages-mapped" ? machine.pagesMapped(slot) : whole;
  return said === expected ? undefined : `statisticsPages is ${said}, not ${expected}`;
};
