/**
 * Where an export goes: stdout, a file, or a directory; whole or not at all.
 *
 * Everything is written beside its place under another name and renamed into it at the end, so that whoever reads the
 * place (a textfile collector, another program's watcher) never sees half of it. What is under way when the process ends
 * is removed. An existing file is replaced; a directory that holds anything is not. A symbolic link stays, and what it
 * leads to is replaced; names such as /dev/stdout, behind which there may be somebody's log, are written to as they are.
 */
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { UsageError } from "./exit-codes.ts";

/** The word for stdout. */
export const STDOUT = "-";

/**
 * Has a file or directory written by `body` and puts it in its place. Throws UsageError where it cannot be: before
 * anything costs time if that can be known, and when the disk is full or says no.
 */
export async function writeOutput(
  target: string,
  kind: "file" | "directory",
  body: (path: string) => Promise<void> | void,
): Promise<void> {
  checkTarget(target, kind);
  const isInPlace = kind === "file" && isSpecial(target);
  const place = isInPlace ? target : placeOf(target);
  const path = isInPlace ? target : `${place}.partial-${process.pid}`;
  const remove = (): void => {
    if (!isInPlace) rmSync(path, { recursive: true, force: true });
  };
  remove();
  process.once("exit", remove);
  try {
    if (kind === "directory") mkdirSync(path);
    await body(path);
    if (!isInPlace) renameSync(path, place);
  } catch (error) {
    remove();
    throw refusalOf(target, error);
  } finally {
    process.off("exit", remove);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file becomes too large",
  EIO: "the device failed",
  ENOENT: "its directory does not exist",
  ENOSPC: "no space is left on the device",
  ENOTDIR: "a part of its path is no directory",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
};

/** What the file system says in a sentence; any other error stays what it is. */
function refusalOf(target: string, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const isOurs = !(error instanceof Error) || code === undefined || error.name === "UsageError";
  return isOurs ? error : new UsageError(`Cannot write ${target}: ${REASONS[code] ?? code}.`);
}

/** Writes a result that is one file. Bytes are not put on a terminal. */
export async function writeResult(target: string, content: string | Uint8Array): Promise<void> {
  if (target === STDOUT) {
    checkStdout(typeof content !== "string");
    process.stdout.write(content);
    return;
  }
  await writeOutput(target, "file", (path) => writeFileSync(path, content));
}

/** Throws UsageError if bytes would be put on a terminal. */
export function checkStdout(isBinary: boolean): void {
  if (isBinary && process.stdout.isTTY) throw new UsageError("This format is no text for a terminal: give -o FILE.");
}

/** Throws UsageError, in one sentence, if the target cannot be written. */
export function checkTarget(target: string, kind: "file" | "directory"): void {
  if (target === STDOUT) return;
  if (target === "") throw new UsageError("--output needs a path, or - for stdout.");
  if (kind === "file" && target.endsWith("/")) {
    throw new UsageError(`Cannot write ${target}: it names a directory, and the format is a file.`);
  }
  const parent = dirname(target.replace(/\/+$/, ""));
  if (!existsSync(parent)) throw new UsageError(`Cannot write ${target}: the directory ${parent} does not exist.`);
  if (!existsSync(target)) return;
  const isDirectory = statSync(target).isDirectory();
  if (kind === "file" && isDirectory) throw new UsageError(`Cannot write ${target}: it is a directory.`);
  if (kind === "directory" && !isDirectory) throw new UsageError(`Cannot write ${target}: a file is in the way.`);
  if (kind === "directory" && readdirSync(target).length > 0) {
    throw new UsageError(`Cannot write ${target}: it holds files, and they are not replaced; give another name.`);
  }
}

/** A pipe or device is written in its place, and so is whatever stands in /dev and /proc, where names lead elsewhere. */
function isSpecial(target: string): boolean {
  if (/^\/(?:dev$|proc\/)/.test(realpathSync(dirname(target)))) return true;
  if (!existsSync(target)) return false;
  const stat = statSync(target);
  return !stat.isFile() && !stat.isDirectory();
}

/** The target, or what it leads to as a symbolic link; one that leads to nothing is replaced itself. */
function placeOf(target: string): string {
  const plain = target.replace(/\/+$/, "");
  const isLink = existsSync(plain) && lstatSync(plain).isSymbolicLink();
  return isLink ? realpathSync(plain) : plain;
}

/** Files of a /proc, one process after the other. */
export interface ProcTree {
  addDirectory(name: string, owner: Owner): Promise<void> | void;
  addFile(name: string, content: Buffer, owner: Owner): Promise<void> | void;
  finish(): Promise<void> | void;
}

/** Whose a file is. */
export interface Owner {
  readonly uid: number;
  readonly userName: string;
}

/** A directory DIR with the files below DIR/proc, where smem looks; owners only if this is root. */
export function openProcDirectory(path: string): ProcTree {
  const isRoot = process.geteuid?.() === 0;
  const own = (name: string, { uid }: Owner): void => {
    if (isRoot) chownSync(name, uid, process.getegid?.() ?? 0);
  };
  mkdirSync(join(path, "proc"), { recursive: true });
  return {
    addDirectory(name, owner) {
      mkdirSync(join(path, "proc", name));
      own(join(path, "proc", name), owner);
    },
    addFile(name, content, owner) {
      writeFileSync(join(path, "proc", name), content);
      own(join(path, "proc", name), owner);
    },
    finish: () => undefined,
  };
}
