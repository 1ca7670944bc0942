/**
 * The passes over a thread's runs, once the frames are counted and their folios known.
 *
 * - `collectEvents`: the batches on large folios, as the schemes' events: every stretch of a run inside one folio.
 * - `collectHistograms`: for each VMA how many of its pages have a frame of each class. A class is a small integer that
 *   the caller gave to every frame; what it means is the caller's business (figures/frame-class.ts).
 * - `countRuns`: the difference table again, for stored runs and for taking back processes that ended.
 *
 * All three walk a run by its frames in ascending order; a run whose frames descend covers the same frames.
 */
import { HPAGE_PMD_NR, HPAGE_PMD_ORDER, KIND_HUGETLB, LEVEL_PMD } from "../kernel/index.ts";
import { FRAME_KIND_MASK, FRAME_LARGE, type FrameDifference, countRun, folioOfFrame } from "./frame-table.ts";
import {
  BITS_AT,
  FRAME_AT,
  PAGES_AT,
  RUN_EXCLUSIVE,
  RUN_FILE,
  RUN_LEVEL_SHIFT,
  RUN_PRESENT,
  RUN_TEMPLATE,
  type RunSource,
  STEP_AT,
  VMA_AT,
} from "./run-blocks.ts";
import type { RunTemplates } from "./run-templates.ts";

/** Words of an event: folio, first page, pages, level (and EVENT_EXCLUSIVE), vma, mm. */
export const EVENT_WORDS = 6;
/** Beside the level: pagemap said PM_MMAP_EXCLUSIVE of these entries. */
export const EVENT_EXCLUSIVE = 0x100;
export const EVENT_LEVEL_MASK = 0xff;

/** What the passes know of VMAs and frames. */
export interface PassTables {
  /** Row of the mm of each VMA. */
  readonly mmOfVma: Int32Array;
  /** 1 for an mm whose runs count; 0 for one that ended while it was read. */
  readonly mmAlive: Uint8Array;
  readonly frameCount: number;
  readonly kind: Uint8Array;
  readonly blockFirstFolio: Int32Array;
  readonly headPfn: Float64Array;
  readonly order: Uint8Array;
  readonly folioCount: number;
}

/** A growing list of 32-bit words. */
class WordList {
  words = new Int32Array(4096);
  length = 0;

  reserve(more: number): void {
    if (this.length + more <= this.words.length) return;
    const larger = new Int32Array(Math.max(this.words.length * 2, this.length + more));
    larger.set(this.words);
    this.words = larger;
  }

  finished(): Int32Array {
    return this.words.slice(0, this.length);
  }
}

/** Adds (1) or takes back (-1) the runs of every mm for which `wanted` is 1. Returns entries outside the table. */
export function countRuns(
  runs: RunSource,
  mmOfVma: Int32Array,
  wanted: Uint8Array,
  difference: FrameDifference,
  sign: 1 | -1,
): number {
  let outside = 0;
  runs.forEachRun((block, at, vma) => {
    if ((block[BITS_AT + at] & RUN_PRESENT) === 0 || wanted[mmOfVma[vma]] === 0) return;
    const pages = block[PAGES_AT + at];
    const inside =
      block[FRAME_AT + 2 * at + 1] === 0 &&
      countRun(difference, block[FRAME_AT + 2 * at] >>> 0, pages, block[STEP_AT + at], sign);
    if (!inside) outside += pages;
  });
  return outside;
}

