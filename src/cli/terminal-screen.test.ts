/**
 * The screen on a terminal as the VT100 and xterm define it: what stands in its cells after drawing.
 */
import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import type { ReadStream, WriteStream } from "node:tty";
import { afterEach, expect, test } from "vitest";
import { TerminalScreen } from "./terminal-screen.ts";

/** A sequence of the few that the screen writes, Esc as ␛; or a printed character. */
const PIECE = /␛\[(?<private>\??)(?<numbers>[0-9;]*)(?<final>[A-Za-z])|(?<character>[^])/gu;

/** Cells of a terminal without line wrap: what is printed in the last column leaves the cursor there. */
class Cells extends EventEmitter {
  columns: number;
  rows: number;
  written = "";
  private cells: string[][] = [];
  private row = 0;
  private column = 0;

  constructor(columns: number, rows: number) {
    super();
    this.columns = columns;
    this.rows = rows;
    this.clear();
  }

  write(text: string): void {
    this.written += text;
    for (const { groups } of text.replaceAll("\u001b", "␛").matchAll(PIECE)) this.obey(groups ?? {});
  }

  get lines(): string[] {
    return this.cells.map((line) => line.join("").trimEnd());
  }

  private obey({ private: isPrivate, numbers = "", final, character }: Partial<Record<string, string>>): void {
    if (character !== undefined) {
      this.cells[this.row][this.column] = character;
      this.column = Math.min(this.columns - 1, this.column + 1);
    } else if (isPrivate === "?" || final === "m") return;
    else if (final === "H") [this.row, this.column] = numbers.split(";").map((number) => Number(number) - 1);
    else if (final === "J" && numbers === "2") this.clear();
    else if (final === "K" && numbers === "2") this.cells[this.row].fill(" ");
    else if (final === "K" && numbers === "") this.cells[this.row].fill(" ", this.column);
    else throw new Error(`an unknown sequence, ${numbers}${final}`);
  }

  private clear(): void {
    this.cells = Array.from({ length: this.rows }, () => Array.from({ length: this.columns }, () => " "));
  }
}

class Keyboard extends PassThrough {
  modes: boolean[] = [];

  setRawMode(isRaw: boolean): void {
    this.modes.push(isRaw);
  }
}

const opened: TerminalScreen[] = [];
afterEach(() => {
  for (const screen of opened.splice(0)) screen.leave();
});

function open(
  columns: number,
  rows: number,
): { screen: TerminalScreen; cells: Cells; keyboard: Keyboard; seen: string[] } {
  const [cells, keyboard, seen] = [new Cells(columns, rows), new Keyboard(), [] as string[]];
  const screen = new TerminalScreen(keyboard as unknown as ReadStream, cells as unknown as WriteStream, {
    onInput: (text) => seen.push(text),
    onRedraw: () => seen.push("redraw"),
    onGone: () => seen.push("gone"),
  });
  opened.push(screen);
  screen.enter();
  return { screen, cells, keyboard, seen };
}

test("lines as wide as the terminal keep their last character", () => {
  const { screen, cells } = open(8, 3);
  screen.draw(["12345678", "abc", "-5,152.?"]);
  expect(cells.lines).toEqual(["12345678", "abc", "-5,152.?"]);
});

test("a line that is shorter than the one before leaves nothing of it, and an empty one leaves nothing", () => {
  const { screen, cells } = open(8, 2);
  screen.draw(["12345678", "abcdefgh"]);
  screen.draw(["123", ""]);
  expect(cells.lines).toEqual(["123", ""]);
});

test("only lines that changed are written", () => {
  const { screen, cells } = open(8, 3);
  screen.draw(["one", "two", "three"]);
  cells.written = "";
  screen.draw(["one", "TWO", "three"]);
  expect(cells.written).toContain("TWO");
  expect(cells.written).not.toMatch(/one|three/);
  cells.written = "";
  screen.draw(["one", "TWO", "three"]);
  expect(cells.written).toBe("");
});

test("another size has the screen drawn anew, every line of it", () => {
  const { screen, cells, seen } = open(8, 2);
  screen.draw(["one", "two"]);
  cells.emit("resize");
  expect(seen).toEqual(["redraw"]);
  expect(cells.lines).toEqual(["", ""]);
  screen.draw(["one", "two"]);
  expect(cells.lines).toEqual(["one", "two"]);
});

test("input is raw between entering and leaving, and nothing is drawn outside of that", () => {
  const { screen, cells, keyboard } = open(8, 1);
  expect(keyboard.modes).toEqual([true]);
  screen.leave();
  expect(keyboard.modes).toEqual([true, false]);
  cells.written = "";
  screen.draw(["late"]);
  expect(cells.written).toBe("");
});

test("a terminal that has no more input, or refuses it, is gone", async () => {
  const ended = open(8, 1);
  ended.keyboard.end();
  await new Promise((resolve) => ended.keyboard.once("close", resolve));
  expect(ended.seen).toEqual(["gone"]);
  const failed = open(8, 1);
  failed.keyboard.emit("error", new Error("EIO"));
  expect(failed.seen).toEqual(["gone"]);
});
