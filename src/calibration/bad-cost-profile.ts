/**
 * Why a file cannot be used as a cost profile, and why a profile cannot be measured: one sentence each.
 */
import { quoteUntrusted } from "../kernel/index.ts";

/** Thrown by whatever reads a profile. */
export class BadCostProfile extends Error {
  constructor(path: string, problem: string) {
    super(`Cannot use ${quoteUntrusted(path)} as a cost profile: ${problem}.`);
    this.name = "BadCostProfile";
  }
}

/** A measurement that this machine does not allow. Not an end: the units that it was for have the reference's prices. */
export class CannotMeasure extends Error {
  /** `reason`: a sentence. */
  constructor(reason: string) {
    super(reason);
    this.name = "CannotMeasure";
  }
}
