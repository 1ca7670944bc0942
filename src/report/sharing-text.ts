/**
 * Who shares with whom as text: what each group maps, alone and with others, and then the pairs; or, where there are few
 * groups and room for it, the matrix.
 *
 * Below the tables is said what adds up to what, in figures that do.
 */
import type { SharingGroup, SharingReport } from "../study/index.ts";
import { chooseWidth, escapeControls } from "./display-text.ts";
import { formatCount, formatKb, formatQuantity } from "./format-number.ts";
import { kbCell, kindColumns, sumKinds } from "./kind-columns.ts";
import { type TextPlace, describeGaps, describeScope, paragraph, title } from "./scope-text.ts";
import { type SelectedSharing, type SharingSelection, selectSharing } from "./select-sharing.ts";
import type { Styles } from "./styles.ts";
import { type Cell, type Column, type Table, fitsWhole, renderTable } from "./text-table.ts";

/** How to print. */
export interface SharingTextOptions {
  readonly selection: SharingSelection;
  /** Columns of the terminal; Infinity where there is none. */
  readonly width: number;
  readonly styles: Styles;
}

/** Groups in a matrix, at most. */
const MATRIX_GROUPS = 16;
const NAME_AT_MOST = 40;

const TITLES = {
  process: "What each process shares",
  program: "What each program shares, its processes taken together",
  cgroup: "What each control group shares, its processes taken together",
  user: "What each user's processes share, taken together",
} as const;

/** The report as text, with its last newline. */
export async function formatSharingText(report: SharingReport, options: SharingTextOptions): Promise<string> {
  const names = report.groups.flatMap(({ name, processes }) => [name, ...processes.map(({ command }) => command)]);
  const place: TextPlace = { ...options, widthOf: await chooseWidth([...names, ...report.notes]) };
  const selected = selectSharing(report, options.selection);
  const blocks = [
    describeScope(report, place),
    [title(TITLES[report.by], place), ...renderGroups(report, selected, place)],
    renderPairsOrMatrix(report, selected, place),
    [...describeSums(report), ...describeGaps(report), ...report.notes.map((note) => `Note: ${escapeControls(note)}`)]
      .flatMap((text) => paragraph(text, place))
      .map((line) => place.styles.faint(line)),
  ];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
}

function nameColumns({ by }: SharingReport): Column[] {
  if (by === "process") {
    return [
      { heading: "PID", align: "right", rank: 0 },
      { heading: "User", align: "left", rank: 9, cutTo: 8, atMost: 12 },
      { heading: "Command", align: "left", rank: 0, cutTo: 12, atMost: NAME_AT_MOST },
    ];
  }
  const heading = { program: "Program", cgroup: "Control group", user: "User" }[by];
  return [
    { heading: "Processes", align: "right", rank: 8 },
    { heading, align: "left", rank: 0, cutTo: 12, atMost: NAME_AT_MOST },
  ];
}

function nameCells({ by }: SharingReport, { name, processes }: SharingGroup): Cell[] {
  const [process] = processes;
  if (by !== "process") return [{ text: formatCount(processes.length) }, { text: escapeControls(name) }];
  const { pid, user, command } = process;
  return [{ text: String(pid) }, { text: escapeControls(user) }, { text: escapeControls(command) }];
}

function renderGroups(report: SharingReport, selected: SelectedSharing, place: TextPlace): readonly string[] {
  const { groups } = report;
  const rowsOf = (indexes: readonly number[]): SharingGroup[] => indexes.map((index) => groups[index]);
  const kinds = kindColumns(
    groups.map(({ shared }) => shared),
    "of it",
    2,
  );
  const figures = (of: Pick<SharingGroup, "mapped" | "private" | "shared">): Cell[] => [
    kbCell(of.mapped.bytes),
    kbCell(of.private.bytes),
    kbCell(of.shared.bytes),
    ...kinds.map(({ cell }) => cell(of.shared)),
  ];
  const sum = (label: string, some: readonly SharingGroup[]): Cell[] => {
    const names: Cell[] = nameColumns(report).map(() => ({ text: "" }));
    names[0] = { text: `(${formatCount(some.length)})`, style: "sum" };
    names[names.length - 1] = { text: label, style: "sum" };
    const sums = {
      mapped: sumKinds(some.map(({ mapped }) => mapped)),
      private: sumKinds(some.map((group) => group.private)),
      shared: sumKinds(some.map(({ shared }) => shared)),
    };
    return [...names, ...figures(sums).map((cell): Cell => ({ ...cell, style: "sum" }))];
  };
  const sums: Cell[][] = [];
  if (selected.groupsLeftOut.length > 0) sums.push(sum("others", rowsOf(selected.groupsLeftOut)));
  if (selected.groupsFiltered.length > 0) sums.push(sum("filtered out", rowsOf(selected.groupsFiltered)));
  sums.push(sum("sum", groups));
  const columns: Column[] = [
    ...nameColumns(report),
    { heading: "Mapped", align: "right", rank: 1 },
    { heading: "Private", align: "right", rank: 0 },
    { heading: "Shared", align: "right", rank: 0 },
    ...kinds,
  ];
  const rows = rowsOf(selected.groups).map((group) => [...nameCells(report, group), ...figures(group)]);
  return renderTable({ columns, rows, sums }, place).lines;
}

