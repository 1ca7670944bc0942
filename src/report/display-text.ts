/**
 * Text of others made fit for a terminal: control characters escaped, width in columns known, cut with an ellipsis.
 *
 * A process chooses its own name and command line, newlines and terminal escapes included. Invariant: nothing that moves
 * the cursor, changes a colour or turns the direction of writing comes out of `escapeControls`. Width of ASCII is its
 * length; string-width is loaded only for text that needs it.
 */

/** Columns that a text takes on a terminal. */
export type WidthOf = (text: string) => number;

/** Controls (Cc), format characters such as direction marks (Cf), separators of lines (Zl, Zp), lone surrogates (Cs). */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const SHORT_ESCAPES = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);

/** The text with everything unprintable as \n, \x1b or \u202e. */
export function escapeControls(text: string): string {
  return text.replace(UNPRINTABLE, (found) => SHORT_ESCAPES.get(found) ?? escapeCode(found));
}

function escapeCode(found: string): string {
  const code = found.charCodeAt(0);
  return code < 0x100 ? `\\x${hex(code, 2)}` : escapeUnits(found);
}

function escapeUnits(found: string): string {
  let text = "";
  for (let at = 0; at < found.length; at++) text += `\\u${hex(found.charCodeAt(at), 4)}`;
  return text;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, "0");
}

/** JSON text with everything unprintable as \uXXXX. JSON.stringify leaves what is above C0; in strings only it occurs. */
export function escapeJsonControls(json: string): string {
  return json.replace(UNPRINTABLE, (found) => (found === "\n" ? found : escapeUnits(found)));
}

const ASCII = /^\p{ASCII}*$/u;

/** The width of printable ASCII. */
export const asciiWidth: WidthOf = (text) => text.length;

/** The width function that these texts need. */
export async function chooseWidth(texts: Iterable<string>): Promise<WidthOf> {
  for (const text of texts) {
    if (ASCII.test(text)) continue;
    const { default: stringWidth } = await import("string-width");
    return (measured) => (ASCII.test(measured) ? measured.length : stringWidth(measured));
  }
  return asciiWidth;
}

const ELLIPSIS = "…";

/** At most `width` columns of the text; what was cut is replaced by an ellipsis. */
export function cutText(text: string, width: number, widthOf: WidthOf): string {
  if (ASCII.test(text)) return text.length <= width ? text : cutAscii(text, width);
  if (widthOf(text) <= width) return text;
  let kept = "";
  let columns = 0;
  for (const { segment } of new Intl.Segmenter("en", { granularity: "grapheme" }).segment(text)) {
    columns += widthOf(segment);
    if (columns > width - 1) break;
    kept += segment;
  }
  return width < 1 ? "" : `${kept}${ELLIPSIS}`;
}

function cutAscii(text: string, width: number): string {
  return width < 1 ? "" : `${text.slice(0, width - 1)}${ELLIPSIS}`;
}

/** Breaks a paragraph at spaces into lines of at most `width` columns; a longer word is cut. */
export function wrapText(text: string, width: number, indent = "", widthOf: WidthOf = asciiWidth): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (widthOf(longer) <= width || line === "") line = longer;
    else {
      lines.push(line);
      line = `${indent}${word}`;
    }
  }
  if (line !== "") lines.push(line);
  return lines.map((whole) => cutText(whole, width, widthOf));
}
