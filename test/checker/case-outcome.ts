/**
 * What a case of the catalogue gives when it is checked, in the form in which the catalogue says what it must; and the tests
 * of a group of cases.
 *
 * A search ends at the first broken property. So each property that must break is checked by itself, and all others together
 * in one search that must be complete. The cases lie in groups, a test file each, so that no file takes long; every case is in
 * one of them.
 */
import { expect, test } from "vitest";
import { CHECK_CASES, type CaseOutcome, type CheckCase, checkMachine, elaborate } from "../../src/checker/index.ts";
import { BUILT_IN_PROPERTIES } from "../../src/checker/reference-explore.ts";
import { findScheme } from "../../src/schemes/index.ts";

/** Ids of cases by the test file that checks them. */
export const CASE_GROUPS = {
  concurrent: ["file", "anonymous", "anonymous-tso", "fork-unwaited", "unlocked"],
  huge: ["huge", "two-counters", "one-word", "statistics", "statistics-unclamped", "pmd-split"],
  serial: ["serial", "serial-huge", "serial-areas", "serial-tables"],
  reuse: ["reuse", "reuse-unchecked", "reuse-by-mapcount", "reuse-by-refcount", "reuse-tso"],
  gup: ["gup-fork", "gup-fork-tso", "gup-unsequenced", "gup-late-sequence", "gup-late-sequence-tso"],
  reclaim: ["reclaim", "reclaim-unfrozen", "reclaim-backwards"],
  split: ["split", "split-unfrozen"],
  locks: ["self-deadlock", "embrace", "try-lock", "address-order", "address-order-areas"],
  three: ["three"],
  "three-anonymous": ["three-anonymous"],
} as const;

/** Without reductions only where there are no more states than this. */
const MOST_STATES = 50_000;

/** The outcome of a case for a scheme, lists in alphabetical order; `states` only without reductions. */
export function outcomeOf(checkCase: CheckCase, schemeId: string, options: { reductions: boolean }): CaseOutcome {
  const scheme = findScheme(schemeId);
  if (scheme === undefined) throw new Error(`no scheme ${schemeId}`);
  const machine = elaborate(checkCase.configuration(scheme));
  const how = { ...checkCase.options, partialOrderReduction: options.reductions, symmetry: options.reductions };
  const all = [...machine.properties.map(({ name }) => name), ...BUILT_IN_PROPERTIES];
  if (how.liveness === true) all.push("livelock");
  const mustBreak = checkCase.outcomes[schemeId].broken ?? [];
  const broken = mustBreak.filter((name) => {
    const { properties } = checkMachine(machine, { ...how, properties: [name] });
    return properties.some((property) => property.name === name && property.outcome === "broken");
  });
  const rest = checkMachine(machine, { ...how, properties: all.filter((name) => !mustBreak.includes(name)) });
  const alsoBroken = rest.properties.filter(({ outcome }) => outcome === "broken").map(({ name }) => name);
  if (rest.coverage !== "complete" && alsoBroken.length === 0) throw new Error(`only ${rest.coverage}`);
  const unseen = rest.properties.filter(({ outcome }) => outcome === "unseen").map(({ name }) => name);
  const states = options.reductions ? {} : { states: rest.figures.states };
  return sorted({ broken: [...broken, ...alsoBroken], unseen, ...states });
}

function sorted({ broken = [], unseen = [], ...states }: CaseOutcome): CaseOutcome {
  return { broken: broken.toSorted(), unseen: unseen.toSorted(), ...states };
}

/** Tests that the cases of a group give what the catalogue says: with reductions, and state by state without. */
export function testCases(group: keyof typeof CASE_GROUPS): void {
  const ids: readonly string[] = CASE_GROUPS[group];
  const rows = CHECK_CASES.filter(({ id }) => ids.includes(id)).flatMap((checkCase) =>
    checkCase.schemes.map((scheme) => ({ id: checkCase.id, scheme, checkCase })),
  );
  test.each(rows)("$id, $scheme: the verdicts of the catalogue", ({ checkCase, scheme }) => {
    const { broken = [], unseen = [] } = checkCase.outcomes[scheme];
    expect(outcomeOf(checkCase, scheme, { reductions: true })).toEqual(sorted({ broken, unseen }));
  });
  const counted = rows.filter(
    ({ checkCase, scheme }) => (checkCase.outcomes[scheme].states ?? Infinity) <= MOST_STATES,
  );
  test.each(counted)("$id, $scheme: without reductions, too, and the number of states", ({ checkCase, scheme }) => {
    expect(outcomeOf(checkCase, scheme, { reductions: false })).toEqual(sorted(checkCase.outcomes[scheme]));
  });
}
