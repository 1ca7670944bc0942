/** The folio of every frame of random machines, from its flags alone; gigantic ones, and what is torn. */
import * as fc from "fast-check";
import { writeSync } from "node:fs";
import { afterAll, beforeEach, expect, test } from "vitest";
import { WordFiles, writeKpageflags } from "../../test/figures/fake-proc.ts";
import { machineOf, machineRecipes } from "../../test/figures/machine-recipes.ts";
import { buildMachine } from "../../test/figures/small-machine.ts";
import { KPF_ANON, KPF_COMPOUND_TAIL, KPF_LRU, KPF_MMAP, KPF_OWNER_2_HIGH } from "../kernel/index.ts";
import { readFlagsOf, readFolioAround } from "./folio-around.ts";

const files = new WordFiles();
beforeEach(() => files.reuse());
afterAll(() => files.close());

test("every frame of a folio leads to its head and order, from the head and from any tail", () => {
  let tails = 0;
  fc.assert(
    fc.property(machineRecipes, fc.array(fc.nat(8191), { minLength: 1, maxLength: 40 }), (recipe, frames) => {
      files.reuse();
      const machine = buildMachine(recipe);
      const fd = files.take();
      writeKpageflags(fd, machine);
      for (const each of frames) {
        const pfn = each % machine.frameCount;
        const folio = machine.folioOfFrame[pfn];
        const found = readFolioAround(fd, pfn, true);
        if (found === undefined || found === "moving") throw new Error("there is a folio");
        if (folio === undefined) expect(found).toMatchObject({ head: pfn, order: 0 });
        else expect(found).toMatchObject({ head: folio.head, order: folio.order, flags: readFlagsOf(fd, folio.head) });
        if (folio !== undefined && folio.head < pfn) tails++;
      }
    }),
    { numRuns: 60 },
  );
  expect(tails).toBeGreaterThan(20);
});

test("a gigantic folio is found from its last tail, and a frame behind the last is none", () => {
  const machine = buildMachine(machineOf([{ order: 4 }, { order: 12, kind: "hugetlb" }], []));
  const fd = files.take();
  writeKpageflags(fd, machine);
  const gigantic = machine.folios[1];
  expect(readFolioAround(fd, gigantic.head + 4095, true)).toMatchObject({ head: gigantic.head, order: 12 });
  expect(readFolioAround(fd, machine.frameCount, true)).toBeUndefined();
});

test("tails without a head, and a folio of five pages, are on the move", () => {
  const machine = buildMachine(machineOf([{ order: 2 }, { order: 3, gap: 20 }], []));
  const fd = files.take();
  writeKpageflags(fd, machine);
  const [first, second] = machine.folios;
  const tail = Buffer.alloc(8);
  tail.writeInt32LE(KPF_COMPOUND_TAIL);
  writeSync(fd, tail, 0, 8, (first.head + 4) * 8);
  writeSync(fd, tail, 0, 8, second.head * 8);
  expect(readFolioAround(fd, first.head + 1, true)).toBe("moving");
  expect(readFolioAround(fd, second.head + 3, true)).toBe("moving");
});

test("the bit that says exclusive of anonymous memory says something else of a file's page", () => {
  const fd = files.take();
  const entries = new Int32Array([
    KPF_ANON | KPF_LRU | KPF_MMAP,
    KPF_OWNER_2_HIGH,
    KPF_LRU | KPF_MMAP,
    KPF_OWNER_2_HIGH,
  ]);
  writeSync(fd, new Uint8Array(entries.buffer), 0, 16, 0);
  expect(readFolioAround(fd, 0, true)).toMatchObject({ order: 0, headExclusive: true });
  expect(readFolioAround(fd, 1, true)).toMatchObject({ order: 0, headExclusive: false });
});
