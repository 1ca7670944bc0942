/**
 * A directory that comes into being as a whole: written beside its place under another name, renamed into it at the end.
 *
 *     captures/.night.partial-4711-9f2c81    while it is written
 *     captures/night                         when it is complete
 *
 * Whatever ends the writing removes the partial directory: an error, an abort, a signal, the end of the process. After `kill -9` it
 * stays behind, but without a manifest and under a name that says what it is.
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { CannotWriteCapture } from "./bad-capture.ts";
import { CAPTURE_FORMAT, MANIFEST_NAME, isManifestOfCapture } from "./manifest.ts";

/** Throws CannotWriteCapture if something is in the way that may not be replaced. */
export function checkTarget(directory: string, force: boolean): void {
  const parent = dirname(resolve(directory));
  if (!existsSync(parent))
    throw new CannotWriteCapture(`Cannot write ${directory}: the directory ${parent} does not exist.`);
  if (!existsSync(directory)) return;
  if (!statSync(directory).isDirectory()) {
    throw new CannotWriteCapture(`Cannot write ${directory}: a file of that name is in the way.`);
  }
  const names = readdirSync(directory);
  if (names.length === 0) return;
  const isCapture = names.includes(MANIFEST_NAME) && isManifestOfCapture(join(directory, MANIFEST_NAME));
  if (!isCapture) {
    throw new CannotWriteCapture(
      `Cannot write ${directory}: it holds files that are no ${CAPTURE_FORMAT}, and they are not replaced; give another name.`,
    );
  }
  if (!force) {
    throw new CannotWriteCapture(
      `Cannot write ${directory}: it holds a capture already; give another name, or force it.`,
    );
  }
}

const ENDING_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Directories that are being written by this process. */
const underway = new Set<PartialDirectory>();

function removeAll(): void {
  for (const directory of underway) directory.remove();
}

/** Whoever else listens decides what a signal means; if nobody does, it means what it always meant. */
function endBySignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  removeAll();
  process.kill(process.pid, signal);
}

function watch(directory: PartialDirectory): void {
  if (underway.size === 0) {
    process.on("exit", removeAll);
    for (const signal of ENDING_SIGNALS) process.on(signal, endBySignal);
  }
  underway.add(directory);
}

function stopWatching(directory: PartialDirectory): void {
  underway.delete(directory);
  if (underway.size > 0) return;
  process.off("exit", removeAll);
  for (const signal of ENDING_SIGNALS) process.off(signal, endBySignal);
}

/** A directory in the making. */
export class PartialDirectory {
  readonly path: string;
  private readonly target: string;
  private readonly force: boolean;
  private readonly lastFile: string;

  /** `lastFile` is written last and says that all is there: a capture's manifest, unless another is named. */
  constructor(target: string, options: { readonly force: boolean; readonly lastFile?: string }) {
    checkTarget(target, options.force);
    this.target = resolve(target);
    this.force = options.force;
    this.lastFile = options.lastFile ?? MANIFEST_NAME;
    const suffix = `partial-${process.pid}-${randomBytes(3).toString("hex")}`;
    this.path = join(dirname(this.target), `.${basename(this.target)}.${suffix}`);
    mkdirSync(this.path, { mode: 0o700 });
    watch(this);
  }

  /** Puts the directory in its place: its last file and the directory reach the disk first. */
  complete(): void {
    syncToDisk(join(this.path, this.lastFile));
    syncToDisk(this.path);
    checkTarget(this.target, this.force);
    const replaced = `${this.path}.replaced`;
    const isReplacing = existsSync(this.target) && readdirSync(this.target).length > 0;
    if (isReplacing) renameSync(this.target, replaced);
    try {
      renameSync(this.path, this.target);
    } catch (error) {
      if (isReplacing) renameSync(replaced, this.target);
      throw error;
    }
    stopWatching(this);
    syncToDisk(dirname(this.target));
    if (isReplacing) rmSync(replaced, { recursive: true, force: true });
  }

  /** Removes it and all that is in it. */
  remove(): void {
    stopWatching(this);
    rmSync(this.path, { recursive: true, force: true });
  }
}

function syncToDisk(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
