/**
 * /proc/PID/maps: one line per VMA, read and written byte for byte.
 *
 *     7f0c40021000-7f0c44000000 rw-p 00000000 00:00 0                          [anon:name]
 *     start        end          perm offset   dev   inode, a space             name, from column 74
 *
 * Invariant: `formatMapsHeader(parse(line)) === line` for every line the kernel prints. Addresses become page numbers
 * without passing through a number of 64 bits, so the gate page [vsyscall] at ffffffffff600000 is exact. The name is
 * kept as printed: the kernel writes a newline in a path as `\012` but does not escape the backslash itself, so the
 * original cannot be told apart and is not guessed. Time is linear in the text whatever it holds.
 * Kernel: kernel-facts 3.3 (header line).
 */

import { ProcTextError, quoteUntrusted } from "./proc-error.ts";

/** One VMA as /proc/PID/maps prints it. */
export interface MapsVma {
  /** First page: start address / 4096. */
  readonly startPage: number;
  /** One past the last page: end address / 4096. */
  readonly endPage: number;
  readonly read: boolean;
  readonly write: boolean;
  readonly exec: boolean;
  /** The letter `s`: VM_MAYSHARE. */
  readonly shared: boolean;
  /** File offset in bytes, exact below 2^53. */
  readonly offset: number;
  /** The offset's hex digits as printed, always exact. */
  readonly offsetHex: string;
  /** Device as printed, "08:01". */
  readonly device: string;
  /** Inode number, exact below 2^53. */
  readonly inode: number;
  /** The inode's digits as printed; present only where `inode` is too large to be exact (some network file systems). */
  readonly inodeText?: string;
  /** The name as printed, "" if there is none. */
  readonly name: string;
}

/** Characters before the space that precedes a name: 25 + 6 per byte of a 64-bit pointer, less one. */
const NAME_PAD_UNTIL = 72;
const ADDRESS_DIGITS_MAX = 16;
/** The last three hex digits of a page-aligned address. */
const PAGE_OFFSET_DIGITS = 3;

const SPACE = 0x20;
const DASH = 0x2d;
const COLON = 0x3a;
const LETTER_R = 0x72;
const LETTER_W = 0x77;
const LETTER_X = 0x78;
const LETTER_S = 0x73;
const LETTER_P = 0x70;

/** Where a reader stands: one text, one line of it, one position that only moves forward. */
interface LineCursor {
  readonly text: string;
  readonly file: string;
  readonly lineNumber: number;
  readonly lineStart: number;
  readonly lineEnd: number;
  position: number;
}

function fail(cursor: LineCursor, problem: string): never {
  const line = cursor.text.slice(cursor.lineStart, Math.min(cursor.lineEnd, cursor.lineStart + 200));
  throw new ProcTextError(cursor, `${problem} in ${quoteUntrusted(line)}`);
}

/** The value of a lower-case hex digit, or -1. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  if (code >= 0x61 && code <= 0x66) return code - 0x57;
  return -1;
}

function skipHexDigits(cursor: LineCursor): number {
  const { text, lineEnd } = cursor;
  let position = cursor.position;
  while (position < lineEnd && hexDigit(text.charCodeAt(position)) >= 0) position++;
  const count = position - cursor.position;
  cursor.position = position;
  return count;
}

/** The value of the hex digits in [from, to): exact up to 13 digits. */
function hexValue(text: string, from: number, to: number): number {
  let value = 0;
  for (let position = from; position < to; position++) value = value * 16 + hexDigit(text.charCodeAt(position));
  return value;
}

function takePage(cursor: LineCursor, what: string): number {
  const from = cursor.position;
  const count = skipHexDigits(cursor);
  if (count === 0 || count > ADDRESS_DIGITS_MAX) fail(cursor, `the ${what} is not an address of 1 to 16 hex digits`);
  const pageEnd = Math.max(from, cursor.position - PAGE_OFFSET_DIGITS);
  if (hexValue(cursor.text, pageEnd, cursor.position) !== 0) fail(cursor, `the ${what} is not page-aligned`);
  return hexValue(cursor.text, from, pageEnd);
}

function takeCharacter(cursor: LineCursor, code: number, where: string): void {
  if (cursor.position >= cursor.lineEnd || cursor.text.charCodeAt(cursor.position) !== code) {
    fail(cursor, `no ${code === SPACE ? "space" : quoteUntrusted(String.fromCharCode(code))} ${where}`);
  }
  cursor.position++;
}

/** One of the two letters of a permission column: true for `yes`. */
function takeLetter(cursor: LineCursor, yes: number, no: number): boolean {
  const code = cursor.position < cursor.lineEnd ? cursor.text.charCodeAt(cursor.position) : -1;
  if (code !== yes && code !== no) fail(cursor, "the permissions are not four letters such as r-xp");
  cursor.position++;
  return code === yes;
}

function takeOffsetHex(cursor: LineCursor): string {
  const from = cursor.position;
  const count = skipHexDigits(cursor);
  if (count === 0 || count > ADDRESS_DIGITS_MAX) fail(cursor, "the offset is not 1 to 16 hex digits");
  return cursor.text.slice(from, cursor.position);
}

