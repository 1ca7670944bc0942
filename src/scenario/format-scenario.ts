/**
 * Commands to text: the inverse of parsing, for generated and shrunk scenarios.
 *
 * Invariant: the text parses to the same commands (where they stand apart). An address inside a mapping of this scenario
 * is written `@NAME+16k`, every other as a number; sizes in the largest unit that divides them.
 */
import {
  type CommandBody,
  PROTECTION_EXEC,
  PROTECTION_READ,
  PROTECTION_WRITE,
  PWRITE_CHUNK_BYTES,
  TOUCH_STEP_BYTES,
} from "./command.ts";

/**
 * The text of a scenario, a line a command.
 * @example formatScenario([{ kind: "spawn", process: "P" }]) // "spawn P\n"
 */
export function formatScenario(commands: Iterable<CommandBody>): string {
  const regions: Regions = new Map();
  let text = "";
  for (const command of commands) {
    text += `${formatWords(command, regions)}\n`;
    if (command.kind === "mmap") regions.set(command.region, command);
  }
  return text;
}

/** One command without names of mappings. */
export function formatCommand(command: CommandBody): string {
  return formatWords(command, new Map());
}

/** The last mapping of each name. */
type Regions = Map<string, { readonly address: number; readonly lengthBytes: number }>;

/** A size as 2M, 16k or bytes. */
export function formatSizeWord(bytes: number): string {
  for (const [unit, size] of [
    ["G", 2 ** 30],
    ["M", 2 ** 20],
    ["k", 2 ** 10],
  ] as const) {
    if (bytes > 0 && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return bytes.toString();
}

function formatAddress(address: number, regions: Regions): string {
  for (const [name, region] of regions) {
    const offset = address - region.address;
    if (offset === 0) return `@${name}`;
    if (offset > 0 && offset < region.lengthBytes) return `@${name}+${formatSizeWord(offset)}`;
  }
  return `0x${address.toString(16)}`;
}

function formatProtection(protection: number): string {
  const letters =
    (protection & PROTECTION_READ ? "r" : "") +
    (protection & PROTECTION_WRITE ? "w" : "") +
    (protection & PROTECTION_EXEC ? "x" : "");
  return letters === "" ? "n" : letters;
}

function formatWords(command: CommandBody, regions: Regions): string {
  switch (command.kind) {
    case "spawn":
      return `spawn ${command.process}`;
    case "fork":
      return `${command.process} fork ${command.child}`;
    case "exit":
    case "gupunpin":
      return `${command.process} ${command.kind}`;
    case "dump":
      return ["dump", command.label, ...command.processes].join(" ");
    case "thp":
    case "shmthp":
      return `${command.kind} ${command.sizeKb}kB ${command.value}`;
    case "sys":
      return `sys ${command.path} ${command.value}`;
    case "sleep":
      return `sleep ${command.durationMs}`;
    case "baseline":
      return "baseline";
    case "ksmscan":
      return `ksmscan ${command.scans}`;
    case "swapon":
    case "swapoff":
      return `${command.kind} ${command.path}`;
    case "split": {
      const range = `${formatAddress(command.address, regions)} ${formatSizeWord(command.lengthBytes)}`;
      return `split ${command.process} ${range}${command.order === 0 ? "" : ` ${command.order}`}`;
    }
    case "node":
      return `${command.process} node ${command.node}`;
    case "prctl":
      return `${command.process} prctl ${command.option} ${command.argument}`;
    case "peek":
      return `${command.process} peek ${formatAddress(command.address, regions)}`;
    case "unuring":
    case "unvmsplice":
      return `${command.process} ${command.kind} ${command.id}`;
    default:
      return "descriptor" in command && command.kind !== "mmap" ? fileWords(command) : rangeWords(command, regions);
  }
}

type RangeCommand = Extract<
  CommandBody,
  { readonly process: string; readonly address: number; readonly lengthBytes: number }
>;
type FileCommand = Exclude<Extract<CommandBody, { readonly descriptor: number }>, { readonly kind: "mmap" }>;

function rangeWords(command: Exclude<RangeCommand, { readonly kind: "split" }>, regions: Regions): string {
  const range = `${formatAddress(command.address, regions)} ${formatSizeWord(command.lengthBytes)}`;
  const head = `${command.process} ${command.kind}`;
  switch (command.kind) {
    case "mmap": {
      const file = command.descriptor === undefined ? "" : ` fd=${command.descriptor}`;
      const offset = command.offsetBytes === 0 ? "" : ` off=${formatSizeWord(command.offsetBytes)}`;
      const flags = command.flags.join(",");
      return `${head} ${command.region} ${range} ${formatProtection(command.protection)} ${flags}${file}${offset}`;
    }
    case "munmap":
    case "mlock":
    case "mlock_onfault":
    case "munlock":
    case "uffdwp":
    case "unuffdwp":
      return `${head} ${range}`;
    case "mprotect":
      return `${head} ${range} ${formatProtection(command.protection)}`;
    case "mremap": {
      const target = command.newAddress === undefined ? "" : ` ${formatAddress(command.newAddress, regions)}`;
      return `${head} ${range} ${formatSizeWord(command.newLengthBytes)}${target}${command.dontUnmap ? " dontunmap" : ""}`;
    }
    case "touch": {
      const step = command.stepBytes === TOUCH_STEP_BYTES ? "" : ` ${formatSizeWord(command.stepBytes)}`;
      return `${head} ${range} ${command.write ? "w" : "r"}${step}`;
    }
    case "fill":
      return `${head} ${range} 0x${command.byte.toString(16)}`;
    case "madvise":
      return `${head} ${range} ${command.advice}`;
    case "uring":
    case "vmsplice":
      return `${head} ${command.id} ${range}`;
    case "guppin":
      return `${head} ${range}${command.write ? " w" : ""}`;
    case "migrate":
      return `${head} ${range} ${command.node}`;
  }
}

function fileWords(command: FileCommand): string {
  const head = `${command.process} ${command.kind} ${command.descriptor}`;
  switch (command.kind) {
    case "memfd":
      return `${head} ${formatSizeWord(command.sizeBytes)}${command.hugetlb ? " hugetlb" : ""}`;
    case "open": {
      const size = command.sizeBytes === undefined ? "" : ` ${formatSizeWord(command.sizeBytes)}`;
      return `${head} ${command.path}${size}${command.readOnly ? " ro" : ""}`;
    }
    case "close":
    case "fsync":
    case "fadvise":
      return head;
    case "ftruncate":
      return `${head} ${formatSizeWord(command.sizeBytes)}`;
    case "fallocate":
    case "pwrite":
    case "pread": {
      const range = `${formatSizeWord(command.offsetBytes)} ${formatSizeWord(command.lengthBytes)}`;
      if (command.kind === "fallocate") return `${head} ${range}${command.punch ? " punch" : ""}`;
      if (command.kind === "pread" || command.chunkBytes === PWRITE_CHUNK_BYTES) return `${head} ${range}`;
      return `${head} ${range} ${formatSizeWord(command.chunkBytes)}`;
    }
  }
}
