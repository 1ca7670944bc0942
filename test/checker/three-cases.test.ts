/**
 * The proof for file memory: 3 address spaces, 2 pages, 3 threads of 2 operations each, any thread in any address space.
 *
 * Complete, with partial-order reduction and symmetry: no count is wrong when nobody is at work, none is below zero, nobody
 * waits for ever, and NO is said only if nobody else mapped the folio at some moment of the question.
 */
import { expect, test } from "vitest";
import { check, findCase } from "../../src/checker/index.ts";
import { findScheme } from "../../src/schemes/index.ts";
import { testCases } from "./case-outcome.ts";

testCases("three");

test("mm-owner has 1,672,803 states there, the last of them 43 transitions away", () => {
  const mmOwner = findScheme("mm-owner");
  const three = findCase("three");
  if (mmOwner === undefined || three === undefined) throw new Error("no such case or scheme");
  const { coverage, figures } = check(three.configuration(mmOwner), three.options);
  expect({ coverage, states: figures.states, transitions: figures.transitions, depth: figures.depth }).toEqual({
    coverage: "complete",
    states: 1_672_803,
    transitions: 5_985_775,
    depth: 43,
  });
});
