/**
 * What changed of the machine as a whole: what its memory is used for, in accounts that add up to MemTotal on both sides,
 * the figures of meminfo, and the large folios by order and kind.
 */
import type { CaptureReport, FolioOrderReport, MemoryAccount, Range } from "./capture-report.ts";
import { PROCESSES_ACCOUNT, REST_ACCOUNT } from "./memory-accounts.ts";

/** A figure of the machine on both sides; null: not known there. */
export interface MachineChange {
  readonly label: string;
  readonly unit: "bytes" | "count";
  /** "measured": the kernel printed it; "derived": it follows from the capture and the scheme; "rest": what is left. */
  readonly origin: MemoryAccount["origin"];
  readonly a: Range | null;
  readonly b: Range | null;
}

/** Large folios with a mapping of one order and kind; null: there are none on that side. */
export interface FolioChange {
  readonly order: number;
  readonly kind: string;
  readonly a: FolioOrderReport | null;
  readonly b: FolioOrderReport | null;
}

/** A report as one of its schemes counts. */
export interface ReportView {
  readonly report: CaptureReport;
  readonly scheme: string;
}

const exactly = (value: number | null): Range | null => (value === null ? null : { least: value, most: value });

/** The accounts under a scheme: only the sum of Pss depends on it, and with it the rest. */
function accountsOf({ report, scheme }: ReportView): MemoryAccount[] {
  const more = report.figures[scheme].pssBytes - report.figures[report.schemes[0]].pssBytes;
  return report.memory.map((account) => {
    if (account.label === PROCESSES_ACCOUNT) return { ...account, bytes: account.bytes + more };
    return account.label === REST_ACCOUNT ? { ...account, bytes: account.bytes - more } : account;
  });
}

/** The accounts of both sides in the order of A, the rest last; on each side their sum is MemTotal. */
export function compareAccounts(a: ReportView, b: ReportView): MachineChange[] {
  const others = new Map(accountsOf(b).map(({ label, bytes }) => [label, bytes]));
  return accountsOf(a).map(({ label, bytes, origin }) => ({
    label,
    unit: "bytes",
    origin,
    a: exactly(bytes),
    b: exactly(others.get(label) ?? null),
  }));
}

/** What meminfo prints, and what the schemes make of it. */
export function compareMachines(a: ReportView, b: ReportView): MachineChange[] {
  const measured = (label: string, pick: (measured: CaptureReport["measured"]) => number | null): MachineChange => ({
    label,
    unit: "bytes",
    origin: "measured",
    a: exactly(pick(a.report.measured)),
    b: exactly(pick(b.report.measured)),
  });
  type Figures = CaptureReport["figures"][string];
  const derived = (
    label: string,
    unit: "bytes" | "count",
    pick: (figures: Figures) => Range | number,
  ): MachineChange => {
    const of = ({ report, scheme }: ReportView): Range | null => {
      const figure = pick(report.figures[scheme]);
      return typeof figure === "number" ? exactly(figure) : figure;
    };
    return { label, unit, origin: "derived", a: of(a), b: of(b) };
  };
  const partial = (label: string, unit: "bytes" | "count", key: keyof CaptureReport["partial"]): MachineChange => ({
    label,
    unit,
    origin: "derived",
    a: exactly(a.report.partial[key]),
    b: exactly(b.report.partial[key]),
  });
  return [
    measured("AnonPages in meminfo", ({ anonPagesBytes }) => anonPagesBytes),
    measured("Mapped in meminfo", ({ mappedBytes }) => mappedBytes),
    measured("Shmem in meminfo", ({ shmemBytes }) => shmemBytes),
    measured("AnonHugePages in meminfo", ({ anonHugePagesBytes }) => anonHugePagesBytes),
    derived("AnonPages under the scheme", "bytes", ({ anonPagesBytes }) => anonPagesBytes),
    derived("Mapped under the scheme", "bytes", ({ mappedBytes }) => mappedBytes),
    derived("exclusive entries", "count", ({ exclusiveEntries }) => exclusiveEntries),
    partial("partially mapped anonymous folios", "count", "folios"),
    partial("unmapped bytes of partially mapped folios", "bytes", "unmappedBytes"),
    derived("partially mapped folios that counters show", "count", ({ partialNoticed }) => partialNoticed),
  ];
}

/** Large folios of both sides, orders ascending. */
export function compareFolios(a: CaptureReport, b: CaptureReport): FolioChange[] {
  const found = new Map<
    string,
    { order: number; kind: string; a: FolioOrderReport | null; b: FolioOrderReport | null }
  >();
  for (const [sideName, { folios }] of [["a", a] as const, ["b", b] as const]) {
    for (const each of folios) {
      const key = `${each.order} ${each.kind}`;
      const change = found.get(key) ?? { order: each.order, kind: each.kind, a: null, b: null };
      change[sideName] = each;
      found.set(key, change);
    }
  }
  return [...found.values()].toSorted((one, two) => one.order - two.order || (one.kind < two.kind ? -1 : 1));
}
