/**
 * What a case of the catalogue gives when it is checked: in the form in which the catalogue says what it must.
 *
 * A search ends at the first broken property. So each property that must break is checked by itself, and all others together
 * in one search that must be complete.
 */
import { type CaseOutcome, type CheckCase } from "../../src/checker/check-case.ts";
import type { CheckOptions } from "../../src/checker/check.ts";
import { elaborate } from "../../src/checker/elaborate.ts";
import { checkMachine } from "../../src/checker/explore.ts";
import { BUILT_IN_PROPERTIES } from "../../src/checker/reference-explore.ts";
import { findScheme } from "../../src/schemes/index.ts";

export interface Reductions {
  readonly reductions: boolean;
}

/** The outcome of a case for a scheme; `states` only without reductions. Fails if a search is not complete. */
export function outcomeOf(checkCase: CheckCase, schemeId: string, { reductions }: Reductions): CaseOutcome {
  const scheme = findScheme(schemeId);
  if (scheme === undefined) throw new Error(`no scheme ${schemeId}`);
  const machine = elaborate(checkCase.configuration(scheme));
  const options: CheckOptions = { ...checkCase.options, partialOrderReduction: reductions, symmetry: reductions };
  const all = [...machine.properties.map(({ name }) => name), ...BUILT_IN_PROPERTIES];
  if (options.liveness === true) all.push("livelock");
  const mustBreak = checkCase.outcomes[schemeId].broken ?? [];
  const broken = mustBreak.filter((name) => {
    const { properties } = checkMachine(machine, { ...options, properties: [name] });
    return properties.some((property) => property.name === name && property.outcome === "broken");
  });
  const rest = checkMachine(machine, { ...options, properties: all.filter((name) => !mustBreak.includes(name)) });
  broken.push(...rest.properties.filter(({ outcome }) => outcome === "broken").map(({ name }) => name));
  if (rest.coverage !== "complete" && broken.length === mustBreak.length) throw new Error(`only ${rest.coverage}`);
  const unseen = rest.properties.filter(({ outcome }) => outcome === "unseen").map(({ name }) => name);
  return {
    ...(broken.length === 0 ? {} : { broken }),
    ...(unseen.length === 0 ? {} : { unseen }),
    ...(reductions ? {} : { states: rest.figures.states }),
  };
}

/** What the catalogue says, without the number of states and in the order of `outcomeOf`. */
export function verdictsOf(checkCase: CheckCase, schemeId: string): CaseOutcome {
  const { broken = [], unseen = [] } = checkCase.outcomes[schemeId];
  return { ...(broken.length === 0 ? {} : { broken }), ...(unseen.length === 0 ? {} : { unseen }) };
}

/** An outcome with its lists in alphabetical order. */
export function sorted({ broken, unseen, ...rest }: CaseOutcome): CaseOutcome {
  return {
    ...rest,
    ...(broken === undefined ? {} : { broken: broken.toSorted() }),
    ...(unseen === undefined ? {} : { unseen: unseen.toSorted() }),
  };
}

/** Every case with every scheme that it is for, as rows for test.each. */
export function rowsOf(cases: readonly CheckCase[]): { id: string; scheme: string; checkCase: CheckCase }[] {
  return cases.flatMap((checkCase) => checkCase.schemes.map((scheme) => ({ id: checkCase.id, scheme, checkCase })));
}
