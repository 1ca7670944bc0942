import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { foliometer } from "../../test/foliometer-in-process.ts";
import { type Comparison, XEON_4210R } from "../study/index.ts";

const CAPTURE = fileURLToPath(new URL("../../examples/sample-capture", import.meta.url));

/** A folio of 64 kB; a child; the parent copies one page. */
const ONE_COPY = `thp 64kB madvise
spawn P
P mmap a 0x200000000 64k rw anon,priv
P madvise @a 64k hugepage
P touch @a 64k w
P fork C
P touch @a 4k w
`;
/** Ten steps: three processes, of which two end. */
const SMALLEST = ["third-mm", "--set", "folios=1", "--set", "trios=1", "--set", "thirds=1"];

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "foliometer-compare-"));
  writeFileSync(fileOf("one-copy.scn"), ONE_COPY);
  writeFileSync(fileOf("unknown.scn"), "spawn P\nP frobnicate\n");
  writeFileSync(fileOf("odd.scn"), "spawn P\nP mmap a 0x200000000 16k rw anon,priv\nP touch 0x200000003 4k w\n");
  writeFileSync(fileOf("costs.json"), '{"schema":"something-else"}\n');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fileOf(name: string): string {
  return join(folder, name);
}

const wrong = (args: readonly string[], sentence: RegExp) => ({ args, sentence });

describe("wrong usage is one sentence and exit code 2:", () => {
  test.each([
    wrong([], /needs a workload, a scenario file or a capture/),
    wrong(["thrid-mm"], /no workload, no file and no directory "thrid-mm"/),
    wrong(["missing.scn"], /Cannot read missing\.scn: there is no such file/),
    wrong(["third-mm", "--set", "folios"], /"folios" is not of the form name=value/),
    wrong(["third-mm", "--set", "folio=1"], /no parameter "folio"; it has folioKb, folios/),
    wrong(["third-mm", "--set", "folios=0"], /folios of third-mm cannot be 0: it is a whole number, 1 to 65536/),
    wrong(["FOLDER/one-copy.scn", "--set", "folios=1"], /--set is for workloads/),
    wrong([CAPTURE, "--set", "folios=1", "--then", "exit 16"], /--set is for workloads/),
    wrong(["FOLDER/one-copy.scn", "--seed", "2"], /--seed is for workloads/),
    wrong(["third-mm", "--then", "exit 1"], /--then is for captures/),
    wrong(["FOLDER/one-copy.scn", "--then", "exit 1"], /--then is for captures/),
    wrong(["all", "--set", "folios=1"], /all takes no --set/),
    wrong(["all", "--then", "exit 1"], /all takes no --set, no --then/),
    wrong(["all", "--html"], /all takes no .* no --html/),
    wrong(["third-mm", "--schemes", "page,pages"], /no scheme "pages"; the schemes are page, mm-owner/),
    wrong(["third-mm", "--against", "pages"], /no scheme "pages"/),
    wrong(["third-mm", "--config", "both"], /Allowed choices are page, nopage/),
    wrong(["third-mm", "--seed", "-1"], /whole number from 0/),
    wrong(["third-mm", "--seed", "1.5"], /whole number from 0/),
    wrong(["third-mm", "--costs", "FOLDER/none.json"], /Cannot use ".*none\.json" as a cost profile: there is no such/),
    wrong(["third-mm", "--costs", "FOLDER/costs.json"], /its schema is not "foliometer-cost-profile"/),
    wrong(["third-mm", "--json", "--html"], /'--json' cannot be used with option '--html'/),
    wrong(["third-mm", "--json", "--markdown"], /'--json' cannot be used with option '--markdown'/),
    wrong(["FOLDER"], /Not a capture: .* has no manifest\.json/),
    wrong([CAPTURE], /There is no step/),
    wrong([CAPTURE, "--then", "kill 16"], /"kill 16" is no step: steps are fork, exit, unmap and write/),
    wrong([CAPTURE, "--then", "exit 99999"], /there is no process 99999/),
    wrong(["FOLDER/unknown.scn"], /unknown\.scn:2:3: there is no command "frobnicate"/),
  ])("compare $args", async ({ args, sentence }) => {
    const { stdout, stderr, code } = await foliometer("compare", ...args.map((arg) => arg.replace("FOLDER", folder)));
    expect({ stdout, code }).toEqual({ stdout: "", code: 2 });
    expect(stderr).toMatch(sentence);
    expect(stderr).toMatch(/^foliometer: [^\n]*\n$/);
  });
});

