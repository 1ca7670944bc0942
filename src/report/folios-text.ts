/**
 * The large folios as text: by order and kind, by owner, what is mapped in part and who would notice, what could be
 * contiguous, and, where contents were read, what is mostly zeros.
 */
import type { FolioOwner, FolioOwnerKey, FoliosReport, Noticed, PartialFolio } from "../study/index.ts";
import { chooseWidth, escapeControls } from "./display-text.ts";
import { renderFolioTable } from "./folio-table.ts";
import { formatCount, formatKb, formatQuantity, formatShare, formatSize } from "./format-number.ts";
import { kbCell } from "./kind-columns.ts";
import { type TextPlace, describeGaps, describeScope, paragraph, title } from "./scope-text.ts";
import { DERIVED_MARK, type Styles, UNCERTAIN_MARK } from "./styles.ts";
import { type Cell, type Column, renderTable } from "./text-table.ts";

/** The words of --sort, for owners. */
export const FOLIO_SORT_KEYS = ["kb", "folios", "shared", "unmapped"] as const;
export type FolioSortKey = (typeof FOLIO_SORT_KEYS)[number];

/** How to print. */
export interface FoliosTextOptions {
  readonly sort: FolioSortKey;
  /** Owners, and folios of each list, at most. */
  readonly top: number;
  /** Columns of the terminal; Infinity where there is none. */
  readonly width: number;
  readonly styles: Styles;
}

const SORT_VALUE: Readonly<Record<FolioSortKey, (owner: FolioOwner) => number>> = {
  kb: ({ bytes }) => bytes,
  folios: ({ folios }) => folios,
  shared: ({ sharedFolios }) => sharedFolios,
  unmapped: ({ unmappedBytes }) => unmappedBytes,
};

/** Owners in an order, the largest first; equal ones keep theirs. */
export function sortFolioOwners(owners: readonly FolioOwner[], sort: FolioSortKey): FolioOwner[] {
  return owners.toSorted((a, b) => SORT_VALUE[sort](b) - SORT_VALUE[sort](a));
}

/** The report as text, with its last newline. */
export async function formatFoliosText(report: FoliosReport, options: FoliosTextOptions): Promise<string> {
  const names = report.owners.flatMap(({ name, process }) => [name, process?.command ?? "", process?.user ?? ""]);
  const place: TextPlace = { ...options, widthOf: await chooseWidth([...names, ...report.notes]) };
  const faint = (sentences: readonly string[]): string[] =>
    sentences.flatMap((text) => paragraph(text, place)).map((line) => place.styles.faint(line));
  const blocks = [
    describeScope(report, place),
    [
      title("Large folios with a mapping", place),
      ...renderFolioTable({ folios: report.orders, machine: report.machine }, place),
    ],
    renderOwners(report, options, place),
    renderPartial(report, options.top, place),
    [title("Contiguous PTEs", place), ...describeContiguous(report).flatMap((text) => paragraph(text, place))],
    renderUnderused(report, options.top, place),
    faint([
      ...describeMarks(report),
      ...describeGaps(report),
      ...report.notes.map((note) => `Note: ${escapeControls(note)}`),
    ]),
  ];
  const shown = blocks.filter((lines) => lines.length > 0).map((lines) => lines.join("\n"));
  return `${shown.join("\n\n")}\n`;
}

function ownerColumns(by: FolioOwnerKey): Column[] {
  if (by === "program") return [{ heading: "Program", align: "left", rank: 0, cutTo: 12, atMost: 40 }];
  return [
    { heading: "PID", align: "right", rank: 0 },
    { heading: "User", align: "left", rank: 9, cutTo: 8, atMost: 12 },
    { heading: "Command", align: "left", rank: 0, cutTo: 12, atMost: 40 },
  ];
}

function ownerCells({ name, process }: FolioOwner, by: FolioOwnerKey): Cell[] {
  if (by === "program") return [{ text: escapeControls(name) }];
  if (process === null) return [{ text: "?" }, { text: "" }, { text: escapeControls(name), style: "uncertain" }];
  const { pid, user, command } = process;
  return [{ text: String(pid) }, { text: escapeControls(user) }, { text: escapeControls(command || process.name) }];
}

/** "uncounted" is the huge zero page. */
const KINDS = ["anon", "ksm", "file", "shmem", "hugetlb", "uncounted"] as const;

