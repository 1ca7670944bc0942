import { existsSync, readFileSync } from "node:fs";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatMapsHeader, type MapsVma, parseMapsText } from "./maps-text.ts";
import { ProcTextError } from "./proc-error.ts";

const VSYSCALL = "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]";

const hexText = (digitsMax: number): fc.Arbitrary<string> =>
  fc.bigInt({ min: 0n, max: 16n ** BigInt(digitsMax) - 1n }).map((value) => value.toString(16).padStart(8, "0"));

const nameArbitrary = fc.oneof(
  fc.constantFrom(
    "",
    "[heap]",
    "[anon:x y]",
    "[anon_shmem:a  b]",
    "/tmp/a\\012b",
    "/x y (deleted)",
    "/memfd:é (deleted)",
  ),
  fc.string({ unit: "grapheme", maxLength: 120 }).filter((name) => !name.includes("\n")),
);

const vmaArbitrary: fc.Arbitrary<MapsVma> = fc
  .record({
    startPage: fc.nat({ max: 2 ** 31 - 1 }).chain((high) => fc.constantFrom(high, high * 2 ** 20, high * 2 ** 21)),
    pageCount: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    read: fc.boolean(),
    write: fc.boolean(),
    exec: fc.boolean(),
    shared: fc.boolean(),
    offsetHex: hexText(16),
    device: fc.constantFrom("00:00", "08:01", "fe:00", "103:fffff"),
    inode: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    name: nameArbitrary,
  })
  .map(({ pageCount, inode, ...vma }) => ({
    ...vma,
    endPage: Math.min(vma.startPage + pageCount, 2 ** 52 - 1),
    offset: Number(BigInt(`0x${vma.offsetHex}`)),
    inode: Number(inode),
    ...(inode <= BigInt(Number.MAX_SAFE_INTEGER) ? {} : { inodeText: inode.toString() }),
  }));

/** Numbers beyond 2^53 are rounded by every way of computing them, not always alike: their text is what counts. */
function comparable(vma: MapsVma): unknown {
  const { offset, inode, ...exact } = vma;
  return {
    ...exact,
    offset: Number.isSafeInteger(offset) ? offset : 0,
    inode: Number.isSafeInteger(inode) ? inode : 0,
  };
}

function errorOf(text: string): ProcTextError {
  try {
    parseMapsText(text);
  } catch (error) {
    if (error instanceof ProcTextError) return error;
    throw error;
  }
  throw new Error("the text was accepted");
}

test("any VMA survives being formatted and parsed", () => {
  fc.assert(
    fc.property(fc.array(vmaArbitrary, { maxLength: 5 }), (vmas) => {
      const text = vmas.map((vma) => `${formatMapsHeader(vma)}\n`).join("");
      expect(parseMapsText(text).map(comparable)).toEqual(vmas.map(comparable));
    }),
  );
});

test("any text is parsed or refused with a line number, never anything else", () => {
  const pieces = fc.constantFrom(
    VSYSCALL,
    "\n",
    " ",
    "-",
    ":",
    "0",
    "f",
    "rw-p",
    "1000-2000 r--p 0 08:01 7",
    "\u0000",
    "é",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
      const text = parts.join("");
      try {
        parseMapsText(text);
      } catch (error) {
        expect(error).toBeInstanceOf(ProcTextError);
        expect((error as ProcTextError).message).toMatch(/^Line [0-9]+ of maps: [ -~]+\.$/);
      }
    }),
  );
});

test("the gate page beyond 2^53 is exact", () => {
  const [vma] = parseMapsText(VSYSCALL);
  expect(vma).toMatchObject({ startPage: 0xffffffffff600, endPage: 0xffffffffff601, name: "[vsyscall]", exec: true });
  expect(formatMapsHeader(vma)).toBe(VSYSCALL);
});

test("a VMA without a name ends in a space and one with a long prefix has one space before its name", () => {
  const plain = "7f0c40021000-7f0c44000000 rw-p 00000000 00:00 0 ";
  const wide = "ffff000000000000-ffff000000001000 rw-s 1234567812345678 103:fffff 12345678901234567890  /a";
  for (const line of [plain, wide]) expect(formatMapsHeader(parseMapsText(line)[0])).toBe(line);
  expect(parseMapsText(plain)[0]).toMatchObject({ name: "", shared: false, write: true });
  expect(parseMapsText(wide)[0]).toMatchObject({ name: "/a", inodeText: "12345678901234567890", shared: true });
});

