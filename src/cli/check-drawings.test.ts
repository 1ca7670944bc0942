/**
 * What foliometer check draws and writes: Mermaid, state graphs, scenarios; and that hostile texts stay text.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { type CommandResult, foliometer } from "../../test/foliometer-in-process.ts";
import { requireFile } from "../../test/full-run.ts";

const WORKER = fileURLToPath(new URL("../../dist/study/search-worker.js", import.meta.url));

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "foliometer-check-"));
  vi.stubEnv("NO_COLOR", "1");
  vi.stubEnv("FORCE_COLOR", undefined);
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  vi.unstubAllEnvs();
});
beforeEach((ctx) => requireFile(ctx, WORKER));

async function check(...args: readonly string[]): Promise<CommandResult> {
  return foliometer("check", ...args);
}

function fileOf(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const LOST = `word total: 0..2
ghost done: 0..2
thread adder * 2 {
  op add {
    let t = load total
    store total = t + 1
    ghost done = done + 1
  }
}
quiet sum: total == done
sometimes both: done == 2
`;

test("--mermaid is the diagram and nothing else", async () => {
  const { code, stdout } = await check("vma", "--case", "self-deadlock", "--mermaid");
  expect(code).toBe(0);
  expect(stdout).toMatch(/^sequenceDiagram\n {2}autonumber\n {2}participant t0 as worker\n/);
});

test("--graph writes the states: all of them, or the way to what breaks", async () => {
  const file = join(folder, "deadlock.dot");
  const { code, stdout } = await check("vma", "--case", "self-deadlock", "--graph", file);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^vma self-deadlock\n/);
  const dot = readFileSync(file, "utf8");
  expect(dot.match(/^ {2}s\d+ \[label=/gm)).toHaveLength(37);
  expect(dot).toContain("fillcolor=orange");
  const way = await check("vma", "--case", "embrace", "--graph", "-", "--graph-states", "100");
  expect(way.stdout).toMatch(/^digraph "vma embrace" \{\n[^]*fillcolor=whitesmoke[^]*\}\n$/);
  const mermaid = join(folder, "deadlock.mmd");
  await check("vma", "--case", "self-deadlock", "--graph", mermaid);
  expect(readFileSync(mermaid, "utf8")).toMatch(/^stateDiagram-v2\n {2}state "0 first" as s0\n/);
});

test("a graph too large to look at is refused behind the verdicts, which are not lost", async () => {
  const { code, stdout, stderr } = await check("vma", "--case", "address-order", "--graph", join(folder, "large.dot"));
  expect(code).toBe(2);
  expect(stdout).toMatch(/^deadlock +in every state +holds in all states$/m);
  expect(stderr).toMatch(/^foliometer: More than 300 states: too many to look at\./);
});

test("--scenario writes what run can run on the model", async () => {
  const file = join(folder, "lies.scn");
  expect(await check("first-page", "--case", "serial", "--scenario", file)).toMatchObject({ code: 0, stderr: "" });
  const ran = await foliometer("run", file, "--schemes", "first-page", "--at", "end");
  expect(ran).toMatchObject({ code: 0, stderr: "" });
  expect(ran.stdout).toMatch(/others +M\d.* ! /);
});

test("a story of overlapping operations is no scenario, and says why", async () => {
  const { code, stdout, stderr } = await check("mm-owner", "--case", "reuse-unchecked", "--scenario", "-");
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toMatch(/^foliometer: This story is no scenario: two operations overlap/);
});

test("nothing of a file reaches the terminal as it is", async () => {
  const name = "\u001b[31mred\u202e.steps";
  const broken = await check(fileOf(name, LOST));
  expect(broken.stdout).toMatch(/^\\x1b\[31mred\\u202e\.steps\n/);
  const wrong = await check(fileOf(`wrong${name}`, `${LOST}always \u001b]0;x\u0007: 1\n`));
  for (const { stdout, stderr } of [broken, wrong]) expect(stdout + stderr).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
  expect(wrong.code).toBe(2);
  const json = await check(fileOf(name, LOST), "--json");
  expect(json.stdout).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
});
