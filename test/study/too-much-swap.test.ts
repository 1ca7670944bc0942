/** `foliometer free` of a capture whose swap entries cannot be counted: one sentence, not a stack trace. */
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { RUN_SWAP } from "../../src/capture/run-blocks.ts";
import { makeTestDirectory } from "../captured-child.ts";
import { foliometer } from "../foliometer-in-process.ts";
import { MADE_UP_RUNS, madeUpFacts, writeMadeUpCapture } from "../made-up-capture.ts";

const directory = makeTestDirectory();
afterAll(() => directory.remove());

test("slots beyond what can be numbered are refused in one sentence", async () => {
  const facts = madeUpFacts();
  const processes = facts.processes.map((process) => ({
    ...process,
    status: { ...process.status, vmSwapBytes: 4096 },
  }));
  const far = { vma: 0, page: 1_850, frame: 2 ** 40 * 32, pages: 1, step: 32, bits: RUN_SWAP };
  const path = join(directory.path, "far");
  writeMadeUpCapture(path, [...MADE_UP_RUNS, far], { ...facts, processes });
  const { stdout, stderr, code } = await foliometer("free", "--each", path, "--threads", "1");
  expect({ stdout, stderr, code }).toEqual({
    stdout: "",
    stderr:
      "foliometer: The swap entries reach beyond slot 4294967294 (16 TiB of swap): who shares them cannot be counted.\n",
    code: 3,
  });
});
