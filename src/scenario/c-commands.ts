/**
 * The C call of every command: what a process runs when it has the turn, or what the supervisor does itself.
 */
import { stringOf, unsignedOf } from "./c-text.ts";
import {
  ADVICE_NUMBERS,
  type CommandBody,
  type MapFlag,
  PROTECTION_EXEC,
  PROTECTION_READ,
  PROTECTION_WRITE,
} from "./command.ts";

/** Who runs it, and one statement, or several on lines of their own. */
export interface CCall {
  readonly by: "machine" | "process";
  readonly statement: string;
}

/** A command that is neither the beginning nor the end of a process, nor a dump. */
type PlainCommand = Exclude<CommandBody, { readonly kind: "spawn" | "dump" | "fork" | "exit" }>;

/** The call of a command. `process` is the enumerator of the process that it is about. */
export function callOf(command: PlainCommand, process: string): CCall {
  const statement = machineStatement(command, process);
  if (statement !== undefined) return { by: "machine", statement };
  return { by: "process", statement: `result(${expressionOf(command)});` };
}

const THP = "/sys/kernel/mm/transparent_hugepage";

/** Lines of a statement block. */
function block(...lines: readonly string[]): string {
  return lines.join("\n\t\t");
}

function machineStatement(command: PlainCommand, process: string): string | undefined {
  const done = "finish_line(elapsed_ns());";
  switch (command.kind) {
    case "thp":
    case "shmthp": {
      const file = command.kind === "thp" ? "enabled" : "shmem_enabled";
      const path = stringOf(`${THP}/hugepages-${command.sizeKb}kB/${file}`);
      return block(`printf("= %d", set(${path}, ${stringOf(command.value)}));`, done);
    }
    case "sys": {
      const set = `set(${stringOf(command.path)}, ${stringOf(command.value)})`;
      return block(`printf("= %d ", ${set});`, 'printf("%s", errno ? strerror(errno) : "");', done);
    }
    case "sleep":
      return block(`usleep(${command.durationMs} * 1000);`, done);
    case "baseline":
      return block("take_baseline();", done);
    case "ksmscan":
      return block(`scan_with_ksmd(${command.scans});`, done);
    case "swapon":
    case "swapoff":
      return block(
        `if (${command.kind}(${stringOf(command.path)}${command.kind === "swapon" ? ", 0" : ""}))`,
        `\tstop(${stringOf(`${command.kind} ${command.path} is refused: there is no such swap device`)});`,
        'printf("= 0 ");',
        done,
      );
    case "split": {
      const end = command.address + command.lengthBytes;
      const range = `0x${command.address.toString(16)},0x${end.toString(16)},${command.order}`;
      return block(
        "char range[96];",
        `snprintf(range, sizeof range, "%d,${range}", pid_of(${process}));`,
        "split_folios(range);",
        done,
      );
    }
    default:
      return undefined;
  }
}

type ProcessCommand = Exclude<
  PlainCommand,
  { readonly kind: "thp" | "shmthp" | "sys" | "sleep" | "baseline" | "ksmscan" | "swapon" | "swapoff" | "split" }
>;

/** Whether a command is run by the process that it names. */
function isOfProcess(command: PlainCommand): command is ProcessCommand {
  return machineStatement(command, "") === undefined;
}

function expressionOf(command: PlainCommand): string {
  if (!isOfProcess(command)) throw new Error(`${command.kind} is no command of a process`);
  if ("descriptor" in command && command.kind !== "mmap") return fileExpression(command);
  return memoryExpression(command);
}

type FileCommand = Exclude<Extract<ProcessCommand, { readonly descriptor: number }>, { readonly kind: "mmap" }>;

function pointerOf(address: number): string {
  return `(void *)${unsignedOf(address)}`;
}

const PROTECTIONS = [
  [PROTECTION_READ, "PROT_READ"],
  [PROTECTION_WRITE, "PROT_WRITE"],
  [PROTECTION_EXEC, "PROT_EXEC"],
] as const;

function protectionOf(protection: number): string {
  const names = PROTECTIONS.filter(([bit]) => (protection & bit) !== 0).map(([, name]) => name);
  return names.length === 0 ? "PROT_NONE" : names.join(" | ");
}

const FLAG_NAMES: Readonly<Record<MapFlag, string>> = {
  anon: "MAP_ANONYMOUS",
  priv: "MAP_PRIVATE",
  shared: "MAP_SHARED",
  droppable: "8 /* MAP_DROPPABLE */",
  pop: "MAP_POPULATE",
  locked: "MAP_LOCKED",
  hugetlb: "MAP_HUGETLB",
  noreserve: "MAP_NORESERVE",
  fixed: "MAP_FIXED",
};

function mapFlagsOf(flags: readonly MapFlag[]): string {
  const names = flags.map((flag) => FLAG_NAMES[flag]);
  return (flags.includes("fixed") ? names : [...names, "MAP_FIXED_NOREPLACE"]).join(" | ");
}

