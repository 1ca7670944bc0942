/**
 * The scenario that a command is given: a file, or `-` for standard input. Not more is read than a scenario may have.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { LIMITS, type Scenario, type ScenarioRunner, formatScenarioError, parseScenario } from "../scenario/index.ts";
import { UsageError } from "./exit-codes.ts";
import { tell } from "./run-action.ts";

const STDIN = 0;
const WHY: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a directory",
  EACCES: "permission denied",
};

/** Reads and parses it for a runner. What is wrong with it is told, all of it; then the result is undefined. */
export function readScenario(file: string, runner: ScenarioRunner): Scenario | undefined {
  const text = readText(file, LIMITS[runner].scenarioBytes + 1);
  const parsed = parseScenario(text, file === "-" ? "<stdin>" : file, runner);
  if (parsed.ok) return parsed.scenario;
  for (const error of parsed.errors) tell(formatScenarioError(error));
  return undefined;
}

/** Bytes asked for at a time. */
const CHUNK_BYTES = 65_536;

/** The text, of which not more than `bytesMax` bytes are read. */
function readText(file: string, bytesMax: number): string {
  const chunks: Buffer[] = [];
  let used = 0;
  try {
    const fd = file === "-" ? STDIN : openSync(file, "r");
    try {
      while (used < bytesMax) {
        const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, bytesMax - used));
        const got = readSync(fd, chunk, 0, chunk.length, null);
        if (got === 0) break;
        chunks.push(chunk.subarray(0, got));
        used += got;
      }
    } finally {
      if (fd !== STDIN) closeSync(fd);
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    throw new UsageError(`Cannot read ${file}: ${WHY[code] ?? code}.`);
  }
  return Buffer.concat(chunks).toString("utf8");
}
