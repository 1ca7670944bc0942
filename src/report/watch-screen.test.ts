import * as fc from "fast-check";
import { expect, test } from "vitest";
import { dataOf, madeUpContents, madeUpMoment, madeUpVma } from "../../test/report/made-up-moment.ts";
import { asciiWidth } from "./display-text.ts";
import { COLOUR_STYLES, PLAIN_STYLES } from "./styles.ts";
import { type ScreenPlace, formatWatchFrame, formatWatchScreen } from "./watch-screen.ts";
import { WATCH_SORTS, type WatchView, initialView, listedProcesses } from "./watch-view.ts";

const COST = { cpuShare: 0.184, intervalMs: 1000, elapsedMs: 1003 };
const PLACE: ScreenPlace = { columns: 80, rows: 24, styles: PLAIN_STYLES, widthOf: asciiWidth };
const VIEW = initialView("pss");

const FEW = madeUpMoment([
  { pid: 10, name: "redis-server", rss: 2000, page: [1500, 900], owner: [1300, { least: 4, most: 1000 }], change: 120 },
  { pid: 11, name: "postgres", user: "postgres", rss: 4000, page: [800, 100], owner: [800, 100], change: -7 },
  { pid: 12, name: "bash", rss: 400, page: [100, 50], change: null },
  { pid: 13, name: "init", state: "refused" },
]);

function screen(view: Partial<WatchView>, place: Partial<ScreenPlace> = {}, data = dataOf(FEW)): string[] {
  return formatWatchScreen(data, { ...VIEW, ...view }, COST, { ...PLACE, ...place });
}

test("the header says what is watched, what it costs, and how old it is", () => {
  const text = screen({}).join("\n");
  expect(text).toContain("2025-11-21 08:00:00 UTC, every 1.00 s");
  expect(text).toContain("3 processes, 1 refused");
  expect(text).toContain("Cost 18.4% of a core, read 4 MiB; targets held 0.31 ms at most");
  expect(text).toContain("Oldest reading 34.0 s; read 3, changed 5; 0.5% of counts differ now");
  expect(text).toContain("page: Pss 2.3 MiB");
  expect(text).toContain("mm-owner: Pss ~2.2 MiB");
});

test("processes stand in their order, the refused ones not, and the chosen one is marked", () => {
  const lines = screen({ chosenPid: 11 });
  const rows = lines.filter((line) => /^[> ] +1\d /.test(line));
  expect(rows.map((line) => line.slice(0, 5).trim())).toEqual(["10", ">  11", "12"]);
  expect(rows[0]).toMatch(/redis-server.*\+120.*1,500/);
  expect(rows[1]).toMatch(/postgres.*-7/);
  expect(rows[2]).toMatch(/bash.*new/);
});

test("a moment that took longer than wanted, waiting processes and freezing are told", () => {
  const moment = madeUpMoment([], { processesWaiting: 3 });
  const lines = formatWatchScreen(
    dataOf(moment),
    { ...VIEW, frozen: true },
    { ...COST, elapsedMs: 2500 },
    { ...PLACE, columns: 120 },
  );
  expect(lines[0]).toContain("every 1.00 s, took 2.50 s");
  expect(lines[0]).toContain("FROZEN");
  expect(lines.join("\n")).toContain("changed 5, 3 waiting");
});

test("the filter finds pids, names, command lines and users in any case", () => {
  const listed = (filter: string) => listedProcesses(dataOf(FEW), { ...VIEW, filter }).map(({ pid }) => pid);
  expect(listed("REDIS")).toEqual([10]);
  expect(listed("12")).toEqual([12]);
  expect(listed("postgres")).toEqual([11]);
  expect(listed("nobody")).toEqual([]);
  expect(screen({ filter: "nobody" }).join("\n")).toContain("Nothing matches the filter.");
  expect(screen({ filter: "re", typing: true }).join("\n")).toContain("filter: re_");
});

test("processes that were not asked for are not listed", () => {
  expect(listedProcesses(dataOf(FEW, { shown: new Set([12]) }), VIEW).map(({ pid }) => pid)).toEqual([12]);
});

test.each([
  ["pss", [10, 11, 12]],
  ["rss", [11, 10, 12]],
  ["uss", [10, 11, 12]],
  ["dpss", [10, 11, 12]],
  ["change", [10, 11, 12]],
  ["name", [12, 11, 10]],
  ["user", [11, 10, 12]],
  ["pid", [10, 11, 12]],
] as const)("by %s they stand in the order of their figures, turned the other way round", (sort, pids) => {
  expect(listedProcesses(dataOf(FEW), { ...VIEW, sort }).map(({ pid }) => pid)).toEqual(pids);
  const turned = listedProcesses(dataOf(FEW), { ...VIEW, sort, reverse: true });
  expect(turned.at(-1)?.pid).toBe(pids[0]);
});

const MANY = madeUpMoment(
  Array.from({ length: 200 }, (_, at) => ({
    pid: 1000 + at,
    name: at % 3 === 0 ? "x".repeat(at) : "\u001b[31mred\n",
    rss: at * 100,
    page: [at * 50, at * 20] as const,
    owner: [at * 40, { least: 0, most: at * 20 }] as const,
  })),
);

