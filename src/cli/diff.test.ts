/**
 * `foliometer diff` as its users start it, on the sample capture and on redacted copies of it: answers, exit codes, and
 * one sentence for every mistake.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { foliometer } from "../../test/foliometer-in-process.ts";
import { redactCapture } from "../capture/index.ts";
import { DIFF_SORT_KEYS } from "../report/index.ts";
import { type CaptureDiff, MAPPING_KEYS, type MemoryFigures } from "../study/index.ts";
import { DIFF_SORT_WORDS, MAPPING_WORDS } from "./diff.ts";

const SAMPLE = fileURLToPath(new URL("../../examples/sample-capture", import.meta.url));
/** One thread needs no compiled worker. */
const ONE = ["--threads", "1"];
const SCHEMES = ["--schemes", "page,mm-owner"];

const folder = mkdtempSync(join(tmpdir(), "foliometer-diff-"));
const redacted = (name: string): string => join(folder, name);
beforeAll(async () => {
  await redactCapture(SAMPLE, redacted("one"), { key: "a key" });
  await redactCapture(SAMPLE, redacted("same"), { key: "a key" });
  await redactCapture(SAMPLE, redacted("other"), { key: "another" });
  cpSync(redacted("same"), redacted("chosen"), { recursive: true });
  changeManifest(redacted("chosen"), (manifest) => ({ ...manifest, wholeMachine: false }));
  cpSync(redacted("same"), redacted("moving"), { recursive: true });
  changeManifest(redacted("moving"), (manifest) => {
    const agreement = { ...(manifest["agreement"] as object), framesChecked: 100, differedFirst: 50, differAfter: 50 };
    return { ...manifest, agreement };
  });
});
afterAll(() => rmSync(folder, { recursive: true }));

function changeManifest(directory: string, change: (manifest: Record<string, unknown>) => object): void {
  const path = join(directory, "manifest.json");
  const manifest = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  writeFileSync(path, JSON.stringify(change(manifest)));
}

async function answer(...args: readonly string[]): Promise<CaptureDiff> {
  const { stdout, stderr } = await foliometer("diff", ...args, ...ONE, "--json");
  expect(stderr).toBe("");
  return JSON.parse(stdout) as CaptureDiff;
}

test("the words on the command line are those that the answers know", () => {
  expect(DIFF_SORT_WORDS).toEqual(DIFF_SORT_KEYS);
  expect(MAPPING_WORDS).toEqual(MAPPING_KEYS);
});

test("a capture is the same as itself, also under pseudonyms of one key: exit code 0", async () => {
  const { stdout, stderr, code } = await foliometer("diff", redacted("one"), redacted("same"), ...ONE);
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  expect(stdout).toContain("The same: none of ");
  expect(stdout).toContain("One boot, ");
  expect(stdout).not.toContain("What changed");
});

test("under two schemes what the listed and the other groups change adds up, in JSON", async () => {
  const all = await answer(SAMPLE, ...SCHEMES);
  expect(all).toMatchObject({ schema: "foliometer-diff", version: 1, matching: "one-capture" });
  expect(all.a).toMatchObject({ scheme: "page", derived: false, source: SAMPLE });
  expect(all.b).toMatchObject({ scheme: "mm-owner", derived: true });
  const some = await answer(SAMPLE, ...SCHEMES, "--top", "3", "--at-least", "4");
  expect(some.groups.length).toBeLessThanOrEqual(3);
  expect(some.groups.length + some.leftOut.groups).toBe(all.groups.length + all.leftOut.groups);
  for (const side of ["a", "b"] as const) {
    for (const each of [all, some]) {
      const pss = (figures: MemoryFigures | null): number => figures?.pssBytes ?? 0;
      const sum = each.groups.reduce((total, group) => total + pss(group[side]), pss(each.leftOut[side]));
      expect(sum).toBe(each.totals[side].pssBytes);
    }
  }
});

