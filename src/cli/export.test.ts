/** `foliometer export` as its users start it: where results go, and one sentence for every mistake. */
import {
  closeSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { makeTestDirectory } from "../../test/captured-child.ts";
import { foliometer } from "../../test/foliometer-in-process.ts";
import { EXPORT_FORMATS } from "./export.ts";

const SAMPLE = fileURLToPath(new URL("../../examples/sample-capture", import.meta.url));

const directory = makeTestDirectory();
afterAll(() => directory.remove());

/** Exports the sample; one thread needs no compiled worker. */
async function exportSample(...args: readonly string[]): ReturnType<typeof foliometer> {
  return foliometer("export", SAMPLE, "--threads", "1", ...args);
}

const place = (name: string): string => join(directory.path, name);

test("every format is in the help, with who reads it", async () => {
  const { stdout } = await foliometer("export", "--help");
  for (const format of EXPORT_FORMATS) expect(stdout).toMatch(new RegExp(`^  ${format} +\\S.{20,}$`, "m"));
});

test("what comes out on stdout is, the same, in a file; an old file is replaced", async () => {
  for (const format of ["openmetrics", "csv"]) {
    const { stdout, stderr, code } = await exportSample("--format", format);
    expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
    writeFileSync(place(format), "old");
    await exportSample("--format", format, "-o", place(format));
    expect(readFileSync(place(format), "utf8")).toBe(stdout);
    expect(stdout.length).toBeGreaterThan(500);
  }
  expect(readdirSync(directory.path).filter((name) => name.includes("partial"))).toEqual([]);
});

test("a symbolic link stays, and what it leads to is replaced; one that leads to nothing is replaced itself", async () => {
  mkdirSync(place("far"));
  writeFileSync(place("far/csv"), "old");
  symlinkSync("far/csv", place("link"));
  symlinkSync("nowhere", place("broken"));
  for (const link of ["link", "broken"]) await exportSample("--format", "csv", "-o", place(link));
  expect(lstatSync(place("link")).isSymbolicLink()).toBe(true);
  expect(lstatSync(place("broken")).isFile()).toBe(true);
  for (const name of ["far/csv", "broken"]) expect(readFileSync(place(name), "utf8")).toMatch(/^PID,User,/);
  expect(readdirSync(place("far"))).toEqual(["csv"]);
});

test("what stands in /proc and /dev, such as /dev/stdout, is written to and never replaced", async () => {
  writeFileSync(place("behind"), "old");
  const fd = openSync(place("behind"), "r+");
  const { stderr, code } = await exportSample("--format", "csv", "-o", `/proc/self/fd/${fd}`);
  const { ino } = fstatSync(fd);
  closeSync(fd);
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  expect(statSync(place("behind")).ino).toBe(ino);
  expect(readFileSync(place("behind"), "utf8")).toMatch(/^PID,User,/);
});

test("json is the report", async () => {
  const { stdout } = await exportSample("--format", "json");
  expect(stdout).toBe((await foliometer("report", SAMPLE, "--json", "--threads", "1")).stdout);
});

test("chosen processes are the only ones, and the machine's figures stay whole", async () => {
  const all = JSON.parse((await exportSample("--format", "json")).stdout) as { processes: { name: string }[] };
  const some = JSON.parse((await exportSample("--format", "json", "--program", "redis")).stdout) as typeof all;
  expect(new Set(some.processes.map(({ name }) => name))).toEqual(new Set(["redis-server"]));
  expect({ ...some, processes: [] }).toEqual({ ...all, processes: [] });
  const stacks = (await exportSample("--format", "stacks", "--program", "redis")).stdout.trimEnd().split("\n");
  expect(new Set(stacks.map((line) => line.split(";")[1]))).toEqual(new Set(["redis-server"]));
});

test("least-private and most-private differ where history matters, and only then", async () => {
  const most = await exportSample("--format", "csv", "--scheme", "mm-owner");
  const least = await exportSample("--format", "csv", "--scheme", "mm-owner", "--history", "least-private");
  const ussOf = (text: string): number[] =>
    text
      .split("\r\n")
      .slice(1, -1)
      .map((line) => Number(line.split(",").at(-3)));
  const pairs = ussOf(most.stdout).map((uss, index) => [ussOf(least.stdout)[index], uss]);
  for (const [lower, upper] of pairs) expect(lower).toBeLessThanOrEqual(upper);
  expect(pairs.some(([lower, upper]) => lower < upper)).toBe(true);
  const own = await exportSample("--format", "csv");
  const ownLeast = await exportSample("--format", "csv", "--history", "least-private");
  expect(ownLeast.stdout).toBe(own.stdout);
});

test("a /proc written of a capture has the smaps that `foliometer smaps` prints of it", async () => {
  const { code } = await exportSample("--format", "proc", "--scheme", "mm-owner", "-o", place("proc"));
  expect(code).toBe(0);
  const pids = readdirSync(place("proc/proc")).filter((name) => /^[0-9]+$/.test(name));
  expect(pids.length).toBeGreaterThan(5);
  for (const pid of [pids[0], pids[5]]) {
    const how = ["smaps", pid, SAMPLE, "--scheme", "mm-owner", "--threads", "1"];
    const written = (name: string): string => readFileSync(place(`proc/proc/${pid}/${name}`), "latin1");
    const rollup = await foliometer(...how, "--rollup");
    expect(written("smaps_rollup")).toBe(rollup.stdout);
    expect(written("smaps")).toBe((await foliometer(...how)).stdout);
  }
});

test("schemes that are written together are each what they are alone", async () => {
  const schemes = ["mm-owner", "total", "sums"];
  await exportSample("--format", "proc", "--schemes", schemes.join(","), "-o", place("together"));
  const rollups = (path: string): string =>
    readdirSync(path)
      .filter((name) => /^[0-9]+$/.test(name))
      .map((pid) => readFileSync(join(path, pid, "smaps_rollup"), "latin1"))
      .join("");
  const all = new Set<string>();
  for (const scheme of schemes) {
    await exportSample("--format", "proc", "--scheme", scheme, "-o", place(`alone-${scheme}`));
    const together = rollups(place(`together/${scheme}/proc`));
    expect(together).toBe(rollups(place(`alone-${scheme}/proc`)));
    all.add(together);
  }
  expect(all.size).toBeGreaterThan(1);
});

const MISTAKES: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["no format", [], /^foliometer: required option '--format <format>' not specified$/],
  [
    "a format that does not exist",
    ["--format", "xml"],
    /argument 'xml' is invalid\. Allowed choices are proc, openmetrics/,
  ],
  [
    "a scheme that does not exist",
    ["--format", "csv", "--scheme", "nobody"],
    /^foliometer: There is no scheme "nobody"; /,
  ],
  ["a directory on stdout", ["--format", "parquet"], /^foliometer: The format parquet is a directory: give -o DIR\.$/],
  [
    "two schemes in one profile",
    ["--format", "pprof", "--schemes", "page,mm-owner"],
    /holds one scheme: choose it with --scheme\.$/,
  ],
  [
    "a place that is not there",
    ["--format", "csv", "-o", "/nonexistent/a.csv"],
    /the directory \/nonexistent does not exist\.$/,
  ],
  ["no place at all", ["--format", "csv", "-o", ""], /^foliometer: --output needs a path, or - for stdout\.$/],
  [
    "a directory's name for a file",
    ["--format", "csv", "-o", "new/"],
    /^foliometer: Cannot write new\/: it names a directory, and the format is a file\.$/,
  ],
  ["a process that is not there", ["--format", "csv", "--pid", "4194304"], /^foliometer: There is no process 4194304 /],
  [
    "a control group that is not there",
    ["--format", "csv", "--cgroup", "/no/such"],
    /is in control group \/no\/such\.$/,
  ],
  [
    "an archive of two schemes",
    ["--format", "proc", "--schemes", "mm-owner", "-o", "two.tar"],
    /An archive holds one scheme/,
  ],
];

