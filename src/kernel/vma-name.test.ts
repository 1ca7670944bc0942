/** Bytes of maps as text. */
import { expect, test } from "vitest";
import { readableVmaName } from "./vma-name.ts";

function bytesOf(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

test.each(["", "/usr/lib/libc.so.6", "/gr\u00fcn", "/\u65e5\u672c/\u{1f600} (deleted)", "\ufeff/begins with a mark"])(
  "%s is read as it was written",
  (text) => {
    expect(readableVmaName(bytesOf(text))).toBe(text);
  },
);

test.each(["/gr\u00fcn", "/half \u00c3", "/\u00ff\u00fe"])(
  "bytes that are no UTF-8 stay a character each: %j",
  (bytes) => {
    expect(readableVmaName(bytes)).toBe(bytes);
  },
);
