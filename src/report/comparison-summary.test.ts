import { describe, expect, test } from "vitest";
import { madeUpComparison } from "../../test/report/made-up-comparison.ts";
import type { Comparison } from "../study/index.ts";
import { PLAIN_STYLES, formatComparisonsJson, formatSummaryMarkdown, formatSummaryText } from "./index.ts";

type Slow = Comparison["verdicts"][number]["catastrophic"][number];

const slow = (operation: string, ratio: number): Slow => ({
  text: `${operation} takes ${ratio} times as long`,
  scenario: "",
  operation,
  ratio,
});

/** The made-up comparison under another name, with other findings of its second scheme, first-page. */
function workload(
  id: string,
  {
    breaks = 0,
    catastrophic = [],
    hiddenBytes = 0,
    othersWrong = 0,
  }: {
    readonly breaks?: number;
    readonly catastrophic?: readonly Slow[];
    readonly hiddenBytes?: number;
    readonly othersWrong?: number;
  } = {},
): Comparison {
  const comparison = madeUpComparison();
  const [page, firstPage] = comparison.verdicts;
  const [pageHidden, hidden] = comparison.hiddenMemory;
  return {
    ...comparison,
    workload: { ...comparison.workload, id },
    questions: comparison.questions.map((row) => {
      if (row.question !== "others") return row;
      const [first, second] = row.byScheme;
      const answers = { ...second, exact: row.asked - othersWrong, allowed: othersWrong, wrong: 0, unknown: 0 };
      return { ...row, byScheme: [{ ...first, exact: row.asked, allowed: 0 }, answers] };
    }),
    hiddenMemory: [pageHidden, { ...hidden, bytesMax: hiddenBytes }],
    verdicts: [
      page,
      {
        ...firstPage,
        breaks: Array.from({ length: breaks }, (_, number) => ({ text: `finding ${number}`, scenario: "" })),
        catastrophic,
      },
    ],
  };
}

/** As where `page` cannot count: the other scheme is compared with itself. */
function withoutPage(id: string): Comparison {
  const comparison = workload(id, { catastrophic: [slow("split", 30)] });
  const second = <Item>([, item]: readonly Item[]): Item[] => [item];
  return {
    ...comparison,
    against: "first-page",
    schemes: second(comparison.schemes),
    excluded: [{ id: "page", reason: "it cannot count these entries" }],
    questions: comparison.questions.map((row) => ({ ...row, byScheme: second(row.byScheme) })),
    decisions: comparison.decisions.map((row) => ({ ...row, byScheme: second(row.byScheme) })),
    operations: comparison.operations.map((row) => ({ ...row, byScheme: second(row.byScheme) })),
    hiddenMemory: second(comparison.hiddenMemory),
    verdicts: second(comparison.verdicts).map((verdict) => ({ ...verdict, freesBitsPerPage: 0, freesBitsPerFolio: 0 })),
  };
}

const text = (comparisons: readonly Comparison[]): string =>
  formatSummaryText(comparisons, { width: Infinity, styles: PLAIN_STYLES });

const rowOf = (scheme: string, comparisons: readonly Comparison[]): string =>
  text(comparisons)
    .split("\n")
    .find((line) => line.startsWith(`${scheme} `)) ?? "";

test("on a terminal the operations are cut to its width, and nowhere else", () => {
  const catastrophic = ["scan references", "scan sharing", "madvise cold"].map((name) => slow(name, 20));
  const comparisons = [workload("container-libraries", { catastrophic })];
  const narrow = formatSummaryText(comparisons, { width: 100, styles: PLAIN_STYLES });
  expect(Math.max(...narrow.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
  expect(narrow).toMatch(/^first-page +0 scan references .*… /m);
  expect(text(comparisons)).toContain("madvise cold (20, container-libraries) ");
});

describe("a row of the summary", () => {
  test("counts the workloads in which a scheme breaks something, not what it breaks", () => {
    const comparisons = [workload("one", { breaks: 3 }), workload("two"), workload("three", { breaks: 1 })];
    expect(text(comparisons)).toMatch(/^Verdicts over 3 workloads\n/);
    expect(rowOf("page", comparisons)).toMatch(/^page +0 +nothing +0 bytes +0 +0 +0$/);
    expect(rowOf("first-page", comparisons)).toMatch(/^first-page +2 +nothing /);
  });

  test("names each operation once, with its largest ratio and the workload that showed it", () => {
    const comparisons = [
      workload("one", { catastrophic: [slow("fork", 12.4), slow("exit", 99)] }),
      workload("two", { catastrophic: [slow("fork", 31.6)] }),
      workload("three", { catastrophic: [slow("fork", 11)] }),
    ];
    expect(rowOf("first-page", comparisons)).toMatch(/ exit \(99, one\), fork \(32, two\) /);
  });

  test("says how many operations it has no room to name", () => {
    const names = ["a", "b", "c", "d", "e", "f"];
    const comparisons = [workload("one", { catastrophic: names.map((name, at) => slow(name, 10 + at)) })];
    expect(rowOf("first-page", comparisons)).toMatch(
      / f \(15, one\), e \(14, one\), d \(13, one\), c \(12, one\), and 2 more /,
    );
  });

  test("has the most that was unseen and the worst share of wrong answers of all workloads, and no sums", () => {
    const comparisons = [
      workload("one", { hiddenBytes: 8192, othersWrong: 20 }),
      workload("two", { hiddenBytes: 4096, othersWrong: 500 }),
    ];
    expect(rowOf("first-page", comparisons)).toMatch(/ 8 KiB +250 /);
    expect(rowOf("first-page", [workload("one", { othersWrong: 1 })])).toMatch(/ <1 /);
  });

  test("has the bits that the scheme frees, also where the last workload was compared with another scheme", () => {
    // page has 224 bits a folio and 32 a page; first-page none and 32.
    const comparisons = [workload("one"), workload("two"), withoutPage("three")];
    expect(rowOf("first-page", comparisons)).toMatch(/ 0 +224$/);
    expect(rowOf("first-page", comparisons.toReversed())).toMatch(/ 0 +224$/);
    expect(rowOf("page", comparisons)).toMatch(/ 0 +0$/);
    expect(text(comparisons)).toContain("page cannot count three: there times are compared with first-page.");
    expect(text(comparisons.slice(0, 2))).not.toContain("cannot count");
  });
});

test("as Markdown the summary is followed by every comparison", () => {
  const markdown = formatSummaryMarkdown([workload("one", { breaks: 1 }), workload("two")]);
  expect(markdown.match(/^## .*$/gm)?.map((line) => line.split(":")[0])).toEqual([
    "## Verdicts over 2 workloads",
    "## one",
    "## two",
  ]);
  expect(markdown).toMatch(/^\| first-page \| \*\*1\*\* \| nothing \|/m);
});

test("as JSON it is a document with the comparisons as they are", () => {
  const comparisons = [workload("one"), withoutPage("two")];
  expect(JSON.parse(formatComparisonsJson(comparisons))).toEqual({
    schema: "foliometer-comparisons",
    version: 1,
    comparisons,
  });
});
