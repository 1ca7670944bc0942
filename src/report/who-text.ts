/**
 * Who maps a folio, as text: the folio and its pages, everybody who maps it and where, and what each scheme makes of it.
 */
import type { WhoAnswer, WhoMachine, WhoMapper, WhoPiece, WhoReport, WhoScheme, WhoSearch } from "../study/index.ts";
import { chooseWidth, escapeControls } from "./display-text.ts";
import { formatCount, formatDuration, formatQuantity, formatSize, formatTime } from "./format-number.ts";
import { drawMapcounts } from "./mapcount-strip.ts";
import { type TextPlace, paragraph, title } from "./scope-text.ts";
import { DERIVED_MARK, type Styles, UNCERTAIN_MARK } from "./styles.ts";
import { type Cell, type Column, renderTable } from "./text-table.ts";

/** How to print. */
export interface WhoTextOptions {
  /** Lines of the table of mappings at most. */
  readonly top: number;
  /** Columns of the terminal; Infinity where there is none. */
  readonly width: number;
  readonly styles: Styles;
}

const NAME_AT_MOST = 40;
/** Columns of a strip where the terminal has no width. */
const STRIP_COLUMNS = 80;

/** The answer as text, with its last newline. */
export async function formatWhoText(report: WhoReport, options: WhoTextOptions): Promise<string> {
  const texts = report.mappers.flatMap(({ process, vma }) => [process.command, process.user, vma.name]);
  const place: TextPlace = { ...options, widthOf: await chooseWidth(texts) };
  const faint = (sentences: readonly string[]): string[] =>
    sentences.flatMap((text) => paragraph(text, place)).map((line) => place.styles.faint(line));
  return joinBlocks([
    paragraph(describeSearch(report.machine, report.search), place),
    describeFolio(report, place),
    renderMappers(report, options.top, place),
    report.schemes.length === 0
      ? []
      : [title("What each scheme says of the folio", place), ...renderSchemes(report, place)],
    faint([...describeMarks(report), ...describeCounts(report.search, report.totals.outside)]),
  ]);
}

/** Blocks with an empty line between them. */
export function joinBlocks(blocks: readonly (readonly string[])[]): string {
  const shown = blocks.filter((lines) => lines.length > 0).map((lines) => lines.join("\n"));
  return `${shown.join("\n\n")}\n`;
}

/** Which machine, when, and how much was read for the answer. */
export function describeSearch(
  { kernelRelease, architecture, beganAtMs }: WhoMachine,
  { how, processesRead, processesRefused, pagemapBytes, elapsedMs }: WhoSearch,
): string {
  const machine = `Linux ${escapeControls(kernelRelease)} ${escapeControls(architecture)}`;
  if (how === "capture") return `${machine}, captured ${formatTime(beganAtMs)}.`;
  const refused = processesRefused === 0 ? "" : ` (${formatCount(processesRefused)} more refused)`;
  const read = `${formatSize(pagemapBytes)} of the page tables of ${formatQuantity(processesRead, "process", "processes")}`;
  return `${machine}, looked at ${formatTime(beganAtMs)}: ${read}${refused} read in ${formatDuration(elapsedMs)}.`;
}

function describeFolio({ folio, mapcounts, totals }: WhoReport, place: TextPlace): string[] {
  const { pfn, order, pages, bytes, kind, flags, askedPage } = folio;
  const size = order === 0 ? "one page" : `order ${order}, ${formatCount(pages)} pages, ${formatSize(bytes)}`;
  const asked = order === 0 ? "" : `; asked about page ${formatCount(askedPage)}`;
  const lines = [
    title(`Folio at frame ${pfn}: ${kind}, ${size}${asked}`, place),
    ...paragraph(`Flags: ${flags.length === 0 ? "none" : flags.join(" ")}.`, place),
    ...paragraph(describeTotals(totals, pages), place),
  ];
  const counts = mapcounts.kernel ?? mapcounts.found;
  const isAverage = mapcounts.kernel !== null && order > 0 && counts.every((count) => count === counts[0]);
  if (order === 0) return [...lines, `Mapcount: ${formatCount(counts[0] ?? 0)}.`];
  const strip = drawMapcounts(isAverage ? mapcounts.found : counts, Math.min(place.width, STRIP_COLUMNS));
  const cell = strip.pagesPerCell === 1 ? "" : `, ${formatCount(strip.pagesPerCell)} pages a sign`;
  const signs = strip.signs.length === 0 ? "" : ` (${strip.signs.join(", ")})`;
  return [...lines, ...paragraph(`Mapcount of each page${cell}${signs}:`, place), ...strip.lines];
}

