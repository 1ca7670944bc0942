import * as fc from "fast-check";
import stringWidth from "string-width";
import { expect, test } from "vitest";
import { asciiWidth, chooseWidth, cutText, escapeControls, escapeJsonControls, wrapText } from "./display-text.ts";

test("names that would move the cursor, colour or turn the text are printed as what they are", () => {
  expect(escapeControls("a\nb\tc\rd")).toBe(String.raw`a\nb\tc\rd`);
  expect(escapeControls("\u001b[31mred\u001b[0m \u009b2J")).toBe(String.raw`\x1b[31mred\x1b[0m \x9b2J`);
  expect(escapeControls("abc\u202egpj.exe")).toBe(String.raw`abc\u202egpj.exe`);
  expect(escapeControls("\ud800lone")).toBe(String.raw`\ud800lone`);
  expect(escapeControls("größe 記憶 🦀")).toBe("größe 記憶 🦀");
});

test("whatever the text, no control character comes out", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(escapeControls(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
    }),
  );
});

test("JSON with escapes says the same as before and has no control characters but its line ends", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const json = escapeJsonControls(JSON.stringify({ text }, null, 2));
      expect(JSON.parse(json)).toEqual({ text });
      expect(json.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
    }),
  );
});

test("a cut text is never wider than asked for, and a text that fits is not touched", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 0, max: 30 }), (raw, width) => {
      const text = escapeControls(raw);
      const cut = cutText(text, width, stringWidth);
      expect(stringWidth(cut)).toBeLessThanOrEqual(width);
      if (stringWidth(text) <= width) expect(cut).toBe(text);
    }),
  );
});

test("wide characters count two columns, and only then is the width looked up", async () => {
  const ascii = await chooseWidth(["redis", "node"]);
  expect(ascii).toBe(asciiWidth);
  const wide = await chooseWidth(["redis", "記憶"]);
  expect(wide("記憶")).toBe(4);
  expect(cutText("記憶装置", 5, wide)).toBe("記憶…");
});

test("a paragraph is broken at spaces, indented, and never wider than asked for", () => {
  expect(wrapText("one two three four", 9, "  ")).toEqual(["one two", "  three", "  four"]);
  expect(wrapText("unbreakable", 5)).toEqual(["unbr…"]);
});
