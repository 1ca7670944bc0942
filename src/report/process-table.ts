/**
 * The table of processes: Swap, Uss, Pss, Rss as this kernel counts, then Pss and Uss under every other scheme.
 *
 * Columns leave a narrow terminal in this order: the second other scheme's, then of the first one "up to", Pss and Uss,
 * then Swap, User, the percentages, Rss, Uss now, the change of Uss and of Pss. PID, Command and Pss stay. Schemes that
 * say the same in every row share columns where there is no room for both.
 */
import type { CaptureReport, ProcessReport, Range } from "../study/index.ts";
import { type WidthOf, escapeControls } from "./display-text.ts";
import { EMPTY_CELL, changeCell, figureCell, percentCell, upToCell } from "./figure-cells.ts";
import { formatCount } from "./format-number.ts";
import {
  type ProcessLine,
  changeOf,
  exactly,
  foldEqual,
  isUncertain,
  lineOf,
  sumLines,
  unfolded,
} from "./process-lines.ts";
import type { SelectedProcesses } from "./select-processes.ts";
import { DERIVED_MARK, type Styles } from "./styles.ts";
import {
  type Cell,
  type Column,
  type RenderedTable,
  type Table,
  type TableOptions,
  fitsWhole,
  renderTable,
} from "./text-table.ts";

/** A column with what it prints of a line. */
interface FigureOfLine extends Column {
  readonly cell: (line: ProcessLine) => Cell;
}

/** What the table printed, for what follows it. */
export interface ProcessTable extends RenderedTable {
  /** All counted processes. */
  readonly total: ProcessLine;
  /** Schemes that share columns, as one sentence each. */
  readonly folded: readonly string[];
}

const COMMAND_AT_MOST = 40;
/** Ranks of a further scheme's columns lie above all of the one before it. */
const RANKS_PER_SCHEME = 20;

/** Draws the table. */
export function renderProcessTable(
  report: CaptureReport,
  { shown, others, filtered }: SelectedProcesses,
  options: { readonly width: number; readonly styles: Styles; readonly widthOf: WidthOf },
): ProcessTable {
  const { schemes } = report;
  const linesOf = (processes: readonly ProcessReport[]): ProcessLine[] =>
    processes.map((process) => lineOf(process, schemes));
  const lines = { shown: linesOf(shown), others: linesOf(others), filtered: linesOf(filtered) };
  const all = [...lines.shown, ...lines.others, ...lines.filtered];
  const total = sumLines(all, schemes.length);
  const sums: { readonly count: number; readonly label: string; readonly line: ProcessLine }[] = [];
  if (others.length > 0) {
    sums.push({ count: others.length, label: "others", line: sumLines(lines.others, schemes.length) });
  }
  if (filtered.length > 0) {
    sums.push({ count: filtered.length, label: "filtered out", line: sumLines(lines.filtered, schemes.length) });
  }
  sums.push({ count: all.length, label: "total", line: total });
  const tableOf = (groups: readonly (readonly number[])[]): Table => {
    const figures = figureColumns(schemes, groups, [...lines.shown, ...sums.map(({ line }) => line)]);
    return {
      columns: [...NAME_COLUMNS, ...figures],
      rows: shown.map((process, row) => [...nameCells(process), ...figures.map(({ cell }) => cell(lines.shown[row]))]),
      sums: sums.map(({ count, label, line }) => [
        { text: `(${formatCount(count)})`, style: "sum" },
        EMPTY_CELL,
        { text: label, style: "sum" },
        ...figures.map(({ cell }) => emphasized(cell(line))),
      ]),
    };
  };
  const whole = tableOf(unfolded(schemes));
  const groups = foldEqual(schemes.map((_, index) => JSON.stringify(all.map((line) => line.schemes[index]))));
  if (groups.length === schemes.length - 1 || hasRoom(whole, options)) {
    return { ...renderTable(whole, options), total, folded: [] };
  }
  const folded = groups.filter(({ length }) => length > 1).map((group) => foldedSentence(group, schemes));
  return { ...renderTable(tableOf(groups), options), total, folded };
}

