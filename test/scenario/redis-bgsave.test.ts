/**
 * Redis saving in the background on two real kernels: what the child's smaps and kpagecount said, what the model says, and
 * how much of the copy-on-write memory is not seen without a mapcount in every page.
 */
import { describe, expect, test } from "vitest";
import { ProcrankAccount, redisCopyOnWriteBytes } from "../../src/figures/index.ts";
import {
  type ConsumerValues,
  type Dump,
  type FolioDump,
  type PagemapRun,
  type ScenarioRun,
  runScenario,
} from "../../src/scenario/index.ts";
import { findScheme } from "../../src/schemes/index.ts";
import { findWorkload, scenarioOfWorkload } from "../../src/workloads/index.ts";
import { recordedScenario, recording } from "./recordings.ts";

const NAME = "redis-bgsave";
const WROTE = "3_redis_wrote_every_64th_8th_4th_page";
const DISMISSED = "4_save_dismissed_half_of_big_and_redis_wrote_a_folio_of_mid";
const KB = 1024;

/** The scheme by which a kernel of each configuration counts. */
const SCHEME_OF = { page: "page", nopage: "mm-owner" } as const;

function runModel(config: "page" | "nopage"): ScenarioRun {
  const scheme = findScheme(SCHEME_OF[config])!;
  return runScenario(recordedScenario(NAME), { config, schemes: [scheme], consumers: true });
}

/** What the programs would have made of what the kernel printed. */
function recordedValues(dump: Dump, process: string): ConsumerValues {
  const { vmas, pagemap } = dump.processes[process];
  const procrank = new ProcrankAccount();
  for (const run of pagemap) for (const count of countsOf(dump.folios, run)) procrank.addPage(count);
  return {
    privateDirtyBytes: redisCopyOnWriteBytes(vmas.map(({ smaps }) => smaps)),
    procrankPssBytes: procrank.pssBytes,
    procrankUssBytes: procrank.ussBytes,
  };
}

/** kpagecount of each page of a run of pagemap: of pages of a large folio, or of small folios in a row. */
function countsOf(folios: Readonly<Record<string, FolioDump>>, { n, flags, where }: PagemapRun): number[] {
  if (!flags.startsWith("P") || where === "ZERO") return [];
  const run = /^F(?<label>\d+)(?:\[(?<page>\d+)-\d+\])?/.exec(where)?.groups;
  if (run === undefined) throw new Error(`no folio in ${where}`);
  const label = Number(run.label);
  return Array.from({ length: n }, (_, index) =>
    run.page === undefined
      ? kpagecountOf(folios, label + index, 0)
      : kpagecountOf(folios, label, Number(run.page) + index),
  );
}

/** Small folios in a row that say the same are one entry, F2..F9. */
function kpagecountOf(folios: Readonly<Record<string, FolioDump>>, label: number, page: number): number {
  for (const [key, { kpagecount }] of Object.entries(folios)) {
    const [first, last = first] = key.split("..").map((text) => Number(text.slice(1)));
    if (label < first || label > last) continue;
    if (typeof kpagecount === "number") return kpagecount;
    const found = kpagecount.find(([from, to]) => page >= from && page <= to);
    if (found !== undefined) return found[2];
  }
  throw new Error(`no kpagecount of page ${page} of F${label}`);
}

describe.each(["page", "nopage"] as const)("a kernel built with %s", (config) => {
  test("gives Redis and procrank the figures that the model gives, of every process at every dump", () => {
    const { steps } = recording(NAME, config);
    const { views } = runModel(config);
    expect(views.map(({ label }) => label)).toEqual(steps.map(({ dump }) => dump.label));
    for (const [index, { consumers = [] }] of views.entries()) {
      expect(consumers.map(({ process }) => process)).toEqual(Object.keys(steps[index].dump.processes));
      for (const { process, byScheme } of consumers) {
        expect(byScheme[0]).toEqual({ ...recordedValues(steps[index].dump, process), foliosWalked: 0 });
      }
    }
  });
});

/** What Redis' child would log at a dump, by the recording of each kernel, and by the page tables. */
function loggedAt(label: string): { page: number; nopage: number; truth: number } {
  const [page, nopage] = (["page", "nopage"] as const).map((config) => {
    const step = recording(NAME, config).steps.find(({ dump }) => dump.label === label)!;
    return recordedValues(step.dump, "save").privateDirtyBytes;
  });
  const view = runModel("page").views.find((each) => each.label === label)!;
  return { page, nopage, truth: view.consumers!.find(({ process }) => process === "save")!.truth.privateDirtyBytes };
}

test("while Redis writes, its log under nopage is 192 kB lower: all that was copied from large folios", () => {
  // 16 pages of 2 MiB folios, 32 of 64 kB folios, 8 small ones.
  expect(loggedAt(WROTE)).toEqual({ page: 224 * KB, nopage: 32 * KB, truth: 224 * KB });
});

test("a folio that Redis has written whole is seen under nopage, too; what the child gives back is not logged at all", () => {
  // Another half of a 64 kB folio; 32 kB of the 2 MiB that were given back are gone from both. 152 kB are not seen.
  expect(loggedAt(DISMISSED)).toEqual({ page: 248 * KB, nopage: 96 * KB, truth: 248 * KB });
});

test("before Redis writes, and when the child is gone, the two kernels say the same", () => {
  for (const label of ["1_filled", "2_forked", "5_saved"]) {
    const [page, nopage] = (["page", "nopage"] as const).map((config) => {
      const { dump } = recording(NAME, config).steps.find((step) => step.dump.label === label)!;
      return Object.keys(dump.processes).map((process) => recordedValues(dump, process));
    });
    expect(nopage).toEqual(page);
  }
});

test("of the workload's 2,008 kB nothing would be logged where Private follows the folio (docs/consumers.md)", () => {
  const workload = findWorkload(NAME);
  if (workload?.kind !== "scenario") throw new Error(`no workload ${NAME} that is a scenario`);
  const { scenario } = scenarioOfWorkload(workload, { saves: 1 }, 1);
  const firstDump = scenario.commands.findIndex(({ kind }) => kind === "dump");
  const ids = ["page", "mm-owner", "mapped-pages", "mm-owner-levels", "sums"];
  const { views } = runScenario(
    { ...scenario, commands: scenario.commands.slice(0, firstDump + 1) },
    { config: "page", schemes: ids.map((id) => findScheme(id)!), consumers: true },
  );
  const child = views[0].consumers!.find(({ process }) => process === "save1")!;
  expect(child.truth.privateDirtyBytes).toBe(2008 * KB);
  expect(child.byScheme.map(({ privateDirtyBytes }) => privateDirtyBytes / KB)).toEqual([2008, 0, 0, 0, 0]);
});
