/**
 * /proc/PID/smaps and smaps_rollup: a maps header and one line per figure, read and written byte for byte.
 *
 *     Rss:                2048 kB        label to column 16, value in 8 columns, " kB"
 *     Private_Hugetlb:       0 kB        label and a space, value in 7
 *     THPeligible:           1           no unit
 *     VmFlags: rd wr mr mw me ac         each flag followed by a space
 *
 * Invariant: format(parse(text)) === text for what Linux 6.18 prints. A line that a kernel does not print stays absent,
 * and a line that this file does not know is kept as text together with its place, so a newer kernel's block survives.
 * Values are what the kernel printed, in kB, already truncated; `locked` is a PSS (kernel-facts 10, trap 9).
 * Kernel: kernel-facts 3.3 (smaps) and 3.6 (smaps_rollup).
 */

import { formatMapsHeader, type MapsVma, parseMapsLine } from "./maps-text.ts";
import { ProcTextError, quoteUntrusted } from "./proc-error.ts";

/** The figures that smaps and smaps_rollup share, in kB. Optional ones are absent on kernels that do not print them. */
export interface SmapsFields {
  readonly rss: number;
  readonly pss: number;
  readonly pssDirty?: number;
  /** smaps_rollup only, as are the next two. */
  readonly pssAnon?: number;
  readonly pssFile?: number;
  readonly pssShmem?: number;
  readonly sharedClean: number;
  readonly sharedDirty: number;
  readonly privateClean: number;
  readonly privateDirty: number;
  readonly referenced: number;
  readonly anonymous: number;
  readonly ksm?: number;
  readonly lazyFree: number;
  readonly anonHugePages: number;
  readonly shmemPmdMapped: number;
  readonly filePmdMapped?: number;
  readonly sharedHugetlb: number;
  readonly privateHugetlb: number;
  readonly swap: number;
  readonly swapPss: number;
  /** The PSS of a VM_LOCKED VMA, not its bytes. */
  readonly locked: number;
}

/** The figures of one VMA: the shared ones and those that smaps_rollup leaves out. */
export interface SmapsVmaFields extends SmapsFields {
  readonly size: number;
  readonly kernelPageSize: number;
  readonly mmuPageSize: number;
  /** 0 or 1, no unit. */
  readonly thpEligible?: number;
  /** No unit; absent where the CPU has no protection keys. */
  readonly protectionKey?: number;
  /** Two-letter mnemonics in the kernel's order. VMAs with the same line share one array. */
  readonly vmFlags: readonly string[];
}

/**
 * A line with an unknown label: `text` is everything behind the colon, `after` the known label that it follows ("" for
 * the header). It is printed again behind that label, so not at all where the label's figure is absent.
 */
export interface SmapsExtraLine {
  readonly label: string;
  readonly text: string;
  readonly after: string;
}

export interface SmapsVma {
  readonly header: MapsVma;
  readonly fields: SmapsVmaFields;
  readonly extras: readonly SmapsExtraLine[];
}

export interface SmapsRollup {
  readonly header: MapsVma;
  readonly fields: SmapsFields;
  readonly extras: readonly SmapsExtraLine[];
}

type NumberKey = Exclude<keyof SmapsVmaFields, "vmFlags">;
type NumberFields = { [K in NumberKey]?: number };

interface FigureLine {
  readonly label: string;
  readonly key: NumberKey;
  readonly unit: " kB" | "";
  /** Which file must have it: a missing required line means a text cut short. */
  readonly required: "both" | "smaps" | "none";
}

const line = (label: string, key: NumberKey, required: FigureLine["required"] = "both"): FigureLine => {
  return { label, key, required, unit: " kB" };
};

/** In the order of printing, both files together. */
const FIGURE_LINES: readonly FigureLine[] = [
  line("Size", "size", "smaps"),
  line("KernelPageSize", "kernelPageSize", "smaps"),
  line("MMUPageSize", "mmuPageSize", "smaps"),
  line("Rss", "rss"),
  line("Pss", "pss"),
  line("Pss_Dirty", "pssDirty", "none"),
  line("Pss_Anon", "pssAnon", "none"),
  line("Pss_File", "pssFile", "none"),
  line("Pss_Shmem", "pssShmem", "none"),
  line("Shared_Clean", "sharedClean"),
  line("Shared_Dirty", "sharedDirty"),
  line("Private_Clean", "privateClean"),
  line("Private_Dirty", "privateDirty"),
  line("Referenced", "referenced"),
  line("Anonymous", "anonymous"),
  line("KSM", "ksm", "none"),
  line("LazyFree", "lazyFree"),
  line("AnonHugePages", "anonHugePages"),
  line("ShmemPmdMapped", "shmemPmdMapped"),
  line("FilePmdMapped", "filePmdMapped", "none"),
  line("Shared_Hugetlb", "sharedHugetlb"),
  line("Private_Hugetlb", "privateHugetlb"),
  line("Swap", "swap"),
  line("SwapPss", "swapPss"),
  line("Locked", "locked"),
  { label: "THPeligible", key: "thpEligible", unit: "", required: "none" },
  { label: "ProtectionKey", key: "protectionKey", unit: "", required: "none" },
];
const VM_FLAGS_LABEL = "VmFlags";

