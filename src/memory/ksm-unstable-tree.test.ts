import * as fc from "fast-check";
import { expect, test } from "vitest";
import { KsmItem } from "./ksm-state.ts";
import { UnstableTree } from "./ksm-unstable-tree.ts";
import { createTestMachine } from "../../test/memory/machine.ts";

const mm = createTestMachine("page").createMm("A");

/** Items are ordered by their page number here. */
function add(
  tree: UnstableTree,
  page: number,
): { readonly item: KsmItem; readonly found: KsmItem | undefined | "gone"; visited: number } {
  const item = new KsmItem(mm, page);
  let visited = 0;
  const found = tree.findOrInsert(item, (other) => {
    visited++;
    if (other.page === page) return "equal";
    return page < other.page ? "before" : "behind";
  });
  return { item, found, visited };
}

test("what is in the tree is found in few steps, what was erased is not", () => {
  const operations = fc.array(fc.tuple(fc.integer({ min: 0, max: 300 }), fc.boolean()), { maxLength: 400 });
  fc.assert(
    fc.property(operations, (steps) => {
      const tree = new UnstableTree();
      const held = new Map<number, KsmItem>();
      for (const [page, isErased] of steps) {
        const known = held.get(page);
        if (isErased && known?.treeNode !== undefined) {
          tree.erase(known.treeNode);
          held.delete(page);
          continue;
        }
        const { item, found, visited } = add(tree, page);
        expect(found).toBe(known);
        expect(visited).toBeLessThanOrEqual(2 * Math.log2(held.size + 2));
        if (known === undefined) held.set(page, item);
      }
    }),
  );
});

test("a place whose page is gone ends the search that meets it, and no other", () => {
  const tree = new UnstableTree();
  for (const page of [4, 2, 6]) add(tree, page);
  const search = (page: number, gone: number): unknown =>
    tree.findOrInsert(new KsmItem(mm, page), (other) => {
      if (other.page === gone) return "gone";
      return page < other.page ? "before" : "behind";
    });
  expect(search(1, 4)).toBe("gone");
  expect(search(1, 6)).toBe(undefined);
  expect(search(7, 6)).toBe("gone");
});
