/**
 * A tree of files as a tar archive, compressed or not, written as it comes.
 *
 * Whoever writes faster than the disk or the reader takes it waits; an error of the file ends the waiting. stdout is not
 * ended, and its errors are everybody's (run-action.ts).
 */
import { createWriteStream } from "node:fs";
import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
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
  const stream = new PatientStream(compressor ?? file, path === undefined ? undefined : file);
  const write = async (entry: Parameters<typeof formatTarHeader>[0], content?: Buffer): Promise<void> => {
    await stream.write(formatTarHeader(entry));
    if (content === undefined) return;
    await stream.write(content);
    await stream.write(tarPadding(content.length));
  };
  const entry = (name: string, owner: Owner): Owner & { readonly name: string; readonly modifiedSeconds: number } => {
    return { ...owner, name, modifiedSeconds: modifiedMs / 1000 };
  };
  return {
    addDirectory: async (name, owner) => write({ ...entry(name, owner), kind: "directory", sizeBytes: 0 }),
    addFile: async (name, content, owner) =>
      write({ ...entry(name, owner), kind: "file", sizeBytes: content.length }, content),
    async finish() {
      await stream.write(tarEnd());
      await stream.end();
    },
  };
}

/** A stream whose writes wait for room. `file` is where it ends, if that is to be closed. */
class PatientStream {
  private readonly stream: Writable;
  private readonly file: Writable | undefined;
  private failure: Error | undefined;
  private wake: (() => void) | undefined;

  constructor(stream: Writable, file: Writable | undefined) {
    this.stream = stream;
    this.file = file;
    stream.on("drain", () => this.wake?.());
    file?.on("error", (error) => {
      this.failure = error;
      this.wake?.();
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.failure === undefined && !this.stream.write(bytes)) {
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    if (this.failure !== undefined) throw this.failure;
  }

  async end(): Promise<void> {
    if (this.file === undefined) return;
    this.stream.end();
    await finished(this.file);
  }
}
