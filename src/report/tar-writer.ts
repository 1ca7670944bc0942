/**
 * Headers of a tar archive in POSIX's ustar form, for archives of small text files.
 *
 *     header (512)  content, zeros up to a multiple of 512  header (512)  ...  two blocks of zeros
 *
 * Names of up to 100 bytes of ASCII. A uid beyond seven octal digits is written in base 256, as GNU tar does and every
 * reader understands; a user's name that does not fit is left out, which readers take for "only the number is known".
 */

/** What one entry is. */
export interface TarEntry {
  /** At most 100 characters of ASCII, without a slash at the beginning or the end. */
  readonly name: string;
  readonly kind: "file" | "directory";
  readonly sizeBytes: number;
  readonly uid: number;
  readonly userName: string;
  /** Seconds since 1970. */
  readonly modifiedSeconds: number;
}

const BLOCK_BYTES = 512;
const NAME_BYTES = 100;
const USER_NAME_BYTES = 31;
const SIZE_MAX = 8 ** 11 - 1;
const ID_MAX = 8 ** 7 - 1;
const KINDS = { file: "0", directory: "5" } as const;
const PRINTABLE = /^[ -~]*$/;

/** The header block. Throws on a name or size that the format cannot hold: whoever makes them keeps within it. */
export function formatTarHeader({ name, kind, sizeBytes, uid, userName, modifiedSeconds }: TarEntry): Uint8Array {
  const header = new Uint8Array(BLOCK_BYTES);
  const put = (at: number, text: string): void => {
    for (let index = 0; index < text.length; index++) header[at + index] = text.charCodeAt(index);
  };
  const path = kind === "directory" ? `${name}/` : name;
  if (path.length > NAME_BYTES || !PRINTABLE.test(path)) throw new Error(`no tar name: ${path}`);
  if (sizeBytes > SIZE_MAX) throw new Error(`${path} is too large for tar`);
  put(0, path);
  put(100, `${octal(kind === "directory" ? 0o755 : 0o644, 7)}\0`);
  if (uid <= ID_MAX) put(108, `${octal(uid, 7)}\0`);
  else putBase256(header, 108, 8, uid);
  put(116, `${octal(0, 7)}\0`);
  put(124, `${octal(sizeBytes, 11)}\0`);
  put(136, `${octal(Math.floor(modifiedSeconds), 11)}\0`);
  put(148, " ".repeat(8));
  put(156, KINDS[kind]);
  put(257, "ustar\u{0}00");
  if (userName.length <= USER_NAME_BYTES && PRINTABLE.test(userName)) put(265, userName);
  put(
    148,
    `${octal(
      header.reduce((sum, byte) => sum + byte, 0),
      6,
    )}\0 `,
  );
  return header;
}

/** Zeros that follow a content of this size. */
export function tarPadding(sizeBytes: number): Uint8Array {
  return new Uint8Array((BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES);
}

/** What an archive ends with. */
export function tarEnd(): Uint8Array {
  return new Uint8Array(2 * BLOCK_BYTES);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

function putBase256(header: Uint8Array, at: number, bytes: number, value: number): void {
  let rest = value;
  for (let index = at + bytes - 1; index > at; index--) {
    header[index] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  header[at] = 0x80;
}