function renderOwners({ owners, by }: FoliosReport, { sort, top }: FoliosTextOptions, place: TextPlace): string[] {
  const owning = sortFolioOwners(owners, sort).filter(({ folios }) => folios > 0);
  if (owning.length === 0) return [];
  const kinds = KINDS.filter((kind) => owning.some((owner) => (owner.kinds[kind] ?? 0) > 0));
  const columns: Column[] = [
    ...ownerColumns(by),
    { heading: "kB", align: "right", rank: 0 },
    { heading: "Folios", align: "right", rank: 0 },
    ...kinds.map((kind): Column => ({ heading: kind, group: "of them", align: "right", rank: 4 })),
    { heading: "Shared", align: "right", rank: 2 },
    { heading: "by up to", align: "right", rank: 5 },
    { heading: "Partial", align: "right", rank: 3 },
    { heading: "Unmapped", align: "right", rank: 1 },
  ];
  const rows = owning
    .slice(0, top)
    .map((owner): Cell[] => [
      ...ownerCells(owner, by),
      kbCell(owner.bytes),
      { text: formatCount(owner.folios) },
      ...kinds.map((kind) => countCell(owner.kinds[kind] ?? 0)),
      countCell(owner.sharedFolios),
      owner.sharedFolios === 0 ? { text: "" } : { text: formatCount(owner.sharedByMost) },
      countCell(owner.partialFolios),
      kbCell(owner.unmappedBytes),
    ]);
  const left = owning.length - rows.length;
  const more = left === 0 ? [] : [`${formatCount(left)} more; --top 0 and --json have all.`];
  const heading =
    by === "process"
      ? "Whose they are: the process that maps most of each"
      : "Whose they are: the program of the process that maps most of each";
  return [title(heading, place), ...renderTable({ columns, rows }, place).lines, ...more];
}

function countCell(count: number): Cell {
  return count === 0 ? { text: "0", style: "faint" } : { text: formatCount(count) };
}

function renderPartial({ partial }: FoliosReport, top: number, place: TextPlace): string[] {
  if (partial.folios === 0) return ["No anonymous large folio is mapped in part."];
  const heading =
    `${formatQuantity(partial.folios, "anonymous folio", "anonymous folios")} mapped in part: ` +
    `${formatKb(partial.unmappedBytes)} kB held that nobody maps`;
  const columns: Column[] = [
    { heading: "Scheme", align: "left", rank: 0 },
    { heading: "notices", align: "right", rank: 0 },
    { heading: "depends", align: "right", rank: 2 },
    { heading: "kB of these", align: "right", rank: 3 },
    { heading: "misses", align: "right", rank: 0 },
    { heading: "missed kB", align: "right", rank: 1 },
  ];
  const rows = partial.schemes.map(({ id, isOwn, noticed, either, eitherBytes, missed, missedBytes }): Cell[] => {
    const mark = (text: string): Cell => (isOwn ? { text } : { text: `${DERIVED_MARK}${text}`, style: "derived" });
    const depends = (text: string): Cell =>
      either === 0 ? { text: "0", style: "faint" } : { text: `${text}${UNCERTAIN_MARK}`, style: "uncertain" };
    return [
      { text: id, ...(isOwn ? { style: "sum" as const } : {}) },
      mark(formatCount(noticed)),
      depends(formatCount(either)),
      depends(formatKb(eitherBytes)),
      mark(formatCount(missed)),
      mark(formatKb(missedBytes)),
    ];
  });
  return [
    title(heading, place),
    ...renderTable({ columns, rows }, place).lines,
    "",
    ...renderPartialList(partial, top, place),
  ];
}

function renderPartialList({ list, schemes }: FoliosReport["partial"], top: number, place: TextPlace): string[] {
  const columns: Column[] = [
    { heading: "Frame", align: "left", rank: 0 },
    { heading: "Order", align: "right", rank: 3 },
    { heading: "Owner", align: "left", rank: 0, cutTo: 12, atMost: 32 },
    { heading: "Shared by", align: "right", rank: 4 },
    { heading: "Mapped", align: "right", rank: 2 },
    { heading: "Unmapped kB", align: "right", rank: 0 },
    { heading: "Noticed by", align: "left", rank: 1, cutTo: 20 },
  ];
  const rows = list
    .slice(0, top)
    .map((folio): Cell[] => [
      { text: folio.pfn },
      { text: String(folio.order) },
      { text: escapeControls(folio.owner) },
      { text: sharedBy(folio) },
      { text: `${formatCount(folio.pagesMapped)} of ${formatCount(2 ** folio.order)}` },
      kbCell(folio.unmappedBytes),
      { text: noticedBy(folio, schemes) },
    ]);
  const left = list.length - rows.length;
  const more = left === 0 ? [] : [`${formatCount(left)} more; --top 0 and --json have all.`];
  return [...renderTable({ columns, rows }, place).lines, ...more];
}