test("names keep spaces, escapes and suffixes as printed", () => {
  for (const name of [
    "[anon:x y]",
    "[anon_shmem:a b ]",
    "/a b/c (deleted)",
    "/tmp/new\\012line",
    "  /two spaces",
    "/é:ü",
  ]) {
    const line = `00400000-00401000 r--p 100000000 08:01 42`.concat(" ").padEnd(73, " ").concat(name);
    const [vma] = parseMapsText(`${line}\n`);
    expect(vma).toMatchObject({ name, startPage: 0x400, offset: 2 ** 32, offsetHex: "100000000", inode: 42 });
    expect(formatMapsHeader(vma)).toBe(line);
  }
});

test("a name in the narrower column of a 32-bit kernel is found", () => {
  expect(parseMapsText("08048000-08056000 r-xp 00000000 03:0c 64593      /usr/sbin/gpm")[0].name).toBe("/usr/sbin/gpm");
});

test("a malformed line is refused with its number and what is wrong", () => {
  const cases: readonly (readonly [line: string, problem: RegExp])[] = [
    ["", /start is not an address/],
    ["xyz", /start is not an address/],
    ["00400000 00401000 r--p 00000000 00:00 0 ", /no "-" between start and end/],
    ["00400000-00400000 r--p 00000000 00:00 0 ", /end does not lie behind the start/],
    ["00400001-00401000 r--p 00000000 00:00 0 ", /start is not page-aligned/],
    ["10000000000000000-20000000000000000 r--p 0 00:00 0 ", /start is not an address/],
    ["00400000-00401000 rxwp 00000000 00:00 0 ", /permissions/],
    ["00400000-00401000 r--", /permissions/],
    ["00400000-00401000 r--p  00:00 0 ", /offset/],
    ["00400000-00401000 r--p 00000000 00-00 0 ", /no ":" inside the device/],
    ["00400000-00401000 r--p 00000000 :00 0 ", /device/],
    ["00400000-00401000 r--p 00000000 00:00 ", /inode/],
    ["00400000-00401000 r--p 00000000 00:00 123456789012345678901 ", /inode/],
    ["00400000-00401000 r--p 00000000 00:00 0/a", /no space behind the inode/],
  ];
  for (const [line, problem] of cases) {
    const error = errorOf(`${VSYSCALL}\n${line}\n${VSYSCALL}\n`);
    expect(error).toMatchObject({ code: "bad-proc-text", file: "maps", lineNumber: 2 });
    expect(error.message).toMatch(problem);
  }
});

test("an error shows at most a piece of a hostile line, in printable ASCII", () => {
  const error = errorOf(`00400000-00401000 \u001b[2J${"x".repeat(1e6)}`);
  expect(error.message.length).toBeLessThan(300);
  expect(error.message).toMatch(/^[ -~]+$/);
});

test("20,000 VMAs in 2 MB are all there, the last as well as the first", () => {
  const name = `/usr/lib/a directory/${"x".repeat(10)}.so`;
  const lines = Array.from({ length: 20_000 }, (_, index) => {
    const prefix = `${(0x7f0000000 + index).toString(16)}000-${(0x7f0000001 + index).toString(16)}000 rw-p 00000000 08:01 77 `;
    return `${prefix.padEnd(72, " ")} ${name}`;
  });
  const text = Buffer.from(`${lines.join("\n")}\n`).toString("latin1");
  expect(text.length).toBeGreaterThan(2e6);
  const vmas = parseMapsText(text);
  expect(vmas).toHaveLength(20_000);
  expect(vmas.map(formatMapsHeader)).toEqual(lines);
});

test.skipIf(!existsSync("/proc/self/maps"))("every line of this process's maps comes back byte for byte", () => {
  const lines = readFileSync("/proc/self/maps", "latin1").split("\n").slice(0, -1);
  expect(lines.length).toBeGreaterThan(10);
  expect(lines.map((line) => formatMapsHeader(parseMapsText(line)[0]))).toEqual(lines);
});
