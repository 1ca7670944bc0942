/**
 * What processes map, by mapping and order of the folios: the paths of a flame graph.
 *
 *     process -> mapping (all VMAs of one name together) -> order -> rss, pss, uss
 *
 * The classes of frames (figures/frame-classes.ts) are divided by order first, so that one pass over the histograms
 * gives everything. Invariant: the sums over a process's stacks are its figures in the report, Pss to the byte that
 * truncation takes from each stack. An address space that several processes share counts once, with the one read.
 */
import { ATTRIBUTES, type Capture, type CapturedProcess } from "../capture/index.ts";
import {
  type FrameClass,
  FrameClasses,
  MappingSums,
  OF_PRIVATE_LEAST,
  OF_PRIVATE_MOST,
  OF_PSS,
  SUM_RSS,
  bytesOfPss,
} from "../figures/index.ts";
import { PAGE_SIZE_BYTES, readableVmaName } from "../kernel/index.ts";
import { type Scheme, createAnswersAtRest } from "../schemes/index.ts";
import type { Range } from "./capture-report.ts";
import { addNotPresent, addTriple } from "./report-on-capture.ts";

/** One path and what lies at its end. */
export interface MemoryStack {
  readonly process: Pick<CapturedProcess, "pid" | "name" | "cgroup">;
  /** The VMA's name as in maps, UTF-8 read as such; empty for plain anonymous memory. */
  readonly mapping: string;
  /** Order of the folios; 0 also for entries in transit (migration, hwpoison), whose folio is not known. */
  readonly order: number;
  readonly rssBytes: number;
  readonly pssBytes: number;
  readonly ussBytes: Range;
}

/** All paths of a capture under one scheme. */
export interface StackReport {
  readonly scheme: string;
  readonly kernelRelease: string;
  /** Milliseconds since 1970. */
  readonly beganAtMs: number;
  /** By process in the capture's order, then by first VMA and order. */
  readonly stacks: readonly MemoryStack[];
}

/** Orders that a class may be divided by: folios up to 2^31 pages. */
const ORDERS = 32;

/** Classes by class of FrameClasses and order. */
class OrderedClasses {
  readonly classes: FrameClass[] = [];
  readonly orders: number[] = [];
  private readonly known = new Map<number, number>();
  private readonly of: FrameClasses;

  constructor(of: FrameClasses) {
    this.of = of;
    for (let id = 0; id < of.classes.length; id++) this.idOf(id, 0);
  }

  idOf(id: number, order: number): number {
    const key = id * ORDERS + order;
    const found = this.known.get(key);
    if (found !== undefined) return found;
    this.known.set(key, this.classes.length);
    this.classes.push(this.of.classes[id]);
    this.orders.push(order);
    return this.classes.length - 1;
  }
}

/** Sums every path. O(pages of large folios + runs). */
export async function sumStacks(capture: Capture, scheme: Scheme): Promise<StackReport> {
  const { frames, folios, machine } = capture;
  const answered = createAnswersAtRest(folios.count);
  scheme.answerAtRest(folios, answered);
  const frameClasses = new FrameClasses([scheme], folios, [answered]);
  const classOfFrame = new Int32Array(new SharedArrayBuffer(Math.max(4, frames.frameCount * 4)));
  frameClasses.assign(frames, folios, classOfFrame);
  const ordered = new OrderedClasses(frameClasses);
  divideByOrder(capture, classOfFrame, ordered);
  const histograms = await capture.countClasses(classOfFrame, ordered.classes.length);
  const places = placesOfVmas(capture);
  const rows = new StackRows();
  for (const { triples } of histograms) {
    for (let at = 0; at < triples.length; at += 3) {
      rows.rowOf(places.placeOfVma[triples[at]], ordered.orders[Math.floor(triples[at + 1] / ATTRIBUTES)]);
    }
  }
  for (const { swap } of histograms) {
    for (let at = 0; at < swap.length; at += 4) rows.rowOf(places.placeOfVma[swap[at]], 0);
  }
  const sums = new MappingSums(rows.count, 1);
  for (const histogram of histograms) {
    const { triples } = histogram;
    for (let at = 0; at < triples.length; at += 3) {
      const index = triples[at + 1];
      const row = rows.rowOf(places.placeOfVma[triples[at]], ordered.orders[Math.floor(index / ATTRIBUTES)]);
      addTriple(sums, ordered, { row, index, pages: triples[at + 2] });
    }
    addNotPresent(capture, histogram, sums, { rowOf: (vma) => rows.rowOf(places.placeOfVma[vma], 0) });
  }
  const { kernelRelease, beganAtMs } = machine;
  return { scheme: scheme.id, kernelRelease, beganAtMs, stacks: listStacks(places.places, rows, sums) };
}

