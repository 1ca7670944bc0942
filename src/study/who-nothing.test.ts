/** What is said of an entry that is no page, by the kernel's build options; and of a frame that nobody maps. */
import { expect, test } from "vitest";
import type { MapsVma } from "../kernel/index.ts";
import { reportWhoNothing } from "./who-nothing.ts";

const VMA: MapsVma = {
  startPage: 16,
  endPage: 20,
  read: true,
  write: false,
  exec: false,
  shared: false,
  offset: 0,
  offsetHex: "0",
  device: "00:00",
  inode: 0,
  name: "/gr\u00c3\u00bcn",
};
const OPTIONS = { CONFIG_DEVICE_PRIVATE: "y", CONFIG_MIGRATION: "y", CONFIG_MEMORY_FAILURE: "y" };

test.each([
  [0x2003, OPTIONS, "swap", { area: 3, slot: "0x100" }],
  [31, OPTIONS, "marker", null],
  [27, OPTIONS, "device", null],
  [26, OPTIONS, "migration-write", null],
  [24, OPTIONS, "migration-read", null],
  [23, OPTIONS, "hwpoison", null],
  [22, OPTIONS, "swap", { area: 22, slot: "0x0" }],
  [24, {}, "special", null],
  [0x40, {}, "swap", { area: 0, slot: "0x2" }],
] as const)("an entry of type and offset %i under %j is %s", (frame, options, state, swap) => {
  const report = reportWhoNothing({ state: "not-present", vma: VMA, bits: 0, frame }, { options });
  expect(report).toMatchObject({ state, swap, vma: { name: "/gr\u00fcn", rights: "r--p" }, kernelCount: null });
});

test("a frame that nobody was seen to map carries the kernel's flags and count, where they are known", () => {
  const nothing = { state: "unmapped", pfn: 0x2a } as const;
  const frame = { flags: { low: 1 << 10, high: 0 }, kernelCount: 3 };
  expect(reportWhoNothing(nothing, { options: {} }, frame)).toMatchObject({
    pfn: "0x2a",
    flags: ["BUDDY"],
    kernelCount: 3,
    vma: null,
  });
  expect(reportWhoNothing(nothing, { options: {} })).toMatchObject({ flags: null, kernelCount: null });
});

test("device memory has a frame and no flags; an empty entry only its VMA", () => {
  const device = reportWhoNothing({ state: "beyond-frames", vma: VMA, frame: 0x99 }, { options: {} });
  expect(device).toMatchObject({ state: "device", pfn: "0x99", flags: null });
  for (const state of ["empty", "none-present"] as const) {
    expect(reportWhoNothing({ state, vma: VMA }, { options: {} })).toMatchObject({ state, pfn: null, swap: null });
  }
});
