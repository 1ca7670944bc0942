/**
 * What a check found, as JSON: schema "foliometer-check", version 1. docs/checker.md describes its fields.
 */
import type { CheckResult } from "../checker/index.ts";
import { escapeJsonControls } from "./display-text.ts";

/** A result with what the checker itself cannot know. */
export interface TimedCheck {
  readonly result: CheckResult;
  /** How long the search took, in milliseconds. */
  readonly elapsedMs: number;
  /** The case of the catalogue and the scheme, if it is one. */
  readonly case?: string;
  readonly scheme?: string;
  /** What the catalogue knows, by property. */
  readonly expected?: Readonly<Record<string, string>>;
}

/** One document for any number of checks, with a newline at its end. */
export function formatChecksJson(checks: readonly TimedCheck[]): string {
  const document = {
    schema: "foliometer-check",
    version: 1,
    checks: checks.map(({ result, elapsedMs, case: id, scheme, expected }) => ({
      scheme: scheme ?? null,
      case: id ?? null,
      configuration: result.configuration,
      options: result.options,
      coverage: result.coverage,
      schedules: result.schedules ?? null,
      figures: { ...result.figures, elapsedMs: Math.round(elapsedMs) },
      properties: result.properties.map((property) => ({
        name: property.name,
        when: property.when,
        outcome: property.outcome,
        expected: expected?.[property.name] ?? null,
        story: property.outcome === "broken" ? property.story : null,
      })),
      lockOrder: result.lockOrder ?? null,
    })),
  };
  return `${escapeJsonControls(JSON.stringify(document, null, 1))}\n`;
}
