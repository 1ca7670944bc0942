/**
 * How the world says no when /proc is read. Two things can go wrong and they are kept apart: the kernel refuses
 * (a `ProcRefusal`, a value that is counted and shown, never thrown away), or the text that came back is not what the
 * kernel prints (a `ProcTextError`, thrown by the parsers with the line and what is wrong with it).
 *
 * Invariant: both render as one sentence of printable ASCII, whatever bytes a process chose for its names.
 * Kernel: kernel-facts 3.11 (who may read what, and which errno says so).
 */

/** The errno names with a known meaning on /proc. */
export type ProcRefusalCode =
  | "EACCES"
  | "EPERM"
  | "ESRCH"
  | "ENOENT"
  | "EINVAL"
  | "EIO"
  | "ENOMEM"
  | "EMFILE"
  | "ENFILE";

/** One refusal: `what` names the thing in the reader's words, such as "/proc/1/pagemap". */
export type ProcRefusal =
  | { readonly code: ProcRefusalCode; readonly what: string }
  | { readonly code: "other"; readonly errno: string; readonly what: string };

const REASONS: Readonly<Record<ProcRefusalCode, string>> = {
  EACCES: "permission denied; the reader needs the same user, CAP_SYS_PTRACE or CAP_PERFMON, and root for kpage files",
  EPERM: "operation not permitted; the reader lacks a capability, or the kernel is locked down",
  ESRCH: "the process has exited or has no memory of its own (a kernel thread)",
  ENOENT: "it does not exist; the process has exited, or the kernel was built without this file",
  EINVAL: "the kernel rejects the position, the length or the argument",
  EIO: "the kernel failed to read it",
  ENOMEM: "the kernel has no memory left for the answer; read less at a time",
  EMFILE: "this process has too many files open; raise its limit (ulimit -n)",
  ENFILE: "the machine has too many files open",
};

function isKnownCode(errno: string): errno is ProcRefusalCode {
  return Object.hasOwn(REASONS, errno);
}

/** The refusal for an errno name as the runtime reports it; a name not known here is kept as `other`. */
export function procRefusal(errno: string, what: string): ProcRefusal {
  return isKnownCode(errno) ? { code: errno, what } : { code: "other", errno, what };
}

/**
 * One sentence: what could not be read, why, and what would help.
 * @example formatProcRefusal({ code: "ESRCH", what: "/proc/7/maps" })
 */
export function formatProcRefusal(refusal: ProcRefusal): string {
  const reason = refusal.code === "other" ? `the kernel says ${printable(refusal.errno)}` : REASONS[refusal.code];
  return `Cannot read ${printable(refusal.what)}: ${reason}.`;
}

/** What of a bad line is shown in an error. */
export const QUOTED_CHARACTERS_MAX = 60;

/** Text that is not what the kernel prints: which file, which line (the first is 1), and what is wrong. */
export class ProcTextError extends Error {
  readonly code = "bad-proc-text";
  /** The kernel's file name, such as "maps" or "smaps_rollup". */
  readonly file: string;
  readonly lineNumber: number;
  readonly problem: string;

  constructor(place: { readonly file: string; readonly lineNumber: number }, problem: string) {
    super(`Line ${place.lineNumber} of ${place.file}: ${problem}.`);
    this.name = "ProcTextError";
    this.file = place.file;
    this.lineNumber = place.lineNumber;
    this.problem = problem;
  }
}

/** A piece of untrusted text in double quotes: cut at `QUOTED_CHARACTERS_MAX`, printable ASCII only. */
export function quoteUntrusted(text: string): string {
  const cut = text.length > QUOTED_CHARACTERS_MAX ? `${text.slice(0, QUOTED_CHARACTERS_MAX)}...` : text;
  return `"${printable(cut).replaceAll('"', '\\"')}"`;
}

function printable(text: string): string {
  return text.replace(/[^ -~]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
