/**
 * Why a directory cannot be opened as a capture: one code and one sentence, which says what is wrong, where, and what to
 * do about it. And why it cannot become one.
 *
 * Whatever lies in the directory, opening it ends in a capture or in this error (open-capture.test.ts tries at random).
 */
import { quoteUntrusted } from "../kernel/index.ts";

export type BadCaptureCode =
  /** Nothing here says that it is a capture. */
  | "not-a-capture"
  /** Nor that it is a recording. */
  | "not-a-recording"
  /** A capture that was interrupted. */
  | "incomplete"
  /** Its content is not what was written. */
  | "damaged"
  /** A file ends too early. */
  | "truncated"
  /** Another program wrote or rewrote it. */
  | "foreign"
  /** A later format. */
  | "newer-version"
  /** Taken on a machine whose base page is not 4 KiB. */
  | "other-page-size";

const ADVICE: Readonly<Record<BadCaptureCode, string>> = {
  "not-a-recording": 'give the directory that "foliometer record" wrote',
  "not-a-capture": 'give the directory that "foliometer capture" wrote',
  incomplete: "it cannot be used, so remove it and capture again",
  damaged: "copy it again from where it came from, or capture again",
  truncated: "copy it again from where it came from, or capture again",
  foreign: 'open the directory as "foliometer capture" wrote it, because what other tools rewrite is not read back',
  "newer-version": "read it with that version of Foliometer or a later one",
  "other-page-size": "Foliometer reads captures of machines with pages of 4096 bytes only",
};

const VERDICTS: Readonly<Record<BadCaptureCode, string>> = {
  "not-a-capture": "Not a capture",
  "not-a-recording": "Not a recording",
  incomplete: "An unfinished capture",
  damaged: "A damaged capture",
  truncated: "A capture that was cut short",
  foreign: "A capture that another tool wrote",
  "newer-version": "A capture of a newer format",
  "other-page-size": "A capture of another kind of machine",
};

/** Thrown by whatever opens a capture. */
export class BadCapture extends Error {
  readonly code: BadCaptureCode;
  /** The file or directory where the problem shows. */
  readonly place: string;
  readonly problem: string;

  constructor(code: BadCaptureCode, place: string, problem: string) {
    super(`${VERDICTS[code]}: ${printablePath(place)} ${problem}; ${ADVICE[code]}.`);
    this.name = "BadCapture";
    this.code = code;
    this.place = place;
    this.problem = problem;
  }
}

/** Paths come from the command line: shown whole unless they hold what a terminal would act on. */
function printablePath(path: string): string {
  return /^[ -~]*$/.test(path) ? path : quoteUntrusted(path);
}

/** Why a capture cannot be written to a place, in one sentence. */
export class CannotWriteCapture extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CannotWriteCapture";
  }
}
