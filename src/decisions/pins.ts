/**
 * Pins: is the folio pinned for DMA, and does anybody but mappings and caches hold it? (kernel-facts 1.5, 4.2, 4.5)
 *
 * folio_maybe_dma_pinned is a heuristic: exact for large folios, which count their pins; a small folio with 1,024
 * references of whatever sort looks pinned, and never the other way round. A scheme that frees the words of the mapcount
 * could count pins there: the truth of `pinned` is that count, so a comparison counts what the heuristic takes for pinned.
 */
import { FREE, SHMEM, ZERO } from "../memory/index.ts";
import { folioBytes, isZero, not } from "./answers.ts";
import type { DecisionRule } from "./rule.ts";

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
