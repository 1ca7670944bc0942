/**
 * What loads may read, held against the axioms: every total order of a program's accesses that its memory order allows.
 *
 * The interpreter works with store buffers; here is no buffer at all, but the axioms of SPARC's total store order: accesses
 * of a thread keep their order but for a store and a later load, and a load reads the latest store that is before it in
 * memory order or in its own program. An atomic is a load and a store at one place, and it and a fence keep all order.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { MemoryOrder } from "./check.ts";
import { exploreReference } from "./reference-explore.ts";
import type { Instruction, MachineThread, Origin, StepMachine, Variable } from "./step-machine.ts";

const WORDS = 2;

type Access =
  | { readonly op: "load"; readonly word: number }
  | { readonly op: "store" | "swap"; readonly word: number; readonly value: number }
  | { readonly op: "fence" };
type Program = readonly (readonly Access[])[];

interface Event {
  readonly thread: number;
  readonly index: number;
  readonly access: Access;
}

/** All that the loads of a program can have read, a string each, by the axioms. */
function allowedOutcomes(program: Program, memory: MemoryOrder): Set<string> {
  const events = program.flatMap((list, thread) => list.map((access, index): Event => ({ thread, index, access })));
  const outcomes = new Set<string>();
  const place = (order: readonly Event[], left: readonly Event[]): void => {
    if (left.length === 0) outcomes.add(outcomeOf(program, order));
    for (const next of left) {
      const others = left.filter((event) => event !== next);
      if (!others.some((event) => mustComeFirst(event, next, memory))) place([...order, next], others);
    }
  };
  place([], events);
  return outcomes;
}

function mustComeFirst(first: Event, second: Event, memory: MemoryOrder): boolean {
  if (first.thread !== second.thread || first.index >= second.index) return false;
  return memory === "sc" || first.access.op !== "store" || second.access.op !== "load";
}

function outcomeOf(program: Program, order: readonly Event[]): string {
  const read = program.map((list) =>
    list
      .map((access, index) => (access.op === "load" || access.op === "swap" ? index : -1))
      .filter((index) => index >= 0),
  );
  return read
    .map((indexes, thread) =>
      indexes.map((index) => valueRead(program[thread][index], { thread, index }, order)).join(""),
    )
    .join("|");
}

function valueRead(access: Access, { thread, index }: Omit<Event, "access">, order: readonly Event[]): number {
  if (access.op === "fence") return 0;
  const at = order.findIndex((event) => event.thread === thread && event.index === index);
  const isVisible = (event: Event, place: number): boolean =>
    place < at || (access.op === "load" && event.thread === thread && event.index < index);
  const latest = order.findLast(
    (event, place) =>
      (event.access.op === "store" || event.access.op === "swap") &&
      event.access.word === access.word &&
      (event.thread !== thread || event.index !== index) &&
      isVisible(event, place),
  );
  return latest !== undefined && latest.access.op !== "fence" && latest.access.op !== "load" ? latest.access.value : 0;
}

const origin: Origin = { text: "program", line: 1, column: 1, source: "" };
const number = { kind: "number" } as const;

/** The program as a machine: behind each load a ghost notes what it read. */
function machineOf(program: Program): StepMachine {
  const word = (name: string, kind: Variable["kind"]): Variable => ({
    name,
    kind,
    min: 0,
    max: 9,
    initial: 0,
    hasReaders: false,
    value: number,
    array: name,
    indexes: [],
  });
  const variables = Array.from({ length: WORDS }, (_, index) => word(`word[${index}]`, "word"));
  const threads = program.map((list, thread): MachineThread => {
    const instructions: Instruction[] = list.flatMap((access): Instruction[] => {
      if (access.op === "fence") return [{ op: "fence", origin }];
      const at = { base: access.word, count: 1 };
      const value = { kind: "constant", value: access.op === "load" ? 0 : access.value } as const;
      if (access.op === "store") return [{ op: "store", at, value, origin }];
      variables.push(word(`read by ${thread}`, "ghost"));
      const note: Instruction = {
        op: "ghost",
        at: { base: variables.length - 1, count: 1 },
        value: { kind: "register", register: 0 },
        origin,
      };
      const step: Instruction =
        access.op === "load" ? { op: "load", register: 0, at, origin } : { op: "swap", register: 0, at, value, origin };
      return [step, note];
    });
    instructions.push({ op: "stop", origin });
    const registers = [{ name: "r", min: 0, max: 9, value: number }];
    return { name: `thread[${thread}]`, declaration: thread, registers, instructions };
  });
  return { name: "program", sets: [], variables, threads, operations: [], properties: [], constants: {} };
}

