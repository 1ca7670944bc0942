/**
 * The name of a VMA for people and for JSON: maps prints bytes, which are kept a character each (kernel/maps-text.ts) and
 * mostly are UTF-8. What is not stays a character a byte.
 */

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ASCII = /^\p{ASCII}*$/u;

/**
 * A name of MapsVma as text.
 * @example readableVmaName("/gr\u00c3\u00bcn") // "/gr\u00fcn"
 */
export function readableVmaName(name: string): string {
  if (ASCII.test(name)) return name;
  const bytes = Uint8Array.from(name, (character) => character.charCodeAt(0));
  try {
    return UTF8.decode(bytes);
  } catch {
    return name;
  }
}
