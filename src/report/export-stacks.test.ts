/** Collapsed stacks of names that the format has no quoting for. */
import { expect, test } from "vitest";
import { formatCollapsedStacks } from "./export-stacks.ts";

const BYTES = { order: 0, rssBytes: 8192, pssBytes: 4096, ussBytes: { least: 0, most: 4096 } };
const HOW = { value: "rss", history: "most-private" } as const;

test("a line has five frames and a number, whatever the names are", () => {
  const stacks = [
    { process: { pid: 7, name: "a;b 9", cgroup: "/x;y\nz" }, mapping: "/memfd:\r;\u001b[1m (deleted)", ...BYTES },
    { process: { pid: 8, name: "", cgroup: "" }, mapping: "", ...BYTES },
  ];
  expect(formatCollapsedStacks({ stacks }, HOW)).toBe(
    "/x,y\\nz;a,b 9;7;/memfd:\\r,\\x1b[1m (deleted);order-0 8192\n" +
      "[no cgroup];[no name];8;[anonymous];order-0 8192\n",
  );
});

test("a path of no bytes by the chosen figure is left out", () => {
  const stacks = [{ process: { pid: 7, name: "a", cgroup: "/" }, mapping: "[heap]", ...BYTES }];
  expect(formatCollapsedStacks({ stacks }, { value: "uss", history: "least-private" })).toBe("");
  expect(formatCollapsedStacks({ stacks }, { value: "uss", history: "most-private" })).toBe(
    "/;a;7;[heap];order-0 4096\n",
  );
});
