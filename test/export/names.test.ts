/**
 * Names that are not English: maps prints bytes, and who reads an export or a difference reads UTF-8.
 */
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openCapture } from "../../src/capture/index.ts";
import { SCHEMES } from "../../src/schemes/index.ts";
import { exportTables } from "../../src/report/index.ts";
import { orderSchemes, reportOnSums, sumCapture } from "../../src/study/index.ts";
import { makeTestDirectory } from "../captured-child.ts";
import { foliometer } from "../foliometer-in-process.ts";
import { MADE_UP_RUNS, madeUpFacts, writeMadeUpCapture } from "../made-up-capture.ts";

const NAME = "/srv/Größe 日本.so";
const BROKEN = "/srv/\u00ff\u00fe";

const directory = makeTestDirectory();
afterAll(() => directory.remove());

/** The made-up capture, its first VMA of a file with this name; maps has a character for each byte. */
function captureWith(name: string, runs = MADE_UP_RUNS): string {
  const facts = madeUpFacts();
  const vmas = facts.vmas.map((vma, row) => (row === 0 ? { ...vma, name } : vma));
  const path = join(directory.path, `${runs.length} of ${Buffer.from(name, "latin1").toString("hex")}`);
  writeMadeUpCapture(path, runs, { ...facts, vmas });
  return path;
}

const asBytes = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

test.each([
  ["UTF-8", asBytes(NAME), NAME],
  ["bytes that are no UTF-8", BROKEN, BROKEN],
])("stacks, tables and differences show a name of %s", async (_, inMaps, shown) => {
  const path = captureWith(inMaps);
  const { stdout: stacks } = await foliometer("export", path, "--format", "stacks", "--threads", "1");
  expect(stacks).toContain(`;${shown};`);
  const less = captureWith(inMaps, MADE_UP_RUNS.slice(1));
  const { stdout: difference } = await foliometer("diff", path, less, "--json", "--top", "0", "--threads", "1");
  expect(difference).toContain(JSON.stringify(shown));

  const capture = await openCapture(path, { threads: 1 });
  try {
    const [scheme] = orderSchemes(capture, SCHEMES);
    const sums = await sumCapture(capture, [scheme]);
    const tables = await exportTables(capture, sums, reportOnSums(capture, sums), [scheme.id]);
    const vmas = tables.find(({ schema }) => schema.name === "vmas");
    const names = Array.from({ length: vmas?.rows ?? 0 }, (_row, row) => vmas?.columns["name"](row));
    expect(names).toContain(shown);
  } finally {
    await capture.close();
  }
});
