/** Who shares with whom as tables, heat map and edges: what stands where, and that nothing is left out unsaid. */
import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import type { KindBytes, SharingGroup, SharingReport } from "../study/index.ts";
import { selectSharing } from "./select-sharing.ts";
import { formatSharingEdges } from "./sharing-edges.ts";
import { formatSharingHeat } from "./sharing-heat.ts";
import { formatSharingText } from "./sharing-text.ts";
import { COLOUR_STYLES, PLAIN_STYLES } from "./styles.ts";

const KB = 1024;
const ANSI = "\u001b[";

function kinds(anonKb: number, fileKb = 0): KindBytes {
  const none = { ksmBytes: 0, shmemBytes: 0, hugetlbBytes: 0 };
  return { bytes: (anonKb + fileKb) * KB, anonBytes: anonKb * KB, fileBytes: fileKb * KB, ...none };
}

function group(pid: number, name: string, own: KindBytes, shared: KindBytes): SharingGroup {
  const mapped = kinds((own.anonBytes + shared.anonBytes) / KB, (own.fileBytes + shared.fileBytes) / KB);
  const process = { pid, name, command: name, user: "root", cgroup: "/" };
  return { name, processes: [process], mapped, private: own, shared, sharedOutside: kinds(0) };
}

function report(changes: Partial<SharingReport> = {}): SharingReport {
  return {
    schema: "foliometer-sharing",
    version: 1,
    by: "program",
    machine: {
      kernelRelease: "6.18.0",
      architecture: "x64",
      mapcountConfig: "page",
      pageSizeBytes: 4096,
      beganAtMs: 0,
      endedAtMs: 500,
      bootId: "",
    },
    wholeMachine: true,
    coverage: {
      processesRead: 3,
      processesRefused: 0,
      processesEnded: 0,
      framesChecked: 0,
      everyFrameChecked: false,
      framesDifferAfterSecondLook: 0,
      framesCountedMoreByKernel: 0,
      checkRefusal: null,
    },
    groups: [
      group(10, "zygote", kinds(40), kinds(4000, 100)),
      group(11, "app", kinds(8), kinds(4000, 40)),
      group(12, 'a,"b"\t', kinds(4), kinds(0, 60)),
    ],
    pairs: [
      { a: 0, b: 1, shared: kinds(4000, 40) },
      { a: 0, b: 2, shared: kinds(0, 60) },
    ],
    groupsWithoutPairs: 0,
    totals: { mapped: kinds(4052, 100), private: kinds(52), shared: kinds(4000, 100), sets: 5 },
    notes: [],
    ...changes,
  };
}

const ALL = { top: Infinity };
const PLAIN = { selection: ALL, width: Infinity, styles: PLAIN_STYLES };

test("few groups are a table and a matrix, and below stands what adds up", async () => {
  expect(await formatSharingText(report(), PLAIN)).toBe(
    [
      "Linux 6.18.0 x64, 3 processes, captured 1970-01-01 00:00:00 UTC in 500 ms. Sizes in kB of 1024 bytes.",
      "",
      "What each program shares, its processes taken together",
      "                                             -- of it --",
      "Processes  Program  Mapped  Private  Shared   anon  file",
      "        1  zygote    4,140       40   4,100  4,000   100",
      "        1  app       4,048        8   4,040  4,000    40",
      '        1  a,"b"\\t      64        4      60      0    60',
      "--------------------------------------------------------",
      "      (3)  sum       8,252       52   8,200  8,000   200",
      "",
      "Shared by each two, kB",
      '         zygote    app  a,"b"\\t',
      "zygote        -  4,040       60",
      "app       4,040      -        0",
      'a,"b"\\t      60      0        -',
      "",
      "Every page once: private 52 + shared 4,100 = mapped 4,152 kB, by 5 sets of address spaces. Private + Shared = Mapped in",
      "  every row; in the sum of Shared a page counts once for each that maps it, in the pairs once for each two. anon: shared",
      "  since a fork.",
      "",
    ].join("\n"),
  );
});

test("where the matrix has no room the pairs are listed, and what is left out is counted", async () => {
  const text = await formatSharingText(report(), { ...PLAIN, selection: { top: 1 } });
  expect(text).toContain("(2)  others");
  expect(text).toContain("Pairs, largest first\n");
  expect(text).toMatch(/^zygote {2}app {5}4,040 {2}4,000 {4}40$/m);
  expect(text).toContain("1 more pair: --top 0, --edges or --json has all.");
});

test("no line is wider than the terminal", async () => {
  for (const width of [40, 60, 100]) {
    const place = { ...PLAIN, width };
    const texts = [await formatSharingText(report(), place), await formatSharingHeat(report(), place)];
    for (const line of texts.join("\n").split("\n")) expect(line.length).toBeLessThanOrEqual(width);
  }
});

