import { expect, test } from "vitest";
import { parseProcessStat, readProcessStat } from "./process-stat.ts";

/** Fields 3 to 28 of a process that runs; `changed` by their numbers in proc(5). */
function statOf(name: string, changed: Readonly<Record<number, string>> = {}): string {
  const fields = Array.from({ length: 50 }, (_, index) => changed[index + 3] ?? String(index + 3));
  return `4711 (${name}) ${fields.join(" ")}\n`;
}

test("faults, sizes and the addresses of code and stack are told; CPU time and state are not", () => {
  const before = parseProcessStat(statOf("node", { 9: "4194304" }));
  const after = (changed: Readonly<Record<number, string>>) =>
    parseProcessStat(statOf("node", { 9: "4194304", ...changed }));
  expect(before?.startTime).toBe("22");
  for (const field of [10, 12, 23, 24, 26, 28]) {
    expect(after({ [field]: "99" })?.fingerprint).not.toBe(before?.fingerprint);
  }
  for (const field of [26, 28]) expect(after({ [field]: "99" })?.image).not.toBe(before?.image);
  for (const field of [10, 12, 23, 24]) expect(after({ [field]: "99" })?.image).toBe(before?.image);
  for (const field of [3, 11, 13, 14, 15, 20, 39]) expect(after({ [field]: "99" })).toEqual(before);
});

test("a name with spaces and parentheses moves no field", () => {
  expect(parseProcessStat(statOf(") R 1 (", { 9: "0" }))).toEqual(parseProcessStat(statOf("node", { 9: "0" })));
});

test("a kernel thread and a process without an address space are none to be watched", () => {
  expect(parseProcessStat(statOf("kthreadd", { 9: String(0x0020_0000) }))).toBeUndefined();
  expect(parseProcessStat(statOf("zombie", { 9: "0", 23: "0" }))).toBeUndefined();
  expect(parseProcessStat("")).toBeUndefined();
});

test("this process's own faults show", () => {
  const before = readProcessStat(process.pid);
  const touched = new Uint8Array(64 * 2 ** 20).fill(1);
  expect(touched.length).toBeGreaterThan(0);
  const after = readProcessStat(process.pid);
  expect(after?.startTime).toBe(before?.startTime);
  expect(after?.fingerprint).not.toBe(before?.fingerprint);
});

test("a pid that nobody has is none", () => {
  expect(readProcessStat(2 ** 22 + 1)).toBeUndefined();
});
