import * as fc from "fast-check";
import { expect, test } from "vitest";
import { MappedState } from "./mapped-state.ts";

test("what is mapped and its peak are those of a list of folios, wherever they lie", () => {
  const change = fc.record({
    head: fc.constantFrom(0, 512, 65_535, 65_536, 300_000),
    order: fc.constantFrom(0, 4, 9),
    isMapped: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(change), (changes) => {
      const state = new MappedState();
      const slow = new Map<number, number>();
      let folios = 0;
      let pages = 0;
      for (const { head, order, isMapped } of changes) {
        if (isMapped) {
          state.mapped(head, order);
          slow.set(head, order);
        } else {
          state.unmapped(head);
          slow.delete(head);
        }
        state.endStep();
        folios = Math.max(folios, slow.size);
        pages = Math.max(
          pages,
          [...slow.values()].reduce((sum, each) => sum + 2 ** each, 0),
        );
      }
      expect(state.foliosMax).toBe(folios);
      expect(state.mappedBytesMax).toBe(pages * 4096);
    }),
  );
});
