/**
 * The language of what-if steps on a captured machine: text to steps, and what is wrong with a text, in one sentence.
 *
 *     fork PID [TIMES]           children are called PID.1, PID.2 ...; they are named like that in later steps
 *     exit PID
 *     unmap PID WHERE            munmap of a range, or of all mappings of a name
 *     write PID WHERE [every N]  one write a page, or to every Nth: private pages that others map are copied
 *
 * WHERE is START-END in hexadecimal, as /proc/PID/maps prints it, or the name that it prints. Steps are separated by `;`.
 */

/** A what-if that cannot be: a sentence that says what is wrong with it. */
export class BadWhatIf extends Error {
  constructor(message: string) {
    super(message);
    this.name = "BadWhatIf";
  }
}

/** A stretch of an address space, in virtual pages, or the mappings of a name. */
export type WhatIfPlace =
  | { readonly kind: "range"; readonly startPage: number; readonly endPage: number }
  | { readonly kind: "name"; readonly name: string };

/** One step. `process` is a pid, or the name of a child that a step has forked. */
export type WhatIfStep =
  | { readonly kind: "fork"; readonly text: string; readonly process: string; readonly times: number }
  | { readonly kind: "exit"; readonly text: string; readonly process: string }
  | { readonly kind: "unmap"; readonly text: string; readonly process: string; readonly place: WhatIfPlace }
  | {
      readonly kind: "write";
      readonly text: string;
      readonly process: string;
      readonly place: WhatIfPlace;
      /** Every Nth page is written. */
      readonly every: number;
    };

/** Forks in one step. */
const FORKS_MAX = 1024;
const EVERY_MAX = 2 ** 20;
/** Steps in one what-if. */
const STEPS_MAX = 1000;
/** The last three hexadecimal digits of an address that begins a page. */
const PAGE_DIGITS = 3;

const PROCESS = /^[1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,5})*$/;
const RANGE = /^(?:0x)?([0-9a-f]{1,16})-(?:0x)?([0-9a-f]{1,16})$/i;
const EVERY = /^(.*\S)\s+every\s+(\S+)$/;

/** Parses texts of steps. Throws BadWhatIf. */
export function parseWhatIf(texts: readonly string[]): WhatIfStep[] {
  const steps = texts.flatMap((text) => text.split(";")).map((text) => text.trim());
  const wanted = steps.filter((text) => text !== "");
  if (wanted.length === 0) throw new BadWhatIf('There is no step: write for instance --then "exit 1234".');
  if (wanted.length > STEPS_MAX) throw new BadWhatIf(`There are ${wanted.length} steps; a what-if takes ${STEPS_MAX}.`);
  return wanted.map((text) => parseStep(text));
}

function parseStep(text: string): WhatIfStep {
  const [verb, process = "", ...rest] = text.split(/\s+/);
  if (!["fork", "exit", "unmap", "write"].includes(verb)) {
    throw new BadWhatIf(`"${text}" is no step: steps are fork, exit, unmap and write.`);
  }
  if (!PROCESS.test(process)) throw new BadWhatIf(`"${text}" needs a process: ${verb} 1234, or a child like 1234.1.`);
  if (verb === "fork") return { kind: "fork", text, process, times: parseTimes(text, rest) };
  if (verb === "exit") {
    if (rest.length > 0) throw new BadWhatIf(`"${text}" has more words than exit takes: exit PID.`);
    return { kind: "exit", text, process };
  }
  const where = text.slice(text.indexOf(process) + process.length).trim();
  if (where === "") throw new BadWhatIf(`"${text}" does not say where: ${verb} PID START-END, or a mapping's name.`);
  if (verb === "unmap") return { kind: "unmap", text, process, place: parsePlace(text, where) };
  const every = EVERY.exec(where);
  const place = parsePlace(text, every?.[1] ?? where);
  return { kind: "write", text, process, place, every: parseEvery(text, every?.[2] ?? "1") };
}

function parseTimes(text: string, rest: readonly string[]): number {
  const [word = "1"] = rest;
  const times = Number(word);
  const isGood = rest.length <= 1 && /^[0-9]+$/.test(word) && times >= 1 && times <= FORKS_MAX;
  if (!isGood) throw new BadWhatIf(`"${text}" is no fork: fork PID, or fork PID TIMES with 1 to ${FORKS_MAX}.`);
  return times;
}

function parseEvery(text: string, word: string): number {
  const every = Number(word);
  if (!/^[0-9]+$/.test(word) || every < 1 || every > EVERY_MAX) {
    throw new BadWhatIf(`"${text}" writes every so many pages: a number from 1 to ${EVERY_MAX}.`);
  }
  return every;
}

function parsePlace(text: string, where: string): WhatIfPlace {
  const range = RANGE.exec(where);
  if (range === null) return { kind: "name", name: where };
  const startPage = pageOf(range[1]);
  const endPage = pageOf(range[2]);
  if (startPage === undefined || endPage === undefined) {
    throw new BadWhatIf(`"${text}" cuts a page: addresses end in 000.`);
  }
  if (startPage >= endPage) throw new BadWhatIf(`"${text}" is an empty range: its start is not below its end.`);
  return { kind: "range", startPage, endPage };
}

/** The page that begins at an address in hexadecimal; undefined if none does. */
function pageOf(digits: string): number | undefined {
  const padded = digits.padStart(PAGE_DIGITS + 1, "0");
  if (!padded.endsWith("0".repeat(PAGE_DIGITS))) return undefined;
  return Number.parseInt(padded.slice(0, -PAGE_DIGITS), 16);
}
