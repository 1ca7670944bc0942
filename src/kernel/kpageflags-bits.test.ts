import { expect, test } from "vitest";
import {
  FOLIO_KIND_NAMES,
  KIND_ANON,
  KIND_FILE,
  KIND_HUGETLB,
  KIND_KSM,
  KIND_SHMEM,
  KIND_UNCOUNTED,
} from "./folio-columns.ts";
import * as bits from "./kpageflags-bits.ts";
import { FRAME_KIND_NAMES, FRAME_KIND_RULES, folioKindOf, frameKind } from "./kpageflags-bits.ts";

const masks: Readonly<Record<string, unknown>> = bits;

/** The kind's name for a 64-bit entry as a hex literal. */
function kindName(entry: bigint, ksmBitMeansKsm = true): string {
  const low = Number(BigInt.asIntN(32, entry));
  const high = Number(BigInt.asIntN(32, entry >> 32n));
  return FRAME_KIND_NAMES[folioKindOf(low, high, ksmBitMeansKsm)];
}

test("every named bit has a mask of that name in its word", () => {
  const named = bits.KPF_NAMES.flatMap((name, bit) => (name === "" ? [] : [{ name, bit }]));
  expect(named).toHaveLength(37);
  for (const { name, bit } of named) {
    const key = bit < 32 ? `KPF_${name}` : `KPF_${name}_HIGH`;
    expect([key, masks[key]]).toEqual([key, 1 << (bit % 32)]);
  }
  const constants = Object.keys(masks).filter((key) => key.startsWith("KPF_") && key !== "KPF_NAMES");
  expect(constants).toHaveLength(named.length);
});

test("the bits stand where the kernel documents them", () => {
  const documented = {
    SLAB: 7,
    BUDDY: 10,
    MMAP: 11,
    ANON: 12,
    SWAPBACKED: 14,
    HUGE: 17,
    KSM: 21,
    OFFLINE: 23,
    PGTABLE: 26,
  };
  for (const [name, bit] of Object.entries(documented)) expect(bits.KPF_NAMES.indexOf(name)).toBe(bit);
  expect(bits.KPF_NAMES.indexOf("RESERVED")).toBe(32);
  expect(bits.KPF_NAMES.indexOf("OWNER_2")).toBe(34);
  expect(bits.KPF_NAMES.indexOf("ARCH_3")).toBe(42);
});

test("entries recorded on 6.18 have the kinds that their makers gave them", () => {
  const recorded: readonly (readonly [entry: bigint, kind: string, what: string])[] = [
    [0x40040d828n, "anon", "anonymous THP, head"],
    [0x400415828n, "anon", "its tail"],
    [0x5828n, "anon", "small anonymous page"],
    [0x1828n, "anon", "the same after MADV_FREE: no SWAPBACKED, still anonymous"],
    [0x20583cn, "ksm", "KSM page"],
    [0x101000000n, "zero", "zero page"],
    [0x1408000n, "zero", "huge zero folio, head"],
    [0x1410000n, "zero", "its tail"],
    [0x400029808n, "hugetlb", "private hugetlb, head"],
    [0x400031808n, "hugetlb", "its tail"],
    [0x100000800n, "file", "vdso: reserved, mapped, counted as a file page"],
    [0x100000000n, "other", "reserved and unmapped"],
    [0x408n, "buddy", "free page"],
    [0n, "other", "hole, offline or device memory"],
    [0x1080n, "slab", "slab page with ANON, as 6.18 prints it"],
    [0x201080n, "slab", "slab page with ANON and KSM"],
  ];
  for (const [entry, kind, what] of recorded) expect([what, kindName(entry)]).toEqual([what, kind]);
});

test("where the KSM bit means nothing, a page with it is anonymous", () => {
  expect(kindName(0x20583cn, false)).toBe("anon");
});

test("the unrolled form decides as the table does, for every combination of the bits that matter", () => {
  const lowBits = [7, 10, 11, 12, 14, 17, 21, 23, 24, 26, 5];
  const kindsSeen = new Set<number>();
  for (let choice = 0; choice < 1 << (lowBits.length + 1); choice++) {
    const low = lowBits.reduce((word, bit, index) => word | (((choice >> index) & 1) << bit), 0);
    const high = (choice >> lowBits.length) & 1;
    for (const ksmBitMeansKsm of [true, false]) {
      const seen = ksmBitMeansKsm ? low : low & ~bits.KPF_KSM;
      const rule = FRAME_KIND_RULES.find((one) => (seen & one.low) === one.low && (high & one.high) === one.high);
      expect(folioKindOf(low, high, ksmBitMeansKsm)).toBe(rule?.kind);
      kindsSeen.add(folioKindOf(low, high, ksmBitMeansKsm));
    }
  }
  expect(kindsSeen.size).toBe(11);
});

test("bits that do not matter do not change the kind", () => {
  const others = ~(
    bits.KPF_SLAB |
    bits.KPF_BUDDY |
    bits.KPF_MMAP |
    bits.KPF_ANON |
    bits.KPF_SWAPBACKED |
    bits.KPF_HUGE
  );
  const noise = others & ~(bits.KPF_KSM | bits.KPF_OFFLINE | bits.KPF_ZERO_PAGE | bits.KPF_PGTABLE | bits.KPF_LRU);
  for (const rule of FRAME_KIND_RULES) {
    expect(folioKindOf(rule.low | noise, rule.high | ~bits.KPF_RESERVED_HIGH, true)).toBe(rule.kind);
  }
});

test("codes shared with folio columns have the same names, and all others fold into uncounted", () => {
  const shared = [KIND_ANON, KIND_KSM, KIND_FILE, KIND_SHMEM, KIND_HUGETLB];
  for (const code of shared) expect(FRAME_KIND_NAMES[code]).toBe(FOLIO_KIND_NAMES[code]);
  for (const rule of FRAME_KIND_RULES) {
    const kind = frameKind(rule.low, rule.high, true);
    expect(kind).toBe(rule.kind <= KIND_HUGETLB ? rule.kind : KIND_UNCOUNTED);
  }
});
