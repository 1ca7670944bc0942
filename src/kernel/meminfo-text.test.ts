import { existsSync, readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { expect, test } from "vitest";
import { formatMeminfoText, hugepageSizeBytes, meminfoBytes, meminfoCount, parseMeminfoText } from "./meminfo-text.ts";
import { ProcTextError } from "./proc-error.ts";

const TEXT = `MemTotal:       24684092 kB
Active(anon):      14152 kB
AnonPages:       2700500 kB
VmallocTotal:   34359738367 kB
HugePages_Total:       5
HugePages_Free:        0
Hugepagesize:       2048 kB
DirectMap4k:       26624 kB
`;

test("lines in kB become bytes and hugetlb counts stay counts", () => {
  const meminfo = parseMeminfoText(TEXT);
  expect(meminfoBytes(meminfo, "AnonPages")).toBe(2700500 * 1024);
  expect(meminfo.get("Active(anon)")).toBe(14152 * 1024);
  expect(meminfo.get("VmallocTotal")).toBe(34359738367 * 1024);
  expect(meminfoCount(meminfo, "HugePages_Total")).toBe(5);
  expect(hugepageSizeBytes(meminfo)).toBe(2 * 1024 * 1024);
  expect([...meminfo.keys()]).toHaveLength(8);
});

test("a line that the kernel does not print is undefined, not 0", () => {
  const meminfo = parseMeminfoText("MemFree: 1 kB\n");
  expect(meminfoBytes(meminfo, "ShmemPmdMapped")).toBeUndefined();
  expect(meminfoCount(meminfo, "HugePages_Rsvd")).toBeUndefined();
  expect(hugepageSizeBytes(meminfo)).toBeUndefined();
});

test("a line without label and number is refused with its number", () => {
  for (const line of [
    "",
    "MemTotal 1 kB",
    ": 1 kB",
    "MemTotal: kB",
    "MemTotal: -1 kB",
    "MemTotal: 1 MB",
    "A: 9999999999999999 kB",
  ]) {
    expect(() => parseMeminfoText(`MemFree: 1 kB\n${line}\n`)).toThrow(ProcTextError);
    expect(() => parseMeminfoText(`MemFree: 1 kB\n${line}\n`)).toThrow(/^Line 2 of meminfo/);
  }
});

test.skipIf(!existsSync("/proc/meminfo"))("this machine's MemTotal is what the runtime reports", () => {
  expect(meminfoBytes(parseMeminfoText(readFileSync("/proc/meminfo", "utf8")), "MemTotal")).toBe(totalmem());
});

test("what was parsed is printed again byte by byte, here and of this machine", (ctx) => {
  const longLabels = "HardwareCorrupted:     0 kB\nNFS_Unstable_Pages:    7 kB\n";
  expect(formatMeminfoText(parseMeminfoText(TEXT + longLabels))).toBe(TEXT + longLabels);
  if (!existsSync("/proc/meminfo")) ctx.skip("this machine has no /proc/meminfo");
  const text = readFileSync("/proc/meminfo", "utf8");
  expect(formatMeminfoText(parseMeminfoText(text))).toBe(text);
});
