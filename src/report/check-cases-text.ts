/**
 * The catalogue of cases, for a terminal and as JSON.
 */
import type { CaseOutcome } from "../checker/index.ts";
import type { CheckTextOptions } from "./check-text.ts";
import { wrapText } from "./display-text.ts";

/** A case as it is listed. */
export interface ListedCase {
  readonly id: string;
  readonly title: string;
  /** What it asks, in a sentence. */
  readonly asks: string;
  /** Schemes it is for. */
  readonly schemes: readonly string[];
  /** What comes out, by scheme. */
  readonly outcomes: Readonly<Record<string, CaseOutcome>>;
}

/** However narrow the terminal is, a question has so many columns. */
const ASKS_LEAST = 30;

/** Each case with its question and its schemes, and a newline at the end; a sentence if there is none. */
export function formatCheckCases(
  cases: readonly ListedCase[],
  { width, styles, schemeCount }: CheckTextOptions & { readonly schemeCount: number },
): string {
  if (cases.length === 0) return "There are no cases.\n";
  const longest = Math.max(...cases.map(({ id }) => id.length));
  const indent = " ".repeat(longest + 2);
  const lines = cases.flatMap(({ id, title, asks, schemes }) => {
    const whom = schemes.length === schemeCount ? "all schemes" : schemes.join(", ");
    const room = Math.max(ASKS_LEAST, width - indent.length);
    const [first = "", ...rest] = wrapText(title, room);
    const question = wrapText(`${asks} (${whom})`, room);
    return [`${styles.heading(id.padEnd(longest))}  ${first}`, ...[...rest, ...question].map((line) => indent + line)];
  });
  return `${lines.join("\n")}\n`;
}

/** Schema "foliometer-check-cases", version 1, with a newline at the end. docs/checker.md describes its fields. */
export function formatCheckCasesJson(cases: readonly ListedCase[]): string {
  const document = {
    schema: "foliometer-check-cases",
    version: 1,
    cases: cases.map(({ id, title, asks, schemes, outcomes }) => ({
      id,
      title,
      asks,
      schemes: schemes.map((scheme) => ({ scheme, ...knownOf(outcomes[scheme]) })),
    })),
  };
  return `${JSON.stringify(document, null, 1)}\n`;
}

function knownOf({ broken = [], unseen = [], states }: CaseOutcome = {}): Record<string, unknown> {
  return { broken, unseen, states: states ?? null };
}
