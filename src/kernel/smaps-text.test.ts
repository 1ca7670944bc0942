import { existsSync, readFileSync } from "node:fs";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ProcTextError } from "./proc-error.ts";
import { formatSmapsRollup, formatSmapsVma, parseSmapsRollup, parseSmapsText } from "./smaps-text.ts";

const HEADER = "7ffc6f709000-7ffc6f72a000 rw-p 00000000 00:00 0                          [stack]";

/** One VMA as Linux 6.18 prints it on a CPU with protection keys. */
const VMA_TEXT = `${HEADER}
Size:                132 kB
KernelPageSize:        4 kB
MMUPageSize:           4 kB
Rss:            123456789 kB
Pss:                 123 kB
Pss_Dirty:             1 kB
Shared_Clean:          2 kB
Shared_Dirty:          3 kB
Private_Clean:         4 kB
Private_Dirty:         5 kB
Referenced:            6 kB
Anonymous:             7 kB
KSM:                   8 kB
LazyFree:              9 kB
AnonHugePages:        10 kB
ShmemPmdMapped:       11 kB
FilePmdMapped:        12 kB
Shared_Hugetlb:       13 kB
Private_Hugetlb: 2097152 kB
Swap:                 15 kB
SwapPss:              16 kB
Locked:               17 kB
THPeligible:           1
ProtectionKey:         3
VmFlags: rd wr mr mw me gd ac ?? 
`;

const ROLLUP_TEXT = `55eefc932000-7ffda98fa000 ---p 00000000 00:00 0                          [rollup]
Rss:                1732 kB
Pss:                 220 kB
Pss_Dirty:           116 kB
Pss_Anon:            116 kB
Pss_File:            104 kB
Pss_Shmem:             0 kB
Shared_Clean:       1576 kB
Shared_Dirty:          0 kB
Private_Clean:        40 kB
Private_Dirty:       116 kB
Referenced:         1732 kB
Anonymous:           116 kB
KSM:                   0 kB
LazyFree:              0 kB
AnonHugePages:         0 kB
ShmemPmdMapped:        0 kB
FilePmdMapped:         0 kB
Shared_Hugetlb:        0 kB
Private_Hugetlb:       0 kB
Swap:                  0 kB
SwapPss:               0 kB
Locked:                0 kB
`;

const format = (text: string): string => parseSmapsText(text).map(formatSmapsVma).join("");
const without = (text: string, ...labels: readonly string[]): string =>
  text
    .split("\n")
    .filter((line) => !labels.some((label) => line.startsWith(`${label}:`)))
    .join("\n");

function errorOf(parse: () => unknown): ProcTextError {
  try {
    parse();
  } catch (error) {
    if (error instanceof ProcTextError) return error;
    throw error;
  }
  throw new Error("the text was accepted");
}

test("a block is parsed into its header and kB figures", () => {
  const [vma] = parseSmapsText(VMA_TEXT);
  expect(vma.header).toMatchObject({ name: "[stack]", write: true });
  expect(vma.extras).toEqual([]);
  expect(vma.fields).toEqual({
    size: 132,
    kernelPageSize: 4,
    mmuPageSize: 4,
    rss: 123456789,
    pss: 123,
    pssDirty: 1,
    sharedClean: 2,
    sharedDirty: 3,
    privateClean: 4,
    privateDirty: 5,
    referenced: 6,
    anonymous: 7,
    ksm: 8,
    lazyFree: 9,
    anonHugePages: 10,
    shmemPmdMapped: 11,
    filePmdMapped: 12,
    sharedHugetlb: 13,
    privateHugetlb: 2097152,
    swap: 15,
    swapPss: 16,
    locked: 17,
    thpEligible: 1,
    protectionKey: 3,
    vmFlags: ["rd", "wr", "mr", "mw", "me", "gd", "ac", "??"],
  });
});

