/**
 * The last steps of writing a capture's directory: footers of the mappings, tables, manifest.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CaptureFacts } from "./capture-facts.ts";
import {
  CAPTURE_FORMAT,
  FORMAT_VERSION,
  MANIFEST_NAME,
  type Manifest,
  type ManifestFile,
  describeTables,
  formatManifest,
  measureFile,
} from "./manifest.ts";
import { writeMappingFooter } from "./mapping-file.ts";
import { type StoredGroup, partName } from "./mapping-part.ts";
import { MAPPINGS_TABLE } from "./table-schema.ts";
import { writeTables } from "./write-tables.ts";

/** Writes the footers of the mappings parts and measures their files. */
export function finishParts(directory: string, groupsOfParts: readonly (readonly StoredGroup[])[]): ManifestFile[] {
  return groupsOfParts.map((groups, thread) => {
    const name = partName(thread);
    const path = join(directory, name);
    const rows = writeMappingFooter(path, groups);
    return { name, table: MAPPINGS_TABLE.name, rows, ...measureFile(path) };
  });
}

/** Writes the tables and, last, the manifest. */
export function writeFacts(
  directory: string,
  facts: CaptureFacts,
  parts: readonly ManifestFile[],
  about: Pick<Manifest, "createdBy" | "wholeMachine" | "withSmaps" | "notes" | "agreement" | "cost" | "redaction">,
): Manifest {
  const manifest: Manifest = {
    format: CAPTURE_FORMAT,
    formatVersion: FORMAT_VERSION,
    complete: true,
    ...about,
    tables: describeTables(),
    files: [...writeTables(directory, facts), ...parts],
  };
  writeFileSync(join(directory, MANIFEST_NAME), formatManifest(manifest), { flag: "wx", mode: 0o600 });
  return manifest;
}
