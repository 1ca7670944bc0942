/**
 * The report as text: what was captured, processes, the seven changes, the machine's memory, large folios, coverage, and
 * what the marks mean. No line is wider than the terminal, and kB is explained once.
 */
import type { CaptureReport } from "../study/index.ts";
import { describeCoverage } from "./coverage.ts";
import { type WidthOf, chooseWidth, cutText, escapeControls, wrapText } from "./display-text.ts";
import { renderFolioTable } from "./folio-table.ts";
import { formatCount, formatDuration, formatQuantity, formatRange, formatSize, formatTime } from "./format-number.ts";
import { renderMachineTable } from "./machine-table.ts";
import { renderMemoryTable } from "./memory-table.ts";
import { renderProcessTable } from "./process-table.ts";
import { type ProcessSelection, selectProcesses } from "./select-processes.ts";
import { DERIVED_MARK, type Styles, UNCERTAIN_MARK } from "./styles.ts";

/** How to print a report. */
export interface ReportTextOptions {
  readonly selection: ProcessSelection;
  /** Columns of the terminal; Infinity where there is none. */
  readonly width: number;
  readonly styles: Styles;
}

/** Paragraphs are broken at this width where the terminal has none or more. */
const PARAGRAPH_COLUMNS = 120;

/**
 * The report as text, with its last newline.
 * @example process.stdout.write(await formatReportText(report, { selection: {}, width: 100, styles: PLAIN_STYLES }))
 */
export async function formatReportText(report: CaptureReport, options: ReportTextOptions): Promise<string> {
  const selected = selectProcesses(report, options.selection);
  const place = { ...options, widthOf: await chooseWidth(textsOf(report)) };
  const processes = renderProcessTable(report, selected, place);
  const machine = renderMachineTable(report, processes.total, place);
  const blocks = [
    describeCapture(report, place),
    processes.lines,
    [...title("What users see, now and otherwise", place), ...machine.lines],
    report.wholeMachine
      ? renderMemoryTable(report, processes.total.schemes[0].pss, place)
      : paragraph("The machine's memory adds up only in a capture of all processes; this is a choice of them.", place),
    [
      ...title("Large folios that are mapped", place),
      ...renderFolioTable(report, place),
      ...describePartial(report, place),
    ],
    [...describeCoverage(report), ...report.notes.map((note) => `Note: ${escapeControls(note)}`)].flatMap((text) =>
      paragraph(text, place),
    ),
    describeMarks(report, [...processes.folded, ...describeLeftOut([...processes.leftOut, ...machine.leftOut])], place),
  ];
  return `${blocks.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

/** All text in a report that others chose. */
function textsOf({ processes, cgroups, notes, machine }: CaptureReport): string[] {
  return [
    machine.kernelRelease,
    ...processes.flatMap(({ user, command, name, refusal }) => [user, command, name, refusal ?? ""]),
    ...cgroups.map(({ cgroup }) => cgroup),
    ...notes,
  ];
}

interface Place {
  readonly width: number;
  readonly styles: Styles;
  readonly widthOf: WidthOf;
}

function paragraph(text: string, { width, widthOf }: Place): string[] {
  return wrapText(text, Math.min(width, PARAGRAPH_COLUMNS), "  ", widthOf);
}

function title(text: string, { width, styles, widthOf }: Place): string[] {
  return [styles.heading(cutText(text, width, widthOf))];
}

const HOW_KNOWN = {
  page: "(CONFIG_PAGE_MAPCOUNT)",
  nopage: "(CONFIG_NO_PAGE_MAPCOUNT)",
  unknown: "(an assumption: neither its options nor its release say)",
} as const;

/** Which kernel, how it counts, when, how long; and what a kB is. */
function describeCapture(report: CaptureReport, place: Place): string[] {
  const { machine, cost, schemes, totals } = report;
  const how = `${schemes[0]} ${HOW_KNOWN[machine.mapcountConfig]}`;
  const thp = machine.thpEnabled === null ? "" : `; THP ${escapeControls(machine.thpEnabled)}`;
  const hugetlb = totals.hugetlbBytes === 0 ? "" : `; hugetlb mapped ${formatSize(totals.hugetlbBytes)}, in no Rss`;
  const lasted = machine.endedAtMs - machine.beganAtMs;
  const { styles } = place;
  const [first, ...rest] = paragraph(
    `Linux ${escapeControls(machine.kernelRelease)} ${escapeControls(machine.architecture)}, counting by ${how}` +
      `${thp}${hugetlb}.`,
    place,
  );
  return [
    styles.heading(first),
    ...rest,
    ...paragraph(
      `Captured ${formatTime(machine.beganAtMs)} in ${formatDuration(Math.max(lasted, 0))}, ` +
        `${formatQuantity(cost.threads, "thread", "threads")}, not in one instant. Sizes in kB of 1024 bytes.`,
      place,
    ),
  ];
}

function describePartial({ partial, figures, schemes }: CaptureReport, place: Place): string[] {
  if (partial.folios === 0) return [];
  const missed = schemes
    .filter((id) => figures[id].partialMissed > 0)
    .map((id) => {
      const { partialMissed: most, partialPastDecides } = figures[id];
      return `${id} misses ${formatRange({ least: most - partialPastDecides, most }, formatCount)}`;
    });
  return paragraph(
    `Partially mapped anonymous folios: ${formatCount(partial.folios)}, holding ${formatSize(partial.unmappedBytes)} that ` +
      `nobody maps${missed.length === 0 ? "" : `; ${missed.join(", ")}`}.`,
    place,
  );
}

function describeLeftOut(headings: readonly string[]): string[] {
  if (headings.length === 0) return [];
  return [`Left out for want of width: ${[...new Set(headings)].join(", ")}; --width or --json has them.`];
}

function describeMarks(report: CaptureReport, folded: readonly string[], place: Place): string[] {
  const { styles } = place;
  const [own, ...others] = report.schemes;
  const lines = [...folded];
  if (others.length > 0) {
    lines.push(
      `Plain figures: what this kernel prints, or its page tables counted as it counts (${own}). ` +
        `${DERIVED_MARK} and signed figures: derived, what it would print if it counted otherwise, or what stands in ` +
        "none of its files.",
    );
  }
  if (hasRanges(report)) {
    lines.push(
      `${UNCERTAIN_MARK}: depends on who mapped and unmapped a folio before, which no capture can know. The figure is ` +
        `the least, "up to" the most; a change and its percentage are those of the farther end.`,
    );
  }
  return lines.flatMap((text) => paragraph(text, place)).map((text) => styles.faint(text));
}

function hasRanges({ processes, figures, schemes }: CaptureReport): boolean {
  const differs = ({ least, most }: { least: number; most: number }): boolean => least !== most;
  return schemes.some(
    (id) =>
      differs(figures[id].exclusiveEntries) ||
      differs(figures[id].ussBytes) ||
      processes.some((process) => process.state === "complete" && differs(process.schemes[id].ussBytes)),
  );
}
