/**
 * `foliometer calibrate` as its users start it: the compiled program in dist/. What it measures is this machine's business;
 * here is only what holds on any.
 */
import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type TestContext, afterAll, beforeAll, expect, test } from "vitest";
import { requireCommand, requireFile } from "../../test/full-run.ts";
import { COST_UNITS, type CalibratedProfile, priceOf, readCostProfile } from "../calibration/index.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Measuring waits for a machine on which threads run at once; a busy one makes it wait for long. */
const PATIENCE = { timeout: 180_000 };

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "foliometer-calibrate-test-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const environment = (): NodeJS.ProcessEnv => {
  const { FORCE_COLOR: _force, NO_COLOR: _no, ...inherited } = process.env;
  return { ...inherited, TMPDIR: folder };
};

function calibrate(ctx: TestContext, args: readonly string[], path?: string): SpawnSyncReturns<string> {
  requireFile(ctx, MAIN);
  const env = { ...environment(), ...(path === undefined ? {} : { PATH: path }) };
  return spawnSync(process.execPath, [MAIN, "calibrate", "--quick", ...args], { encoding: "utf8", env });
}

function checkPrices(profile: CalibratedProfile): void {
  for (const unit of COST_UNITS) {
    const { ns, low, high } = priceOf(profile, unit);
    expect(low, unit).toBeGreaterThanOrEqual(0);
    expect(ns, unit).toBeGreaterThanOrEqual(low);
    expect(high, unit).toBeGreaterThanOrEqual(ns);
    expect(profile.origins[unit].by).toMatch(/\.$/);
  }
}

test("the table has every unit, and the file is a profile that compare takes", PATIENCE, async (ctx) => {
  requireCommand(ctx, "gcc");
  const file = join(folder, "here.json");
  const { status, stdout, stderr } = calibrate(ctx, ["-o", file]);
  // 3: too much else was running for the threads to run at once, or there were no folios of 2 MiB.
  expect([0, 3]).toContain(status);
  expect(stderr === "").toBe(status === 0);
  const rows = new Set(stdout.split("\n").map((line) => line.split(" ")[0]));
  for (const unit of COST_UNITS) expect(rows).toContain(unit);
  const profile = JSON.parse(readFileSync(file, "utf8")) as CalibratedProfile;
  checkPrices(profile);
  for (const unit of ["atomics", "fault", "page-freed", "walk-vma"] as const) {
    expect(profile.origins[unit].how).toBe("measured");
  }
  expect((await readCostProfile(file)).name).toBe(profile.machine.cpu);
  expect(readdirSync(folder)).toEqual(["here.json"]);
});

test(
  "without a compiler JavaScript's units stand, the kernel's are the reference's, and the exit code says so",
  PATIENCE,
  (ctx) => {
    const { status, stdout, stderr } = calibrate(ctx, ["--json"], "/nonexistent");
    const profile = JSON.parse(stdout) as CalibratedProfile;
    checkPrices(profile);
    expect(status).toBe(3);
    expect(stderr).toMatch(/^foliometer: incomplete: There is no gcc, [^\n]*$/m);
    expect(profile.origins.atomics).toMatchObject({
      how: "measured",
      by: expect.stringContaining("JavaScript") as string,
    });
    expect(profile.origins.fault.how).toBe("reference");
  },
);

test("one thread does not contend: told, and the reference's price taken", PATIENCE, (ctx) => {
  const { status, stdout, stderr } = calibrate(ctx, ["--threads", "1", "-o", "-"]);
  const profile = JSON.parse(stdout) as CalibratedProfile;
  expect(profile.origins.contendedAtomic.how).toBe("reference");
  expect(stderr).toContain("Contention needs two threads");
  expect(status).toBe(3);
});

test("a place that cannot be written to is refused before anything is measured", (ctx) => {
  const { status, stdout, stderr } = calibrate(ctx, ["-o", join(folder, "none", "here.json")]);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toMatch(/^foliometer: Cannot write .*: there is no such directory\.\n$/);
});

test("an interrupted calibration leaves no file, no process and no temporary directory", PATIENCE, async (ctx) => {
  requireFile(ctx, MAIN);
  requireCommand(ctx, "gcc");
  const child = spawn(process.execPath, [MAIN, "calibrate", "--threads", "1"], { env: environment(), stdio: "ignore" });
  // Its directory appears when the kernel's turn has come.
  const temporary = (): string[] => readdirSync(folder).filter((name) => name.startsWith("foliometer-calibrate-"));
  while (temporary().length === 0 && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 20));
  const [directory] = temporary();
  child.kill("SIGINT");
  expect(await once(child, "exit")).toEqual([130, null]);
  expect(existsSync(join(folder, directory))).toBe(false);
});
