/**
 * The rules of the house that concern the code's structure: who may import whom, what floats free, what is named how.
 *
 * A rule is a function from files to complaints; no complaint means that it holds. The table of floors is the one of
 * docs/architecture.md, top to bottom.
 */
import { floorOf, isTestFile, parseImports, type Import, type SourceFile } from "./source-tree.ts";

/** A folder imports only from folders of lines below its own. */
const FLOORS: readonly (readonly string[])[] = [
  ["cli"],
  ["server", "web"],
  ["report"],
  ["study"],
  ["checker"],
  ["calibration"],
  ["capture"],
  ["workloads"],
  ["scenario"],
  ["decisions"],
  ["figures"],
  ["memory"],
  ["schemes"],
  ["kernel"],
];

/** They run in the browser as they are: neither Node nor any package. */
const PURE_FLOORS = new Set([
  "kernel",
  "schemes",
  "memory",
  "figures",
  "decisions",
  "checker",
  "scenario",
  "workloads",
]);

/** A report gets a result and gives bytes: of those who make results it may know the types only. */
const RESULT_MAKERS = new Set(["study", "checker", "calibration", "capture", "workloads", "scenario", "memory"]);

/** Pairs in the right order that still may not know each other: both emit events, and whoever counts them is no concern. */
const STRANGERS = new Set(["memory -> schemes", "capture -> schemes"]);

/** Programs that are started, not imported. */
const ENTRIES = new Set(["src/index.ts", "src/cli/main.ts"]);

function rankOf(floor: string): number {
  return FLOORS.findIndex((names) => names.includes(floor));
}

/** No import goes up or sideways, and of another folder only its door is imported. */
export function checkFloors(files: readonly SourceFile[]): string[] {
  const complaints: string[] = [];
  for (const file of files) {
    const floor = floorOf(file.path);
    if (floor === undefined) continue;
    if (floor !== "" && rankOf(floor) < 0) complaints.push(`${file.path}: src/${floor} is not in the table of floors`);
    for (const imported of parseImports(file)) {
      const complaint = complaintAboutImport(file, floor, imported);
      if (complaint !== undefined) complaints.push(`${file.path} imports ${imported.specifier}: ${complaint}`);
    }
  }
  return complaints;
}

function complaintAboutImport(file: SourceFile, floor: string, { target, typeOnly }: Import): string | undefined {
  if (target === undefined) return undefined;
  const targetFloor = floorOf(target);
  if (targetFloor === undefined) return isTestFile(file.path) ? undefined : "it is outside of src/";
  if (targetFloor === floor) return undefined;
  if (targetFloor === "") return floor === "cli" ? undefined : "that goes up";
  if (target !== `src/${targetFloor}/index.ts`) return `only the door src/${targetFloor}/index.ts may be imported`;
  if (floor === "") return targetFloor === "cli" ? "that goes up" : undefined;
  if (rankOf(targetFloor) === rankOf(floor)) return "that goes sideways";
  if (rankOf(targetFloor) < rankOf(floor)) return "that goes up";
  if (floor === "report" && RESULT_MAKERS.has(targetFloor) && !typeOnly) return "a report may import only its types";
  if (STRANGERS.has(`${floor} -> ${targetFloor}`)) return `${floor} knows nothing of ${targetFloor}`;
  return undefined;
}

/** The floors that run in the browser import neither node: nor a package. */
export function checkPurity(files: readonly SourceFile[]): string[] {
  const complaints: string[] = [];
  for (const file of files) {
    if (!PURE_FLOORS.has(floorOf(file.path) ?? "") || isTestFile(file.path)) continue;
    for (const { specifier, target } of parseImports(file)) {
      if (target === undefined)
        complaints.push(`${file.path} imports ${specifier}, and src/${floorOf(file.path)} is pure`);
    }
  }
  return complaints;
}

/**
 * Every file of src/ is reached from an entry without a test's help, and every file of test/ that is no test itself
 * is imported by one.
 */
export function checkReached(files: readonly SourceFile[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const isEntry = (path: string): boolean => ENTRIES.has(path) || path.endsWith(".test.ts");
  const reached = new Set<string>();
  const waiting = files.filter((file) => isEntry(file.path));
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (reached.has(file.path)) continue;
    reached.add(file.path);
    for (const { target } of parseImports(file)) {
      const next = target === undefined ? undefined : byPath.get(target);
      if (next !== undefined && (isTestFile(next.path) || !isTestFile(file.path))) waiting.push(next);
    }
  }
  return files
    .filter(({ path }) => /^(?:src|test)\/.*\.ts$/.test(path) && !path.endsWith(".test.ts") && !reached.has(path))
    .map(({ path }) => `${path} is imported by nobody`);
}

const EMPTY_NAMES = new Set(["util", "utils", "helper", "helpers", "manager", "common", "misc"]);

/** No file or folder has a name that says nothing. */
export function checkFileNames(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ path }) => /^(?:src|test|bench|scripts)\//.test(path))
    .filter(({ path }) => path.split(/[/.-]/).some((word) => EMPTY_NAMES.has(word.toLowerCase())))
    .map(({ path }) => `${path}: the name says nothing about what is in it`);
}

const EXPORTS_SCHEME = /^export const (?<name>\w+)(?:: Scheme\b|[^;]*?\bsatisfies Scheme\b)/m;

/** Every file that exports a scheme is imported by the registry, and the scheme stands in its list. */
export function checkRegistry(files: readonly SourceFile[]): string[] {
  const registry = files.find(({ path }) => path === "src/schemes/registry.ts");
  if (registry === undefined) return ["src/schemes/registry.ts is missing"];
  const listed = /\bSCHEMES\b[^=]*=\s*\[(?<names>[^\]]*)\]/.exec(registry.text)?.groups?.names ?? "";
  const names = new Set(listed.split(",").map((name) => name.trim()));
  const targets = new Set(parseImports(registry).map(({ target }) => target));
  const complaints: string[] = [];
  for (const file of files) {
    if (floorOf(file.path) !== "schemes" || isTestFile(file.path)) continue;
    const name = EXPORTS_SCHEME.exec(file.text)?.groups?.name;
    if (name === undefined) continue;
    if (!targets.has(file.path) || !names.has(name)) complaints.push(`${file.path}: ${name} is not in the registry`);
  }
  return complaints;
}
