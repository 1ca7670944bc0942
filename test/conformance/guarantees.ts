/**
 * Holds a scheme's answers against the truth, as far as the scheme says that they can be trusted.
 *
 * One check a question; what a guarantee allows is said in one place (src/study/question-judge.ts). `pick` chooses what is asked
 * where there is a choice (which page, which address space), so that a soak asks a little after each event and a test may
 * ask everything.
 */
import {
  type Answer,
  type Counter,
  type Guarantee,
  NO,
  type Question,
  type Scheme,
  UNKNOWN_COUNT,
  YES,
} from "../../src/schemes/index.ts";
import {
  WRONG,
  type YesNoQuestion,
  guaranteeOf,
  judgeAnswer,
  judgeCount,
  judgePageMapcount,
} from "../../src/study/index.ts";
import type { MappingMachine } from "./mapping-machine.ts";
import { MMS, VMAS } from "./table-shape.ts";

export { QUESTIONS } from "../../src/study/index.ts";

/** What the checks read of a machine: its sums by slot, by slot and address space, by slot and VMA. */
export type CheckedTruth = Pick<
  MappingMachine,
  | "heads"
  | "entries"
  | "mms"
  | "vmas"
  | "tables"
  | "mappedPages"
  | "pinCounts"
  | "entriesOfMm"
  | "entriesOfVmas"
  | "orderOf"
  | "nrPages"
  | "pageMapcount"
  | "pagesMapped"
  | "isPartial"
  | "references"
  | "extraReferences"
>;

/** Says what is wrong with one answer about the folio of a slot; undefined: nothing. */
export type Check = (
  scheme: Scheme,
  counter: Counter,
  at: { readonly machine: CheckedTruth; readonly slot: number; readonly pick: number },
) => string | undefined;

export const CHECKS: Readonly<Record<Question, Check>> = {
  mapped: ({ guarantees }, counter, { machine, slot }) => {
    const said = counter.mapped(machine.heads[slot]);
    return judge("mapped", guarantees.mapped, { what: "mapped", said, truth: machine.entries[slot] > 0 });
  },
  mappings: (scheme, counter, { machine, slot }) =>
    judgeNumber(
      scheme.guarantees.mappings,
      "mappings",
      counter.mappings(machine.heads[slot]),
      unitsOf(scheme, machine, slot),
    ),
  pageMapcount: checkPageMapcount,
  others: checkOthers,
  otherVmas: checkOtherVmas,
  partial: ({ guarantees }, counter, { machine, slot }) => {
    const said = counter.partial(machine.heads[slot]);
    return judge("partial", guarantees.partial, { what: "partial", said, truth: machine.isPartial(slot) });
  },
  canReuse: checkCanReuse,
  stopWalk: (scheme, counter, { machine, slot, pick }) => {
    const units = unitsOf(scheme, machine, slot);
    const found = pick % (units + 2);
    const said = counter.stopWalk(machine.heads[slot], found);
    const truth = found >= units;
    return judge("stopWalk", scheme.guarantees.stopWalk, { what: `stopWalk at ${found}`, said, truth });
  },
  extraReferences: (scheme, counter, { machine, slot }) =>
    judgeNumber(
      scheme.guarantees.extraReferences,
      "extraReferences",
      counter.extraReferences(machine.heads[slot]),
      machine.extraReferences(slot),
    ),
  pinned: ({ guarantees }, counter, { machine, slot }) => {
    const said = counter.pinned(machine.heads[slot]);
    return judge("pinned", guarantees.pinned, { what: "pinned", said, truth: machine.pinCounts[slot] > 0 });
  },
};

/** What the scheme counts, in truth. */
function unitsOf(scheme: Scheme, machine: CheckedTruth, slot: number): number {
  if (scheme.unit === "entries") return machine.entries[slot];
  return scheme.unit === "vmas" ? machine.vmas[slot] : machine.tables[slot];
}

const ANSWER_NAMES = ["NO", "YES", "EITHER", "UNKNOWN"];

