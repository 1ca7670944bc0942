/**
 * When a capture may be called complete.
 */
import { expect, test } from "vitest";
import { describeFrames, findGaps } from "./coverage.ts";

const CHECK = {
  framesChecked: 1000,
  everyFrameChecked: true,
  framesDifferAfterSecondLook: 500,
  framesCountedMoreByKernel: 490,
  checkRefusal: null,
  processesRefused: 0,
};

test("of a whole machine every frame that still differs counts, and more than 2 % are a gap", () => {
  expect(findGaps(CHECK, true)).toEqual(["50.0% of the frames checked still disagree with /proc/kpagecount."]);
  expect(findGaps({ ...CHECK, framesDifferAfterSecondLook: 20 }, true)).toEqual([]);
  expect(findGaps({ ...CHECK, framesDifferAfterSecondLook: 21 }, true)).toHaveLength(1);
});

test("of chosen processes, frames that others map too are no gap; frames found too often are", () => {
  expect(findGaps(CHECK, false)).toEqual([]);
  expect(describeFrames(CHECK, false)).toContain("10 disagree (1.0%); 490 are mapped by processes not chosen too");
  expect(findGaps({ ...CHECK, framesCountedMoreByKernel: 400 }, false)).toHaveLength(1);
});

test("a refused process is a gap, whatever the frames say", () => {
  const check = { ...CHECK, framesDifferAfterSecondLook: 0, framesCountedMoreByKernel: 0, processesRefused: 2 };
  expect(findGaps(check, true)).toEqual(["2 processes could not be read."]);
  expect(describeFrames(check, true)).toBe("Check: all 1,000 mapped frames compared with /proc/kpagecount, all agree.");
});
