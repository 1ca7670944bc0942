/**
 * The program as a whole, as its users start it: the compiled one in dist/.
 */
import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type TestContext, afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { requireFile, requireRoot } from "../../test/full-run.ts";

const MAIN = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const ANSI = "\u001b[";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "foliometer-cli-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(
  ctx: TestContext,
  args: readonly string[],
  environment: Record<string, string> = {},
): SpawnSyncReturns<string> {
  requireFile(ctx, MAIN);
  const { FORCE_COLOR: _force, NO_COLOR: _no, ...inherited } = process.env;
  return spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
    env: { ...inherited, ...environment, TMPDIR: folder },
    maxBuffer: 2 ** 28,
  });
}

function requireMachine(ctx: TestContext): void {
  requireRoot(ctx);
  requireFile(ctx, "/proc/kpageflags");
}

/** Done, or done but with processes that this machine does not let anybody read. */
const DONE = [0, 3];

test("--version is the package's, --help ends with the exit codes, both with 0", (ctx) => {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  expect(run(ctx, ["--version"])).toMatchObject({ status: 0, stdout: `${version}\n`, stderr: "" });
  const help = run(ctx, ["--help"]);
  expect(help).toMatchObject({ status: 0, stderr: "" });
  expect(help.stdout).toContain("Exit codes:");
});

const WRONG: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["an unknown option", ["--nope"], /unknown option '--nope'/],
  ["an unknown sort key", ["--sort", "size"], /Allowed choices are pid, user/],
  ["an unknown scheme", ["--schemes", "mm-owner,foo"], /no scheme "foo"; the schemes are page,/],
  ["an unknown scheme for smaps", ["smaps", "1", "--scheme", "foo"], /no scheme "foo"/],
  ["a pid that is none", ["smaps", "0x10"], /A pid is a number/],
  ["a directory that is none", ["report", "/nonexistent"], /\/nonexistent does not exist/],
  ["a directory that is no capture", ["report", "/proc/self/attr"], /Not a capture/],
  ["two formats at once", ["--json", "--ndjson"], /cannot be used with/],
  ["freezing the whole machine", ["capture", "-o", "x", "--freeze"], /choose processes with --pid or --cgroup/],
  ["a capture without a place", ["capture"], /required option '-o, --output <dir>'/],
  ["a capture of nobody", ["capture", "-o", "x", "--pid", "4194304"], /no process 4194304/],
  ["a shell without completion", ["completion", "tcsh"], /Allowed choices are bash, zsh, fish/],
  ["a check of what is past", ["report", "/tmp", "--check"], /--check/],
];

for (const [what, args, sentence] of WRONG) {
  test(`${what} ends with 2, one sentence on stderr and nothing on stdout`, (ctx) => {
    const { status, stdout, stderr } = run(ctx, args);
    expect(stderr).toMatch(sentence);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  });
}

test("the report of this machine adds up to MemTotal, in plain text without a terminal", (ctx) => {
  requireMachine(ctx);
  const { status, stdout } = run(ctx, []);
  expect(DONE).toContain(status);
  expect(stdout).not.toContain(ANSI);
  const memTotal = /^MemTotal: +(\d+) kB/.exec(readFileSync("/proc/meminfo", "utf8"))?.[1];
  expect(/^MemTotal +([\d,]+) +100%$/m.exec(stdout)?.[1].replaceAll(",", "")).toBe(memTotal);
  expect(readdirSync(folder)).toEqual([]);
});

test("FORCE_COLOR colours what NO_COLOR leaves plain", (ctx) => {
  requireMachine(ctx);
  expect(run(ctx, ["--limit", "3"], { FORCE_COLOR: "1" }).stdout).toContain(ANSI);
  expect(run(ctx, ["--limit", "3"], { NO_COLOR: "1" }).stdout).not.toContain(ANSI);
});

test("--json is of its schema and --ndjson has one record a line", (ctx) => {
  requireMachine(ctx);
  const schema = z.fromJSONSchema(JSON.parse(run(ctx, ["--json-schema"]).stdout) as z.core.JSONSchema.JSONSchema);
  const report: unknown = JSON.parse(run(ctx, ["--json", "--pid", String(process.pid)]).stdout);
  expect(schema.safeParse(report).error).toBeUndefined();
  expect(report).toMatchObject({ processes: [{ pid: process.pid }] });
  const lines = run(ctx, ["--ndjson"]).stdout.trimEnd().split("\n");
  for (const line of lines) expect(JSON.parse(line)).toMatchObject({ schema: "foliometer-report", version: 1 });
});

