/**
 * What a command loads before it answers: a question about a capture waits for no code of the model.
 *
 * Loading is a quarter of the time of a small question, and the model with its scenarios, workloads, decisions and checker
 * is nearly half of all code. The rule sees a file load what it imports as values, and a file of cli/ also what it imports
 * when called, for that is how a command gets at what it needs. The functions by which other floors' doors load more when
 * called (a comparison, the writing of a capture) are not followed: which of them a command calls is its own business.
 */
import { floorOf, parseImports, type SourceFile } from "./source-tree.ts";

/** Commands that ask captures, or the running machine. */
export const CAPTURE_COMMANDS = [
  "capture",
  "diff",
  "export",
  "exporter",
  "folios",
  "free",
  "record",
  "report",
  "sharing",
  "smaps",
  "timeline",
  "watch",
  "who",
] as const;

/** Floors of the model and of what is done with it. */
const MODEL_FLOORS = new Set(["memory", "scenario", "workloads", "checker", "decisions"]);

/** The files that a file loads, itself among them, each with the one that loaded it first. */
export function loadedBy(files: readonly SourceFile[], path: string): ReadonlyMap<string, string | undefined> {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const loaderOf = new Map<string, string | undefined>([[path, undefined]]);
  // A map is walked in the order in which it grows.
  for (const loader of loaderOf.keys()) {
    const file = byPath.get(loader);
    if (file === undefined) continue;
    const isCommand = floorOf(loader) === "cli";
    for (const { target, typeOnly, atOnce } of parseImports(file)) {
      if (target === undefined || typeOnly || loaderOf.has(target)) continue;
      if (atOnce || isCommand) loaderOf.set(target, loader);
    }
  }
  return loaderOf;
}

/** No command that asks captures loads a file of the model. */
export function checkStartUp(
  files: readonly SourceFile[],
  commands: readonly string[] = CAPTURE_COMMANDS,
): readonly string[] {
  return commands.flatMap((command) => {
    const loaderOf = loadedBy(files, `src/cli/${command}.ts`);
    const doors = [...loaderOf.keys()].filter(
      (path) => MODEL_FLOORS.has(floorOf(path) ?? "") && path.endsWith("/index.ts"),
    );
    const first = doors.at(0);
    return first === undefined ? [] : [`foliometer ${command} loads ${first}: ${wayTo(first, loaderOf)}`];
  });
}

function wayTo(path: string, loaderOf: ReadonlyMap<string, string | undefined>): string {
  const way: string[] = [];
  for (let loader = loaderOf.get(path); loader !== undefined; loader = loaderOf.get(loader)) way.unshift(loader);
  return way.join(" -> ");
}
