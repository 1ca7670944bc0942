/**
 * Blocks of Markdown that show what a command prints: "$ foliometer ..." and the lines behind it, indented.
 *
 * "[...]" in a block stands for any lines; every other line is printed exactly so, in this order.
 */

export const LEFT_OUT = "[...]";

export interface Example {
  readonly args: readonly string[];
  readonly lines: readonly string[];
}

/** The blocks of a document, without their indentation. */
export function examplesOf(markdown: string): Example[] {
  const lines = markdown.split("\n");
  return lines.flatMap((line, at) => {
    const indent = /^( +)\$ foliometer /.exec(line)?.[1];
    if (indent === undefined) return [];
    const behind = lines.slice(at + 1);
    const end = behind.findIndex((each) => each !== "" && !each.startsWith(indent));
    const shown = behind.slice(0, end < 0 ? behind.length : end).map((each) => each.slice(indent.length));
    return [{ args: wordsOf(line.slice(`${indent}$ foliometer `.length)), lines: trimEnd(shown) }];
  });
}

/** A shell's words, as far as the documents have them: "quoted" or plain. */
function wordsOf(command: string): string[] {
  return Array.from(command.matchAll(/"([^"]*)"|(\S+)/g), ([, quoted, plain]) => quoted ?? plain);
}

/** Without the empty lines at the end. */
export function trimEnd(lines: readonly string[]): readonly string[] {
  return lines.slice(0, lines.findLastIndex((line) => line !== "") + 1);
}

/** Undefined if the lines are printed so; else the first that is not. */
export function firstMissing(shown: readonly string[], printed: readonly string[]): string | undefined {
  let at = 0;
  let mayLeaveOut = false;
  for (const line of shown) {
    if (line === LEFT_OUT) {
      mayLeaveOut = true;
      continue;
    }
    const found = mayLeaveOut ? printed.indexOf(line, at) : at;
    if (found < 0 || printed[found] !== line) return line;
    at = found + 1;
    mayLeaveOut = false;
  }
  return mayLeaveOut || at === printed.length ? undefined : `nothing behind, but "${printed[at]}"`;
}

/** The lines that a command has printed, as blocks show them. */
export function shownLines(stdout: string): readonly string[] {
  return trimEnd(stdout.split("\n").map((line) => line.trimEnd()));
}
