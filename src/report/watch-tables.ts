/**
 * The tables of the watcher: processes, the VMAs of one, the folios and sharers of a VMA. Sizes in kB; the chosen row is
 * marked with ">", so that it is seen without colours too.
 */
import { FOLIO_KIND_NAMES } from "../kernel/index.ts";
import type { ProcessFigures, Range, Sharer, WatchedFolios, WatchedProcess, WatchedVma } from "../study/index.ts";
import { escapeControls } from "./display-text.ts";
import { EMPTY_CELL, changeCell, figureCell } from "./figure-cells.ts";
import { formatCount, formatDifference, formatKb, kbOf } from "./format-number.ts";
import { changeOf, exactly, isUncertain } from "./process-lines.ts";
import { DERIVED_MARK } from "./styles.ts";
import type { Cell, Column, Table } from "./text-table.ts";

/** A column with what it prints of a row. */
interface RowColumn<T> extends Column {
  readonly cell: (row: T) => Cell;
}

const COMMAND_AT_MOST = 60;

function tableOf<T>(columns: readonly RowColumn<T>[], rows: readonly T[], chosen: number): Table {
  return {
    columns: [{ heading: "", align: "left", rank: 0 }, ...columns],
    rows: rows.map((row, index) => [
      index === chosen ? { text: ">", style: "sum" as const } : { text: " " },
      ...columns.map(({ cell }) => (index === chosen ? emphasized(cell(row)) : cell(row))),
    ]),
  };
}

function emphasized(cell: Cell): Cell {
  return cell.style === undefined ? { ...cell, style: "sum" } : cell;
}

function kbColumn<T>(heading: string, rank: number, bytes: (row: T) => number): RowColumn<T> {
  return { heading, align: "right", rank, cell: (row) => ({ text: formatKb(bytes(row)) }) };
}

function kbRange({ least, most }: Range): Range {
  return { least: kbOf(least), most: kbOf(most) };
}

/** Pss and Uss as this kernel counts, then as the other scheme does and by how much that differs. */
function schemeColumns<T extends { readonly schemes: Readonly<Record<string, ProcessFigures>> }>(
  [own, other]: readonly string[],
  rows: readonly T[],
): RowColumn<T>[] {
  const pss = (id: string) => (row: T) => exactly(kbOf(row.schemes[id].pssBytes));
  const uss = (id: string) => (row: T) => kbRange(row.schemes[id].ussBytes);
  const figure = (group: string, heading: string, rank: number, range: (row: T) => Range): RowColumn<T> => {
    const column = { derived: group !== own, ranged: rows.some((row) => isUncertain(range(row))) };
    const mark = column.derived ? DERIVED_MARK : "";
    return { heading: `${mark}${heading}`, group, align: "right", rank, cell: (row) => figureCell(range(row), column) };
  };
  const ownColumns = [figure(own, "Uss", 4, uss(own)), figure(own, "Pss", 0, pss(own))];
  if (other === undefined) return ownColumns;
  const change = (heading: string, rank: number, of: (id: string) => (row: T) => Range): RowColumn<T> => {
    const range = (row: T): Range => changeOf(of(own)(row), of(other)(row));
    const ranged = rows.some((row) => isUncertain(range(row)));
    return { heading, group: other, align: "right", rank, cell: (row) => changeCell(range(row), ranged) };
  };
  return [
    ...ownColumns,
    figure(other, "Pss", 7, pss(other)),
    change("dPss", 1, pss),
    figure(other, "Uss", 8, uss(other)),
    change("dUss", 5, uss),
  ];
}