function takeDevice(cursor: LineCursor): string {
  const from = cursor.position;
  const majorDigits = skipHexDigits(cursor);
  takeCharacter(cursor, COLON, "inside the device");
  const minorDigits = skipHexDigits(cursor);
  if (majorDigits === 0 || minorDigits === 0 || majorDigits > 8 || minorDigits > 8) {
    fail(cursor, "the device is not two hex numbers such as 08:01");
  }
  return cursor.text.slice(from, cursor.position);
}

/** Leaves the cursor behind the digits; at most 20 of them, as 2^64 has. */
function takeInode(cursor: LineCursor): number {
  const { text, lineEnd } = cursor;
  const from = cursor.position;
  let position = from;
  let inode = 0;
  while (position < lineEnd) {
    const digit = text.charCodeAt(position) - 0x30;
    if (digit < 0 || digit > 9) break;
    inode = inode * 10 + digit;
    position++;
  }
  cursor.position = position;
  if (position === from || position - from > 20) fail(cursor, "the inode is not a decimal number");
  return inode;
}

/** The name starts at its column, however many spaces it begins with; elsewhere (32-bit kernels) at the first non-space. */
function takeName(cursor: LineCursor): string {
  const { text, lineStart, lineEnd } = cursor;
  if (cursor.position >= lineEnd) return "";
  takeCharacter(cursor, SPACE, "behind the inode");
  const nameStart = lineStart + Math.max(NAME_PAD_UNTIL, cursor.position - lineStart) + 1;
  let position = cursor.position;
  while (position < lineEnd && position < nameStart && text.charCodeAt(position) === SPACE) position++;
  return text.slice(position, lineEnd);
}

/** Which line of which file stands in `text` from `lineStart` up to, not including, its newline at `lineEnd`. */
export interface MapsLinePlace {
  readonly file: string;
  readonly lineNumber: number;
  readonly lineStart: number;
  readonly lineEnd: number;
}

/** Parses one header line inside a larger text, as smaps has them; throws `ProcTextError`. */
export function parseMapsLine(text: string, place: MapsLinePlace): MapsVma {
  const { file, lineNumber, lineStart, lineEnd } = place;
  const cursor: LineCursor = { text, file, lineNumber, lineStart, lineEnd, position: lineStart };
  const startPage = takePage(cursor, "start");
  takeCharacter(cursor, DASH, "between start and end");
  const endPage = takePage(cursor, "end");
  if (endPage <= startPage) fail(cursor, "the end does not lie behind the start");
  takeCharacter(cursor, SPACE, "before the permissions");
  const read = takeLetter(cursor, LETTER_R, DASH);
  const write = takeLetter(cursor, LETTER_W, DASH);
  const exec = takeLetter(cursor, LETTER_X, DASH);
  const shared = takeLetter(cursor, LETTER_S, LETTER_P);
  takeCharacter(cursor, SPACE, "before the offset");
  const offsetHex = takeOffsetHex(cursor);
  const offset = hexValue(text, cursor.position - offsetHex.length, cursor.position);
  takeCharacter(cursor, SPACE, "before the device");
  const device = takeDevice(cursor);
  takeCharacter(cursor, SPACE, "before the inode");
  const inodeStart = cursor.position;
  const inode = takeInode(cursor);
  const inodeEnd = cursor.position;
  const name = takeName(cursor);
  const vma = { startPage, endPage, read, write, exec, shared, offset, offsetHex, device, inode, name };
  return Number.isSafeInteger(inode) ? vma : { ...vma, inodeText: text.slice(inodeStart, inodeEnd) };
}

/**
 * Parses all of /proc/PID/maps; the last newline may be missing. Order and overlap of VMAs are not checked: the file
 * is not a snapshot. Throws `ProcTextError` with the line's number and what is wrong with it.
 */
export function parseMapsText(text: string): MapsVma[] {
  const vmas: MapsVma[] = [];
  let lineStart = 0;
  for (let lineNumber = 1; lineStart < text.length; lineNumber++) {
    const newline = text.indexOf("\n", lineStart);
    const lineEnd = newline < 0 ? text.length : newline;
    vmas.push(parseMapsLine(text, { file: "maps", lineNumber, lineStart, lineEnd }));
    lineStart = lineEnd + 1;
  }
  return vmas;
}

function formatAddress(page: number): string {
  return `${page.toString(16)}000`.padStart(8, "0");
}

/** The line of /proc/PID/maps for a VMA, and the first line of its smaps block, without the newline. */
export function formatMapsHeader(vma: MapsVma): string {
  const permissions = `${vma.read ? "r" : "-"}${vma.write ? "w" : "-"}${vma.exec ? "x" : "-"}${vma.shared ? "s" : "p"}`;
  const inode = vma.inodeText ?? vma.inode.toString();
  const range = `${formatAddress(vma.startPage)}-${formatAddress(vma.endPage)}`;
  const prefix = `${range} ${permissions} ${vma.offsetHex} ${vma.device} ${inode} `;
  return vma.name === "" ? prefix : `${prefix.padEnd(NAME_PAD_UNTIL, " ")} ${vma.name}`;
}
