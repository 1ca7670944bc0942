/**
 * A tree of files as a tar archive, compressed or not, written as it comes.
 */
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import type { Writable } from "node:stream";
import { createGzip } from "node:zlib";
import { formatTarHeader, tarEnd, tarPadding } from "../report/index.ts";
import type { Owner, ProcTree } from "./export-output.ts";

/** Opens an archive at a path; undefined: on stdout. `modifiedMs` (since 1970) is the time that all files get. */
export function openTar(
  path: string | undefined,
  { gzip, modifiedMs }: { readonly gzip: boolean; readonly modifiedMs: number },
): ProcTree {
  const file = path === undefined ? process.stdout : createWriteStream(path, { mode: 0o644 });
  const compressor = gzip ? createGzip() : undefined;
  compressor?.pipe(file);
  const stream: Writable = compressor ?? file;
  // An error of the file (a full disk) ends `finish`, which waits for the file; one without a listener would throw.
  const done = path === undefined ? Promise.resolve() : finished(file);
  done.catch(() => undefined);
  const write = async (bytes: Uint8Array): Promise<void> => {
    if (bytes.length > 0 && !stream.write(bytes)) await Promise.race([once(stream, "drain"), done]);
  };
  const header = (name: string, kind: "file" | "directory", sizeBytes: number, owner: Owner): Uint8Array =>
    formatTarHeader({ name, kind, sizeBytes, ...owner, modifiedSeconds: modifiedMs / 1000 });
  return {
    async addDirectory(name, owner) {
      await write(header(name, "directory", 0, owner));
    },
    async addFile(name, content, owner) {
      await write(header(name, "file", content.length, owner));
      await write(content);
      await write(tarPadding(content.length));
    },
    async finish() {
      await write(tarEnd());
      if (path !== undefined) stream.end();
      await done;
    },
  };
}
