/**
 * The owner slots, step by step: every line of kernel-facts 2.5, and what two real kernels (6.18.15, both
 * configurations) had in their slots after the histories that decide what a capture can know (docs/history.md).
 *
 * A state is written as the kernel facts write it: slot 0 / slot 1 / total / shared bit.
 */
import { describe, expect, test } from "vitest";
import {
  FolioColumns,
  type FolioKind,
  KIND_ANON,
  KIND_FILE,
  KIND_HUGETLB,
  OBSERVED_EXCLUSIVE,
  OBSERVED_SHARED,
} from "../kernel/index.ts";
import { OwnerSlots, sharedAtRest } from "./owner-slots.ts";
import { EITHER, NO, YES } from "./scheme.ts";

const MMS = "ABCD";

/** One folio; mms are letters. */
class Trace {
  readonly slots = new OwnerSlots(1);

  /** "+16B": B maps 16 pages; "-16B": it unmaps them. Returns the state after all of them. */
  after(...steps: string[]): string {
    for (const step of steps) {
      const entries = Number(step.slice(1, -1));
      const mm = MMS.indexOf(step.slice(-1));
      if (step.startsWith("+")) this.slots.add(0, entries, mm);
      else this.slots.subtract(0, entries, mm);
    }
    const [mmA, entriesA, mmB, entriesB] = this.slots.owners(0);
    const slot = (mm: number, count: number): string => (mm < 0 ? "-" : `${MMS[mm]}${count}`);
    return `${slot(mmA, entriesA)}/${slot(mmB, entriesB)}/${this.slots.entries[0]}/${this.slots.sharedBit[0]}`;
  }

  get answer(): number {
    return this.slots.maybeMappedShared(0);
  }
}

describe("kernel-facts 2.5, a folio of 16 pages", () => {
  test("two address spaces, one leaves: the other is exclusive again", () => {
    const trace = new Trace();
    expect(trace.after("+16A")).toBe("A16/-/16/0");
    expect(trace.after("+16B")).toBe("A16/B16/32/1");
    expect(trace.after("-16A")).toBe("-/B16/16/0");
    expect(trace.answer).toBe(NO);
  });

  test("a third one is not tracked; when it and the second leave, the first is exclusive again", () => {
    const trace = new Trace();
    expect(trace.after("+16A", "+16B", "+16C")).toBe("A16/B16/48/1");
    expect(trace.after("-16C")).toBe("A16/B16/32/1");
    expect(trace.after("-16B")).toBe("A16/-/16/0");
    expect(trace.answer).toBe(NO);
  });

  test("the first and then the third leave: the second is exclusive again, found by the untracked one's leaving", () => {
    const trace = new Trace();
    expect(trace.after("+16A", "+16B", "+16C", "-16A")).toBe("-/B16/32/1");
    expect(trace.after("-16C")).toBe("-/B16/16/0");
    expect(trace.answer).toBe(NO);
  });

  test("a third mm that outlives both owners leaves the folio maybe-shared, until it has one mapping or none", () => {
    const trace = new Trace();
    expect(trace.after("+16A", "+16B", "+16C", "-16A", "-16B")).toBe("-/-/16/1");
    expect(trace.answer).toBe(YES);
    expect(trace.after("-15C")).toBe("-/-/1/1");
    expect(trace.answer).toBe(NO);
    expect(trace.after("-1C")).toBe("-/-/0/0");
    expect(trace.answer).toBe(NO);
  });

  test("the stuck one maps one page more: it gets a slot, and the bit is set again", () => {
    const trace = new Trace();
    trace.after("+16A", "+16B", "+16C", "-16A", "-16B");
    expect(trace.after("+1C")).toBe("C1/-/17/1");
    expect(trace.answer).toBe(YES);
  });

  test("a slot taken late holds too few entries, and is freed while its mm still has some", () => {
    const trace = new Trace();
    expect(trace.after("+16A", "+16B", "+16C", "-16A", "+4C")).toBe("C4/B16/36/1");
    expect(trace.after("-4C")).toBe("-/B16/32/1");
    expect(trace.after("-16C")).toBe("-/B16/16/0");
  });

  test("a PMD entry counts once; its split adds 512 and takes one away", () => {
    const trace = new Trace();
    expect(trace.after("+1A")).toBe("A1/-/1/0");
    expect(trace.after("+1B")).toBe("A1/B1/2/1");
    expect(trace.after("+512B", "-1B")).toBe("A1/B512/513/1");
    expect(trace.answer).toBe(YES);
  });
});

