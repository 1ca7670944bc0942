/**
 * The rules that concern what is written down: words that may not stand anywhere, dependencies and why we have them,
 * the lock file, the changelog.
 *
 * A rule is a function from files to complaints; no complaint means that it holds.
 */
import { z } from "zod";
import type { SourceFile } from "./source-tree.ts";

const VersionByName = z.record(z.string(), z.string()).optional();
const PackageJson = z.object({
  version: z.string(),
  dependencies: VersionByName,
  devDependencies: VersionByName,
  optionalDependencies: VersionByName,
});
const PackageLock = z.object({ packages: z.record(z.string(), z.object({ optionalDependencies: VersionByName })) });

/** Words that belong to somebody's machine and not to the project. No pattern may match its own text. */
const FORBIDDEN_EVERYWHERE: readonly (readonly [RegExp, string])[] = [
  [/(?<![\w.])\/(?:work|farm)\//, "an absolute path of somebody's machine"],
  [/\bregistry\.(?:npmjs|yarnpkg)\b|\bdeb\.debian\.(?:org)\b/, "the host name of a package registry"],
  [/\bsub-?agents?\b|\b(?:AI|coding) (?:agent|session)s?\b/i, "a word of somebody's workplace"],
];
const FORBIDDEN_IN_SOURCE: readonly (readonly [RegExp, string])[] = [
  [/\b(?:TODO|FIXME|XXX|HACK)\b/, "work left for later belongs in an issue"],
];

/** No forbidden word in any text file. */
export function checkWords(files: readonly SourceFile[]): string[] {
  const complaints: string[] = [];
  for (const { path, text } of files) {
    const patterns = path.startsWith("src/") ? [...FORBIDDEN_EVERYWHERE, ...FORBIDDEN_IN_SOURCE] : FORBIDDEN_EVERYWHERE;
    for (const [pattern, why] of patterns) {
      const found = pattern.exec(text);
      if (found === null) continue;
      const lineNumber = text.slice(0, found.index).split("\n").length;
      complaints.push(`${path}:${lineNumber} has "${found[0]}": ${why}`);
    }
  }
  return complaints;
}

function textOf(files: readonly SourceFile[], path: string): string {
  return files.find((file) => file.path === path)?.text ?? "";
}

function readPackage(files: readonly SourceFile[]): z.infer<typeof PackageJson> {
  return PackageJson.parse(JSON.parse(textOf(files, "package.json")));
}

/** Every dependency is pinned to one version and has its line in docs/dependencies.md; no line is for one we left. */
export function checkDependencies(files: readonly SourceFile[]): string[] {
  const { dependencies, devDependencies, optionalDependencies } = readPackage(files);
  const versions = { ...dependencies, ...devDependencies, ...optionalDependencies };
  const rows = textOf(files, "docs/dependencies.md").matchAll(/^\| `(?<name>[^`]+)` \|/gm);
  const described = new Set(Array.from(rows, ({ groups }) => groups?.name));
  const complaints: string[] = [];
  for (const [name, version] of Object.entries(versions)) {
    if (!/^\d/.test(version)) complaints.push(`package.json: ${name} ${version} is not one exact version`);
    if (!described.delete(name)) complaints.push(`docs/dependencies.md has no line for ${name}`);
  }
  for (const name of described) complaints.push(`docs/dependencies.md has a line for ${name}, which is no dependency`);
  return complaints;
}

/** Every optional platform package is in the lock file; `npm ci` refuses one that lacks any. */
export function checkLock(files: readonly SourceFile[]): string[] {
  const { packages } = PackageLock.parse(JSON.parse(textOf(files, "package-lock.json")));
  const locked = new Set(Object.keys(packages).map((path) => path.slice(path.lastIndexOf("node_modules/") + 13)));
  const complaints: string[] = [];
  for (const [path, entry] of Object.entries(packages)) {
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      if (!locked.has(name))
        complaints.push(`package-lock.json lacks ${name}, an option of ${path}: complete-lock.mjs`);
    }
  }
  return complaints;
}

/** The newest version of CHANGELOG.md is the package's. */
export function checkChangelog(files: readonly SourceFile[]): string[] {
  const { version } = readPackage(files);
  const headings = textOf(files, "CHANGELOG.md").matchAll(/^## \[(?<version>\d[^\]]*)\]/gm);
  const newest = headings.next().value?.groups?.version;
  if (newest === version) return [];
  return [`CHANGELOG.md's newest version is ${newest ?? "missing"}, package.json's is ${version}`];
}
