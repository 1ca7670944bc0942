import * as fc from "fast-check";
import { expect, test } from "vitest";
import { mergeFolios } from "./frame-ledger.ts";

const GRAINS = 64;
const GRAIN_FRAMES = 64;

interface Folio {
  readonly head: number;
  readonly order: number;
}

/** Folios that do not overlap, each aligned to its size. */
const folioLists = fc
  .array(fc.record({ skip: fc.nat(200), order: fc.integer({ min: 1, max: 6 }) }), { maxLength: 40 })
  .map((list): Folio[] => {
    const folios: Folio[] = [];
    let behind = 0;
    for (const { skip, order } of list) {
      const size = 2 ** order;
      const head = Math.ceil((behind + skip) / size) * size;
      if (head + size > GRAINS * GRAIN_FRAMES) break;
      folios.push({ head, order });
      behind = head + size;
    }
    return folios;
  });

function columns(list: readonly Folio[]) {
  return {
    headPfn: list.map(({ head }) => head),
    order: list.map(({ order }) => order),
    kind: list.map(() => 1),
    headExclusive: list.map(() => 0),
  };
}

test("folios of the grains that were read are those found, of the others those known", () => {
  const asked = fc.uint8Array({ minLength: GRAINS, maxLength: GRAINS, max: 1 });
  fc.assert(
    fc.property(folioLists, folioLists, asked, (known, truth, grains) => {
      const isAsked = ({ head }: Folio): boolean => grains[Math.floor(head / GRAIN_FRAMES)] === 1;
      // A folio up to a grain's size lies in one grain, so what was found lies in what was read.
      const expected = [...known.filter((each) => !isAsked(each)), ...truth.filter(isAsked)];
      const merged = mergeFolios(columns(known), columns(truth.filter(isAsked)), grains);
      expect(merged).toEqual(columns(expected.toSorted((a, b) => a.head - b.head)));
    }),
  );
});

test("a gigantic folio that is found from one of its blocks takes the place of what was known of its others", () => {
  const grains = new Uint8Array(2 ** 15);
  // Its last block was read; its head lies far below.
  grains.fill(1, 4088, 4096);
  const gigantic = columns([{ head: 0, order: 18 }]);
  expect(mergeFolios(gigantic, gigantic, grains)).toEqual(gigantic);
  expect(mergeFolios(columns([{ head: 512, order: 9 }]), gigantic, grains)).toEqual(gigantic);
  const behind = { head: 2 ** 18, order: 9 };
  expect(mergeFolios(columns([behind]), gigantic, grains)).toEqual(columns([{ head: 0, order: 18 }, behind]));
});

test("a folio found inside of a larger one that was known before takes its place", () => {
  const grains = new Uint8Array(GRAINS);
  grains[5] = 1;
  const found = columns([{ head: 5 * GRAIN_FRAMES, order: 2 }]);
  expect(mergeFolios(columns([{ head: 0, order: 9 }]), found, grains)).toEqual(found);
});
