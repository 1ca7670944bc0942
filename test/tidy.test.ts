/**
 * The rules of the house that a program can check, held against the tree as it is.
 *
 * Each rule is tested twice: the tree keeps it, and a made-up violation is caught, so that no rule is true because it
 * looks at nothing. The length of functions is the linter's rule; here is only the proof that it is switched on.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { checkFileNames, checkFloors, checkPurity, checkReached, checkRegistry } from "./tidy/house-rules.ts";
import { checkChangelog, checkDependencies, checkLock, checkWords } from "./tidy/paper-rules.ts";
import { parseImports, projectRoot, readTree, type SourceFile } from "./tidy/source-tree.ts";
import { CAPTURE_COMMANDS, checkStartUp, loadedBy } from "./tidy/start-up.ts";

const tree = readTree();

/** The tree with one file added, or replaced. */
function withFile(path: string, text: string): SourceFile[] {
  return [...tree.filter((file) => file.path !== path), { path, text }];
}

/** A file of which nothing but its imports matters. */
function importing(path: string, ...imports: string[]): SourceFile[] {
  return [{ path, text: imports.join("\n") }];
}

describe("the tree", () => {
  test("is seen: sources, tests, documents and hidden files, and nothing that is built", () => {
    const paths = new Set(tree.map(({ path }) => path));
    expect(paths).toContain("test/tidy.test.ts");
    expect(paths).toContain("package-lock.json");
    expect(paths).toContain(".oxlintrc.json");
    expect([...paths].filter((path) => path.startsWith("src/")).length).toBeGreaterThan(0);
    expect([...paths].filter((path) => /^(?:node_modules|dist|build|\.git)\//.test(path))).toEqual([]);
  });

  test("every form of import is found, and none in a comment", () => {
    const text = [
      'import { a } from "./a.ts";',
      'import type { B } from "../b/index.ts";',
      'import {\n  type C,\n  type D,\n} from "./c.ts";',
      'import { type E, f } from "./e.ts";',
      'export * from "./g.ts";',
      'import "./h.ts";',
      'const i = await import("./i.ts");',
      'const worker = new Worker(new URL("./j-worker.js", import.meta.url));',
      '// import { k } from "./k.ts";',
      ' * import { l } from "./l.ts";',
      'import { m } from "m";',
    ].join("\n");
    const found = parseImports({ path: "src/x/y.ts", text });
    expect(found.map(({ target, specifier }) => target ?? specifier).toSorted()).toEqual([
      "m",
      "src/b/index.ts",
      "src/x/a.ts",
      "src/x/c.ts",
      "src/x/e.ts",
      "src/x/g.ts",
      "src/x/h.ts",
      "src/x/i.ts",
      "src/x/j-worker.ts",
    ]);
    expect(found.filter(({ typeOnly }) => typeOnly).map(({ specifier }) => specifier)).toEqual(["../b/index.ts"]);
    expect(found.filter(({ atOnce }) => !atOnce).map(({ specifier }) => specifier)).toEqual([
      "../b/index.ts",
      "./i.ts",
      "./j-worker.js",
    ]);
  });
});

describe("imports go down, through doors", () => {
  test("in this tree", () => {
    expect(checkFloors(tree)).toEqual([]);
  });

  test.each([
    ["up", "src/kernel/a.ts", 'import { x } from "../schemes/index.ts";', "that goes up"],
    ["up, for a type only", "src/kernel/a.ts", 'import type { X } from "../schemes/index.ts";', "that goes up"],
    ["up, from a test", "src/kernel/a.test.ts", 'import { x } from "../study/index.ts";', "that goes up"],
    ["up to the library's door", "src/study/a.ts", 'import { x } from "../index.ts";', "that goes up"],
    ["from the library's door to a command", "src/index.ts", 'export { x } from "./cli/index.ts";', "that goes up"],
    ["sideways", "src/server/a.ts", 'import { x } from "../web/index.ts";', "that goes sideways"],
    ["past the door", "src/study/a.ts", 'import { x } from "../schemes/page.ts";', "only the door"],
    ["past the door, from src/ itself", "src/index.ts", 'export { x } from "./study/ask.ts";', "only the door"],
    [
      "from a report to what makes results",
      "src/report/a.ts",
      'import { x } from "../study/index.ts";',
      "only its types",
    ],
    [
      "from the capture to the schemes",
      "src/capture/a.ts",
      'import { x } from "../schemes/index.ts";',
      "knows nothing",
    ],
    ["out of src/", "src/cli/a.ts", 'import { x } from "../../bench/x.ts";', "outside of src/"],
    ["by URL", "src/kernel/a.ts", 'new URL("../cli/index.ts", import.meta.url)', "that goes up"],
    ["from a floor that the table lacks", "src/cellar/a.ts", "", "not in the table"],
  ])("an import is refused: %s", (_, path, text, complaint) => {
    expect(checkFloors(importing(path, text))).toEqual([expect.stringContaining(complaint)]);
  });

  test.each([
    ["down to a door", "src/study/a.ts", 'import { x } from "../schemes/index.ts";'],
    ["within the folder", "src/schemes/registry.ts", 'import { page } from "./page.ts";'],
    ["a report and the types of a study", "src/report/a.ts", 'import type { X } from "../study/index.ts";'],
    ["the library's door and another's", "src/index.ts", 'export { x } from "./study/index.ts";'],
    ["a command and src/ itself", "src/cli/main.ts", 'import { VERSION } from "../version.ts";'],
    ["a test and what all tests share", "src/capture/a.test.ts", 'import { x } from "../../test/full-run.ts";'],
  ])("an import is allowed: %s", (_, path, text) => {
    expect(checkFloors(importing(path, text))).toEqual([]);
  });
});

describe("the lower floors run in the browser", () => {
  test("in this tree", () => {
    expect(checkPurity(tree)).toEqual([]);
  });

  test.each([
    ["Node", 'import { readFileSync } from "node:fs";'],
    ["a package", 'import { z } from "zod";'],
    ["a package's types", 'import type { ZodType } from "zod";'],
  ])("an import of %s is refused there", (_, text) => {
    for (const floor of ["kernel", "schemes", "memory", "figures", "decisions", "checker", "scenario"]) {
      expect(checkPurity(importing(`src/${floor}/a.ts`, text))).toHaveLength(1);
    }
    expect(checkPurity(importing("src/capture/a.ts", text))).toEqual([]);
    expect(checkPurity(importing("src/kernel/a.test.ts", text))).toEqual([]);
  });
});

describe("a question about a capture loads none of the model", () => {
  test("in this tree", () => {
    expect(checkStartUp(tree)).toEqual([]);
  });

  test("and not because nothing is seen: each command loads the capture and the report", () => {
    for (const command of CAPTURE_COMMANDS) {
      const floors = new Set([...loadedBy(tree, `src/cli/${command}.ts`).keys()].map((path) => path.split("/")[1]));
      expect([...floors], command).toEqual(expect.arrayContaining(["capture", "report"]));
    }
    expect([...loadedBy(tree, "src/cli/run.ts").keys()].some((path) => path.startsWith("src/memory/"))).toBe(true);
  });

  const command = { path: "src/cli/report.ts", text: 'const { x } = await import("../study/index.ts");' };
  const file = { path: "src/study/a.ts", text: 'import { ANON } from "../memory/index.ts";' };
  const model = { path: "src/memory/index.ts", text: "" };

  test("an import of it by a file behind the door is reported with the way there", () => {
    const door = { path: "src/study/index.ts", text: 'export { type X } from "./a.ts";' };
    expect(checkStartUp([command, door, file, model], ["report"])).toEqual([
      "foliometer report loads src/memory/index.ts: src/cli/report.ts -> src/study/index.ts -> src/study/a.ts",
    ]);
  });

  test.each([
    ["when called", 'export async function x() {\n  return import("./a.ts");\n}'],
    ["for its types", 'export type { X } from "./a.ts";'],
  ])("a door may name a file that imports it %s", (_, text) => {
    expect(checkStartUp([command, { path: "src/study/index.ts", text }, file, model], ["report"])).toEqual([]);
  });
});

describe("every file is used", () => {
  test("in this tree", () => {
    expect(checkReached(tree)).toEqual([]);
  });

  test("a file that only its own test imports is reported, and so is a circle of files", () => {
    const files = [
      { path: "src/index.ts", text: 'export { used } from "./study/index.ts";' },
      { path: "src/study/index.ts", text: 'new Worker(new URL("./a-worker.js", import.meta.url))' },
      { path: "src/study/a-worker.ts", text: "" },
      { path: "src/study/alone.ts", text: "" },
      { path: "src/study/alone.test.ts", text: 'import { x } from "./alone.ts";' },
      { path: "src/study/left.ts", text: 'import { right } from "./right.ts";' },
      { path: "src/study/right.ts", text: 'import { left } from "./left.ts";' },
      { path: "test/a.test.ts", text: 'import { x } from "./shared.ts";\nimport { y } from "../src/study/alone.ts";' },
      { path: "test/shared.ts", text: "" },
      { path: "test/left-over.ts", text: "" },
    ];
    expect(checkReached(files).map((complaint) => complaint.split(" ")[0])).toEqual([
      "src/study/alone.ts",
      "src/study/left.ts",
      "src/study/right.ts",
      "test/left-over.ts",
    ]);
  });
});

describe("names of files say what is in them", () => {
  test("in this tree", () => {
    expect(checkFileNames(tree)).toEqual([]);
  });

  test.each(["src/kernel/utils.ts", "src/kernel/string-helpers.ts", "test/common/a.ts", "bench/page-manager.ts"])(
    "%s is refused",
    (path) => {
      expect(checkFileNames([{ path, text: "" }])).toHaveLength(1);
    },
  );
});

describe("no function is longer than 70 lines", () => {
  test.each([
    [70, 0],
    [71, 1],
  ])("the linter answers a function of %d lines with exit code %d", (lineCount, exitCode) => {
    const folder = mkdtempSync(join(tmpdir(), "foliometer-tidy-"));
    try {
      const body = Array.from({ length: lineCount - 2 }, (_, index) => `  total += ${index};`);
      mkdirSync(join(folder, "src"));
      cpSync(join(projectRoot, ".oxlintrc.json"), join(folder, ".oxlintrc.json"));
      writeFileSync(
        join(folder, "src", "long.ts"),
        ["export let total = 0;", "export function long(): void {", ...body, "}", ""].join("\n"),
      );
      const oxlint = join(projectRoot, "node_modules", "oxlint", "bin", "oxlint");
      const lint = spawnSync(process.execPath, [oxlint, "src"], { cwd: folder, encoding: "utf8" });
      expect(lint.stdout.includes("max-lines-per-function")).toBe(exitCode === 1);
      expect(lint.status).toBe(exitCode);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("no word that belongs elsewhere", () => {
  test("in this tree", () => {
    expect(checkWords(tree)).toEqual([]);
  });

  test.each([
    ["docs/a.md", ["see ", "work", "notes"].join("/")],
    ["test/a.ts", ["", "farm", "x"].join("/")],
    ["package-lock.json", `https://${["registry", "npmjs", "org"].join(".")}/zod`],
    ["README.md", ["written by a coding", "agent"].join(" ")],
    ["src/kernel/a.ts", "// TODO: later"],
    ["src/kernel/a.ts", "// FIXME"],
  ])("one in %s is reported with its line", (path, word) => {
    const text = `first line\n${word}\n`;
    expect(checkWords([{ path, text }])).toEqual([expect.stringContaining(`${path}:2 `)]);
  });

  test("paths and words that only look alike are left alone", () => {
    const text = "example.org/work/a, ./work/a, autodoc, hackney; TODOS";
    expect(checkWords([{ path: "src/kernel/a.ts", text }])).toEqual([]);
  });
});

describe("dependencies are pinned, explained and installable", () => {
  test("in this tree", () => {
    expect(checkDependencies(tree)).toEqual([]);
    expect(checkLock(tree)).toEqual([]);
  });

  test("one without a line, one without a version and a line without its dependency are reported", () => {
    const manifest = { version: "1.0.0", dependencies: { zod: "^4.0.0" }, devDependencies: { vitest: "4.1.11" } };
    const files = [
      { path: "package.json", text: JSON.stringify(manifest) },
      { path: "docs/dependencies.md", text: "| `zod` | validation |\n| `left-pad` | padding |\n" },
    ];
    expect(checkDependencies(files)).toEqual([
      "package.json: zod ^4.0.0 is not one exact version",
      "docs/dependencies.md has no line for vitest",
      "docs/dependencies.md has a line for left-pad, which is no dependency",
    ]);
  });

  test("a lock file without the package of a foreign platform is reported", () => {
    const packages = { "node_modules/a": { optionalDependencies: { "@a/linux": "1.0.0", "@a/darwin": "1.0.0" } } };
    const lock = { packages: { ...packages, "node_modules/a/node_modules/@a/linux": {} } };
    expect(checkLock([{ path: "package-lock.json", text: JSON.stringify(lock) }])).toEqual([
      expect.stringContaining("package-lock.json lacks @a/darwin"),
    ]);
  });
});

describe("the changelog begins with this version", () => {
  test("in this tree", () => {
    expect(checkChangelog(tree)).toEqual([]);
  });

  test("another version and an empty changelog are reported", () => {
    expect(checkChangelog(withFile("CHANGELOG.md", "## [0.0.1] - 2026-01-01\n"))).toHaveLength(1);
    expect(checkChangelog(withFile("CHANGELOG.md", ""))).toHaveLength(1);
  });
});

describe("every scheme is in the registry", () => {
  test("in this tree", () => {
    expect(checkRegistry(tree)).toEqual([]);
  });

  test("a scheme that nobody registered is reported, and one that is imported but not listed", () => {
    const text = 'export const strange: Scheme = {\n  id: "strange",\n};\n';
    expect(checkRegistry(withFile("src/schemes/strange.ts", text))).toHaveLength(1);
    const registry = 'import { strange } from "./strange.ts";\nexport const SCHEMES: readonly Scheme[] = [];\n';
    const files = [
      { path: "src/schemes/registry.ts", text: registry },
      { path: "src/schemes/strange.ts", text },
    ];
    expect(checkRegistry(files)).toHaveLength(1);
  });

  test("there are at least three", () => {
    expect(tree.filter(({ text }) => /^export const \w+: Scheme\b/m.test(text)).length).toBeGreaterThanOrEqual(3);
  });
});
