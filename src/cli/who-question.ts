/**
 * What `foliometer who` was asked, from its words and options to a question, or one sentence about what is wrong.
 *
 * Addresses are hexadecimal, with or without 0x, as maps prints them; frames and offsets are decimal, or hexadecimal with
 * 0x. Names in maps are bytes in no particular encoding and are read as such.
 */
import { realpathSync, statSync } from "node:fs";
import { InvalidArgumentError } from "commander";
import type { FileIdentity } from "../capture/index.ts";
import type { WhoQuestion } from "../study/index.ts";
import type { MapsVma } from "../kernel/index.ts";
import { parsePid } from "./arguments.ts";
import { UsageError } from "./exit-codes.ts";

/** The options that say what the words are. */
export interface WhoWords {
  readonly pfn?: string;
  readonly file?: string;
  readonly offset?: string;
  readonly vma?: boolean;
}

/** A question, how to name its place, and the capture to ask. */
export interface AskedWho {
  readonly question: WhoQuestion;
  /** Asked if nobody maps the file of `question`: its name as other mount namespaces have it. */
  readonly orByName?: WhoQuestion;
  readonly asked: string;
  readonly directory: string | undefined;
}

const PAGE_BYTES = 4096;
/** Address bits that page numbers hold exactly: 64 of them, whose pages are below 2^52. */
const ADDRESS = /^(?:0x)?(?<digits>[0-9a-f]{1,16})$/i;
const NUMBER = /^(?:0x[0-9a-f]{1,13}|[0-9]{1,15})$/i;

/** The question of a command line. Throws UsageError. */
export function readWhoQuestion(words: readonly string[], options: WhoWords): AskedWho {
  const ways = [options.pfn !== undefined, options.file !== undefined, options.vma === true];
  if (ways.filter(Boolean).length > 1) throw new UsageError("One of --pfn, --file and --vma at a time.");
  if (options.offset !== undefined && options.file === undefined) {
    throw new UsageError("--offset is a place in a file: it needs --file.");
  }
  if (options.pfn !== undefined) {
    const pfn = readNumber(options.pfn, "A page frame number");
    return { question: { kind: "frame", pfn }, asked: `frame 0x${pfn.toString(16)}`, directory: lastWord(words, 0) };
  }
  if (options.file !== undefined) return askAboutFile(options.file, options.offset, lastWord(words, 0));
  const [pidText, place] = words;
  if (pidText === undefined || place === undefined) {
    throw new UsageError(
      options.vma === true
        ? "--vma needs a pid and a mapping's name."
        : "Say a pid and an address, or --pfn, --file or --vma.",
    );
  }
  const pid = readPid(pidText);
  const directory = lastWord(words, 2);
  if (options.vma === true) return { ...askAboutVmas(pid, place), directory };
  const page = readAddress(place);
  return { question: { kind: "address", pid, page }, asked: `0x${page.toString(16)}000 of ${pid}`, directory };
}

function lastWord(words: readonly string[], before: number): string | undefined {
  if (words.length > before + 1) {
    throw new UsageError(
      `${JSON.stringify(words[before + 1])} is too much: behind what is asked comes one capture at most.`,
    );
  }
  return words[before];
}

function readPid(text: string): number {
  try {
    return parsePid(text);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new UsageError(`${JSON.stringify(text)} is no pid. ${error.message}`);
  }
}

function readNumber(text: string, what: string): number {
  if (NUMBER.test(text)) return Number(text);
  throw new UsageError(`${what} is a decimal number, or a hexadecimal one with 0x; not ${JSON.stringify(text)}.`);
}

/** The page of an address. */
function readAddress(text: string): number {
  const digits = ADDRESS.exec(text)?.groups?.["digits"];
  if (digits === undefined) {
    throw new UsageError(`An address is a hexadecimal number as in /proc/PID/maps, not ${JSON.stringify(text)}.`);
  }
  return Number.parseInt(digits.slice(0, -3) || "0", 16);
}

/** A name as maps holds it, or the last part of its path; with 0x the mapping at an address. */
function askAboutVmas(pid: number, place: string): Pick<AskedWho, "question" | "asked"> {
  if (/^0x/i.test(place)) {
    const page = readAddress(place);
    const wants = ({ startPage, endPage }: MapsVma): boolean => startPage <= page && page < endPage;
    return { question: { kind: "vmas", pid, wants }, asked: `the mapping at ${place} of ${pid}` };
  }
  const name = bytesOf(place);
  const wants = (vma: MapsVma): boolean => vma.name === name || (name !== "" && vma.name.endsWith(`/${name}`));
  return {
    question: { kind: "vmas", pid, wants },
    asked: `${place === "" ? "memory without a name" : place} of ${pid}`,
  };
}

/** Text of the command line as maps prints it: bytes, a character each; a newline is escaped. */
function bytesOf(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1").replaceAll("\n", "\\012");
}

function askAboutFile(path: string, offsetText: string | undefined, directory: string | undefined): AskedWho {
  if (path === "") throw new UsageError("--file needs a file's path.");
  const offset = offsetText === undefined ? undefined : readNumber(offsetText, "An offset");
  const range =
    offset === undefined
      ? { startPage: 0, endPage: Infinity, folio: false }
      : { startPage: Math.floor(offset / PAGE_BYTES), endPage: Math.floor(offset / PAGE_BYTES) + 1, folio: true };
  const asked = offset === undefined ? path : `${path} at ${offset}`;
  const byName = (name: string): WhoQuestion => ({ kind: "file", file: { name: bytesOf(name) }, ...range });
  // A capture may be another machine's: there a name is all that there is.
  const found = directory === undefined ? findFile(path) : undefined;
  if (found === undefined) return { question: byName(path), asked, directory };
  return { question: { kind: "file", file: found.identity, ...range }, orByName: byName(found.name), asked, directory };
}

/**
 * A file as maps prints it, and its name there; undefined for what is no file here: a deleted one, or one of another mount
 * namespace. Some file systems print another device than stat tells (btrfs, some overlayfs); there the name is what is left.
 */
function findFile(path: string): { readonly identity: FileIdentity; readonly name: string } | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    const identity = { device: formatDevice(Number(dev)), inodeText: String(ino) };
    return { identity, name: realpathSync(path) };
  } catch {
    return undefined;
  }
}

/** A device number of stat (12 bits of major above 8 of minor, and the rest of the minor from bit 20) as maps prints it. */
export function formatDevice(dev: number): string {
  const major = Math.floor(dev / 2 ** 8) % 2 ** 12;
  const minor = (dev % 2 ** 8) + Math.floor(dev / 2 ** 20) * 2 ** 8;
  return [major, minor].map((number) => number.toString(16).padStart(2, "0")).join(":");
}
