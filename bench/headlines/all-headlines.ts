/**
 * All rows of the published tables, judged, in the order of the record.
 */
import { folioSizeHeadlines } from "./folio-sizes.ts";
import { type JudgedHeadline, judgeHeadlines } from "./judge.ts";
import { otherHeadlines } from "./other-headlines.ts";
import { rmapIdHeadlines } from "./rmap-ids.ts";

/** Sections and what they are about. */
export const SECTIONS: readonly (readonly [section: string, title: string])[] = [
  ["3.1", "fork of 1 GiB before and after rmap batching (January 2024)"],
  ["3.2", "munmap of 1 GiB before and after rmap batching (February 2024)"],
  ["3.3", "Fewer changes of _nr_pages_mapped (August 2024)"],
  ["3.4", "One large mapcount (April 2024)"],
  ["3.5", "Owner slots, with and without page mapcounts (August 2024)"],
  ["3.6", "The regression that was reported (April 2025)"],
  ["3.7", "The stages of the rmap-id series (November 2023)"],
  ["3.8", "The compound mapcount rework (November 2022)"],
  ["3.9", "How often a folio is mapped, read from its pages (January 2022)"],
  ["3.10", "Reclaim in batches (February 2025)"],
];

/** Every row, judged against its series. Deterministic; a few seconds, most of it the model's histories. */
export function allHeadlines(): JudgedHeadline[] {
  const rows = judgeHeadlines([...folioSizeHeadlines(), ...rmapIdHeadlines(), ...otherHeadlines()]);
  return SECTIONS.flatMap(([section]) => rows.filter((row) => row.section === section));
}