const LABEL_COLUMNS = 16;
const LINE_COLUMNS = 24;

/** "Rss:", as a line begins; same index as FIGURE_LINES. */
const LINE_STARTS: readonly string[] = FIGURE_LINES.map((figure) => `${figure.label}:`);
/** "Rss:            ", as a line begins when it is written; Private_Hugetlb fills the column and gets its own space. */
const PADDED_STARTS: readonly string[] = LINE_STARTS.map((start) =>
  start.length < LABEL_COLUMNS ? start.padEnd(LABEL_COLUMNS, " ") : `${start} `,
);
const INDEX_BY_LABEL: ReadonlyMap<string, number> = new Map(FIGURE_LINES.map((figure, index) => [figure.label, index]));

/** The place in the text; `expected` is the FIGURE_LINES index that the kernel's order lets one hope for. */
interface LineReader {
  readonly text: string;
  readonly file: "smaps" | "smaps_rollup";
  readonly vmFlagsByLine: Map<string, readonly string[]>;
  lineNumber: number;
  lineStart: number;
  lineEnd: number;
  expected: number;
}

/** The block read so far. */
interface Draft {
  readonly header: MapsVma;
  readonly headerLineNumber: number;
  readonly numbers: NumberFields;
  readonly extras: SmapsExtraLine[];
  vmFlags: readonly string[] | undefined;
  /** The last known label. */
  after: string;
}

function failLine(reader: LineReader, problem: string): never {
  const shown = reader.text.slice(reader.lineStart, Math.min(reader.lineEnd, reader.lineStart + 200));
  throw new ProcTextError(reader, `${problem} in ${quoteUntrusted(shown)}`);
}

function openReader(text: string, file: LineReader["file"]): LineReader {
  const vmFlagsByLine = new Map<string, readonly string[]>();
  return { text, file, vmFlagsByLine, lineNumber: 1, lineStart: 0, lineEnd: 0, expected: 0 };
}

/** Finds the end of the line that begins at `lineStart`; false at the end of the text. */
function enterLine(reader: LineReader): boolean {
  if (reader.lineStart >= reader.text.length) return false;
  const newline = reader.text.indexOf("\n", reader.lineStart);
  reader.lineEnd = newline < 0 ? reader.text.length : newline;
  return true;
}

function leaveLine(reader: LineReader): void {
  reader.lineStart = reader.lineEnd + 1;
  reader.lineNumber++;
}

/** A header begins with a hex digit, every other line with a capital letter. */
function isHeaderStart(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66);
}

function labelOf(reader: LineReader): string {
  const colon = reader.text.indexOf(":", reader.lineStart);
  if (colon <= reader.lineStart || colon >= reader.lineEnd) failLine(reader, "no label");
  return reader.text.slice(reader.lineStart, colon);
}

/** The FIGURE_LINES index of this line, or -1 if it is no figure. */
function figureIndexOf(reader: LineReader): number {
  const { expected } = reader;
  if (expected < LINE_STARTS.length && reader.text.startsWith(LINE_STARTS[expected], reader.lineStart)) return expected;
  return INDEX_BY_LABEL.get(labelOf(reader)) ?? -1;
}