/** Processes; `chosen` is the index of the marked row. */
export function processTable(rows: readonly WatchedProcess[], schemes: readonly string[], chosen: number): Table {
  const columns: RowColumn<WatchedProcess>[] = [
    { heading: "PID", align: "right", rank: 0, cell: ({ pid }) => ({ text: String(pid) }) },
    {
      heading: "User",
      align: "left",
      rank: 9,
      cutTo: 8,
      atMost: 12,
      cell: ({ user }) => ({ text: escapeControls(user) }),
    },
    {
      heading: "Command",
      align: "left",
      rank: 0,
      cutTo: 12,
      atMost: COMMAND_AT_MOST,
      cell: ({ name, command }) => ({ text: escapeControls(command === "" ? name : command) }),
    },
    kbColumn("Swap", 10, ({ swapBytes }) => swapBytes),
    kbColumn("Rss", 3, ({ rssBytes }) => rssBytes),
    { heading: "Change", align: "right", rank: 2, cell: ({ pssChangeBytes }) => sinceCell(pssChangeBytes) },
    ...schemeColumns(schemes, rows),
  ];
  return tableOf(columns, rows, chosen);
}

function sinceCell(bytes: number | null): Cell {
  if (bytes === null) return { text: "new", style: "faint" };
  const kb = Math.trunc(bytes / 1024);
  return kb === 0 ? { text: "0", style: "faint" } : { text: formatDifference(kb) };
}

/** VMAs of a process. */
export function vmaTable(rows: readonly WatchedVma[], schemes: readonly string[], chosen: number): Table {
  const columns: RowColumn<WatchedVma>[] = [
    { heading: "Address", align: "right", rank: 0, cell: ({ startPage }) => ({ text: addressOf(startPage) }) },
    { heading: "Perms", align: "left", rank: 9, cell: ({ perms }) => ({ text: perms }) },
    {
      heading: "Mapping",
      align: "left",
      rank: 0,
      cutTo: 12,
      atMost: COMMAND_AT_MOST,
      cell: ({ name }) => ({ text: name === "" ? "[anonymous]" : escapeControls(name) }),
    },
    kbColumn("Size", 6, ({ startPage, endPage }) => (endPage - startPage) * 4096),
    kbColumn("Swap", 10, ({ swapBytes }) => swapBytes),
    kbColumn("Rss", 2, ({ rssBytes }) => rssBytes),
    ...schemeColumns(schemes, rows),
  ];
  return tableOf(columns, rows, chosen);
}

/** The address of a page as maps prints it. */
export function addressOf(page: number): string {
  return (page * 4096).toString(16).padStart(8, "0");
}

/** Folios of a VMA by kind and order. */
export function foliosTable(rows: readonly WatchedFolios[]): Table {
  const columns: RowColumn<WatchedFolios>[] = [
    { heading: "Kind", align: "left", rank: 0, cell: ({ kind }) => ({ text: FOLIO_KIND_NAMES[kind] ?? String(kind) }) },
    { heading: "Order", align: "right", rank: 0, cell: ({ order }) => ({ text: String(order) }) },
    kbColumn("Folio kB", 3, ({ order }) => 2 ** order * 4096),
    { heading: "Folios", align: "right", rank: 0, cell: ({ folios }) => ({ text: formatCount(folios) }) },
    kbColumn("Mapped here", 0, ({ mappedBytes }) => mappedBytes),
    { heading: "Shared", align: "right", rank: 1, cell: ({ sharedFolios }) => ({ text: formatCount(sharedFolios) }) },
    { heading: "Partial", align: "right", rank: 2, cell: ({ partialFolios }) => countOrNone(partialFolios) },
    {
      heading: "Mapped by nobody",
      align: "right",
      rank: 4,
      cell: ({ unmappedBytes }) => (unmappedBytes === 0 ? EMPTY_CELL : { text: formatKb(unmappedBytes) }),
    },
  ];
  return tableOf(columns, rows, -1);
}

function countOrNone(count: number): Cell {
  return count === 0 ? EMPTY_CELL : { text: formatCount(count) };
}

/** Who else maps the frames of a VMA. */
export function sharersTable(rows: readonly Sharer[]): Table {
  const columns: RowColumn<Sharer>[] = [
    { heading: "PID", align: "right", rank: 0, cell: ({ pid }) => ({ text: String(pid) }) },
    {
      heading: "Shares it",
      align: "left",
      rank: 0,
      cutTo: 12,
      atMost: COMMAND_AT_MOST,
      cell: ({ name }) => ({ text: escapeControls(name) }),
    },
    kbColumn("kB", 0, ({ bytes }) => bytes),
  ];
  return tableOf(columns, rows, -1);
}
