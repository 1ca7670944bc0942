/**
 * Classes of frames: all frames of a class are answered alike by every scheme under study.
 *
 * A class is (kind, true mapcount, the schemes' answers for the frame's folio). A machine has some hundreds of them, so
 * what a process maps is a short histogram, and any number of schemes costs nothing per page. Class 0 holds what is
 * never counted: zero pages, device memory without a count. Class 1 holds frames that changed under the reader.
 */
import {
  FRAME_KIND_MASK,
  FRAME_LARGE,
  type FolioColumns,
  HPAGE_PMD_NR,
  KIND_NONE,
  KIND_UNCOUNTED,
} from "../kernel/index.ts";
import { type Answer, type AnswersAtRest, NO, type Scheme, YES } from "../schemes/index.ts";
import { type PageAnswers, pageAnswers } from "./page-answers.ts";

/** The class of everything that is never counted. */
export const UNCOUNTED_CLASS = 0;
/** The class of frames that changed under the reader: freed or put to other use since an entry was seen to map them. */
export const CHANGED_CLASS = 1;

/** One class. */
export interface FrameClass {
  readonly kind: number;
  /** Page-table entries that map each frame of the class. */
  readonly mapcount: number;
  readonly large: boolean;
  /** By scheme, in the order of the study. */
  readonly answers: readonly PageAnswers[];
  /** Frames in the class. */
  frames: number;
}

/** The tables that classes are read from; the capture's FrameTable has this shape. */
export interface ClassifiedFrames {
  readonly frameCount: number;
  readonly mapcount: Int32Array;
  readonly kind: Uint8Array;
  readonly blockMapped: Uint8Array;
}

/** Mapcounts below this find their small class in an array. */
const DIRECT_MAPCOUNTS = 4096;
const MAPCOUNT_SPAN = 2 ** 31;

/** Gives every frame a class. */
export class FrameClasses {
  readonly classes: FrameClass[] = [
    { kind: KIND_UNCOUNTED, mapcount: 0, large: false, answers: [], frames: 0 },
    { kind: KIND_NONE, mapcount: 0, large: false, answers: [], frames: 0 },
  ];
  private readonly schemes: readonly Scheme[];
  private readonly answers: readonly AnswersAtRest[];
  private readonly groupOfFolio: Int32Array;
  /** A folio of each group, to read its answers from. */
  private readonly folioOfGroup: number[] = [];
  private readonly smallClass: (Int32Array | undefined)[] = [];
  private readonly otherClass = new Map<number, number>();

  constructor(schemes: readonly Scheme[], folios: FolioColumns, answers: readonly AnswersAtRest[]) {
    this.schemes = schemes;
    this.answers = answers;
    this.groupOfFolio = this.groupFolios(folios);
  }

  /** Writes the class of every frame into `classOfFrame` (0 where unmapped) and counts frames. O(mapped blocks). */
  assign(frames: ClassifiedFrames, folios: FolioColumns, classOfFrame: Int32Array): void {
    let row = 0;
    for (let block = 0; block < frames.blockMapped.length; block++) {
      if (frames.blockMapped[block] === 0) continue;
      const start = block * HPAGE_PMD_NR;
      while (row < folios.count && folios.headPfn[row] + (1 << folios.order[row]) <= start) row++;
      row = this.assignBlock(frames, folios, classOfFrame, { start, row });
    }
  }

  private assignBlock(
    { mapcount, kind, frameCount }: ClassifiedFrames,
    folios: FolioColumns,
    classOfFrame: Int32Array,
    at: { readonly start: number; readonly row: number },
  ): number {
    const { groupOfFolio } = this;
    const end = Math.min(frameCount, at.start + HPAGE_PMD_NR);
    let { row } = at;
    let lastKind = -1;
    let lastCount = -1;
    let lastGroup = -1;
    let lastClass = 0;
    let frames = 0;
    for (let pfn = at.start; pfn < end; pfn++) {
      const count = mapcount[pfn];
      if (count <= 0) {
        // Nobody is left who maps it, but its flags were looked at: whoever had an entry for it finds it changed.
        if (kind[pfn] !== 0) classOfFrame[pfn] = CHANGED_CLASS;
        continue;
      }
      const kindByte = kind[pfn] & (FRAME_KIND_MASK | FRAME_LARGE);
      let group = -1;
      if ((kindByte & FRAME_LARGE) !== 0) {
        while (row < folios.count && folios.headPfn[row] + (1 << folios.order[row]) <= pfn) row++;
        group = row < folios.count && folios.headPfn[row] <= pfn ? groupOfFolio[row] : -1;
      }
      if (kindByte !== lastKind || count !== lastCount || group !== lastGroup) {
        this.classes[lastClass].frames += frames;
        frames = 0;
        lastKind = kindByte;
        lastCount = count;
        lastGroup = group;
        lastClass = this.classOf(kindByte & FRAME_KIND_MASK, count, group);
      }
      classOfFrame[pfn] = lastClass;
      frames++;
    }
    this.classes[lastClass].frames += frames;
    return row;
  }

  private classOf(kind: number, mapcount: number, group: number): number {
    if (kind === KIND_NONE) return CHANGED_CLASS;
    if (kind === KIND_UNCOUNTED) return UNCOUNTED_CLASS;
    if (group < 0 && mapcount < DIRECT_MAPCOUNTS) {
      const row = (this.smallClass[kind] ??= new Int32Array(DIRECT_MAPCOUNTS));
      if (row[mapcount] === 0) row[mapcount] = this.addClass(kind, mapcount, -1);
      return row[mapcount];
    }
    const key = ((group + 1) * 8 + kind) * MAPCOUNT_SPAN + mapcount;
    let found = this.otherClass.get(key);
    if (found === undefined) {
      found = this.addClass(kind, mapcount, group);
      this.otherClass.set(key, found);
    }
    return found;
  }

  private addClass(kind: number, mapcount: number, group: number): number {
    const answers = this.schemes.map(({ rules }, index) => {
      if (group < 0) return pageAnswers(rules, mapcount, mapcount > 1 ? YES : NO);
      const folio = this.folioOfGroup[group];
      const { pageMapcount, shared } = this.answers[index];
      const answered = pageMapcount[folio];
      return pageAnswers(rules, answered < 0 ? mapcount : answered, shared[folio] as Answer);
    });
    return this.classes.push({ kind, mapcount, large: group >= 0, answers, frames: 0 }) - 1;
  }

  /** Folios with equal answers by every scheme form a group. */
  private groupFolios(folios: FolioColumns): Int32Array {
    const groupOfFolio = new Int32Array(folios.count);
    const groups = new Map<string, number>();
    for (let row = 0; row < folios.count; row++) {
      let key = "";
      for (const { pageMapcount, shared } of this.answers) key += `${pageMapcount[row]} ${shared[row]} `;
      let group = groups.get(key);
      if (group === undefined) {
        group = this.folioOfGroup.push(row) - 1;
        groups.set(key, group);
      }
      groupOfFolio[row] = group;
    }
    return groupOfFolio;
  }
}
