/**
 * The figures of a capture as tables for Parquet: what DuckDB, pandas and Polars join and sum.
 *
 *     processes   a row a process and scheme; figures are null where the process could not be read
 *     vmas        a row a VMA and scheme, of processes that were read
 *     folios      a row a large folio, without a scheme: what page tables say of it
 *
 * Sizes are bytes, addresses bytes, frames page frame numbers. A Uss that depends on history is two columns. Rows are
 * made when they are asked for, so a table is never in memory as a whole.
 */
import type { Capture, TableSchema } from "../capture/index.ts";
import {
  OF_PRIVATE_LEAST,
  OF_PRIVATE_MOST,
  OF_PSS,
  SUM_ANON,
  SUM_FILE,
  SUM_HUGETLB,
  SUM_RSS,
  SUM_SHMEM,
  bytesOfPss,
} from "../figures/index.ts";
import { FOLIO_KIND_NAMES, PAGE_SIZE_BYTES, readableVmaName } from "../kernel/index.ts";
import type { CaptureReport, CaptureSums, ProcessFigures, ProcessReport } from "../study/index.ts";

/** A column's type and its value by row. */
interface TableColumn {
  readonly type: TableSchema["columns"][number]["type"];
  readonly nullable?: boolean;
  readonly value: (row: number) => string | number | null;
}

/** A table: its schema, and the value of each column by row. */
export interface ExportTable {
  readonly schema: TableSchema;
  readonly rows: number;
  readonly columns: Readonly<Record<string, TableColumn["value"]>>;
}

/** All tables of a capture. `sums` are those that the report was made of; `wanted` schemes get rows. */
export function exportTables(
  capture: Pick<Capture, "vmas" | "folios" | "processes">,
  sums: Pick<CaptureSums, "vmas" | "swapPages">,
  report: Pick<CaptureReport, "processes" | "schemes">,
  wanted: readonly string[],
): ExportTable[] {
  return [processTable(report.processes, wanted), vmaTable(capture, sums, report, wanted), folioTable(capture)];
}

function table(name: string, rows: number, columns: Readonly<Record<string, TableColumn>>): ExportTable {
  const specs = Object.entries(columns).map(([column, { type, nullable }]) => {
    return { name: column, type, nullable: nullable === true };
  });
  const values = Object.entries(columns).map(([column, { value }]) => [column, value] as const);
  return { schema: { name, columns: specs }, rows, columns: Object.fromEntries(values) };
}

function processTable(processes: readonly ProcessReport[], schemes: readonly string[]): ExportTable {
  const count = schemes.length;
  const schemeOf = (row: number): string => schemes[row % count];
  const text = (pick: (process: ProcessReport) => string): TableColumn => {
    return { type: "text", value: (row) => pick(processes[Math.floor(row / count)]) };
  };
  const id = (pick: (process: ProcessReport) => number): TableColumn => {
    return { type: "int64", value: (row) => pick(processes[Math.floor(row / count)]) };
  };
  const bytes = (pick: (process: ProcessReport, figures: ProcessFigures) => number): TableColumn => ({
    type: "int64",
    nullable: true,
    value: (row) => {
      const process = processes[Math.floor(row / count)];
      return process.refusal === null ? pick(process, process.schemes[schemeOf(row)]) : null;
    },
  });
  return table("processes", processes.length * count, {
    scheme: { type: "text", value: schemeOf },
    pid: id(({ pid }) => pid),
    ppid: id(({ ppid }) => ppid),
    uid: id(({ uid }) => uid),
    user_name: text(({ user }) => user),
    name: text(({ name }) => name),
    command: text(({ command }) => command),
    cgroup: text(({ cgroup }) => cgroup),
    state: text(({ state }) => state),
    rss_bytes: bytes(({ rssBytes }) => rssBytes),
    rss_anon_bytes: bytes(({ rssAnonBytes }) => rssAnonBytes),
    rss_file_bytes: bytes(({ rssFileBytes }) => rssFileBytes),
    rss_shmem_bytes: bytes(({ rssShmemBytes }) => rssShmemBytes),
    swap_bytes: bytes(({ swapBytes }) => swapBytes),
    hugetlb_bytes: bytes(({ hugetlbBytes }) => hugetlbBytes),
    page_tables_bytes: bytes(({ pageTablesBytes }) => pageTablesBytes),
    pss_bytes: bytes((_, { pssBytes }) => pssBytes),
    pss_anon_bytes: bytes((_, { pssAnonBytes }) => pssAnonBytes),
    pss_file_bytes: bytes((_, { pssFileBytes }) => pssFileBytes),
    pss_shmem_bytes: bytes((_, { pssShmemBytes }) => pssShmemBytes),
    uss_least_bytes: bytes((_, { ussBytes }) => ussBytes.least),
    uss_most_bytes: bytes((_, { ussBytes }) => ussBytes.most),
  });
}