test("values wider than their column push out, in the narrower column of Private_Hugetlb too", () => {
  const wide = VMA_TEXT.replace("2097152 kB", "1073741824 kB").replace("         3\n", " 123456789\n");
  expect(parseSmapsText(wide)[0].fields).toMatchObject({ privateHugetlb: 1073741824, protectionKey: 123456789 });
  const formatted = format(wide);
  expect(formatted).toContain("Rss:            123456789 kB\n");
  expect(formatted).toContain("Private_Hugetlb: 1073741824 kB\n");
  expect(formatted).toContain("ProtectionKey:  123456789\n");
});

test("several blocks come back byte for byte", () => {
  expect(format(VMA_TEXT.repeat(3))).toBe(VMA_TEXT.repeat(3));
});

test("lines that a kernel does not print stay absent", () => {
  const old = without(VMA_TEXT, "ProtectionKey", "KSM", "Pss_Dirty", "FilePmdMapped", "THPeligible");
  const [vma] = parseSmapsText(old);
  for (const key of ["protectionKey", "ksm", "pssDirty", "filePmdMapped", "thpEligible", "pssAnon"]) {
    expect(vma.fields).not.toHaveProperty(key);
  }
  expect(formatSmapsVma(vma)).toBe(old);
});

test("lines of a newer kernel survive where they stood", () => {
  const newer = VMA_TEXT.replace("Rss:", "Before:\tany text: 1\nRss:")
    .replace("KSM:", "Pss_Exact:           9 kB\nPss_Exact:           9 kB\nKSM:")
    .replace("Size:   ", "First: 1\nSize:   ")
    .concat("Last:          2\n");
  const [vma] = parseSmapsText(newer);
  expect(vma.extras).toEqual([
    { label: "First", text: " 1", after: "" },
    { label: "Before", text: "\tany text: 1", after: "MMUPageSize" },
    { label: "Pss_Exact", text: "           9 kB", after: "Anonymous" },
    { label: "Pss_Exact", text: "           9 kB", after: "Anonymous" },
    { label: "Last", text: "          2", after: "VmFlags" },
  ]);
  expect(format(newer.repeat(2))).toBe(newer.repeat(2));
});

test("VMAs with equal flags share one array", () => {
  const vmas = parseSmapsText(VMA_TEXT.repeat(2));
  expect(vmas[0].fields.vmFlags).toBe(vmas[1].fields.vmFlags);
});

test("a VMA without flags prints the label and one space", () => {
  const bare = VMA_TEXT.replace(/VmFlags: .*\n/, "VmFlags: \n");
  expect(parseSmapsText(bare)[0].fields.vmFlags).toEqual([]);
  expect(format(bare)).toBe(bare);
});

test("a rollup comes back byte for byte, with its three lines of its own and without a VMA's", () => {
  const rollup = parseSmapsRollup(ROLLUP_TEXT);
  expect(rollup.fields).toMatchObject({ rss: 1732, pssAnon: 116, pssFile: 104, pssShmem: 0 });
  expect(rollup.fields).not.toHaveProperty("size");
  expect(formatSmapsRollup(rollup)).toBe(ROLLUP_TEXT);
});

test("any figures survive being formatted and parsed", () => {
  const [model] = parseSmapsText(VMA_TEXT);
  const numberKeys = Object.keys(model.fields).filter((key) => key !== "vmFlags");
  const numbers = fc.record(Object.fromEntries(numberKeys.map((key) => [key, fc.maxSafeNat()])));
  const vmFlags = fc.array(fc.constantFrom("rd", "wr", "ex", "gu", "??"));
  fc.assert(
    fc.property(numbers, vmFlags, (figures, flags) => {
      const vma = { ...model, fields: { ...model.fields, ...figures, vmFlags: flags } };
      expect(parseSmapsText(formatSmapsVma(vma))).toEqual([vma]);
    }),
  );
});

