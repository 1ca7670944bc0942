/**
 * A stored capture, with all that one can hold, as a machine for what-if steps.
 */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeTestDirectory } from "../../test/captured-child.ts";
import { MADE_UP_RUNS, MADE_UP_VMA_PAGES, writeMadeUpCapture } from "../../test/made-up-capture.ts";
import { type StoredCapture, openCapture } from "../capture/index.ts";
import { LEVEL_PTE } from "../kernel/index.ts";
import { SCHEMES } from "../schemes/index.ts";
import { openWhatIf } from "./capture-what-if.ts";

const directory = makeTestDirectory();
let capture: StoredCapture;

beforeAll(async () => {
  writeMadeUpCapture(join(directory.path, "made-up"), MADE_UP_RUNS);
  capture = await openCapture(join(directory.path, "made-up"), { threads: 1 });
});
afterAll(async () => {
  await capture.close();
  directory.remove();
});

describe("a stored capture", () => {
  test("has as present runs what was written, but for ended processes and frames that are not there", async () => {
    const [runs] = await capture.presentRuns();
    const found = Array.from({ length: runs.count }, (_, row) => ({
      vma: runs.vma[row],
      page: runs.page[row] - (0x7f_0000_0000 + runs.vma[row] * 2 * MADE_UP_VMA_PAGES),
      frame: runs.frame[row],
      pages: runs.pages[row],
    }));
    const written = MADE_UP_RUNS.filter(({ vma, bits, frame, pages, step }) => {
      const isThere = Math.max(frame, frame + step * (pages - 1)) < capture.frames.frameCount;
      return vma !== 3 && (bits & 0x100) !== 0 && isThere;
    }).map(({ vma, page, frame, pages }) => ({ vma, page, frame, pages }));
    const byPlace = (a: { vma: number; page: number }, b: { vma: number; page: number }): number =>
      a.vma - b.vma || a.page - b.page;
    expect(found.sort(byPlace)).toEqual(written.sort(byPlace));
  });

  test("says what it lacks: zero pages, hugetlb folios of odd sizes", async () => {
    const { notes, facts } = await openWhatIf(capture, ["exit 103"], SCHEMES);
    expect(notes.join(" ")).toMatch(/left out, of hugetlb folios whose size no single entry maps: 2048\./);
    expect(notes.join(" ")).toMatch(/pages that no kernel counts \(zero pages, device memory\): [1-9]/);
    expect(notes.join(" ")).toMatch(/processes map which were not read, and which do not count: 1\./);
    expect(facts.parameters).toMatchObject({ processes: 3, addressSpaces: 2 });
    expect(facts.source).toBe("Linux 6.18.0-planted, captured 2023-11-14T22:13:20.000Z");
  });

  test("gives up a process's entries when it exits, and keeps those of a huge page that another maps", async () => {
    const { history } = await openWhatIf(capture, ["exit 103"], SCHEMES);
    const { machine } = history;
    const huge = machine.mappedFolios().find((folio) => machine.orderOf(folio) === 9);
    if (huge === undefined) throw new Error("the 2 MiB folio is mapped");
    expect(machine.truth.mappings(huge)).toBe(31);
    const events = machine.events;
    expect(history.next()).toEqual({ operation: "exit", text: "exit 103", line: 1 });
    expect(history.next()).toBeUndefined();
    expect(machine.truth.mappings(huge)).toBe(1);
    expect(machine.events).toBeGreaterThan(events);
    expect(machine.takeTouched()).toContain(huge);
    for (const { scheme, counter } of machine.studied) {
      if (scheme.unit === "entries" && scheme.guarantees.mappings === "exact") expect(counter.mappings(huge)).toBe(1);
    }
  });

  test("is written to by every so many pages of a mapping that has a name", async () => {
    const { history } = await openWhatIf(capture, ["fork 100; write 100.1 [heap] every 100"], SCHEMES);
    history.next();
    const step = history.next();
    expect(step?.text).toMatch(/^write 100\.1 \[heap\] every 100 \(\d+ pages copied\)$/);
    expect(history.machine.work["page-copied"]).toBeGreaterThan(5);
  });

  test.each([
    ["exit 102", /ended while the capture was taken/],
    ["exit 104", /could not be read/],
  ])("%s: the capture does not have that process", async (then, sentence) => {
    await expect(openWhatIf(capture, [then], [])).rejects.toThrow(sentence);
  });

  test("maps nothing twice and everything inside of its VMAs", async () => {
    const { history } = await openWhatIf(capture, ["exit 103"], []);
    const { pageTables, work } = history.machine;
    let entries = 0;
    for (const folio of history.machine.mappedFolios()) {
      pageTables.walk(folio, (_first, pages, level) => {
        entries += level === LEVEL_PTE ? pages : 1;
        return true;
      });
    }
    expect(entries).toBe(work["entry-set"]);
  });
});