/** The batches on large folios, in the order of the runs: words of EVENT_WORDS each. */
export function collectEvents(runs: RunSource, tables: PassTables): Int32Array {
  const list = new WordList();
  const { mmOfVma, mmAlive, frameCount } = tables;
  const blockHasFolio = blocksWithFolios(tables);
  const { templates } = runs;
  const withoutFolios = templatesWithoutFolios(templates, blockHasFolio);
  const visit = (block: Int32Array, at: number, vma: number): void => {
    const pages = block[PAGES_AT + at];
    const frame = block[FRAME_AT + 2 * at] >>> 0;
    // Most runs are one page of small folios: decided by one look.
    if (pages === 1 && blockHasFolio[frame >>> 9] === 0) return;
    const bits = block[BITS_AT + at];
    if ((bits & RUN_PRESENT) === 0 || block[FRAME_AT + 2 * at + 1] !== 0) return;
    const step = block[STEP_AT + at];
    const lowest = step < 0 ? frame - pages + 1 : frame;
    const end = step === 0 ? frame + 1 : lowest + pages;
    const mm = mmOfVma[vma];
    if (end > frameCount || mmAlive[mm] === 0) return;
    const level = (bits >>> RUN_LEVEL_SHIFT) | ((bits & RUN_EXCLUSIVE) !== 0 ? EVENT_EXCLUSIVE : 0);
    const repeat = step === 0 ? pages : 1;
    for (let pfn = lowest; pfn < end;) {
      const frameBlock = pfn >>> 9;
      if (blockHasFolio[frameBlock] === 0) pfn = (frameBlock + 1) * HPAGE_PMD_NR;
      else pfn = emitFolio(list, tables, { pfn, end, level, vma, mm, repeat });
    }
  };
  runs.forEachBlock((block, count) => {
    for (let at = 0; at < count; at++) {
      if ((block[BITS_AT + at] & RUN_TEMPLATE) === 0) visit(block, at, block[VMA_AT + at]);
      else {
        const template = block[FRAME_AT + 2 * at];
        if (withoutFolios[template] === 0) templates.forEachRun(template, block[VMA_AT + at], visit);
      }
    }
  });
  return list.finished();
}

/** 1 for templates none of whose frames lies in a block with a large folio. */
function templatesWithoutFolios(templates: RunTemplates, blockHasFolio: Uint8Array): Uint8Array {
  const without = new Uint8Array(templates.count).fill(1);
  for (let template = 0; template < templates.count; template++) {
    templates.forEachRun(template, -1, (block, at) => {
      const pages = block[PAGES_AT + at];
      const frame = block[FRAME_AT + 2 * at] >>> 0;
      const lowest = block[STEP_AT + at] < 0 ? frame - pages + 1 : frame;
      // A template's run is at most 512 frames long, so it touches one block or two.
      if (blockHasFolio[lowest >>> 9] === 1 || blockHasFolio[(lowest + pages - 1) >>> 9] === 1) without[template] = 0;
    });
  }
  return without;
}

/** Emits the batch at `pfn` if a large folio lies there; returns where to go on. */
function emitFolio(
  list: WordList,
  tables: PassTables,
  run: { pfn: number; end: number; level: number; vma: number; mm: number; repeat: number },
): number {
  const { pfn, end, level, vma, mm, repeat } = run;
  const kind = tables.kind[pfn];
  if ((kind & FRAME_LARGE) === 0) return pfn + 1;
  const row = folioOfFrame(tables.blockFirstFolio, tables.headPfn, tables.folioCount, pfn);
  if (row < 0) return pfn + 1;
  const head = tables.headPfn[row];
  let behind = pfn + 1;
  while (
    behind < end &&
    (tables.kind[behind] & FRAME_LARGE) !== 0 &&
    (row + 1 >= tables.folioCount || behind < tables.headPfn[row + 1])
  )
    behind++;
  const entryLevel = (kind & FRAME_KIND_MASK) === KIND_HUGETLB ? LEVEL_PMD | (level & EVENT_EXCLUSIVE) : level;
  for (let i = 0; i < repeat; i++) {
    list.reserve(EVENT_WORDS);
    const { words, length } = list;
    words[length] = row;
    words[length + 1] = pfn - head;
    words[length + 2] = behind - pfn;
    words[length + 3] = entryLevel;
    words[length + 4] = vma;
    words[length + 5] = mm;
    list.length += EVENT_WORDS;
  }
  return behind;
}

function blocksWithFolios({ frameCount, headPfn, folioCount, order }: PassTables): Uint8Array {
  const blocks = new Uint8Array(Math.ceil(frameCount / HPAGE_PMD_NR));
  for (let row = 0; row < folioCount; row++) {
    const first = Math.floor(headPfn[row] / HPAGE_PMD_NR);
    const span = order[row] > HPAGE_PMD_ORDER ? 2 ** (order[row] - HPAGE_PMD_ORDER) : 1;
    blocks.fill(1, first, first + span);
  }
  return blocks;
}

