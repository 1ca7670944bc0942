/**
 * The seven changes that users see where a large folio has no mapcount for each page, one line each or a few:
 * (1) AnonPages, Mapped and their memcg twins count whole folios; (2) numa_maps' mapmax is an average; (3) the exclusive
 * bit follows owners; (4) kpagecount is an average; (5) Pss uses it; (6) Uss follows owners; (7) a partial mapping is
 * noticed only below an average of one (kernel-facts 2.6, 2.7, 3.2, 3.7, 3.9, 3.10).
 *
 * "printed" is what the kernel said itself, so that one can see how well the page tables explain it; "now" is computed
 * from the page tables under the kernel's own scheme. The two differ by what moved during the capture.
 */
import type { CaptureReport, MachineFigures, Range } from "../study/index.ts";
import { type WidthOf, escapeControls } from "./display-text.ts";
import { EMPTY_CELL, changeCell, figureCell, percentCell, upToCell } from "./figure-cells.ts";
import { formatCount, kbOf } from "./format-number.ts";
import { type ProcessLine, changeOf, exactly, foldEqual, isUncertain, unfolded } from "./process-lines.ts";
import { DERIVED_MARK, type Styles } from "./styles.ts";
import { type Cell, type Column, type RenderedTable, type Table, fitsWhole, renderTable } from "./text-table.ts";

/** A line: what the kernel printed, and the figure under each scheme. */
interface FigureLine {
  readonly change: string;
  readonly figure: string;
  readonly unit: string;
  readonly why: string;
  readonly printed: number | null;
  /** In the order of the report's schemes. */
  readonly values: readonly Range[];
  /** Only the change is known, not the figure: memory.stat is not part of a capture. */
  readonly changeOnly?: boolean;
  /** A percentage says something: not where the figure itself counts changes. */
  readonly percent?: boolean;
}

/** Control groups named one by one; the rest is in their sum. */
const CGROUPS_NAMED = 2;

/** Draws the table. `total` is the sum of all processes as printed above it. */
export function renderMachineTable(
  report: CaptureReport,
  total: ProcessLine,
  options: { readonly width: number; readonly styles: Styles; readonly widthOf: WidthOf },
): RenderedTable {
  const lines = figureLines(report, total);
  const whole = tableOf(report.schemes, lines, unfolded(report.schemes));
  if (Number.isFinite(options.width) && fitsWhole(whole, options)) return renderTable(whole, options);
  const groups = foldEqual(report.schemes.map((_, index) => JSON.stringify(lines.map(({ values }) => values[index]))));
  return renderTable(tableOf(report.schemes, lines, groups), options);
}

function figureLines(report: CaptureReport, total: ProcessLine): FigureLine[] {
  const { schemes, figures, measured } = report;
  const of = (pick: (figures: MachineFigures) => number): Range[] => schemes.map((id) => exactly(pick(figures[id])));
  /** From the least on so much more as the past decides. */
  const rangeOf = (pick: (figures: MachineFigures) => readonly [number, number]): Range[] =>
    schemes.map((id) => {
      const [least, more] = pick(figures[id]);
      return { least, most: least + more };
    });
  const kb = (bytes: number | null): number | null => (bytes === null ? null : kbOf(bytes));
  const none = { printed: null };
  return [
    {
      ...line("1", "AnonPages", "kB", "whole folios"),
      printed: kb(measured.anonPagesBytes),
      values: of(({ anonPagesBytes }) => kbOf(anonPagesBytes)),
    },
    {
      ...line("", "Mapped", "kB", "whole folios"),
      printed: kb(measured.mappedBytes),
      values: of(({ mappedBytes }) => kbOf(mappedBytes)),
    },
    {
      ...line("", "Shmem", "kB", "counts the cache, mapped or not"),
      printed: kb(measured.shmemBytes),
      values: schemes.map(() => exactly(kb(measured.shmemBytes) ?? 0)),
    },
    ...cgroupLines(report),
    {
      ...line("2", "numa_maps mapmax off", "VMAs", "an average"),
      ...none,
      values: of(({ mapmaxChangedVmas }) => mapmaxChangedVmas),
      percent: false,
    },
    {
      ...line("3", "PM_MMAP_EXCLUSIVE", "entries", "follows owners"),
      printed: measured.exclusiveEntries,
      values: schemes.map((id) => figures[id].exclusiveEntries),
    },
    {
      ...line("4", "kpagecount off", "frames", "an average"),
      ...none,
      values: of(({ kpagecountChangedFrames }) => kpagecountChangedFrames),
      percent: false,
    },
    {
      ...line("5", "Pss of all", "kB", "uses that average"),
      ...none,
      values: total.schemes.map(({ pss }) => exactly(pss)),
    },
    {
      ...line("6", "Uss of all", "kB", "follows owners"),
      ...none,
      values: total.schemes.map(({ uss }) => uss),
    },
    {
      ...line("7", "partial maps noticed", "folios", "below an average of one"),
      ...none,
      values: rangeOf(({ partialNoticed, partialPastDecides }) => [partialNoticed, partialPastDecides]),
    },
    {
      ...line("", "  unmapped, missed", "kB", ""),
      ...none,
      values: rangeOf(({ partialMissedBytes, partialPastDecidesBytes }) => [
        kbOf(partialMissedBytes - partialPastDecidesBytes),
        kbOf(partialPastDecidesBytes),
      ]),
      percent: false,
    },
  ];
}

