/**
 * The tree as the rules see it: every text file of the project with its path, and what each TypeScript file imports.
 *
 * Left out is what .gitignore leaves out and what is not text (a NUL byte in its first 8 KiB). Imports are found by
 * their form at the beginning of a line, which the formatter guarantees, plus `import("...")` and
 * `new URL("...", import.meta.url)`, by which worker threads and child programs are loaded.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";

export interface SourceFile {
  /** From the project's root, with slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Import {
  /** As written: "./page.ts", "node:fs", "zod". */
  readonly specifier: string;
  /** The file it means, from the project's root, for a relative import; the extension .js of a built file is .ts. */
  readonly target: string | undefined;
  /** Only types: nothing of it is left at run time. */
  readonly typeOnly: boolean;
  /** Loaded when the importing file is, and not by a call of `import()` or as a thread. */
  readonly atOnce: boolean;
}

export const projectRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const TEXT_PROBE_BYTES = 8192;

/** All text files of the project. */
export function readTree(root: string = projectRoot): SourceFile[] {
  const ignored = new Set([".git", "node_modules"]);
  for (const line of readFileSync(join(root, ".gitignore"), "utf8").split("\n")) ignored.add(line.replace(/\/$/, ""));
  const files: SourceFile[] = [];
  readFolder(root, "", ignored, files);
  return files;
}

function readFolder(root: string, folder: string, ignored: ReadonlySet<string>, files: SourceFile[]): void {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const { name } = entry;
    const path = folder === "" ? name : `${folder}/${name}`;
    if (ignored.has(name) || ignored.has(`*${name.slice(name.lastIndexOf("."))}`)) continue;
    if (entry.isDirectory()) readFolder(root, path, ignored, files);
    else if (entry.isFile()) {
      const bytes = readFileSync(join(root, path));
      if (!bytes.subarray(0, TEXT_PROBE_BYTES).includes(0)) files.push({ path, text: bytes.toString("utf8") });
    }
  }
}

const STATIC_IMPORT = /^(?:import|export)\s(?<clause>[^;"']*?)\sfrom\s+"(?<specifier>[^"]+)"/gm;
const BARE_IMPORT = /^import\s+"(?<specifier>[^"]+)"/gm;
const DYNAMIC_IMPORT = /\bimport\(\s*"(?<specifier>[^"]+)"/g;
const URL_REFERENCE = /\bnew URL\(\s*["'`](?<specifier>\.[^"'`$]+)/g;

/** Everything that a file imports, exports from another file, or loads by URL. */
export function parseImports(file: SourceFile): Import[] {
  const code = file.text.replace(/^\s*(?:\/\/|\*|\/\*\*).*$/gm, "");
  const imports: Import[] = [];
  for (const form of [STATIC_IMPORT, BARE_IMPORT, DYNAMIC_IMPORT, URL_REFERENCE]) {
    for (const { groups } of code.matchAll(form)) {
      const specifier = groups?.specifier ?? "";
      const typeOnly = isTypeOnly(groups?.clause);
      imports.push({
        specifier,
        target: resolveTarget(file.path, specifier),
        typeOnly,
        atOnce: !typeOnly && (form === STATIC_IMPORT || form === BARE_IMPORT),
      });
    }
  }
  return imports;
}

function resolveTarget(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  return posix.join(posix.dirname(from), specifier).replace(/\.js$/, ".ts");
}

/** `import type {...}`. Braces in which every name is a `type` are emptied, but the file is loaded. */
function isTypeOnly(clause: string | undefined): boolean {
  return clause !== undefined && /^type\s/.test(clause);
}

/** A test, or a file that only tests read. */
export function isTestFile(path: string): boolean {
  return path.endsWith(".test.ts") || path.startsWith("test/");
}

/** The floor a file of src/ lives on ("kernel"), "" for a file of src/ itself, undefined elsewhere. */
export function floorOf(path: string): string | undefined {
  if (!path.startsWith("src/")) return undefined;
  const parts = path.split("/");
  return parts.length === 2 ? "" : parts[1];
}
