export * from "./scheme.ts";
export { SCHEMES, findScheme } from "./registry.ts";
