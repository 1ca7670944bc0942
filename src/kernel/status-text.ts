/**
 * /proc/PID/status: who a process is and what its address space holds in round numbers.
 *
 * Invariant: a line that the kernel does not print is `undefined`, never 0: kernel threads and zombies have no Vm lines,
 * kernels before 6.8 no Kthread. A process cannot forge a line, because the kernel writes a newline in its name as `\n`
 * and a backslash as `\\`; both are decoded here, and nothing else is escaped.
 * Kernel: kernel-facts 3.10 (what the Rss lines count) and 3.11 (anyone may read the file).
 */

import { ProcTextError, quoteUntrusted } from "./proc-error.ts";

/** What /proc/PID/status says; sizes in kB as printed. */
export interface ProcessStatus {
  /** The task's comm with the kernel's escapes decoded: it may hold any character. */
  readonly name: string;
  readonly pid: number;
  /** The process, of which `pid` is a thread. */
  readonly tgid: number;
  readonly ppid: number;
  /** The real uid. */
  readonly uid: number;
  /** The state's letter, such as "R", "S" or "Z". */
  readonly state: string;
  readonly threads: number;
  /** Whether it is a kernel thread; undefined where the kernel does not say (before 6.8). */
  readonly kthread: boolean | undefined;
  readonly vmSizeKb: number | undefined;
  readonly vmLckKb: number | undefined;
  readonly vmRssKb: number | undefined;
  readonly rssAnonKb: number | undefined;
  readonly rssFileKb: number | undefined;
  readonly rssShmemKb: number | undefined;
  readonly vmPteKb: number | undefined;
  readonly vmSwapKb: number | undefined;
  readonly hugetlbPagesKb: number | undefined;
}

const FILE = "status";
const KB = " kB";
const NAME_ESCAPES: Readonly<Record<string, string>> = { "\\n": "\n", "\\\\": "\\" };

interface StatusLine {
  readonly lineNumber: number;
  readonly value: string;
}

type StatusLines = ReadonlyMap<string, StatusLine>;

function splitLines(text: string): StatusLines {
  const lines = new Map<string, StatusLine>();
  text.split("\n").forEach((line, index) => {
    if (line === "") return;
    const lineNumber = index + 1;
    const colon = line.indexOf(":");
    if (colon <= 0) throw new ProcTextError({ file: FILE, lineNumber }, `no label in ${quoteUntrusted(line)}`);
    const label = line.slice(0, colon);
    const valueStart = line[colon + 1] === "\t" ? colon + 2 : colon + 1;
    if (!lines.has(label)) lines.set(label, { lineNumber, value: line.slice(valueStart) });
  });
  return lines;
}

function required(lines: StatusLines, label: string): StatusLine {
  const line = lines.get(label);
  if (line === undefined) throw new ProcTextError({ file: FILE, lineNumber: lines.size + 1 }, `${label} is missing`);
  return line;
}

function numberOf(label: string, line: StatusLine, digits: string): number {
  const value = /^ *[0-9]{1,16}$/.test(digits) ? Number(digits) : Number.NaN;
  if (!Number.isSafeInteger(value)) {
    throw new ProcTextError({ file: FILE, lineNumber: line.lineNumber }, `${label} is ${quoteUntrusted(line.value)}`);
  }
  return value;
}

function integer(lines: StatusLines, label: string): number {
  const line = required(lines, label);
  return numberOf(label, line, line.value);
}

function kiloBytes(lines: StatusLines, label: string): number | undefined {
  const line = lines.get(label);
  if (line === undefined) return undefined;
  return numberOf(label, line, line.value.endsWith(KB) ? line.value.slice(0, -KB.length) : "");
}

function decodeName(printed: string): string {
  return printed.replace(/\\[n\\]/g, (escape) => NAME_ESCAPES[escape] ?? escape);
}

/** Parses /proc/PID/status; throws `ProcTextError` if a line that every process has is missing or no number. */
export function parseStatusText(text: string): ProcessStatus {
  const lines = splitLines(text);
  const uid = required(lines, "Uid");
  return {
    name: decodeName(required(lines, "Name").value),
    pid: integer(lines, "Pid"),
    tgid: integer(lines, "Tgid"),
    ppid: integer(lines, "PPid"),
    uid: numberOf("Uid", uid, uid.value.split("\t", 1)[0] ?? ""),
    state: required(lines, "State").value.slice(0, 1),
    threads: integer(lines, "Threads"),
    kthread: lines.has("Kthread") ? integer(lines, "Kthread") !== 0 : undefined,
    vmSizeKb: kiloBytes(lines, "VmSize"),
    vmLckKb: kiloBytes(lines, "VmLck"),
    vmRssKb: kiloBytes(lines, "VmRSS"),
    rssAnonKb: kiloBytes(lines, "RssAnon"),
    rssFileKb: kiloBytes(lines, "RssFile"),
    rssShmemKb: kiloBytes(lines, "RssShmem"),
    vmPteKb: kiloBytes(lines, "VmPTE"),
    vmSwapKb: kiloBytes(lines, "VmSwap"),
    hugetlbPagesKb: kiloBytes(lines, "HugetlbPages"),
  };
}
