/**
 * How often a folio can be mapped before a counter overflows, and how far mapping drives its reference count (literature
 * 6.9: "How many refcount increments can an attacker force? Where must mapping be refused?").
 *
 * What one mapping of the whole folio adds is not looked up but found out: a few address spaces map a folio, by entries
 * of each level, and each scheme's counter is asked. The widths are the kernel's: mapcounts are 32-bit words that begin at
 * -1 and so hold 2^31 mappings, reference counts are signed 32-bit words, and the sum of mapped pages that
 * `mapped-pages` proposes is one of 32 or 64 bits (RFC of April 2026, which leaves it open).
 */
import { HPAGE_PMD_NR, HPAGE_PUD_NR, LEVEL_PMD, LEVEL_PTE, LEVEL_PUD, type Level } from "../kernel/index.ts";
import { ANON } from "../memory/index.ts";
import { EntryMachine } from "../scenario/index.ts";
import { LOADS, type Scheme, UNKNOWN_COUNT } from "../schemes/index.ts";

/** Mappings that a mapcount holds: from -1, which is none, to 2^31 - 1. */
const MAPCOUNT_HOLDS = 2n ** 31n;
const SIGNED_32_MAX = 2n ** 31n - 1n;
const SIGNED_64_MAX = 2n ** 63n - 1n;

/** One more address space than any scheme counts one by one: a count that saturates has done so. */
const ADDRESS_SPACES = 5;

/** How a folio is mapped: as a whole, by one VMA of each address space. */
export interface MappingForm {
  readonly order: number;
  readonly level: "PTE" | "PMD" | "PUD";
}

/** The forms that are looked at: a page, a huge page, a gigantic folio. */
export const MAPPING_FORMS: readonly MappingForm[] = [
  { order: 0, level: "PTE" },
  { order: 9, level: "PTE" },
  { order: 9, level: "PMD" },
  { order: 18, level: "PTE" },
  { order: 18, level: "PMD" },
  { order: 18, level: "PUD" },
];

/** What mapping a folio in one form does to a scheme's words. "Fits": address spaces that can map it so. */
export interface CounterLimit extends MappingForm {
  readonly scheme: string;
  /** What the mapping by one address space adds to the word that is read for `mappings`; 0: no such word. */
  readonly countAdds: number;
  /** null: no count, or one that saturates, and so never overflows. */
  readonly countFits: number | null;
  /** References that the first address space's mapping takes, and all of them together; null: without bound. */
  readonly referencesAdd: number;
  readonly referencesMost: number | null;
  /** null: mapping alone never overflows the reference count. */
  readonly referencesFit: number | null;
  /** Of the sum of mapped pages, in a word of 32 and of 64 bits; null: the scheme keeps none. */
  readonly pagesFit32: number | null;
  readonly pagesFit64: number | null;
}

/** The limits of the schemes in every form that they can count, form by form. About a second. */
export function counterLimits(
  schemes: readonly Scheme[],
  forms: readonly MappingForm[] = MAPPING_FORMS,
): CounterLimit[] {
  return forms.flatMap((form) => limitsOfForm(schemes, form));
}

function limitsOfForm(schemes: readonly Scheme[], form: MappingForm): CounterLimit[] {
  const { order, level } = form;
  const nrPages = 2 ** order;
  const isPart = level === "PMD" && order > 9;
  const machine = new EntryMachine({
    schemes,
    frameCount: nrPages,
    leafEntries: isPart ? "any-part" : "whole-folio",
  });
  const folio = machine.createFolio(order, ANON);
  const counts: number[][] = machine.studied.map(() => []);
  const references: number[][] = machine.studied.map(() => []);
  for (let space = 0; space < ADDRESS_SPACES; space++) {
    const start = space * HPAGE_PUD_NR;
    const vma = machine.createVma(machine.createMm(), start, nrPages);
    machine.map(folio, 0, nrPages, LEVELS[level], vma, start);
    machine.studied.forEach(({ counter }, index) => {
      counts[index].push(counter.mappings(folio));
      references[index].push(counter.mappingReferences(folio));
    });
  }
  return machine.studied.map(({ scheme, counter, meter }, index) => {
    const loads = meter.totals[LOADS];
    counter.mappings(folio);
    // Where every page is read for the answer there is a word in every page, and a mapping adds 1 to each.
    const isPerPage = order > 0 && meter.totals[LOADS] - loads >= nrPages;
    const adds = isPerPage ? 1 : countAdds(counts[index]);
    const referencesAdd = references[index][0];
    const referencesMost = saturationOf(references[index]);
    const hasSum = scheme.sumsMappedPages === true && (order > 0 || scheme.smallFolios === "as-large");
    const pages = hasSum ? BigInt(nrPages) : 0n;
    return {
      ...form,
      scheme: scheme.id,
      countAdds: adds,
      countFits: fits(MAPCOUNT_HOLDS, BigInt(adds)),
      referencesAdd,
      referencesMost,
      referencesFit: referencesMost === null ? fits(SIGNED_32_MAX, BigInt(referencesAdd)) : null,
      pagesFit32: fits(SIGNED_32_MAX, pages),
      pagesFit64: fits(SIGNED_64_MAX, pages),
    };
  });
}

const LEVELS: Readonly<Record<MappingForm["level"], Level>> = { PTE: LEVEL_PTE, PMD: LEVEL_PMD, PUD: LEVEL_PUD };

/** What one address space adds; 0 if the count is lost on the way. */
function countAdds(counts: readonly number[]): number {
  return counts.includes(UNKNOWN_COUNT) || saturationOf(counts) !== null ? 0 : counts[0];
}

/** Where a series of sums stops to grow; null if it grows to its end. */
function saturationOf(sums: readonly number[]): number | null {
  const last = sums[sums.length - 1];
  return sums[sums.length - 2] === last ? last : null;
}

/** How many times `adds` fits into a word; null: it adds nothing. Above 2^53 to the nearest number. */
function fits(most: bigint, adds: bigint): number | null {
  return adds === 0n ? null : Number(most / adds);
}

/** PMD and PUD entries of a folio that a sum of mapped pages of so many bits holds, besides nothing else. */
export function leafEntriesThatFit(bits: 32 | 64): { readonly pmd: number; readonly pud: number } {
  const most = bits === 32 ? SIGNED_32_MAX : SIGNED_64_MAX;
  return { pmd: Number(most / BigInt(HPAGE_PMD_NR)), pud: Number(most / BigInt(HPAGE_PUD_NR)) };
}
