/**
 * Arguments from text to value. What is wrong is one sentence, which commander puts behind the option's name.
 */
import { InvalidArgumentError } from "commander";

/** Processes beyond this have no pid on Linux (PID_MAX_LIMIT). */
const PID_MAX = 4_194_304;

/** One or more pids with commas, added to those of earlier options. */
export function parsePids(text: string, before: readonly number[] = []): number[] {
  return [...before, ...text.split(",").map(parsePid)];
}

/** One pid. */
export function parsePid(text: string): number {
  const pid = /^[0-9]+$/.test(text) ? Number(text) : 0;
  if (pid < 1 || pid > PID_MAX) throw new InvalidArgumentError(`A pid is a number from 1 to ${PID_MAX}.`);
  return pid;
}

/** Names with commas, added to those of earlier options. */
export function parseNames(text: string, before: readonly string[] = []): string[] {
  const names = text.split(",").filter((name) => name !== "");
  if (names.length === 0) throw new InvalidArgumentError("It needs a name.");
  return [...before, ...names];
}

/** A text, added to those of earlier options. */
export function collect(text: string, before: readonly string[]): string[] {
  return [...before, text];
}

/** A number of things, at least one. */
export function parseSize(text: string): number {
  const size = parseCount(text);
  if (size < 1) throw new InvalidArgumentError("It needs a whole number from 1 on.");
  return size;
}

/** A number of things. */
export function parseCount(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw new InvalidArgumentError("It needs a whole number.");
  return Number(text);
}

/** A number of threads. */
export function parseThreads(text: string): number {
  const threads = parseCount(text);
  if (threads < 1 || threads > 64) throw new InvalidArgumentError("It needs a number from 1 to 64.");
  return threads;
}

/** Bytes that the simulated machine may have: from 16 MiB to what its page-table entries can name. */
const MEMORY_BYTES_MIN = 16 * 2 ** 20;
const MEMORY_BYTES_MAX = 16 * 2 ** 30;
const MEMORY_UNITS: Readonly<Record<string, number>> = { M: 2 ** 20, G: 2 ** 30 };

/** Memory of the simulated machine in bytes: whole MiB. */
export function parseMemory(text: string): number {
  const match = /^(?<count>[0-9]{1,9})(?<unit>[MG])$/.exec(text);
  const bytes = Number(match?.groups?.count) * (MEMORY_UNITS[match?.groups?.unit ?? ""] ?? Number.NaN);
  if (!(bytes >= MEMORY_BYTES_MIN && bytes <= MEMORY_BYTES_MAX)) {
    throw new InvalidArgumentError("It needs a size from 16M to 16G, such as 512M or 2G.");
  }
  return bytes;
}

/** A width in columns; 0 stands for as wide as needed. */
export function parseWidth(text: string): number {
  const width = parseCount(text);
  return width === 0 ? Infinity : width;
}

/** A percentage, with or without its sign. */
export function parsePercent(text: string): number {
  if (!/^[0-9]+(?:\.[0-9]+)?%?$/.test(text)) throw new InvalidArgumentError("It needs a percentage such as 5 or 0.5.");
  return Number.parseFloat(text);
}

/** A regular expression. */
export function parsePattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw new InvalidArgumentError("It needs a regular expression.");
  }
}

/** The path of a control group as /proc/PID/cgroup prints it. */
export function parseCgroup(text: string): string {
  if (!text.startsWith("/"))
    throw new InvalidArgumentError("It needs a path that begins with /, as in /proc/PID/cgroup.");
  return text;
}
