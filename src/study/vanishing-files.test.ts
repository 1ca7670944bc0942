/** Which files go with their last mapping, by what maps prints of them. */
import { afterAll, expect, test } from "vitest";
import { captureSmallMachine } from "../../test/figures/fake-capture.ts";
import { WordFiles } from "../../test/figures/fake-proc.ts";
import { machineOf, mapPages } from "../../test/figures/machine-recipes.ts";
import { buildMachine } from "../../test/figures/small-machine.ts";
import { KIND_SHMEM } from "../kernel/index.ts";
import { fileFate, findVanishingFiles } from "./vanishing-files.ts";

const files = new WordFiles();
afterAll(() => files.close());

test.each([
  ["/dev/zero (deleted)", true, 1029, "goes"],
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
