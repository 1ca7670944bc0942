/**
 * Processes as CSV with smem's column names, for spreadsheets: sizes in kB of 1024 bytes, truncated as smem prints them.
 *
 *     PID,User,Command,Swap,USS,PSS,RSS            one scheme: smem's columns, no other
 *     Scheme,PID,User,Command,Swap,USS,PSS,RSS     several: one row a process and scheme
 *
 * Quotes follow RFC 4180, lines end in CRLF. Control characters in command lines become visible escapes.
 */
import type { CaptureReport, ProcessReport } from "../study/index.ts";
import { escapeControls } from "./display-text.ts";

/** Which Uss is written where a folio's history decides; the words of `smaps --history`. */
export type ExportHistory = "most-private" | "least-private";

const COLUMNS = ["PID", "User", "Command", "Swap", "USS", "PSS", "RSS"];

/** The table with a header, one row a process that could be read and scheme of `schemes`. */
export function formatExportCsv(
  { processes }: Pick<CaptureReport, "processes">,
  { schemes, history }: { readonly schemes: readonly string[]; readonly history: ExportHistory },
): string {
  const several = schemes.length > 1;
  const lines = [(several ? ["Scheme", ...COLUMNS] : COLUMNS).join(",")];
  for (const process of processes) {
    if (process.refusal !== null) continue;
    for (const id of schemes) {
      const cells = processCells(process, id, history);
      lines.push((several ? [quote(id), ...cells] : cells).join(","));
    }
  }
  return `${lines.join("\r\n")}\r\n`;
}

function processCells(process: ProcessReport, scheme: string, history: ExportHistory): (string | number)[] {
  const { pssBytes, ussBytes } = process.schemes[scheme];
  const uss = history === "most-private" ? ussBytes.most : ussBytes.least;
  const kb = (bytes: number): number => Math.floor(bytes / 1024);
  return [
    process.pid,
    quote(process.user),
    quote(process.command),
    kb(process.swapBytes),
    kb(uss),
    kb(pssBytes),
    kb(process.rssBytes),
  ];
}

function quote(text: string): string {
  const plain = escapeControls(text);
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
