import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseKernelConfig } from "./kernel-config-text.ts";
import * as bits from "./pagemap-bits.ts";
import {
  decodeSwapType,
  pagemapPfn,
  pagemapSwapOffset,
  pagemapSwapType,
  swapLayoutFromConfig,
} from "./pagemap-bits.ts";

const words = (entry: bigint): readonly [low: number, high: number] => [
  Number(BigInt.asIntN(32, entry)),
  Number(BigInt.asIntN(32, entry >> 32n)),
];

test("each mask is the bit that the kernel documents", () => {
  const bitOf: Readonly<Record<string, bigint>> = {
    PM_PRESENT_HIGH: 63n,
    PM_SWAP_HIGH: 62n,
    PM_FILE_HIGH: 61n,
    PM_GUARD_HIGH: 58n,
    PM_UFFD_WP_HIGH: 57n,
    PM_EXCLUSIVE_HIGH: 56n,
    PM_SOFT_DIRTY_HIGH: 55n,
  };
  const masks: Readonly<Record<string, unknown>> = bits;
  for (const [name, bit] of Object.entries(bitOf)) expect([name, masks[name]]).toEqual([name, words(1n << bit)[1]]);
  expect(bits.PM_FRAME_HIGH).toBe(words((1n << 55n) - 1n)[1]);
});

test("masks work on signed and on unsigned words", () => {
  const signed = Int32Array.of(-1);
  const unsigned = Uint32Array.of(0xffffffff);
  for (const high of [signed[0], unsigned[0]]) expect(high & bits.PM_PRESENT_HIGH).not.toBe(0);
  expect(0x7fffffff & bits.PM_PRESENT_HIGH).toBe(0);
});

test("PFN, swap type and swap offset agree with 64-bit arithmetic", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 53n - 1n }), fc.bigInt({ min: 0n, max: 511n }), (frame, flags) => {
      const [low, high] = words((flags << 55n) | frame);
      expect(pagemapPfn(low, high)).toBe(Number(frame));
      expect(pagemapPfn(low >>> 0, high >>> 0)).toBe(Number(frame));
      expect(pagemapSwapType(low)).toBe(Number(frame & 31n));
      expect(pagemapSwapOffset(low, high)).toBe(Number(frame >> 5n));
    }),
  );
});

test("a guard region's entry as 6.18 prints it is a marker of type 31 with the guard bit", () => {
  const [low, high] = words(0x440000000000009fn);
  expect(high & bits.PM_SWAP_HIGH).not.toBe(0);
  expect(high & bits.PM_GUARD_HIGH).not.toBe(0);
  expect(high & bits.PM_PRESENT_HIGH).toBe(0);
  expect(decodeSwapType(pagemapSwapType(low), undefined)).toBe("marker");
  expect(pagemapSwapOffset(low, high)).toBe(bits.PTE_MARKER_GUARD);
});

const kindsOf = (layout: bits.SwapLayout | undefined): string[] =>
  Array.from({ length: 32 }, (_, type) => decodeSwapType(type, layout));

test("with every option the types from 23 up are special, in the kernel's order", () => {
  expect(kindsOf({ deviceNum: 4, migrationNum: 3, hwpoisonNum: 1 })).toEqual([
    ...Array<string>(23).fill("swap"),
    "hwpoison",
    "migration-read",
    "migration-read-exclusive",
    "migration-write",
    ...Array<string>(4).fill("device"),
    "marker",
  ]);
});

test("without device memory and memory failure, migration lies right below the marker", () => {
  expect(kindsOf({ deviceNum: 0, migrationNum: 3, hwpoisonNum: 0 }).slice(27)).toEqual([
    "swap",
    "migration-read",
    "migration-read-exclusive",
    "migration-write",
    "marker",
  ]);
});

test("without any option only the marker is special", () => {
  const kinds = kindsOf({ deviceNum: 0, migrationNum: 0, hwpoisonNum: 0 });
  expect(kinds).toEqual([...Array<string>(31).fill("swap"), "marker"]);
});

test("without a layout nothing is called swap that some layout calls otherwise", () => {
  const sure = kindsOf(undefined);
  expect(sure.filter((kind) => kind === "swap")).toHaveLength(23);
  expect(sure.filter((kind) => kind === "special")).toHaveLength(8);
  for (const deviceNum of [0, 3, 4] as const) {
    for (const migrationNum of [0, 3] as const) {
      for (const hwpoisonNum of [0, 1] as const) {
        const kinds = kindsOf({ deviceNum, migrationNum, hwpoisonNum });
        sure.forEach((kind, type) => kind !== "special" && expect(kinds[type]).toBe(kind));
        expect(kinds.filter((kind) => kind !== "swap")).toHaveLength(1 + deviceNum + migrationNum + hwpoisonNum);
      }
    }
  }
});

test("the layout follows from the configuration and the number of device types", () => {
  const full = parseKernelConfig("CONFIG_MIGRATION=y\nCONFIG_MEMORY_FAILURE=y\nCONFIG_DEVICE_PRIVATE=y\n");
  expect(swapLayoutFromConfig(full, { deviceTypes: 3 })).toEqual({ deviceNum: 3, migrationNum: 3, hwpoisonNum: 1 });
  expect(swapLayoutFromConfig(full, { deviceTypes: 4 }).deviceNum).toBe(4);
  const bare = parseKernelConfig("CONFIG_MIGRATION=y\n# CONFIG_DEVICE_PRIVATE is not set\n");
  expect(swapLayoutFromConfig(bare, { deviceTypes: 3 })).toEqual({ deviceNum: 0, migrationNum: 3, hwpoisonNum: 0 });
});

test("a type outside 0 to 31 is a bug of the caller", () => {
  expect(() => decodeSwapType(32, undefined)).toThrow(RangeError);
});
