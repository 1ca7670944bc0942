/**
 * The files of a stored capture: whether they are what the manifest says, and what they hold.
 *
 * Size and SHA-256 are compared before a table is read. A file that differs is looked at once more, because a capture
 * that another tool rewrote is not damaged, and telling its owner so would send them looking for a broken disk.
 */
import { closeSync, fstatSync } from "node:fs";
import { join } from "node:path";
import { BadCapture } from "./bad-capture.ts";
import type { CaptureFacts } from "./capture-facts.ts";
import { type Manifest, type ManifestFile, measureFile, openCaptureFile, readManifest } from "./manifest.ts";
import { readMappingGroups } from "./mapping-file.ts";
import type { StoredGroup } from "./mapping-part.ts";
import { isWrittenByUs } from "./plain-parquet.ts";
import { readTables } from "./read-tables.ts";
import { MAPPINGS_TABLE } from "./table-schema.ts";

/** What lies in a capture's directory, but for the runs themselves. */
export interface StoredFiles {
  readonly manifest: Manifest;
  readonly facts: CaptureFacts;
  /** Row groups of each mappings file. */
  readonly parts: readonly (readonly StoredGroup[])[];
}

/** Reads and checks all files; throws BadCapture. */
export async function readStoredFiles(directory: string, signal?: AbortSignal): Promise<StoredFiles> {
  const manifest = readManifest(directory);
  for (const file of manifest.files) {
    signal?.throwIfAborted();
    checkStoredFile(directory, file);
  }
  const facts = await readTables(directory, manifest);
  const parts = manifest.files
    .filter(({ table }) => table === MAPPINGS_TABLE.name)
    .map(({ name, rows }) => {
      const path = join(directory, name);
      const groups = readMappingGroups(path);
      if (groups.reduce((sum, group) => sum + group.rows, 0) !== rows) {
        throw new BadCapture("damaged", path, "has another number of rows than the manifest says");
      }
      return groups;
    });
  return { manifest, facts, parts };
}

/** Throws BadCapture unless the file is, byte for byte, the one that was written. */
export function checkStoredFile(
  directory: string,
  { name, bytes, sha256 }: Pick<ManifestFile, "name" | "bytes" | "sha256">,
): void {
  const path = join(directory, name);
  const fd = openCaptureFile(path);
  try {
    const { size } = fstatSync(fd);
    if (size === bytes && measureFile(path).sha256 === sha256) return;
    const isOurs = isWrittenByUs(fd, path);
    if (isOurs === false) throw new BadCapture("foreign", path, "was written by another program");
    if (isOurs === true) throw new BadCapture("damaged", path, "is not the file that the manifest describes");
    if (size < bytes) throw new BadCapture("truncated", path, `has ${size} of ${bytes} bytes`);
    if (size > bytes) throw new BadCapture("damaged", path, `has ${size} bytes instead of ${bytes}`);
    throw new BadCapture("damaged", path, "has another content than was written");
  } finally {
    closeSync(fd);
  }
}