test("a printed column adds up to what stands below it, also where rows are left out", async () => {
  for (const by of ["process", "program"]) {
    const args = [SAMPLE, ...SCHEMES, "--by", by, "--top", "2", "--program", "redis|postgres"];
    const { stdout } = await foliometer("diff", ...args, ...ONE);
    const table = stdout.split("\n\n").find((block) => block.startsWith("What changed, by"));
    const lines = (table ?? "").split("\n");
    const dashes = lines.findIndex((line) => /^-+$/.test(line));
    const lastOf = (line: string): number => Number(line.trim().split(/\s+/).at(-1)?.replaceAll(",", ""));
    const changes = [...lines.slice(3, dashes), ...lines.slice(dashes + 1)].map(lastOf);
    expect(changes.every((change) => Number.isFinite(change))).toBe(true);
    expect(changes.slice(0, -1).reduce((sum, change) => sum + change, 0)).toBe(changes.at(-1));
    expect(changes.length).toBeGreaterThan(2);
  }
});

test("a tolerance decides between exit codes 0 and 1, and one process can be looked at", async () => {
  const strict = await foliometer("diff", SAMPLE, ...SCHEMES, ...ONE, "--tolerance", "5%", "--tolerance-kb", "4");
  expect(strict.code).toBe(1);
  expect(strict.stdout).toContain(" differs by more than 5% and 4 kB.");
  const lenient = await foliometer("diff", SAMPLE, ...SCHEMES, ...ONE, "--tolerance-kb", "99999999");
  expect(lenient.code).toBe(0);
  expect(lenient.stdout).toContain("differs by more than 99,999,999 kB.");
  const [group] = (await answer(SAMPLE, ...SCHEMES)).groups;
  const pid = String(group.processes.a[0].pid);
  const alone = await answer(SAMPLE, ...SCHEMES, "--pid", pid);
  expect(alone.groups).toEqual([group]);
});

test("that nothing differs is certain of complete captures only: exit code 3; a difference found is one anyway", async () => {
  const [one, moving] = [redacted("one"), redacted("moving")];
  const same = await foliometer("diff", moving, moving, ...ONE);
  expect(same.code).toBe(3);
  expect(same.stderr).toBe(
    `foliometer: incomplete: ${moving}: 50.0% of the frames checked still disagree with /proc/kpagecount.\n`,
  );
  expect(same.stdout).toContain("The same: none of ");
  const { stdout, stderr, code } = await foliometer("diff", one, moving, ...SCHEMES, ...ONE, "--json");
  expect({ stderr, code }).toEqual({ stderr: "", code: 1 });
  const { a, b } = JSON.parse(stdout) as CaptureDiff;
  expect([a.scheme, a.derived, b.scheme, b.derived]).toEqual(["page", false, "mm-owner", true]);
});

test("chosen processes compare with a whole machine process by process", async () => {
  const { stdout, stderr, code } = await foliometer("diff", redacted("one"), redacted("chosen"), ...ONE);
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  expect(stdout).toContain("B holds chosen processes only:");
});

test.each([
  ["nothing to compare", [], /Say what to compare: two captures/],
  ["one scheme alone", ["--schemes", "page"], /Say what to compare: two captures/],
  ["a scheme with itself", [SAMPLE, "--schemes", "page,page"], /page does not differ from itself/],
  ["three schemes", [SAMPLE, "--schemes", "page,none,sums"], /takes one scheme for both sides, or A's and B's/],
  ["a scheme that there is not", [SAMPLE, SAMPLE, "--schemes", "best"], /There is no scheme "best"/],
  ["a directory that is none", ["/nonexistent", SAMPLE], /\/nonexistent does not exist/],
  ["names under two keys", [redacted("one"), redacted("other"), ...ONE], /are not pseudonyms of one key/],
  [
    "groups of chosen processes beside all",
    [redacted("one"), redacted("chosen"), ...ONE, "--by", "user"],
    /chosen processes/,
  ],
  ["addresses of many", [SAMPLE, SAMPLE, "--by", "program", "--mappings", "address"], /does not go with --by program/],
  ["a process that is not there", [SAMPLE, ...SCHEMES, ...ONE, "--pid", "4194304"], /Neither side has a process/],
  ["a check of what is past", [SAMPLE, SAMPLE, "--check"], /--check/],
  ["a tolerance that is none", [SAMPLE, SAMPLE, "--tolerance", "much"], /It needs a percentage/],
  ["a size that is none", [SAMPLE, SAMPLE, "--at-least", "2M"], /It needs a whole number of kB/],
])("%s ends with 2 and one sentence on stderr", async (_, args, sentence) => {
  const { stdout, stderr, code } = await foliometer("diff", ...args);
  expect(stderr).toMatch(sentence);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  expect({ stdout, code }).toEqual({ stdout: "", code: 2 });
});
