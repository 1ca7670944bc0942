/**
 * manifest.json: what a capture's directory holds. It is written last, so a directory without it is no capture.
 *
 *     format "foliometer-capture", formatVersion 1     what this is, and the rule: a reader opens its version and older
 *     tables                                           columns and types of every table, for readers other than us
 *     files                                            table, bytes, rows and SHA-256 of every file
 *     agreement, cost, notes, wholeMachine             what the reading has to say of itself
 *     redaction                                        what was replaced by pseudonyms; null: nothing
 */
import { createHash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { z } from "zod";
import { quoteUntrusted } from "../kernel/index.ts";
import { BadCapture } from "./bad-capture.ts";
import type { WrittenFile } from "./parquet-table.ts";
import { MAPPINGS_TABLE, TABLES } from "./table-schema.ts";

export const MANIFEST_NAME = "manifest.json";
export const CAPTURE_FORMAT = "foliometer-capture";
export const FORMAT_VERSION = 1;

/** Ours have a few kilobytes. */
const MANIFEST_BYTES_MAX = 4_194_304;
const FILES_MAX = 1024;
/** Parts of the mappings: one a reader thread. */
const NAME_OF_FILE = /^(?:mappings-[0-9]{1,3}|[a-z]{1,20})\.parquet$/;
const READ_BYTES = 1_048_576;

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const amount = z.number().min(0);

/** What a manifest must look like; a recording keeps the manifests of its captures. */
export const ManifestSchema = z.object({
  format: z.literal(CAPTURE_FORMAT),
  formatVersion: z.literal(FORMAT_VERSION),
  complete: z.literal(true),
  createdBy: z.string(),
  tables: z.record(
    z.string(),
    z.object({
      columns: z.array(z.object({ name: z.string(), type: z.string(), nullable: z.boolean() })),
    }),
  ),
  files: z
    .array(
      z.object({
        name: z.string().regex(NAME_OF_FILE),
        table: z.string(),
        bytes: count,
        rows: count,
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
      }),
    )
    .max(FILES_MAX),
  wholeMachine: z.boolean(),
  withSmaps: z.boolean(),
  notes: z.array(z.string()),
  agreement: z.object({
    framesChecked: count,
    everyFrame: z.boolean(),
    differedFirst: count,
    differAfter: count,
    kernelCountsMore: count,
    refusal: z.string().nullable(),
  }),
  cost: z.object({
    pagemapBytes: count,
    kpageflagsBytes: count,
    kpagecountBytes: count,
    pagemapReads: count,
    scans: count,
    longestScanMs: amount,
    entriesPresent: count,
    entriesNotPresent: count,
    entriesBeyondFrames: count,
    foliosTorn: count,
    phasesMs: z.record(z.string(), amount),
    elapsedMs: amount,
    threads: count,
  }),
  redaction: z
    .object({
      pfns: z.literal(true),
      strings: z.literal(true),
      /** Equal for captures whose pseudonyms may be compared. */
      keyId: z.string(),
    })
    .nullable(),
});

export type Manifest = z.infer<typeof ManifestSchema>;
export type ManifestFile = Manifest["files"][number];
export type Redaction = NonNullable<Manifest["redaction"]>;

/** Columns of all tables, as the manifest lists them. */
export function describeTables(): Manifest["tables"] {
  return Object.fromEntries(
    [...TABLES, MAPPINGS_TABLE].map(({ name, columns }) => [
      name,
      { columns: columns.map((column) => ({ ...column })) },
    ]),
  );
}

/** The manifest's text. What does not belong in it is dropped, so that it always reads back. */
export function formatManifest(manifest: Manifest): string {
  return `${JSON.stringify(ManifestSchema.parse(manifest), undefined, 2)}\n`;
}

/** Reads and checks a directory's manifest; throws BadCapture. */
export function readManifest(directory: string): Manifest {
  const names = listDirectory(directory);
  const path = join(directory, MANIFEST_NAME);
  if (!names.includes(MANIFEST_NAME)) {
    const hasTables = names.some((name) => NAME_OF_FILE.test(name));
    if (hasTables || basename(directory).includes(".partial-")) {
      throw new BadCapture("incomplete", directory, `has no ${MANIFEST_NAME}, so it was interrupted`);
    }
    throw new BadCapture("not-a-capture", directory, `has no ${MANIFEST_NAME}`);
  }
  const written = parseJson(readSmallFile(path), path);
  checkVersion(written, path);
  const parsed = ManifestSchema.safeParse(written);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = quoteUntrusted(issue.path.map(String).join("."));
    throw new BadCapture("damaged", path, `is not what was written at ${where} (${printable(issue.message)})`);
  }
  checkFileList(parsed.data, path);
  return parsed.data;
}