/** Whether a terminal is wide enough; without a terminal, lines that say nothing new are not made longer. */
function hasRoom(table: Table, options: TableOptions): boolean {
  return Number.isFinite(options.width) && fitsWhole(table, options);
}

function foldedSentence([first, ...equal]: readonly number[], schemes: readonly string[]): string {
  return `${equal.map((index) => schemes[index]).join(" and ")}: in every row the same as ${schemes[first]}.`;
}

const NAME_COLUMNS: readonly Column[] = [
  { heading: "PID", align: "right", rank: 0 },
  { heading: "User", align: "left", rank: 9, cutTo: 8, atMost: 12 },
  { heading: "Command", align: "left", rank: 0, cutTo: 12, atMost: COMMAND_AT_MOST },
];

function nameCells({ pid, user, name, command }: ProcessReport): Cell[] {
  return [
    { text: String(pid) },
    { text: escapeControls(user) },
    { text: escapeControls(command === "" ? name : command) },
  ];
}

function emphasized(cell: Cell): Cell {
  return cell.style === undefined ? { ...cell, style: "sum" } : cell;
}

function figureColumns(
  schemes: readonly string[],
  groups: readonly (readonly number[])[],
  lines: readonly ProcessLine[],
): FigureOfLine[] {
  const group = `now: ${schemes[0]}`;
  const ranged = lines.some(({ schemes: [own] }) => isUncertain(own.uss));
  const own = (line: ProcessLine): Range => line.schemes[0].uss;
  const number = (heading: string, rank: number, value: (line: ProcessLine) => number): FigureOfLine => ({
    heading,
    group,
    align: "right",
    rank,
    cell: (line) => figureCell(exactly(value(line)), { derived: false, ranged: false }),
  });
  return [
    number("Swap", 10, ({ swap }) => swap),
    {
      heading: "Uss",
      group,
      align: "right",
      rank: 5,
      cell: (line) => figureCell(own(line), { derived: false, ranged }),
    },
    ...(ranged ? [upToColumn(group, 15, own)] : []),
    number("Pss", 0, ({ schemes: [{ pss }] }) => pss),
    number("Rss", 6, ({ rss }) => rss),
    ...groups.flatMap((indexes, place) => otherColumns(schemes, indexes, { place, lines })),
  ];
}

function upToColumn(group: string, rank: number, uss: (line: ProcessLine) => Range): FigureOfLine {
  return { heading: "up to", group, align: "right", rank, cell: (line) => upToCell(uss(line)) };
}

function otherColumns(
  schemes: readonly string[],
  indexes: readonly number[],
  { place, lines }: { readonly place: number; readonly lines: readonly ProcessLine[] },
): FigureOfLine[] {
  const [index] = indexes;
  const group = indexes.map((each) => schemes[each]).join(" = ");
  const rank = (within: number): number => within + place * RANKS_PER_SCHEME;
  const pss = (line: ProcessLine, at: number): Range => exactly(line.schemes[at].pss);
  const uss = (line: ProcessLine, at: number): Range => line.schemes[at].uss;
  const ranged = lines.some((line) => isUncertain(uss(line, index)));
  const doubtful = lines.some((line) => isUncertain(changeOf(uss(line, 0), uss(line, index))));
  const column = (heading: string, order: number, cell: (line: ProcessLine) => Cell): FigureOfLine => {
    return { heading, group, align: "right", rank: rank(order), cell };
  };
  return [
    column(`${DERIVED_MARK}Pss`, 14, (line) => figureCell(pss(line, index), { derived: true, ranged: false })),
    column("dPss", 1, (line) => changeCell(changeOf(pss(line, 0), pss(line, index)), false)),
    column("%", 8, (line) => percentCell(changeOf(pss(line, 0), pss(line, index)), pss(line, 0), false)),
    column(`${DERIVED_MARK}Uss`, 13, (line) => figureCell(uss(line, index), { derived: true, ranged })),
    ...(ranged ? [upToColumn(group, rank(15), (line) => uss(line, index))] : []),
    column("dUss", 2, (line) => changeCell(changeOf(uss(line, 0), uss(line, index)), doubtful)),
    column("%", 7, (line) => percentCell(changeOf(uss(line, 0), uss(line, index)), uss(line, 0), doubtful)),
  ];
}
