/**
 * What each workload is there to show, shown: at a small size, with the truth beside.
 */
import { expect, test } from "vitest";
import { EntryMachine, type FolioView, type ScenarioRun, type ScenarioView, runScenario } from "../scenario/index.ts";
import { NO, SCHEMES, YES } from "../schemes/index.ts";
import {
  type EntryWorkload,
  type WorkloadValues,
  findWorkload,
  leastValues,
  scenarioOfWorkload,
  seededRandom,
  valuesOf,
} from "./index.ts";

type Config = "page" | "nopage";
type AnswerRow = FolioView["answers"][number];

/** A workload at its least but for what is asked for, on a machine of 128 MiB. */
function run(id: string, asked: WorkloadValues, options: { config?: Config; seed?: number } = {}): ScenarioRun {
  const workload = findWorkload(id);
  if (workload?.kind !== "scenario") throw new Error(`${id} is no scenario`);
  const { scenario } = scenarioOfWorkload(workload, { ...leastValues(workload), ...asked }, options.seed ?? 1);
  return runScenario(scenario, { config: options.config ?? "page", schemes: SCHEMES, frameCount: 32_768 });
}

function viewAt({ views }: ScenarioRun, label: string): ScenarioView {
  const view = views.find((each) => each.label === label);
  if (view === undefined) throw new Error(`no dump ${label}, only ${views.map((each) => each.label).join(", ")}`);
  return view;
}

/** Rows of a question about large folios. */
function rowsOf(view: ScenarioView, question: AnswerRow["question"]): AnswerRow[] {
  const large = view.folios.filter(({ order }) => order > 0);
  return large.flatMap(({ answers }) => answers.filter((row) => row.question === question));
}

function answerOf(view: ScenarioView, { answers }: AnswerRow, scheme: string): AnswerRow["truth"] {
  return answers[view.schemes.indexOf(scheme)];
}

/** Rows in which a scheme says this while the truth is that. */
function countRows(
  view: ScenarioView,
  question: AnswerRow["question"],
  truth: boolean,
  scheme: string,
  says: unknown,
): number {
  return rowsOf(view, question).filter((row) => row.truth === truth && answerOf(view, row, scheme) === says).length;
}

/** KiB of a line of smaps, over the VMAs of a process. */
function smapsOf({ record }: ScenarioRun, label: string, process: string, name: string): number {
  const dump = record.steps.find((step) => step.dump.label === label)?.dump;
  const vmas = dump?.processes[process].vmas ?? [];
  return vmas.reduce((sum, { smaps }) => sum + Number((smaps as Record<string, unknown>)[name]), 0);
}

/** What the commands of this kind returned, in order. */
function resultsOf({ record }: ScenarioRun, command: RegExp): string[] {
  const commands = record.steps.flatMap((step) => step.commands).filter((text) => command.test(text));
  return commands.map((text) => text.split(" = ")[1]);
}

test("third-mm leaves mm-owner saying shared while one address space maps the folio; exact counts see it alone", () => {
  const view = viewAt(run("third-mm", { folioKb: 64, folios: 4 }), "C1_1_alone");
  expect(countRows(view, "others", false, "mm-owner", true)).toBe(4);
  expect(countRows(view, "others", false, "page", true)).toBe(4);
  for (const exact of ["rmap-id", "sums"]) expect(countRows(view, "others", false, exact, false)).toBe(4);
});

test("third-mm makes the kernel copy pages that the survivor owns alone", () => {
  const asked = { folioKb: 64, folios: 4, writePercent: 50 };
  const copies = viewAt(run("third-mm", asked), "survivors").folios.filter(({ order }) => order === 0);
  expect(copies.length).toBe(2);
});

test("fork-server with one child at a time stays within two owners: mm-owner is exact at every dump", () => {
  const result = run("fork-server", { folios: 8, children: 6, atOnce: 1 });
  for (const view of result.views) {
    const rows = rowsOf(view, "others");
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) expect(answerOf(view, row, "mm-owner")).toBe(row.truth);
  }
});