function renderPairsOrMatrix(report: SharingReport, selected: SelectedSharing, place: TextPlace): string[] {
  if (selected.pairs.length === 0) return ["No two of them share memory."];
  const matrix = matrixOf(report, selected);
  if (matrix !== undefined && fitsWhole(matrix, place)) {
    return [title("Shared by each two, kB", place), ...renderTable(matrix, place).lines];
  }
  const kinds = kindColumns(
    selected.pairs.map(({ shared }) => shared),
    "of it",
    2,
  );
  const { lines } = renderTable(
    {
      columns: [
        { heading: "One", align: "left", rank: 0, cutTo: 12, atMost: NAME_AT_MOST },
        { heading: "Other", align: "left", rank: 0, cutTo: 12, atMost: NAME_AT_MOST },
        { heading: "Shared", align: "right", rank: 0 },
        ...kinds,
      ],
      rows: selected.pairs.map(({ a, b, shared }) => [
        { text: escapeControls(report.groups[a].name) },
        { text: escapeControls(report.groups[b].name) },
        kbCell(shared.bytes),
        ...kinds.map(({ cell }) => cell(shared)),
      ]),
    },
    place,
  );
  const heading = title("Pairs, largest first", place);
  if (selected.pairsLeftOut === 0) return [heading, ...lines];
  const left = `${formatQuantity(selected.pairsLeftOut, "more pair", "more pairs")}: --top 0, --edges or --json has all.`;
  return [heading, ...lines, ...paragraph(left, place).map((line) => place.styles.faint(line))];
}

/** All pairs of few groups as a table; undefined if there are too many or some were left out. */
function matrixOf({ groups, pairs }: SharingReport, selected: SelectedSharing): Table | undefined {
  const shown = selected.groups;
  if (selected.groupsFiltered.length + selected.groupsLeftOut.length > 0 || shown.length > MATRIX_GROUPS)
    return undefined;
  const bytesOf = new Map(pairs.map(({ a, b, shared }) => [a * groups.length + b, shared.bytes]));
  const cellOf = (one: number, other: number): Cell => {
    if (one === other) return { text: "-", style: "faint" };
    return kbCell(bytesOf.get(Math.min(one, other) * groups.length + Math.max(one, other)) ?? 0);
  };
  return {
    columns: [
      { heading: "", align: "left", rank: 0, cutTo: 12, atMost: NAME_AT_MOST },
      ...shown.map((index): Column => ({ heading: headingOf(groups[index]), align: "right", rank: 0 })),
    ],
    rows: shown.map((row): Cell[] => [
      { text: escapeControls(groups[row].name) },
      ...shown.map((column) => cellOf(row, column)),
    ]),
  };
}

/** A name short enough to stand above figures. */
function headingOf({ name }: SharingGroup): string {
  const escaped = escapeControls(name);
  return escaped.length <= 12 ? escaped : `${escaped.slice(0, 11)}~`;
}

function describeSums(report: SharingReport): string[] {
  const { totals, groupsWithoutPairs, groups } = report;
  const outside = sumKinds(groups.map(({ sharedOutside }) => sharedOutside)).bytes;
  const sentences = [
    `Every page once: private ${formatKb(totals.private.bytes)} + shared ${formatKb(totals.shared.bytes)} = mapped ` +
      `${formatKb(totals.mapped.bytes)} kB, by ${formatQuantity(totals.sets, "set", "sets")} of address spaces. Private + ` +
      "Shared = Mapped in every row; in the sum of Shared a page counts once for each that maps it, in the pairs once for " +
      "each two. anon: shared since a fork.",
  ];
  if (outside > 0)
    sentences.push(`Shared with processes that were not read: ${formatKb(outside)} kB of column Shared.`);
  if (groupsWithoutPairs > 0) {
    const sharing = groups.filter(({ shared }) => shared.bytes > 0).length;
    sentences.push(
      `Pairs are those of the ${formatCount(sharing - groupsWithoutPairs)} groups that share most: there are too many ` +
        "groups for all; --by takes them together.",
    );
  }
  return sentences;
}
