/** What `foliometer who` is asked: words and options to questions, mistakes to sentences. */
import { expect, test } from "vitest";
import { statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { formatDevice, readWhoQuestion } from "./who-question.ts";

test("an address is hexadecimal, as maps prints it, and leads to its page", () => {
  const expected = { kind: "address", pid: 4711, page: 0x7f0c40021 };
  expect(readWhoQuestion(["4711", "7f0c40021fff"], {}).question).toEqual(expected);
  expect(readWhoQuestion(["4711", "0x7F0C40021000"], {}).question).toEqual(expected);
  expect(readWhoQuestion(["1", "ffffffffff600000"], {}).question).toMatchObject({ page: 0xffffffffff600 });
  expect(readWhoQuestion(["1", "0"], {}).question).toMatchObject({ page: 0 });
});

test("what comes behind the question is a capture", () => {
  expect(readWhoQuestion(["4711", "7f0c40021fff", "night"], {}).directory).toBe("night");
  expect(readWhoQuestion(["night"], { pfn: "0x10" })).toMatchObject({
    question: { kind: "frame", pfn: 16 },
    directory: "night",
  });
  expect(readWhoQuestion([], { pfn: "16" })).toMatchObject({ question: { pfn: 16 }, directory: undefined });
  expect(readWhoQuestion(["4711", "[heap]", "night"], { vma: true }).directory).toBe("night");
});

const VMA = {
  startPage: 16,
  endPage: 20,
  read: true,
  write: false,
  exec: false,
  shared: false,
  offset: 0,
  offsetHex: "0",
  device: "08:01",
  inode: 5,
  name: "/usr/lib/libc.so.6",
};

test("a mapping is named in full, by its last part, or by an address in it", () => {
  const wants = (place: string, name = VMA.name): boolean => {
    const { question } = readWhoQuestion(["4711", place], { vma: true });
    return question.kind === "vmas" && question.wants({ ...VMA, name });
  };
  expect(["/usr/lib/libc.so.6", "libc.so.6", "0x12fff"].map((place) => wants(place))).toEqual([true, true, true]);
  expect(["libc", "so.6", "0x14000", "0x0"].map((place) => wants(place))).toEqual([false, false, false, false]);
  // Names in maps are bytes.
  expect(wants("gr\u00fcn", "/gr\u00c3\u00bcn")).toBe(true);
  expect(wants("two\nlines", "/two\\012lines")).toBe(true);
  expect([wants("", ""), wants("", "/a")]).toEqual([true, false]);
  expect(readWhoQuestion(["4711", ""], { vma: true }).asked).toBe("memory without a name of 4711");
});

test("a file here is its device and inode, one elsewhere its name; an offset is one page of it", () => {
  const here = fileURLToPath(import.meta.url);
  const known = readWhoQuestion([], { file: here, offset: "0x2345" });
  expect(known.question).toMatchObject({ kind: "file", startPage: 2, endPage: 3, folio: true });
  expect(known.question).toHaveProperty("file.inodeText", String(statSync(here).ino));
  expect(known.orByName).toMatchObject({ file: { name: here } });
  // By whatever way it is named: maps has the one that the kernel knows.
  const roundabout = `${dirname(here)}/../${basename(dirname(here))}/${basename(here)}`;
  expect(readWhoQuestion([], { file: roundabout }).orByName).toMatchObject({ file: { name: here } });
  const captured = readWhoQuestion(["night"], { file: here });
  expect(captured.question).toEqual({
    kind: "file",
    file: { name: here },
    startPage: 0,
    endPage: Infinity,
    folio: false,
  });
  expect(captured.orByName).toBeUndefined();
  expect(readWhoQuestion([], { file: "/memfd:x (deleted)" }).question).toMatchObject({
    file: { name: "/memfd:x (deleted)" },
  });
});

test.each([
  ["nothing", [], {}, "Say a pid and an address"],
  ["a pid alone", ["4711"], {}, "Say a pid and an address"],
  ["a mapping without a name", ["4711"], { vma: true }, "--vma needs a pid and a mapping's name"],
  ["a word for a pid", ["init", "7f00"], {}, '"init" is no pid.'],
  ["a pid that is too large", ["4194305", "7f00"], {}, "A pid is a number from 1"],
  ["a name for an address", ["1", "[heap]"], {}, "An address is a hexadecimal number"],
  ["17 digits", ["1", "7f0c40021fff00000"], {}, "An address is a hexadecimal number"],
  ["a frame without 0x", [], { pfn: "4a2" }, "A page frame number is a decimal number"],
  ["a negative offset", [], { file: "/x", offset: "-1" }, "An offset is a decimal number"],
  ["an offset of nothing", ["1", "2"], { offset: "1" }, "--offset is a place in a file"],
  ["a file without a path", [], { file: "" }, "--file needs a file's path."],
  ["two ways at once", [], { pfn: "1", file: "/x" }, "One of --pfn, --file and --vma at a time."],
  ["two captures", ["a", "b"], { pfn: "1" }, '"b" is too much'],
  ["three words too many", ["1", "7f00", "a", "b"], {}, '"b" is too much'],
] as const)("%s is refused in one sentence", (_, words, options, sentence) => {
  expect(() => readWhoQuestion(words, options)).toThrow(sentence);
});

test.each([
  [0x801, "08:01"],
  [0xfe00, "fe:00"],
  [0x1_0305, "103:05"],
  [0x28, "00:28"],
  [0x10_002c, "00:12c"],
  [0xfff0_00ff, "00:fffff"],
])("device %i is printed as maps prints it, %s", (dev, text) => {
  expect(formatDevice(dev)).toBe(text);
});