test.for(MISTAKES)("%s is one sentence", async ([, args, sentence]) => {
  const { stdout, stderr, code } = await exportSample(...args);
  expect(stdout).toBe("");
  expect(stderr.trimEnd()).toMatch(sentence);
  expect(stderr.trimEnd()).not.toContain("\n");
  expect(code).toBe(2);
});

test("a full disk is one sentence", async () => {
  for (const format of ["csv", "pprof"]) {
    const { stderr, code } = await exportSample("--format", format, "-o", "/dev/full");
    expect({ stderr, code }).toEqual({
      stderr: "foliometer: Cannot write /dev/full: no space is left on the device.\n",
      code: 2,
    });
  }
});

test("an option that says nothing for a format is refused, with the formats that it is for", async () => {
  const refused = [
    ["--format", "csv", "--value", "rss"],
    ["--format", "pprof", "--timestamps"],
    ["--format", "parquet", "--history", "least-private", "-o", place("nothing")],
  ];
  const sentences = [];
  for (const args of refused) sentences.push((await exportSample(...args)).stderr);
  expect(sentences).toEqual([
    "foliometer: --value says nothing for the format csv; it is for stacks.\n",
    "foliometer: --timestamps says nothing for the format pprof; it is for openmetrics, prometheus.\n",
    "foliometer: --history says nothing for the format parquet; it is for proc, perfetto, stacks, pprof, csv.\n",
  ]);
});

test("a file in the way of a directory, a directory in the way of a file and a full directory are not touched", async () => {
  mkdirSync(place("full"));
  writeFileSync(place("full/precious"), "precious");
  writeFileSync(place("file"), "precious");
  const tries = [
    ["--format", "parquet", "-o", place("full")],
    ["--format", "parquet", "-o", place("file")],
    ["--format", "csv", "-o", place("full")],
  ];
  for (const args of tries) {
    const { stderr, code } = await exportSample(...args);
    expect(stderr).toMatch(/^foliometer: Cannot write \S+: .*\.\n$/);
    expect(code).toBe(2);
  }
  expect(readFileSync(place("full/precious"), "utf8") + readFileSync(place("file"), "utf8")).toBe("preciousprecious");
});
