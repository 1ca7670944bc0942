/** Which VMAs are of a file, as maps tells. What is asked of the running machine is in test/live/who.test.ts. */
import { expect, test } from "vitest";
import type { MapsVma } from "../kernel/index.ts";
import { isVmaOfFile } from "./narrow-read.ts";

const VMA: MapsVma = {
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
  name: "/a",
};

test("a file is a device and an inode, or a name with an inode", () => {
  const huge = { ...VMA, inode: Number("18446744073709551614"), inodeText: "18446744073709551614" };
  const heap = { ...VMA, inode: 0, device: "00:00", name: "[heap]" };
  expect(isVmaOfFile(VMA, { device: "08:01", inodeText: "5" })).toBe(true);
  expect(isVmaOfFile(VMA, { device: "08:02", inodeText: "5" })).toBe(false);
  expect(isVmaOfFile(VMA, { device: "08:01", inodeText: "6" })).toBe(false);
  expect(isVmaOfFile(huge, { device: "08:01", inodeText: "18446744073709551614" })).toBe(true);
  expect(isVmaOfFile(huge, { device: "08:01", inodeText: "18446744073709551615" })).toBe(false);
  expect([isVmaOfFile(VMA, { name: "/a" }), isVmaOfFile(VMA, { name: "/b" })]).toEqual([true, false]);
  expect(isVmaOfFile(heap, { name: "[heap]" })).toBe(false);
});