test("fork-server's own slot clears the shared bit when all children have gone, however many there were", () => {
  const result = run("fork-server", { folios: 8, children: 12, atOnce: 6, writePercent: 50 });
  expect(countRows(viewAt(result, "children_run"), "others", true, "mm-owner", true)).toBeGreaterThan(0);
  expect(countRows(viewAt(result, "children_gone"), "others", false, "mm-owner", true)).toBe(0);
});

test("zygote makes page counts and the folio's average differ in every folio", () => {
  const view = viewAt(run("zygote", { folios: 6, folioKb: 64, apps: 4, cowPercent: 20 }), "all_apps_run");
  const rows = rowsOf(view, "pageMapcount");
  expect(rows).toHaveLength(6);
  for (const row of rows) {
    expect(answerOf(view, row, "page")).toEqual(row.truth);
    expect(answerOf(view, row, "mm-owner")).not.toEqual(row.truth);
  }
});

test("redis-bgsave: the child's Private_Dirty is what the parent copied, and without page mapcounts it is nothing", () => {
  const asked = { folioKb: 64, folios: 8, writes: 40 };
  const copied = (config: Config): number => {
    const result = run("redis-bgsave", asked, { config });
    return smapsOf(result, "save1_done", "save1", "Private_Dirty");
  };
  const small = viewAt(run("redis-bgsave", asked), "save1_done").folios.filter(({ order }) => order === 0);
  expect(copied("page")).toBe(small.length * 4);
  expect(small.length).toBeGreaterThan(4);
  expect(copied("nopage")).toBe(0);
});

test("data-loader: readers copy what they read, and the parent still has every folio when they have gone", () => {
  const result = run("data-loader", { folios: 4, folioKb: 64, workers: 4, batches: 16, batchItems: 4 });
  const during = viewAt(result, "epoch1_read").folios.filter(({ order }) => order === 0);
  expect(during.length).toBeGreaterThan(40);
  const after = viewAt(result, "workers_gone");
  expect(rowsOf(after, "others").map(({ truth }) => truth)).not.toContain(true);
  expect(rowsOf(after, "partial").map(({ truth }) => truth)).toContain(true);
});

test("jvm: while a program is started the heap is shared, and afterwards nothing of it", () => {
  const result = run("jvm", { regions: 2, execWrites: 3 });
  const during = viewAt(result, "exec1");
  const heap = (view: ScenarioView): FolioView[] =>
    view.folios.filter(({ memory, order }) => memory === "anon" && order === 9);
  expect(heap(during).length).toBeGreaterThan(0);
  const others = (view: ScenarioView): AnswerRow["truth"][] =>
    heap(view).flatMap(({ answers }) =>
      answers.filter(({ question }) => question === "others").map(({ truth }) => truth),
    );
  expect(others(during)).toContain(true);
  expect(new Set(others(viewAt(result, "jvms_run")))).toEqual(new Set([false]));
});

test("prefork-database leaves folios of the pool marked as shared that the last backend maps alone", () => {
  const asked = { folioKb: 64, folios: 4, backends: 6, connections: 12, queries: 6, buffers: 2 };
  const view = viewAt(run("prefork-database", asked), "one_backend");
  expect(countRows(view, "others", true, "mm-owner", true)).toBe(0);
  expect(countRows(view, "others", false, "mm-owner", true)).toBeGreaterThan(0);
  expect(countRows(view, "others", false, "rmap-id", true)).toBe(0);
});

test("container-libraries: windows differ, so pages of one file folio have different counts", () => {
  const asked = { libraryKb: 256, containers: 6, faults: 1, dataPages: 4 };
  const view = viewAt(run("container-libraries", asked), "containers_run");
  const uneven = rowsOf(view, "pageMapcount").filter(({ truth }) => Array.isArray(truth) && truth.length > 1);
  expect(uneven.length).toBeGreaterThan(0);
  for (const row of uneven) expect(answerOf(view, row, "mm-owner")).not.toEqual(row.truth);
});

