/**
 * Copy-on-write: may the write fault write to this anonymous page in place? (kernel-facts 4.1, literature 2.1, 2.2)
 *
 * Four rules of four eras (memory/cow-rule.ts) and four kinds of pages. The kernel of today asks the reference count of
 * small and PMD-mapped folios, the large mapcount and the raw shared bit of PTE-mapped ones, the mapcount of hugetlb. What
 * the operation does before it asks (draining batches, giving up swap slots) is done when the rule is asked.
 *
 * YES where the page is not the writer's alone is a leak: another process, or a pipe that it filled, sees the later write.
 * NO where it is costs a copy, and, if the page is pinned, the device goes on with the old one.
 */
import type { CowRule } from "../memory/index.ts";
import { HUGETLB_ANON, ANON, KSM } from "../memory/index.ts";
import { type Answer, NO, UNKNOWN, UNKNOWN_COUNT, YES } from "../schemes/index.ts";
import { folioBytes, hasOnly, isZero, pageBytes, referencesUnder, yesIf } from "./answers.ts";
import type { Answers, Consequence, DecisionRule, Situation } from "./rule.ts";

const LEAK: Consequence = {
  kind: "leak",
  text: "the writer changes a page that somebody else still sees (CVE-2020-29374)",
};

function needlessCopy(bytes: (situation: Situation) => number): Consequence {
  return { kind: "needless-copy", text: "the writer copies a page that is its own", bytes };
}

/** References: the mapping that asks is the only one. */
function isLastReference(answers: Answers, situation: Situation): Answer {
  return yesIf(referencesUnder(answers, situation) === 1);
}

/**
 * page_trans_huge_map_swapcount before 5.18: is no page of the folio mapped twice? A folio that is still in the swap cache
 * counts as named by a swap entry; of a large one the kernel looked at each page's entries.
 */
function isNoPageMappedTwice(answers: Answers, situation: Situation): Answer {
  const { head, order, mm, cacheReferences } = situation;
  if (cacheReferences > 0) return NO;
  if (answers.unit !== "entries") return order === 0 ? hasOnly(answers, situation, 1) : noOthers(answers, head, mm);
  const mappings = answers.mappings(head);
  if (mappings === UNKNOWN_COUNT) return UNKNOWN;
  if (mappings <= 1 || order === 0) return yesIf(mappings <= 1);
  for (let page = 0; page < 2 ** order; page++) {
    const mapcount = answers.pageMapcount(head, page);
    if (mapcount === UNKNOWN_COUNT) return UNKNOWN;
    if (mapcount > 1) return NO;
  }
  return YES;
}

function noOthers(answers: Answers, head: number, mm: number): Answer {
  const others = answers.others(head, mm);
  return others === UNKNOWN ? UNKNOWN : yesIf(others === NO);
}

/**
 * __wp_can_reuse_large_anon_folio. A folio with one entry left is copied on purpose. A scheme that counts VMAs or tables
 * does not know whether one entry is left; it has to look.
 */
function canReuseLarge(answers: Answers, situation: Situation): Answer {
  const { head, mm } = situation;
  if (answers.unit === "entries") {
    const mappings = answers.mappings(head);
    if (mappings !== UNKNOWN_COUNT && mappings <= 1) return NO;
    if (mappings === UNKNOWN_COUNT && referencesUnder(answers, situation) <= 1) return NO;
    return answers.canReuse(head, mm);
  }
  return answers.canReuse(head, mm) === NO ? NO : UNKNOWN;
}

type Decide = DecisionRule["decide"];

function canReuseSmall(answers: Answers, { head, mm }: Situation): Answer {
  return answers.canReuse(head, mm);
}

function never(): Answer {
  return NO;
}

interface EraOfReuse {
  readonly small: Decide;
  readonly large: Decide;
  readonly pmd: Decide;
  readonly swapIn: Decide;
  readonly where: { readonly small: string; readonly large: string; readonly pmd: string };
}

/**
 * do_swap_page: the page gets its entry next, and has none of it yet; may that entry be writable? Before 5.18
 * reuse_swap_page counted mappings and swap entries, and a write fault alone asked.
 */
function isUnmappedAndUnnamed(answers: Answers, { head, cacheReferences }: Situation): Answer {
  if (cacheReferences > 0) return NO;
  const mapped = answers.mapped(head);
  return mapped === UNKNOWN ? UNKNOWN : yesIf(mapped === NO);
}

function isUnreferenced(answers: Answers, situation: Situation): Answer {
  return isZero(referencesUnder(answers, situation));
}

