/**
 * What comes with the package beside its code: its version and the sample capture. Found from this file's own place,
 * which is two folders below the package's root, as TypeScript and compiled.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** The version in package.json. */
export function readVersion(): string {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { readonly version: string };
  return version;
}

/** The directory of the sample capture. */
export function sampleCapture(): string {
  return join(root, "examples", "sample-capture");
}