test("a chosen process is shown with everyone who shares with it", () => {
  const selected = selectSharing(report(), { top: Infinity, wanted: ({ pid }) => pid === 12 });
  expect(selected.groups).toEqual([2]);
  expect(selected.groupsFiltered).toEqual([0, 1]);
  expect(selected.pairs.map(({ a, b }) => [a, b])).toEqual([[0, 2]]);
});

test("what cannot be known is said: processes not read, pages that others map", async () => {
  const { coverage, groups } = report();
  const [first, ...rest] = groups;
  const text = await formatSharingText(
    report({
      coverage: { ...coverage, processesRefused: 2 },
      groups: [{ ...first, sharedOutside: kinds(12) }, ...rest, { ...first, shared: kinds(0) }],
      groupsWithoutPairs: 1,
    }),
    PLAIN,
  );
  expect(text).toContain("2 processes could not be read.");
  expect(text).toContain("Shared with processes that were not read: 12 kB");
  expect(text).toContain("Pairs are those of the 2 groups that share most");
});

test("the heat map is darkest where most is shared, and readable without colours", async () => {
  const lines = (await formatSharingHeat(report(), PLAIN)).split("\n");
  expect(lines.slice(2, 7)).toEqual([
    "What each two share",
    "                         1  2  3",
    " 1 zygote               ░░ ██ ░░",
    " 2 app                  ██ ··",
    ' 3 a,"b"\\t              ░░    ··',
  ]);
  expect(lines.join("\n")).toContain("██ from 1010 KiB, ▓▓ from 253 KiB, ▒▒ from 63.1 KiB, ░░ from 15.8 KiB, ·· less");
  const coloured = await formatSharingHeat(report(), { ...PLAIN, styles: COLOUR_STYLES });
  expect(coloured).toContain(ANSI);
  expect(stripVTControlCharacters(coloured)).toBe(lines.join("\n"));
});

test("what is exactly where a level begins has that level, as the legend says", async () => {
  const pairs = [
    { a: 0, b: 1, shared: kinds(400) },
    { a: 0, b: 2, shared: kinds(100) },
  ];
  const text = await formatSharingHeat(report({ pairs }), PLAIN);
  expect(text).toContain("██ from 100 KiB");
  expect(text.split("\n")[4]).toBe(" 1 zygote               ▓▓ ██ ██");
});

test("a heat map without room says how many groups it leaves out", async () => {
  expect(await formatSharingHeat(report(), { ...PLAIN, width: 30 })).toMatch(
    /1 more group has no place\s+here; --edges/,
  );
  const apart = report({ groups: report().groups.map((each) => ({ ...each, shared: kinds(0) })), pairs: [] });
  expect(await formatSharingHeat(apart, PLAIN)).toMatch(/They share no memory\.\n$/);
  const refused = { ...apart, coverage: { ...apart.coverage, processesRefused: 1 } };
  expect(await formatSharingHeat(refused, PLAIN)).toContain("memory.\n\n1 process could not be read.");
});

test("a heat map of a chosen process has those who share with it below it", async () => {
  const selection = { top: Infinity, wanted: ({ pid }: { readonly pid: number }) => pid === 12 };
  const lines = (await formatSharingHeat(report(), { ...PLAIN, selection })).split("\n");
  expect(lines.slice(3, 7)).toEqual([
    "                         1  2",
    ' 1 a,"b"\\t              ▓▓ ██',
    " 2 zygote               ██ ██",
    "",
  ]);
  expect(lines.join("\n")).toContain("Chosen: 1; the others share with them.");
});

test("a name that has a quote and nothing else to quote for is quoted in CSV", () => {
  const [first, ...rest] = report().groups;
  const csv = formatSharingEdges(report({ groups: [{ ...first, name: 'a"b' }, ...rest] }), ALL, "csv").split("\n");
  expect(csv[1].startsWith('"a""b",app,')).toBe(true);
});

test("edges are one line a pair in bytes; no name breaks a field", () => {
  const tsv = formatSharingEdges(report(), ALL, "tsv").split("\n");
  expect(tsv[0]).toBe("one\tother\tshared_bytes\tanon_bytes\tksm_bytes\tfile_bytes\tshmem_bytes\thugetlb_bytes");
  expect(tsv[1]).toBe(`zygote\tapp\t${4040 * KB}\t${4000 * KB}\t0\t${40 * KB}\t0\t0`);
  expect(tsv[2].split("\t")).toHaveLength(8);
  const csv = formatSharingEdges(report(), ALL, "csv").split("\n");
  expect(csv[2]).toBe(`zygote,"a,""b""\\t",${60 * KB},0,0,${60 * KB},0,0`);
});
