/**
 * run, reproduce and verify as their users start them: the compiled program in dist/.
 */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type TestContext, afterAll, beforeAll, expect, test } from "vitest";
import { lockSettings, unlockSettings } from "../../test/settings-lock.ts";
import { requireCommand, requireFile, requireRoot } from "../../test/full-run.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const SCENARIOS = fileURLToPath(new URL("../../examples/scenarios/", import.meta.url));
const GOLDEN = new URL("../../test/scenario/golden/page/", import.meta.url);

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "foliometer-scenario-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(ctx: TestContext, args: readonly string[], input = ""): SpawnSyncReturns<string> {
  requireFile(ctx, MAIN);
  const { FORCE_COLOR: _force, NO_COLOR: _no, ...inherited } = process.env;
  return spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
    input,
    env: { ...inherited, TMPDIR: folder },
    maxBuffer: 2 ** 28,
  });
}

const SMALL =
  "spawn P\nP mmap a 0x200000000 16k rw anon,priv\nP touch @a 16k w\nP fork C\ndump 1_forked\nC exit\ndump 2_gone\n";

beforeAll(lockSettings);
afterAll(unlockSettings);

test("run --json prints the schema of recorded answers, with a version beside", (ctx) => {
  const { status, stdout, stderr } = run(ctx, ["run", `${SCENARIOS}q_average_rounding.scn`, "--json"]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const { schema, version, config, steps } = JSON.parse(stdout) as Record<
    string,
    { dump: object; commands: string[] }[]
  >;
  expect({ schema, version, config }).toEqual({ schema: "foliometer-run", version: 1, config: "page" });
  const golden = JSON.parse(readFileSync(new URL("q_average_rounding.json", GOLDEN), "utf8")) as {
    steps: typeof steps;
  };
  expect(steps.map(({ dump }) => Object.keys(dump))).toEqual(golden.steps.map(({ dump }) => Object.keys(dump)));
});

test("run shows each dump with its maps and the schemes beside the truth; --at shows one", (ctx) => {
  const all = run(ctx, ["run", "-", "--schemes", "page"], SMALL);
  expect(all).toMatchObject({ status: 0, stderr: "" });
  expect(all.stdout.match(/^dump .*$/gm)).toEqual(["dump 1_forked (line 5)", "dump 2_gone (line 7)"]);
  expect(all.stdout).toMatch(/^folio +question +about +truth +page$/m);
  expect(all.stdout).not.toContain("\u001b");
  const one = run(ctx, ["run", "-", "--at", "2_gone", "--schemes", "all"], SMALL);
  expect(one.stdout.match(/^dump .*$/gm)).toEqual(["dump 2_gone (line 7)"]);
});

test("run --consumers says what Redis and procrank would read, as a table and in JSON", (ctx) => {
  const huge =
    "thp 2048kB madvise\nspawn P\nP mmap a 0x200000000 2M rw anon,priv\nP madvise @a 2M hugepage\nP touch @a 4k w\n" +
    "P fork C\nP touch @a 400k w\ndump 1\n";
  const table = run(ctx, ["run", "-", "--consumers"], huge);
  expect(table).toMatchObject({ status: 0, stderr: "" });
  expect(table.stdout).toMatch(/^C +Redis: copy-on-write +400 +400 +! 0 \(-400\)$/m);
  const json = run(ctx, ["run", "-", "--consumers", "--json", "--schemes", "mm-owner"], huge);
  const { steps } = JSON.parse(json.stdout) as { steps: { consumers: object[] }[] };
  expect(steps[0].consumers[1]).toMatchObject({
    process: "C",
    truth: { privateDirtyBytes: 409_600 },
    schemes: { "mm-owner": { privateDirtyBytes: 0, procrankUssBytes: 0, foliosWalked: 0 } },
  });
});

test("all errors of a scenario are told with file, line and column, and end with 2", (ctx) => {
  const file = join(folder, "bad.scn");
  writeFileSync(file, "spwan P\nspawn P\nP madvise 0x200000000 4k hugpage\n");
  for (const command of ["run", "reproduce", "verify"]) {
    const { status, stdout, stderr } = run(ctx, [command, file]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr.trimEnd().split("\n")).toEqual([
      `foliometer: ${file}:1:1: there is no command "spwan"; did you mean spawn?`,
      `foliometer: ${file}:3:26: there is no advice "hugpage"; did you mean hugepage?`,
    ]);
  }
});

const WRONG: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["a file that is not there", ["run", "/nonexistent.scn"], /Cannot read \/nonexistent.scn: there is no such file/],
  ["a directory", ["reproduce", "/"], /it is a directory/],
  ["a file without end", ["run", "/dev/zero"], /the scenario is too long/],
  ["an unknown scheme", ["run", "-", "--schemes", "foo"], /no scheme "foo"/],
  ["an unknown label", ["run", "-", "--at", "3"], /has no dump "3": it has 1_forked, 2_gone/],
  ["an unknown configuration", ["run", "-", "--config", "both"], /Allowed choices are page, nopage/],
];

for (const [what, args, sentence] of WRONG) {
  test(`${what} ends with 2 and one sentence`, (ctx) => {
    const { status, stdout, stderr } = run(ctx, args, SMALL);
    expect(stderr).toMatch(sentence);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  });
}

test("reproduce prints a C program that gcc takes", (ctx) => {
  const gcc = requireCommand(ctx, "gcc");
  const { status, stdout } = run(ctx, ["reproduce", `${SCENARIOS}j_pins.scn`, "--bench"]);
  expect(status).toBe(0);
  expect(stdout).toContain("#define TIME_COMMANDS 1");
  const compiled = spawnSync(gcc, ["-fsyntax-only", "-Wall", "-Wextra", "-x", "c", "-"], {
    input: stdout,
    encoding: "utf8",
  });
  expect(compiled).toMatchObject({ status: 0, stderr: "" });
});

test("verify compares with the running kernel, and leaves nothing behind", (ctx) => {
  requireRoot(ctx);
  requireFile(ctx, "/proc/kpageflags");
  requireCommand(ctx, "gcc");
  const { status, stdout, stderr } = run(ctx, ["verify", "-", "--rules"], SMALL);
  expect(stderr).toBe("");
  expect(stdout).toMatch(/Linux \S+ \((?:page|nopage)\), 2 dumps compared: no difference\.\n$/);
  expect(status).toBe(0);
  expect(readdirSync(folder).filter((name) => name !== "bad.scn")).toEqual([]);
});

test("verify says what this machine cannot do, and ends with 3", (ctx) => {
  requireRoot(ctx);
  requireFile(ctx, "/proc/kpageflags");
  requireCommand(ctx, "gcc");
  const { status, stdout } = run(ctx, ["verify", "-", "--json"], `${SMALL}P open 0 /mnt/f 4k\ndump 3\n`);
  expect(JSON.parse(stdout)).toMatchObject({
    schema: "foliometer-verify",
    dumpsCompared: 2,
    complete: false,
    cannot: { line: 8, reason: "there is no ext4 of the test's own at /mnt" },
    differences: [],
  });
  expect(status).toBe(3);
});