test("straddling-folios: pairs of a VMA and a table are two for one owner, so vma-table must ask the reverse map", () => {
  const view = viewAt(run("straddling-folios", { folioKb: 64, folios: 3 }), "one_owner");
  expect(countRows(view, "others", false, "vma-table", "unknown")).toBe(6);
  expect(countRows(view, "others", false, "mm-owner", false)).toBe(6);
});

test("allocator: one owner throughout, and folios of which parts are gone", () => {
  const view = viewAt(run("allocator", { folios: 8, folioKb: 64, operations: 60 }), "worked");
  const truths = (question: AnswerRow["question"]): Set<unknown> =>
    new Set(rowsOf(view, question).map(({ truth }) => truth));
  expect(truths("others")).toEqual(new Set([false]));
  expect(truths("partial")).toContain(true);
});

test("vma-splits: nobody else maps the folio, and whoever counts VMAs says that somebody does", () => {
  const view = viewAt(run("vma-splits", { folios: 8, folioKb: 64, operations: 12, forkEvery: 99 }), "divided");
  expect(rowsOf(view, "otherVmas").filter(({ truth }) => truth === true).length).toBeGreaterThan(0);
  expect(countRows(view, "others", true, "vma", true)).toBe(0);
  expect(countRows(view, "others", false, "vma", true)).toBeGreaterThan(0);
  expect(countRows(view, "others", false, "mm-owner", true)).toBe(0);
});

test("khugepaged-churn: a collapsed range is the collapser's own, though a child still has the small pages", () => {
  const view = viewAt(run("khugepaged-churn", {}), "round1_shared");
  const rows = rowsOf(view, "others");
  expect(rows.map(({ about, truth }) => [about, truth])).toEqual([["app", false]]);
  const small = view.folios.filter(({ order, memory }) => order === 0 && memory === "anon");
  expect(small.length).toBe(512);
});

test("numa-migration: what helpers share stays where it is, and moves when they have gone", () => {
  const results = resultsOf(run("numa-migration", { folioKb: 64 }), / migrate /);
  // The fourth is the heir's, whom no slot has tracked: it owns the folio alone, and the folio stays.
  expect(results).toEqual(["0", "0x10", "0", "0"]);
});

test("ksm-hosts: one page is mapped by every guest, and by some of them twice", () => {
  const view = viewAt(run("ksm-hosts", {}), "merged");
  const counts = view.folios
    .filter(({ memory }) => memory === "ksm")
    .flatMap(({ answers }) => answers.filter(({ question }) => question === "mappings").map(({ truth }) => truth));
  // Contents 1, 2, 1 in two guests.
  expect([...counts].sort((one, other) => Number(one) - Number(other))).toEqual([2, 4]);
});

test("pud-to-pte: a table count goes up by a folio's tables, and comes down to what the last address space maps", () => {
  const workload = findWorkload("pud-to-pte") as EntryWorkload;
  const schemes = SCHEMES.filter(({ id }) => id === "vma-table" || id === "mm-owner-levels" || id === "sums");
  const machine = new EntryMachine({ ...workload.machine, schemes });
  const counterOf = (id: string): (typeof machine.studied)[number]["counter"] =>
    machine.studied.find(({ scheme }) => scheme.id === id)!.counter;
  const values = { ...leastValues(workload), ptePercent: 100 };
  const seen = new Map<string, number>();
  for (const { operation } of workload.steps(machine, valuesOf(workload, values), seededRandom(1))) {
    const [folio] = machine.mappedFolios();
    seen.set(operation, machine.entriesOf(folio));
  }
  const [folio] = machine.mappedFolios();
  // One PUD entry; a second one by fork; 512 PMD entries instead of one; 512 times 512 PTEs instead of those.
  expect([...seen]).toEqual([
    ["fault", 1],
    ["fork", 2],
    ["split-pud", 513],
    ["split-pmd", 1 + 512 * 512],
    ["exit", machine.entriesOf(folio)],
  ]);
  expect(machine.mmCount).toBe(1);
  expect(counterOf("sums").others(folio, 0)).toBe(machine.truth.others(folio, 0));
  expect([NO, YES]).toContain(counterOf("mm-owner-levels").others(folio, 0));
});
