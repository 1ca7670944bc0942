/**
 * Who maps the pages of a VMA or of a file, as text.
 */
import type { WhoRangeReport } from "../study/index.ts";
import { chooseWidth, escapeControls } from "./display-text.ts";
import { formatCount, formatKb, formatQuantity } from "./format-number.ts";
import { KIND_HEADINGS, kbCell } from "./kind-columns.ts";
import { type TextPlace, paragraph, title } from "./scope-text.ts";
import { type Cell, type Column, renderTable } from "./text-table.ts";
import { type WhoTextOptions, describeCounts, describeSearch, joinBlocks, processCellsOf } from "./who-text.ts";

/** Mapcounts told one by one; what is above is told together. */
const COUNTS_TOLD = 8;

/** The answer as text, with its last newline; `asked` names the pages, "[heap] of 4711". */
export async function formatWhoRangeText(
  report: WhoRangeReport,
  asked: string,
  options: WhoTextOptions,
): Promise<string> {
  const texts = report.mappers.flatMap(({ process, vma }) => [process.command, process.user, vma.name]);
  const place: TextPlace = { ...options, widthOf: await chooseWidth([...texts, asked]) };
  const faint = describeCounts(report.search, 0).flatMap((text) => paragraph(text, place));
  return joinBlocks([
    paragraph(`${describeSearch(report.machine, report.search)} Sizes in kB of 1024 bytes.`, place),
    [
      title(`Pages of ${escapeControls(asked)}`, place),
      ...describePages(report).flatMap((text) => paragraph(text, place)),
    ],
    renderMappers(report, options.top, place),
    faint.map((line) => place.styles.faint(line)),
  ]);
}

function describePages({ present, largeBytes, uncountedBytes, mapcounts }: WhoRangeReport): string[] {
  const kinds = KIND_HEADINGS.filter(([field]) => present[field] > 0);
  const parts = kinds.map(([field, heading]) => `${formatKb(present[field])} ${heading}`);
  const large = largeBytes === 0 ? "" : ` In large folios: ${formatKb(largeBytes)} kB.`;
  const zero =
    uncountedBytes === 0 ? "" : ` Zero pages and the like, which are not counted: ${formatKb(uncountedBytes)} kB.`;
  const told = mapcounts.slice(0, COUNTS_TOLD).map(({ mapcount, pages }) => countedPages(pages, String(mapcount)));
  const above = mapcounts.slice(COUNTS_TOLD).reduce((sum, { pages }) => sum + pages, 0);
  if (above > 0) told.push(countedPages(above, "more"));
  return [
    `Present: ${formatKb(present.bytes)} kB${parts.length > 1 ? ` (${parts.join(", ")})` : (parts[0] ?? "").replace(/^.* /, " ")}.${large}${zero}`,
    ...(told.length === 0 ? [] : [`Mapcounts: ${told.join(", ")}.`]),
  ];
}

function countedPages(pages: number, mapcount: string): string {
  return `${mapcount} of ${formatQuantity(pages, "page", "pages")}`;
}

function renderMappers({ mappers }: WhoRangeReport, top: number, place: TextPlace): string[] {
  const columns: Column[] = [
    { heading: "PID", align: "right", rank: 0 },
    { heading: "User", align: "left", rank: 9, cutTo: 8, atMost: 12 },
    { heading: "Command", align: "left", rank: 0, cutTo: 12, atMost: 40 },
    { heading: "Maps", align: "right", rank: 0 },
    { heading: "Alone", align: "right", rank: 0 },
    { heading: "From", align: "left", rank: 4 },
    { heading: "Rights", align: "left", rank: 3 },
    { heading: "Mapping", align: "left", rank: 2, cutTo: 16, atMost: 48 },
  ];
  const rows = mappers
    .slice(0, top)
    .map((mapper): Cell[] => [
      ...processCellsOf(mapper),
      kbCell(mapper.bytes),
      kbCell(mapper.aloneBytes),
      { text: mapper.vma.start },
      { text: mapper.vma.rights },
      { text: escapeControls(mapper.vma.name) },
    ]);
  const left = mappers.length - rows.length;
  const more = left === 0 ? [] : [`${formatCount(left)} more; --top 0 and --json have all.`];
  return [title("Who maps them, kB", place), ...renderTable({ columns, rows }, place).lines, ...more];
}
