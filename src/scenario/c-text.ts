/**
 * Texts and numbers as C writes them.
 */

/** A C string of ASCII text; anything else becomes a question mark. */
export function stringOf(text: string): string {
  const safe = text
    .replaceAll(/[^ -~]/g, "?")
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll("??", '?""?');
  return `"${safe}"`;
}

/** An unsigned long. */
export function unsignedOf(value: number): string {
  return value < 10 ? value.toString() : `0x${value.toString(16)}UL`;
}