/** Attributes of entries within a histogram: index = class * ATTRIBUTES + attribute bits. */
export const ATTRIBUTES = 16;
/** pagemap said PM_MMAP_EXCLUSIVE. */
export const ATTRIBUTE_EXCLUSIVE = 1;
/** pagemap said FILE. */
export const ATTRIBUTE_FILE = 2;
/** The entry is a PMD. */
export const ATTRIBUTE_PMD = 4;
/** Not pages of their own: a PMD entry's 512 pages, filed under the class of its first page (kernel-facts 3.7). */
export const ATTRIBUTE_PMD_HEAD = 8;

/** Histograms of VMAs: triples (vma, class * ATTRIBUTES + attributes, pages); and swap-type entries. */
export interface Histograms {
  readonly triples: Int32Array;
  /** Quadruples (vma, frame low word, pages, bits) of entries that are not present. */
  readonly swap: Int32Array;
}

/** Counts pages by class, VMA by VMA, in the order of the runs. */
export function collectHistograms(
  runs: RunSource,
  tables: Pick<PassTables, "mmOfVma" | "mmAlive" | "frameCount">,
  classOfFrame: Int32Array,
  classCount: number,
): Histograms {
  const pass = new HistogramPass(classOfFrame, classCount, tables.frameCount);
  const ofTemplates = new TemplateHistograms(runs.templates, pass.ofOwn());
  runs.forEachBlock((block, count) => {
    for (let at = 0; at < count; at++) {
      const vma = block[VMA_AT + at];
      if (tables.mmAlive[tables.mmOfVma[vma]] === 0) continue;
      if (vma !== pass.vma) pass.turn(vma);
      if ((block[BITS_AT + at] & RUN_TEMPLATE) === 0) pass.addRun(block, at);
      else ofTemplates.addTo(pass, block[FRAME_AT + 2 * at]);
    }
  });
  pass.turn(-1);
  return { triples: pass.triples.finished(), swap: pass.swap.finished() };
}

/** Histograms of templates, each made when first asked for. */
class TemplateHistograms {
  private readonly triplesOf: (Int32Array | undefined)[] = [];
  private readonly templates: RunTemplates;
  private readonly pass: HistogramPass;

  constructor(templates: RunTemplates, pass: HistogramPass) {
    this.templates = templates;
    this.pass = pass;
  }

  addTo(target: HistogramPass, template: number): void {
    const triples = (this.triplesOf[template] ??= this.make(template));
    for (let at = 0; at < triples.length; at += 3) target.add(triples[at + 1], triples[at + 2]);
  }

  private make(template: number): Int32Array {
    const { pass } = this;
    pass.turn(template);
    this.templates.forEachRun(template, template, (block, at) => pass.addRun(block, at));
    pass.turn(-1);
    const triples = pass.triples.finished();
    pass.triples.length = 0;
    return triples;
  }
}

const PAGES_PER_TRIPLE_MAX = 2 ** 30;
/** Frames looked at together: what is shared by many is mapped in long runs of one class. */
const GRAIN_SHIFT = 6;
const GRAIN_MASK = 63;
const GRAIN_UNKNOWN = 0;
const GRAIN_OF_ONE_CLASS = 1;
const GRAIN_MIXED = 2;

class HistogramPass {
  vma = -1;
  readonly triples = new WordList();
  readonly swap = new WordList();
  private readonly pages: Int32Array;
  private readonly touched: Int32Array;
  private touchedCount = 0;
  private readonly classOfFrame: Int32Array;
  private readonly frameCount: number;
  private readonly grains: Uint8Array;

  constructor(classOfFrame: Int32Array, classCount: number, frameCount: number, grains?: Uint8Array) {
    this.grains = grains ?? new Uint8Array((frameCount >>> GRAIN_SHIFT) + 1);
    this.classOfFrame = classOfFrame;
    this.frameCount = frameCount;
    this.pages = new Int32Array(classCount * ATTRIBUTES);
    this.touched = new Int32Array(classCount * ATTRIBUTES);
  }

