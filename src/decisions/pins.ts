/**
 * Pins: is the folio pinned for DMA, and does anybody but mappings and caches hold it? (kernel-facts 1.5, 4.2, 4.5)
 *
 * folio_maybe_dma_pinned is a heuristic: exact for large folios, which count their pins; a small folio with 1,024
 * references of whatever sort looks pinned, and never the other way round. A scheme that frees the words of the mapcount
 * could count pins there: `comparePins` puts the two beside each other and counts what the heuristic takes for pinned.
 */
import { GUP_PIN_COUNTING_BIAS } from "../kernel/index.ts";
import { ANON, FREE, SHMEM, ZERO } from "../memory/index.ts";
import { NO, YES } from "../schemes/index.ts";
import { type DecidedFolios, emptySituation, folioBytes, isZero, lookAt, not, referencesUnder } from "./answers.ts";
import type { Answers, DecisionRule } from "./rule.ts";

export const PIN_RULES: readonly DecisionRule[] = [
  {
    id: "maybe-pinned",
    title: "may the folio be pinned for DMA?",
    where: "include/linux/mm.h folio_maybe_dma_pinned (fork, reclaim, KSM, migration)",
    source: "kernel-facts 1.5, 4.2",
    asks: ["pinned"],
    asked: "met",
    applies: ({ kind }) => kind !== FREE && kind !== ZERO,
    decide: (answers, { head }) => answers.pinned(head),
    yes: "copy at fork, do not swap out, merge or move",
    no: "share, swap out, merge or move",
    wrongYes: {
      kind: "refused",
      text: "a page that nobody pinned is copied at fork or not reclaimed",
      bytes: folioBytes,
    },
    wrongNo: { kind: "corruption", text: "the device goes on with a page that its owner no longer sees" },
  },
  {
    id: "longterm-drain",
    title: "must the LRU batches be drained before a long-term pin moves this folio?",
    where: "mm/gup.c collect_longterm_unpinnable_folios",
    source: "kernel-facts 4.5",
    asks: ["extraReferences"],
    asked: "surveyed",
    applies: ({ kind }) => kind !== FREE && kind !== ZERO,
    decide: (answers, { head }) => not(isZero(answers.extraReferences(head))),
    yes: "drain all processors' batches",
    no: "go on",
    wrongYes: { kind: "needless-work", text: "all processors' batches are drained for nothing" },
    wrongNo: { kind: "refused", text: "the folio cannot be moved and the pin fails" },
  },
  {
    id: "memfd-seal",
    title: "may the memfd be sealed against writing, as far as this folio goes?",
    where: "mm/memfd.c memfd_wait_for_pins",
    source: "kernel-facts 4.5",
    asks: ["extraReferences"],
    asked: "surveyed",
    applies: ({ kind }) => kind === SHMEM,
    decide: (answers, { head }) => isZero(answers.extraReferences(head)),
    yes: "seal",
    no: "wait, then EBUSY",
    wrongYes: { kind: "corruption", text: "a seal is granted while a device may still write" },
    wrongNo: { kind: "refused", text: "F_SEAL_WRITE fails with EBUSY" },
  },
];

/** An exact count of pins beside the heuristic, over some folios. */
export interface PinComparison {
  readonly folios: number;
  /** Folios with a pin. */
  readonly pinned: number;
  /** The heuristic says pinned, and no pin is there. */
  readonly falsePositives: number;
  /** Among them: small anonymous folios, which fork would copy if they were exclusive. */
  readonly falseAnonymous: number;
  /** A pin that the heuristic does not see: never, or the kernel is broken. */
  readonly falseNegatives: number;
}

/** Asks `answers` of each folio whether it is pinned, and compares with the exact count. O(folios). */
export function comparePins(
  folios: DecidedFolios & { readonly references: { pins(folio: number): number } },
  heads: Iterable<number>,
  answers: Answers,
): PinComparison {
  const counts = { folios: 0, pinned: 0, falsePositives: 0, falseAnonymous: 0, falseNegatives: 0 };
  for (const head of heads) {
    counts.folios++;
    const isPinned = folios.references.pins(head) > 0;
    const answer = answers.pinned(head);
    if (isPinned) counts.pinned++;
    if (isPinned && answer === NO) counts.falseNegatives++;
    if (isPinned || answer !== YES) continue;
    counts.falsePositives++;
    if (folios.kindOf(head) === ANON) counts.falseAnonymous++;
  }
  return counts;
}

/** References that a small folio can still get before it looks pinned; a large one never does. Not below 0. */
export function referencesUntilPinned(folios: DecidedFolios, head: number, answers: Answers): number {
  const situation = emptySituation();
  lookAt(folios, head, situation);
  if (situation.order > 0) return Number.POSITIVE_INFINITY;
  return Math.max(0, GUP_PIN_COUNTING_BIAS - referencesUnder(answers, situation));
}
