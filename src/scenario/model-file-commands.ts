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
  if (file === undefined) return -EBADF;
  const { mapping, isReadOnly } = file;
  switch (command.kind) {
    case "close":
      process.files.delete(command.descriptor);
      releaseFile(memory, mapping);
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
      return preadFile(memory, mapping, command.offsetBytes, command.lengthBytes, process.mm);
  }
}

function install(
  run: ModelRun,
  process: ModelProcess,
  descriptor: number,
  mapping: FileMapping,
  isReadOnly: boolean,
): void {
  const before = process.files.get(descriptor);
  mapping.holders++;
  process.files.set(descriptor, { mapping, isReadOnly });
  if (before !== undefined) releaseFile(run.machine.memory, before.mapping);
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