function line(change: string, figure: string, unit: string, why: string) {
  return { change, figure, unit, why };
}

/** memory.stat's anon and file_mapped: all groups together, and those that change most. */
function cgroupLines({ schemes, cgroups }: CaptureReport): FigureLine[] {
  const sum = (pick: (cgroup: CaptureReport["cgroups"][number]) => Readonly<Record<string, number>>): Range[] =>
    schemes.map((id) => exactly(kbOf(cgroups.reduce((all, cgroup) => all + (pick(cgroup)[id] ?? 0), 0))));
  const memcg = { unit: "kB", why: "whole folios", printed: null, changeOnly: true };
  const named = cgroups.length > 1 ? cgroups.slice(0, CGROUPS_NAMED) : [];
  const where = cgroups.length === 1 ? ` ${cgroups[0].cgroup}` : "";
  return [
    { ...memcg, change: "", figure: `memcg anon${where}`, values: sum(({ anonExtraBytes }) => anonExtraBytes) },
    ...named.map((group) => ({
      ...memcg,
      change: "",
      figure: `  ${group.cgroup}`,
      values: schemes.map((id) => exactly(kbOf(group.anonExtraBytes[id] ?? 0))),
    })),
    {
      ...memcg,
      change: "",
      figure: `memcg file_mapped${where}`,
      values: sum(({ fileExtraBytes }) => fileExtraBytes),
    },
  ];
}

/** A column with what it prints of a line. */
interface ColumnOfLine extends Column {
  readonly cell: (line: FigureLine) => Cell;
}

function tableOf(
  schemes: readonly string[],
  lines: readonly FigureLine[],
  groups: readonly (readonly number[])[],
): Table {
  const ranged = lines.some(({ values }) => isUncertain(values[0]));
  const own = ({ values, changeOnly }: FigureLine): Range | undefined => (changeOnly === true ? undefined : values[0]);
  const columns: ColumnOfLine[] = [
    { heading: "#", align: "right", rank: 12, cell: ({ change }) => ({ text: change }) },
    {
      heading: "Figure",
      align: "left",
      rank: 0,
      cutTo: 20,
      atMost: 40,
      cell: ({ figure }) => ({ text: escapeControls(figure) }),
    },
    { heading: "Unit", align: "left", rank: 7, cell: ({ unit }) => ({ text: unit }) },
    {
      heading: "printed",
      align: "right",
      rank: 9,
      cell: ({ printed }) => ({ text: printed === null ? "" : formatCount(printed) }),
    },
    {
      heading: `now: ${schemes[0]}`,
      align: "right",
      rank: 0,
      cell: (each) => cellOf(own(each), (range) => figureCell(range, { derived: false, ranged })),
    },
    ...(ranged ? [upTo(undefined, 10, own)] : []),
    ...groups.flatMap((indexes, place) => otherColumns(schemes, lines, { indexes, place })),
    { heading: "why", align: "left", rank: 13, cell: ({ why }) => ({ text: why, style: "faint" }) },
  ];
  return { columns, rows: lines.map((each) => columns.map(({ cell }) => cell(each))) };
}

function cellOf(range: Range | undefined, draw: (range: Range) => Cell): Cell {
  return range === undefined ? EMPTY_CELL : draw(range);
}

function upTo(group: string | undefined, rank: number, value: (line: FigureLine) => Range | undefined): ColumnOfLine {
  const cell = (each: FigureLine): Cell => cellOf(value(each), upToCell);
  return { heading: "up to", align: "right", rank, cell, ...(group === undefined ? {} : { group }) };
}

function otherColumns(
  schemes: readonly string[],
  lines: readonly FigureLine[],
  { indexes, place }: { readonly indexes: readonly number[]; readonly place: number },
): ColumnOfLine[] {
  const [index] = indexes;
  const group = indexes.map((each) => schemes[each]).join(" = ");
  const further = place * 20;
  const value = ({ values, changeOnly }: FigureLine): Range | undefined =>
    changeOnly === true ? undefined : values[index];
  const change = ({ values }: FigureLine): Range => changeOf(values[0], values[index]);
  const ranged = lines.some(({ values }) => isUncertain(values[index]));
  const doubtful = lines.some((each) => isUncertain(change(each)));
  const base = { align: "right", group } as const;
  return [
    {
      ...base,
      heading: `${DERIVED_MARK}figure`,
      rank: 5 + further,
      cell: (each) => cellOf(value(each), (range) => figureCell(range, { derived: true, ranged })),
    },
    ...(ranged ? [upTo(group, 11 + further, value)] : []),
    { ...base, heading: "change", rank: further, cell: (each) => changeCell(change(each), doubtful) },
    {
      ...base,
      heading: "%",
      rank: 3 + further,
      cell: (each) =>
        each.percent === false || each.changeOnly === true
          ? EMPTY_CELL
          : percentCell(change(each), each.values[0], doubtful),
    },
  ];
}
