/**
 * Mistakes on the command line of foliometer check: each one sentence, found before anything is searched.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { foliometer } from "../../test/foliometer-in-process.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "foliometer-check-"));
  writeFileSync(join(folder, "long.steps"), `# ${"x".repeat(2 ** 20)}\n`);
  writeFileSync(join(folder, "longer.steps"), "#".repeat(3 * 2 ** 20 + 2));
  writeFileSync(join(folder, "wrong.steps"), "word x: bool\nthread a {\n  stor x = 1\n}\n");
  writeFileSync(join(folder, "empty.steps"), "");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const EMBRACE = ["vma", "--case", "embrace"];
const FILE = ["page", "--case", "file"];

const MISTAKES: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["no scheme", [], /^It needs a scheme or a file/],
  ["an unknown scheme", ["folio"], /^There is no scheme "folio"; the schemes are page, /],
  ["an unknown scheme to list", ["folio", "--list"], /^There is no scheme "folio"/],
  ["an unknown case", ["vma", "--case", "hug"], /^hug: There is no such case; for vma there are /],
  ["a case of other schemes", ["page", "--case", "embrace"], /^embrace: It is not for page; /],
  ["an unknown property", [...FILE, "--property", "leek"], /^page file has no property leek; it has .*deadlock/],
  ["a property of no case", ["page", "--property", "leek"], /^page file has no property leek/],
  ["an unknown constant", [...FILE, "--set", "FOLIOS=3"], /^no text has a constant FOLIOS: /],
  ["a setting without number", [...FILE, "--set", "MMS"], /^--set MMS: write NAME=NUMBER\.$/],
  ["an unknown lock", [...FILE, "--without", "small"], /^no lock is named small, to be left out: .*large/],
  ["too many address spaces", [...FILE, "--mms", "65"], /1 to 64 elements, not 65/],
  ["too many threads", [...FILE, "--threads", "17"], /0 to 16 threads, not 17/],
  ["an unknown name", [...FILE, "--always", "few: bar == 1"], /^--always: column 6: nothing is named bar/],
  ["an unknown name, unnamed", [...FILE, "--never", "bar == 1"], /^--never: column 1: nothing is named bar/],
  ["half an expression", [...FILE, "--quiet", "1 =="], /^--quiet: column \d: expected an expression/],
  ["the second one wrong", [...FILE, "--always", "1", "--always", "1 +* 1"], /^--always \(2\): column 4: /],
  [
    "a declared name",
    [...FILE, "--always", "counts: 1"],
    /^--always: column 1: there is a property counts already, at /,
  ],
  ["buffers of nothing", [...FILE, "--buffer", "3"], /^--buffer is for --memory tso\.$/],
  ["a seed of nothing", [...FILE, "--seed", "3"], /^--seed and --changes are for --random\.$/],
  ["states of no graph", [...FILE, "--graph-states", "3"], /^--graph-states is for --graph\.$/],
  ["livelocks at random", [...FILE, "--random", "3", "--liveness"], /cannot be used with option '--liveness'/],
  ["two on standard output", [...EMBRACE, "--graph", "-", "--json"], /^Only one of --graph -, --json can have/],
  ["a graph of many cases", ["vma", "--graph", "x.dot"], /^--graph is for one case: name it with --case\.$/],
  ["a graph in no folder", [...EMBRACE, "--graph", "/nonexistent/x.dot"], /^Cannot write .*: there is no such file\.$/],
  ["a scenario onto a folder", [...EMBRACE, "--scenario", "/"], /^Cannot write \/: it is a directory\.$/],
  ["no such file", ["nonexistent.steps"], /^Cannot read nonexistent\.steps: there is no such file\.$/],
  ["a folder", ["/"], /^Cannot read \/: it is a directory\.$/],
  ["a file without end", ["/dev/zero"], /is too long for a system\.$/],
  ["a case of a file", ["DIR/wrong.steps", "--case", "x"], /^--case is for schemes/],
  ["a wrong text", ["DIR/wrong.steps"], /^wrong\.steps:3:3: /],
  ["a text of too many letters", ["DIR/long.steps"], /at most 1048576 can be read$/],
  ["a file of too many bytes", ["DIR/longer.steps"], /is too long for a system\.$/],
  ["an empty text", ["DIR/empty.steps"], /^there is no thread/],
  ["no number", [...FILE, "--threads", "many"], /It needs a whole number\.$/],
  ["another memory", [...FILE, "--memory", "arm"], /Allowed choices are sc, tso\.$/],
];

test.each(MISTAKES)("%s ends with 2 and a sentence", async (_what, args, sentence) => {
  const words = args.map((word) => word.replace("DIR", folder));
  const { code, stdout, stderr } = await foliometer("check", ...words);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  const lines = stderr.trimEnd().split("\n");
  expect(lines).toHaveLength(1);
  expect(lines[0].replace(/^foliometer: /, "")).toMatch(sentence);
});
