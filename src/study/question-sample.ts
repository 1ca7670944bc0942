/**
 * Which of many are asked about: an even sample, the same for the same seed.
 *
 * So many strata as there are places; one of each, drawn at random. Every item has the same chance (but for rounding), and
 * no part of the range is left out.
 */

/** Bounds on what is looked at after one step (StudySample says what came of them). */
export interface SampleBounds {
  readonly foliosPerStep: number;
  readonly surveyedPerStep: number;
  /** Folios that the scans go over. */
  readonly scannedPerStep: number;
  readonly pagesPerFolio: number;
  readonly askersPerFolio: number;
}

export const DEFAULT_BOUNDS: SampleBounds = {
  foliosPerStep: 256,
  surveyedPerStep: 16,
  scannedPerStep: 8,
  pagesPerFolio: 4,
  askersPerFolio: 4,
};

/** Draws samples. `random`: 0 <= number < 1. */
export class Sampler {
  private readonly random: () => number;

  constructor(random: () => number) {
    this.random = random;
  }

  /** An integer, 0 <= number < bound. */
  below(bound: number): number {
    return Math.floor(this.random() * bound);
  }

  /** Puts up to `most` of the numbers below `count` into `picks`, ascending; says how many. */
  pick(count: number, most: number, picks: Int32Array): number {
    if (count <= most) {
      for (let at = 0; at < count; at++) picks[at] = at;
      return count;
    }
    for (let stratum = 0; stratum < most; stratum++) {
      const first = Math.floor((stratum * count) / most);
      picks[stratum] = first + this.below(Math.floor(((stratum + 1) * count) / most) - first);
    }
    return most;
  }
}
