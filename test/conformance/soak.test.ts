/**
 * The soak: no guarantee of any scheme breaks, one that promises too much is found out, and its history is short.
 */
import { describe, expect, test } from "vitest";
import { SCHEMES, type Scheme, findScheme } from "../../src/schemes/index.ts";
import { SOAK_SLOTS, Soak, replay } from "./soak.ts";

const SEED = 20_260_217;

test("100,000 events break no guarantee, and every scheme is asked at all of them", () => {
  const soak = new Soak(SEED, SCHEMES);
  soak.run(100_000);
  expect(soak.broken, `seed ${SEED}`).toBeUndefined();
  expect(soak.answers).toBeGreaterThan(100_000 * (SCHEMES.length - 1));
});

describe("a scheme that promises too much is found out, and so is how", () => {
  const cases: readonly [id: string, guarantees: Partial<Scheme["guarantees"]>, complaint: RegExp, most: number][] = [
    ["mm-owner", { others: "exact" }, /others of mm \d is YES, not NO/, 7],
    ["mm-owner", { partial: "exact" }, /partial is UNKNOWN, not/, 3],
    ["troll", { mapped: "exact" }, /mapped is UNKNOWN/, 4],
    ["vma", { others: "exact-or-unknown" }, /others of mm \d is YES, not NO/, 3],
    ["first-page", { others: "one-sided" }, /false of a shared folio|is NO, not YES/, 4],
    ["vma-table", { otherVmas: "exact" }, /otherVmas of VMA \d+ is UNKNOWN/, 3],
    ["total", { pageMapcount: "exact" }, /pageMapcount of page \d+ is -1/, 1],
    ["none", { stopWalk: "exact" }, /stopWalk at \d+ is NO, not YES/, 2],
  ];

  test.each(cases)("%s with %o", (id, guarantees, complaint, most) => {
    const honest = findScheme(id)!;
    const boastful: Scheme = { ...honest, guarantees: { ...honest.guarantees, ...guarantees } };
    const soak = new Soak(SEED, [boastful]);
    soak.run(200_000);
    expect(soak.broken?.complaint).toMatch(complaint);
    const witness = soak.broken!.witness;
    expect(witness.length).toBeLessThanOrEqual(most);
    expect(replay(witness, boastful, SOAK_SLOTS, SEED)).toBe(soak.broken!.complaint);
    expect(replay(witness, honest, SOAK_SLOTS, SEED)).toBeUndefined();
    for (const left of witness.keys()) {
      expect(
        replay(
          witness.filter((_, at) => at !== left),
          boastful,
          SOAK_SLOTS,
          SEED,
        ),
      ).toBeUndefined();
    }
  });
});
