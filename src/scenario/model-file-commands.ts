/**
 * What a process does to files, on the model: descriptors by number, memfds, and the two folders that have a file system.
 *
 * /tmpfs is a tmpfs mounted with huge=always, /mnt an ext4. A descriptor number that is in use is replaced, as dup2 does.
 */
import {
  EBADF,
  EINVAL,
  ENOENT,
  type FileMapping,
  type Memory,
  OpenFile,
  Unsupported,
  createHugetlbFile,
  createShmem,
  fadviseFile,
  fallocateFile,
  fsyncFile,
  ftruncateFile,
  openFile,
  preadFile,
  pwriteFile,
  releaseFile,
} from "../memory/index.ts";
import type { FileCommand } from "./command.ts";
import type { ModelProcess } from "./model-process.ts";
import type { ModelRun } from "./model-run.ts";

/** The value that the last call of the command returned, or -errno. */
export function runFileCommand(run: ModelRun, process: ModelProcess, command: FileCommand): number {
  const { memory } = run.machine;
  if (command.kind === "memfd") {
    const mapping = command.hugetlb
      ? createHugetlbFile(memory, "/memfd:kref", 0)
      : createShmem(memory, "/memfd:kref", 0, "settings");
    install(run, process, command.descriptor, mapping, false);
    return ftruncateFile(memory, mapping, command.sizeBytes);
  }
  if (command.kind === "open") return open(run, process, command);
  const file = process.files.get(command.descriptor);
  // posix_fadvise(3) returns the error itself.
  if (file === undefined) return command.kind === "fadvise" ? EBADF : -EBADF;
  const { mapping, isReadOnly } = file;
  switch (command.kind) {
    case "close":
      process.files.delete(command.descriptor);
      closeFile(memory, file);
      return 0;
    case "fsync":
      return fsyncFile(memory, mapping);
    case "fadvise":
      return fadviseFile(memory, mapping);
    case "ftruncate":
      return isReadOnly ? -EINVAL : ftruncateFile(memory, mapping, command.sizeBytes);
    case "fallocate":
      return isReadOnly
        ? -EBADF
        : fallocateFile(memory, mapping, command.offsetBytes, command.lengthBytes, command.punch);
    case "pwrite":
      return isReadOnly
        ? -EBADF
        : pwriteFile(memory, mapping, command.offsetBytes, command.lengthBytes, command.chunkBytes, process.mm);
    case "pread":
      return preadFile(memory, mapping, command.offsetBytes, command.lengthBytes, process.mm, file.readahead);
  }
}

/** A descriptor is gone: its process closed it, or exited. */
export function closeFile(memory: Memory, file: OpenFile): void {
  file.release();
  releaseFile(memory, file.mapping);
}

/** One descriptor more: open, or fork. */
export function holdFile(file: OpenFile): void {
  file.hold();
  file.mapping.holders++;
}

function install(
  run: ModelRun,
  process: ModelProcess,
  descriptor: number,
  mapping: FileMapping,
  isReadOnly: boolean,
): void {
  const before = process.files.get(descriptor);
  const file = new OpenFile(mapping, isReadOnly);
  holdFile(file);
  process.files.set(descriptor, file);
  if (before !== undefined) closeFile(run.machine.memory, before);
}

function open(run: ModelRun, process: ModelProcess, command: Extract<FileCommand, { kind: "open" }>): number {
  const { memory } = run.machine;
  let mapping = run.namedFiles.get(command.path);
  if (mapping === undefined) {
    if (command.readOnly) return -ENOENT;
    if (!/^\/(?:tmpfs|mnt)\/[^/]+$/.test(command.path)) {
      throw new Unsupported(`open ${command.path}`, "files lie directly in /tmpfs or in /mnt");
    }
    mapping = openFile(memory, command.path);
    // Its name holds it.
    mapping.holders++;
    run.namedFiles.set(command.path, mapping);
  }
  install(run, process, command.descriptor, mapping, command.readOnly);
  return command.readOnly || command.sizeBytes === undefined ? 0 : ftruncateFile(memory, mapping, command.sizeBytes);
}
