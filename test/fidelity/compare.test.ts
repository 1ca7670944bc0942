/**
 * The comparison by itself: subjects, counts, and the two rules of its own.
 */
import { describe, expect, test } from "vitest";
import { type DumpDifference, rulesThatCover } from "../../src/scenario/index.ts";
import { type Failure, countSubjects, judge, rulesFor, subjectOf } from "./compare.ts";

function difference(
  path: readonly string[],
  step = "d1",
  left: string | null = "1",
  right: string | null = "2",
): DumpDifference {
  return { step, place: path.join(" "), path, left, right };
}

test.each([
  [["processes", "P", "vmas", "0x200000000", "smaps", "Pss"], "smaps Pss"],
  [["processes", "P", "vmas", "0x200000000", "vmflags"], "vma vmflags"],
  [["processes", "P", "vmas", "0x200000000", "end"], "vma end"],
  [["processes", "P"], "processes"],
  [["folios", "3", "raw refcount"], "folio raw refcount"],
  [["folios", "3"], "folios: number"],
  [["folios", "unmappedLabels"], "folios: unmappedLabels"],
  [["mthp", "64kB", "split"], "mthp split"],
  [["test_kB", "AnonPages"], "test_kB AnonPages"],
  [["vmstat_delta", "pswpin"], "vmstat_delta pswpin"],
])("%j is about %s", (path, subject) => {
  expect(subjectOf(difference(path))).toBe(subject);
});

test.each([
  ["P madvise 0x200000000 4k free = 0", "result of madvise free"],
  ["P munmap 0x200000000 4k = 0", "result of munmap"],
  ["split P 0x200000000 4k = 0", "result of split"],
  ["ksmscan 3 = full_scans +3", "result of ksmscan"],
])("%s is about the %s", (text, subject) => {
  expect(subjectOf(difference(["commands", "0"], "d1", text, `${text}1`))).toBe(subject);
});

test("an entry of pagemap differs in its flags or in what it holds", () => {
  const path = ["processes", "P", "pagemap", "0x200000000"];
  expect(subjectOf(difference(path, "d1", "P------- folio 1 page 0", "P--X---- folio 1 page 0"))).toBe("pagemap flags");
  expect(subjectOf(difference(path, "d1", "P------- folio 1 page 0", "P------- ZERO"))).toBe("pagemap contents");
  expect(subjectOf(difference(path, "d1", null, "P------- ZERO"))).toBe("pagemap contents");
});

test("subjects of the first step that differs come first, however many follow", () => {
  const scenario = { name: "a", text: "" };
  const differences = [
    difference(["ksm", "pages_shared"], "d1"),
    ...Array.from({ length: 5 }, () => difference(["folios", "1", "pages"], "d2")),
  ];
  const failure: Failure = { scenario, kernel: "page", differences };
  const [cause, consequence] = countSubjects([failure, { ...failure, kernel: "nopage" }]);
  expect(cause).toMatchObject({ subject: "ksm pages_shared", first: 2, scenarios: 2, total: 2 });
  expect(consequence).toMatchObject({ subject: "folio pages", first: 0, scenarios: 2, total: 10 });
});

describe("rules", () => {
  const isCovered = (text: string, each: DumpDifference): boolean => rulesThatCover(rulesFor(text), each) !== undefined;
  const active = difference(["folios", "1", "kpageflags"], "d1", "0: LRU,ACTIVE,ANON", "0: LRU,ANON");
  const number = difference(
    ["processes", "P", "vmas", "0x1", "numa_maps"],
    "d1",
    "default anon=1 active=0 N0=1",
    "default anon=1 N0=1",
  );

  test("active or not does not matter where pages were reclaimed, and only there", () => {
    for (const each of [active, number]) {
      expect(isCovered("swapon /dev/ram1\n", each)).toBe(true);
      expect(isCovered("P madvise @a 4k pageout\n", each)).toBe(true);
      expect(isCovered("P madvise @a 4k cold\n", each)).toBe(false);
    }
    const flags = difference(["folios", "1", "kpageflags"], "d1", "0: LRU,ACTIVE,ANON", "0: LRU,DIRTY,ANON");
    expect(isCovered("swapon /dev/ram1\n", flags)).toBe(false);
  });

  test("an owner slot is the same where one side names it by a process that is gone", () => {
    const owners = (left: string, right: string): DumpDifference =>
      difference(["folios", "1", "raw mm"], "d1", left, right);
    expect(isCovered("", owners("P0(dead):3 P1:1", "P2:3 P1:1"))).toBe(true);
    expect(isCovered("", owners("P0:3 P1:1", "P0:3 id7:1"))).toBe(true);
    expect(isCovered("", owners("P0(dead):3 P1:1", "P2:4 P1:1"))).toBe(false);
    expect(isCovered("", owners("P0:3 P1:1", "P2:3 P1:1"))).toBe(false);
    expect(isCovered("", owners("P0:3 P1:1", "P1:1 P0:3"))).toBe(false);
  });

  test("counters of folio sizes do not matter where every process may have them", () => {
    const counter = difference(["mthp", "64kB", "nr_anon"]);
    expect(isCovered("thp 64kB always\n", counter)).toBe(true);
    expect(isCovered("thp 64kB madvise\nshmthp 64kB always\n", counter)).toBe(false);
  });
});

test("what the laboratory did not answer is no agreement", () => {
  const scenario = { name: "a", text: "spawn P\ndump d1\n" };
  expect(judge(scenario, "page", undefined).kind).toBe("unanswered");
  expect(judge(scenario, "page", { kind: "lost", reason: "the kernel stopped" })).toEqual({
    kind: "unanswered",
    reason: "the kernel stopped",
  });
});