test("a scenario that the model cannot follow to its end is no comparison", async () => {
  const { stdout, stderr, code } = await foliometer("compare", fileOf("odd.scn"));
  expect({ stdout, code }).toEqual({ stdout: "", code: 3 });
  expect(stderr).toMatch(/^foliometer: line 3: .* the address is no multiple of 8\n$/);
});

async function oneCopy(...options: readonly string[]): Promise<Comparison> {
  const { stdout, stderr, code } = await foliometer("compare", fileOf("one-copy.scn"), "--json", ...options);
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  return JSON.parse(stdout) as Comparison;
}

describe("a fork of one folio of 64 kB, and one page copied,", () => {
  const SCHEMES = ["--schemes", "page,mm-owner"];

  test("is a document of version 1 that says what was compared", async () => {
    const comparison = await oneCopy(...SCHEMES);
    expect(comparison).toMatchObject({
      schema: "foliometer-comparison",
      version: 1,
      kernel: "page",
      against: "page",
      workload: { id: fileOf("one-copy.scn"), steps: 7, processesMax: 2, foliosMax: 2, mappedBytesMax: 68 * 1024 },
      excluded: [],
    });
    // Mapped, mapped by the child, one page of the parent's gone, its copy mapped.
    expect(comparison.workload.events).toBe(4);
    expect(comparison.schemes.map(({ id }) => id)).toEqual(["page", "mm-owner"]);
  });

  test("costs what was worked out by hand", async () => {
    const { operations, schemes, decisions, questions } = await oneCopy(...SCHEMES);
    const operation = (name: string) => {
      const found = operations.find((row) => row.operation === name);
      if (found === undefined) throw new Error(`there was a ${name}`);
      return found;
    };
    expect(operation("fork")).toMatchObject({ count: 1, entries: 16 });
    // The old entry goes, the new one comes.
    expect(operation("copy")).toMatchObject({ count: 1, entries: 2 });
    const [page, mmOwner] = operation("fork").byScheme;
    expect(page.counting.atomics - mmOwner.counting.atomics).toBe(16);
    expect(page.time.ns - mmOwner.time.ns).toBeCloseTo(16 * XEON_4210R.counting.atomics.ns, 6);
    expect(mmOwner.ratio.middle).toBeCloseTo(mmOwner.time.ns / page.time.ns, 9);
    // 28 bytes of a large folio and 4 of each of 17 pages; 24 of a large folio and 4 of a small one.
    expect(schemes.map(({ stateBytes }) => stateBytes)).toEqual([28 + 17 * 4, 24 + 4]);
    // P; P and C; P and C of the old folio, P of the copy.
    expect(questions.find(({ question }) => question === "others")?.asked).toBe(1 + 2 + 2 + 1);
    expect(decisions.find(({ decision }) => decision === "reuse-large")).toMatchObject({ asked: 1, truthYes: 0 });
  });

  test("stands so in the table", async () => {
    const { stdout } = await foliometer("compare", fileOf("one-copy.scn"), ...SCHEMES, "--width", "0");
    expect(stdout).toContain("7 steps, 4 batches of mapping events; at most 2 processes, 2 folios, 68 KiB mapped\n");
    expect(stdout).toMatch(/^\(asked\) +4 +4 +\d+ +6 +6 +4 /m);
    expect(stdout).toMatch(/^page +224 +32 +96 bytes +0 /m);
    expect(stdout).toMatch(/^mm-owner +192 +0 +28 bytes +0 /m);
    expect(stdout).toContain("The same under all schemes: reuse-large (1),");
    expect(stdout).not.toContain("No room for:");
  });

  test("is decided by the owners of the folio where the kernel counts them", async () => {
    expect((await oneCopy(...SCHEMES, "--config", "nopage")).kernel).toBe("mm-owner");
  });

  test("can be compared with any scheme, which then counts although nobody named it", async () => {
    const { against, schemes, operations } = await oneCopy("--schemes", "sums", "--against", "none");
    expect({ against, schemes: schemes.map(({ id }) => id) }).toEqual({ against: "none", schemes: ["none", "sums"] });
    expect(operations.map(({ byScheme }) => byScheme[0].ratio.middle)).toEqual(operations.map(() => 1));
  });

  test("costs what the price list says", async () => {
    const file = fileOf("dear-atomics.json");
    const { atomics } = XEON_4210R.counting;
    const dear = { ns: 100 * atomics.ns, low: 100 * atomics.low, high: 100 * atomics.high };
    const profile = {
      schema: "foliometer-cost-profile",
      version: 1,
      ...XEON_4210R,
      name: "a machine with dear atomics",
      counting: { ...XEON_4210R.counting, atomics: dear },
    };
    writeFileSync(file, JSON.stringify(profile));
    const { costs, operations } = await oneCopy(...SCHEMES, "--costs", file);
    expect(costs.name).toBe("a machine with dear atomics");
    const [page, mmOwner] = operations.find(({ operation }) => operation === "fork")?.byScheme ?? [];
    expect(page.time.ns - mmOwner.time.ns).toBeCloseTo(16 * dear.ns, 6);
  });
});

