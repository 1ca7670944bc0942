/**
 * The machine at a dump as it is drawn: which page shows which folio, and every scheme's answers beside the truth.
 *
 * The truth comes from a reverse map walk over the page tables of each folio; no counter is asked for it.
 */
import { LEVEL_PTE } from "../kernel/index.ts";
import { HUGETLB_ANON, HUGETLB_FILE, KSM, type Memory, SHMEM, cacheReferences, mappingsOf } from "../memory/index.ts";
import { type Answer, type Counter, NO, UNKNOWN_COUNT, YES } from "../schemes/index.ts";
import type { CountedMachine } from "./counted-machine.ts";
import type { Dump, PagemapRun, ProcessDump } from "./dump.ts";
import type { FolioLabels } from "./dump-model-pagemap.ts";
import type { ProcessTable } from "./model-process.ts";
import type { AnswerRow, AnswerValue, FolioView, PageRunView, ProcessView, ScenarioView } from "./scenario-run.ts";

/** What page tables and references say about a folio. */
interface FolioTruth {
  readonly head: number;
  readonly pageMapcounts: readonly number[];
  /** Entries by mm id, and by VMA id. */
  readonly mms: ReadonlyMap<number, number>;
  readonly vmas: ReadonlyMap<number, { readonly mm: number; readonly start: number }>;
  /** Tables with an entry, as "VMA table". */
  readonly tables: number;
  readonly entries: number;
  readonly extraReferences: number;
  readonly isPinned: boolean;
}

function findTruth(memory: Memory, head: number): FolioTruth {
  const pageMapcounts = Array<number>(2 ** memory.frames.order[head]).fill(0);
  const mms = new Map<number, number>();
  const vmas = new Map<number, { mm: number; start: number }>();
  const tables = new Set<string>();
  let entries = 0;
  for (const { vma, table, level, first, pageCount } of mappingsOf(memory, head)) {
    const found = level === LEVEL_PTE ? pageCount : 1;
    entries += found;
    mms.set(vma.mm.id, (mms.get(vma.mm.id) ?? 0) + found);
    vmas.set(vma.id, { mm: vma.mm.id, start: vma.start });
    tables.add(`${vma.id} ${table}`);
    for (let page = first; page < first + pageCount; page++) pageMapcounts[page]++;
  }
  const extra = memory.frames.extraOf(head);
  const privateReferences = extra?.hasPrivate === true ? 1 : 0;
  return {
    head,
    pageMapcounts,
    mms,
    vmas,
    tables: tables.size,
    entries,
    extraReferences: memory.frames.extraReferences(head) - privateReferences,
    isPinned: (extra?.pins ?? 0) > 0,
  };
}

/** The view of a dump that was just made. `labels`: those that the dump gave. */
export function viewOfModel(
  machine: CountedMachine,
  table: ProcessTable,
  dump: Dump,
  labels: FolioLabels,
  place: { readonly line: number; readonly commands: readonly string[] },
): ScenarioView {
  return {
    label: dump.label,
    line: place.line,
    commands: place.commands,
    schemes: machine.studied.map(({ scheme }) => scheme.id),
    processes: Object.entries(dump.processes).map(([name, process]) => viewOfProcess(name, process)),
    folios: labels.heads.map((head, row) => viewOfFolio(machine, table, head, `F${row + 1}`)),
  };
}

function viewOfProcess(name: string, { vmas, pagemap }: ProcessDump): ProcessView {
  return {
    name,
    vmas: vmas.map((vma) => ({
      start: Number(vma.start),
      end: Number(vma.end),
      perm: vma.perm,
      name: vma.name,
      pages: pagemap.filter(({ base }) => base === vma.start).flatMap(viewOfRun),
    })),
  };
}

const LARGE_RUN = /^F(\d+)\[(\d+)-\d+\](\*\d+)?$/;
const SMALL_RUN = /^F(\d+)\.\.F\d+$/;

function viewOfRun({ page, n, flags, where }: PagemapRun): PageRunView[] {
  const large = LARGE_RUN.exec(where);
  const byPmd = flags.endsWith("H");
  if (large !== null) {
    const repeats = large[3] !== undefined;
    const holds = { kind: "folio", label: `F${large[1]}`, folioPage: Number(large[2]), byPmd } as const;
    return [{ firstPage: page, pageCount: n, holds: repeats ? { ...holds, repeats } : holds }];
  }
  const small = SMALL_RUN.exec(where);
  if (small !== null) {
    return Array.from({ length: n }, (_, i) => ({
      firstPage: page + i,
      pageCount: 1,
      holds: { kind: "folio", label: `F${Number(small[1]) + i}`, folioPage: 0, byPmd } as const,
    }));
  }
  if (where === "ZERO") return [{ firstPage: page, pageCount: n, holds: { kind: "zero" } }];
  if (!flags.includes("S")) return [];
  const kind = flags.includes("g") ? "guard" : where.startsWith("swap type=0 ") ? "swap" : "marker";
  return [{ firstPage: page, pageCount: n, holds: { kind } }];
}

