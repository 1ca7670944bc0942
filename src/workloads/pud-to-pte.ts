/**
 * A folio of 1 GiB from one PUD entry to PMD entries to PTEs, in several address spaces at different stages.
 *
 *     PUD   [                 262,144 pages                  ]      1 entry,  1 pair of a VMA and a table
 *     PMD   [ 512 ][ 512 ][ 512 ]       ...           [ 512 ]     512 entries in one table, 1 pair
 *     PTE   [....][ 512 ][....]                                    512 entries a table, up to 512 pairs
 *
 * The model has no folios above PMD size, so this runs on the entry machine. Splitting all of it adds 511 to a count of
 * tables; entries of three levels are in one mapcount, which an average must take apart again (design of goal (a) of the
 * 2026 topic); and what is mapped is no longer told by the number of entries (the RFC's total of mapped pages).
 */
import { HPAGE_PMD_NR, HPAGE_PUD_NR, LEVEL_PUD } from "../kernel/index.ts";
import { ANON } from "../memory/index.ts";
import type { EntryMachine } from "../scenario/index.ts";
import { drawDistinct, drawIndex, drawOne, shareOf, takeOne } from "./random.ts";
import type { EntryWorkload, Random, WorkloadValues } from "./workload.ts";

const PUD_ORDER = 18;
const FOLIOS_MAX = 2;
const PMDS = HPAGE_PUD_NR / HPAGE_PMD_NR;
/** Virtual page of the first folio; each is aligned to 1 GiB. */
const FIRST_PAGE = HPAGE_PUD_NR;

interface Step {
  readonly operation: string;
  readonly text: string;
}

/** An address space and its only VMA. */
interface Space {
  readonly name: string;
  readonly mm: number;
}

function vmaOf(machine: EntryMachine, { mm }: Space): number {
  return machine.vmasOf(mm)[0];
}

/** Takes one folio in one address space apart: to PMD entries, some of these to PTEs, and some pages are given back. */
function* takeApart(
  machine: EntryMachine,
  values: WorkloadValues,
  random: Random,
  space: Space,
  page: number,
): Generator<Step> {
  const vma = vmaOf(machine, space);
  machine.splitPud(vma, page);
  yield { operation: "split-pud", text: `${space.name} split-pud ${page}` };
  const split = drawDistinct(random, shareOf(PMDS, values.ptePercent), PMDS);
  for (const pmd of split) {
    machine.splitPmd(vma, page + pmd * HPAGE_PMD_NR);
    yield { operation: "split-pmd", text: `${space.name} split-pmd ${page + pmd * HPAGE_PMD_NR}` };
  }
  for (let unmap = 0; unmap < values.unmaps; unmap++) {
    const first = drawIndex(random, HPAGE_PMD_NR);
    const count = 1 + drawIndex(random, HPAGE_PMD_NR - first);
    const at = page + drawOne(random, split) * HPAGE_PMD_NR + first;
    machine.unmap(vma, at, count);
    yield { operation: "dontneed", text: `${space.name} dontneed ${at} ${count}` };
  }
}

function* steps(machine: EntryMachine, values: WorkloadValues, random: Random): Generator<Step> {
  const { folios, processes } = values;
  const first: Space = { name: "P0", mm: machine.createMm() };
  const vma = machine.createVma(first.mm, FIRST_PAGE, folios * HPAGE_PUD_NR);
  const pages = Array.from({ length: folios }, (_, folio) => FIRST_PAGE + folio * HPAGE_PUD_NR);
  for (const page of pages) {
    const head = machine.createFolio(PUD_ORDER, ANON);
    machine.map(head, 0, HPAGE_PUD_NR, LEVEL_PUD, vma, page);
    yield { operation: "fault", text: `P0 map-pud ${page}` };
  }
  const alive = [first];
  for (let number = 1; number <= processes; number++) {
    const space: Space = { name: `P${number}`, mm: machine.forkMm(first.mm) };
    alive.push(space);
    yield { operation: "fork", text: `P0 fork ${space.name}` };
  }
  // One address space keeps its PUD entries while the others are taken apart; then it is the last one's turn, or its end.
  for (const space of alive.slice(1)) {
    for (const page of pages) yield* takeApart(machine, values, random, space, page);
  }
  while (alive.length > 1) {
    const { name, mm } = takeOne(random, alive);
    machine.exitMm(mm);
    yield { operation: "exit", text: `${name} exit` };
  }
}

export const pudToPte: EntryWorkload = {
  kind: "entries",
  id: "pud-to-pte",
  title: "folios of 1 GiB from PUD to PMD to PTE",
  about:
    "Anonymous folios of 1 GiB are mapped by PUD entries and forked; each child splits its PUD entries to PMD entries, some of " +
    "these to PTEs, and gives parts back, while the parent keeps its own; then all but one exit in random order. Splitting a " +
    "1 GiB folio is one of the synthetic traces of the source and Wilcox's example of a count of tables that grows by 511. No " +
    "kernel of today maps anonymous folios so; shares and numbers are guesses. Schemes that count only entries of whole " +
    "folios cannot follow and are left out.",
  source: "literature 5 (synthetic traces) and 1.6; LSF/MM/BPF topic of February 2026, goal (a)",
  parameters: {
    folios: { about: "folios of 1 GiB", default: 1, min: 1, max: FOLIOS_MAX },
    processes: { about: "processes forked", default: 4, min: 1, max: 256 },
    ptePercent: {
      about: "share of the PMD entries that a process splits into PTEs, in percent",
      default: 10,
      min: 1,
      max: 100,
    },
    unmaps: { about: "pieces that a process gives back of each folio", default: 16, min: 0, max: 65_536 },
  },
  machine: { frameCount: FOLIOS_MAX * HPAGE_PUD_NR, leafEntries: "any-part" },
  steps,
};
