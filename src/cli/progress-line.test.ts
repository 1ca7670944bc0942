import { expect, test } from "vitest";
import { ProgressLine, SILENT_MS, formatProgress } from "./progress-line.ts";

function terminal(): { isTTY: true; columns: number; text: string; write(text: string): void } {
  return {
    isTTY: true,
    columns: 60,
    text: "",
    write(text) {
      this.text += text;
    },
  };
}

const LATE = { doneItems: 250, totalItems: 1000, elapsedMs: 2000 };

test("nothing is said before half a second, and then the line is rewritten and at last cleared", () => {
  const stream = terminal();
  const line = new ProgressLine(stream, { quiet: false });
  line.update({ ...LATE, elapsedMs: SILENT_MS - 1 });
  expect(stream.text).toBe("");
  line.update(LATE);
  line.clear();
  expect(stream.text).toBe("\r\u001b[KReading page tables: 25%, 250 of 1,000 pieces, about 6.00 s\r\u001b[K");
});

test("what was never shown is not cleared either", () => {
  const stream = terminal();
  new ProgressLine(stream, { quiet: false }).clear();
  expect(stream.text).toBe("");
});

test("a pipe, and whoever asked for quiet, gets nothing", () => {
  const quiet = terminal();
  new ProgressLine(quiet, { quiet: true }).update(LATE);
  const pipe = { ...terminal(), isTTY: false };
  new ProgressLine(pipe, { quiet: false }).update(LATE);
  expect([quiet.text, pipe.text]).toEqual(["", ""]);
});

test("the line says how much is done, of how much, and how long it may still take", () => {
  expect(formatProgress(LATE)).toBe("Reading page tables: 25%, 250 of 1,000 pieces, about 6.00 s left");
  expect(formatProgress({ ...LATE, totalItems: 0 })).toBe("Listing processes...");
  expect(formatProgress({ ...LATE, doneItems: 0 })).toBe("Reading page tables: 0%, 0 of 1,000 pieces");
  expect(formatProgress({ ...LATE, doneItems: 1000 })).toMatch(/100%.*comparing/);
});
