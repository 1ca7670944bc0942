/**
 * cow, and run --safety, as their users start them: the compiled program in dist/.
 */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type TestContext, expect, test } from "vitest";
import { requireFile } from "../../test/full-run.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

function run(ctx: TestContext, args: readonly string[], input = ""): SpawnSyncReturns<string> {
  requireFile(ctx, MAIN);
  const { FORCE_COLOR: _force, NO_COLOR: _no, ...inherited } = process.env;
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8", input, env: inherited, maxBuffer: 2 ** 28 });
}

test("cow prints a part of the plan as TAP, with the known failures of the era", (ctx) => {
  const { status, stdout, stderr } = run(ctx, [
    "cow",
    "--rule",
    "mapcount",
    "--case",
    "A1,A3",
    "--backing",
    "base page",
  ]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout.split("\n").slice(2, 7)).toEqual([
    "1..4",
    "ok 1 Basic COW after fork() ... with base page",
    "ok 2 Basic COW after fork() ... with swapped out base page",
    "ok 3 vmsplice() + unmap in child ... with base page # XFAIL CVE-2020-29374: a page that is mapped once is written in place, and the pipe still shows it",
    "ok 4 vmsplice() + unmap in child ... with swapped out base page # XFAIL CVE-2020-29374: a page that is mapped once is written in place, and the pipe still shows it",
  ]);
});

test("cow ends with 1 where a scheme in the kernel's place leaks", (ctx) => {
  const args = ["cow", "--rule", "mapcount", "--decided-by", "mm-owner", "--case", "A1", "--backing", "(16 kB)"];
  const { status, stdout } = run(ctx, [...args, "--json"]);
  expect(status).toBe(1);
  const { schema, version, decidedBy, runs } = JSON.parse(stdout) as {
    readonly schema: string;
    readonly version: number;
    readonly decidedBy: string;
    readonly runs: readonly { readonly rule: string; readonly tests: readonly { readonly verdict: string }[] }[];
  };
  expect({ schema, version, decidedBy }).toEqual({ schema: "foliometer-cow", version: 1, decidedBy: "mm-owner" });
  expect(runs.map(({ rule }) => rule)).toEqual(["mapcount"]);
  expect(runs[0].tests.some(({ verdict }) => verdict === "failed")).toBe(true);
});

test("a test is printed as a scenario, and run --safety says at which line it is not safe", (ctx) => {
  const { status, stdout } = run(ctx, ["cow", "--print-scenario", "A3 base page"]);
  expect(status).toBe(0);
  expect(run(ctx, ["run", "-", "--safety"], stdout)).toMatchObject({ status: 0, stderr: "" });
  const unsafe = run(ctx, ["run", "-", "--safety", "--cow", "mapcount"], stdout);
  expect(unsafe).toMatchObject({ status: 1, stdout: "" });
  expect(unsafe.stderr).toMatch(
    /^foliometer: line 11: C's pipe 0 sees 0xf+, which P wrote in line 11, and must see 0x1/,
  );
});

const WRONG: readonly (readonly [readonly string[], RegExp])[] = [
  [["cow", "--case", "Z9"], /no case "Z9"; the cases are A1, /],
  [["cow", "--backing", "wood"], /No such memory: "wood"/],
  [["cow", "--print-scenario", "A3"], /no test "A3": write a case and its memory/],
  [["cow", "--print-scenario", "A3 hugetlb (1048576 kB)"], /Not covered: the model has huge pages of 2048 kB only/],
  [["cow", "--decided-by", "foo"], /no scheme "foo"/],
  [["cow", "--rule", "today"], /Allowed choices are large-reuse, exclusive, page-count, mapcount, all/],
];

test("what is no case, memory, test, scheme or rule is told, with those there are", (ctx) => {
  for (const [args, message] of WRONG) {
    const { status, stdout, stderr } = run(ctx, args);
    expect({ status, stdout }, args.join(" ")).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(message);
  }
});