function judge(
  question: YesNoQuestion,
  guarantee: Guarantee,
  { what, said, truth }: { readonly what: string; readonly said: Answer; readonly truth: boolean },
): string | undefined {
  if (judgeAnswer(question, guarantee, said, truth) !== WRONG) return undefined;
  return `${what} is ${ANSWER_NAMES[said]}, not ${ANSWER_NAMES[truth ? YES : NO]} (${guarantee})`;
}

function judgeNumber(guarantee: Guarantee, what: string, said: number, expected: number): string | undefined {
  if (judgeCount(guarantee, said, expected) !== WRONG) return undefined;
  return `${what} is ${said}, not ${expected} (${guarantee})`;
}

function checkPageMapcount(scheme: Scheme, counter: Counter, at: Parameters<Check>[2]): string | undefined {
  const { machine, slot, pick } = at;
  const guarantee = scheme.guarantees.pageMapcount;
  const nrPages = machine.nrPages(slot);
  const page = pick % nrPages;
  const said = counter.pageMapcount(machine.heads[slot], page);
  const truth = machine.pageMapcount(slot, page);
  const mappedPages = machine.mappedPages[slot];
  if (judgePageMapcount(guarantee, said, { truth, mappedPages, nrPages }) !== WRONG) return undefined;
  return `pageMapcount of page ${page} is ${said}, not ${truth} of ${mappedPages} over ${nrPages} pages (${guarantee})`;
}

/** The pick-th address space that maps the folio; -1 if none does. */
export function pickMm(machine: CheckedTruth, slot: number, pick: number): number {
  const count = machine.mms[slot];
  if (count === 0) return -1;
  let left = pick % count;
  for (let mm = 0; mm < MMS; mm++) if (machine.entriesOfMm[slot * MMS + mm] > 0 && left-- === 0) return mm;
  throw new Error("invariant: mms is the number of address spaces with entries");
}

function pickVma(machine: CheckedTruth, slot: number, pick: number): number {
  const count = machine.vmas[slot];
  if (count === 0) return -1;
  let left = pick % count;
  for (let vma = 0; vma < VMAS; vma++) if (machine.entriesOfVmas[slot * VMAS + vma] > 0 && left-- === 0) return vma;
  throw new Error("invariant: vmas is the number of VMAs with entries");
}

function checkOthers(scheme: Scheme, counter: Counter, at: Parameters<Check>[2]): string | undefined {
  const { machine, slot, pick } = at;
  const mm = pickMm(machine, slot, pick);
  if (mm < 0) return undefined;
  const truth = machine.mms[slot] > 1;
  // Of hugetlb the weakest guarantee is said in general; these counters keep more than they have to.
  const guarantee = guaranteeOf(scheme, "others", { order: machine.orderOf(slot), isHugetlb: false });
  const isSaidShared = counter.isMaybeMappedShared(machine.heads[slot]);
  if (truth && !isSaidShared && guarantee !== "estimate") return "isMaybeMappedShared is false of a shared folio";
  const said = counter.others(machine.heads[slot], mm);
  return judge("others", guarantee, { what: `others of mm ${mm}`, said, truth });
}

function checkOtherVmas(scheme: Scheme, counter: Counter, at: Parameters<Check>[2]): string | undefined {
  const { machine, slot, pick } = at;
  const vma = pickVma(machine, slot, pick);
  if (vma < 0) return undefined;
  const said = counter.otherVmas(machine.heads[slot], vma);
  const truth = machine.vmas[slot] > 1;
  return judge("otherVmas", scheme.guarantees.otherVmas, { what: `otherVmas of VMA ${vma}`, said, truth });
}

/** YES must be right; NO copies a page that need not be copied. */
function checkCanReuse(scheme: Scheme, counter: Counter, at: Parameters<Check>[2]): string | undefined {
  const { machine, slot, pick } = at;
  const mm = pickMm(machine, slot, pick);
  if (mm < 0) return undefined;
  const said = counter.canReuse(machine.heads[slot], mm);
  const truth = machine.mms[slot] === 1 && machine.references(machine.heads[slot]) === 0;
  return judge("canReuse", scheme.guarantees.canReuse, { what: `canReuse of mm ${mm}`, said, truth });
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
