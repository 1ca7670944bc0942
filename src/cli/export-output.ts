/**
 * Where an export goes: stdout, a file, or a directory; whole or not at all.
 *
 * Everything is written beside its place under another name and renamed into it at the end, so that whoever reads the
 * place (a textfile collector, another program's watcher) never sees half of it. What is under way when the process ends
 * is removed. An existing file is replaced; a directory that holds anything is not.
 */
import { chownSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { UsageError } from "./exit-codes.ts";

/** The word for stdout. */
export const STDOUT = "-";

/** A place that is taken when `complete` is called; `path` is where to write until then. */
export interface Underway {
  readonly path: string;
  complete(): void;
}

/** Begins to write a file or directory. Throws UsageError where it cannot be, before anything costs time. */
export function beginOutput(target: string, kind: "file" | "directory"): Underway {
  checkTarget(target, kind);
  const path = isSpecial(target) ? target : `${target.replace(/\/+$/, "")}.partial-${process.pid}`;
  if (path === target) return { path, complete: () => undefined };
  const remove = (): void => rmSync(path, { recursive: true, force: true });
  remove();
  process.once("exit", remove);
  if (kind === "directory") mkdirSync(path);
  return {
    path,
    complete() {
      renameSync(path, target);
      process.off("exit", remove);
    },
  };
}

/** Writes a result that is one file. Bytes are not put on a terminal. */
export function writeResult(target: string, content: string | Uint8Array): void {
  if (target === STDOUT) {
    checkStdout(typeof content !== "string");
    process.stdout.write(content);
    return;
  }
  const output = beginOutput(target, "file");
  writeFileSync(output.path, content);
  output.complete();
}

/** Throws UsageError if bytes would be put on a terminal. */
export function checkStdout(isBinary: boolean): void {
  if (isBinary && process.stdout.isTTY) throw new UsageError("This format is no text for a terminal: give -o FILE.");
}

/** Throws UsageError, in one sentence, if the target cannot be written. */
export function checkTarget(target: string, kind: "file" | "directory"): void {
  if (target === STDOUT) return;
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

/** A pipe or device is written in its place. */
function isSpecial(target: string): boolean {
  if (!existsSync(target)) return false;
  const stat = statSync(target);
  return !stat.isFile() && !stat.isDirectory();
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
