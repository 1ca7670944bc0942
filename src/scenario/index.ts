/**
 * The door of the scenario language: text to commands and back, dumps and their differences, a run, a C program.
 */
export * from "./command.ts";
export { type ContentsCheck, checkContentsOf } from "./check-contents.ts";
export { type UnsafeHistory, type UnsafeHistoryOptions, findUnsafeHistory } from "./unsafe-history.ts";
export { consumersAt } from "./consumer-figures.ts";
export { UnsafeContents, type UnsafeKind } from "./contents-oracle.ts";
export { type CowTest, cowPlan, nameOfCowTest, scenarioOfCowTest } from "./cow-plan.ts";
export { type CowOutcome, type CowPlanOptions, isUnexpected, runCowTest } from "./cow-plan-run.ts";
export { type CountedMachine, type KernelConfig, createCountedMachine } from "./counted-machine.ts";
export { BrokenInvariant, checkMachine } from "./machine-invariants.ts";
export { EntryMachine, type EntryMachineOptions, type EntryMachineShape } from "./entry-machine.ts";
export { historyOfSteps } from "./entry-machine-history.ts";
export type { Stretch } from "./entry-machine-state.ts";
export {
  type Comparison,
  type ComparisonOptions,
  type DumpDifference,
  compareDumps,
  compareRecords,
  describeDifference,
} from "./compare-dumps.ts";
export * from "./comparison-rules.ts";
export * from "./dump.ts";
export { formatCommand, formatScenario, formatSizeWord } from "./format-scenario.ts";
export { type ModelHistory, createModelHistory } from "./model-history.ts";
export { ScenarioStopped, runScenario } from "./model-runner.ts";
export { type ParsedScenario, parseScenario, scenarioOf } from "./parse-scenario.ts";
export {
  BadReproduction,
  type CannotStep,
  type CommandTime,
  type Reproduction,
  parseReproduction,
} from "./parse-reproduction.ts";
export { didYouMean, nearestWord } from "./nearest-word.ts";
export { BadRecord, readRecord } from "./read-record.ts";
export { type ReproduceOptions, reproduceAsC } from "./reproduce-c.ts";
export { BadScenario, type ScenarioError, formatScenarioError } from "./scenario-error.ts";
export {
  LIMITS,
  MODEL_MEMORY_BYTES_MAX,
  MODEL_MEMORY_BYTES_MIN,
  type ScenarioLimits,
  type ScenarioRunner,
} from "./scenario-limits.ts";
export * from "./scenario-run.ts";
export * from "./studied-history.ts";
