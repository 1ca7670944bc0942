export {
  CHANGED_CLASS,
  type ClassifiedFrames,
  type FrameClass,
  FrameClasses,
  UNCOUNTED_CLASS,
} from "./frame-classes.ts";
export * from "./mapping-sums.ts";
export type { PageCounts } from "./page-counts.ts";
export { ProcrankAccount } from "./procrank.ts";
export { redisCopyOnWriteBytes } from "./redis-copy-on-write.ts";
export { type PageAnswers, pageAnswers, statisticsPages } from "./page-answers.ts";
export { PSS_FULL_PAGE, PSS_UNITS_PER_BYTE, bytesOfPss, kbOfPss, pssOfPage } from "./proportional-share.ts";
export { NumaMapsAccount, type NumaFolioFacts } from "./numa-maps-account.ts";
export { SmapsAccount, type EntryFacts, type FolioFacts } from "./smaps-account.ts";
