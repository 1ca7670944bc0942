import { describe, expect, test } from "vitest";
import { madeUpComparison } from "../../test/report/made-up-comparison.ts";
import {
  PLAIN_STYLES,
  formatComparisonHtml,
  formatComparisonJson,
  formatComparisonMarkdown,
  formatComparisonText,
} from "./index.ts";

const text = (width = Infinity, title?: string): string =>
  formatComparisonText(madeUpComparison(title), { width, styles: PLAIN_STYLES });

describe("as text", () => {
  test("one of a thing is not several", () => {
    const { workload, ...rest } = madeUpComparison();
    const one = { ...workload, steps: 1, events: 1, foliosMax: 1, processesMax: 1 };
    const lines = formatComparisonText({ ...rest, workload: one }, { width: Infinity, styles: PLAIN_STYLES });
    expect(lines.replaceAll(/\s+/g, " ")).toContain("1 step, 1 batch of mapping events; at most 1 process, 1 folio,");
  });

  test("an answer that is always the truth is '=', and deviations say in per mille of what kind they are", () => {
    const rows = text().split("\n");
    expect(rows.find((row) => row.startsWith("page ") && row.includes("E ="))).toMatch(/O 5~ +E =/);
    expect(rows.find((row) => row.startsWith("first-page") && row.includes("E ="))).toMatch(/S <1! 250~ 250\? +E =/);
  });

  test("a flipped decision names schemes, direction and consequence; one that is not flipped stands in a note", () => {
    expect(text()).toMatch(
      /reuse-large \(met\) +500 +first-page +10 +500 +reuse, not copy +leak: a process reads another's page +20 KiB/,
    );
    expect(text()).toContain("The same under all schemes: move-page (40).");
  });

  test("an operation that the verdict calls catastrophic is marked, whatever its average", () => {
    expect(text()).toMatch(/first-page +12\.5 !/);
    expect(text()).toMatch(/\(page, us each\) +20\.00/);
    const comparison = madeUpComparison();
    const verdicts = comparison.verdicts.map((verdict) => ({ ...verdict, catastrophic: [] }));
    const unmarked = formatComparisonText({ ...comparison, verdicts }, { width: Infinity, styles: PLAIN_STYLES });
    expect(unmarked).toMatch(/first-page +12\.5$/m);
  });

  test("the scenario that convicts a scheme stands below, ready to be run", () => {
    expect(text()).toContain("first-page: leaks\n    spawn P\n    P touch @a 4k w\n");
  });

  test("on a narrow terminal no line is wider, and columns that have no room are named", () => {
    const narrow = text(60).split("\n");
    expect(Math.max(...narrow.map((line) => line.length))).toBeLessThanOrEqual(60);
    expect(narrow.join("\n")).toContain("No room for:");
  });

  test("control characters in a title come out escaped", () => {
    expect(text(Infinity, "a\u001b[31mb")).toContain(String.raw`a\x1b[31mb`);
  });
});

test("as Markdown a title can be no table and no HTML, and no code but a single name", () => {
  const markdown = formatComparisonMarkdown(madeUpComparison(), { level: 3 });
  expect(markdown).toMatch(/^### made-up: a parent \\\| its \\<children\\> & `more`$/m);
  expect(markdown).toMatch(/^#### Verdict$/m);
  const code = formatComparisonMarkdown(madeUpComparison("`a | b` and `<c>`"));
  expect(code).toContain(String.raw`\`a \| b\` and \`\<c\>\``);
  const tables = markdown.split("\n").filter((line) => line.startsWith("| "));
  expect(tables.length).toBeGreaterThan(10);
  expect(tables.filter((line) => !line.endsWith(" |"))).toEqual([]);
});

test("as HTML a title is text, and the page asks for nothing from elsewhere", () => {
  const page = formatComparisonHtml(madeUpComparison("<script>alert(1)</script>"));
  expect(page).not.toContain("<script");
  expect(page).toContain("&lt;script&gt;");
  expect(page).not.toMatch(/(?:src|href|url)\s*[=(]/);
  const opened = [...page.matchAll(/<(table|tr|td|th|dl|details|pre|div)\b/g)].length;
  const closed = [...page.matchAll(/<\/(table|tr|td|th|dl|details|pre|div)>/g)].length;
  expect(opened).toBeGreaterThan(30);
  expect(closed).toBe(opened);
});

test("as JSON it is the comparison itself", () => {
  expect(JSON.parse(formatComparisonJson(madeUpComparison()))).toEqual(madeUpComparison());
});
