/**
 * What a process does to its own memory, on the model.
 *
 * Each case is one system call, or one loop of loads or stores, as the program in the kernel lab makes it. Checks of
 * alignment and length that the kernel makes before it looks at memory stand here.
 */
import {
  EINVAL,
  ENOMEM,
  MAP_ANONYMOUS,
  MAP_DROPPABLE,
  MAP_FIXED,
  MAP_HUGETLB,
  MAP_LOCKED,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  EBADF,
  Unsupported,
  bindToNode,
  closePipe,
  fillRange,
  madvise,
  mlockRange,
  mmapRegion,
  movePages,
  mprotectRange,
  mremapRegion,
  munlockRange,
  munmapRange,
  peekWord,
  registerRingBuffer,
  splicePages,
  startGupTest,
  stopGupTest,
  touchPages,
  unregisterRingBuffer,
  userfaultWriteProtect,
} from "../memory/index.ts";
import type { MapFlag, MemoryCommand } from "./command.ts";
import type { ModelProcess } from "./model-process.ts";
import { type ModelRun, PROCESS_DIED } from "./model-run.ts";

const PAGE_BYTES = 4096;

/** The value that the call returned, -errno, or that the process died of the access. */
export function runMemoryCommand(
  run: ModelRun,
  process: ModelProcess,
  command: MemoryCommand,
): number | bigint | typeof PROCESS_DIED {
  const { memory } = run.machine;
  const { mm } = process;
  switch (command.kind) {
    case "touch":
    case "fill":
    case "peek":
      return access(run, process, command);
    case "mmap":
      return mmap(run, process, command);
    case "munmap":
      return inPages(command, (page, count) => munmapRange(memory, mm, page, count));
    case "mprotect":
      if (command.lengthBytes === 0 && command.address % PAGE_BYTES === 0) return 0;
      return inPages(command, (page, count) => mprotectRange(memory, mm, page, count, command.protection), ENOMEM);
    case "mremap":
      return mremap(run, process, command);
    case "mlock":
    case "mlock_onfault":
    case "munlock":
      return lock(run, process, command.kind, command);
    case "madvise":
      return madvise(memory, mm, command.address, command.lengthBytes, command.advice);
    case "uring":
      return registerRingBuffer(memory, mm, command.id, command.address, command.lengthBytes);
    case "unuring":
      return unregisterRingBuffer(memory, mm, command.id);
    case "guppin":
      return startGupTest(memory, mm, command.address, command.lengthBytes, command.write);
    case "gupunpin":
      return stopGupTest(memory, mm);
    case "vmsplice":
      return splicePages(memory, mm, command.id, command.address, command.lengthBytes);
    case "unvmsplice":
      return closePipe(memory, mm, command.id);
    case "uffdwp":
    case "unuffdwp":
      return userfaultWriteProtect(memory, mm, command.address, command.lengthBytes, command.kind === "uffdwp");
    case "migrate":
      return migrate(run, process, command);
    case "node":
      return bindNode(run, process, command.node);
    case "prctl":
      return prctl(process, command.option, command.argument);
  }
}

type Of<K extends MemoryCommand["kind"]> = Extract<MemoryCommand, { kind: K }>;

/** A call on whole pages: the address must be aligned, the length is rounded up and not zero. */
function inPages(
  { address, lengthBytes }: { readonly address: number; readonly lengthBytes: number },
  call: (page: number, pageCount: number) => number,
  errorOfEmpty: number = EINVAL,
): number {
  if (address % PAGE_BYTES !== 0) return -EINVAL;
  if (lengthBytes === 0) return -errorOfEmpty;
  return call(address / PAGE_BYTES, Math.ceil(lengthBytes / PAGE_BYTES));
}

/** A store writes the writer's pid and the page number, as the lab's program does. */
function access(
  run: ModelRun,
  process: ModelProcess,
  command: Of<"touch" | "fill" | "peek">,
): number | bigint | typeof PROCESS_DIED {
  const { memory } = run.machine;
  if (command.kind === "peek") {
    const word = peekWord(memory, process.mm, command.address);
    return typeof word === "bigint" ? word & 0x7fff_ffff_ffff_ffffn : PROCESS_DIED;
  }
  if (command.lengthBytes === 0) return 0;
  const result =
    command.kind === "fill"
      ? fillRange(memory, process.mm, command.address, command.lengthBytes, command.byte & 0xff)
      : touchPages(
          memory,
          process.mm,
          command.address,
          command.lengthBytes,
          command.stepBytes,
          storeOf(process, command),
        );
  return result === "ok" ? 0 : PROCESS_DIED;
}

