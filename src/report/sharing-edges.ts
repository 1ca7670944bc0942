/**
 * Who shares with whom as a list of edges: a line a pair, for spreadsheets and graph tools. Sizes are bytes.
 *
 * TSV has escapes in place of control characters, so a tab in a name ends no field; CSV quotes as RFC 4180 says.
 */
import type { KindBytes, SharingReport } from "../study/index.ts";
import { escapeControls } from "./display-text.ts";
import { type SharingSelection, selectSharing } from "./select-sharing.ts";

/** The formats. */
export const EDGE_FORMATS = ["tsv", "csv"] as const;
export type EdgeFormat = (typeof EDGE_FORMATS)[number];

const SIZES: readonly (readonly [keyof KindBytes, string])[] = [
  ["bytes", "shared_bytes"],
  ["anonBytes", "anon_bytes"],
  ["ksmBytes", "ksm_bytes"],
  ["fileBytes", "file_bytes"],
  ["shmemBytes", "shmem_bytes"],
  ["hugetlbBytes", "hugetlb_bytes"],
];

/** The pairs, largest first, below a line of headings. */
export function formatSharingEdges(report: SharingReport, selection: SharingSelection, format: EdgeFormat): string {
  const { pairs } = selectSharing(report, selection);
  const name = (index: number): string => escapeControls(report.groups[index].name);
  const lines = [
    ["one", "other", ...SIZES.map(([, heading]) => heading)],
    ...pairs.map(({ a, b, shared }) => [name(a), name(b), ...SIZES.map(([field]) => String(shared[field]))]),
  ];
  return lines.map((fields) => `${format === "tsv" ? fields.join("\t") : fields.map(quote).join(",")}\n`).join("");
}

function quote(field: string): string {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