  /** Ends the current VMA and begins another. */
  turn(vma: number): void {
    const { pages, touched, triples } = this;
    triples.reserve(3 * this.touchedCount);
    for (let i = 0; i < this.touchedCount; i++) {
      const index = touched[i];
      triples.words[triples.length] = this.vma;
      triples.words[triples.length + 1] = index;
      triples.words[triples.length + 2] = pages[index];
      triples.length += 3;
      pages[index] = 0;
    }
    this.touchedCount = 0;
    this.vma = vma;
  }

  addRun(block: Int32Array, at: number): void {
    const bits = block[BITS_AT + at];
    const pages = block[PAGES_AT + at];
    const frame = block[FRAME_AT + 2 * at];
    if ((bits & RUN_PRESENT) === 0) {
      this.addSwap(frame, pages, bits);
      return;
    }
    const step = block[STEP_AT + at];
    const lowest = step < 0 ? (frame >>> 0) - pages + 1 : frame >>> 0;
    const pmd = bits >>> RUN_LEVEL_SHIFT === LEVEL_PMD;
    const attributes =
      ((bits & RUN_EXCLUSIVE) !== 0 ? ATTRIBUTE_EXCLUSIVE : 0) |
      ((bits & RUN_FILE) !== 0 ? ATTRIBUTE_FILE : 0) |
      (pmd ? ATTRIBUTE_PMD : 0);
    if (block[FRAME_AT + 2 * at + 1] !== 0 || lowest + (step === 0 ? 1 : pages) > this.frameCount) {
      this.add(attributes, pages);
      return;
    }
    if (step === 0) {
      this.add(this.classOfFrame[lowest] * ATTRIBUTES + attributes, pages);
      return;
    }
    this.addFrames(lowest, lowest + pages, attributes);
    if (!pmd) return;
    for (let pfn = lowest; pfn < lowest + pages; pfn += HPAGE_PMD_NR) {
      this.add(this.classOfFrame[pfn] * ATTRIBUTES + (attributes | ATTRIBUTE_PMD_HEAD), HPAGE_PMD_NR);
    }
  }

  private addFrames(from: number, end: number, attributes: number): void {
    const { classOfFrame } = this;
    let since = from;
    let current = classOfFrame[from];
    for (let pfn = from + 1; pfn < end; pfn++) {
      const next = classOfFrame[pfn];
      if (next !== current) {
        this.add(current * ATTRIBUTES + attributes, pfn - since);
        current = next;
        since = pfn;
      }
      if ((pfn & GRAIN_MASK) === 0 && end - pfn > GRAIN_MASK && this.isOneClass(pfn)) pfn += GRAIN_MASK;
    }
    this.add(current * ATTRIBUTES + attributes, end - since);
  }

  /** Whether all frames of the grain that begins here have one class; found out once. */
  private isOneClass(pfn: number): boolean {
    const { classOfFrame, grains } = this;
    const grain = pfn >>> GRAIN_SHIFT;
    if (grains[grain] === GRAIN_UNKNOWN) {
      const first = classOfFrame[pfn];
      let at = pfn + 1;
      while (at < pfn + GRAIN_MASK && classOfFrame[at] === first) at++;
      grains[grain] = classOfFrame[at] === first ? GRAIN_OF_ONE_CLASS : GRAIN_MIXED;
    }
    return grains[grain] === GRAIN_OF_ONE_CLASS;
  }

  /** Another pass over the same frames and classes, with sums of its own. */
  ofOwn(): HistogramPass {
    return new HistogramPass(this.classOfFrame, this.pages.length / ATTRIBUTES, this.frameCount, this.grains);
  }

  /** Adds pages at an index of class and attributes. */
  add(index: number, pages: number): void {
    if (this.pages[index] === 0) this.touched[this.touchedCount++] = index;
    // A VMA of terabytes is filed in several triples rather than overflow one.
    if ((this.pages[index] += pages) > PAGES_PER_TRIPLE_MAX) this.turn(this.vma);
  }

  private addSwap(frame: number, pages: number, bits: number): void {
    const { swap } = this;
    swap.reserve(4);
    swap.words[swap.length] = this.vma;
    swap.words[swap.length + 1] = frame;
    swap.words[swap.length + 2] = pages;
    swap.words[swap.length + 3] = bits;
    swap.length += 4;
  }
}