const ERAS: Readonly<Record<CowRule, EraOfReuse>> = {
  // Before 5.8: reuse_swap_page for all of them.
  mapcount: {
    small: isNoPageMappedTwice,
    large: isNoPageMappedTwice,
    pmd: isNoPageMappedTwice,
    swapIn: isUnmappedAndUnnamed,
    where: { small: "do_wp_page", large: "do_wp_page", pmd: "do_huge_pmd_wp_page" },
  },
  // 09854ba94c6a (5.9): page_count != 1 copies; of a PTE-mapped huge page that is the count of all of its entries.
  // do_huge_pmd_wp_page kept reuse_swap_page until 3bff7e3f1f16 (5.18), hugetlb the mapcount until today.
  "page-count": {
    small: isLastReference,
    large: isLastReference,
    pmd: isNoPageMappedTwice,
    swapIn: isUnmappedAndUnnamed,
    where: { small: "do_wp_page", large: "do_wp_page", pmd: "do_huge_pmd_wp_page" },
  },
  exclusive: {
    small: canReuseSmall,
    large: never,
    pmd: isLastReference,
    swapIn: isUnreferenced,
    where: { small: "wp_can_reuse_anon_folio", large: "wp_can_reuse_anon_folio", pmd: "do_huge_pmd_wp_page" },
  },
  "large-reuse": {
    small: canReuseSmall,
    large: canReuseLarge,
    pmd: isLastReference,
    swapIn: isUnreferenced,
    where: {
      small: "wp_can_reuse_anon_folio",
      large: "__wp_can_reuse_large_anon_folio",
      pmd: "do_huge_pmd_wp_page",
    },
  },
};

/** Nobody else maps the page and nobody else refers to it, whatever the era's rule makes of that. */
function isOwn(truth: Answers, { head, mm }: Situation): boolean {
  return truth.canReuse(head, mm) === YES;
}

/** The rules of one era: what its write faults and swap-ins ask. */
export function cowRules(era: CowRule): readonly DecisionRule[] {
  return [...pteRules(ERAS[era]), ...hugeRules(ERAS[era]), swapInRule(ERAS[era])];
}

function pteRules({ small, large, where }: EraOfReuse): readonly DecisionRule[] {
  return [
    {
      id: "reuse-small",
      title: "may the write fault reuse this small page?",
      where: `mm/memory.c ${where.small}`,
      source: "kernel-facts 4.1",
      asks: ["canReuse"],
      asked: "met",
      applies: ({ order, kind }) => order === 0 && kind === ANON,
      decide: (answers, situation) => (situation.kind === KSM ? NO : small(answers, situation)),
      isSafeYes: isOwn,
      yes: "reuse in place",
      no: "copy",
      wrongYes: LEAK,
      wrongNo: needlessCopy(pageBytes),
    },
    {
      id: "reuse-large",
      title: "may the write fault reuse this page of a large folio?",
      where: `mm/memory.c ${where.large}`,
      source: "kernel-facts 4.1",
      asks: ["canReuse", "mappings"],
      asked: "met",
      applies: ({ order, kind }) => order > 0 && kind === ANON,
      decide: large,
      isSafeYes: isOwn,
      yes: "reuse in place",
      no: "copy",
      wrongYes: LEAK,
      wrongNo: needlessCopy(pageBytes),
    },
  ];
}

function hugeRules({ pmd, where }: EraOfReuse): readonly DecisionRule[] {
  return [
    {
      id: "reuse-pmd",
      title: "may the write fault reuse this PMD-mapped folio?",
      where: `mm/huge_memory.c ${where.pmd}`,
      source: "kernel-facts 4.1",
      asks: ["canReuse"],
      asked: "met",
      applies: ({ order, kind }) => order === 9 && kind === ANON,
      decide: pmd,
      isSafeYes: isOwn,
      yes: "reuse in place",
      no: "split the PMD and copy the page",
      wrongYes: LEAK,
      wrongNo: needlessCopy(pageBytes),
    },
    {
      id: "reuse-hugetlb",
      title: "may the write fault reuse this huge page of hugetlb?",
      where: "mm/hugetlb.c hugetlb_wp",
      source: "kernel-facts 4.1, 4.5",
      asks: ["mappings", "others"],
      asked: "met",
      applies: ({ kind }) => kind === HUGETLB_ANON,
      decide: (answers, situation) => (situation.kind === HUGETLB_ANON ? hasOnly(answers, situation, 1) : NO),
      yes: "reuse in place",
      no: "copy",
      wrongYes: LEAK,
      wrongNo: needlessCopy(folioBytes),
    },
  ];
}

function swapInRule({ swapIn }: EraOfReuse): DecisionRule {
  return {
    id: "swap-in-exclusive",
    title: "does the page that comes back from swap belong to the faulting process alone?",
    where: "mm/memory.c do_swap_page",
    source: "kernel-facts 4.3",
    asks: ["mapped", "extraReferences"],
    asked: "met",
    applies: ({ kind }) => kind === ANON,
    decide: (answers, situation) => (situation.kind === KSM ? NO : swapIn(answers, situation)),
    yes: "map it exclusive and writable",
    no: "map it read-only",
    wrongYes: LEAK,
    // The write fault asks anew and may reuse the page then: 7.3 has dropped this rule for that reason.
    wrongNo: { kind: "needless-work", text: "the first write to the page faults once more" },
  };
}
