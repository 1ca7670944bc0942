/**
 * What would come free, as text: where the memory of those who end goes, in figures that add up to what they map; what is
 * freed in all; who keeps the rest.
 */
import type { CaptureScope, FreeReport, FreedMemory, Holder, ProcessName } from "../study/index.ts";
import { chooseWidth, escapeControls } from "./display-text.ts";
import { formatCount, formatKb, formatQuantity, formatRange } from "./format-number.ts";
import { kbCell, kindColumns } from "./kind-columns.ts";
import { type TextPlace, describeGaps, describeScope, paragraph, title } from "./scope-text.ts";
import type { Styles } from "./styles.ts";
import { type Cell, type Column, renderTable } from "./text-table.ts";

/** How to print. */
export interface FreeTextOptions {
  /** Holders, or processes of a ranking, at most. */
  readonly top: number;
  /** Columns of the terminal; Infinity where there is none. */
  readonly width: number;
  readonly styles: Styles;
}

const NAME_AT_MOST = 40;
/** Processes named in the heading. */
const NAMED = 3;

/** The report as text, with its last newline. */
export async function formatFreeText(report: FreeReport, options: FreeTextOptions): Promise<string> {
  const processes = [...report.processes, ...report.holders.flatMap(({ process }) => process ?? [])];
  const widthOf = await chooseWidth([...processes.flatMap(({ command, user }) => [command, user]), ...report.notes]);
  const place: TextPlace = { ...options, widthOf };
  const blocks = [
    describeScope(report, place),
    [title(`If ${nameAll(report.processes)} ended, kB`, place), ...renderAccounts(report, place)],
    [title("Free memory gained, kB", place), ...renderFreed(report, place)],
    renderHolders(report, options.top, place),
    [...describeFree(report), ...describeLimits(report.free), ...describeGaps(report), ...notesOf(report)]
      .flatMap((text) => paragraph(text, place))
      .map((line) => place.styles.faint(line)),
  ];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
}

function notesOf({ notes }: FreeReport): string[] {
  return notes.map((note) => `Note: ${escapeControls(note)}`);
}

function nameAll(processes: readonly ProcessName[]): string {
  const named = processes.slice(0, NAMED).map(({ pid, name }) => `${pid} ${escapeControls(name)}`);
  const left = processes.length - named.length;
  return left > 0 ? `${named.join(", ")} and ${formatCount(left)} more` : named.join(", ");
}

/** Who could keep files that are about to vanish. */
export function whatKeeps(scope: CaptureScope): string {
  return isEverybodyRead(scope) ? "no open descriptor" : "no open descriptor and nobody who was not read";
}

function isEverybodyRead({ coverage, wholeMachine }: CaptureScope): boolean {
  return wholeMachine && coverage.processesRefused + coverage.processesEnded === 0;
}

type Account = readonly [label: string, bytes: number];

function renderAccountTable(accounts: readonly Account[], sum: Account, place: TextPlace): readonly string[] {
  const cells = ([label, bytes]: Account): Cell[] => [{ text: label }, kbCell(bytes)];
  return renderTable(
    {
      columns: [
        { heading: "Memory", align: "left", rank: 0, cutTo: 20 },
        { heading: "kB", align: "right", rank: 0 },
      ],
      rows: accounts.filter(([, bytes]) => bytes > 0).map(cells),
      sums: [cells(sum).map((cell): Cell => ({ ...cell, style: "sum" }))],
    },
    place,
  ).lines;
}

/** Files that may outlive their last known mapping; all shared memory may, where somebody was not read. */
function doubtfulFiles(scope: CaptureScope): string {
  return isEverybodyRead(scope) ? "memfds, deleted files" : "memfds, deleted files, shared anonymous memory";
}

/** Where every page that they map goes. */
function renderAccounts(report: FreeReport, place: TextPlace): readonly string[] {
  const { free, mapped, stays, heldByFoliosBytes } = report;
  const { least, most } = free.vanishingBytes;
  const accounts: Account[] = [
    ["freed: anonymous memory", free.anonBytes],
    ["freed: KSM pages", free.ksmBytes],
    ["freed: shared memory that ends with them", least],
    [`freed unless something keeps it: ${doubtfulFiles(report)}`, most - least],
    ["stays in the page cache: files, reclaimable", free.cacheFileBytes],
    ["stays in the page cache: shared memory, can only be swapped", free.cacheShmemBytes],
    ["goes back to the hugetlb pool, or stays in its file", free.hugetlbBytes],
    ["stays: large folios that others map elsewhere", heldByFoliosBytes],
    ["stays: others map anonymous memory of it", stays.anonBytes],
    ["stays: others map KSM pages of it", stays.ksmBytes],
    ["stays: others map files of it", stays.fileBytes],
    ["stays: others map shared memory of it", stays.shmemBytes],
    ["stays: others map hugetlb pages of it", stays.hugetlbBytes],
  ];
  return renderAccountTable(accounts, ["mapped by them, every page once", mapped.bytes], place);
}