function describeTotals(
  { entries, pmdEntries, addressSpaces, vmas, pagesMapped }: WhoReport["totals"],
  pages: number,
): string {
  if (entries === 0) return "Nobody who was read maps it.";
  const spaces = formatQuantity(addressSpaces, "address space", "address spaces");
  const pmd = pmdEntries === 0 ? "" : `, ${formatCount(pmdEntries)} of them PMDs`;
  const mapped = pages === 1 || pagesMapped === pages ? "" : ` Of its pages ${formatCount(pagesMapped)} are mapped.`;
  return (
    `Mapped by ${spaces} in ${formatQuantity(vmas, "VMA", "VMAs")}: ` +
    `${formatQuantity(entries, "entry", "entries")}${pmd}.${mapped}`
  );
}

const LEVELS = { pte: "PTE", pmd: "PMD", pud: "PUD", unknown: "?" } as const;

function describeEntry({ level, exclusive, softDirty, uffdWriteProtected }: WhoPiece): string {
  const words = [LEVELS[level]];
  const marks = [
    exclusive ? "exclusive" : "",
    softDirty === true ? "soft-dirty" : "",
    uffdWriteProtected ? "uffd-wp" : "",
  ];
  return [...words, ...marks.filter((mark) => mark !== "")].join(" ");
}

function renderMappers({ mappers, folio }: WhoReport, top: number, place: TextPlace): string[] {
  if (mappers.length === 0) return [];
  const isLarge = folio.order > 0;
  const columns: Column[] = [
    { heading: "PID", align: "right", rank: 0 },
    { heading: "User", align: "left", rank: 9, cutTo: 8, atMost: 12 },
    { heading: "Command", align: "left", rank: 0, cutTo: 12, atMost: NAME_AT_MOST },
    { heading: "Address", align: "left", rank: 0 },
    ...(isLarge ? ([{ heading: "Pages", align: "left", rank: 0 }] as const) : []),
    { heading: "Entries", align: "left", rank: 3 },
    { heading: "Rights", align: "left", rank: 2 },
    { heading: "Mapping", align: "left", rank: 1, cutTo: 16, atMost: 48 },
  ];
  const lines = mappers.flatMap((mapper) => alikeStretches(mapper.pieces).map((piece) => ({ mapper, piece })));
  const rows = lines.slice(0, top).map(({ mapper, piece }, at) => {
    const isNew = lines[at - 1]?.mapper !== mapper;
    return [
      ...(isNew ? processCellsOf(mapper) : [{ text: "" }, { text: "" }, { text: "" }]),
      { text: piece.address },
      ...(isLarge ? [{ text: pagesOf(piece) }] : []),
      { text: describeEntry(piece) },
      { text: isNew ? mapper.vma.rights : "" },
      { text: isNew ? escapeControls(mapper.vma.name) : "" },
    ];
  });
  const left = lines.length - rows.length;
  const more = left === 0 ? [] : [`${formatQuantity(left, "more line", "more lines")}; --top 0 and --json have all.`];
  return [title("Who maps it", place), ...renderTable({ columns, rows }, place).lines, ...more];
}

/** Pieces of a VMA that lie where the folio's pages lie, as one with gaps: those that are alike but for the gaps. */
interface Stretch extends WhoPiece {
  lastPage: number;
  mapped: number;
}

function alikeStretches(pieces: readonly WhoPiece[]): Stretch[] {
  const stretches = new Map<string, Stretch>();
  for (const piece of pieces) {
    const { address, firstPage, pages } = piece;
    const base = Number.parseInt(address.slice(0, -3), 16) - firstPage;
    const key = `${base} ${describeEntry(piece)}`;
    const known = stretches.get(key);
    if (known === undefined) {
      stretches.set(key, { ...piece, lastPage: firstPage + pages - 1, mapped: pages });
    } else {
      known.lastPage = Math.max(known.lastPage, firstPage + pages - 1);
      known.mapped += pages;
    }
  }
  return [...stretches.values()];
}

