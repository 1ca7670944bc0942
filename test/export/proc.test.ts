/**
 * A /proc that was written is read by Debian's smem as the machine's own: the same figures of processes that stand still,
 * and under another scheme those of the report.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test, type TestContext } from "vitest";
import { SmapsColumns } from "../../src/capture/smaps-columns.ts";
import { makeTestDirectory } from "../captured-child.ts";
import { foliometer } from "../foliometer-in-process.ts";
import { MADE_UP_RUNS, madeUpFacts, writeMadeUpCapture } from "../made-up-capture.ts";
import { requireCommand } from "../full-run.ts";
import { endTargets, type Target, targetProgram } from "../live/target.ts";
import { runPython } from "./reading.ts";

const COLUMNS = "pid user name command maps swap uss pss rss vss";
/** What others do to pages that are everybody's (the vdso) may move a truncated Pss by a kB: look again. */
const QUIET = { retry: 3 };

const directory = makeTestDirectory();
afterAll(() => directory.remove());
afterAll(endTargets);

let family: Promise<readonly Target[]> | undefined;

/** Processes that share anonymous, file and shared memory, one of another user, all stopped. */
function familyFor(ctx: TestContext): Promise<readonly Target[]> {
  const program = targetProgram(ctx);
  return (family ??= (async () => {
    const parent = program.start({ uid: 12_345 });
    await parent.askAll("map small anon 3000", "write small 0 3000", "map both shared 500", "write both 0 300");
    await parent.askAll("memfd mem 400", "mapfd one mem 0 400 shared", "write one 0 200");
    const first = await parent.fork();
    const second = await parent.fork();
    await first.askAll("write small 0 100", "unmap small 2000 10");
    await second.askAll("mapfd two mem 100 200 private", "read two 0 50", "write two 0 7");
    const alone = program.start();
    await alone.askAll("map own anon 77", "write own 0 50");
    const targets = [parent, first, second, alone];
    for (const target of targets) target.stop();
    return targets;
  })());
}

/** smem's table by pid; only of these processes. */
function rowsOf(text: string, targets: readonly Target[]): Map<number, string> {
  const rows = text.split("\n").map((line) => line.trim().replace(/\s+/g, " "));
  const byPid = new Map(rows.map((row) => [Number(row.split(" ")[0]), row]));
  return new Map(targets.flatMap(({ pid }) => (byPid.has(pid) ? [[pid, byPid.get(pid) ?? ""]] : [])));
}

function smem(ctx: TestContext, ...args: readonly string[]): string {
  const { stdout, stderr, status } = spawnSync(requireCommand(ctx, "smem"), ["-c", COLUMNS, ...args], {
    encoding: "utf8",
  });
  expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  return stdout;
}

/** Exports these processes; what else the machine has may be incomplete. */
async function exportProc(targets: readonly Target[], path: string, ...args: readonly string[]): Promise<void> {
  const pids = targets.map(({ pid }) => pid).join(",");
  const how = ["--pid", pids, "--threads", "1", "--quiet"];
  const { stderr, code } = await foliometer("export", "--format", "proc", "-o", path, ...how, ...args);
  expect(stderr).not.toContain("without smaps");
  expect([0, 3]).toContain(code);
}

test("smem -S shows of a written directory what it shows of the machine", QUIET, async (ctx) => {
  const targets = await familyFor(ctx);
  const path = join(directory.path, `now-${ctx.task.result?.retryCount ?? 0}`);
  await exportProc(targets, path);
  const rows = rowsOf(smem(ctx, "-S", path), targets);
  expect(rows.size).toBe(targets.length);
  expect(rows).toEqual(rowsOf(smem(ctx, "-P", "target"), targets));
  const pids = readdirSync(join(path, "proc")).filter((name) => /^[0-9]+$/.test(name));
  expect(pids.map(Number).toSorted((a, b) => a - b)).toEqual(targets.map(({ pid }) => pid).toSorted((a, b) => a - b));
  expect(statSync(join(path, "proc", `${targets[0].pid}`)).uid).toBe(12_345);
  for (const { pid } of targets) {
    for (const name of ["maps", "comm", "cmdline", "smaps_rollup"]) {
      const written = readFileSync(join(path, "proc", `${pid}`, name), "latin1");
      expect(stillText(written)).toBe(stillText(readFileSync(`/proc/${pid}/${name}`, "latin1")));
    }
  }
});

/** Without what the kernel changes of a stopped process too, when it empties its per-CPU lists. */
function stillText(text: string): string {
  return text.replaceAll(/^(?:Referenced|LazyFree):.*\n/gm, "");
}

