/**
 * What is wrong with a scenario, with its place and a way out.
 *
 * A scenario is read to its end, so that all its errors are told at once. Invariant: messages quote a scenario's own words
 * only through `quoteWord`, which leaves nothing in them that could move a terminal's cursor.
 */
import { ERRORS_MAX } from "./scenario-limits.ts";

/** One thing that is wrong. Lines and columns count from 1; a column counts characters. */
export interface ScenarioError {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  /** What to write instead; "" where the message says it. */
  readonly hint: string;
}

/** Thrown where a scenario is needed and there is none: all errors at once. */
export class BadScenario extends Error {
  readonly errors: readonly ScenarioError[];

  constructor(errors: readonly ScenarioError[]) {
    super(errors.map(formatScenarioError).join("\n"));
    this.name = "BadScenario";
    this.errors = errors;
  }
}

/** One line: `a.scn:3:7: there is no advice "hugpage"; did you mean hugepage?` */
export function formatScenarioError({ file, line, column, message, hint }: ScenarioError): string {
  return `${file}:${line}:${column}: ${message}${hint === "" ? "" : `; ${hint}`}`;
}

const QUOTED_MAX = 40;
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** A word of the scenario in quotes, shortened, with everything unprintable replaced. */
export function quoteWord(word: string): string {
  const shown = word.length > QUOTED_MAX ? `${word.slice(0, QUOTED_MAX)}...` : word;
  return `"${shown.replaceAll(UNPRINTABLE, "?")}"`;
}

/** Collects errors, at most ERRORS_MAX of them. */
export class ErrorList {
  readonly errors: ScenarioError[] = [];
  private readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  get isFull(): boolean {
    return this.errors.length >= ERRORS_MAX;
  }

  add(line: number, column: number, message: string, hint = ""): void {
    if (!this.isFull) this.errors.push({ file: this.file, line, column, message, hint });
  }
}
