import { fileURLToPath } from "node:url";
import stringWidth from "string-width";
import { expect, test } from "vitest";
import { MADE_UP_PROCESSES, SCHEME_IDS, madeUpReport } from "../../test/report/made-up-report.ts";
import type { CaptureReport } from "../study/index.ts";
import { formatReportText } from "./report-text.ts";
import type { ProcessSelection } from "./select-processes.ts";
import { COLOUR_STYLES, PLAIN_STYLES } from "./styles.ts";

const WIDTHS = [40, 60, 80, 100, 120, 160, 240];

async function print(
  report: CaptureReport,
  { width = Infinity, selection = {} }: { width?: number; selection?: ProcessSelection } = {},
): Promise<string> {
  return formatReportText(report, { width, selection, styles: PLAIN_STYLES });
}

/** The numbers of the line that holds a word. */
function numbersOf(text: string, word: string): number[] {
  const found = text.split("\n").find((line) => line.includes(word)) ?? "";
  return (found.slice(found.indexOf(word) + word.length).match(/-?\d[\d,]*(?=[\s?]|$)/g) ?? []).map((number) =>
    Number(number.replaceAll(",", "")),
  );
}

test.each([...WIDTHS, Infinity])("at %d columns the screen is the one that was read and found good", async (width) => {
  const path = fileURLToPath(new URL(`./fixtures/report-${width}.txt`, import.meta.url));
  await expect(await print(madeUpReport(), { width, selection: { limit: 4 } })).toMatchFileSnapshot(path);
});

test.each(WIDTHS)("at %d columns no line is wider, has a control character or ends in a space", async (width) => {
  const hostile = "a\nb\u001b[31m\u009b\u202e記憶装置 größe \ud800";
  const processes = [
    ...MADE_UP_PROCESSES,
    { pid: 77, name: hostile, command: hostile.repeat(20), user: hostile, cgroup: hostile, page: [5, 5] as const },
  ];
  const text = await print(madeUpReport(processes, { notes: [hostile.repeat(9)] }), { width });
  for (const line of text.split("\n")) {
    expect(stringWidth(line)).toBeLessThanOrEqual(width);
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]| $/u);
  }
});

test("without colours the marks are still there, and colours change nothing else", async () => {
  const coloured = await formatReportText(madeUpReport(), { width: 160, selection: {}, styles: COLOUR_STYLES });
  const plain = await print(madeUpReport(), { width: 160 });
  // oxlint-disable-next-line no-control-regex
  expect(coloured.replace(/\u001b\[\d+m/g, "")).toBe(plain);
  expect(coloured).toContain("\u001b[36m~1,111,585\u001b[39m");
  expect(plain).toContain("~1,111,585");
  expect(plain).toContain("348,688?");
});

test("processes, those beyond the limit and those filtered out add up to the total, column by column", async () => {
  const selection = { users: ["redis", "postgres"], limit: 2 };
  const text = await print(madeUpReport(), { selection });
  const rows = ["redis-server 127.0.0.1:6379", "bgsave 127.0.0.1:6379", "others", "filtered out"].map((word) =>
    numbersOf(text, word).slice(0, 4),
  );
  const sums = [0, 1, 2, 3].map((column) => rows.reduce((all, row) => all + row[column], 0));
  expect(numbersOf(text, "total").slice(0, 4)).toEqual(sums);
  expect(text).toMatch(/^ +\(1\) +others/m);
  expect(text).toMatch(/^ +\(2\) +filtered out/m);
  expect(text).toMatch(/^ +\(5\) +total/m);
});

test("the accounts add up to MemTotal in the printed kB, and the processes' one is the total of Pss", async () => {
  const text = await print(madeUpReport());
  const accounts = text.slice(text.indexOf("\nMemory "), text.indexOf("MemTotal"));
  const numbers = [...accounts.matchAll(/~?([\d,]+) +[\d.]+%$/gm)].map(([, number]) =>
    Number(number.replaceAll(",", "")),
  );
  expect(numbers).toHaveLength(5);
  expect(numbers.reduce((all, number) => all + number, 0)).toBe(numbersOf(text, "MemTotal")[0]);
  expect(numbers[0]).toBe(numbersOf(text, "total")[2]);
});

test("a kB is explained once, and so is every mark that occurs", async () => {
  const text = await print(madeUpReport(), { width: 100 });
  expect(text.match(/1024/g)).toHaveLength(1);
  expect(text.match(/^\?:/gm)).toHaveLength(1);
  expect(text.match(/~ and signed/g)).toHaveLength(1);
  const certain = await print(madeUpReport([{ pid: 1, name: "x", page: [1, 1] }], certainFigures()), { width: 100 });
  expect(certain).not.toMatch(/^\?:/m);
});

function certainFigures(): Partial<CaptureReport> {
  const { figures } = madeUpReport([]);
  return { figures: Object.fromEntries(SCHEME_IDS.map((id) => [id, figures["page"]])) };
}

test("with one scheme there is nothing to compare, and nothing is marked as derived under another", async () => {
  const text = await print(madeUpReport(undefined, { schemes: ["page"] }), { width: 120 });
  expect(text).not.toContain("mm-owner ");
  expect(text).not.toContain("dPss");
});

test("on a kernel without page mapcounts the same the other way round: what the precise figures would be", async () => {
  const report = madeUpReport();
  const text = await print(
    { ...report, schemes: ["mm-owner", "page"], machine: { ...report.machine, mapcountConfig: "nopage" } },
    { width: 160 },
  );
  expect(text).toContain("counting by mm-owner (CONFIG_NO_PAGE_MAPCOUNT)");
  expect(text).toMatch(/now: mm-owner/);
  const line = text.split("\n").find((each) => each.includes("rdb-bgsave")) ?? "";
  expect(line).toMatch(/ 1,648 .*1,111,585 .*~1,285,017 +\+173,432 +\+15\.6% +~348,512 +\+346,864 +\+21,048%/);
  // Now it is the kernel's own figure that depends on history.
  expect(text.split("\n").find((each) => each.includes("redis-server"))).toMatch(/ 2,100\? +348,688\? +1,286,522/);
});

test("a choice of processes does not pretend to add up to the machine", async () => {
  const text = await print(madeUpReport(undefined, { wholeMachine: false }));
  expect(text).not.toContain("MemTotal");
  expect(text).toContain("a choice, not the whole machine");
});

test("schemes that differ get columns of their own, the first one's leave last", async () => {
  const report = madeUpReport();
  const processes = report.processes.map((process) => ({
    ...process,
    schemes: { ...process.schemes, "mapped-pages": { ...process.schemes["page"], pssBytes: 4096 } },
  }));
  const wide = await print({ ...report, processes });
  expect(wide).toMatch(/- mm-owner -.*- mapped-pages -/);
  const narrow = (await print({ ...report, processes }, { width: 80 })).split("\n\n")[1];
  expect(narrow).toContain("mm-owner");
  expect(narrow).not.toContain("mapped-pages");
});
