/**
 * KSM: may this page be merged, and is the merged page shared? (kernel-facts 4.5)
 *
 * A page is write-protected and merged only if nobody but mappings and the swap cache holds it: a device that writes to it
 * would write to everybody's page.
 */
import { ANON, KSM } from "../memory/index.ts";
import { UNKNOWN, UNKNOWN_COUNT } from "../schemes/index.ts";
import { isZero, pageBytes, yesIf } from "./answers.ts";
import type { DecisionRule } from "./rule.ts";

export const KSM_RULES: readonly DecisionRule[] = [
  {
    id: "ksm-write-protect",
    title: "does nobody but mappings and the swap cache hold the page that is to be merged?",
    where: "mm/ksm.c write_protect_page",
    source: "kernel-facts 4.5",
    asks: ["extraReferences"],
    asked: "met",
    applies: ({ kind, order }) => kind === ANON && order === 0,
    decide: (answers, { head }) => isZero(answers.extraReferences(head)),
    yes: "merge it",
    no: "leave it alone",
    wrongYes: { kind: "corruption", text: "a page is merged while a device writes to it" },
    wrongNo: { kind: "memory-held", text: "the page is never merged", bytes: pageBytes },
  },
  {
    id: "ksm-duplicate",
    title: "has the merged page more than one mapping, so that it is worth keeping in the chain?",
    where: "mm/ksm.c stable_tree_search",
    source: "kernel-facts 4.5",
    asks: ["mappings"],
    asked: "surveyed",
    applies: ({ kind }) => kind === KSM,
    decide: (answers, { head }) => {
      const mappings = answers.mappings(head);
      if (mappings === UNKNOWN_COUNT) return UNKNOWN;
      // Two VMAs or tables are two mappings at least; one may hold many.
      return mappings > 1 || answers.unit === "entries" ? yesIf(mappings > 1) : UNKNOWN;
    },
    yes: "keep it",
    no: "another copy takes its place",
    wrongYes: { kind: "harmless", text: "a page with one mapping stays in the chain" },
    wrongNo: { kind: "needless-work", text: "the chain is ordered anew" },
  },
];
