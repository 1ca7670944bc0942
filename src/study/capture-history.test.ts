/**
 * A captured machine as a machine of entries, against the small machine that was captured, counted page by page.
 */
import * as fc from "fast-check";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { captureSmallMachine } from "../../test/figures/fake-capture.ts";
import { WordFiles } from "../../test/figures/fake-proc.ts";
import { machineOf, machineRecipes, mapPages } from "../../test/figures/machine-recipes.ts";
import {
  type SmallMachine,
  type SmallProcess,
  type SmallVma,
  buildMachine,
  countTableEntries,
  groupByFolio,
  isCounted,
} from "../../test/figures/small-machine.ts";
import type { Capture } from "../capture/index.ts";
import { LEVEL_PMD, LEVEL_PTE, entriesOfBatch, procRefusal } from "../kernel/index.ts";
import { ANON, FILE, HUGETLB_ANON, HUGETLB_FILE, KSM, SHMEM } from "../memory/index.ts";
import type { EntryMachine } from "../scenario/index.ts";
import { SCHEMES } from "../schemes/index.ts";
import { createCaptureHistory } from "./capture-history.ts";
import { openWhatIf } from "./capture-what-if.ts";
import { parseWhatIf } from "./capture-what-if-steps.ts";
import { replayOrder } from "./captured-machine.ts";

const files = new WordFiles();
beforeEach(() => files.reuse());
afterAll(() => files.close());

const PLAIN = { threads: 1, shuffle: [0], templates: false };
const ways = fc.record({
  threads: fc.integer({ min: 1, max: 3 }),
  shuffle: fc.array(fc.nat(2), { minLength: 1, maxLength: 5 }),
  templates: fc.boolean(),
});

const KIND_NAMES = { [ANON]: "anon", [KSM]: "ksm", [FILE]: "file", [SHMEM]: "shmem" } as const;

/** One line a folio: what it is, how many entries map it, in how many address spaces, and each page's mapcount. */
function linesOf(machine: EntryMachine): string[] {
  const lines = machine.mappedFolios().map((folio) => {
    const mms = new Set<number>();
    const counts = Array<number>(2 ** machine.orderOf(folio)).fill(0);
    let entries = 0;
    let pmds = 0;
    machine.pageTables.walk(folio, (first, pages, level, _table, _vma, mm) => {
      mms.add(mm);
      entries += entriesOfBatch(pages, level);
      if (level === LEVEL_PMD) pmds++;
      for (let page = first; page < first + pages; page++) counts[page]++;
      return true;
    });
    const kind = machine.kindOf(folio);
    const name =
      kind === HUGETLB_ANON || kind === HUGETLB_FILE ? "hugetlb" : KIND_NAMES[kind as keyof typeof KIND_NAMES];
    return `${name} ${machine.orderOf(folio)}: ${entries} entries, ${pmds} PMDs, ${mms.size} mms, ${counts.join()}`;
  });
  return lines.sort();
}

/** The same of the small machine. */
function expectedLines(machine: SmallMachine, processes: readonly SmallProcess[]): string[] {
  const lines: string[] = [];
  const alive = processes.filter(({ ended }) => !ended);
  for (const [folio, mappings] of groupByFolio(machine, alive)) {
    if (!isCounted(folio.kind)) continue;
    const entries = mappings.flatMap((mapping) => mapping.entries);
    const counts = Array<number>(2 ** folio.order).fill(0);
    for (const { frame } of entries) counts[frame - folio.head]++;
    // A hugetlb page of any size is one entry, of which the machine has those of 2 MiB.
    const { all, pmd } = countTableEntries(entries);
    lines.push(`${folio.kind} ${folio.order}: ${all} entries, ${pmd} PMDs, ${mappings.length} mms, ${counts.join()}`);
  }
  return lines.sort();
}

async function machineOfCapture(capture: Capture, ...then: string[]): Promise<EntryMachine> {
  const { history, machine } = await createCaptureHistory(capture, parseWhatIf(then), { schemes: [] });
  while (history.next() !== undefined);
  return machine;
}

/** A step that changes nothing that is looked at: a child that is gone at once. */
function nothing(small: SmallMachine): string {
  const pid = 100 + small.processes.findIndex(({ ended }) => !ended);
  return `fork ${pid}; exit ${pid}.1`;
}

const livingMachines = machineRecipes
  .map(buildMachine)
  .filter(({ processes }) => processes.some(({ ended }) => !ended));

function withoutProcess(small: SmallMachine, gone: number): SmallMachine {
  const processes = small.processes.map((process, index) => (index === gone ? { ...process, ended: true } : process));
  return { ...small, processes };
}

