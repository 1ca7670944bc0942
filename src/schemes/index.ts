export * from "./cost-units.ts";
export * from "./counter.ts";
export * from "./leaf-entries.ts";
export * from "./meter.ts";
export { SCHEMES, findScheme } from "./registry.ts";
export * from "./rmap-findings.ts";
export * from "./scheme.ts";
