/**
 * Reverse map walks under every scheme: how far each goes, and that candidates which map nothing are paid for.
 */
import { expect, test } from "vitest";
import { KSM } from "../memory/index.ts";
import { NO, UNKNOWN, YES, findScheme } from "../schemes/index.ts";
import type { CountedMachine } from "./counted-machine.ts";
import { createModelHistory } from "./model-history.ts";
import { scenarioOf } from "./parse-scenario.ts";
import { studyWalk } from "./walk-study.ts";

const IDS = ["page", "mm-owner", "none", "three-state", "troll", "vma-table", "vma", "total", "sums"] as const;
type Id = (typeof IDS)[number];

const BEGIN = ["thp 64kB always", "spawn P", "P mmap a 0x200000000 64k rw anon,priv", "P touch @a 64k w 64k"];

/** Runs the lines; the machine, and the folio that P's first page is in. */
function machineAfter(lines: readonly string[]): { machine: CountedMachine; head: number } {
  const schemes = IDS.map((id) => {
    const scheme = findScheme(id);
    if (scheme === undefined) throw new Error(`no scheme ${id}`);
    return scheme;
  });
  const history = createModelHistory(scenarioOf([...BEGIN, ...lines].join("\n"), "test.scn"), {
    config: "page",
    schemes,
    frameCount: 65_536,
  });
  for (const _ of BEGIN) history.next();
  const { machine } = history;
  const [head] = machine.mappedFolios();
  expect(machine.orderOf(head)).toBe(4);
  while (history.next() !== undefined);
  return { machine, head };
}

interface Looked {
  readonly vmasVisited: number;
  readonly tablesVisited: number;
  readonly pageTableLocks: number;
  readonly entriesExamined: number;
}

/** What a walk for `purpose` is charged under each scheme. */
function walk(
  machine: CountedMachine,
  head: number,
  purpose: Parameters<typeof studyWalk>[2],
): Readonly<Record<Id, Looked>> {
  const before = machine.studied.map(({ meter }) => meter.totals.slice());
  studyWalk(machine.memory, head, purpose, machine.studied, { ...machine.work });
  const looked: Partial<Record<Id, Looked>> = {};
  for (const [at, { meter }] of machine.studied.entries()) {
    const { vmasVisited, tablesVisited, pageTableLocks, entriesExamined } = meter.since(before[at]);
    looked[IDS[at]] = { vmasVisited, tablesVisited, pageTableLocks, entriesExamined };
  }
  return looked as Record<Id, Looked>;
}

/** So many VMAs looked at, each with one table and 16 entries of the folio's range. */
const full = (vmas: number): Looked => ({
  vmasVisited: vmas,
  tablesVisited: vmas,
  pageTableLocks: vmas,
  entriesExamined: 16 * vmas,
});
const nothing: Looked = full(0);

test("a count of entries ends the walk at the last mapping; one that was lost goes through every VMA, and then knows", () => {
  // A copied all pages and B unmapped them: P alone maps the folio, and A's VMA is still a candidate.
  const { machine, head } = machineAfter(["P fork A", "P fork B", "A touch @a 64k w", "B munmap @a 64k"]);
  const first = walk(machine, head, "unmap");
  for (const id of ["page", "mm-owner", "none", "vma-table", "vma", "total", "sums"] as const) {
    expect({ id, ...first[id] }).toEqual({ id, ...full(1) });
  }
  expect(first["three-state"]).toEqual(full(2));
  expect(first.troll).toEqual(full(2));
  const second = walk(machine, head, "unmap");
  expect(second["three-state"]).toEqual(full(1));
  expect(second.troll).toEqual(full(1));
});

test("VMAs whose pages were copied are looked at for nothing, entry by entry, until the last mapping behind them", () => {
  const { machine, head } = machineAfter(["P fork A", "P fork B", "A touch @a 64k w"]);
  const looked = walk(machine, head, "migrate");
  for (const id of IDS) expect({ id, ...looked[id] }).toEqual({ id, ...full(3) });
});

test("a reference that is no mapping keeps `none` walking to the end", () => {
  const { machine, head } = machineAfter(["P fork A", "A touch @a 64k w", "P vmsplice 0 @a 4k"]);
  const looked = walk(machine, head, "unmap");
  expect(looked.page).toEqual(full(1));
  expect(looked.none).toEqual(full(2));
});

