/** The matrix of who shares with whom, against one look at every page of small machines; and what adds up to what. */
import * as fc from "fast-check";
import { afterAll, beforeEach, expect, test } from "vitest";
import { captureSmallMachine } from "../../test/figures/fake-capture.ts";
import { WordFiles } from "../../test/figures/fake-proc.ts";
import { machineOf, machineRecipes, mapPages } from "../../test/figures/machine-recipes.ts";
import { type SmallMachine, buildMachine } from "../../test/figures/small-machine.ts";
import { mappedFolios } from "../../test/study/slow-sharing.ts";
import type { Capture } from "../capture/index.ts";
import { GROUP_KEYS, groupMms } from "./mm-groups.ts";
import { studySharing } from "./sharing-matrix.ts";

const files = new WordFiles();
beforeEach(() => files.reuse());
afterAll(() => files.close());

const PLAIN = { threads: 1, shuffle: [0], templates: false };

/** The capture, processes named after `names` in turn. */
async function capturedAs(machine: SmallMachine, names: readonly string[]): Promise<Capture> {
  const capture = await captureSmallMachine(machine, files, PLAIN);
  const nameOf = (mm: number): string => names[mm % names.length];
  const processes = capture.processes.map((process) => ({
    ...process,
    name: nameOf(process.mm),
    userName: `user of ${nameOf(process.mm)}`,
    cgroup: `/${nameOf(process.mm)}`,
  }));
  return { ...capture, processes };
}

/** Bytes by program, and by two programs, one page after the other. */
function slowSharing(machine: SmallMachine, names: readonly string[]): Record<string, number> {
  const bytes: Record<string, number> = {};
  for (const members of mappedFolios(machine).flatMap(({ mappers }) => mappers)) {
    const programs = [...new Set([...members].map((mm) => names[mm % names.length]))].toSorted();
    for (const [index, one] of programs.entries()) {
      const alone = programs.length === 1;
      bytes[`${one} ${alone ? "private" : "shared"}`] = (bytes[`${one} ${alone ? "private" : "shared"}`] ?? 0) + 4096;
      for (const other of programs.slice(index + 1)) bytes[`${one}-${other}`] = (bytes[`${one}-${other}`] ?? 0) + 4096;
    }
  }
  return bytes;
}

test("programs share what some process of each maps; what adds up does", async () => {
  let pairsSeen = 0;
  await fc.assert(
    fc.asyncProperty(
      machineRecipes,
      fc.constantFrom(["a"], ["a", "b"], ["a", "b", "c", "d"]),
      async (recipe, names) => {
        files.reuse();
        const machine = buildMachine(recipe);
        const report = await studySharing(await capturedAs(machine, names), { by: "program" });
        const found: Record<string, number> = {};
        for (const { name, private: own, shared, mapped } of report.groups) {
          if (own.bytes > 0) found[`${name} private`] = own.bytes;
          if (shared.bytes > 0) found[`${name} shared`] = shared.bytes;
          expect(own.bytes + shared.bytes).toBe(mapped.bytes);
        }
        for (const { a, b, shared } of report.pairs) {
          const [one, other] = [report.groups[a].name, report.groups[b].name].toSorted();
          found[`${one}-${other}`] = shared.bytes;
          expect(shared.anonBytes + shared.ksmBytes + shared.fileBytes + shared.shmemBytes + shared.hugetlbBytes).toBe(
            shared.bytes,
          );
        }
        expect(found).toEqual(slowSharing(machine, names));
        const { totals } = report;
        expect(totals.private.bytes + totals.shared.bytes).toBe(totals.mapped.bytes);
        pairsSeen += report.pairs.length;
      },
    ),
    { numRuns: 120 },
  );
  expect(pairsSeen).toBeGreaterThan(0);
});

/** Three processes alike with 6 pages, and a fourth with the first two of them. */
function fourProcesses(): SmallMachine {
  const folios = Array.from({ length: 6 }, () => ({ kind: "file" as const }));
  const recipe = machineOf(
    folios,
    folios.map((_, folio) => mapPages(folio, 1)),
    { likes: 2 },
  );
  const vma = { gap: 0, shared: false, pieces: [mapPages(0, 1), mapPages(1, 1)] };
  return buildMachine({
    ...recipe,
    processes: [...recipe.processes, { like: null, base: 512, ended: false, vmas: [vma] }],
  });
}

test("where there are too many pairs, those of the groups that share most are looked at, and the rest is told", async () => {
  const capture = await capturedAs(fourProcesses(), ["a"]);
  const all = await studySharing(capture, { by: "process" });
  expect(all.groupsWithoutPairs).toBe(0);
  expect(all.pairs.map(({ a, b, shared }) => [a, b, shared.bytes / 4096])).toEqual([
    [0, 1, 6],
    [0, 2, 6],
    [1, 2, 6],
    [0, 3, 2],
    [1, 3, 2],
    [2, 3, 2],
  ]);
  const three = await studySharing(capture, { by: "process", limits: { groups: 3 } });
  expect(three.groupsWithoutPairs).toBe(1);
  expect(three.pairs).toEqual(all.pairs.slice(0, 3));
  const two = await studySharing(capture, { by: "process", limits: { work: 2 } });
  expect(two.groupsWithoutPairs).toBe(2);
  expect(two.pairs).toEqual(all.pairs.slice(0, 1));
  expect(two.groups).toEqual(all.groups);
});

test("pages that someone not read maps too are shared, with nobody by name", async () => {
  const capture = await capturedAs(fourProcesses(), ["a"]);
  const first = capture.frames.mapcount.indexOf(4);
  capture.frames.mapcount[first] = 5;
  const report = await studySharing(capture, { by: "program" });
  expect(report.groups.map((group) => [group.private.bytes, group.shared.bytes, group.sharedOutside.bytes])).toEqual([
    [5 * 4096, 4096, 4096],
  ]);
  expect(report.pairs).toEqual([]);
  // What they share among themselves is shared, and not with somebody outside.
  const { groups } = await studySharing(capture, { by: "process" });
  expect(groups.map(({ shared, sharedOutside }) => [shared.bytes / 4096, sharedOutside.bytes / 4096])).toEqual([
    [6, 1],
    [6, 1],
    [6, 1],
    [2, 1],
  ]);
});

test("processes are taken together by what their group is called", async () => {
  const capture = await capturedAs(fourProcesses(), ["a", "b"]);
  const namesBy = GROUP_KEYS.map((by) => groupMms(capture, by).groups.map(({ name }) => name));
  expect(namesBy).toEqual([
    ["100 a", "101 b", "102 a", "103 b"],
    ["a", "b"],
    ["/a", "/b"],
    ["user of a", "user of b"],
  ]);
  expect([...groupMms(capture, "program").groupOfMm]).toEqual([0, 1, 0, 1]);
});
