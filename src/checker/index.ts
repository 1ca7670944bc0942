/**
 * The door of the checker: every order in which threads can take a scheme's steps, and what breaks in some of them.
 *
 * A configuration is texts in the step language (docs/step-language.md) and sizes; `check` explores it, `exploreRandomly`
 * tries what is too large to finish; a broken property comes back as a story.
 * @example
 * const { coverage, properties } = check({ name: "mine", texts: [{ name: "mine", text }] });
 */
export type {
  CheckConfiguration,
  CheckFigures,
  CheckOptions,
  CheckResult,
  LockOrderEdge,
  LockOrderFound,
  MemoryOrder,
  PropertyOutcome,
  StepText,
  Story,
  StoryChange,
  StoryStep,
} from "./check.ts";
export type { CaseOutcome, CheckCase } from "./check-case.ts";
export { CHECK_CASES, casesOf, findCase } from "./cases.ts";
export { elaborate } from "./elaborate.ts";
export {
  type CheckProgress,
  type CheckWatch,
  DEFAULT_MEMORY_LIMIT_BYTES,
  DEFAULT_STATE_LIMIT,
  check,
  checkMachine,
} from "./explore.ts";
export { seeLockOrder } from "./see-lock-order.ts";
export { type ScheduleOptions, checkRandomly } from "./check-randomly.ts";
export { checkPropertyNames } from "./property-names.ts";
export { parseSteps } from "./parse-steps.ts";
export type { RandomProgress } from "./random-schedules.ts";
export { type GraphEdge, type GraphNode, GraphTooLarge, type StateGraph, drawStateGraph } from "./state-graph.ts";
export type { StepMachine } from "./step-machine.ts";
export { type StoryScenario, scenarioOfStory } from "./story-scenario.ts";
export { StepsError } from "./syntax.ts";
export { type WorkerPart, checkInParts } from "./search-in-parts.ts";
export {
  type Handover,
  type RoundReport,
  type RoundRequest,
  type SearchPart,
  type StateOnWay,
  createSearchPart,
} from "./search-part.ts";