function viewOfFolio(machine: CountedMachine, table: ProcessTable, head: number, label: string): FolioView {
  const { memory } = machine;
  const kind = memory.frames.kindOf(head);
  const isHugetlb = kind === HUGETLB_ANON || kind === HUGETLB_FILE;
  return {
    label,
    order: memory.frames.order[head],
    memory: isHugetlb
      ? "hugetlb"
      : kind === KSM
        ? "ksm"
        : kind === SHMEM
          ? "shmem"
          : memory.frames.isAnon(head)
            ? "anon"
            : "file",
    answers: answersAbout(machine, table, findTruth(memory, head)),
  };
}

function answersAbout(machine: CountedMachine, table: ProcessTable, truth: FolioTruth): AnswerRow[] {
  const { memory, studied } = machine;
  const { head } = truth;
  const rows: AnswerRow[] = [];
  const ask = (
    question: AnswerRow["question"],
    about: string,
    value: AnswerValue,
    answer: (counter: Counter) => AnswerValue,
  ): void => {
    rows.push({ question, about, truth: value, answers: studied.map(({ counter }) => answer(counter)) });
  };
  const pages = truth.pageMapcounts.length;
  const mappedPages = truth.pageMapcounts.filter((mapcount) => mapcount > 0).length;
  ask("mapped", "", truth.entries > 0, (counter) => yesOrNo(counter.mapped(head)));
  rows.push({
    question: "mappings",
    about: "",
    truth: truth.entries,
    answers: studied.map(({ scheme, counter }) => mappingsIn(scheme.unit, counter, truth)),
  });
  ask("pageMapcount", "", runsOf(truth.pageMapcounts), (counter) => pageMapcountsOf(counter, head, pages));
  for (const mm of truth.mms.keys()) {
    ask("others", table.ownerName(mm), truth.mms.size > 1, (counter) => yesOrNo(counter.others(head, mm)));
  }
  for (const [vma, { mm, start }] of truth.vmas) {
    const about = `${table.ownerName(mm)}, VMA 0x${(start * 4096).toString(16)}`;
    ask("otherVmas", about, truth.vmas.size > 1, (counter) => yesOrNo(counter.otherVmas(head, vma)));
  }
  ask("partial", "", mappedPages > 0 && mappedPages < pages, (counter) => yesOrNo(counter.partial(head)));
  if (memory.frames.isAnon(head)) {
    for (const mm of truth.mms.keys()) {
      const isAlone = truth.mms.size === 1 && truth.extraReferences === 0 && cacheReferences(memory, head) === 0;
      ask("canReuse", table.ownerName(mm), isAlone, (counter) => yesOrNo(counter.canReuse(head, mm)));
    }
  }
  rows.push({
    question: "stopWalk",
    about: "all found",
    truth: true,
    answers: studied.map(({ scheme, counter }) => yesOrNo(counter.stopWalk(head, unitsOf(scheme.unit, truth)))),
  });
  ask("extraReferences", "", truth.extraReferences, (counter) => countOf(counter.extraReferences(head)));
  ask("pinned", "", truth.isPinned, (counter) => yesOrNo(counter.pinned(head)));
  return rows;
}

function unitsOf(unit: "entries" | "vmas" | "tables", truth: FolioTruth): number {
  return unit === "entries" ? truth.entries : unit === "vmas" ? truth.vmas.size : truth.tables;
}

/** A scheme that counts VMAs or tables does not know how many entries there are. */
function mappingsIn(unit: "entries" | "vmas" | "tables", counter: Counter, truth: FolioTruth): AnswerValue {
  return unit === "entries" ? countOf(counter.mappings(truth.head)) : "unknown";
}

function yesOrNo(answer: Answer): AnswerValue {
  return answer === YES ? true : answer === NO ? false : "unknown";
}

function countOf(count: number): AnswerValue {
  return count === UNKNOWN_COUNT ? "unknown" : count;
}

function pageMapcountsOf(counter: Counter, head: number, pages: number): AnswerValue {
  const counts = Array.from({ length: pages }, (_, page) => counter.pageMapcount(head, page));
  return counts.includes(UNKNOWN_COUNT) ? "unknown" : runsOf(counts);
}

function runsOf(values: readonly number[]): readonly (readonly [number, number, number])[] {
  const runs: [number, number, number][] = [];
  values.forEach((value, page) => {
    const last = runs.at(-1);
    if (last !== undefined && last[2] === value) last[1] = page;
    else runs.push([page, page, value]);
  });
  return runs;
}
