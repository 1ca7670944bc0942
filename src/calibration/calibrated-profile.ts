/**
 * A price list that was measured on a machine: a CostProfile, where each unit comes from, and what was measured beside
 * the units to see whether they are believable.
 *
 * Not every unit can be had everywhere. One that could not be measured has the value of the reference profile and says so;
 * it is never guessed and never missing.
 */
import { WORK_NAMES, type WorkName } from "../kernel/index.ts";
import { COST_NAMES, type CostProfile, type CountingCost, type UnitCost } from "../schemes/index.ts";

export const COST_PROFILE_SCHEMA = "foliometer-cost-profile";
export const COST_PROFILE_VERSION = 1;

/** Every unit that a profile has a price for. */
export type CostUnit = CountingCost | "contendedAtomic" | WorkName;

/** All of them, in the order of tables. */
export const COST_UNITS: readonly CostUnit[] = [...COST_NAMES, "contendedAtomic", ...WORK_NAMES];

/** Where a unit's price comes from. */
export interface UnitOrigin {
  /**
   * "measured": timed, alone or as a difference of timings; "derived": put together from other measured units;
   * "reference": not measured here, the reference profile's.
   */
  readonly how: "measured" | "derived" | "reference";
  /** A sentence: what was timed, or why it could not be. */
  readonly by: string;
}

/** Something measured that is no unit: to be compared with what the units say. */
export interface CalibrationControl {
  readonly name: string;
  readonly cost: UnitCost;
  readonly text: string;
}

/** The machine that was measured. */
export interface CalibratedMachine {
  readonly cpu: string;
  readonly architecture: string;
  readonly processors: number;
  readonly kernel: string;
  /** CONFIG_PAGE_MAPCOUNT, CONFIG_NO_PAGE_MAPCOUNT, or the kernel does not say. */
  readonly mapcountConfig: "page" | "nopage" | "unknown";
  /** When the measurement ended, in UTC: 2026-01-02T03:04:05.678Z. */
  readonly date: string;
}

export interface CalibratedProfile extends CostProfile {
  readonly schema: typeof COST_PROFILE_SCHEMA;
  readonly version: typeof COST_PROFILE_VERSION;
  readonly machine: CalibratedMachine;
  readonly origins: Readonly<Record<CostUnit, UnitOrigin>>;
  readonly controls: readonly CalibrationControl[];
}

/** A unit's price with its origin. */
export interface PricedUnit {
  readonly cost: UnitCost;
  readonly origin: UnitOrigin;
}

/** A profile's price of a unit. */
export function priceOf(profile: CostProfile, unit: CostUnit): UnitCost {
  if (unit === "contendedAtomic") return profile.contendedAtomic;
  if (isWork(unit)) return profile.work[unit];
  return profile.counting[unit];
}

function isWork(unit: CostUnit): unit is WorkName {
  return (WORK_NAMES as readonly string[]).includes(unit);
}

/**
 * The profile of these units. What was not measured is taken from `reference`; `missing` says why, by unit.
 */
export function assembleProfile(parts: {
  readonly machine: CalibratedMachine;
  readonly reference: CostProfile;
  readonly measured: ReadonlyMap<CostUnit, PricedUnit>;
  readonly missing: (unit: CostUnit) => string;
  readonly controls: readonly CalibrationControl[];
}): CalibratedProfile {
  const { machine, reference, measured, missing, controls } = parts;
  const priced = (unit: CostUnit): PricedUnit =>
    measured.get(unit) ?? {
      cost: priceOf(reference, unit),
      origin: { how: "reference", by: `${missing(unit)} The price is that of ${reference.name}.` },
    };
  const pricesOf = <T extends CostUnit>(units: readonly T[]): Record<T, UnitCost> =>
    Object.fromEntries(units.map((unit) => [unit, priced(unit).cost])) as Record<T, UnitCost>;
  return {
    schema: COST_PROFILE_SCHEMA,
    version: COST_PROFILE_VERSION,
    name: machine.cpu,
    source: `measured by foliometer calibrate under Linux ${machine.kernel} (${machine.mapcountConfig}), ${machine.date.slice(0, 10)}`,
    machine,
    counting: pricesOf(COST_NAMES),
    contendedAtomic: priced("contendedAtomic").cost,
    work: pricesOf(WORK_NAMES),
    origins: Object.fromEntries(COST_UNITS.map((unit) => [unit, priced(unit).origin])) as Record<CostUnit, UnitOrigin>,
    controls,
  };
}

/** Why units were not measured here, each sentence once; empty if all were. */
export function gapsOfProfile({ origins }: CalibratedProfile): string[] {
  const reasons = Object.values(origins).flatMap(({ how, by }) => (how === "reference" ? [by] : []));
  return [...new Set(reasons)];
}
