/**
 * The door of calibration: what units of cost take on this machine, measured, and profiles as files.
 *
 * Code is loaded when it is called: a comparison with the built-in profile needs none of it.
 */
import type { CostProfile } from "../schemes/index.ts";
import type { CalibrateOptions } from "./calibrate.ts";
import type { CalibratedProfile } from "./calibrated-profile.ts";

export { BadCostProfile } from "./bad-cost-profile.ts";
export type { CalibrateOptions } from "./calibrate.ts";
export {
  COST_PROFILE_SCHEMA,
  COST_PROFILE_VERSION,
  COST_UNITS,
  type CalibratedMachine,
  type CalibratedProfile,
  type CalibrationControl,
  type CostUnit,
  type UnitOrigin,
  gapsOfProfile,
  priceOf,
} from "./calibrated-profile.ts";

/**
 * Measures this machine: some seconds, less than two with `quick`. Changes nothing on it; what cannot be measured has the
 * reference's price and says why.
 * @example const profile = await calibrate({ reference: XEON_4210R, quick: true });
 */
export async function calibrate(options: CalibrateOptions): Promise<CalibratedProfile> {
  return (await import("./calibrate.ts")).calibrate(options);
}

/** Reads a profile from a file. Throws BadCostProfile, one sentence. */
export async function readCostProfile(path: string): Promise<CostProfile> {
  return (await import("./cost-profile-file.ts")).readCostProfileFile(path);
}

/** The profile as the text of a file that readCostProfile reads. */
export async function formatCostProfile(profile: CalibratedProfile): Promise<string> {
  return (await import("./cost-profile-file.ts")).formatCostProfile(profile);
}
