import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { foliometer } from "../../test/foliometer-in-process.ts";
import { WORKLOADS } from "../workloads/index.ts";
import { formatMarkdown, parseSeed } from "./workloads.ts";

test("workloads lists every workload with its parameters, defaults and ranges", async () => {
  const { stdout, stderr, code } = await foliometer("workloads");
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  for (const { id, title, parameters } of WORKLOADS) {
    expect(stdout).toContain(`${id}: ${title}`);
    for (const name of Object.keys(parameters)) expect(stdout).toMatch(new RegExp(`^ {4}${name} +[0-9,]+ `, "m"));
  }
});

test("workloads --json has a schema and everything that a program needs to set a parameter", async () => {
  const { stdout } = await foliometer("workloads", "--json");
  const { schema, version, workloads } = JSON.parse(stdout) as {
    schema: string;
    version: number;
    workloads: { id: string; parameters: object }[];
  };
  expect({ schema, version }).toEqual({ schema: "foliometer-workloads", version: 1 });
  expect(workloads.map(({ id }) => id)).toEqual(WORKLOADS.map(({ id }) => id));
  expect(workloads[0].parameters).toHaveProperty("folioKb.choices");
});

test("workloads show prints a scenario, with parameters and a seed", async () => {
  const { stdout, code } = await foliometer(
    "workloads",
    "show",
    "third-mm",
    "--least",
    "--set",
    "trios=2",
    "--seed",
    "9",
  );
  expect(code).toBe(0);
  expect(stdout).toContain("# folioKb=16 folios=1 trios=2 thirds=1 writePercent=1 seed=9\n");
  expect(stdout.match(/^spawn /gm)).toHaveLength(2);
});

test.each([
  [["show", "idle"], /no workload "idle"; the workloads are fork-server, /],
  [["show", "third-mm", "--set", "trios=0"], /trios of third-mm cannot be 0: it is a whole number, 1 to 1024/],
  [["show", "third-mm", "--set", "trio=1"], /no parameter "trio"; it has folioKb, folios, trios/],
  [["show", "third-mm", "--set", "trios"], /not of the form name=value/],
  [["show", "third-mm", "--seed", "x"], /whole number from 0/],
  [["show", "pud-to-pte"], /folios that the scenario language does not have/],
] as const)("workloads %j ends with 2 and one sentence", async (args, sentence) => {
  const { stdout, stderr, code } = await foliometer("workloads", ...args);
  expect(stderr).toMatch(sentence);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  expect({ stdout, code }).toEqual({ stdout: "", code: 2 });
});

test("a seed is a whole number that every machine reads as the same", () => {
  expect(parseSeed("9007199254740991")).toBe(Number.MAX_SAFE_INTEGER);
  for (const bad of ["9007199254740992", "-1", "1.5", ""]) expect(() => parseSeed(bad)).toThrow(/whole number/);
});

test("docs/workloads.md is what workloads --markdown prints", async () => {
  const page = readFileSync(new URL("../../docs/workloads.md", import.meta.url), "utf8");
  const generated = /<!-- workloads -->\n(?<text>[^]*)<!-- end -->/.exec(page)?.groups?.text;
  expect(generated).toBe(await formatMarkdown(WORKLOADS));
});