/** What is freed, pages that nobody maps and page tables too. */
function renderFreed({ free }: FreeReport, place: TextPlace): readonly string[] {
  const accounts: Account[] = [
    ["anonymous memory and KSM pages", free.anonBytes + free.ksmBytes],
    ["pages of their large folios that nobody maps", free.unmappedBytes],
    ["shared memory that ends with them", free.vanishingBytes.least],
    ["page tables", free.pageTablesBytes],
  ];
  return renderAccountTable(accounts, ["freed", free.freed.least], place);
}

function describeFree(report: FreeReport): string[] {
  const { free, aloneSum, keptSpaces, swappedBytes } = report;
  const { freed } = free;
  const sentences = [
    `The sum of their Uss, what each maps alone, is ${formatKb(aloneSum.bytes)} kB, of which ` +
      `${formatKb(aloneSum.anonBytes + aloneSum.ksmBytes)} kB anonymous.`,
  ];
  if (freed.most > freed.least) {
    sentences.push(`Up to ${formatKb(freed.most)} kB are freed if ${whatKeeps(report)} keeps any of it.`);
  }
  if (swappedBytes > 0) sentences.push(describeSwap(report));
  for (const { process, sharedWith } of keptSpaces) {
    sentences.push(
      `${process.pid} ${escapeControls(process.name)} shares its address space with ${sharedWith.join(", ")}, which ` +
        `${sharedWith.length === 1 ? "stays" : "stay"}: nothing of it comes free.`,
    );
  }
  return sentences;
}

function describeSwap({ free: { swapBytes }, swappedBytes }: FreeReport): string {
  const others = swappedBytes > swapBytes.most ? "; others have entries for the rest" : "";
  const unread = swapBytes.least < swapBytes.most ? "; who was not read may have entries for it, too" : "";
  return `Swap freed: ${formatRange(swapBytes, formatKb)} of ${formatKb(swappedBytes)} kB${others}${unread}.`;
}

/** What the figures do not see. */
export function describeLimits(free: FreedMemory): string[] {
  const sentences = [
    "Not seen: kernel stacks, sockets and pipes; pages that the kernel holds for I/O or a driver, which stay until it " +
      "lets go of them; pages of memfds, deleted files and shared memory that nobody maps at the moment or that are " +
      "swapped out.",
  ];
  if (free.cacheShmemBytes > 0) {
    sentences.push("Shared memory of System V counts as staying, also where it has been marked for removal.");
  }
  return sentences;
}

function renderHolders({ holders, stays }: FreeReport, top: number, place: TextPlace): readonly string[] {
  if (holders.length === 0) return [];
  const shown = holders.slice(0, top);
  const kinds = kindColumns([stays], "of it", 2);
  const columns: Column[] = [
    { heading: "PID", align: "right", rank: 0 },
    { heading: "User", align: "left", rank: 9, cutTo: 8, atMost: 12 },
    { heading: "Command", align: "left", rank: 0, cutTo: 12, atMost: NAME_AT_MOST },
    { heading: "Keeps", align: "right", rank: 0 },
    ...kinds,
  ];
  const rows = shown.map((holder) => [
    ...nameCells(holder),
    kbCell(holder.held.bytes),
    ...kinds.map(({ cell }) => cell(holder.held)),
  ]);
  const left = holders.length - shown.length;
  const more =
    left === 0 ? "" : ` ${formatQuantity(left, "more keeps", "more keep")} some; --top 0 and --json have all.`;
  return [
    title("Who keeps what stays, kB", place),
    ...renderTable({ columns, rows }, place).lines,
    ...paragraph(`Two of them may keep the same page: this column does not add up.${more}`, place).map((line) =>
      place.styles.faint(line),
    ),
  ];
}

function nameCells({ process }: Holder): Cell[] {
  if (process === null) return [{ text: "?" }, { text: "" }, { text: "(not read)", style: "uncertain" }];
  return processCells(process);
}

/** PID, user and command. */
export function processCells({ pid, user, name, command }: ProcessName): Cell[] {
  return [
    { text: String(pid) },
    { text: escapeControls(user) },
    { text: escapeControls(command === "" ? name : command) },
  ];
}
