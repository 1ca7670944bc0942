import { describe, expect, test } from "vitest";
import type { LockOrderEdge, MemoryOrder } from "./check.ts";
import { elaborate } from "./elaborate.ts";
import { LockOrder, type LockOrderSeen } from "./lock-order.ts";
import { exploreReference, type ReferenceResult } from "./reference-explore.ts";

function lookAt(text: string, memory: MemoryOrder = "sc"): LockOrderSeen & { readonly explored: ReferenceResult } {
  const machine = elaborate({ name: "locks", texts: [{ name: "t", text }] });
  const order = new LockOrder(machine);
  const explored = exploreReference(machine, {
    memory,
    visit: ({ state, successors }) => order.visit(state, successors),
  });
  expect(explored.coverage).toBe("complete");
  return { ...order.result(), explored };
}

function pairs(edges: readonly LockOrderEdge[]): string[] {
  return edges.map(({ held, asked }) => `${held} -> ${asked}`).sort();
}

function outcomeOf(explored: ReferenceResult, name: string): string | undefined {
  return explored.findings.find((finding) => finding.name === name)?.outcome;
}

const BOTH_ORDERS = `
lock a
lock b
thread one {
  lock a
  lock b
  unlock b
  unlock a
}
thread two {
  lock b
  lock a
  unlock a
  unlock b
}
`;

describe("the order of locks", () => {
  test("two threads that take two locks in both orders make a cycle, and who did so is told", () => {
    for (const memory of ["sc", "tso"] as const) {
      const { edges, cycles, hasMoreCycles, explored } = lookAt(BOTH_ORDERS, memory);
      expect(edges.toSorted((x, y) => (x.held < y.held ? -1 : 1))).toEqual([
        { held: "a", asked: "b", thread: "one", source: "lock b" },
        { held: "b", asked: "a", thread: "two", source: "lock a" },
      ]);
      expect(cycles).toEqual([["a", "b"]]);
      expect(hasMoreCycles).toBe(false);
      expect(outcomeOf(explored, "deadlock")).toBe("broken");
    }
  });

  test("one order makes an edge and no cycle", () => {
    const { edges, cycles, explored } = lookAt(`
lock a
lock b
thread both * 2 {
  lock a
  lock b
  unlock b
  unlock a
}
`);
    expect(pairs(edges)).toEqual(["a -> b"]);
    expect(cycles).toEqual([]);
    expect(outcomeOf(explored, "deadlock")).toBe("holds");
  });

  test("a lock asked for by its holder is a cycle by itself, though it is never got", () => {
    const { edges, cycles, explored } = lookAt("index i 2\nlock a[i]\nthread t {\n  lock a[1]\n  lock a[1]\n}");
    expect(edges).toEqual([{ held: "a[1]", asked: "a[1]", thread: "t", source: "lock a[1]" }]);
    expect(cycles).toEqual([["a[1]"]]);
    expect(outcomeOf(explored, "deadlock")).toBe("broken");
  });

  test("behind a third lock that keeps the threads apart a cycle is no deadlock", () => {
    const { edges, cycles, explored } = lookAt(`
lock gate
lock a
lock b
thread one {
  lock gate
  lock a
  lock b
  unlock b
  unlock a
  unlock gate
}
thread two {
  lock gate
  lock b
  lock a
  unlock a
  unlock b
  unlock gate
}
`);
    expect(pairs(edges)).toEqual(["a -> b", "b -> a", "gate -> a", "gate -> b"]);
    expect(cycles).toEqual([["a", "b"]]);
    expect(outcomeOf(explored, "deadlock")).toBe("holds");
  });

  test("a trylock asks for nothing, but what it got is held", () => {
    const { edges } = lookAt(`
lock a
lock b
thread t {
  lock a
  let got = trylock b
  if got {
    lock a
  }
}
`);
    expect(pairs(edges)).toEqual(["a -> a", "b -> a"]);
  });

  test("readers hold and ask like writers, and one of several readers is told from the others", () => {
    const { edges } = lookAt(`
lock a
lock b
lock c
thread reader {
  lock_shared a
  lock b
  unlock b
  unlock_shared a
}
thread other {
  lock_shared a
  unlock_shared a
  lock c
  lock_shared a
  unlock_shared a
  unlock c
}
`);
    expect(pairs(edges)).toEqual(["a -> b", "c -> a"]);
  });

  test("a lock behind a choice is asked for too, of every alternative", () => {
    const { edges } = lookAt(`
lock outer
lock a
lock b
thread t {
  lock outer
  choose {
    lock a
    unlock a
  } or {
    lock b
    unlock b
  } or { }
  unlock outer
}
`);
    expect(pairs(edges)).toEqual(["outer -> a", "outer -> b"]);
  });

  test("more cycles than the limit are counted as more", () => {
    const machine = elaborate({
      name: "locks",
      texts: [{ name: "t", text: `${BOTH_ORDERS}\nthread three {\n  lock a\n  lock a\n}` }],
    });
    const order = new LockOrder(machine);
    exploreReference(machine, { visit: ({ state, successors }) => order.visit(state, successors) });
    expect(order.result()).toMatchObject({ cycles: [["a"], ["a", "b"]], hasMoreCycles: false });
    expect(order.result(1)).toMatchObject({ cycles: [["a"]], hasMoreCycles: true });
  });
});
