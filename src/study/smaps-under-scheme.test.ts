/**
 * smaps under another scheme against the obvious calculation: the kernel's smaps of a random small machine, made page by
 * page, is changed to what the same calculation gives under the other scheme.
 */
import * as fc from "fast-check";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { captureSmallMachine } from "../../test/figures/fake-capture.ts";
import { WordFiles } from "../../test/figures/fake-proc.ts";
import { type SlowSchemeId, type SlowSums, slowFigures } from "../../test/figures/slow-figures.ts";
import { machineRecipes } from "../../test/figures/machine-recipes.ts";
import { type SmallMachine, buildMachine } from "../../test/figures/small-machine.ts";
import type { Capture } from "../capture/index.ts";
import type { SmapsVma } from "../kernel/index.ts";
import { SCHEMES, findScheme } from "../schemes/index.ts";
import { type HistoryChoice, smapsUnderScheme } from "./smaps-under-scheme.ts";

const files = new WordFiles();
beforeEach(() => files.reuse());
afterAll(() => files.close());

const PLAIN = { threads: 1, shuffle: [0], templates: false };
const ownScheme = (machine: SmallMachine): SlowSchemeId => (machine.config === "page" ? "page" : "mm-owner");
const kbOf = (units: number): number => Math.floor(Math.floor(units / 4096) / 1024);

/** What of a VMA depends on how the kernel counts, in kB. */
interface Counted {
  readonly pss: number;
  readonly private: number;
  readonly shared: number;
}

function countedUnder(sums: SlowSums, scheme: SlowSchemeId, history: HistoryChoice): Counted {
  const of = sums.schemes[scheme];
  const isPrivate = history === "most-private" ? of.privateMost : of.privateLeast;
  return { pss: kbOf(of.pss), private: isPrivate * 4, shared: (sums.rss - isPrivate) * 4 };
}

/** The kernel's smaps of a VMA of which every page is dirty, or none. */
function smapsOf(header: SmapsVma["header"], sums: SlowSums, counted: Counted, isDirty: boolean): SmapsVma {
  const { pss, private: priv, shared } = counted;
  return {
    header,
    extras: [],
    fields: {
      rss: sums.rss * 4,
      pss,
      pssDirty: isDirty ? pss : 0,
      sharedClean: isDirty ? 0 : shared,
      sharedDirty: isDirty ? shared : 0,
      privateClean: isDirty ? 0 : priv,
      privateDirty: isDirty ? priv : 0,
      referenced: sums.rss * 4,
      anonymous: sums.anon * 4,
      lazyFree: 0,
      anonHugePages: sums.pmdAnon * 4,
      shmemPmdMapped: sums.pmdShmem * 4,
      sharedHugetlb: sums.hugetlbShared * 4,
      privateHugetlb: (sums.hugetlb - sums.hugetlbShared) * 4,
      swap: sums.swap * 4,
      swapPss: sums.swap * 4,
      locked: 0,
      size: (header.endPage - header.startPage) * 4,
      kernelPageSize: 4,
      mmuPageSize: 4,
      vmFlags: ["rd", "wr"],
    },
  };
}

/** The same smaps with so many percent of the private and of the shared pages dirty. */
function partlyDirty({ fields, ...vma }: SmapsVma, [ofPrivate, ofShared]: readonly [number, number]): SmapsVma {
  const privateDirty = Math.floor((fields.privateClean / 4) * (ofPrivate / 100)) * 4;
  const sharedDirty = Math.floor((fields.sharedClean / 4) * (ofShared / 100)) * 4;
  const { privateClean, sharedClean } = fields;
  // Which of the pages are dirty decides Pss_Dirty; here the dirty private ones count in full, the others not at all.
  const dirty = { privateDirty, sharedDirty, pssDirty: Math.min(privateDirty, fields.pss) };
  const clean = { privateClean: privateClean - privateDirty, sharedClean: sharedClean - sharedDirty };
  return { ...vma, fields: { ...fields, ...dirty, ...clean } };
}

