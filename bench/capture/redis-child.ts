/**
 * The fork child of Redis is where counting by page and counting by folio part:
 * what the parent has copied is the child's alone by page, and shared by folio.
 * Its figures stand here beside what the kernel itself says about it.
 */

import { readFileSync } from "node:fs";

/** Under which schemes the child is shown. */
export const SCHEMES = ["page", "mm-owner"] as const;

export interface SchemeFigures {
  readonly scheme: string;
  readonly pssBytes: number;
  readonly ussBytes: number;
}

export interface KernelFigures {
  readonly pssBytes: number;
  readonly privateBytes: number;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** The one place that knows the shape of `report --json`: processes[].{pid, schemes: {ID: {pssBytes, ussBytes: {least, most}}}}. */
export function readSchemeFigures(report: unknown, pid: number): SchemeFigures[] {
  const processes = isRecord(report) ? report["processes"] : undefined;
  if (!Array.isArray(processes)) return [];
  const mine = processes.find((process: unknown) => isRecord(process) && process["pid"] === pid) as unknown;
  const schemes = isRecord(mine) ? mine["schemes"] : undefined;
  if (!isRecord(schemes)) return [];
  return SCHEMES.flatMap((scheme) => {
    const figures = schemes[scheme];
    if (!isRecord(figures)) return [];
    const uss = figures["ussBytes"];
    const least = isRecord(uss) ? Number(uss["least"]) : Number.NaN;
    return [{ scheme, pssBytes: Number(figures["pssBytes"]), ussBytes: least }];
  });
}

/** Pss and Private (clean, dirty and hugetlb) of /proc/PID/smaps_rollup. */
export function readKernelFigures(pid: number): KernelFigures {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "latin1");
  const bytesOf = (key: string): number =>
    Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, "m").exec(text)?.[1] ?? 0) * 1024;
  return {
    pssBytes: bytesOf("Pss"),
    privateBytes: bytesOf("Private_Clean") + bytesOf("Private_Dirty") + bytesOf("Private_Hugetlb"),
  };
}
