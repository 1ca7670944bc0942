import { expect, test } from "vitest";
import { SCHEMES, findScheme } from "../schemes/index.ts";
import { checkContentsOf } from "./check-contents.ts";
import { scenarioOf } from "./parse-scenario.ts";
import { type UnsafeHistoryOptions, findUnsafeHistory } from "./unsafe-history.ts";

const SMALL = { config: "page", bytesMax: 16_384 } as const;

function brokenBy(options: UnsafeHistoryOptions): string[] {
  return SCHEMES.flatMap((scheme) => {
    const found = findUnsafeHistory(scheme, options);
    return found === undefined ? [] : [`${scheme.id}: ${found.error.kind}`];
  });
}

test("by the rules of today no scheme leaks or loses anything: what it does not know it copies", () => {
  expect(brokenBy({ ...SMALL, bytesMax: 4096, rule: "large-reuse" })).toEqual([]);
});

test("by mapcount's rule averages leak without any pipe, and counts of VMAs lose DMA: they copy what is pinned", () => {
  expect(brokenBy({ ...SMALL, rule: "mapcount" })).toEqual([
    "mm-owner: leak",
    "mapped-pages: leak",
    "mm-owner-levels: leak",
    "sums: leak",
    "troll: lost-dma",
    "vma: lost-dma",
  ]);
});

test("the history that is found shows it again, alone", () => {
  const scheme = findScheme("mm-owner");
  if (scheme === undefined) throw new Error("there is no mm-owner");
  const found = findUnsafeHistory(scheme, { ...SMALL, rule: "mapcount" });
  expect(found?.error.message).toMatch(/C at 0x200000000 sees 0xf+, which P wrote/);
  const again = checkContentsOf(scenarioOf(found?.text ?? "", "found.scn"), {
    config: "page",
    cowRule: "mapcount",
    decidedBy: scheme,
    frameCount: 32_768,
  });
  expect(again.kind).toBe("unsafe");
});
