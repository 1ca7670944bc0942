/**
 * Text as Mermaid takes it literally: in messages and notes of sequence diagrams, in names and transitions of state diagrams.
 *
 * Mermaid ends a statement at `;` and `#`, a state's transition at `:`, a quoted name at `"`, and shows the rest as HTML. An
 * entity code stands for each of them. All are replaced at once: a code has a `#` and a `;` of its own.
 */
import { escapeControls } from "./display-text.ts";

const CODES: Readonly<Record<string, string>> = {
  "#": "#35;",
  ";": "#59;",
  ":": "#58;",
  '"': "#quot;",
  "<": "#lt;",
  ">": "#gt;",
  "&": "#amp;",
};

/** The text with entity codes for what Mermaid or HTML would take for their own. */
export function escapeMermaid(text: string): string {
  return escapeControls(text).replace(/[#;:"<>&]/g, (found) => CODES[found] ?? found);
}