/** The decimal number from `position` (spaces first) to the unit at the line's end. */
function numberOf(reader: LineReader, from: number, unit: string): number {
  const { text, lineEnd } = reader;
  const digitsEnd = lineEnd - unit.length;
  let position = from;
  while (position < digitsEnd && text.charCodeAt(position) === 0x20) position++;
  const digitsStart = position;
  let value = 0;
  for (; position < digitsEnd; position++) {
    const digit = text.charCodeAt(position) - 0x30;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  if (position === digitsStart || position !== digitsEnd || !text.startsWith(unit, position)) {
    failLine(reader, unit === "" ? "no number" : "no number of kB");
  }
  if (!Number.isSafeInteger(value)) failLine(reader, "a number beyond 2^53");
  return value;
}

function vmFlagsOf(reader: LineReader, from: number): readonly string[] {
  const words = reader.text.slice(from, reader.lineEnd);
  let flags = reader.vmFlagsByLine.get(words);
  if (flags === undefined) {
    flags = words.split(" ").filter((word) => word !== "");
    reader.vmFlagsByLine.set(words, flags);
  }
  return flags;
}

function takeLine(reader: LineReader, draft: Draft): void {
  const index = figureIndexOf(reader);
  if (index >= 0) {
    const { label, key, unit } = FIGURE_LINES[index];
    if (draft.numbers[key] !== undefined) failLine(reader, "a figure that its block has already");
    draft.numbers[key] = numberOf(reader, reader.lineStart + label.length + 1, unit);
    draft.after = label;
    reader.expected = index + 1;
    return;
  }
  const label = labelOf(reader);
  const valueStart = reader.lineStart + label.length + 1;
  if (label === VM_FLAGS_LABEL) {
    if (draft.vmFlags !== undefined) failLine(reader, "flags that their block has already");
    draft.vmFlags = vmFlagsOf(reader, valueStart);
    draft.after = label;
  } else {
    draft.extras.push({ label, text: reader.text.slice(valueStart, reader.lineEnd), after: draft.after });
  }
}

/** Reads one block: the header line that the reader stands on and every line up to the next header. */
function takeBlock(reader: LineReader): Draft {
  const { text, lineNumber } = reader;
  const header = parseMapsLine(text, reader);
  const draft: Draft = { header, headerLineNumber: lineNumber, numbers: {}, extras: [], vmFlags: undefined, after: "" };
  reader.expected = 0;
  leaveLine(reader);
  while (enterLine(reader) && !isHeaderStart(text.charCodeAt(reader.lineStart))) {
    takeLine(reader, draft);
    leaveLine(reader);
  }
  return draft;
}

function missingLabel(numbers: NumberFields, file: LineReader["file"]): string | undefined {
  return FIGURE_LINES.find(({ key, required }) => {
    return numbers[key] === undefined && (required === "both" || required === file);
  })?.label;
}

function failMissing(reader: LineReader, draft: Draft, label: string): never {
  throw new ProcTextError({ file: reader.file, lineNumber: draft.headerLineNumber }, `its block has no line ${label}`);
}

function isRollupComplete(numbers: NumberFields): numbers is NumberFields & SmapsFields {
  return missingLabel(numbers, "smaps_rollup") === undefined;
}

function isVmaComplete(numbers: NumberFields): numbers is NumberFields & Omit<SmapsVmaFields, "vmFlags"> {
  return missingLabel(numbers, "smaps") === undefined;
}

/** Parses all of /proc/PID/smaps; throws `ProcTextError`, also for a text that ends inside a block. */
export function parseSmapsText(text: string): SmapsVma[] {
  const reader = openReader(text, "smaps");
  const vmas: SmapsVma[] = [];
  while (enterLine(reader)) {
    const draft = takeBlock(reader);
    const { header, numbers, vmFlags, extras } = draft;
    if (!isVmaComplete(numbers)) failMissing(reader, draft, missingLabel(numbers, "smaps") ?? "");
    if (vmFlags === undefined) failMissing(reader, draft, VM_FLAGS_LABEL);
    vmas.push({ header, fields: { ...numbers, vmFlags }, extras });
  }
  return vmas;
}

/** Parses all of /proc/PID/smaps_rollup, which is one block; throws `ProcTextError`. */
export function parseSmapsRollup(text: string): SmapsRollup {
  const reader = openReader(text, "smaps_rollup");
  if (!enterLine(reader)) failLine(reader, "no line");
  const draft = takeBlock(reader);
  if (enterLine(reader)) failLine(reader, "a second block");
  const { header, numbers, extras } = draft;
  if (!isRollupComplete(numbers)) failMissing(reader, draft, missingLabel(numbers, "smaps_rollup") ?? "");
  return { header, fields: numbers, extras };
}

function formatExtras(extras: readonly SmapsExtraLine[], after: string): string {
  let text = "";
  for (const extra of extras) if (extra.after === after) text += `${extra.label}:${extra.text}\n`;
  return text;
}

/** Lines of small values by figure and value: of half a million lines that a machine prints, nearly all are among these. */
const SMALL_VALUES = 1024;
const smallLines: readonly (string | undefined)[][] = FIGURE_LINES.map(() => []);

function formatFigure(index: number, value: number): string {
  if (value >= SMALL_VALUES) return formatLine(index, value);
  return (smallLines[index][value] ??= formatLine(index, value));
}

function formatLine(index: number, value: number): string {
  const start = PADDED_STARTS[index];
  return `${start}${value.toString().padStart(LINE_COLUMNS - start.length, " ")}${FIGURE_LINES[index].unit}\n`;
}

function formatFigures(numbers: Readonly<NumberFields>, extras: readonly SmapsExtraLine[]): string {
  let text = formatExtras(extras, "");
  for (let index = 0; index < FIGURE_LINES.length; index++) {
    const { label, key } = FIGURE_LINES[index];
    const value = numbers[key];
    if (value === undefined) continue;
    text += formatFigure(index, value);
    if (extras.length > 0) text += formatExtras(extras, label);
  }
  return text;
}

/** The smaps block of one VMA, header to VmFlags, with its last newline. */
export function formatSmapsVma(vma: SmapsVma): string {
  return formatSmapsBlock(formatMapsHeader(vma.header), vma);
}

/** The same for whoever has formatted the header already, as a line of maps. */
export function formatSmapsBlock(header: string, vma: Pick<SmapsVma, "fields" | "extras">): string {
  const flags = vma.fields.vmFlags.map((flag) => `${flag} `).join("");
  const figures = formatFigures(vma.fields, vma.extras);
  const end = formatExtras(vma.extras, VM_FLAGS_LABEL);
  return `${header}\n${figures}${VM_FLAGS_LABEL}: ${flags}\n${end}`;
}

/** The whole of smaps_rollup, with its last newline. */
export function formatSmapsRollup(rollup: SmapsRollup): string {
  return `${formatMapsHeader(rollup.header)}\n${formatFigures(rollup.fields, rollup.extras)}`;
}
