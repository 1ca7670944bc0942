import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  FRAME_DISAGREES,
  FRAME_LARGE,
  FolioColumns,
  type FolioKind,
  KIND_ANON,
  KIND_FILE,
  KIND_HUGETLB,
  KIND_NONE,
  KIND_SHMEM,
  KIND_UNCOUNTED,
} from "../kernel/index.ts";
import { type Answer, EITHER, NO, SCHEMES, YES, createAnswersAtRest } from "../schemes/index.ts";
import { type FrameClass, FrameClasses, UNCOUNTED_CLASS, CHANGED_CLASS } from "./frame-classes.ts";
import { pageAnswers } from "./page-answers.ts";

interface FrameRecipe {
  readonly kind: FolioKind;
  readonly order: number;
  readonly gap: number;
  /** Mapcounts of its frames, in turn; 0 is not mapped. */
  readonly counts: readonly number[];
  readonly answered: number;
  readonly shared: Answer;
}

const recipes: fc.Arbitrary<FrameRecipe[]> = fc.array(
  fc.record({
    kind: fc.constantFrom<FolioKind>(KIND_ANON, KIND_FILE, KIND_SHMEM, KIND_HUGETLB, KIND_UNCOUNTED, KIND_NONE),
    order: fc.constantFrom(0, 0, 1, 3, 9, 10),
    gap: fc.oneof(fc.nat(4), fc.constant(700)),
    counts: fc.array(fc.constantFrom(0, 1, 1, 2, 3, 4095, 4096, 2 ** 31 - 1), { minLength: 1, maxLength: 5 }),
    answered: fc.constantFrom(-1, 1, 2, 500),
    shared: fc.constantFrom<Answer>(NO, YES, EITHER),
  }),
  { maxLength: 15 },
);

/** Frames and folios of the recipes, and for each frame the recipe it is of. */
function makeFrames(all: readonly FrameRecipe[]) {
  const folios = new FolioColumns(1);
  const recipeOfFrame = new Map<number, FrameRecipe>();
  const answers = SCHEMES.map(() => createAnswersAtRest(all.length));
  let frame = 0;
  for (const recipe of all) {
    const size = 2 ** recipe.order;
    const head = Math.ceil((frame + recipe.gap) / size) * size;
    frame = head + size;
    for (let pfn = head; pfn < frame; pfn++) recipeOfFrame.set(pfn, recipe);
    if (recipe.order === 0) continue;
    const row = folios.append(head, recipe.order, recipe.kind, false);
    for (const [index, { pageMapcount, shared }] of answers.entries()) {
      // The first scheme answers with each page's own count, as `page` does.
      pageMapcount[row] = index === 0 ? -1 : recipe.answered;
      shared[row] = recipe.shared;
    }
  }
  const frameCount = frame + 3;
  const kind = new Uint8Array(frameCount);
  const mapcount = new Int32Array(frameCount + 1);
  const blockMapped = new Uint8Array(Math.ceil(frameCount / 512));
  for (const [pfn, { kind: of, order, counts }] of recipeOfFrame) {
    kind[pfn] = of | (order > 0 ? FRAME_LARGE : 0) | (pfn % 7 === 0 ? FRAME_DISAGREES : 0);
    mapcount[pfn] = counts[pfn % counts.length];
    if (mapcount[pfn] > 0) blockMapped[pfn >>> 9] = 1;
  }
  return { frames: { frameCount, kind, mapcount, blockMapped }, folios, answers, recipeOfFrame };
}

/** Why a frame is in the class of those that changed: its flags were looked at, and nobody is left who maps it. */
const CHANGED = "changed";

/** What decides a frame's class, as text; undefined for what is never counted. */
function reasonOf(recipe: FrameRecipe | undefined, mapcount: number, lookedAt: boolean): string | undefined {
  if (recipe === undefined) return undefined;
  if (mapcount === 0) return lookedAt ? CHANGED : undefined;
  const { kind, order, answered, shared } = recipe;
  if (kind === KIND_NONE) return CHANGED;
  if (kind === KIND_UNCOUNTED) return undefined;
  return order === 0 ? `${kind} ${mapcount}` : `${kind} ${mapcount} ${answered} ${shared}`;
}

function expectedClass({ kind, order, answered, shared }: FrameRecipe, mapcount: number): Partial<FrameClass> {
  const sharing = order > 0 ? shared : mapcount > 1 ? YES : NO;
  const answers = SCHEMES.map(({ rules }, index) =>
    pageAnswers(rules, order > 0 && index > 0 && answered > 0 ? answered : mapcount, sharing),
  );
  return { kind, mapcount, large: order > 0, answers };
}

test("the class of every frame says what each scheme says of that frame alone, and equal frames share it", () => {
  fc.assert(
    fc.property(recipes, (all) => {
      const { frames, folios, answers, recipeOfFrame } = makeFrames(all);
      const classes = new FrameClasses(SCHEMES, folios, answers);
      const classOfFrame = new Int32Array(frames.frameCount);
      classes.assign(frames, folios, classOfFrame);
      const classOfReason = new Map<string | undefined, number>([
        [undefined, UNCOUNTED_CLASS],
        [CHANGED, CHANGED_CLASS],
      ]);
      const framesOfClass = classes.classes.map(() => 0);
      for (let pfn = 0; pfn < frames.frameCount; pfn++) {
        const mapcount = frames.mapcount[pfn];
        const recipe = recipeOfFrame.get(pfn);
        const found = classOfFrame[pfn];
        if (mapcount > 0) framesOfClass[found]++;
        const lookedAt = frames.kind[pfn] !== 0 && frames.blockMapped[pfn >>> 9] === 1;
        const reason = reasonOf(recipe, mapcount, lookedAt);
        if (!classOfReason.has(reason)) {
          classOfReason.set(reason, found);
          expect(classes.classes[found]).toMatchObject(expectedClass(recipe!, mapcount));
        }
        if (classOfReason.get(reason) !== found) expect.fail(`frame ${pfn} is in class ${found}`);
      }
      expect(new Set(classOfReason.values()).size).toBe(classOfReason.size);
      expect(classes.classes.map((of) => of.frames)).toEqual(framesOfClass);
      expect(classes.classes.length).toBe(classOfReason.size);
    }),
    { numRuns: 150 },
  );
});

test("frames of the last, partial block have classes too", () => {
  const folios = new FolioColumns(1);
  const kind = new Uint8Array(515).fill(KIND_FILE);
  const mapcount = new Int32Array(516);
  mapcount[514] = 2;
  const classes = new FrameClasses(
    SCHEMES,
    folios,
    SCHEMES.map(() => createAnswersAtRest(0)),
  );
  const classOfFrame = new Int32Array(515);
  classes.assign({ frameCount: 515, kind, mapcount, blockMapped: Uint8Array.of(0, 1) }, folios, classOfFrame);
  expect(classes.classes[classOfFrame[514]]).toMatchObject({ kind: KIND_FILE, mapcount: 2, frames: 1, large: false });
});
