/**
 * What the tests of exports share: the sample capture, a directory of their own, and readers that are Python modules.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, type TestContext } from "vitest";
import { foliometer } from "../foliometer-in-process.ts";
import { requireFile, skipOrFail } from "../full-run.ts";

export const SAMPLE = fileURLToPath(new URL("../../examples/sample-capture", import.meta.url));

/** Debian's own Python: the one that has Debian's modules. */
const PYTHON = "/usr/bin/python3";

/** Exports, as its users start it; one thread needs no compiled worker. Returns what it put on stdout. */
export async function exported(...args: readonly string[]): Promise<string> {
  const { stdout, stderr, code } = await foliometer("export", ...args, "--threads", "1");
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  return stdout;
}

/** Runs a Python program on an input; its output. Skips, or fails in the full run, without the module it needs. */
export function runPython(ctx: TestContext, program: string, input: string, neededModule: string): string {
  requireFile(ctx, PYTHON);
  const has = spawnSync(PYTHON, ["-c", `import ${neededModule}`]);
  if (has.status !== 0) skipOrFail(ctx, `${PYTHON} has no module ${neededModule}`);
  const { stdout, stderr, status } = spawnSync(PYTHON, ["-c", program], {
    input,
    encoding: "utf8",
    env: { ...process.env, PYTHONIOENCODING: "utf-8" },
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}
