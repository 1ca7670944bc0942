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

const DURATION_UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** Timers count milliseconds in 31 bits. */
const DURATION_MS_MAX = 2 ** 31 - 1;

/** A duration in milliseconds: 500ms, 5s, 1.5m, 1h; a number alone is seconds. At least 1 ms, at most 24 days. */
export function parseDuration(text: string): number {
  const match = /^(?<count>[0-9]{1,9}(?:\.[0-9]{1,3})?)(?<unit>ms|s|m|h|d)?$/.exec(text);
  const ms = Number(match?.groups?.count) * (DURATION_UNITS_MS[match?.groups?.unit ?? "s"] ?? Number.NaN);
  if (!(ms >= 1 && ms <= DURATION_MS_MAX)) {
    throw new InvalidArgumentError("It needs a time such as 500ms, 5s, 10m or 1h, 24 days at most.");
  }
  return Math.round(ms);
}