function memoryExpression(command: Exclude<ProcessCommand, FileCommand>): string {
  const range = "lengthBytes" in command ? `${unsignedOf(command.address)}, ${unsignedOf(command.lengthBytes)}` : "";
  const memory = range === "" ? "" : `(void *)${range}`;
  switch (command.kind) {
    case "mmap": {
      const file = command.descriptor === undefined ? "-1" : `FILE_NUMBER(${command.descriptor})`;
      const words = `${protectionOf(command.protection)}, ${mapFlagsOf(command.flags)}, ${file}, ${command.offsetBytes}`;
      const call = `(long)mmap(${memory}, ${words})`;
      return command.flags.includes("hugetlb") ? needsHugePages(call) : call;
    }
    case "munmap":
    case "mlock":
    case "munlock":
      return `${command.kind}(${memory})`;
    case "mlock_onfault":
      return `syscall(SYS_mlock2, ${range}, 1 /* MLOCK_ONFAULT */)`;
    case "mprotect":
      return `mprotect(${memory}, ${protectionOf(command.protection)})`;
    case "mremap": {
      const old = `(long)mremap(${memory}, ${unsignedOf(command.newLengthBytes)}`;
      if (command.newAddress === undefined) return `${old}, 0)`;
      const flags = `MREMAP_MAYMOVE | MREMAP_FIXED${command.dontUnmap ? " | 4 /* MREMAP_DONTUNMAP */" : ""}`;
      return `${old}, ${flags}, ${pointerOf(command.newAddress)})`;
    }
    case "touch":
      return `${command.write ? "write" : "read"}_pages(${range}, ${command.stepBytes})`;
    case "fill":
      return `(memset((void *)${unsignedOf(command.address)}, ${command.byte}, ${command.lengthBytes}UL), 0)`;
    case "peek":
      return `*(volatile long *)${unsignedOf(command.address)} & 0x7fffffffffffffffL`;
    case "madvise":
      return adviceExpression(command.advice, range);
    case "uring":
      return `register_buffer(${command.id}, ${range})`;
    case "unuring":
      return `unregister_buffer(${command.id})`;
    case "vmsplice":
      return `splice_pages(${command.id}, ${range})`;
    case "unvmsplice":
      return `drop_splice(${command.id})`;
    case "guppin":
      return `pin_pages(${range}, ${command.write ? 1 : 0})`;
    case "gupunpin":
      return "unpin_pages()";
    case "uffdwp":
    case "unuffdwp":
      return `write_protect(${range}, ${command.kind === "uffdwp" ? 1 : 0})`;
    case "migrate":
      return `migrate(${range}, ${command.node})`;
    case "node":
      return `bind_to(${command.node})`;
    case "prctl":
      return `prctl(${command.option}, ${command.argument}UL, 0UL, 0UL, 0UL)`;
  }
}

function adviceExpression(advice: keyof typeof ADVICE_NUMBERS, range: string): string {
  const number = `${ADVICE_NUMBERS[advice]} /* MADV_${advice.toUpperCase()} */`;
  switch (advice) {
    case "hwpoison":
    case "soft_offline":
      return 'cannot("it would take frames away from this machine for good")';
    case "mergeable":
    case "unmergeable":
      return `advise_ksm(${range}, ${number})`;
    case "guard_install":
    case "guard_remove":
      return `advise_guard(${range}, ${number})`;
    default:
      return `madvise((void *)${range}, ${number})`;
  }
}

function needsHugePages(call: string): string {
  return `has_huge_pages() ? ${call} : cannot("this machine has no 8 huge pages of hugetlb to spare")`;
}

function fileExpression(command: FileCommand): string {
  const file = `FILE_NUMBER(${command.descriptor})`;
  switch (command.kind) {
    case "memfd": {
      const flags = command.hugetlb ? "MFD_HUGETLB" : "0";
      // The name that recorded answers have.
      const made = `keep_file(memfd_create("kref", ${flags}), ${command.descriptor})`;
      const call = `${made} ? -1 : ftruncate(${file}, ${command.sizeBytes})`;
      return command.hugetlb ? needsHugePages(`(${call})`) : call;
    }
    case "open":
      return openExpression(command);
    case "close":
    case "fsync":
      return `${command.kind}(${file})`;
    case "fadvise":
      return `posix_fadvise(${file}, 0, 0, POSIX_FADV_DONTNEED)`;
    case "ftruncate":
      return `ftruncate(${file}, ${command.sizeBytes})`;
    case "fallocate": {
      const mode = command.punch ? "3 /* FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE */" : "0";
      return `fallocate(${file}, ${mode}, ${command.offsetBytes}, ${command.lengthBytes})`;
    }
    case "pwrite":
      return `write_file(${file}, ${command.offsetBytes}, ${command.lengthBytes}, ${command.chunkBytes})`;
    case "pread":
      return `read_file(${file}, ${command.offsetBytes}, ${command.lengthBytes})`;
  }
}

function openExpression(command: Extract<FileCommand, { readonly kind: "open" }>): string {
  const name = /^\/tmpfs\/(.+)$/.exec(command.path)?.[1];
  if (name === undefined) return 'cannot("there is no ext4 of the test\'s own at /mnt")';
  const size = command.sizeBytes ?? -1;
  return `open_in_tmpfs(${command.descriptor}, ${stringOf(name)}, ${command.readOnly ? 1 : 0}, ${size})`;
}
