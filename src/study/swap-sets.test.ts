/** Slots belong to whoever has entries for them: the sweep against a list of all slots, one by one. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Capture, SwappedRuns } from "../capture/index.ts";
import { TooMuchSwap, collectSwapSets } from "./swap-sets.ts";

/** An interval of slots in the entries of an mm; its VMA has the same row. */
interface Interval {
  readonly mm: number;
  readonly area: number;
  readonly firstSlot: number;
  readonly slots: number;
}

const MMS = 4;

function runsOf(intervals: readonly Interval[]): SwappedRuns {
  return {
    count: intervals.length,
    vma: Int32Array.from(intervals, ({ mm }) => mm),
    area: Uint8Array.from(intervals, ({ area }) => area),
    firstSlot: Float64Array.from(intervals, ({ firstSlot }) => firstSlot),
    slots: Int32Array.from(intervals, ({ slots }) => slots),
  };
}

type Given = Parameters<typeof collectSwapSets>[0];

function captureOf(parts: readonly SwappedRuns[], vmSwapBytes = 4096): Given {
  return {
    machine: { options: {} } as Capture["machine"],
    mmAlive: new Uint8Array(MMS).fill(1),
    mmOfVma: Int32Array.from({ length: MMS }, (_, row) => row),
    processes: [{ state: "complete", status: { vmSwapBytes } }] as unknown as Capture["processes"],
    swappedRuns: () => Promise.resolve([...parts]),
  };
}

/** Slots by set, a set as "1 3". */
async function slotsBySet(capture: Given): Promise<Record<string, number>> {
  const { count, firstMember, members, slots } = await collectSwapSets(capture);
  return Object.fromEntries(
    Array.from({ length: count }, (_, set) => [
      members.slice(firstMember[set], firstMember[set + 1]).join(" "),
      slots[set],
    ]),
  );
}

/** The same slot by slot. */
function slowly(intervals: readonly Interval[]): Record<string, number> {
  const holders = new Map<string, Set<number>>();
  for (const { mm, area, firstSlot, slots } of intervals) {
    for (let slot = firstSlot; slot < firstSlot + slots; slot++) {
      const key = `${area} ${slot}`;
      holders.set(key, (holders.get(key) ?? new Set()).add(mm));
    }
  }
  const bySet: Record<string, number> = {};
  for (const mms of holders.values()) {
    const set = [...mms].toSorted((a, b) => a - b).join(" ");
    bySet[set] = (bySet[set] ?? 0) + 1;
  }
  return bySet;
}

const interval = fc.record({
  mm: fc.nat(MMS - 1),
  area: fc.constantFrom(0, 1, 22),
  firstSlot: fc.nat(30),
  slots: fc.integer({ min: 1, max: 12 }),
});

test("every slot belongs to those who hold it, once, in whatever pieces their entries come", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(interval, { maxLength: 6 }), { maxLength: 3 }), async (pieces) => {
      expect(await slotsBySet(captureOf(pieces.map(runsOf)))).toEqual(slowly(pieces.flat()));
    }),
  );
});

test("entries are not looked at where nobody has swap", async () => {
  const capture = captureOf([runsOf([{ mm: 0, area: 0, firstSlot: 1, slots: 1 }])], 0);
  expect(await slotsBySet(capture)).toEqual({});
});

test("more slots than can be numbered are refused", async () => {
  const far = runsOf([{ mm: 0, area: 0, firstSlot: 2 ** 32, slots: 1 }]);
  await expect(collectSwapSets(captureOf([far]))).rejects.toThrow(TooMuchSwap);
});
