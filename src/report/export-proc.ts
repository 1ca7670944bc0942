/**
 * The files of a /proc as a scheme would print it: what smem, ps_mem and other readers of smaps open instead of /proc.
 *
 *     meminfo version uptime        of the machine; AnonPages and Mapped as the scheme counts them
 *     PID/smaps smaps_rollup        as `foliometer smaps` prints them
 *     PID/maps cmdline comm cgroup stat status
 *
 * A capture does not hold all that these files hold on a machine. A line of `status` that is not known is absent; `stat`
 * has its 52 fields in their places, with 0 for what is not known and "?" for the state; `uptime` lacks the idle time;
 * `cmdline` is one argument, because a capture joins arguments by spaces. Names in smaps are bytes, not text.
 */
import type { CapturedProcess, Machine } from "../capture/index.ts";
import {
  PAGE_SIZE_BYTES,
  type SmapsRollup,
  type SmapsVma,
  formatMapsHeader,
  formatMeminfoText,
  formatSmapsRollup,
  formatSmapsBlock,
} from "../kernel/index.ts";

/** A file: its path below /proc and its content; "latin1" where the content is bytes. */
export interface ProcFile {
  readonly path: string;
  readonly text: string;
  readonly encoding: "utf8" | "latin1";
}

/** What a process's files are made of. */
export interface ProcProcess {
  readonly process: CapturedProcess;
  readonly vmas: readonly SmapsVma[];
  readonly rollup: SmapsRollup;
}

/** Files of a process; all below the directory of its pid. */
export function formatProcProcess({ process, vmas, rollup }: ProcProcess): ProcFile[] {
  const file = (name: string, text: string, encoding: ProcFile["encoding"] = "utf8"): ProcFile => {
    return { path: `${process.pid}/${name}`, text, encoding };
  };
  const headers = vmas.map(({ header }) => formatMapsHeader(header));
  return [
    file("cgroup", `0::${process.cgroup}\n`),
    // A process without arguments has an empty file; the capture shows its name in brackets instead.
    file("cmdline", process.command === `[${process.name}]` ? "" : `${process.command}\0`),
    file("comm", `${process.name}\n`),
    file("maps", headers.map((header) => `${header}\n`).join(""), "latin1"),
    file("smaps", vmas.map((vma, row) => formatSmapsBlock(headers[row], vma)).join(""), "latin1"),
    file("smaps_rollup", formatSmapsRollup(rollup), "latin1"),
    file("stat", formatStat(process)),
    file("status", formatStatus(process)),
  ];
}

/** Files of the machine. `changed` replaces bytes of meminfo by label: what the scheme counts differently. */
export function formatProcMachine(machine: Machine, changed: Readonly<Record<string, number>>): ProcFile[] {
  const { meminfo, kernelRelease, uptimeSeconds } = machine;
  const lines = Object.entries(meminfo).map(([label, bytes]) => [label, changed[label] ?? bytes] as const);
  return [
    { path: "meminfo", text: formatMeminfoText(lines), encoding: "utf8" },
    { path: "uptime", text: `${uptimeSeconds.toFixed(2)}\n`, encoding: "utf8" },
    { path: "version", text: `Linux version ${kernelRelease}\n`, encoding: "utf8" },
  ];
}

/** Fields of /proc/PID/stat and the places of those that are known, counted from 1 as proc(5) does. */
const STAT_FIELDS = 52;
const STAT_VSIZE = 23;
const STAT_RSS = 24;

function formatStat({ pid, name, ppid, status }: CapturedProcess): string {
  const fields: (number | string)[] = [pid, `(${name})`, "?", ppid, ...Array<number>(STAT_FIELDS - 4).fill(0)];
  fields[STAT_VSIZE - 1] = status.vmSizeBytes ?? 0;
  fields[STAT_RSS - 1] = (status.vmRssBytes ?? 0) / PAGE_SIZE_BYTES;
  return `${fields.join(" ")}\n`;
}

function formatStatus({ pid, ppid, uid, name, status }: CapturedProcess): string {
  const kb = (label: string, bytes: number | undefined): string =>
    bytes === undefined ? "" : `${label}:\t${(bytes / 1024).toString().padStart(8, " ")} kB\n`;
  return [
    `Name:\t${name.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n`,
    `Tgid:\t${pid}\nPid:\t${pid}\nPPid:\t${ppid}\n`,
    // The real uid is known; the three others are taken to be the same.
    `Uid:\t${uid}\t${uid}\t${uid}\t${uid}\n`,
    kb("VmSize", status.vmSizeBytes),
    kb("VmRSS", status.vmRssBytes),
    kb("VmPTE", status.vmPteBytes),
    kb("VmSwap", status.vmSwapBytes),
    kb("HugetlbPages", status.hugetlbBytes),
  ].join("");
}