test("a capture is reported as it was taken, is not overwritten, and tolerates what it is told to", (ctx) => {
  requireMachine(ctx);
  const directory = join(folder, "one");
  const { status, stdout } = run(ctx, ["capture", "-o", directory, "--pid", `${process.pid},${process.ppid}`]);
  expect(DONE).toContain(status);
  expect(stdout).toMatch(/2 processes, [\d,]+ VMAs, [\d,]+ page-table entries in [\d,]+ runs/);
  expect(run(ctx, ["capture", "-o", directory])).toMatchObject({ status: 2, stdout: "" });
  const report = run(ctx, ["report", directory]);
  expect(DONE).toContain(report.status);
  expect(report.stdout).toContain("a choice, not the whole machine");
  expect(DONE).toContain(run(ctx, ["report", directory, "--tolerance", "100000000", "--pid", `${process.pid}`]).status);
});

test("smaps prints the kernel's format and nothing else on stdout", async (ctx) => {
  requireMachine(ctx);
  const { parseSmapsText, parseSmapsRollup, formatSmapsVma } = await import("../kernel/index.ts");
  const { status, stdout } = run(ctx, ["smaps", String(process.pid), "--scheme", "mm-owner"]);
  expect(status).toBe(0);
  const vmas = parseSmapsText(stdout);
  expect(vmas.length).toBeGreaterThan(10);
  expect(vmas.map((vma) => formatSmapsVma(vma)).join("")).toBe(stdout);
  const rollup = run(ctx, ["smaps", String(process.pid), "--rollup"]).stdout;
  expect(parseSmapsRollup(rollup).fields.rss).toBeGreaterThan(0);
});

test("whoever reads only the first line is no error", async (ctx) => {
  requireMachine(ctx);
  const child = spawn(process.execPath, [MAIN, "--ndjson"], { stdio: ["ignore", "pipe", "pipe"] });
  let stderr = "";
  child.stderr.on("data", (text: Buffer) => (stderr += text.toString()));
  child.stdout.destroy();
  const [code] = (await once(child, "close")) as [number];
  expect(code).toBe(141);
  expect(stderr).not.toMatch(/EPIPE|Error|\n +at /);
});

test("an interrupted capture ends with 130, leaves nothing behind, and what it froze runs again", async (ctx) => {
  requireMachine(ctx);
  const sleeper = spawn("sleep", ["60"], { stdio: "ignore" });
  const directory = join(folder, "interrupted");
  const child = spawn(process.execPath, [MAIN, "capture", "-o", directory, "--pid", String(sleeper.pid), "--freeze"], {
    stdio: "ignore",
  });
  const stateOf = (): string => /\) (\S)/.exec(readFileSync(`/proc/${sleeper.pid}/stat`, "utf8"))?.[1] ?? "";
  await expect.poll(stateOf, { interval: 2, timeout: 20_000 }).toBe("T");
  child.kill("SIGINT");
  const [code] = (await once(child, "exit")) as [number];
  expect(code).toBe(130);
  await expect.poll(stateOf).toBe("S");
  sleeper.kill();
  expect(existsSync(directory)).toBe(false);
  expect(readdirSync(folder).filter((name) => name.includes("interrupted"))).toEqual([]);
});

test("a frozen capture lets everything run again", (ctx) => {
  requireMachine(ctx);
  const sleeper = spawn("sleep", ["60"], { stdio: "ignore" });
  const directory = join(folder, "frozen");
  const { status, stdout } = run(ctx, ["capture", "-o", directory, "--pid", String(sleeper.pid), "--freeze"]);
  expect(DONE).toContain(status);
  expect(stdout).toContain("frozen by signals");
  expect(/\) (\S)/.exec(readFileSync(`/proc/${sleeper.pid}/stat`, "utf8"))?.[1]).toBe("S");
  sleeper.kill();
});

test("schemes are listed with their guarantees, as text and as JSON", (ctx) => {
  expect(run(ctx, ["schemes"]).stdout).toMatch(/estimate: pageMapcount; unknown: otherVmas\.$/m);
  const { schemes } = JSON.parse(run(ctx, ["schemes", "--json"]).stdout) as { schemes: { id: string }[] };
  expect(schemes.map(({ id }) => id).slice(0, 3)).toEqual(["page", "mm-owner", "mapped-pages"]);
  expect(schemes).toHaveLength(15);
});