function printable(text: string): string {
  return quoteUntrusted(text).slice(1, -1);
}

function listDirectory(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new BadCapture("not-a-capture", directory, "does not exist");
    if (code === "ENOTDIR") throw new BadCapture("not-a-capture", directory, "is not a directory");
    throw new BadCapture("not-a-capture", directory, `cannot be read (${code})`);
  }
}

/** The text of a manifest or of another small file; BadCapture if it is none. */
export function readSmallFile(path: string): string {
  const fd = openCaptureFile(path);
  try {
    const { size } = fstatSync(fd);
    if (size > MANIFEST_BYTES_MAX) throw new BadCapture("foreign", path, `is larger than ${MANIFEST_BYTES_MAX} bytes`);
    const bytes = Buffer.alloc(size);
    const got = readSync(fd, bytes, 0, size, 0);
    return bytes.toString("utf8", 0, got);
  } finally {
    closeSync(fd);
  }
}

/** Opens a regular file; BadCapture if it is not there or something else. */
export function openCaptureFile(path: string): number {
  let fd: number;
  try {
    // Without O_NONBLOCK a FIFO of this name would be waited for.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new BadCapture("damaged", path, code === "ENOENT" ? "is missing" : `cannot be opened (${code})`);
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new BadCapture("damaged", path, "is not a file");
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new BadCapture("damaged", path, "is not JSON");
  }
}

/** Format and version before all else: a newer manifest may look different in every other field. */
function checkVersion(written: unknown, path: string): void {
  const fields = (typeof written === "object" && written !== null ? written : {}) as Readonly<Record<string, unknown>>;
  if (fields.format !== CAPTURE_FORMAT) {
    throw new BadCapture(
      "not-a-capture",
      path,
      `is the manifest of something else: its format is not "${CAPTURE_FORMAT}"`,
    );
  }
  const version = fields.formatVersion;
  if (typeof version !== "number" || !Number.isInteger(version) || version < 1) {
    throw new BadCapture("damaged", path, "has no format version");
  }
  if (version > FORMAT_VERSION) {
    const writer = typeof fields.createdBy === "string" ? `, written by ${quoteUntrusted(fields.createdBy)}` : "";
    throw new BadCapture("newer-version", path, `has format version ${version}${writer}, and this reader knows 1`);
  }
  if (fields.complete !== true) throw new BadCapture("incomplete", path, "does not say that the capture was completed");
}

/** Throws BadCapture unless the manifest lists every table once, and nothing else. */
export function checkFileList(manifest: Pick<Manifest, "files">, path: string): void {
  const names = new Set(manifest.files.map(({ name }) => name));
  if (names.size !== manifest.files.length) throw new BadCapture("damaged", path, "lists a file twice");
  for (const { name } of TABLES) {
    if (manifest.files.filter(({ table, name: file }) => table === name && file === `${name}.parquet`).length !== 1) {
      throw new BadCapture("damaged", path, `does not list the table "${name}"`);
    }
  }
  const parts = manifest.files.filter(({ table }) => table === MAPPINGS_TABLE.name);
  if (parts.length === 0) throw new BadCapture("damaged", path, "lists no mappings");
  for (const { name } of parts) {
    if (!name.startsWith("mappings-")) throw new BadCapture("damaged", path, `lists ${name} as mappings`);
  }
  if (manifest.files.length !== TABLES.length + parts.length) {
    throw new BadCapture("foreign", path, "lists a table that this format does not have");
  }
}

/** The size and SHA-256 of a file. */
export function measureFile(path: string): Pick<WrittenFile, "bytes" | "sha256"> {
  const fd = openCaptureFile(path);
  try {
    const hash = createHash("sha256");
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    let bytes = 0;
    for (;;) {
      const got = readSync(fd, buffer, 0, buffer.length, bytes);
      if (got === 0) return { bytes, sha256: hash.digest("hex") };
      hash.update(buffer.subarray(0, got));
      bytes += got;
    }
  } finally {
    closeSync(fd);
  }
}

/** Whether a manifest belongs to a capture of any version, also of one that cannot be opened. */
export function isManifestOfCapture(path: string): boolean {
  try {
    return (JSON.parse(readSmallFile(path)) as { readonly format?: unknown } | null)?.format === CAPTURE_FORMAT;
  } catch {
    // Not readable or not JSON: then it is not known to be ours.
    return false;
  }
}
