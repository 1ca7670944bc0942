/**
 * A cpio archive of the form "newc", the one that the kernel unpacks as its first file system.
 *
 * A member is a header of ASCII hexadecimal numbers, its path with a NUL, its bytes; path and bytes are each padded to
 * a multiple of four. Folders must come before what lies in them: they are added when first needed. Archives may follow
 * each other, compressed or not, as long as each begins at a multiple of four.
 */
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join, posix } from "node:path";

const MAGIC = "070701";
const LAST_MEMBER = "TRAILER!!!";
const FOLDER_MODE = 0o040755;
const FILE_MODE = 0o100644;
const PROGRAM_MODE = 0o100755;
const ALIGNMENT = 4;

/** Bytes, then zeros up to the next multiple of four. */
export function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((ALIGNMENT - (bytes.length % ALIGNMENT)) % ALIGNMENT)]);
}

/** An archive that grows member by member. */
export class CpioArchive {
  private readonly pieces: Buffer[] = [];
  private readonly folders = new Set<string>([".", ""]);
  private inode = 0;

  /** Adds a file; `path` has no leading slash. */
  addFile(path: string, bytes: Buffer, options: { readonly isProgram: boolean }): void {
    this.addFolder(posix.dirname(path));
    this.addMember(path, options.isProgram ? PROGRAM_MODE : FILE_MODE, bytes);
  }

  /** Adds a file of this machine; the owner's right to execute it is kept. */
  copyFile(from: string, path: string): void {
    this.addFile(path, readFileSync(from), { isProgram: (statSync(from).mode & 0o100) !== 0 });
  }

  /** Adds a folder of this machine and all files below. */
  copyTree(from: string, path: string): void {
    for (const entry of readdirSync(from, { withFileTypes: true })) {
      const [source, target] = [join(from, entry.name), `${path}/${entry.name}`];
      if (entry.isDirectory()) this.copyTree(source, target);
      else if (entry.isFile()) this.copyFile(source, target);
    }
  }

  /** The whole archive. Nothing can be added to it. */
  finish(): Buffer {
    this.addMember(LAST_MEMBER, 0, Buffer.alloc(0));
    return Buffer.concat(this.pieces);
  }

  private addFolder(path: string): void {
    if (this.folders.has(path)) return;
    this.addFolder(posix.dirname(path));
    this.folders.add(path);
    this.addMember(path, FOLDER_MODE, Buffer.alloc(0));
  }

  /** Fields: inode, mode, uid, gid, links, time, size, device (2), special device (2), bytes of the path, no checksum. */
  private addMember(path: string, mode: number, bytes: Buffer): void {
    const name = Buffer.from(`${path}\0`);
    const fields = [++this.inode, mode, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, name.length, 0];
    const header = MAGIC + fields.map((field) => field.toString(16).toUpperCase().padStart(8, "0")).join("");
    this.pieces.push(padded(Buffer.concat([Buffer.from(header), name])), padded(bytes));
  }
}
