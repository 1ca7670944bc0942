/**
 * foliometer check as a command line: which systems, which output, which exit code. Searches run in dist/'s worker.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { type CommandResult, foliometer } from "../../test/foliometer-in-process.ts";
import { requireFile } from "../../test/full-run.ts";
import { CHECK_CASES } from "../checker/index.ts";

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

interface CheckDocument {
  readonly checks: readonly {
    readonly coverage: string;
    readonly schedules: unknown;
    readonly properties: readonly { readonly name: string; readonly outcome: string; readonly story: unknown }[];
    readonly lockOrder: unknown;
  }[];
}

function outcomesOf(stdout: string): Record<string, string> {
  const { checks } = JSON.parse(stdout) as CheckDocument;
  return Object.fromEntries(checks.flatMap(({ properties }) => properties.map(({ name, outcome }) => [name, outcome])));
}

test("--list names every case; of a scheme, those for it", async () => {
  const all = await check("--list");
  expect(all).toMatchObject({ code: 0, stderr: "" });
  for (const { id, title } of CHECK_CASES) expect(all.stdout).toMatch(new RegExp(`^${id} +${title.slice(0, 20)}`, "m"));
  const { stdout } = await check("vma", "--list", "--json");
  const { schema, version, cases } = JSON.parse(stdout) as {
    readonly schema: string;
    readonly version: number;
    readonly cases: readonly { readonly id: string; readonly schemes: readonly { readonly scheme: string }[] }[];
  };
  expect({ schema, version }).toEqual({ schema: "foliometer-check-cases", version: 1 });
  expect(cases.map(({ id }) => id)).toEqual(
    CHECK_CASES.filter(({ schemes }) => schemes.includes("vma")).map(({ id }) => id),
  );
  expect(cases.every(({ schemes }) => schemes.some(({ scheme }) => scheme === "vma"))).toBe(true);
});

test("what breaks as the catalogue says ends with 0 and is told as a story", async () => {
  const { code, stdout, stderr } = await check("vma", "--case", "embrace");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/^deadlock +in every state +broken after 7 accesses, as known$/m);
  expect(stdout).toMatch(/^deadlock: A deadly embrace of worker\[0\] and worker\[1\]/m);
});

test("several cases are a line each", async () => {
  const { code, stdout } = await check("vma", "--case", "embrace,self-deadlock", "--case", "address-order");
  expect(code).toBe(0);
  expect(
    stdout
      .split("\n")
      .slice(1, 4)
      .map((line) => line.split(/ {2,}/)[0]),
  ).toEqual(["embrace", "self-deadlock", "address-order"]);
});

test("a lock left out breaks what nothing is known of: 1", async () => {
  const { code, stdout } = await check(
    "mm-owner",
    "--case",
    "file",
    "--operations",
    "1",
    "--without",
    "large",
    "--json",
  );
  expect(code).toBe(1);
  expect(outcomesOf(stdout)).toMatchObject({ counts: "broken" });
});

test("properties of one's own, with a name and without", async () => {
  const own = ["--always", "few: entries() <= 2", "--never", "entries() > 1", "--sometimes", "entries() == 2"];
  const { code, stdout } = await check("vma", "--case", "address-order", ...own, "--all", "--json");
  expect(code).toBe(1);
  expect(outcomesOf(stdout)).toMatchObject({ few: "holds", never_1: "broken", sometimes_1: "seen", deadlock: "holds" });
});

test("only the properties that are asked for are looked at", async () => {
  const { code, stdout } = await check("vma", "--case", "embrace", "--property", "counts,below-zero", "--json");
  expect(code).toBe(0);
  expect(outcomesOf(stdout)).toMatchObject({ counts: "holds", "below-zero": "holds", deadlock: "not-checked" });
});

test("the cases that have the property asked for are checked, the others named", async () => {
  const { code, stdout, stderr } = await check("vma", "--property", "freed");
  expect(code).toBe(0);
  expect(stdout).toMatch(/^reclaim +all properties hold/m);
  expect(stdout).not.toMatch(/^embrace/m);
  expect(stderr).toMatch(
    /^foliometer: Left out, as this does not fit them: file, .*embrace.*\. With --case it says why\.\n$/,
  );
});

test("a limit ends with 3 and what was explored so far", async () => {
  const { code, stdout } = await check("page", "--case", "file", "--state-limit", "500");
  expect(code).toBe(3);
  expect(stdout).toMatch(/^counts +when nobody is at work +holds in what was explored$/m);
  expect(stdout).toMatch(/^Stopped at the limit of states, explored so far: /m);
  const memory = await check("page", "--case", "three", "--no-reduction", "--no-symmetry", "--memory-limit", "2");
  expect(memory.code).toBe(3);
  expect(memory.stdout).toMatch(/^Stopped at the limit of memory, explored so far: /m);
});

test("reductions and the order of the search change the numbers and no verdict", async () => {
  const plain = await check("vma", "--case", "address-order", "--json");
  const options = ["--no-reduction", "--no-symmetry", "--search", "depth-first"];
  const other = await check("vma", "--case", "address-order", ...options, "--json");
  expect(outcomesOf(other.stdout)).toEqual(outcomesOf(plain.stdout));
  expect(other.stdout).toMatch(/"states": 3351,/);
});

test("random schedules replay by their seed", async () => {
  const args = ["vma", "--case", "embrace", "--random", "300", "--seed", "9", "--changes", "2", "--json"];
  const [once, again] = [await check(...args), await check(...args)];
  const withoutTime = ({ stdout }: CommandResult): string => stdout.replace(/"elapsedMs": \d+/, "");
  expect(withoutTime(again)).toBe(withoutTime(once));
  const [{ coverage, schedules }] = (JSON.parse(once.stdout) as CheckDocument).checks;
  expect(["schedules", "stopped-at-broken"]).toContain(coverage);
  expect(schedules).toMatchObject({ seed: 9 });
});

test("the order of locks stands behind the verdicts", async () => {
  const { stdout } = await check("vma", "--case", "embrace", "--lock-order");
  expect(stdout).toMatch(/^Cycle: ptl\[0\]\[0\]\[0\] -> ptl\[0\]\[0\]\[1\] -> ptl\[0\]\[0\]\[0\]$/m);
  const json = await check("vma", "--case", "address-order", "--lock-order", "--json");
  expect((JSON.parse(json.stdout) as CheckDocument).checks[0].lockOrder).toMatchObject({
    cycles: [],
    isComplete: true,
  });
});

test("a retry that never gets on is told with the place from which it repeats", async () => {
  const { code, stdout } = await check("vma", "--case", "try-lock");
  expect(code).toBe(0);
  expect(stdout).toMatch(/^livelock +in every fair run +broken after \d+ accesses, as known$/m);
  expect(stdout).toMatch(/^--- from here on it repeats ---$/m);
});

test("a system of one's own, from a file and from a path without .steps", async () => {
  const { code, stdout } = await check(fileOf("lost.steps", LOST));
  expect(code).toBe(1);
  expect(stdout).toMatch(/^lost\.steps\n/);
  expect(stdout).toMatch(/^sum +when nobody is at work +broken after 4 accesses$/m);
  expect(stdout).toMatch(/^4 .*total stays 1; done 1 -> 2$/m);
  const locked = LOST.replace("let t", "lock l\n    let t").replace("ghost done =", "unlock l\n    ghost done =");
  const held = await check(fileOf("kept", `lock l\n${locked}`));
  expect(held).toMatchObject({ code: 0, stderr: "" });
  expect(held.stdout).toMatch(/^sum .* holds in all states$/m);
});
