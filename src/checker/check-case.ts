/**
 * A case of the catalogue: a question about schemes that a check answers, and what came out when it was asked.
 *
 * A case is a program (src/checker/programs/) fitted by constants, with the schemes that the question makes sense for; the
 * scheme's own steps stand between the folio and the program. What must come out is written beside it, property by
 * property, because half of the cases are there to break: a checker that finds nothing proves nothing.
 */
import type { Scheme } from "../schemes/index.ts";
import type { CheckConfiguration, CheckOptions, StepText } from "./check.ts";
import { ENTRIES_TEXT } from "./programs/entries.ts";
import { FOLIO_TEXT } from "./programs/folio.ts";

/** What a complete check of one scheme gives. Properties that are not named hold, or are seen. */
export interface CaseOutcome {
  /** Properties that break. */
  readonly broken?: readonly string[];
  /** Each `sometimes` that no state has. */
  readonly unseen?: readonly string[];
  /** All states, without reductions. Absent where they are too many for a test. */
  readonly states?: number;
}

export interface CheckCase {
  /** Stable: appears on the command line. */
  readonly id: string;
  readonly title: string;
  /** The question, in one sentence. */
  readonly asks: string;
  /** Schemes that it is for, by id. */
  readonly schemes: readonly string[];
  readonly options: CheckOptions;
  /** By scheme id. */
  readonly outcomes: Readonly<Record<string, CaseOutcome>>;
  /** The system to check. */
  configuration(scheme: Scheme): CheckConfiguration;
}

/** How a case is written down. */
export interface CaseDefinition {
  readonly id: string;
  readonly title: string;
  readonly asks: string;
  readonly programs: readonly StepText[];
  readonly constants?: Readonly<Record<string, number>>;
  /** Constants that only the steps of some schemes have, by scheme id. */
  readonly schemeConstants?: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly withoutLocks?: readonly string[];
  readonly options?: CheckOptions;
  readonly outcomes: Readonly<Record<string, CaseOutcome>>;
}

/** The case of a definition. Its schemes are those that it has outcomes for. */
export function defineCase(definition: CaseDefinition): CheckCase {
  const { id, title, asks, programs, constants, schemeConstants, withoutLocks, outcomes, options = {} } = definition;
  return {
    id,
    title,
    asks,
    schemes: Object.keys(outcomes),
    options,
    outcomes,
    configuration(scheme: Scheme): CheckConfiguration {
      return {
        name: `${scheme.id} ${id}`,
        texts: [
          { name: "programs/folio", text: FOLIO_TEXT },
          { name: "programs/entries", text: ENTRIES_TEXT },
          { name: scheme.id, text: scheme.steps },
          ...programs,
        ],
        constants: { ...constants, ...schemeConstants?.[scheme.id] },
        ...(withoutLocks === undefined ? {} : { withoutLocks }),
      };
    },
  };
}

/** The same outcome for several schemes. */
export function sameFor(schemes: readonly string[], outcome: CaseOutcome): Record<string, CaseOutcome> {
  return Object.fromEntries(schemes.map((scheme) => [scheme, outcome]));
}