describe("the machine of a capture", () => {
  test("has the folios, entries and mapcounts of the machine that was captured, however it was read", async () => {
    await fc.assert(
      fc.asyncProperty(livingMachines, ways, async (small, way) => {
        files.reuse();
        const machine = await machineOfCapture(await captureSmallMachine(small, files, way), nothing(small));
        expect(linesOf(machine)).toEqual(expectedLines(small, small.processes));
      }),
      { numRuns: 60 },
    );
  });

  test("after a process exits is the machine captured without it", async () => {
    await fc.assert(
      fc.asyncProperty(livingMachines, fc.nat(5), async (small, pick) => {
        files.reuse();
        const living = [...small.processes.keys()].filter((index) => !small.processes[index].ended);
        const gone = living[pick % living.length];
        const machine = await machineOfCapture(await captureSmallMachine(small, files, PLAIN), `exit ${100 + gone}`);
        const rest = withoutProcess(small, gone);
        expect(linesOf(machine)).toEqual(expectedLines(rest, rest.processes));
      }),
      { numRuns: 40 },
    );
  });

  test("after a fork maps twice what the parent has in private mappings with anonymous pages", async () => {
    await fc.assert(
      fc.asyncProperty(livingMachines, fc.nat(5), async (small, pick) => {
        files.reuse();
        const living = [...small.processes.keys()].filter((index) => !small.processes[index].ended);
        const parent = living[pick % living.length];
        const machine = await machineOfCapture(await captureSmallMachine(small, files, PLAIN), `fork ${100 + parent}`);
        const isAnonFrame = (frame: number): boolean => {
          const kind = small.folioOfFrame[frame]?.kind;
          return kind === "anon" || kind === "ksm" || kind === "hugetlb";
        };
        const isCopied = ({ shared, entries }: SmallVma): boolean =>
          !shared && entries.some(({ frame }) => isAnonFrame(frame));
        const child = { ended: false, vmas: small.processes[parent].vmas.filter(isCopied) };
        expect(linesOf(machine)).toEqual(expectedLines(small, [...small.processes, child]));
      }),
      { numRuns: 40 },
    );
  });

  test("after a process has written everything shares no folio that it may write to, and no other process notices", async () => {
    await fc.assert(
      fc.asyncProperty(livingMachines, fc.nat(5), async (small, pick) => {
        files.reuse();
        const living = [...small.processes.keys()].filter((index) => !small.processes[index].ended);
        const writer = living[pick % living.length];
        const { vmas } = small.processes[writer];
        fc.pre(vmas.some(({ shared }) => !shared));
        const capture = await captureSmallMachine(small, files, PLAIN);
        const all = `${(vmas[0].startPage * 4096).toString(16)}-${((vmas.at(-1)?.endPage ?? 0) * 4096).toString(16)}`;
        const { history, machine } = await createCaptureHistory(
          capture,
          parseWhatIf([`write ${100 + writer} ${all}`]),
          {
            schemes: [],
          },
        );
        const before = entriesByMm(machine);
        history.next();
        const after = entriesByMm(machine);
        const mm = replayOrder(capture.processes).findIndex(({ pid }) => pid === 100 + writer);
        for (const [other, entries] of before) if (other !== mm) expect(after.get(other)).toEqual(entries);
        for (const vma of machine.vmasOf(mm).filter((_, index) => !vmas[index].shared)) {
          const { startPage, endPage } = machine.vmaOf(vma);
          for (const { frame, pages, step } of machine.runsIn(vma, startPage, endPage - startPage)) {
            for (let page = 0; page < pages; page++) {
              const folio = machine.headOf(frame + step * page);
              if (machine.kindOf(folio) === HUGETLB_ANON || machine.kindOf(folio) === HUGETLB_FILE) continue;
              expect(machine.kindOf(folio)).toBe(ANON);
              expect(machine.truth.others(folio, mm)).toBe(0);
            }
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});

/** Entries of every address space, by frame and place. */
function entriesByMm(machine: EntryMachine): Map<number, string[]> {
  const found = new Map<number, string[]>();
  for (const mm of machine.mmIds()) {
    const lines = machine.vmasOf(mm).flatMap((vma) => {
      const { startPage, endPage } = machine.vmaOf(vma);
      return [...machine.runsIn(vma, startPage, endPage - startPage)].flatMap(({ page, frame, pages, step, level }) =>
        level === LEVEL_PTE
          ? Array.from({ length: pages }, (_, i) => `${page + i}: ${frame + step * i}`)
          : [`${page}: ${frame} level ${level}`],
      );
    });
    found.set(mm, lines);
  }
  return found;
}

/** A 2 MiB anonymous folio and a file's page, mapped by two processes. */
function twoProcesses(): SmallMachine {
  const pieces = [{ type: "pmd", folio: 0 } as const, mapPages(1, 1)];
  return buildMachine(machineOf([{ order: 9 }, { kind: "file" }], pieces, { likes: 1 }));
}

describe("what if", () => {
  test("a huge page that two map is written: one page is copied, the other 511 stay, by PTEs", async () => {
    const capture = await captureSmallMachine(twoProcesses(), files, PLAIN);
    const { vmas } = capture;
    const start = vmas[0].startPage * 4096;
    const machine = await machineOfCapture(capture, `write 100 ${start.toString(16)}-${(start + 4096).toString(16)}`);
    expect(machine.mappedFolios().map((folio) => machine.entriesOf(folio))).toEqual([512, 2, 1]);
  });

  test("every second page is written, counted from the start of the range", async () => {
    const capture = await captureSmallMachine(twoProcesses(), files, PLAIN);
    const start = capture.vmas[0].startPage * 4096;
    const range = `${start.toString(16)}-${(start + 8 * 4096).toString(16)}`;
    const machine = await machineOfCapture(capture, `write 100 ${range} every 2`);
    expect(machine.work["page-copied"]).toBe(4);
    expect(machine.work["pmd-split"]).toBe(1);
  });

  test("a child of a child can be named, and its exit leaves the others", async () => {
    const capture = await captureSmallMachine(twoProcesses(), files, PLAIN);
    const { history } = await openWhatIf(capture, ["fork 100; fork 100.1 2; exit 100.1", "exit 100.1.2"], SCHEMES);
    const texts: string[] = [];
    for (let step = history.next(); step !== undefined; step = history.next()) texts.push(`${step.line} ${step.text}`);
    expect(texts).toEqual([
      "1 fork 100 as 100.1",
      "2 fork 100.1 as 100.1.1",
      "3 fork 100.1 as 100.1.2",
      "4 exit 100.1",
      "5 exit 100.1.2",
    ]);
    const [huge] = history.machine.mappedFolios();
    expect(history.machine.truth.mappings(huge)).toBe(3);
    for (const { scheme, counter } of history.machine.studied) {
      if (scheme.unit === "entries" && scheme.guarantees.mappings === "exact") expect(counter.mappings(huge)).toBe(3);
    }
  });

  test("a process that shares its address space exits: the other one keeps it", async () => {
    const plain = await captureSmallMachine(twoProcesses(), files, PLAIN);
    const [first] = plain.processes;
    const thread = { ...first, pid: 150, state: "shares-mm" } as const;
    const capture: Capture = { ...plain, processes: [...plain.processes, thread] };
    expect(linesOf(await machineOfCapture(capture, "exit 150"))).toEqual(
      linesOf(await machineOfCapture(plain, "fork 101; exit 101.1")),
    );
    expect(linesOf(await machineOfCapture(capture, "exit 100; exit 150"))).toEqual(
      linesOf(await machineOfCapture(plain, "exit 100")),
    );
  });

  test("a mapping is unmapped by its name", async () => {
    const plain = await captureSmallMachine(twoProcesses(), files, PLAIN);
    const vmas = plain.vmas.map((vma, row) => (row === 0 ? { ...vma, name: "[heap]" } : vma));
    const machine = await machineOfCapture({ ...plain, vmas }, "unmap 100 [heap]");
    expect(machine.vmasOf(0)).toHaveLength(0);
    expect(machine.mappedFolios().map((folio) => machine.entriesOf(folio))).toEqual([1, 1]);
  });

  test("parents come before their children, whatever their pids", () => {
    const process = (pid: number, ppid: number) => ({ pid, ppid, mm: pid, state: "complete" as const });
    const order = replayOrder([process(5, 9), process(7, 1), process(9, 3), process(3, 1)] as never);
    expect(order.map(({ pid }) => pid)).toEqual([3, 9, 5, 7]);
  });

  test.each([
    ["exit 999", /no process 999/],
    ["exit 100; fork 100", /has exited by then/],
    ["exit 100.1", /PID\.1/],
    ["unmap 100 [stack]", /no mapping of that name/],
    ["unmap 100 1000-2000", /nothing is mapped/],
  ])("%s cannot be, and says so before anything happens", async (then, sentence) => {
    const capture = await captureSmallMachine(twoProcesses(), files, PLAIN);
    await expect(openWhatIf(capture, [then], SCHEMES)).rejects.toThrow(sentence);
  });

  test("what is shared is not copied by a write, and what could not be read is not there", async () => {
    const plain = await captureSmallMachine(twoProcesses(), files, PLAIN);
    const vmas = plain.vmas.map((vma) => ({ ...vma, shared: true, name: "/dev/shm/x" }));
    await expect(openWhatIf({ ...plain, vmas }, ["write 100 /dev/shm/x"], [])).rejects.toThrow(/copies nothing/);
    const refused = {
      ...plain.processes[0],
      pid: 7,
      mm: -1,
      state: "refused",
      refusal: procRefusal("EACCES", "x"),
    } as const;
    const withRefused = { ...plain, processes: [...plain.processes, refused] };
    await expect(openWhatIf(withRefused, ["exit 7"], [])).rejects.toThrow(/could not be read/);
  });

  test("a hugetlb page is not cut", async () => {
    const huge = machineOf([{ order: 9, kind: "hugetlb", ofFile: true }], [{ type: "pmd", folio: 0 }]);
    const capture = await captureSmallMachine(buildMachine(huge), files, PLAIN);
    const start = capture.vmas[0].startPage * 4096;
    const cut = `unmap 100 ${(start + 4096).toString(16)}-${(start + 8192).toString(16)}`;
    await expect(openWhatIf(capture, [cut], [])).rejects.toThrow(/cuts a hugetlb page/);
  });
});
