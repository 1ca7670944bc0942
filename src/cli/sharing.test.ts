/**
 * `foliometer sharing` and `foliometer free` as their users start them, on the sample capture: answers, formats, and one
 * sentence for every mistake.
 */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { foliometer } from "../../test/foliometer-in-process.ts";
import { EDGE_FORMATS } from "../report/index.ts";
import { type FreeRanking, type FreeReport, GROUP_KEYS, type SharingReport, TOGETHER_MAX } from "../study/index.ts";
import { BEST_MAX } from "./free.ts";
import { EDGE_WORDS, GROUP_WORDS } from "./sharing.ts";

const SAMPLE = fileURLToPath(new URL("../../examples/sample-capture", import.meta.url));
/** One thread needs no compiled worker. */
const HOW = [SAMPLE, "--threads", "1"];

async function answer<T>(...args: readonly string[]): Promise<T> {
  const { stdout, stderr, code } = await foliometer(...args, ...HOW, "--json");
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  return JSON.parse(stdout) as T;
}

test("the words on the command line are those that the answers know", () => {
  expect(GROUP_WORDS).toEqual(GROUP_KEYS);
  expect(EDGE_WORDS).toEqual(EDGE_FORMATS);
  expect(BEST_MAX).toBe(TOGETHER_MAX);
});

test("however processes are taken together, the same memory is mapped", async () => {
  const reports: SharingReport[] = [];
  for (const by of GROUP_KEYS) reports.push(await answer<SharingReport>("sharing", "--by", by));
  expect(new Set(reports.map(({ totals }) => totals.mapped.bytes)).size).toBe(1);
  for (const { schema, version, totals } of reports) {
    expect({ schema, version }).toEqual({ schema: "foliometer-sharing", version: 1 });
    expect(totals.private.bytes + totals.shared.bytes).toBe(totals.mapped.bytes);
  }
  const [processes, programs] = reports;
  expect(programs.groups.length).toBeLessThan(processes.groups.length);
  expect(programs.totals.shared.bytes).toBeLessThan(processes.totals.shared.bytes);
});

test("a program, chosen, is shown with those who share with it; --top limits what is listed", async () => {
  const all = await answer<SharingReport>("sharing", "--by", "program");
  const redis = all.groups.findIndex(({ name }) => name === "redis-server");
  const some = await answer<SharingReport>("sharing", "--by", "program", "--program", "redis");
  expect(some.pairs).toEqual(all.pairs.filter(({ a, b }) => a === redis || b === redis));
  expect(some.pairs.length).toBeGreaterThan(0);
  expect((await answer<SharingReport>("sharing", "--by", "program", "--top", "2")).pairs).toEqual(
    all.pairs.slice(0, 2),
  );
});

test("tables, heat map and edges come out plain where there is no terminal", async () => {
  const outputs = await [[], ["--heat"], ["--edges", "tsv"], ["--edges", "csv"]].reduce<Promise<string[]>>(
    async (before, args) => [...(await before), (await foliometer("sharing", ...args, ...HOW)).stdout],
    Promise.resolve([]),
  );
  const starts = outputs.map((text) => text.slice(0, text.search(/[\t, ]/)));
  expect(starts).toEqual(["Linux", "Linux", "one", "one"]);
  for (const text of outputs) expect(text).not.toContain("\u001b[");
  expect(outputs[2].split("\n").length).toBeGreaterThan(100);
});

test("what a server frees together is more than its processes free one by one", async () => {
  const together = await answer<FreeReport>("free", "--program", "^postgres");
  expect(together.schema).toBe("foliometer-free");
  expect(together.processes.length).toBeGreaterThan(3);
  const { free, mapped, stays, heldByFoliosBytes } = together;
  const within = free.anonBytes + free.ksmBytes + free.vanishingBytes.most + free.cacheFileBytes + free.cacheShmemBytes;
  expect(within + free.hugetlbBytes + heldByFoliosBytes + stays.bytes).toBe(mapped.bytes);
  const each = await answer<FreeRanking>("free", "--each", "--program", "^postgres");
  const apart = each.processes.reduce((sum, ranked) => sum + ranked.free.freed.least, 0);
  expect(free.freed.least).toBeGreaterThan(2 * apart);
  expect(each.candidates).toBe(together.processes.length);
  const best = await answer<FreeRanking>("free", "--best", "2", "--program", "redis-server");
  const both = best.processes.reduce((sum, ranked) => sum + ranked.free.freed.least, 0);
  const pids = best.processes.map(({ process }) => String(process.pid));
  expect((await answer<FreeReport>("free", ...pids)).free.freed.least).toBe(both);
});

test("answers and rankings are printed too", async () => {
  expect((await foliometer("free", "--program", "redis", ...HOW)).stdout).toContain("Who keeps what stays, kB");
  expect((await foliometer("free", "--each", "--top", "2", ...HOW)).stdout).toContain("What comes free if one of them");
});

test.each([
  ["nobody to end", ["free"], /Say which processes end/],
  ["a pid that is not there", ["free", "4194304", ...HOW], /There is no process 4194304 with memory of its own\./],
  ["a pid that is none", ["free", "0"], /A pid is a number from 1/],
  ["two captures", ["free", "7", "a", "b"], /One capture at a time: a and b are no pids\./],
  ["a control group that is not there", ["free", "--cgroup", "/no/such", ...HOW], /control group \/no\/such\.$/m],
  ["a program that nobody runs", ["sharing", "--program", "^nobody$", ...HOW], /like \^nobody\$\.$/m],
  ["a pid that is not there, to share with", ["sharing", "--pid", "4194304", ...HOW], /There is no process 4194304/],
  ["a directory that is none", ["sharing", "/nonexistent"], /\/nonexistent does not exist/],
  ["too many at once", ["free", "--best", "101"], /It needs a number from 1 to 100/],
  ["two rankings", ["free", "--each", "--best", "2"], /cannot be used with/],
  ["two formats", ["sharing", "--heat", "--json"], /cannot be used with/],
  ["another kind of group", ["sharing", "--by", "thread"], /Allowed choices are process, program, cgroup, user/],
  ["a check of what is past", ["free", "1", SAMPLE, "--check"], /--check/],
])("%s ends with 2 and one sentence on stderr", async (_, args, sentence) => {
  const { stdout, stderr, code } = await foliometer(...args);
  expect(stderr).toMatch(sentence);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  expect({ stdout, code }).toEqual({ stdout: "", code: 2 });
});
