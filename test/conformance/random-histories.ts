/**
 * Random histories for fast-check: folios of some orders and a list of wishes (wishes.ts), played to a machine.
 *
 * Whatever fast-check leaves out of the list, what is left is a legal history.
 */
import * as fc from "fast-check";
import type { Scheme } from "../../src/schemes/index.ts";
import { type Listener, MappingMachine } from "./mapping-machine.ts";
import type { Slot } from "./table-shape.ts";
import { type Wish, type WishKind, grant } from "./wishes.ts";
import { MMS, VMAS } from "./table-shape.ts";

/** A history: folios of these orders, and wishes. */
export interface History {
  readonly slots: readonly Slot[];
  readonly wishes: readonly Wish[];
}

/** Histories of one to three folios. Only folios up to PMD size have PMD entries, so that every scheme counts them. */
export function histories(orders: readonly number[]): fc.Arbitrary<History> {
  const slot = fc.constantFrom(...orders).map((order): Slot => ({ order, leaves: order <= 9 }));
  return fc.record({
    slots: fc.array(slot, { minLength: 1, maxLength: 3 }),
    // Long ones: a third address space must come and the first two must go before anything is misjudged.
    wishes: fc.array(wish(), { minLength: 1, maxLength: 60, size: "max" }),
  });
}

function wish(): fc.Arbitrary<Wish> {
  const kind = (...kinds: WishKind[]): fc.Arbitrary<WishKind> => fc.constantFrom(...kinds);
  const whole = fc.constant(0);
  return fc.record({
    kind: fc.oneof(
      { arbitrary: kind("map"), weight: 4 },
      { arbitrary: kind("unmap"), weight: 4 },
      { arbitrary: kind("mapLeaf", "unmapLeaf", "splitLeaf"), weight: 3 },
      { arbitrary: kind("fork", "exit"), weight: 6 },
      { arbitrary: kind("move"), weight: 2 },
      { arbitrary: kind("get", "put", "pin", "unpin", "cache", "recreate", "walk"), weight: 1 },
    ),
    slot: fc.nat(2),
    vma: fc.nat(VMAS - 1),
    other: fc.nat(MMS * 4 - 1),
    from: fc.oneof(whole, fc.nat(1023)),
    length: fc.oneof(whole, fc.nat(31)),
  });
}

/** A machine in the middle of a history. */
export interface Stage {
  readonly machine: MappingMachine;
  readonly listeners: readonly Listener[];
}

/** A machine for the history, and a counter of each scheme that hears it. */
export function stage(history: History, schemes: readonly Scheme[]): Stage {
  const machine = new MappingMachine(history.slots);
  const { frameCount, orders } = machine;
  const listeners = schemes.map((scheme) => ({
    scheme,
    counter: scheme.createCounter({ frameCount, orders, pageTables: machine, references: machine, seed: 1 }),
  }));
  machine.listen(listeners);
  return { machine, listeners };
}

/** Plays a history; calls `after` behind each event with the slot that it touched. */
export function play({ wishes }: History, { machine, listeners }: Stage, after: (slot: number) => void): void {
  machine.afterEvent = after;
  for (const each of wishes) grant(machine, listeners, each);
}
