import { describe, expect, test } from "vitest";
import { seededRandom } from "../workloads/index.ts";
import { priorityScheduler, walkScheduler } from "./random-schedulers.ts";

/** How often each of the orders of three actors with two turns each comes out. */
function ordersOf(depth: number, tries: number): Map<string, number> {
  const orders = new Map<string, number>();
  for (let seed = 0; seed < tries; seed++) {
    const scheduler = priorityScheduler(seededRandom(seed), { actorCount: 3, depth, expectedSteps: 6 });
    const turns = [2, 2, 2];
    let order = "";
    for (let step = 0; step < 6; step++) {
      const enabled = [0, 1, 2].filter((actor) => turns[actor] > 0);
      const actor = scheduler.choose(enabled, step);
      turns[actor]--;
      order += "abc"[actor];
    }
    orders.set(order, (orders.get(order) ?? 0) + 1);
  }
  return orders;
}

describe("priorities", () => {
  test("without a change each actor runs to its end, in each of the six orders about as often", () => {
    const orders = ordersOf(1, 3000);
    expect([...orders.keys()].sort()).toEqual(["aabbcc", "aaccbb", "bbaacc", "bbccaa", "ccaabb", "ccbbaa"]);
    for (const count of orders.values()) expect(Math.abs(count - 500)).toBeLessThan(100);
  });

  test("one change makes orders with one preemption, each at least as often as the bound 1 / (n * k) says", () => {
    const orders = ordersOf(2, 6000);
    const preempted = [...orders.keys()].filter((order) => !/aa/.test(order) || !/bb/.test(order) || !/cc/.test(order));
    expect(preempted.length).toBeGreaterThan(0);
    // Two constraints: a's first turn before b's first, and that before a's second.
    let found = 0;
    for (const [order, count] of orders) {
      const [first, second] = [order.indexOf("a"), order.lastIndexOf("a")];
      if (first < order.indexOf("b") && order.indexOf("b") < second) found += count;
    }
    expect(found / 6000).toBeGreaterThan(1 / (3 * 6));
    expect(orders.has("abcabc")).toBe(false);
  });

  test("whoever gives way goes behind all others", () => {
    const scheduler = priorityScheduler(seededRandom(1), { actorCount: 2, depth: 1, expectedSteps: 10 });
    const first = scheduler.choose([0, 1], 0);
    expect(scheduler.choose([0, 1], 1)).toBe(first);
    scheduler.giveWay(first);
    expect(scheduler.choose([0, 1], 2)).toBe(1 - first);
    expect(scheduler.choose([first], 3)).toBe(first);
  });
});

describe("a walk", () => {
  test("gives everybody who can go on the same chance", () => {
    const scheduler = walkScheduler(seededRandom(7));
    const counts = new Map<number, number>();
    for (let step = 0; step < 3000; step++) {
      const actor = scheduler.choose([1, 4, 5], step);
      counts.set(actor, (counts.get(actor) ?? 0) + 1);
    }
    expect(new Set(counts.keys())).toEqual(new Set([1, 4, 5]));
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(120);
  });
});
