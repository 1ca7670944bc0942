/** Which files go with their last mapping, by what maps prints of them. */
import { afterAll, expect, test } from "vitest";
import { captureSmallMachine } from "../../test/figures/fake-capture.ts";
import { WordFiles } from "../../test/figures/fake-proc.ts";
import { machineOf, mapPages } from "../../test/figures/machine-recipes.ts";
import { buildMachine } from "../../test/figures/small-machine.ts";
import type { Capture } from "../capture/index.ts";
import { KIND_SHMEM } from "../kernel/index.ts";
import { fileFate, findVanishingFiles } from "./vanishing-files.ts";

const files = new WordFiles();
afterAll(() => files.close());

test.each([
  ["/dev/zero (deleted)", true, 1029, "goes"],
  ["/dev/zero (deleted)", false, 1029, "may go"],
  ["[anon_shmem:buffers]", true, 1029, "goes"],
  ["/memfd:ring (deleted)", true, 77, "may go"],
  ["/memfd:sealed (deleted)", false, 77, "may go"],
  ["/dev/shm/queue (deleted)", true, 78, "may go"],
  ["/usr/lib/libold.so (deleted)", false, 79, "may go"],
  ["/dev/shm/queue", true, 78, "stays"],
  ["/SYSV0000002a (deleted)", true, 3, "stays"],
  ["/usr/lib/libc.so.6", false, 80, "stays"],
  ["[heap]", false, 0, "stays"],
  ["[anon:malloc]", false, 0, "stays"],
  ["", false, 0, "stays"],
] as const)("%s, shared %s, inode %d: %s", (name, shared, inode, fate) => {
  expect(fileFate({ name, shared, inode })).toBe(fate);
});

test("a file's frames count once however often they are mapped, and belong to all who have it in a VMA", async () => {
  const folios = Array.from({ length: 4 }, () => ({ kind: "shmem" as const }));
  const pieces = [mapPages(0, 1), mapPages(1, 1), mapPages(0, 1)];
  const capture = await captureSmallMachine(buildMachine(machineOf(folios, pieces, { likes: 1 })), files, {
    threads: 2,
    shuffle: [0, 1],
    templates: false,
  });
  const vmas = capture.vmas.map((vma) => ({ ...vma, shared: true, inode: 5, name: "/dev/zero (deleted)" }));
  const found = await findVanishingFiles({ ...capture, vmas });
  expect(found.map(({ mms, isCertain, pages }) => ({ mms, isCertain, shmem: pages[KIND_SHMEM] }))).toEqual([
    { mms: [0, 1], isCertain: true, shmem: 2 },
  ]);
  expect(await findVanishingFiles(capture)).toEqual([]);
});

test("two inodes are two files, and an mm that was not read to its end has none", async () => {
  const folios = [{ kind: "shmem" as const }];
  const capture = await captureSmallMachine(buildMachine(machineOf(folios, [mapPages(0, 1)], { likes: 2 })), files, {
    threads: 1,
    shuffle: [0],
    templates: false,
  });
  const vmas = capture.vmas.map((vma, row) => ({ ...vma, inode: 5 + (row % 2), name: "/memfd:x (deleted)" }));
  const found = await findVanishingFiles({ ...capture, vmas, mmAlive: Uint8Array.from([1, 1, 0]) });
  expect(found.map(({ mms, isCertain }) => ({ mms, isCertain }))).toEqual([
    { mms: [0], isCertain: false },
    { mms: [1], isCertain: false },
  ]);
});

/** Two processes with 4 pages of an anonymous shared mapping, one folio or four. */
async function twoSharing(order: 0 | 2): Promise<Capture> {
  const folios = Array.from({ length: order === 0 ? 4 : 1 }, () => ({ kind: "shmem" as const, order }));
  const pieces = order === 0 ? folios.map((_, folio) => mapPages(folio, 1)) : [mapPages(0, 4)];
  files.reuse();
  const machine = buildMachine(machineOf(folios, pieces, { likes: 1 }));
  const capture = await captureSmallMachine(machine, files, { threads: 1, shuffle: [0], templates: false });
  return {
    ...capture,
    vmas: capture.vmas.map((vma) => ({ ...vma, shared: true, inode: 5, name: "/dev/zero (deleted)" })),
  };
}

test("a page that the kernel counts more often than its file's VMAs map it is somebody else's too, as is the file", async () => {
  const capture = await twoSharing(0);
  const { mapcount } = capture.frames;
  expect((await findVanishingFiles(capture))[0]).toMatchObject({ isCertain: true });
  mapcount[mapcount.indexOf(2)] = 3;
  const [file] = await findVanishingFiles(capture);
  expect([file.isCertain, file.pages[KIND_SHMEM]]).toEqual([false, 3]);
});

test("a page that was counted twice and has lost a mapping meanwhile is still the file's", async () => {
  const capture = await twoSharing(0);
  const { mapcount } = capture.frames;
  mapcount[mapcount.indexOf(2)] = 1;
  const [file] = await findVanishingFiles(capture);
  expect([file.isCertain, file.pages[KIND_SHMEM]]).toEqual([true, 4]);
});

test("where the kernel's count is an average, a folio that others map is no page of these alone", async () => {
  const capture = await twoSharing(2);
  const averaged = { ...capture, machine: { ...capture.machine, mapcountConfig: "nopage" as const } };
  const certain = await findVanishingFiles(averaged);
  expect([certain[0].isCertain, certain[0].pages[KIND_SHMEM]]).toEqual([true, 4]);
  capture.folios.mappedOutside[0] = 1;
  const [file] = await findVanishingFiles(averaged);
  expect([file.isCertain, file.pages[KIND_SHMEM]]).toEqual([false, 0]);
});

test("a page that one VMA maps several times has that many of its mappings there", async () => {
  files.reuse();
  const folios = [{ kind: "shmem" as const }];
  const machine = buildMachine(machineOf(folios, [mapPages(0, 3, { step: 0 })], {}));
  expect(machine.processes[0].vmas[0].entries).toHaveLength(3);
  const capture = await captureSmallMachine(machine, files, { threads: 1, shuffle: [0], templates: false });
  const vmas = capture.vmas.map((vma) => ({ ...vma, shared: true, inode: 5, name: "/dev/zero (deleted)" }));
  const [file] = await findVanishingFiles({ ...capture, vmas });
  expect([file.isCertain, file.pages[KIND_SHMEM]]).toEqual([true, 1]);
});
