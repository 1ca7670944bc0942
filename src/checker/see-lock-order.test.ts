/** The order of locks of whole systems. */
import { expect, test } from "vitest";
import { findScheme } from "../schemes/index.ts";
import { findCase } from "./cases.ts";
import { elaborate } from "./elaborate.ts";
import { exploreReference } from "./reference-explore.ts";
import { seeLockOrder } from "./see-lock-order.ts";
import type { StepMachine } from "./step-machine.ts";

function machineOf(caseId: string, schemeId: string): StepMachine {
  const [checkCase, scheme] = [findCase(caseId), findScheme(schemeId)];
  if (checkCase === undefined || scheme === undefined) throw new Error(`no ${schemeId} ${caseId}`);
  return elaborate(checkCase.configuration(scheme));
}

test("the embrace is a cycle of the two page table locks, seen in all states", () => {
  const machine = machineOf("embrace", "vma");
  const order = seeLockOrder(machine, {}, 100_000);
  expect(order.cycles).toEqual([["ptl[0][0][0]", "ptl[0][0][1]"]]);
  expect(order.edges.map(({ held, asked }) => `${held} ${asked}`)).toEqual([
    "ptl[0][0][1] ptl[0][0][0]",
    "ptl[0][0][0] ptl[0][0][1]",
  ]);
  expect(order).toMatchObject({ hasMoreCycles: false, isComplete: true, states: exploreReference(machine).states });
});

test("in the order of addresses there is one edge and no cycle", () => {
  const order = seeLockOrder(machineOf("address-order", "vma"), {}, 100_000);
  expect(order).toMatchObject({ cycles: [], isComplete: true });
  expect(order.edges.map(({ held, asked }) => `${held} ${asked}`)).toEqual(["ptl[0][0][0] ptl[0][0][1]"]);
});

test("a lock that is asked for while it is held is a cycle of one", () => {
  const order = seeLockOrder(machineOf("self-deadlock", "vma"), {}, 100_000);
  expect(order.cycles).toContainEqual(["ptl[0][0][0]"]);
});

test("a limit is said", () => {
  const order = seeLockOrder(machineOf("embrace", "vma"), {}, 10);
  expect(order.isComplete).toBe(false);
  expect(order.states).toBeLessThan(100);
});