/** What the interpreter's last states say that the loads have read. */
function foundOutcomes(program: Program, memory: MemoryOrder): Set<string> {
  const machine = machineOf(program);
  const outcomes = new Set<string>();
  exploreReference(machine, {
    memory,
    bufferEntries: 8,
    visit: ({ state, successors }) => {
      if (successors.transitions.length > 0) return;
      const read = program.map((_, thread) =>
        machine.variables.flatMap(({ name }, variable) =>
          name === `read by ${thread}` ? [state.variables[variable]] : [],
        ),
      );
      outcomes.add(read.map((values) => values.join("")).join("|"));
    },
  });
  return outcomes;
}

const storeX: Access = { op: "store", word: 0, value: 1 };
const storeY: Access = { op: "store", word: 1, value: 1 };
const loadX: Access = { op: "load", word: 0 };
const loadY: Access = { op: "load", word: 1 };
const fence: Access = { op: "fence" };

describe("known programs", () => {
  test("Dekker: both may read the old value under tso, and only there", () => {
    const dekker = [
      [storeX, loadY],
      [storeY, loadX],
    ];
    expect(foundOutcomes(dekker, "sc")).toEqual(new Set(["0|1", "1|0", "1|1"]));
    expect(foundOutcomes(dekker, "tso")).toEqual(new Set(["0|0", "0|1", "1|0", "1|1"]));
  });

  test("Dekker with a fence between: never both, and one fence alone is not enough", () => {
    const both = [
      [storeX, fence, loadY],
      [storeY, fence, loadX],
    ];
    expect(foundOutcomes(both, "tso")).toEqual(new Set(["0|1", "1|0", "1|1"]));
    expect(foundOutcomes([both[0], [storeY, loadX]], "tso")).toContain("0|0");
  });

  test("an atomic instead of the store is as good as a fence", () => {
    const swapX: Access = { op: "swap", word: 0, value: 1 };
    const swapY: Access = { op: "swap", word: 1, value: 1 };
    const program = [
      [swapX, loadY],
      [swapY, loadX],
    ];
    expect(foundOutcomes(program, "tso")).toEqual(new Set(["00|01", "01|00", "01|01"]));
  });

  test("a message is not overtaken by its flag: stores keep their order under tso too", () => {
    const message = [
      [storeX, storeY],
      [loadY, loadX],
    ];
    for (const memory of ["sc", "tso"] as const) {
      expect(foundOutcomes(message, memory)).toEqual(new Set(["|00", "|01", "|11"]));
    }
  });

  test("a thread reads its own store before the others can", () => {
    const program = [
      [storeX, loadX, loadY],
      [storeY, loadY, loadX],
    ];
    expect(foundOutcomes(program, "tso")).toContain("10|10");
    expect(foundOutcomes(program, "sc")).not.toContain("10|10");
  });
});

const anyWord = fc.nat(WORDS - 1);
const anyAccess: fc.Arbitrary<Access> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constant("load" as const), word: anyWord }) },
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constant("store" as const), word: anyWord, value: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant("swap" as const), word: anyWord, value: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 1, arbitrary: fc.constant(fence) },
);
const anyProgram = fc
  .array(fc.array(anyAccess, { minLength: 1, maxLength: 3 }), { minLength: 2, maxLength: 3 })
  .filter((program) => program.flat().length <= 6);

test.each(["sc", "tso"] as const)(
  "any program under %s: the loads read what the axioms allow, and all of it",
  (memory) => {
    fc.assert(
      fc.property(anyProgram, (program) => {
        expect(foundOutcomes(program, memory)).toEqual(allowedOutcomes(program, memory));
      }),
      { numRuns: 150 },
    );
  },
);
