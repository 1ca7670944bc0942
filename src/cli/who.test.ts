/**
 * `foliometer who` and `foliometer folios` as their users start them, on the sample capture: answers, formats, mistakes.
 */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { foliometer } from "../../test/foliometer-in-process.ts";
import { FOLIO_SORT_KEYS } from "../report/index.ts";
import { FOLIO_OWNER_KEYS, type FoliosReport, type WhoRangeReport, type WhoReport } from "../study/index.ts";
import { codeOfNothing, codeOfSearch } from "./who.ts";
import { FOLIO_SORT_WORDS, OWNER_WORDS } from "./folios.ts";

const SAMPLE = fileURLToPath(new URL("../../examples/sample-capture", import.meta.url));
/** One thread needs no compiled worker. */
const HOW = ["--threads", "1"];

async function answer<T>(...args: readonly string[]): Promise<T> {
  const { stdout, stderr, code } = await foliometer(...args, SAMPLE, ...HOW, "--json");
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  return JSON.parse(stdout) as T;
}

test("the words on the command line are those that the answers know", () => {
  expect(OWNER_WORDS).toEqual(FOLIO_OWNER_KEYS);
  expect(FOLIO_SORT_WORDS).toEqual(FOLIO_SORT_KEYS);
});

test("from folios to a folio, from the folio to its address, and back to the same folio", async () => {
  const { partial } = await answer<FoliosReport>("folios");
  const [folio] = partial.list;
  const byFrame = await answer<WhoReport>("who", "--pfn", folio.pfn);
  expect({ schema: byFrame.schema, version: byFrame.version }).toEqual({ schema: "foliometer-who", version: 1 });
  expect(byFrame.folio).toMatchObject({ pfn: folio.pfn, order: folio.order, kind: "anon" });
  expect(byFrame.totals).toMatchObject({ pagesMapped: folio.pagesMapped, addressSpaces: folio.addressSpaces });
  const [{ process, pieces, vma }] = byFrame.mappers;
  const byAddress = await answer<WhoReport>("who", String(process.pid), pieces[0].address);
  expect(byAddress.mappers).toEqual(byFrame.mappers);
  const range = await answer<WhoRangeReport>("who", "--vma", String(process.pid), vma.start);
  expect(range.mappers.find((each) => each.process.pid === process.pid)).toMatchObject({ vma });
});

test("a scheme notices a partially mapped folio, in the list of folios, where its counts say so of the folio now", async () => {
  const { partial } = await answer<FoliosReport>("folios", "--schemes", "page,mm-owner,mapped-pages");
  const [folio] = partial.list;
  const { schemes } = await answer<WhoReport>("who", "--pfn", folio.pfn, "--schemes", "page,mm-owner,mapped-pages");
  expect(schemes.map(({ partial: said }) => said === "yes")).toEqual(folio.noticed.map((noticed) => noticed === "yes"));
  expect(schemes.map(({ id }) => id)).toEqual(["page", "mm-owner", "mapped-pages"]);
});

test("owners are sorted as asked, and the same folios whoever owns them", async () => {
  const byProcess = await answer<FoliosReport>("folios", "--sort", "unmapped");
  const byProgram = await answer<FoliosReport>("folios", "--by", "program");
  const unmapped = byProcess.owners.map(({ unmappedBytes }) => unmappedBytes);
  expect(unmapped).toEqual(unmapped.toSorted((a, b) => b - a));
  const sum = ({ owners }: FoliosReport): number => owners.reduce((all, { folios }) => all + folios, 0);
  expect(sum(byProcess)).toBe(sum(byProgram));
  expect(sum(byProcess)).toBe(byProcess.orders.reduce((all, { folios }) => all + folios, 0));
  expect(byProcess.contiguous.isArm64).toBe(false);
});

test("text comes out plain where there is no terminal, and fits where a width is asked for", async () => {
  const { partial } = await answer<FoliosReport>("folios");
  const wide = await foliometer("who", "--pfn", partial.list[0].pfn, SAMPLE, ...HOW);
  expect(wide.stdout).toContain("Mapcount of each page");
  expect(wide.stdout).not.toContain("\u001b[");
  for (const args of [
    ["who", "--pfn", partial.list[0].pfn, SAMPLE],
    ["folios", SAMPLE],
  ]) {
    const { stdout } = await foliometer(...args, ...HOW, "--width", "80");
    expect(Math.max(...stdout.split("\n").map(({ length }) => length))).toBeLessThanOrEqual(80);
  }
});

test.each([
  [["who", SAMPLE], "Say a pid and an address"],
  [["who", "--pfn", "0x7fffffffff", SAMPLE], "There is no frame 0x7fffffffff"],
  [["who", "4194304", "7f00", SAMPLE], "There is no process 4194304"],
  [["who", "--file", "/nobody", SAMPLE], "Nobody who was read maps /nobody."],
  [["who", "--file", "[heap]", SAMPLE], "Nobody who was read maps [heap]."],
  [["who", "--all", "--pfn", "1", SAMPLE], "--all is about the running machine"],
  [["who", "--pfn", "1", "--schemes", "nope", SAMPLE], 'no scheme "nope"'],
  [["folios", SAMPLE, "--contents"], "--contents reads running processes"],
  [["folios", "/proc/self/attr"], "Not a capture"],
] as const)("a mistake ends with 2 and one sentence: %j", async (args, sentence) => {
  const { stdout, stderr, code } = await foliometer(...args, ...HOW);
  expect({ stdout, code }).toEqual({ stdout: "", code: 2 });
  expect(stderr).toContain(sentence);
  expect(stderr.trimEnd().split("\n")).toHaveLength(1);
});

test("an answer in which somebody is missing, or may be, ends with 3", () => {
  const codeOf = (counts: WhoReport["search"]["counts"], processesRefused = 0): number =>
    codeOfSearch({ counts, processesRefused });
  expect([codeOf("explained", 1), codeOf("kernel-counts-fewer", 1), codeOf("unchecked")]).toEqual([0, 0, 0]);
  expect([codeOf("kernel-counts-more"), codeOf("unchecked", 1)]).toEqual([3, 3]);
  const nothing = [0, null, 1].map((kernelCount) => codeOfNothing({ state: "unmapped", kernelCount }));
  expect(nothing).toEqual([0, 0, 3]);
  expect(codeOfNothing({ state: "empty", kernelCount: null })).toBe(0);
});
