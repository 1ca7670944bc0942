/**
 * The scenario that a command is given: a file, or `-` for standard input. Not more is read than a scenario may have.
 */
import { LIMITS, type Scenario, type ScenarioRunner, formatScenarioError, parseScenario } from "../scenario/index.ts";
import { readText } from "./read-text.ts";
import { tell } from "./run-action.ts";

/** Reads and parses it for a runner. What is wrong with it is told, all of it; then the result is undefined. */
export function readScenario(file: string, runner: ScenarioRunner): Scenario | undefined {
  const text = readText(file, LIMITS[runner].scenarioBytes + 1);
  const parsed = parseScenario(text, file === "-" ? "<stdin>" : file, runner);
  if (parsed.ok) return parsed.scenario;
  for (const error of parsed.errors) tell(formatScenarioError(error));
  return undefined;
}
