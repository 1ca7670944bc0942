import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WORK_NAMES } from "../kernel/index.ts";
import { COST_NAMES, type CostProfile, type UnitCost } from "../schemes/index.ts";
import { BadCostProfile } from "./bad-cost-profile.ts";
import { type CalibratedMachine, COST_UNITS, assembleProfile, gapsOfProfile, priceOf } from "./calibrated-profile.ts";
import { formatCostProfile, parseCostProfile, readCostProfileFile } from "./cost-profile-file.ts";
import { parseCacheSize } from "./machine-description.ts";

const ONE: UnitCost = { ns: 1, low: 0.5, high: 2 };

function pricesOf<T extends string>(names: readonly T[]): Record<T, UnitCost> {
  return Object.fromEntries(names.map((name) => [name, ONE])) as Record<T, UnitCost>;
}

const REFERENCE: CostProfile = {
  name: "a machine elsewhere",
  source: "made up",
  counting: pricesOf(COST_NAMES),
  contendedAtomic: ONE,
  work: pricesOf(WORK_NAMES),
};

const MACHINE: CalibratedMachine = {
  cpu: "a processor",
  architecture: "x64",
  processors: 2,
  kernel: "6.18.0",
  mapcountConfig: "page",
  date: "2026-01-02T03:04:05.000Z",
};

const FIVE: UnitCost = { ns: 5, low: 4, high: 6 };

const profile = assembleProfile({
  machine: MACHINE,
  reference: REFERENCE,
  measured: new Map([["atomics", { cost: FIVE, origin: { how: "measured", by: "Timed." } }]]),
  missing: () => "There is no compiler.",
  controls: [],
});

test("a unit that was measured has its own price, any other the reference's, and says so", () => {
  for (const unit of COST_UNITS) expect(priceOf(profile, unit)).toEqual(unit === "atomics" ? FIVE : ONE);
  expect(profile.origins.fault).toEqual({
    how: "reference",
    by: "There is no compiler. The price is that of a machine elsewhere.",
  });
  expect(gapsOfProfile(profile)).toEqual(["There is no compiler. The price is that of a machine elsewhere."]);
});

test("a profile written and read is the same prices", () => {
  const { name, source, counting, contendedAtomic, work } = profile;
  expect(parseCostProfile(formatCostProfile(profile), "here.json")).toEqual({
    name,
    source,
    counting,
    contendedAtomic,
    work,
  });
  expect(Object.keys(profile).slice(0, 2)).toEqual(["schema", "version"]);
});

test("a profile written by hand needs the prices and no more", () => {
  const byHand = JSON.stringify({ schema: "foliometer-cost-profile", version: 1, ...REFERENCE });
  expect(parseCostProfile(byHand, "mine.json")).toEqual(REFERENCE);
});

function damaged(change: (copy: Record<string, Record<string, unknown>>) => void): string {
  const copy = JSON.parse(formatCostProfile(profile)) as Record<string, Record<string, unknown>>;
  change(copy);
  return JSON.stringify(copy);
}

test.each<[string, string, RegExp]>([
  ["no JSON", "{", /: it is not JSON\.$/],
  ["another document", "[]", /: its schema is not "foliometer-cost-profile"\.$/],
  ["null", "null", /: its schema is not/],
  ["a later version", damaged((copy) => Object.assign(copy, { version: 2 })), /: its version is not 1\.$/],
  ["a price that is missing", damaged((copy) => delete copy.work.fault), /"work\.fault" is wrong/],
  ["a unit that nobody knows", damaged((copy) => (copy.counting.spells = ONE)), /"counting" is wrong: .*spells/],
  ["a negative price", damaged((copy) => (copy.contendedAtomic.low = -1)), /"contendedAtomic\.low" is wrong/],
  [
    "a range above its middle",
    damaged((copy) => (copy.counting.loads = { ns: 1, low: 2, high: 3 })),
    /"counting\.loads" is wrong: low is above ns\.$/,
  ],
  [
    "a range below its middle",
    damaged((copy) => (copy.counting.loads = { ns: 4, low: 2, high: 3 })),
    /"counting\.loads" is wrong: ns is above high\.$/,
  ],
  [
    "a price that is no number",
    damaged((copy) => (copy.work.fault = { ns: "1", low: 0, high: 2 })),
    /"work\.fault\.ns"/,
  ],
  ["no price at all", damaged((copy) => (copy.work.fault = null)), /"work\.fault" is wrong/],
])("%s is refused in one sentence", (_, text, sentence) => {
  let message = "";
  try {
    parseCostProfile(text, "bad.json");
  } catch (error) {
    expect(error).toBeInstanceOf(BadCostProfile);
    ({ message } = error as Error);
  }
  expect(message).toMatch(/^Cannot use "bad\.json" as a cost profile: [^\n]*\.$/);
  expect(message).toMatch(sentence);
});

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "foliometer-profile-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a file that is not there, is none, or is far too long is refused by its path", () => {
  expect(() => readCostProfileFile(join(folder, "none"))).toThrow(/none" as a cost profile: there is no such file\.$/);
  expect(() => readCostProfileFile(folder)).toThrow(/it is not a regular file\.$/);
  expect(() => readCostProfileFile("/dev/zero")).toThrow(/it is not a regular file\.$/);
  writeFileSync(join(folder, "long"), Buffer.alloc(2 ** 20 + 1, " "));
  expect(() => readCostProfileFile(join(folder, "long"))).toThrow(/it has more than 1048576 bytes\.$/);
});

test("sizes of caches as the kernel writes them", () => {
  expect(["32768K\n", "1M", "512", "2G", "much", ""].map(parseCacheSize)).toEqual([
    2 ** 25,
    2 ** 20,
    512,
    2 ** 31,
    0,
    0,
  ]);
});