describe("as two real kernels answered", () => {
  test("a THP of a third mm, written and then PTE-mapped: exclusive pages, one mm, and the bit is stuck", () => {
    const trace = new Trace();
    expect(trace.after("+1A", "+1B", "+1C", "-1A", "-1B")).toBe("-/-/1/1");
    // C writes: reference count 1, so the THP becomes exclusive although the bit is set. Then mprotect splits the PMD.
    expect(trace.after("+512C", "-1C")).toBe("C511/-/512/1");
    expect(trace.answer).toBe(YES);
    expect(trace.after("-510C")).toBe("C1/-/2/1");
    expect(trace.answer).toBe(YES);
    expect(trace.after("-1C")).toBe("-/-/1/1");
    expect(trace.answer).toBe(NO);
  });

  test("migration gives the slots anew, in the order of the reverse map: also the first owner can lose its slot", () => {
    const trace = new Trace();
    trace.after("+16A", "+16B", "+16C");
    expect(trace.after("-16A", "-16B", "-16C")).toBe("-/-/0/0");
    expect(trace.after("+16B", "+16C", "+16A")).toBe("B16/C16/48/1");
    expect(trace.after("-16B", "-16C")).toBe("-/-/16/1");
    expect(trace.answer).toBe(YES);
  });

  test("the exception: a page copied at fork because it is pinned, then a migration that puts its mm last", () => {
    const trace = new Trace();
    expect(trace.after("+16A", "+15B", "+15C")).toBe("A16/B15/46/1");
    expect(trace.after("-16A", "-15B", "-15C", "+15B", "+15C", "+16A")).toBe("B15/C15/46/1");
    expect(trace.after("-15B", "-15C")).toBe("-/-/16/1");
  });

  test("without the migration the first owner's slot clears the bit, whatever the forks left out", () => {
    expect(new Trace().after("+16A", "+15B", "+15C", "-15B", "-15C")).toBe("A16/-/16/0");
  });
});

describe("at rest", () => {
  interface Row {
    readonly order?: number;
    readonly kind?: FolioKind;
    readonly entries: number;
    readonly mmCount: number;
    readonly headExclusive?: boolean;
    readonly outside?: number;
    readonly observed?: number;
  }

  function answer({ order = 4, kind = KIND_ANON, headExclusive = false, ...row }: Row): number {
    const folios = new FolioColumns(1);
    const at = folios.append(0, order, kind, headExclusive);
    folios.entries[at] = row.entries;
    folios.mmCount[at] = row.mmCount;
    folios.mappedOutside[at] = row.outside ?? 0;
    folios.observed[at] = row.observed ?? 0;
    return sharedAtRest(folios, at);
  }

  test.each([
    ["two address spaces are shared", { entries: 2, mmCount: 2 }, YES],
    ["one entry is not", { entries: 1, mmCount: 1 }, NO],
    ["one address space with several entries may be taken for several", { entries: 16, mmCount: 1 }, EITHER],
    ["and is not with an exclusive head page", { entries: 16, mmCount: 1, headExclusive: true }, NO],
    ["unless the folio is a THP", { order: 9, entries: 512, mmCount: 1, headExclusive: true }, EITHER],
    ["which one PMD entry maps exclusively", { order: 9, entries: 1, mmCount: 1, headExclusive: true }, NO],
    ["a file has no exclusive pages", { kind: KIND_FILE, entries: 16, mmCount: 1 }, EITHER],
    ["one read, one not: shared", { entries: 1, mmCount: 1, outside: 1 }, YES],
    ["one page mapped by someone not read: not shared", { entries: 0, mmCount: 0, outside: 1 }, NO],
    ["more: one or several", { entries: 0, mmCount: 0, outside: 16, headExclusive: true }, EITHER],
    ["hugetlb counts entries", { kind: KIND_HUGETLB, order: 9, entries: 2, mmCount: 1 }, YES],
    ["one of them is not shared", { kind: KIND_HUGETLB, order: 9, entries: 1, mmCount: 1 }, NO],
    ["one outside neither", { kind: KIND_HUGETLB, order: 9, entries: 0, mmCount: 0, outside: 512 }, NO],
    ["one here and one outside is", { kind: KIND_HUGETLB, order: 9, entries: 1, mmCount: 1, outside: 512 }, YES],
    ["what the kernel shows is believed", { entries: 16, mmCount: 1, observed: OBSERVED_EXCLUSIVE }, NO],
    ["both ways", { entries: 16, mmCount: 1, headExclusive: true, observed: OBSERVED_SHARED }, YES],
  ] satisfies [string, Row, number][])("%s", (_, row, expected) => {
    expect(answer(row)).toBe(expected);
  });
});
