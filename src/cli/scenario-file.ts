/**
 * The scenario that a command is given: a file, or `-` for standard input. Not more is read than a scenario may have.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { type Scenario, SCENARIO_BYTES_MAX, formatScenarioError, parseScenario } from "../scenario/index.ts";
import { UsageError } from "./exit-codes.ts";
import { tell } from "./run-action.ts";

const STDIN = 0;
const WHY: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a directory",
  EACCES: "permission denied",
};

/** Reads and parses it. What is wrong with it is told, all of it; then the result is undefined. */
export function readScenario(file: string): Scenario | undefined {
  const parsed = parseScenario(readText(file), file === "-" ? "<stdin>" : file);
  if (parsed.ok) return parsed.scenario;
  for (const error of parsed.errors) tell(formatScenarioError(error));
  return undefined;
}

function readText(file: string): string {
  const bytes = Buffer.alloc(SCENARIO_BYTES_MAX + 1);
  let used = 0;
  try {
    const fd = file === "-" ? STDIN : openSync(file, "r");
    try {
      while (used < bytes.length) {
        const got = readSync(fd, bytes, used, bytes.length - used, null);
        if (got === 0) break;
        used += got;
      }
    } finally {
      if (fd !== STDIN) closeSync(fd);
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    throw new UsageError(`Cannot read ${file}: ${WHY[code] ?? code}.`);
  }
  return bytes.toString("utf8", 0, used);
}
