import * as fc from "fast-check";
import { expect, test } from "vitest";
import { COLOUR_STYLES, PLAIN_STYLES } from "./styles.ts";
import { type Column, type Table, renderTable } from "./text-table.ts";

const COLUMNS: readonly Column[] = [
  { heading: "PID", align: "right", rank: 0 },
  { heading: "Command", align: "left", rank: 0, cutTo: 6 },
  { heading: "Pss", group: "now", align: "right", rank: 1 },
  { heading: "Rss", group: "now", align: "right", rank: 2 },
];
const TABLE: Table = {
  columns: COLUMNS,
  rows: [
    [{ text: "7" }, { text: "redis-server" }, { text: "1,234" }, { text: "22,345" }],
    [{ text: "1234" }, { text: "sh" }, { text: "9" }, { text: "10" }],
  ],
  sums: [[{ text: "(2)", style: "sum" }, { text: "total" }, { text: "1,243" }, { text: "22,355" }]],
};
const plain = { styles: PLAIN_STYLES };

test("numbers end below each other, texts begin below each other, a group stands above its columns", () => {
  expect(renderTable(TABLE, { ...plain, width: 200 }).lines).toEqual([
    "                    ---- now ----",
    " PID  Command         Pss     Rss",
    "   7  redis-server  1,234  22,345",
    "1234  sh                9      10",
    "---------------------------------",
    " (2)  total         1,243  22,355",
  ]);
});

test("texts are cut before a column leaves, and get their room back when one has left", () => {
  expect(renderTable(TABLE, { ...plain, width: 25 })).toEqual({
    lines: [
      "             --- now ----",
      " PID Command   Pss    Rss",
      "   7 redis-… 1,234 22,345",
      "1234 sh          9     10",
      "-------------------------",
      " (2) total   1,243 22,355",
    ],
    leftOut: [],
  });
  expect(renderTable(TABLE, { ...plain, width: 20 })).toEqual({
    lines: [
      "                now",
      " PID Command     Pss",
      "   7 redis-se… 1,234",
      "1234 sh            9",
      "--------------------",
      " (2) total     1,243",
    ],
    leftOut: ["Rss"],
  });
});

test("colours change nothing but colours", () => {
  const coloured = renderTable(TABLE, { styles: COLOUR_STYLES, width: 30 }).lines.join("\n");
  // oxlint-disable-next-line no-control-regex
  const bare = coloured.replace(/\u001b\[\d+m/g, "");
  expect(bare).toBe(renderTable(TABLE, { ...plain, width: 30 }).lines.join("\n"));
  expect(bare).not.toBe(coloured);
});

test("no line is ever wider than the terminal, whatever the table", () => {
  const column = fc.record(
    {
      heading: fc.string({ minLength: 1, maxLength: 12 }),
      align: fc.constantFrom("left" as const, "right" as const),
      rank: fc.integer({ min: 0, max: 4 }),
      cutTo: fc.integer({ min: 1, max: 8 }),
      group: fc.constantFrom("a", "a long group"),
    },
    { requiredKeys: ["heading", "align", "rank"] },
  );
  const table = fc.array(column, { minLength: 1, maxLength: 6 }).chain((columns) => {
    const row = fc.array(fc.record({ text: fc.string({ maxLength: 20 }) }), {
      minLength: columns.length,
      maxLength: columns.length,
    });
    return fc.record({ columns: fc.constant(columns), rows: fc.array(row, { maxLength: 4 }) });
  });
  fc.assert(
    fc.property(table, fc.integer({ min: 1, max: 60 }), (given, width) => {
      for (const line of renderTable(given, { ...plain, width }).lines) {
        expect(line.length).toBeLessThanOrEqual(width);
        expect(line).toBe(line.trimEnd());
      }
    }),
  );
});