/** Without the sequences of COLOUR_STYLES. */
function uncoloured(line: string): string {
  const [first = "", ...others] = line.split("\u001b[");
  return first + others.map((part) => part.replace(/^\d+m/, "")).join("");
}

const views = fc.record({
  level: fc.constantFrom<WatchView["level"]>("processes", "vmas", "vma"),
  sort: fc.constantFrom(...WATCH_SORTS),
  reverse: fc.boolean(),
  filter: fc.constantFrom("", "x", "nothing"),
  typing: fc.boolean(),
  frozen: fc.boolean(),
  help: fc.boolean(),
  pid: fc.constantFrom(1000, 1199, 5),
  startPage: fc.constant(1024),
  chosenPid: fc.integer({ min: 990, max: 1210 }),
  chosenPage: fc.constantFrom(1024, 2048, 77),
});

test("whatever the view and the size, the screen has just so many lines, none wider, and no control characters", () => {
  const vmas = Array.from({ length: 60 }, (_, at) =>
    madeUpVma(1024 + at * 1024, 4 * (at + 1), at % 2 === 0 ? "" : "/tmp/\u202ename"),
  );
  const data = dataOf(MANY, { vmas, contents: madeUpContents(vmas[0], 50) });
  fc.assert(
    fc.property(
      views,
      fc.integer({ min: 1, max: 250 }),
      fc.integer({ min: 1, max: 80 }),
      fc.boolean(),
      (view, columns, rows, colours) => {
        const styles = colours ? COLOUR_STYLES : PLAIN_STYLES;
        const lines = formatWatchScreen(data, view, COST, { ...PLACE, columns, rows, styles });
        expect(lines.length).toBe(rows);
        for (const line of lines.map(uncoloured)) {
          expect(line.length).toBeLessThanOrEqual(columns);
          expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u);
        }
      },
    ),
    { numRuns: 150 },
  );
});

test("the chosen row is on the screen, wherever it stands in the list", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1000, max: 1199 }),
      fc.integer({ min: 10, max: 50 }),
      fc.constantFrom(...WATCH_SORTS),
      (chosenPid, rows, sort) => {
        const lines = screen({ chosenPid, sort }, { rows }, dataOf(MANY));
        expect(
          lines.filter((line) => line.startsWith("> ")).map((line) => Number(/^> +(\d+)/.exec(line)?.[1])),
        ).toEqual([chosenPid]);
      },
    ),
    { numRuns: 60 },
  );
});

test("at 80 columns and 24 rows there are PID, Command, Pss and its differences, and 15 processes", () => {
  const lines = screen({}, {}, dataOf(MANY));
  expect(lines.some((line) => /PID.*Command.*Pss.*dPss/.test(line))).toBe(true);
  expect(lines.filter((line) => /^[> ] +1\d\d\d /.test(line)).length).toBe(15);
});

test("every line of the help fits 80 columns and a screen of 24 rows shows all of it", () => {
  const lines = screen({ help: true });
  expect(lines.join("\n")).toContain("history decides");
  expect(lines.join("\n")).not.toContain("…");
});

test("a VMA shows its folios by order, who shares them, and how many more there are", () => {
  const vma = madeUpVma(1024, 4096, "/usr/lib/libc.so");
  const view = { level: "vma", pid: 10, startPage: 1024 } as const;
  const lines = screen(view, { columns: 100 }, dataOf(FEW, { contents: madeUpContents(vma, 40) }));
  const text = lines.join("\n");
  expect(text).toContain("VMA at 00400000 of 10 redis-server");
  expect(text).toContain("rw-p 4 MiB, 4 MiB mapped: /usr/lib/libc.so");
  expect(text).toMatch(/anon +9 +2,048 +2 +4,096 +1 +1 +8/);
  expect(text).toMatch(/100 sharer-0 +160/);
  const shown = lines.filter((line) => /^ +\d+ sharer-\d+ /.test(line)).length;
  expect(text).toContain(`and ${40 - shown} more`);
  const alone = screen(view, {}, dataOf(FEW, { contents: madeUpContents(vma, 0) }));
  expect(alone.join("\n")).toContain("Nobody else maps its pages.");
});

test("a process or mapping that is gone is told", () => {
  expect(screen({ level: "vmas", pid: 99 }).join("\n")).toContain("The process is gone");
  expect(screen({ level: "vma", pid: 99, startPage: 5 }).join("\n")).toContain("The mapping is gone");
});

test("a terminal that is too small gets a sentence", () => {
  expect(screen({}, { columns: 39 })[0]).toMatch(/^It needs 40 columns and 10 rows/);
  expect(screen({}, { rows: 3 })).toHaveLength(3);
});

test("a moment for a log is the header and the whole list", () => {
  const text = formatWatchFrame(dataOf(MANY), VIEW, COST, {
    columns: Infinity,
    styles: PLAIN_STYLES,
    widthOf: asciiWidth,
  });
  expect(text.split("\n").filter((line) => /^ +1\d\d\d /.test(line)).length).toBe(200);
  expect(text).not.toMatch(/ +$/m);
  expect(text.endsWith("\n")).toBe(true);
});
