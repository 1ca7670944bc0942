import { expect, test } from "vitest";
import type { CalibratedProfile, CostUnit, UnitOrigin } from "../calibration/index.ts";
import type { UnitCost } from "../schemes/index.ts";
import { formatCalibrationText } from "./calibration-text.ts";
import { formatNanoseconds } from "./format-number.ts";
import { PLAIN_STYLES } from "./styles.ts";

const COST: UnitCost = { ns: 5.089, low: 4.9, high: 1204 };
const SHOWN = ["atomics", "entry-set", "fault"] as const;
const HOW = ["measured", "derived", "reference"] as const;

function madeUp(): CalibratedProfile {
  const origins = Object.fromEntries(
    SHOWN.map((unit, index): [CostUnit, UnitOrigin] => [unit, { how: HOW[index], by: `About ${unit}.` }]),
  );
  // Only what is shown: the text reads nothing else.
  return {
    machine: { cpu: "a processor\u001b", processors: 2, kernel: "6.18.0", mapcountConfig: "page" },
    origins,
    controls: [{ name: "false sharing", cost: COST, text: "As dear as one word." }],
  } as unknown as CalibratedProfile;
}

test("a price that was derived and one that was not measured are marked, and the marks explained", () => {
  const prices = SHOWN.map((unit) => [unit, COST] as const);
  expect(formatCalibrationText(madeUp(), prices, { width: 80, styles: PLAIN_STYLES })).toBe(
    [
      "a processor\\x1b, 2 processors, Linux 6.18.0 (page)",
      "",
      "unit         ns 95 % from     to what was timed",
      "atomics    5.09      4.90  1,204 About atomics.",
      "entry-set ~5.09     ~4.90 ~1,204 About entry-set.",
      "fault     5.09?     4.90? 1,204? About fault.",
      "~ put together from measured units; ? not measured here: the reference profile's",
      "",
      "beside it       ns 95 % from    to what was timed",
      "false sharing 5.09      4.90 1,204 As dear as one word.",
      "",
    ].join("\n"),
  );
});

test("nanoseconds have three digits", () => {
  expect([0, 0.07, 5.089, 9.996, 36.57, 99.96, 1203.7].map(formatNanoseconds)).toEqual([
    "0",
    "0.07",
    "5.09",
    "10.0",
    "36.6",
    "100",
    "1,204",
  ]);
});