test("a text that is cut short before its last line of flags is refused, wherever the cut is", () => {
  const whole = VMA_TEXT.repeat(2);
  const isWithinFlags = (text: string): boolean => text.slice(text.lastIndexOf("\n") + 1).startsWith("VmFlags:");
  let refused = 0;
  for (let length = 1; length < whole.length; length++) {
    const cut = whole.slice(0, length);
    if (length === VMA_TEXT.length || isWithinFlags(cut)) continue;
    expect(() => parseSmapsText(cut)).toThrow(ProcTextError);
    refused++;
  }
  expect(refused).toBeGreaterThan(whole.length * 0.9);
});

test("a bad block is refused with its line and what is wrong", () => {
  const cases: readonly (readonly [text: string, line: number, problem: RegExp])[] = [
    [VMA_TEXT.replace("         2 kB", "         2 MB"), 8, /no number of kB/],
    [VMA_TEXT.replace("         2 kB", "        -2 kB"), 8, /no number of kB/],
    [VMA_TEXT.replace("         2 kB", "           kB"), 8, /no number of kB/],
    [VMA_TEXT.replace("       123 kB", "9007199254740993 kB"), 6, /beyond 2\^53/],
    [VMA_TEXT.replace("       1\n", "       1 kB\n"), 24, /no number/],
    [VMA_TEXT.replace("Swap: ", "Rss:  "), 21, /already/],
    [`${VMA_TEXT}VmFlags: rd \n`, 27, /already/],
    [VMA_TEXT.replace("Swap: ", "Swap  "), 21, /no label/],
    [VMA_TEXT.replace("Swap: ", ":Swap "), 21, /no label/],
    [VMA_TEXT + without(VMA_TEXT, "Locked"), 27, /no line Locked/],
    [without(VMA_TEXT, "VmFlags"), 1, /no line VmFlags/],
    [VMA_TEXT.replace("7ffc6f709000-", "7ffc6f709000 "), 1, /between start and end/],
  ];
  for (const [text, line, problem] of cases) {
    const error = errorOf(() => parseSmapsText(text));
    expect(error).toMatchObject({ file: "smaps", lineNumber: line });
    expect(error.message).toMatch(problem);
  }
});

test("a rollup that is empty, has two blocks or misses a figure is refused", () => {
  expect(errorOf(() => parseSmapsRollup("")).message).toMatch(/no line/);
  expect(errorOf(() => parseSmapsRollup(ROLLUP_TEXT.repeat(2)))).toMatchObject({
    file: "smaps_rollup",
    lineNumber: 24,
  });
  expect(errorOf(() => parseSmapsRollup(without(ROLLUP_TEXT, "Pss"))).message).toMatch(/no line Pss/);
});

test("lines of a block in any order and number are parsed or refused with a line number, never anything else", () => {
  const lines = fc.constantFrom(...VMA_TEXT.split("\n"), "__proto__: 1", "constructor: 2 kB", ":", "\u0000", "Rss:");
  fc.assert(
    fc.property(fc.array(lines, { maxLength: 40 }), (parts) => {
      const text = `${HEADER}\n${parts.join("\n")}`;
      try {
        expect(parseSmapsText(format(text))).toEqual(parseSmapsText(text));
      } catch (error) {
        if (!(error instanceof ProcTextError)) throw error;
        expect(error.message).toMatch(/^Line [0-9]+ of smaps: [ -~]+\.$/);
      }
    }),
  );
});

test("an empty smaps has no VMAs", () => {
  expect(parseSmapsText("")).toEqual([]);
});

test.skipIf(!existsSync("/proc/self/smaps"))("this process's smaps comes back byte for byte", () => {
  const text = readFileSync("/proc/self/smaps", "latin1");
  expect(format(text)).toBe(text);
  expect(parseSmapsText(text).every((vma) => vma.extras.length === 0)).toBe(true);
});

test.skipIf(!existsSync("/proc/self/smaps_rollup"))("this process's smaps_rollup comes back byte for byte", () => {
  const text = readFileSync("/proc/self/smaps_rollup", "latin1");
  expect(formatSmapsRollup(parseSmapsRollup(text))).toBe(text);
});