test("an archive unpacks to the same files, with their owners", async (ctx) => {
  const targets = await familyFor(ctx);
  const archive = join(directory.path, "now.tar.gz");
  const unpacked = join(directory.path, "unpacked");
  await exportProc(targets, archive);
  mkdirSync(join(unpacked, "proc"), { recursive: true });
  const { status, stderr } = spawnSync(requireCommand(ctx, "tar"), ["xzpf", archive, "-C", join(unpacked, "proc")]);
  expect({ status, stderr: String(stderr) }).toEqual({ status: 0, stderr: "" });
  expect(statSync(join(unpacked, "proc", `${targets[0].pid}`)).uid).toBe(12_345);
  const written = rowsOf(smem(ctx, "-S", unpacked), targets);
  expect(written).toEqual(rowsOf(smem(ctx, "-P", "target"), targets));
});

/**
 * smem 1.5 under Python 3 takes what it reads from any archive for text, which it is not, and fails. With that put right
 * (where it has not been), the rest of its reader of archives reads ours.
 */
const SMEM_OF_ARCHIVES = `
import sys
text = open("/usr/bin/smem").read()
text = text.replace("self.tar.extractfile(f).read()", "self.tar.extractfile(f).read().decode()")
text = text.replace("self.tar.extractfile(f).readlines()", "self.tar.extractfile(f).read().decode().splitlines(True)")
sys.argv = ["smem", "-S", sys.stdin.readline().strip(), "-c", "${COLUMNS}"]
exec(compile(text, "smem", "exec"))`;

test("smem's own reader of archives reads the archive", QUIET, async (ctx) => {
  const targets = await familyFor(ctx);
  requireCommand(ctx, "smem");
  const archive = join(directory.path, "now.tar");
  await exportProc(targets, archive);
  const read = rowsOf(runPython(ctx, SMEM_OF_ARCHIVES, `${archive}\n`, "tarfile"), targets);
  expect(read).toEqual(rowsOf(smem(ctx, "-P", "target"), targets));
});

test("under another scheme smem adds up what the report says", async (ctx) => {
  const targets = await familyFor(ctx);
  const path = join(directory.path, "elsewhere");
  await exportProc(targets, path, "--schemes", "mm-owner");
  expect(readdirSync(path).toSorted()).toEqual(["mm-owner", "page"]);
  const pids = targets.map(({ pid }) => pid).join(",");
  const { stdout } = await foliometer(
    "export",
    "--format",
    "csv",
    "--scheme",
    "mm-owner",
    "--pid",
    pids,
    "--threads",
    "1",
    "--quiet",
  );
  for (const [pid, row] of rowsOf(smem(ctx, "-S", join(path, "mm-owner")), targets)) {
    const cells = row.split(" ").map(Number);
    const [uss, pss, rss] = cells.slice(-4, -1);
    const maps = cells.at(-6) ?? 0;
    const [csvUss, csvPss, csvRss] = (new RegExp(`^${pid},.*$`, "m").exec(stdout)?.[0].split(",") ?? [])
      .slice(-3)
      .map(Number);
    expect([uss, rss]).toEqual([csvUss, csvRss]);
    // smem adds figures that are truncated VMA by VMA.
    expect(csvPss - pss).toBeGreaterThanOrEqual(0);
    expect(csvPss - pss).toBeLessThanOrEqual(maps);
  }
});

test("a capture without smaps has no /proc to write", async () => {
  const without = join(directory.path, "without");
  const facts = madeUpFacts();
  writeMadeUpCapture(without, MADE_UP_RUNS, { ...facts, smaps: new SmapsColumns(facts.vmas.length) });
  const place = join(directory.path, "none");
  const { stderr, code } = await foliometer("export", without, "--format", "proc", "-o", place, "--threads", "1");
  expect(stderr).toMatch(/was captured without --with-smaps, so it has no smaps to start from\.\n$/);
  expect(code).toBe(2);
  expect(existsSync(place)).toBe(false);
});

test("a process without smaps in a capture is left out and named, and the export is incomplete", async () => {
  const partly = join(directory.path, "partly");
  // Of processes 100, 101 (one address space) and 103, only the first two have a VMA with smaps.
  writeMadeUpCapture(partly, MADE_UP_RUNS);
  const place = join(directory.path, "some");
  const { stderr, code } = await foliometer("export", partly, "--format", "proc", "-o", place, "--threads", "1");
  expect(stderr).toContain("foliometer: incomplete: 1 process without smaps left out, the first is 103.\n");
  expect(stderr).toMatch(/^foliometer: [0-9]+ notes? on estimated VMAs, the first is: page, process 100: /m);
  expect(code).toBe(3);
  expect(readdirSync(join(place, "proc")).toSorted()).toEqual(["100", "101", "meminfo", "uptime", "version"]);
  expect(readFileSync(join(place, "proc/100/stat"), "utf8").split(" ")).toHaveLength(52);
});
