import { expect, test } from "vitest";
import { formatProcRefusal, ProcTextError, procRefusal, QUOTED_CHARACTERS_MAX, quoteUntrusted } from "./proc-error.ts";

test("every refusal is one sentence that names what could not be read", () => {
  for (const errno of ["EACCES", "EPERM", "ESRCH", "ENOENT", "EINVAL", "EIO", "ENOMEM", "EMFILE", "ENFILE", "ELOOP"]) {
    expect(formatProcRefusal(procRefusal(errno, "/proc/1/pagemap"))).toMatch(
      /^Cannot read \/proc\/1\/pagemap: [^.\n]+\.$/,
    );
  }
});

test("a known errno keeps its code and an unknown one its name", () => {
  expect(procRefusal("ESRCH", "x")).toEqual({ code: "ESRCH", what: "x" });
  expect(procRefusal("ELOOP", "x")).toEqual({ code: "other", errno: "ELOOP", what: "x" });
  expect(formatProcRefusal(procRefusal("ELOOP", "x"))).toContain("ELOOP");
  expect(procRefusal("constructor", "x").code).toBe("other");
});

test("a text error says file, line and problem in its message and as fields", () => {
  const error = new ProcTextError({ file: "maps", lineNumber: 7 }, "no inode");
  expect(error).toMatchObject({ name: "ProcTextError", file: "maps", lineNumber: 7, problem: "no inode" });
  expect(error.message).toBe("Line 7 of maps: no inode.");
});

test("untrusted text is quoted, cut and made printable", () => {
  expect(quoteUntrusted('a"b')).toBe('"a\\"b"');
  expect(quoteUntrusted("\u001b[2J\u009b\né")).toBe('"\\u001b[2J\\u009b\\u000a\\u00e9"');
  expect(quoteUntrusted("x".repeat(1000))).toBe(`"${"x".repeat(QUOTED_CHARACTERS_MAX)}..."`);
  expect(formatProcRefusal(procRefusal("EACCES", "a\nb"))).not.toContain("\n");
});
