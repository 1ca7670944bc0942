import { expect, test } from "vitest";
import { ANON, FILE, HUGETLB_ANON, KSM, SHMEM } from "../memory/index.ts";
import { type Answer, NO, UNKNOWN, UNKNOWN_COUNT, YES } from "../schemes/index.ts";
import { emptySituation } from "./answers.ts";
import { DECISION_RULES, findRule } from "./registry.ts";
import { type Answers, type Consequence, type DecisionRule, type Situation, isUnsafe } from "./rule.ts";

/** Says of every folio that it is much shared, held and pinned, or that it is not. */
function saying(isMuch: boolean): Answers {
  const answer: Answer = isMuch ? YES : NO;
  const opposite: Answer = isMuch ? NO : YES;
  return {
    unit: "entries",
    mapped: () => answer,
    mappings: () => (isMuch ? 1000 : 1),
    pageMapcount: () => (isMuch ? 2 : 1),
    others: () => answer,
    otherVmas: () => answer,
    isMaybeMappedShared: () => isMuch,
    partial: () => answer,
    canReuse: () => opposite,
    stopWalk: () => opposite,
    extraReferences: () => (isMuch ? 1 : 0),
    pinned: () => answer,
    mappingReferences: () => (isMuch ? 1000 : 0),
  };
}

const KNOWS_NOTHING: Answers = {
  unit: "entries",
  mapped: () => UNKNOWN,
  mappings: () => UNKNOWN_COUNT,
  pageMapcount: () => UNKNOWN_COUNT,
  others: () => UNKNOWN,
  otherVmas: () => UNKNOWN,
  isMaybeMappedShared: () => true,
  partial: () => UNKNOWN,
  canReuse: () => UNKNOWN,
  stopWalk: () => UNKNOWN,
  extraReferences: () => UNKNOWN_COUNT,
  pinned: () => UNKNOWN,
  mappingReferences: () => 2,
};

/** A folio of a kind and size that the rule is asked about. */
function situationOf(rule: DecisionRule): Situation {
  for (const kind of [ANON, HUGETLB_ANON, SHMEM, FILE, KSM] as const) {
    for (const order of [0, 4, 9]) {
      const situation: Situation = { ...emptySituation(), head: 512, kind, order, mm: 1, vma: 1, entries: 1 };
      if (rule.applies(situation)) return situation;
    }
  }
  throw new Error(`${rule.id} is asked about no folio`);
}

/** What the decision by such answers does to a kernel where the truth is the opposite. */
function consequenceOf(rule: DecisionRule, answers: Answers): Consequence {
  const situation = situationOf(rule);
  // A write fault's own entry is the one reference that is left where the count says that nothing else is.
  const asks = rule.id === "reuse-pmd" ? { ...answers, mappingReferences: () => answers.mappings(0) } : answers;
  // The count of a folio that is mapped once, and is split, is as large as the folio.
  const own = 2 ** situation.order;
  const isWhole = rule.id === "age-whole" || rule.id === "lazyfree-whole";
  const whole = isWhole && answers.mappings(0) === 1 ? { ...asks, mappings: () => own } : asks;
  const isManyPages = rule.id === "reuse-large" && answers.mappings(0) === 1;
  const decision = rule.decide(isManyPages ? { ...whole, mappings: () => 2 } : whole, situation);
  expect([YES, NO], rule.id).toContain(decision);
  return decision === YES ? rule.wrongYes : rule.wrongNo;
}

test("what answers that say too much and too little lead to (kernel-facts 4.1-4.5)", () => {
  const rows = DECISION_RULES.map((rule) => {
    return `${rule.id}: ${consequenceOf(rule, saying(true)).kind} / ${consequenceOf(rule, saying(false)).kind}`;
  });
  expect(rows).toEqual([
    "reuse-small: needless-copy / leak",
    "reuse-large: needless-copy / leak",
    "reuse-pmd: needless-copy / leak",
    "reuse-hugetlb: needless-copy / leak",
    "swap-in-exclusive: needless-work / leak",
    "maybe-pinned: refused / corruption",
    "longterm-drain: needless-work / refused",
    "memfd-seal: refused / corruption",
    "age-pmd: not-reclaimed / wrong-reclaim",
    "age-part: memory-held / needless-work",
    "age-whole: not-reclaimed / wrong-reclaim",
    "lazyfree-pmd: not-reclaimed / harmless",
    "lazyfree-part: memory-held / needless-work",
    "lazyfree-whole: not-reclaimed / harmless",
    "move-page: refused / moved-for-others",
    "mbind-queue: refused / moved-for-others",
    "mbind-queue-hugetlb: refused / moved-for-others",
    "migrate-unmap: needless-work / corruption",
    "migrate-split-partial: needless-work / memory-held",
    "migrate-references: refused / corruption",
    "compaction-skip: skipped / needless-work",
    "offline-unmap: needless-work / corruption",
    "numa-misplaced-exec: refused / moved-for-others",
    "numa-group-shared: needless-work / needless-work",
    "numa-hint: skipped / needless-work",
    "reclaim-unmap: needless-work / use-after-free",
    "reclaim-still-mapped: not-reclaimed / use-after-free",
    "stop-unmap-walk: needless-work / use-after-free",
    "referenced-countdown: needless-work / wrong-reclaim",
    "idle-walk: needless-work / wrong-reclaim",
    "free-folio: memory-held / use-after-free",
    "reclaim-split-partial: needless-work / needless-work",
    "discard-lazyfree-pmd: not-reclaimed / corruption",
    "discard-lazyfree: not-reclaimed / corruption",
    "drop-swap-cache: memory-held / harmless",
    "referenced-dying: needless-work / not-reclaimed",
    "hwpoison-unmap: needless-work / refused",
    "use-anon-vma: use-after-free / refused",
    "split-folio: memory-held / corruption",
    "defer-split: needless-work / memory-held",
    "collapse-shared: skipped / memory-growth",
    "collapse-references: skipped / corruption",
    "collapse-unmap: needless-work / use-after-free",
    "ksm-write-protect: memory-held / corruption",
    "ksm-duplicate: harmless / needless-work",
    "truncate-unmap: needless-work / use-after-free",
    "deactivate-file: not-reclaimed / wrong-reclaim",
  ]);
});