function storeOf(process: ModelProcess, command: Of<"touch">): undefined | ((address: number) => bigint) {
  return command.write ? (address) => storedWord(process, address) : undefined;
}

/** What a process's store leaves in the eight bytes at an address: who it is, and the page. */
export function storedWord({ pid }: ModelProcess, address: number): bigint {
  return (BigInt(pid) << 32n) | BigInt(Math.floor(address / PAGE_BYTES) >>> 0);
}

const MAP_BITS: Readonly<Record<MapFlag, number>> = {
  anon: MAP_ANONYMOUS,
  priv: MAP_PRIVATE,
  shared: MAP_SHARED,
  droppable: MAP_DROPPABLE,
  pop: MAP_POPULATE,
  locked: MAP_LOCKED,
  hugetlb: MAP_HUGETLB,
  noreserve: MAP_NORESERVE,
  fixed: MAP_FIXED,
};

function mmap(run: ModelRun, process: ModelProcess, command: Of<"mmap">): number {
  let flags = 0;
  for (const flag of command.flags) flags |= MAP_BITS[flag];
  const open = command.descriptor === undefined ? undefined : process.files.get(command.descriptor);
  if ((flags & MAP_ANONYMOUS) === 0 && open === undefined) return -EBADF;
  if (command.offsetBytes % PAGE_BYTES !== 0) return -EINVAL;
  if (command.lengthBytes === 0 || command.address % PAGE_BYTES !== 0) return -EINVAL;
  const result = mmapRegion(
    run.machine.memory,
    process.mm,
    command.address / PAGE_BYTES,
    Math.ceil(command.lengthBytes / PAGE_BYTES),
    {
      prot: command.protection,
      flags,
      file: open?.mapping,
      openFile: open,
      isReadOnly: open?.isReadOnly ?? false,
      pgoff: command.offsetBytes / PAGE_BYTES,
    },
  );
  return result < 0 ? result : command.address;
}

function mremap(run: ModelRun, process: ModelProcess, command: Of<"mremap">): number {
  const { address, lengthBytes, newLengthBytes, newAddress, dontUnmap } = command;
  if (address % PAGE_BYTES !== 0 || newLengthBytes === 0) return -EINVAL;
  if (newAddress !== undefined && newAddress % PAGE_BYTES !== 0) return -EINVAL;
  const result = mremapRegion(
    run.machine.memory,
    process.mm,
    address / PAGE_BYTES,
    Math.ceil(lengthBytes / PAGE_BYTES),
    Math.ceil(newLengthBytes / PAGE_BYTES),
    {
      newPage: newAddress === undefined ? undefined : newAddress / PAGE_BYTES,
      dontUnmap,
    },
  );
  return result < 0 ? result : (newAddress ?? address);
}

/** mlock rounds the range outwards. */
function lock(
  run: ModelRun,
  process: ModelProcess,
  kind: "mlock" | "mlock_onfault" | "munlock",
  command: { readonly address: number; readonly lengthBytes: number },
): number {
  const { memory } = run.machine;
  const start = Math.floor(command.address / PAGE_BYTES);
  const count = Math.ceil((command.address + command.lengthBytes) / PAGE_BYTES) - start;
  if (command.lengthBytes === 0 && command.address % PAGE_BYTES === 0) return 0;
  if (kind === "munlock") return munlockRange(memory, process.mm, start, count);
  return mlockRange(memory, process.mm, start, count, { onFault: kind === "mlock_onfault" });
}

function migrate(run: ModelRun, process: ModelProcess, command: Of<"migrate">): number {
  return movePages(run.machine.memory, process.mm, command.address, command.lengthBytes, command.node);
}

function bindNode(run: ModelRun, process: ModelProcess, node: number): number {
  const result = bindToNode(run.machine.memory, process.mm, node);
  if (result === 0) process.boundNode = node;
  return result;
}

const PR_SET_THP_DISABLE = 41;

function prctl(process: ModelProcess, option: number, argument: number): number {
  if (option !== PR_SET_THP_DISABLE) throw new Unsupported(`prctl ${option}`, "only 41 (PR_SET_THP_DISABLE) is known");
  process.mm.thpDisabled = argument !== 0;
  return 0;
}
