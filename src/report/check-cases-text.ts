/**
 * The catalogue of cases, for a terminal and as JSON.
 */
import { wrapText } from "./display-text.ts";
import type { CheckTextOptions } from "./check-text.ts";

/** A case as it is listed. */
export interface ListedCase {
  readonly id: string;
  readonly title: string;
  /** What it asks, in a sentence. */
  readonly asks: string;
  /** Schemes it is for. */
  readonly schemes: readonly string[];
}

/** Each case with its question and its schemes, and a newline at the end. */
export function formatCheckCases(
  cases: readonly ListedCase[],
  { width, styles, schemeCount }: CheckTextOptions & { readonly schemeCount: number },
): string {
  const longest = Math.max(...cases.map(({ id }) => id.length));
  const indent = " ".repeat(longest + 2);
  const lines = cases.flatMap(({ id, title, asks, schemes }) => {
    const whom = schemes.length === schemeCount ? "all schemes" : schemes.join(", ");
    const [first = "", ...rest] = wrapText(`${indent}${asks} (${whom})`.trimStart(), width - indent.length).map(
      (line) => `${indent}${line}`,
    );
    return [`${styles.heading(id.padEnd(longest))}  ${title}`, first, ...rest];
  });
  return `${lines.join("\n")}\n`;
}

/** Schema "foliometer-check-cases", version 1, with a newline at the end. */
export function formatCheckCasesJson(cases: readonly ListedCase[]): string {
  const document = {
    schema: "foliometer-check-cases",
    version: 1,
    cases: cases.map(({ id, title, asks, schemes }) => ({ id, title, asks, schemes })),
  };
  return `${JSON.stringify(document, null, 1)}\n`;
}