describe("the smallest third-mm", () => {
  test("as text begins with what was compared and has every table", async () => {
    const { stdout, stderr, code } = await foliometer("compare", ...SMALLEST, "--width", "120");
    expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
    expect(stdout).toMatch(/^workload {3}third-mm: the third address space/);
    expect(stdout).toContain("parameters folioKb=64 folios=1 trios=1 thirds=1 writePercent=25 seed=1\n");
    for (const title of ["Verdict", "Questions: ", "Decisions that ", "Cost of operations, ", "State, "]) {
      expect(stdout.match(new RegExp(`^${title}`, "gm")), title).toHaveLength(1);
    }
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(120);
  });

  test("as Markdown and HTML says the same of every scheme", async () => {
    const json = JSON.parse((await foliometer("compare", ...SMALLEST, "--json")).stdout) as Comparison;
    const { stdout: markdown } = await foliometer("compare", ...SMALLEST, "--markdown");
    const { stdout: html } = await foliometer("compare", ...SMALLEST, "--html");
    expect(markdown).toMatch(/^## third-mm: /);
    expect(html).toMatch(/^<!doctype html>/);
    expect(json.schemes.length).toBeGreaterThan(10);
    for (const { scheme } of json.verdicts) {
      expect(markdown).toMatch(new RegExp(String.raw`^\| ${scheme} \| breaks`, "m"));
      expect(html).toContain(`<th scope="row">${scheme}</th><td>breaks`);
    }
  });

  test("is the same with the same seed, and says which seed it was", async () => {
    const [one, again] = [
      await foliometer("compare", ...SMALLEST, "--json", "--seed", "9"),
      await foliometer("compare", ...SMALLEST, "--json", "--seed", "9"),
    ];
    expect(again).toEqual(one);
    expect((JSON.parse(one.stdout) as Comparison).workload.seed).toBe(9);
  });
});

test("a capture and what did not happen: two children of Redis come and go", async () => {
  const args = [CAPTURE, "--then", "fork 16 2; exit 16.1", "--then", "exit 16.2", "--schemes", "page,sums", "--json"];
  const { stdout, stderr, code } = await foliometer("compare", ...args);
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  const { workload, kernel, operations, notes } = JSON.parse(stdout) as Comparison;
  expect(workload).toMatchObject({ id: "capture", steps: 4 });
  expect(kernel).toBe("");
  const count = (name: string): number | undefined => operations.find(({ operation }) => operation === name)?.count;
  expect({ fork: count("fork"), exit: count("exit") }).toEqual({ fork: 2, exit: 2 });
  expect(notes.join(" ")).toContain("replayed process by process");
});