function vmaTable(
  { vmas, processes }: Pick<Capture, "vmas" | "processes">,
  sums: Pick<CaptureSums, "vmas" | "swapPages">,
  { schemes }: Pick<CaptureReport, "schemes">,
  wanted: readonly string[],
): ExportTable {
  const rowsOfVma: number[] = [];
  const pids: number[] = [];
  for (const { pid, state, firstVma, endVma } of processes) {
    if (state !== "complete") continue;
    for (let vma = firstVma; vma < endVma; vma++) {
      rowsOfVma.push(vma);
      pids.push(pid);
    }
  }
  const count = wanted.length;
  const vmaAt = (row: number): number => rowsOfVma[Math.floor(row / count)];
  const columnsAt = wanted.map((id) => sums.vmas.schemeAt(schemes.indexOf(id)));
  const pages = (column: number): TableColumn => {
    return { type: "int64", value: (row) => sums.vmas.get(vmaAt(row), column) * PAGE_SIZE_BYTES };
  };
  const ofScheme = (column: number, toBytes: (value: number) => number): TableColumn => {
    return { type: "int64", value: (row) => toBytes(sums.vmas.get(vmaAt(row), columnsAt[row % count] + column)) };
  };
  const bytesOfPages = (pageCount: number): number => pageCount * PAGE_SIZE_BYTES;
  return table("vmas", rowsOfVma.length * count, {
    scheme: { type: "text", value: (row) => wanted[row % count] },
    pid: { type: "int64", value: (row) => pids[Math.floor(row / count)] },
    vma: { type: "int64", value: vmaAt },
    start_address: { type: "uint64", value: (row) => vmas[vmaAt(row)].startPage * PAGE_SIZE_BYTES },
    end_address: { type: "uint64", value: (row) => vmas[vmaAt(row)].endPage * PAGE_SIZE_BYTES },
    permissions: { type: "text", value: (row) => permissionsOf(vmas[vmaAt(row)]) },
    name: { type: "text", value: (row) => readableVmaName(vmas[vmaAt(row)].name) },
    rss_bytes: pages(SUM_RSS),
    rss_anon_bytes: pages(SUM_ANON),
    rss_file_bytes: pages(SUM_FILE),
    rss_shmem_bytes: pages(SUM_SHMEM),
    hugetlb_bytes: pages(SUM_HUGETLB),
    swap_bytes: { type: "int64", value: (row) => sums.swapPages[vmaAt(row)] * PAGE_SIZE_BYTES },
    pss_bytes: ofScheme(OF_PSS, bytesOfPss),
    uss_least_bytes: ofScheme(OF_PRIVATE_LEAST, bytesOfPages),
    uss_most_bytes: ofScheme(OF_PRIVATE_MOST, bytesOfPages),
  });
}

function permissionsOf({ read, write, exec, shared }: Capture["vmas"][number]): string {
  return `${read ? "r" : "-"}${write ? "w" : "-"}${exec ? "x" : "-"}${shared ? "s" : "p"}`;
}

function folioTable({ folios }: Pick<Capture, "folios">): ExportTable {
  const column = (values: { readonly [row: number]: number }): TableColumn => {
    return { type: "int64", value: (row) => values[row] };
  };
  return table("folios", folios.count, {
    head_pfn: column(folios.headPfn),
    order: column(folios.order),
    kind: { type: "text", value: (row) => FOLIO_KIND_NAMES[folios.kind[row]] ?? "none" },
    entries: column(folios.entries),
    pmd_entries: column(folios.pmdEntries),
    mapped_pages: column(folios.mappedPages),
    mms: column(folios.mmCount),
    pages_mapped: column(folios.pagesMapped),
    mapped_outside: column(folios.mappedOutside),
  });
}
