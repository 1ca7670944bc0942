/** Columns by kind of memory: those that some row needs, and which of them leave a narrow terminal first. */
import { expect, test } from "vitest";
import type { KindBytes } from "../study/index.ts";
import { kbCell, kindColumns, sumKinds } from "./kind-columns.ts";

function kinds(more: Partial<KindBytes>): KindBytes {
  const none = { bytes: 0, anonBytes: 0, ksmBytes: 0, fileBytes: 0, shmemBytes: 0, hugetlbBytes: 0 };
  return { ...none, ...more };
}

test("a kind has a column if some row has any of it, and the last leave first", () => {
  const columns = kindColumns([kinds({ fileBytes: 4096 }), kinds({ anonBytes: 8192, hugetlbBytes: 4096 })], "of it", 2);
  expect(columns.map(({ heading, rank }) => [heading, rank])).toEqual([
    ["anon", 2],
    ["file", 3],
    ["hugetlb", 4],
  ]);
  expect(columns[0].cell(kinds({ anonBytes: 8192 }))).toEqual({ text: "8" });
  expect(columns[1].cell(kinds({}))).toEqual({ text: "0", style: "faint" });
});

test("sums are kind by kind, and what is taken away has a sign", () => {
  expect(sumKinds([kinds({ bytes: 3, ksmBytes: 3 }), kinds({ bytes: 4, shmemBytes: 4 })])).toEqual(
    kinds({ bytes: 7, ksmBytes: 3, shmemBytes: 4 }),
  );
  expect(kbCell(-4096)).toEqual({ text: "-4" });
});
