/**
 * The door of the workloads: histories that real machines have, by name, size and seed.
 */
export { seededRandom } from "./random.ts";
export { WORKLOADS, findWorkload } from "./registry.ts";
export * from "./workload.ts";
export { type WorkloadScenario, scenarioOfWorkload } from "./workload-scenario.ts";
export { BadWorkload, SEED_MAX, describeRange, leastValues, parseAssignment, valuesOf } from "./workload-values.ts";
