/**
 * The benchmark's question in small, against an enumeration that shares nothing with the checker.
 *
 * The two owner slots (kernel-facts 2.2) as a function of plain numbers, explored by a few lines: what the checker makes of
 * the text must be the same states and transitions, one critical section each.
 */
import { expect, test } from "vitest";
import { twoSlots } from "../../bench/checker/two-slots.ts";
import { check } from "../../src/checker/index.ts";

interface Slots {
  readonly counts: readonly number[];
  readonly owners: readonly number[];
  readonly slotCounts: readonly number[];
  readonly shared: boolean;
}

const FREE = -1;

function add({ counts, owners, slotCounts, shared }: Slots, mm: number): Slots {
  const after = counts.with(mm, counts[mm] + 1);
  const slot = owners.includes(mm) ? owners.indexOf(mm) : owners.indexOf(FREE);
  if (slot < 0) return { counts: after, owners, slotCounts, shared };
  const isNew = owners[slot] !== mm;
  const total = after.reduce((sum, count) => sum + count, 0);
  return {
    counts: after,
    owners: owners.with(slot, mm),
    slotCounts: slotCounts.with(slot, isNew ? 1 : slotCounts[slot] + 1),
    shared: shared || (isNew && (slot === 1 || total !== 1)),
  };
}

function remove({ counts, owners, slotCounts, shared }: Slots, mm: number): Slots {
  const after = counts.with(mm, counts[mm] - 1);
  const total = after.reduce((sum, count) => sum + count, 0);
  const slot = owners.indexOf(mm);
  const left = slot < 0 ? 0 : slotCounts[slot] - 1;
  const slotsAfter = slot < 0 ? slotCounts : slotCounts.with(slot, left);
  const ownersAfter = slot >= 0 && left === 0 ? owners.with(slot, FREE) : owners;
  const isOne = left === 0 && slotsAfter.includes(total);
  return { counts: after, owners: ownersAfter, slotCounts: slotsAfter, shared: shared && !isOne };
}

function enumerate(mms: number, most: number): { readonly states: number; readonly transitions: number } {
  const first: Slots = { counts: Array<number>(mms).fill(0), owners: [FREE, FREE], slotCounts: [0, 0], shared: false };
  const known = new Set([JSON.stringify(first)]);
  const open = [first];
  let transitions = 0;
  for (const state of open) {
    for (let mm = 0; mm < mms; mm++) {
      const next = [
        ...(state.counts[mm] < most ? [add(state, mm)] : []),
        ...(state.counts[mm] > 0 ? [remove(state, mm)] : []),
      ];
      transitions += next.length;
      for (const one of next) {
        const key = JSON.stringify(one);
        if (known.has(key)) continue;
        known.add(key);
        open.push(one);
      }
    }
  }
  return { states: known.size, transitions };
}

test.each([
  [2, 3],
  [3, 2],
  [3, 3],
  [4, 2],
  [5, 1],
])(
  "the two slots with %i mms of at most %i mappings have the states and transitions of a plain enumeration",
  (mms, most) => {
    const expected = enumerate(mms, most);
    const breadth = check(twoSlots(mms, most), { symmetry: false });
    expect(breadth.coverage).toBe("complete");
    expect(breadth.figures).toMatchObject(expected);
    const deep = check(twoSlots(mms, most), { symmetry: false, search: "depth-first" });
    expect(deep.figures).toMatchObject(expected);
    expect(breadth.properties.every(({ outcome }) => outcome === "holds")).toBe(true);
  },
);

test("the same question without reductions and with symmetry has the same verdicts", () => {
  const outcomes = [{}, { partialOrderReduction: false }, { symmetry: false }].map((options) =>
    check(twoSlots(3, 2), options).properties.map(({ outcome }) => outcome),
  );
  expect(new Set(outcomes.map((one) => one.join())).size).toBe(1);
});

test.each(["total", "slots", "exclusive"])("without the lock %s breaks: the question can fail", (property) => {
  const question = { ...twoSlots(2, 2), withoutLocks: ["large"] };
  const { coverage, properties } = check(question, { properties: [property] });
  expect(coverage).toBe("stopped-at-broken");
  expect(properties.find(({ name }) => name === property)?.outcome).toBe("broken");
});