test("every rule goes one way where answers say too much and the other where they say too little", () => {
  for (const rule of DECISION_RULES) {
    expect(consequenceOf(rule, saying(true)), rule.id).not.toBe(consequenceOf(rule, saying(false)));
  }
});

test("who knows nothing is sent to the reverse map, but for what the kernel would not walk for", () => {
  const decided = DECISION_RULES.filter((rule) => rule.decide(KNOWS_NOTHING, situationOf(rule)) !== UNKNOWN);
  // References are always counted; a partial mapping that is not seen is not looked for.
  expect(decided.map(({ id }) => id)).toEqual([
    "reuse-pmd",
    "swap-in-exclusive",
    "migrate-split-partial",
    "free-folio",
    "reclaim-split-partial",
    "defer-split",
  ]);
});

test("only these can be unsafe", () => {
  const unsafe = DECISION_RULES.filter(({ wrongYes, wrongNo }) => isUnsafe(wrongYes) || isUnsafe(wrongNo));
  expect(unsafe.map(({ id }) => id)).toEqual([
    "reuse-small",
    "reuse-large",
    "reuse-pmd",
    "reuse-hugetlb",
    "swap-in-exclusive",
    "maybe-pinned",
    "memfd-seal",
    "migrate-unmap",
    "migrate-references",
    "offline-unmap",
    "reclaim-unmap",
    "reclaim-still-mapped",
    "stop-unmap-walk",
    "free-folio",
    "discard-lazyfree-pmd",
    "discard-lazyfree",
    "use-anon-vma",
    "split-folio",
    "collapse-references",
    "collapse-unmap",
    "ksm-write-protect",
    "truncate-unmap",
  ]);
});

test("ids are found, each once, and what has bytes has some", () => {
  const ids = DECISION_RULES.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(findRule("reuse-large")?.where).toContain("__wp_can_reuse_large_anon_folio");
  expect(findRule("no-such-rule")).toBeUndefined();
  for (const { wrongYes, wrongNo } of DECISION_RULES) {
    for (const { bytes } of [wrongYes, wrongNo]) {
      if (bytes !== undefined) expect(bytes({ ...emptySituation(), order: 4 }) % 4096).toBe(0);
    }
  }
});

test("the last entry of a large folio is copied on purpose, whoever answers; with two left it is reused (kernel-facts 4.1, 4.6)", () => {
  const rule = findRule("reuse-large");
  const situation: Situation = { ...emptySituation(), head: 512, order: 4, kind: ANON, mm: 1, vma: 1, entries: 1 };
  const alone: Answers = { ...saying(false), canReuse: () => YES };
  expect(rule?.decide({ ...alone, mappings: () => 1 }, situation)).toBe(NO);
  expect(rule?.decide({ ...alone, mappings: () => 2 }, situation)).toBe(YES);
  // Who does not count entries has to look whether it is the last.
  expect(rule?.decide({ ...alone, unit: "vmas", mappings: () => 1 }, situation)).toBe(UNKNOWN);
  expect(rule?.decide({ ...alone, unit: "vmas", canReuse: () => NO }, situation)).toBe(NO);
});

test("two VMAs or tables with a KSM page are two mappings; one may hold many", () => {
  const rule = findRule("ksm-duplicate");
  const situation: Situation = { ...emptySituation(), head: 512, kind: KSM };
  const counted = (unit: Answers["unit"], mappings: number): Answers => ({
    ...saying(true),
    unit,
    mappings: () => mappings,
  });
  expect(rule?.decide(counted("entries", 1), situation)).toBe(NO);
  expect(rule?.decide(counted("entries", 2), situation)).toBe(YES);
  for (const unit of ["vmas", "tables"] as const) {
    expect(rule?.decide(counted(unit, 2), situation)).toBe(YES);
    expect(rule?.decide(counted(unit, 1), situation)).toBe(UNKNOWN);
  }
});

test("all of a folio is aged only if its entries are as many as its pages, not fewer and not more (kernel-facts 4.4)", () => {
  for (const id of ["age-whole", "lazyfree-whole"]) {
    const situation: Situation = { ...emptySituation(), head: 512, order: 4, kind: ANON, mm: 1, vma: 1, entries: 16 };
    const decided = [15, 16, 17].map((mappings) =>
      findRule(id)?.decide({ ...saying(false), mappings: () => mappings }, situation),
    );
    expect(decided, id).toEqual([NO, YES, NO]);
  }
});

test("a folio with one reference of a mapping left is not freed", () => {
  const references = (mappingReferences: number): Answers => ({
    ...saying(false),
    mappingReferences: () => mappingReferences,
  });
  const situation: Situation = { ...emptySituation(), head: 512, kind: ANON };
  expect([0, 1, 2].map((left) => findRule("free-folio")?.decide(references(left), situation))).toEqual([YES, NO, NO]);
});
