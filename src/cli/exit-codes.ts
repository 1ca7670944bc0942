/**
 * What the exit code says, and the errors that choose it. `foliometer --help` prints this table.
 *
 *     0    done, and what was read is complete
 *     1    a figure differs by more than --tolerance, the model from the kernel, memory is not safe, or a property breaks
 *     2    the command line, or a directory or scenario named in it, is wrong
 *     3    the machine cannot be read, what was read is incomplete, a scenario could not be run to its end, or a check met a limit
 *     130  interrupted (128 + the signal's number); 141: whoever read the output went away
 */

export const EXIT_DONE = 0;
export const EXIT_DIFFERS = 1;
export const EXIT_USAGE = 2;
export const EXIT_INCOMPLETE = 3;
export const EXIT_BROKEN_PIPE = 141;

export const EXIT_CODES_HELP = `Exit codes:
  0    done, and what was read is complete
  1    a figure differs by more than --tolerance, the model from the kernel, memory is not safe, or a property breaks
  2    wrong usage: an option, a pid, a scheme, a directory or a scenario
  3    the machine cannot be read, what was read is incomplete, a scenario could not be run to its end, or a check met a limit
  130  interrupted; everything temporary is removed, everything frozen runs again`;

/** Wrong usage, in one sentence. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/** The running kernel cannot be asked, in one sentence. */
export class CannotVerify extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CannotVerify";
  }
}

/** The errors of other floors that are one sentence for the user, by name: importing their classes would load them all. */
const CODE_OF_ERROR: Readonly<Record<string, number>> = {
  UsageError: EXIT_USAGE,
  BadWorkload: EXIT_USAGE,
  BadCapture: EXIT_USAGE,
  BadWhatIf: EXIT_USAGE,
  BadCostProfile: EXIT_USAGE,
  StepsError: EXIT_USAGE,
  CannotWriteCapture: EXIT_USAGE,
  CannotFreeze: EXIT_USAGE,
  CannotCapture: EXIT_INCOMPLETE,
  CannotListen: EXIT_INCOMPLETE,
  CannotVerify: EXIT_INCOMPLETE,
  BadReproduction: EXIT_INCOMPLETE,
  ScenarioStopped: EXIT_INCOMPLETE,
  TooManySharingSets: EXIT_INCOMPLETE,
  TooMuchSwap: EXIT_INCOMPLETE,
  UnsafeContents: EXIT_DIFFERS,
  ProcTextError: EXIT_INCOMPLETE,
};

/** The exit code of an error that is to be told in one sentence; undefined for a bug. */
export function codeOfError(error: unknown): number | undefined {
  return error instanceof Error ? CODE_OF_ERROR[error.name] : undefined;
}
