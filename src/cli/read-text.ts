/**
 * A text that a command is given: a file, or `-` for standard input. Not more is read than the text may have.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { UsageError } from "./exit-codes.ts";

const STDIN = 0;
const WHY: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a directory",
  EACCES: "permission denied",
};

/** Bytes asked for at a time. */
const CHUNK_BYTES = 65_536;

/** The text (UTF-8), of which not more than `bytesMax` bytes are read. Throws UsageError if it cannot be read. */
export function readText(file: string, bytesMax: number): string {
  const chunks: Buffer[] = [];
  let used = 0;
  try {
    const fd = file === "-" ? STDIN : openSync(file, "r");
    try {
      while (used < bytesMax) {
        const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, bytesMax - used));
        const got = readSync(fd, chunk, 0, chunk.length, null);
        if (got === 0) break;
        chunks.push(chunk.subarray(0, got));
        used += got;
      }
    } finally {
      if (fd !== STDIN) closeSync(fd);
    }
  } catch (error) {
    throw new UsageError(`Cannot read ${file}: ${whyNot(error)}.`);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Why a file could not be read or written, in a few words. */
export function whyNot(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? "unknown";
  return WHY[code] ?? code;
}
