/**
 * The model against two real kernels: every dump of every recorded scenario, figure by figure, in both configurations.
 *
 * The invariants of the kernel's counters are held after every command of every run.
 */
import { describe, expect, test } from "vitest";
import { compareRecords, describeDifference, runScenario } from "../../src/scenario/index.ts";
import { RECORDED, recordedScenario, recording } from "./recordings.ts";

describe.each(["page", "nopage"] as const)("a kernel built with %s", (config) => {
  test.each(RECORDED)("answers in %s as the model does", (name) => {
    const { record } = runScenario(recordedScenario(name), { config, schemes: [], checkInvariants: true });
    const { differences } = compareRecords(record, recording(name, config));
    expect(differences.map((one) => describeDifference(one, { left: "model", right: "kernel" }))).toEqual([]);
  });
});
