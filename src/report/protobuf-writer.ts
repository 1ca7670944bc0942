/**
 * Protocol Buffers on the wire, as much of it as Perfetto's and pprof's messages need: varints, texts, messages.
 *
 *     field key: number << 3 | wire type        0 varint   2 length-delimited
 *
 * A message is written behind a placeholder of its length: five bytes, a varint with leading groups kept, which every
 * reader accepts. So nothing is copied to learn how long it is. Numbers are non-negative integers up to 2^53: all that
 * is exported are sizes, ids and times. A negative number or a fraction is a bug and throws.
 */

const VARINT = 0;
const LENGTH_DELIMITED = 2;
/** Bytes of a length's placeholder: lengths up to 2^35. */
const LENGTH_BYTES = 5;

const utf8 = new TextEncoder();

/** Grows as it is written. */
export class ProtobufWriter {
  private bytes = new Uint8Array(4096);
  private length = 0;

  /** What was written; a copy, so the writer may go on. */
  finish(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }

  /** A varint field; 0 is written like any other number. */
  number(field: number, value: number): void {
    this.key(field, VARINT);
    this.varint(value);
  }

  /** A varint field for a product beyond 2^53 (below 2^63), such as milliseconds in nanoseconds. */
  product(field: number, a: number, b: number): void {
    this.key(field, VARINT);
    this.reserve(10);
    let rest = BigInt(a) * BigInt(b);
    while (rest >= 128n) {
      this.bytes[this.length++] = Number(rest & 127n) | 0x80;
      rest >>= 7n;
    }
    this.bytes[this.length++] = Number(rest);
  }

  /** A text field. */
  text(field: number, text: string): void {
    const bytes = utf8.encode(text);
    this.key(field, LENGTH_DELIMITED);
    this.varint(bytes.length);
    this.reserve(bytes.length);
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** A repeated number field in its packed form. */
  packed(field: number, values: readonly number[]): void {
    this.message(field, () => {
      for (const value of values) this.varint(value);
    });
  }

  /** A message field, written by `body` into this same writer. */
  message(field: number, body: () => void): void {
    this.key(field, LENGTH_DELIMITED);
    this.reserve(LENGTH_BYTES);
    const start = this.length + LENGTH_BYTES;
    this.length = start;
    body();
    let rest = this.length - start;
    for (let at = start - LENGTH_BYTES; at < start - 1; at++) {
      this.bytes[at] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.bytes[start - 1] = rest;
  }

  private key(field: number, wireType: number): void {
    this.varint(field * 8 + wireType);
  }

  private varint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${value} is no number of a protobuf field`);
    this.reserve(8);
    let rest = value;
    while (rest >= 128) {
      this.bytes[this.length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.length++] = rest;
  }

  private reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + count));
    grown.set(this.bytes);
    this.bytes = grown;
  }
}