/** "0-511", or "0-511 (430)" where there are gaps. */
function pagesOf({ firstPage, lastPage, mapped }: Stretch): string {
  if (firstPage === lastPage) return String(firstPage);
  const gaps = mapped === lastPage - firstPage + 1 ? "" : ` (${formatCount(mapped)})`;
  return `${firstPage}-${lastPage}${gaps}`;
}

/** PID, user and command; processes with the same address space are named behind it. */
export function processCellsOf({ process, sharedWith }: Pick<WhoMapper, "process" | "sharedWith">): Cell[] {
  const others = sharedWith.length === 0 ? "" : ` (and ${sharedWith.join(", ")})`;
  return [
    { text: String(process.pid) },
    { text: escapeControls(process.user) },
    { text: `${escapeControls(process.command === "" ? process.name : process.command)}${others}` },
  ];
}

function renderSchemes({ schemes, folio }: WhoReport, place: TextPlace): readonly string[] {
  const columns: Column[] = [
    { heading: "Scheme", align: "left", rank: 0 },
    { heading: "Mappings", align: "right", rank: 1 },
    { heading: "of", align: "left", rank: 2 },
    { heading: "Mapped by others", align: "left", rank: 0 },
    { heading: "Mapcount of a page", align: "left", rank: 3 },
    ...(folio.order > 0 ? ([{ heading: "Partially mapped", align: "left", rank: 0 }] as const) : []),
  ];
  const rows = schemes.map((scheme): Cell[] => {
    const { id, isOwn, mappings, unit, averageMapcount } = scheme;
    return [
      { text: id, ...(isOwn ? { style: "sum" as const } : {}) },
      mappings === null ? { text: ASK, style: "faint" } : derived(formatCount(mappings), scheme),
      { text: unit },
      answerCell(scheme.others, scheme),
      averageMapcount === null ? { text: "each its own" } : derived(`${formatCount(averageMapcount)} for all`, scheme),
      ...(folio.order > 0 ? [answerCell(scheme.partial, scheme)] : []),
    ];
  });
  return renderTable({ columns, rows }, place).lines;
}

const ASK = "ask rmap";

function derived(text: string, { isOwn }: WhoScheme): Cell {
  return isOwn ? { text } : { text: `${DERIVED_MARK}${text}`, style: "derived" };
}

function answerCell(answer: WhoAnswer, scheme: WhoScheme): Cell {
  if (answer === "ask") return { text: ASK, style: "faint" };
  if (answer === "either") {
    return { text: `${scheme.isOwn ? "" : DERIVED_MARK}no or yes${UNCERTAIN_MARK}`, style: "uncertain" };
  }
  return derived(answer, scheme);
}

function describeMarks({ schemes }: WhoReport): string[] {
  if (schemes.length === 0) return ["Mappings of it are not counted by the kernel: no scheme has anything to say."];
  const sentences = [
    `${DERIVED_MARK} what this kernel does not say itself; "${ASK}": the scheme cannot tell without walking the reverse map.`,
  ];
  if (schemes.some(({ others, partial }) => others === "either" || partial === "either")) {
    sentences.push(`${UNCERTAIN_MARK} depends on the folio's past, which page tables do not show.`);
  }
  return sentences;
}

/** What speaks for it that nobody is missing. */
export function describeCounts({ counts, how }: WhoSearch, outside: number): string[] {
  const by = how === "capture" ? "the capture" : "/proc/kpagecount";
  switch (counts) {
    case "explained":
      return [`Nobody is missing: ${by} counts as many mappings of every page as were found.`];
    case "average-agrees":
      return [
        how === "candidates"
          ? "The average that this kernel counts agrees, which does not prove that nobody is missing."
          : "Every page table that could be read was; the average that this kernel counts agrees.",
      ];
    case "kernel-counts-more":
      return [
        `The kernel counts ${outside > 0 ? formatQuantity(outside, "mapping", "mappings") : "mappings"} more than were found: ` +
          "by processes that could not be read, or that came and went meanwhile.",
      ];
    case "kernel-counts-fewer":
      return [
        "The kernel counts fewer mappings than were found: some went away meanwhile, or an address space was read twice.",
      ];
    case "uncounted":
      return [
        how === "candidates"
          ? "The kernel does not count who maps it, so only the same addresses were looked at; --all reads every page table."
          : "The kernel does not count who maps it.",
      ];
    case "unchecked":
      return ["Not every count was compared with the kernel's own: what those map who could not be read is not seen."];
  }
}