/** The smaps of every process as its own kernel prints it. */
function kernelSmaps(capture: Capture, machine: SmallMachine, isDirty: boolean): SmapsVma[][] {
  const { vmas } = slowFigures(machine);
  return capture.processes.map(({ firstVma }, index) =>
    vmas[index].map((sums, i) =>
      smapsOf(capture.vmas[firstVma + i], sums, countedUnder(sums, ownScheme(machine), "most-private"), isDirty),
    ),
  );
}

const cases = fc.record({
  recipe: machineRecipes,
  scheme: fc.constantFrom<SlowSchemeId>("page", "mm-owner", "mapped-pages"),
  history: fc.constantFrom<HistoryChoice>("most-private", "least-private"),
  isDirty: fc.boolean(),
});

describe("smaps under another scheme", () => {
  test("of a random small machine is what counting page by page gives, all dirty or all clean", async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ recipe, scheme, history, isDirty }) => {
        const machine = buildMachine(recipe);
        const capture = await captureSmallMachine(machine, files, PLAIN);
        files.reuse();
        const slow = slowFigures(machine);
        const facts = kernelSmaps(capture, machine, isDirty);
        for (const [index, process] of capture.processes.entries()) {
          if (process.state !== "complete") continue;
          const options = { scheme: findScheme(scheme)!, all: SCHEMES, history };
          const { vmas, rollup, estimated } = await smapsUnderScheme(capture, process, facts[index], options);
          const expected = slow.vmas[index].map((sums, i) =>
            smapsOf(facts[index][i].header, sums, countedUnder(sums, scheme, history), isDirty),
          );
          expect(vmas).toEqual(expected);
          const total = slow.processes[index].schemes[scheme];
          expect(rollup.fields).toMatchObject({
            rss: slow.processes[index].rss * 4,
            pss: kbOf(total.pss),
            pssAnon: kbOf(total.pssAnon),
            pssFile: kbOf(total.pssFile),
            pssShmem: kbOf(total.pssShmem),
          });
          // Nothing is a proportion where all pages are dirty or none is.
          expect(estimated.filter((sentence) => !sentence.includes("depending on history"))).toEqual([]);
        }
      }),
      { numRuns: 80 },
    );
  });

  test("splits what is part dirty, part clean: no page is lost, none becomes dirty or clean", async () => {
    await fc.assert(
      fc.asyncProperty(cases, fc.tuple(fc.nat(100), fc.nat(100)), async ({ recipe, scheme, history }, percent) => {
        const machine = buildMachine(recipe);
        const capture = await captureSmallMachine(machine, files, PLAIN);
        files.reuse();
        const slow = slowFigures(machine);
        const facts = kernelSmaps(capture, machine, false).map((vmas) => vmas.map((vma) => partlyDirty(vma, percent)));
        for (const [index, process] of capture.processes.entries()) {
          if (process.state !== "complete") continue;
          const options = { scheme: findScheme(scheme)!, all: SCHEMES, history };
          const { vmas } = await smapsUnderScheme(capture, process, facts[index], options);
          for (const [i, { fields }] of vmas.entries()) {
            const expected = countedUnder(slow.vmas[index][i], scheme, history);
            const before = facts[index][i].fields;
            expect({
              pss: fields.pss,
              private: fields.privateClean + fields.privateDirty,
              shared: fields.sharedClean + fields.sharedDirty,
            }).toEqual(expected);
            expect(fields.privateDirty + fields.sharedDirty).toBe(before.privateDirty + before.sharedDirty);
            const parts = [fields.privateClean, fields.privateDirty, fields.sharedClean, fields.sharedDirty];
            expect(parts.every((kb) => kb >= 0 && kb % 4 === 0)).toBe(true);
            expect(fields.pssDirty).toBeLessThanOrEqual(fields.pss);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  test("that is the kernel's own is the kernel's own text", async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ recipe, history, isDirty }) => {
        const machine = buildMachine(recipe);
        const capture = await captureSmallMachine(machine, files, PLAIN);
        files.reuse();
        const facts = kernelSmaps(capture, machine, isDirty);
        const scheme = findScheme(ownScheme(machine))!;
        for (const [index, process] of capture.processes.entries()) {
          if (process.state !== "complete") continue;
          const options = { scheme, all: SCHEMES, history };
          expect((await smapsUnderScheme(capture, process, facts[index], options)).vmas).toEqual(facts[index]);
        }
      }),
      { numRuns: 40 },
    );
  });
});
