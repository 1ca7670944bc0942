/**
 * What must be put back, in reverse order, however the bench ends. A step is
 * registered right after the thing it undoes was done, so an error, a signal
 * and an ordinary end all take the same way out. A step registered after the
 * way out was taken (a signal in the middle of a start) runs at once.
 */

export type UndoStep = () => Promise<void> | void;

/** The order of the day: register with `add`, take the way out with `run`. */
export interface Undo {
  /** Registers a step; throws `Interrupted` (after running it) when the way out was already taken. */
  add(label: string, step: UndoStep): Promise<void>;
  /** Runs every step once, newest first. Later calls wait for the first. */
  run(): Promise<readonly string[]>;
}

/** Thrown by `add` once the way out was taken, so that a start does not go on. */
export class Interrupted extends Error {
  constructor() {
    super("interrupted: everything started so far was undone");
    this.name = "Interrupted";
  }
}

/** Creates an empty undo list. Failures of single steps are returned as text, never swallowed. */
export function createUndo(): Undo {
  const steps: { readonly label: string; readonly step: UndoStep }[] = [];
  let running: Promise<readonly string[]> | undefined;

  async function runOne(label: string, step: UndoStep): Promise<string[]> {
    try {
      await step();
      return [];
    } catch (error) {
      return [`${label}: ${error instanceof Error ? error.message : String(error)}`];
    }
  }

  async function runAll(): Promise<readonly string[]> {
    const failures: string[] = [];
    for (let next = steps.pop(); next !== undefined; next = steps.pop()) {
      failures.push(...(await runOne(next.label, next.step)));
    }
    return failures;
  }

  return {
    async add(label, step) {
      if (running === undefined) {
        steps.push({ label, step });
        return;
      }
      for (const failure of await runOne(label, step)) process.stderr.write(`${failure}\n`);
      throw new Interrupted();
    },
    run() {
      running ??= runAll();
      return running;
    },
  };
}

/** Runs a program's main; an error becomes one line on stderr and exit code 1. */
export async function runMain(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    // The signal's own handler ends the process once everything is undone.
    if (error instanceof Interrupted) return;
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}

/** On SIGINT, SIGTERM and SIGHUP: take the way out, then end as a shell expects (128 + signal). */
export function undoOnSignals(undo: Undo): void {
  const numbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
  for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      void undo.run().then((failures) => {
        for (const failure of failures) process.stderr.write(`${failure}\n`);
        process.exit(128 + numbers[signal]);
      });
    });
  }
}
