/**
 * The door of the scenario language: text to commands and back, dumps and their differences, a run, a C program.
 */
export * from "./command.ts";
export { type CountedMachine, type KernelConfig, createCountedMachine } from "./counted-machine.ts";
export { BrokenInvariant, checkMachine } from "./machine-invariants.ts";
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
export { runScenario } from "./model-runner.ts";
export { type ParsedScenario, parseScenario, scenarioOf } from "./parse-scenario.ts";
export {
  BadReproduction,
  type CannotStep,
  type CommandTime,
  type Reproduction,
  parseReproduction,
} from "./parse-reproduction.ts";
export { BadRecord, readRecord } from "./read-record.ts";
export { type ReproduceOptions, reproduceAsC } from "./reproduce-c.ts";
export { BadScenario, type ScenarioError, formatScenarioError } from "./scenario-error.ts";
export { SCENARIO_BYTES_MAX } from "./scenario-limits.ts";
export * from "./scenario-run.ts";