test("where there is no page table nothing is looked at, and an empty one is not locked", () => {
  const { machine, head } = machineAfter(["P fork A", "A madvise @a 64k dontneed"]);
  expect(walk(machine, head, "referenced").page).toEqual(full(1));
  // To its end: A's table is there, without an entry.
  expect(walk(machine, head, "truncate").page).toEqual({ ...full(2), pageTableLocks: 1 });
});

test("who knows that nothing is mapped does not walk; who does not know walks for nothing", () => {
  const { machine, head } = machineAfter(["P fork A", "P vmsplice 0 @a 64k", "A exit", "P madvise @a 64k dontneed"]);
  expect(machine.truth.mapped(head)).toBe(NO);
  const looked = walk(machine, head, "unmap");
  const forNothing = { ...full(1), pageTableLocks: 0 };
  for (const id of IDS) {
    const isLost = id === "none" || id === "three-state";
    expect({ id, ...looked[id] }).toEqual({ id, ...(isLost ? forNothing : nothing) });
  }
});

test("putting entries back is work of the operation, whatever is counted", () => {
  const { machine, head } = machineAfter(["P fork A", "A touch @a 64k w"]);
  const work = { ...machine.work };
  const before = machine.studied.map(({ meter }) => meter.totals.slice());
  studyWalk(machine.memory, head, "restore", machine.studied, work);
  expect(work["walk-vma"] - machine.work["walk-vma"]).toBe(2);
  expect(work["walk-table"] - machine.work["walk-table"]).toBe(2);
  expect(work["walk-entry"] - machine.work["walk-entry"]).toBe(32);
  expect(machine.studied.map(({ meter }) => meter.totals)).toEqual(before);
});

test("who has lost count learns from a walk to the end, and nothing from one that looks at shared mappings alone", () => {
  const { machine, head } = machineAfter(["P fork A", "A exit"]);
  const counter = machine.studied[IDS.indexOf("three-state")].counter;
  expect(counter.mapped(head)).toBe(UNKNOWN);
  walk(machine, head, "clean");
  expect(counter.mapped(head)).toBe(UNKNOWN);
  walk(machine, head, "referenced");
  expect(counter.mapped(head)).toBe(YES);
});

test("a KSM page's walk visits all items' own address spaces first, then those forked since (kernel-facts 6.2)", () => {
  const lines = [
    ...["P", "Q"].flatMap((name) => [
      `spawn ${name}`,
      `${name} mmap a 0x200000000 4k rw anon,priv`,
      `${name} fill @a 4k 0x5a`,
      `${name} madvise @a 4k mergeable`,
    ]),
    "ksmscan 4",
    "P fork A",
  ];
  const history = createModelHistory(scenarioOf(lines.join("\n"), "test.scn"), { config: "page", frameCount: 65_536 });
  while (history.next() !== undefined);
  const { machine } = history;
  const head = machine.mappedFolios().find((folio) => machine.kindOf(folio) === KSM) ?? -1;
  const [first, second] = [...machine.memory.mms.keys()];
  const found: number[] = [];
  machine.pageTables.walk(head, (_first, _count, _level, _table, _vma, mm) => found.push(mm) > 0);
  expect(found).toHaveLength(3);
  expect(new Set(found.slice(0, 2))).toEqual(new Set([first, second]));
});

test("the model tells of its own walks: swapping out one page of a process is one walk, of one VMA and one table", () => {
  const run = (id: "page" | "none"): Looked => {
    const scheme = findScheme(id);
    if (scheme === undefined) throw new Error(`no scheme ${id}`);
    const lines = [
      "swapon /dev/ram1",
      "spawn P",
      "P mmap a 0x200000000 64k rw anon,priv",
      "P touch @a 4k w",
      "P madvise @a 4k pageout",
    ];
    const history = createModelHistory(scenarioOf(lines.join("\n"), "test.scn"), {
      config: "page",
      schemes: [scheme],
      frameCount: 65_536,
    });
    const [{ meter }] = history.machine.studied;
    let before = meter.totals.slice();
    for (let step = history.next(); step !== undefined && step.operation !== "madvise pageout"; step = history.next()) {
      before = meter.totals.slice();
    }
    const { vmasVisited, tablesVisited, pageTableLocks, entriesExamined } = meter.since(before);
    return { vmasVisited, tablesVisited, pageTableLocks, entriesExamined };
  };
  const one = { vmasVisited: 1, tablesVisited: 1, pageTableLocks: 1, entriesExamined: 1 };
  expect(run("page")).toEqual(one);
  expect(run("none")).toEqual(one);
});
