/**
 * Histories over the model: steps have the names of what they do, work is counted once, and walks cost what they look at.
 */
import { expect, test } from "vitest";
import { SCHEMES } from "../schemes/index.ts";
import { createModelHistory } from "./model-history.ts";
import { ScenarioStopped } from "./model-runner.ts";
import { scenarioOf } from "./parse-scenario.ts";
import type { HistoryStep } from "./studied-history.ts";

interface DoneStep extends HistoryStep {
  /** Work of the step that is not 0. */
  readonly work: Readonly<Record<string, number>>;
}

const FRAMES = 65_536;

/** Runs all lines; each step with its work. */
function run(lines: readonly string[], schemes = SCHEMES): DoneStep[] {
  const history = createModelHistory(scenarioOf(lines.join("\n"), "test.scn"), {
    config: "page",
    schemes,
    frameCount: FRAMES,
  });
  const steps: DoneStep[] = [];
  let before = { ...history.machine.work };
  for (let step = history.next(); step !== undefined; step = history.next()) {
    const now = { ...history.machine.work };
    const work: Record<string, number> = {};
    for (const [name, times] of Object.entries(now)) {
      const done = times - (before as Record<string, number>)[name];
      if (done !== 0) work[name] = done;
    }
    before = now;
    steps.push({ ...step, work });
  }
  return steps;
}

const names = (steps: readonly DoneStep[]): string[] => steps.map(({ operation }) => operation);

test("steps are named after what they do, and dumps are none", () => {
  const steps = run([
    "thp 64kB madvise",
    "spawn P",
    "P mmap a 0x200000000 1M rw anon,priv",
    "P madvise @a 1M hugepage",
    "P touch @a+512k 64k r",
    "P touch @a 64k w 64k",
    "dump 1",
    "P fork C",
    "C touch @a 4k w",
    "C exit",
    "P touch @a 64k w",
    "P touch @a 64k w",
    "P madvise @a 64k cold",
    "P munmap @a 1M",
    "P exit",
  ]);
  expect(names(steps)).toEqual([
    "setting",
    "spawn",
    "mmap",
    "madvise hugepage",
    "read",
    "first touch",
    "fork",
    "copy",
    "exit",
    "reuse",
    "write",
    "madvise cold",
    "munmap",
    "exit",
  ]);
  expect(steps.at(-1)).toMatchObject({ text: "P exit", line: 15 });
});

test("fork copies every entry, also of tables that the model copies as one word; a PMD entry is one", () => {
  const ofPtes = run([
    "thp 2048kB never",
    "spawn P",
    "P mmap a 0x200000000 2M rw anon,priv",
    "P touch @a 2M w",
    "P fork C",
  ]);
  expect(ofPtes.at(-1)?.work).toMatchObject({ "entry-copied": 512 });
  const ofPmd = run([
    "thp 2048kB always",
    "spawn P",
    "P mmap a 0x200000000 2M rw anon,priv",
    "P touch @a 2M w 2M",
    "P fork C",
  ]);
  expect(ofPmd.at(-2)?.work).toMatchObject({ fault: 1, "page-zeroed": 512, "page-allocated": 1, "entry-set": 1 });
  expect(ofPmd.at(-1)?.work).toMatchObject({ "entry-copied": 1 });
});

test("a first write clears a page, a write after fork copies one and unmaps the old, a split of a PMD sets 512 entries", () => {
  const lines = ["thp 2048kB always", "spawn P", "P mmap a 0x200000000 4M rw anon,priv", "P touch @a 2M w 2M"];
  const steps = run([...lines, "P fork C", "C touch @a 4k w"]);
  expect(steps.at(-1)?.operation).toBe("copy");
  expect(steps.at(-1)?.work).toEqual({
    fault: 1,
    "page-copied": 1,
    "page-allocated": 1,
    "pmd-split": 1,
    "table-allocated": 1,
    "entry-set": 512 + 1,
    "entry-cleared": 1 + 1,
  });
});

test("what comes and goes is even in the end: tables, pages, entries", () => {
  const history = createModelHistory(
    scenarioOf(
      [
        "thp 64kB always",
        "spawn P",
        "P mmap a 0x200000000 8M rw anon,priv",
        "P touch @a 8M w",
        "P fork C",
        "C touch @a 1M w",
        "P mremap @a 2M 2M 0x300000000",
        "P munmap @a 3M",
        "C exit",
        "P exit",
      ].join("\n"),
      "test.scn",
    ),
    { config: "page", schemes: SCHEMES, frameCount: FRAMES },
  );
  while (history.next() !== undefined);
  const { work } = history.machine;
  expect(work["page-allocated"]).toBeGreaterThan(2048 / 16);
  expect(work["table-allocated"]).toBeGreaterThan(10);
  expect(work["entry-copied"]).toBe(2048);
  expect(work["page-allocated"]).toBe(work["page-freed"]);
  expect(work["table-allocated"]).toBe(work["table-freed"]);
  expect(work["entry-set"] + work["entry-copied"]).toBe(work["entry-cleared"]);
});

test("a command that the model cannot follow stops the history, and names itself", () => {
  const history = createModelHistory(
    scenarioOf("spawn P\nP mmap a 0x200000000 4k rw anon,priv\nP touch @a+1 1 w\nP exit", "test.scn"),
    { config: "page" },
  );
  history.next();
  history.next();
  expect(() => history.next()).toThrow(ScenarioStopped);
  expect(history.next()).toBeUndefined();
});

test("entries that move make their folio a touched one, and are an event that schemes count", () => {
  const lines = ["spawn P", "P mmap a 0x200000000 4k rw anon,priv", "P touch @a 4k w", "P mremap @a 4k 4k 0x300000000"];
  const history = createModelHistory(scenarioOf(lines.join("\n"), "test.scn"), {
    config: "page",
    schemes: SCHEMES,
    frameCount: FRAMES,
  });
  const { machine } = history;
  for (let step = 1; step < lines.length; step++) history.next();
  const [folio] = machine.takeTouched();
  const before = machine.events;
  history.next();
  expect(machine.events).toBe(before + 1);
  expect(machine.takeTouched()).toEqual([folio]);
  expect(machine.takeUnmapped()).toEqual([]);
});