/** Empty for one address space; with a plus if others that were not read map it too. */
function sharedBy({ addressSpaces, mappedOutside }: PartialFolio): string {
  if (mappedOutside) return `${formatCount(addressSpaces)}+`;
  return addressSpaces > 1 ? formatCount(addressSpaces) : "";
}

const MARK_OF_ANSWER: Readonly<Record<Noticed, string>> = { yes: "", either: UNCERTAIN_MARK, no: "" };

function noticedBy({ noticed }: PartialFolio, schemes: FoliosReport["partial"]["schemes"]): string {
  const names = schemes.flatMap(({ id }, index) => {
    const answer = noticed[index];
    return answer === "yes" || answer === "either" ? [`${id}${MARK_OF_ANSWER[answer]}`] : [];
  });
  if (noticed.every((answer) => answer === "yes")) return "all";
  return names.length === 0 ? "none" : names.join(" ");
}

function describeContiguous({ contiguous, machine }: FoliosReport): string[] {
  const { isArm64, blockPages, ptePagesBytes, contiguousBytes } = contiguous;
  if (ptePagesBytes === 0) return ["No large folio is mapped by PTEs."];
  const block = formatSize(blockPages * machine.pageSizeBytes);
  const are = isArm64 ? "can be" : "would be, on arm64,";
  const blocks = contiguousBytes / (blockPages * machine.pageSizeBytes);
  return [
    `${formatKb(ptePagesBytes)} kB of large folios are mapped by PTEs, counted in each address space; ` +
      `${formatKb(contiguousBytes)} kB of that ` +
      `(${formatShare(contiguousBytes, ptePagesBytes)}) lie in aligned blocks of ${block} that ${are} marked contiguous: ` +
      `${formatQuantity(blocks, "TLB entry", "TLB entries")} instead of ${formatCount(blocks * blockPages)}.`,
  ];
}

function renderUnderused({ underused }: FoliosReport, top: number, place: TextPlace): string[] {
  if (underused === null) return [];
  const { folios, foliosRead, bytesRead, zeroBytes, mostlyZeroFolios, mostlyZeroBytes, limitBytes, list } = underused;
  const sentences = [
    `Read: ${formatCount(foliosRead)} of ${formatQuantity(folios, "large anonymous folio", "large anonymous folios")}, ` +
      `${formatKb(bytesRead)} kB (limit ${formatSize(limitBytes)}). Zeros: ${formatKb(zeroBytes)} kB ` +
      `(${formatShare(zeroBytes, bytesRead)}). Mostly zeros: ${formatQuantity(mostlyZeroFolios, "folio", "folios")} with ` +
      `${formatKb(mostlyZeroBytes)} kB of them.`,
    ...(underused.processesRefused === 0
      ? []
      : [
          `${formatQuantity(underused.processesRefused, "process", "processes")} did not let their memory be read, or had ended.`,
        ]),
  ];
  const columns: Column[] = [
    { heading: "Frame", align: "left", rank: 0 },
    { heading: "Order", align: "right", rank: 1 },
    { heading: "Owner", align: "left", rank: 0, cutTo: 12, atMost: 32 },
    { heading: "Pages read", align: "right", rank: 0 },
    { heading: "zeros", align: "right", rank: 0 },
  ];
  const rows = list
    .slice(0, top)
    .map(({ pfn, order, pid, name, pagesRead, zeroPages }): Cell[] => [
      { text: pfn },
      { text: String(order) },
      { text: `${pid} ${escapeControls(name)}` },
      { text: formatCount(pagesRead) },
      { text: formatCount(zeroPages) },
    ]);
  const table = rows.length === 0 ? [] : renderTable({ columns, rows }, place).lines;
  const left = list.length - rows.length;
  const more = left === 0 ? [] : [`${formatCount(left)} more; --top 0 and --json have all.`];
  const lines = sentences.flatMap((text) => paragraph(text, place));
  return [title("Pages of zeros in them", place), ...lines, ...table, ...more];
}

function describeMarks({ partial }: FoliosReport): string[] {
  if (partial.folios === 0) return [];
  const sentences = [
    `${DERIVED_MARK} not how this kernel counts. Who misses a folio says that it is mapped whole, or cannot tell: it is not ` +
      "queued to be split, and its unmapped pages stay until somebody looks.",
  ];
  if (partial.list.some(({ mappedOutside }) => mappedOutside)) {
    sentences.push("+ and processes that were not read.");
  }
  if (partial.schemes.some(({ either }) => either > 0)) {
    sentences.push(
      `${UNCERTAIN_MARK} depends on the past: noticed if pages were unmapped before others came to map the folio, missed if after.`,
    );
  }
  return sentences;
}
