/**
 * How figures of different standing look: measured plain, derived coloured and marked `~`, uncertain coloured and
 * marked `?`. The marks are in the text whether or not there are colours, so nothing depends on seeing them.
 */
import { styleText } from "node:util";

/** What a cell or line is; plain text has no style. */
export type StyleName = "heading" | "derived" | "uncertain" | "sum" | "faint";

/** Each style as a function from text to text. */
export type Styles = Readonly<Record<StyleName, (text: string) => string>>;

/** Before a figure that this kernel does not print. */
export const DERIVED_MARK = "~";
/** Behind a figure that depends on a history which the capture cannot know. */
export const UNCERTAIN_MARK = "?";

const asIs = (text: string): string => text;

/** No colours. */
export const PLAIN_STYLES: Styles = { heading: asIs, derived: asIs, uncertain: asIs, sum: asIs, faint: asIs };

const styled =
  (format: Parameters<typeof styleText>[0]) =>
  (text: string): string =>
    text === "" ? "" : styleText(format, text, { validateStream: false });

/** Colours of the basic sixteen, which every terminal and theme has. */
export const COLOUR_STYLES: Styles = {
  heading: styled("bold"),
  derived: styled("cyan"),
  uncertain: styled("yellow"),
  sum: styled("bold"),
  faint: styled("dim"),
};

/**
 * The styles for a stream. FORCE_COLOR decides if set (0 or false: no colours), then NO_COLOR, then TERM=dumb, then
 * whether the stream is a terminal.
 */
export function chooseStyles(
  stream: { readonly isTTY?: boolean },
  environment: Readonly<Record<string, string | undefined>>,
): Styles {
  return wantsColours(stream, environment) ? COLOUR_STYLES : PLAIN_STYLES;
}

function wantsColours(
  stream: { readonly isTTY?: boolean },
  { FORCE_COLOR, NO_COLOR, TERM }: Readonly<Record<string, string | undefined>>,
): boolean {
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== "0" && FORCE_COLOR !== "false";
  if (NO_COLOR !== undefined && NO_COLOR !== "") return false;
  if (TERM === "dumb") return false;
  return stream.isTTY === true;
}
