/**
 * The recorded answers of two real kernels, Linux 6.18.15 with and without CONFIG_PAGE_MAPCOUNT, and their scenarios.
 */
import { readFileSync, readdirSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { type Scenario, type ScenarioRecord, readRecord, scenarioOf } from "../../src/scenario/index.ts";

const SCENARIOS = fileURLToPath(new URL("../../examples/scenarios/", import.meta.url));

/** Names of all recorded scenarios. */
export const RECORDED: readonly string[] = readdirSync(SCENARIOS)
  .filter((name) => name.endsWith(".scn"))
  .map((name) => basename(name, ".scn"))
  .sort();

/** The scenario of a name. */
export function recordedScenario(name: string): Scenario {
  return scenarioOf(readFileSync(`${SCENARIOS}${name}.scn`, "utf8"), `${name}.scn`);
}

/** What a kernel answered, as the JSON that was recorded. */
export function recordingText(name: string, config: "page" | "nopage"): string {
  return readFileSync(new URL(`golden/${config}/${name}.json`, import.meta.url), "utf8");
}

/** What a kernel answered. */
export function recording(name: string, config: "page" | "nopage"): ScenarioRecord {
  return readRecord(JSON.parse(recordingText(name, config)));
}