/** Gives the frames of large folios classes of their order; small folios keep theirs, which are of order 0. */
function divideByOrder({ folios, frames }: Capture, classOfFrame: Int32Array, ordered: OrderedClasses): void {
  const { headPfn, order, count } = folios;
  for (let row = 0; row < count; row++) {
    const end = Math.min(headPfn[row] + 2 ** order[row], frames.frameCount);
    let last = -1;
    let id = 0;
    for (let pfn = headPfn[row]; pfn < end; pfn++) {
      const plain = classOfFrame[pfn];
      if (plain !== last) {
        last = plain;
        id = ordered.idOf(plain, order[row]);
      }
      classOfFrame[pfn] = id;
    }
  }
}

interface Place {
  readonly process: CapturedProcess;
  readonly mapping: string;
}

/** The place of every VMA: VMAs of one name in one process have one place. */
function placesOfVmas({ processes, vmas }: Capture): { readonly placeOfVma: Int32Array; readonly places: Place[] } {
  const placeOfVma = new Int32Array(vmas.length).fill(-1);
  const places: Place[] = [];
  for (const process of processes) {
    if (process.state !== "complete") continue;
    const placeOfName = new Map<string, number>();
    for (let row = process.firstVma; row < process.endVma; row++) {
      const { name } = vmas[row];
      let place = placeOfName.get(name);
      if (place === undefined) {
        place = places.length;
        placeOfName.set(name, place);
        places.push({ process, mapping: readableVmaName(name) });
      }
      placeOfVma[row] = place;
    }
  }
  return { placeOfVma, places };
}

/** Rows of sums by place and order. */
class StackRows {
  private readonly known = new Map<number, number>();

  get count(): number {
    return this.known.size;
  }

  rowOf(place: number, order: number): number {
    const key = (place + 1) * ORDERS + order;
    const found = this.known.get(key);
    if (found !== undefined) return found;
    this.known.set(key, this.known.size);
    return this.known.size - 1;
  }

  /** Place, order and row, by place and order; place -1 is of processes that do not count. */
  entries(): { readonly place: number; readonly order: number; readonly row: number }[] {
    return [...this.known]
      .toSorted(([a], [b]) => a - b)
      .map(([key, row]) => ({ place: Math.floor(key / ORDERS) - 1, order: key % ORDERS, row }));
  }
}

function listStacks(places: readonly Place[], rows: StackRows, sums: MappingSums): MemoryStack[] {
  const at = sums.schemeAt(0);
  const stacks: MemoryStack[] = [];
  for (const { place, order, row } of rows.entries()) {
    const rssBytes = sums.get(row, SUM_RSS) * PAGE_SIZE_BYTES;
    if (place < 0 || rssBytes === 0) continue;
    stacks.push({
      ...places[place],
      order,
      rssBytes,
      pssBytes: bytesOfPss(sums.get(row, at + OF_PSS)),
      ussBytes: {
        least: sums.get(row, at + OF_PRIVATE_LEAST) * PAGE_SIZE_BYTES,
        most: sums.get(row, at + OF_PRIVATE_MOST) * PAGE_SIZE_BYTES,
      },
    });
  }
  return stacks;
}
