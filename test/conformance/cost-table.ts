/**
 * What each scheme charges for the operations of the model, on one folio: the tables of docs/costs.md.
 *
 * Each row of an operation is a scenario that leads up to it, and the step that is charged: nobody listens to decisions, so
 * what is charged is the counting of the step's batches and the walks that it makes.
 */
import { createModelHistory } from "../../src/scenario/index.ts";
import { mappingsOf } from "../../src/memory/index.ts";
import { scenarioOf } from "../../src/scenario/parse-scenario.ts";
import {
  COST_NAMES,
  type Counter,
  type CountingCost,
  type Question,
  SCHEMES,
  type Scheme,
} from "../../src/schemes/index.ts";
import { formatTable } from "./doc-table.ts";

/** Costs as the tables show them: short, and those that are nearly always there first. */
const SHORT: readonly (readonly [CountingCost, string])[] = [
  ["atomics", "a"],
  ["structPageLines", "l"],
  ["largeMapcountLocks", "k"],
  ["vmasVisited", "v"],
  ["tablesVisited", "t"],
  ["pageTableLocks", "p"],
  ["entriesExamined", "e"],
];

/** A folio of so many KiB at 0x200000000, mapped by PTEs or by a PMD entry. */
export interface MappedFolio {
  readonly sizeKb: number;
  readonly byPmd: boolean;
}

interface ChargedOperation {
  readonly name: string;
  /** Lines behind the first touch; the last one is charged. */
  readonly lines: (folio: MappedFolio) => readonly string[];
  /** Is there such an operation on this folio? */
  readonly applies?: (folio: MappedFolio) => boolean;
}

const isLarge = ({ sizeKb }: MappedFolio): boolean => sizeKb > 4;

/** In the order of the tables' columns. */
export const OPERATIONS: readonly ChargedOperation[] = [
  { name: "first touch", lines: () => [], applies: ({ sizeKb, byPmd }) => sizeKb < 2048 || byPmd },
  { name: "fork", lines: () => ["P fork C"] },
  { name: "copy a page", lines: () => ["P fork C", "C touch @a+0 4k w"] },
  { name: "exit of the child", lines: () => ["P fork C", "C exit"] },
  { name: "unmap the last", lines: ({ sizeKb }) => [`P munmap @a ${sizeKb}k`] },
  {
    name: "unmap half",
    lines: ({ sizeKb }) => [`P madvise @a ${sizeKb / 2}k dontneed`],
    applies: isLarge,
  },
  {
    name: "split the VMA inside",
    lines: ({ sizeKb }) => [`P mprotect @a ${sizeKb / 2}k r`],
    applies: isLarge,
  },
  {
    name: "swap out",
    lines: ({ sizeKb }) => ["P fork C", `C touch @a ${sizeKb}k w`, `P madvise @a ${sizeKb}k pageout`],
  },
];

function linesOf(operation: ChargedOperation, folio: MappedFolio): string[] {
  const { sizeKb, byPmd } = folio;
  // A PTE-mapped folio of 2 MiB is one whose PMD entry was split.
  const split = sizeKb === 2048 && !byPmd ? ["P mprotect @a 4k r", "P mprotect @a 4k rw"] : [];
  return [
    "swapon /dev/ram1",
    sizeKb === 4 ? "thp 16kB never" : `thp ${sizeKb}kB always`,
    "spawn P",
    `P mmap a 0x200000000 ${sizeKb}k rw anon,priv`,
    `P touch @a ${sizeKb}k w ${sizeKb}k`,
    ...split,
    ...operation.lines(folio),
  ];
}

/** What the last line of the operation's scenario is charged under each scheme, by scheme id. */
export function chargesOf(
  operation: ChargedOperation,
  folio: MappedFolio,
  schemes: readonly Scheme[] = SCHEMES,
): ReadonlyMap<string, Readonly<Record<CountingCost, number>>> {
  const lines = linesOf(operation, folio);
  const history = createModelHistory(scenarioOf(lines.join("\n"), "costs.scn"), {
    config: "page",
    schemes,
    frameCount: 65_536,
  });
  const { machine } = history;
  let before = machine.studied.map(({ meter }) => meter.totals.slice());
  for (let step = history.next(); step !== undefined; step = history.next()) {
    if (step.line === lines.length) break;
    before = machine.studied.map(({ meter }) => meter.totals.slice());
  }
  return new Map(machine.studied.map(({ scheme, meter }, at) => [scheme.id, meter.since(before[at])]));
}

function formatCharges(charges: Readonly<Record<CountingCost, number>>): string {
  const shown = SHORT.filter(([name]) => charges[name] > 0).map(([name, short]) => `${charges[name]}${short}`);
  return shown.length === 0 ? "-" : shown.join(" ");
}

/** One table: schemes by operation. */
export function costTable(folio: MappedFolio): string {
  const operations = OPERATIONS.filter(({ applies }) => applies === undefined || applies(folio));
  const charges = operations.map((operation) => chargesOf(operation, folio));
  const rows = SCHEMES.map(({ id }) => [
    `\`${id}\``,
    ...charges.map((ofSchemes) => {
      const found = ofSchemes.get(id);
      if (found === undefined) throw new Error(`scheme ${id} was not charged`);
      return formatCharges(found);
    }),
  ]);
  return formatTable(["scheme", ...operations.map(({ name }) => name)], rows);
}

const QUESTIONS: readonly (readonly [
  Question,
  (counter: Counter, folio: number, mm: number, vma: number) => unknown,
])[] = [
  ["mapped", (counter, folio) => counter.mapped(folio)],
  ["mappings", (counter, folio) => counter.mappings(folio)],
  ["pageMapcount", (counter, folio) => counter.pageMapcount(folio, 0)],
  ["others", (counter, folio, mm) => counter.others(folio, mm)],
  ["otherVmas", (counter, folio, _mm, vma) => counter.otherVmas(folio, vma)],
  ["partial", (counter, folio) => counter.partial(folio)],
  ["canReuse", (counter, folio, mm) => counter.canReuse(folio, mm)],
  ["stopWalk", (counter, folio) => counter.stopWalk(folio, 1)],
  ["extraReferences", (counter, folio) => counter.extraReferences(folio)],
  ["pinned", (counter, folio) => counter.pinned(folio)],
];

/** Loads and lines of struct page that an answer takes, of a folio of 64 KiB that a parent and a child map by PTEs. */
export function questionTable(): string {
  const lines = [...linesOf(OPERATIONS[0], { sizeKb: 64, byPmd: false }), "P fork C"];
  const history = createModelHistory(scenarioOf(lines.join("\n"), "questions.scn"), {
    config: "page",
    schemes: SCHEMES,
    frameCount: 65_536,
  });
  while (history.next() !== undefined);
  const { machine } = history;
  const [folio] = machine.mappedFolios();
  const [{ vma }] = mappingsOf(machine.memory, folio);
  const rows = machine.studied.map(({ scheme, counter, meter }) => [
    `\`${scheme.id}\``,
    ...QUESTIONS.map(([, ask]) => {
      const before = meter.totals.slice();
      ask(counter, folio, vma.mm.id, vma.id);
      const { loads, structPageLines } = meter.since(before);
      if (loads === 0) return "-";
      return structPageLines === 0 ? String(loads) : `${loads} ${structPageLines}l`;
    }),
  ]);
  return formatTable(["scheme", ...QUESTIONS.map(([question]) => `\`${question}\``)], rows);
}

/** Every cost has its place in the tables, or is said to be left out. */
export const LEFT_OUT: readonly CountingCost[] = COST_NAMES.filter((name) => !SHORT.some(([shown]) => shown === name));
