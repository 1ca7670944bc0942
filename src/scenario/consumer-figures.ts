/**
 * What programs that read counts through /proc would say of the processes of the model: Redis' copy-on-write figure and
 * Android's procrank (literature 4.1), by the page tables themselves and under every scheme.
 *
 * The truth is page-exact: a page is private while one entry maps it. A scheme that has no answer sends its reader to the
 * reverse map, which knows; the figure is then the truth's so far, and how many folios were walked for it is said beside it.
 * Where Private follows the folio, it is the folio that the walk finds shared or not.
 */
import { type PageCounts, ProcrankAccount, redisCopyOnWriteBytes } from "../figures/index.ts";
import { type Vma, ZERO } from "../memory/index.ts";
import { type Counter, type FigureRules, NO, UNKNOWN, UNKNOWN_COUNT } from "../schemes/index.ts";
import type { CountedMachine } from "./counted-machine.ts";
import { dumpedVmas } from "./dump-model.ts";
import { PM_PRESENT, readPagemap } from "./dump-model-pagemap.ts";
import { smapsOfVma } from "./dump-model-smaps.ts";
import type { ModelProcess } from "./model-process.ts";
import type { ConsumerFigures, ConsumerValues } from "./scenario-run.ts";

/** Private means that this page has one mapping: the rule of figures by which the truth is told. */
const PAGE_EXACT: FigureRules = { privateBy: "page-mapcount", statistics: "pages-mapped" };

/** The figures of these processes as the machine is now. O(pages mapped * schemes). */
export function consumersAt(machine: CountedMachine, processes: readonly ModelProcess[]): ConsumerFigures[] {
  const truth = new TruthCounts(machine);
  return processes.map((process) => {
    const vmas = dumpedVmas(process);
    return {
      process: process.name,
      truth: valuesOf(machine, vmas, truth, PAGE_EXACT),
      byScheme: machine.studied.map(({ scheme, counter }) => {
        const counts = new SchemeCounts(counter, process.mm.id, truth);
        return { ...valuesOf(machine, vmas, counts, scheme.rules), foliosWalked: counts.walked.size };
      }),
    };
  });
}

function valuesOf(
  machine: CountedMachine,
  vmas: readonly Vma[],
  counts: PageCounts,
  rules: FigureRules,
): ConsumerValues {
  const procrank = new ProcrankAccount();
  for (const vma of vmas) addPages(machine, vma, counts, procrank);
  return {
    privateDirtyBytes: redisCopyOnWriteBytes(vmas.map((vma) => smapsOfVma(machine.memory, vma, counts, rules))),
    procrankPssBytes: procrank.pssBytes,
    procrankUssBytes: procrank.ussBytes,
  };
}

/** The frames that pagemap shows, each with its kpagecount. */
function addPages(machine: CountedMachine, vma: Vma, counts: PageCounts, procrank: ProcrankAccount): void {
  const { frames } = machine.memory;
  const { bits, value } = readPagemap(machine, vma);
  for (let row = 0; row < bits.length; row++) {
    if ((bits[row] & PM_PRESENT) === 0) continue;
    const frame = value[row];
    if (frames.kindOf(frame) === ZERO) continue;
    const head = frames.headOf(frame);
    procrank.addPage(counts.pageMapcount(head, frame - head));
  }
}

/** The page tables' own counts; each folio is walked once. */
class TruthCounts implements PageCounts {
  private readonly machine: CountedMachine;
  private readonly known = new Map<number, { readonly pages: Int32Array; readonly mms: Set<number> }>();

  constructor(machine: CountedMachine) {
    this.machine = machine;
  }

  pageMapcount(folio: number, pageIndex: number): number {
    return this.find(folio).pages[pageIndex];
  }

  isMaybeMappedShared(folio: number): boolean {
    return this.find(folio).mms.size > 1;
  }

  private find(folio: number): { readonly pages: Int32Array; readonly mms: Set<number> } {
    let found = this.known.get(folio);
    if (found !== undefined) return found;
    const pages = new Int32Array(2 ** this.machine.orderOf(folio));
    const mms = new Set<number>();
    this.machine.pageTables.walk(folio, (first, pageCount, _level, _table, _vma, mm) => {
      for (let page = first; page < first + pageCount; page++) pages[page]++;
      mms.add(mm);
      return true;
    });
    found = { pages, mms };
    this.known.set(folio, found);
    return found;
  }
}

/** A scheme's counts as a process that maps the folios reads them; where there is no answer, the truth's. */
class SchemeCounts implements PageCounts {
  readonly walked = new Set<number>();
  private readonly counter: Counter;
  private readonly mm: number;
  private readonly truth: PageCounts;

  constructor(counter: Counter, mm: number, truth: PageCounts) {
    this.counter = counter;
    this.mm = mm;
    this.truth = truth;
  }

  pageMapcount(folio: number, pageIndex: number): number {
    const count = this.counter.pageMapcount(folio, pageIndex);
    if (count !== UNKNOWN_COUNT) return count;
    this.walked.add(folio);
    return this.truth.pageMapcount(folio, pageIndex);
  }

  isMaybeMappedShared(folio: number): boolean {
    const others = this.counter.others(folio, this.mm);
    if (others !== UNKNOWN) return others !== NO;
    this.walked.add(folio);
    return this.truth.isMaybeMappedShared(folio);
  }
}
