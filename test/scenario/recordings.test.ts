/**
 * The language, the schema and the comparison, held against what two real kernels answered to 18 scenarios.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ComparisonRule,
  type Dump,
  KSM_FLAG_RULE,
  MACHINE_NOISE,
  SOFT_DIRTY_RULE,
  type ScenarioRecord,
  compareDumps,
  compareRecords,
  describeDifference,
  readRecord,
} from "../../src/scenario/index.ts";
import { RECORDED, recordedScenario, recording, recordingText } from "./recordings.ts";

const NAMES = { left: "model", right: "kernel" } as const;
const STRICT = { rules: [], vmstatKeys: ["thp_split_pmd", "pswpout"] };

test("there are 18 scenarios", () => {
  expect(RECORDED).toHaveLength(18);
});

describe.each(RECORDED)("%s", (name) => {
  test("commands are recorded as their echo, and dumps with their labels", () => {
    const scenario = recordedScenario(name);
    for (const config of ["page", "nopage"] as const) {
      const { steps } = recording(name, config);
      const lastDump = scenario.commands.findLastIndex(({ kind }) => kind === "dump");
      const upToLast = scenario.commands.slice(0, lastDump + 1);
      const labels = upToLast.flatMap((command) => (command.kind === "dump" ? [command.label] : []));
      expect(steps.map(({ dump }) => dump.label)).toEqual(labels);
      const echoes = upToLast.filter(({ kind }) => kind !== "dump").map(({ echo }) => echo);
      expect(steps.flatMap(({ commands }) => commands).map((text) => text.split(" = ")[0])).toEqual(echoes);
    }
  });

  test("a recording read and written is the same bytes", () => {
    for (const config of ["page", "nopage"] as const) {
      expect(`${JSON.stringify(recording(name, config))}\n`).toBe(recordingText(name, config));
    }
  });

  test("a recording equals itself, whatever its labels and runs", () => {
    for (const config of ["page", "nopage"] as const) {
      const record = recording(name, config);
      expect(compareRecords(record, record, STRICT).differences).toEqual([]);
      expect(compareRecords(record, relabelled(record), STRICT).differences).toEqual([]);
    }
  });

  test("the two kernels differ only in what their counting changes", () => {
    const { differences } = compareRecords(recording(name, "page"), recording(name, "nopage"));
    const allowed =
      /^(?:Pss\w*|Shared_\w+|Private_\w+|numa_maps|kpagecount|raw nr_pages_mapped|raw entirely|raw_page_mapcount|AnonPages|Mapped|Locked|SwapPss)$/;
    for (const difference of differences) {
      if (difference.path.includes("pagemap")) {
        expect(difference.left?.replace("X", "-")).toBe(difference.right?.replace("X", "-"));
      } else expect(difference.path.at(-1), describeDifference(difference, NAMES)).toMatch(allowed);
    }
    if (recording(name, "page").steps.some(({ dump }) => hasLarge(dump))) expect(differences).not.toEqual([]);
  });
});

function hasLarge(dump: Dump): boolean {
  return Object.values(dump.folios).some((folio) => "raw_page_mapcount" in folio);
}

/** The same recording with labels counted down and every run of pagemap cut in two. */
function relabelled(record: ScenarioRecord): ScenarioRecord {
  const far = 5000;
  const turn = (label: string): string => `F${far - Number(label)}`;
  return readRecord({
    steps: record.steps.map(({ commands, dump }) => ({
      commands,
      dump: {
        ...dump,
        folios: Object.fromEntries(
          Object.entries(dump.folios).flatMap(([key, folio]) => {
            const [first, last = first] = key.split("..").map((label) => Number(label.slice(1)));
            return Array.from({ length: last - first + 1 }, (_, index) => [turn(String(first + index)), folio]);
          }),
        ),
        processes: Object.fromEntries(
          Object.entries(dump.processes).map(([process, { vmas, pagemap }]) => [
            process,
            { vmas, pagemap: pagemap.flatMap((run) => pagesOf(run, turn)) },
          ]),
        ),
      },
    })),
  });
}

/** A run as one run a page, folios renamed. */
function pagesOf(
  run: Dump["processes"][string]["pagemap"][number],
  turn: (label: string) => string,
): Dump["processes"][string]["pagemap"][number][] {
  const small = /^F(\d+)\.\.F\d+$/.exec(run.where);
  const large = /^F(\d+)\[(\d+)-\d+\](\*\d+)?$/.exec(run.where);
  const swap = /^swap type=(\d+) off=0x([0-9a-f]+)$/.exec(run.where);
  return Array.from({ length: run.n }, (_, index) => {
    let { where } = run;
    if (small !== null) where = `${turn(String(Number(small[1]) + index))}[0-0]`;
    else if (large !== null) {
      const page = Number(large[2]) + (large[3] === undefined ? index : 0);
      where = `${turn(large[1])}[${page}-${page}]`;
    } else if (swap !== null && Number(swap[1]) < 25) {
      where = `swap type=${swap[1]} off=0x${(Number.parseInt(swap[2], 16) + index).toString(16)}`;
    }
    return { ...run, page: run.page + index, n: 1, where };
  });
}

test("where counting differs, the difference is in words", () => {
  const [page, nopage] = (["page", "nopage"] as const).map((config) => recording("a_thp_fork_unmap_half", config));
  const lines = compareRecords(page, nopage).differences.map((each) => describeDifference(each, NAMES));
  expect(lines).toContain("step 3_child_unmapped_half, process P, VMA 0x200000000, Pss: model 1536, kernel 1024");
});

/** Leaves of a recording's JSON that a comparison must notice. */
function leavesOf(value: unknown, path: readonly string[] = []): string[][] {
  if (typeof value !== "object" || value === null) return [[...path]];
  return Object.entries(value).flatMap(([key, each]) => leavesOf(each, [...path, key]));
}

function changed(value: unknown, path: readonly string[]): unknown {
  const [key, ...rest] = path;
  if (key === undefined)
    return typeof value === "number" ? value + 1 : typeof value === "boolean" ? !value : `${String(value)}x`;
  const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) }) as Record<string, unknown>;
  copy[key] = changed(copy[key], rest);
  return copy;
}

test("every figure that is changed in a dump is noticed, unless a rule covers it", () => {
  const noticed = new Set<string>();
  fc.assert(
    fc.property(
      fc.constantFrom(...RECORDED),
      fc.constantFrom("page" as const, "nopage" as const),
      fc.nat(),
      fc.nat(),
      (name, config, at, which) => {
        const { steps } = recording(name, config);
        const { dump } = steps[at % steps.length];
        const leaves = leavesOf(dump).filter((path) => !isRunBound(path));
        const path = leaves[which % leaves.length];
        const other = changed(dump, path) as Dump;
        const keys = Object.keys(dump.vmstat_delta);
        const differences = compareDumps(dump, other, { rules: [], vmstatKeys: keys });
        noticed.add(path[0]);
        expect(differences.length, path.join(".")).toBeGreaterThan(0);
      },
    ),
    { numRuns: 1000 },
  );
  expect(noticed.size).toBeGreaterThan(5);
});

/** Bounds of runs, changed, make no dump at all, or the same one cut elsewhere. */
function isRunBound(path: readonly string[]): boolean {
  return (path.includes("folios") && /^[01]$/.test(path.at(-1) ?? "") && !path.includes("mm")) || isPlaceOfRun(path);
}

function isPlaceOfRun(path: readonly string[]): boolean {
  return path.includes("pagemap") && ["base", "page", "n", "where"].includes(path.at(-1) ?? "");
}

test.each<[ComparisonRule["name"], (text: string) => string]>([
  ["pfn", (text) => text.replaceAll(/"pfn":"0x[0-9a-f]+"/g, '"pfn":"0x1"')],
  ["pids and owner ids in commands", (text) => text.replaceAll(/pid \d+ mm_id \d+/g, "pid 9 mm_id 9")],
  ["meminfo_kB", (text) => text.replaceAll(/"Shmem":\d+/g, '"Shmem":1')],
  ["swap type", (text) => text.replaceAll("swap type=0", "swap type=3")],
])("%s is machine noise, and nothing else is covered by it", (rule, change) => {
  const covered = new Set<string>();
  for (const name of RECORDED) {
    const other = readRecord(JSON.parse(change(recordingText(name, "page"))));
    const comparison = compareRecords(recording(name, "page"), other);
    expect(comparison.differences).toEqual([]);
    for (const each of comparison.covered.keys()) covered.add(each);
  }
  expect([...covered]).toEqual([rule]);
  expect(MACHINE_NOISE.map(({ name }) => name)).toContain(rule);
});

test("a kernel without soft-dirty and with KSM's flag on KSM pages alone is the same kernel but for these rules", () => {
  const rules = [...MACHINE_NOISE, SOFT_DIRTY_RULE, KSM_FLAG_RULE];
  for (const name of RECORDED) {
    const text = recordingText(name, "page")
      .replaceAll(/"flags":"(....)d/g, '"flags":"$1-')
      .replaceAll(',"sd"', "")
      .replaceAll(",KSM", "");
    const without = JSON.parse(text) as {
      steps: { dump: { processes: Record<string, { pagemap: { flags: string }[] }> } }[];
    };
    for (const { dump } of without.steps) {
      for (const process of Object.values(dump.processes)) {
        process.pagemap = process.pagemap.filter(({ flags }) => flags !== "--------");
      }
    }
    const { differences } = compareRecords(recording(name, "page"), readRecord(without), { rules });
    expect(differences.map((each) => describeDifference(each, NAMES))).toEqual([]);
  }
});

test("a damaged recording is refused with the place of the damage", () => {
  const record: unknown = JSON.parse(recordingText("f_small_only", "page"));
  expect(() => readRecord(changed(record, ["steps", "0", "dump", "label", "x"]))).toThrow(/dump.label is not a text/);
  expect(() => readRecord({ steps: [{ commands: [1] }] })).toThrow("recording.steps[0].commands[0] is not a text");
  expect(() => readRecord(null)).toThrow("recording is not an object");
});

test("a recorded process named like a property of objects is a process", () => {
  const dump = { label: "1", processes: JSON.parse('{"__proto__":{"vmas":[],"pagemap":[]}}') as unknown };
  const ksm = { pages_shared: 0, pages_sharing: 0, pages_unshared: 0, ksm_zero_pages: 0 };
  const record = readRecord({
    steps: [{ commands: [], dump: { ...dump, folios: {}, meminfo_kB: {}, vmstat_delta: {}, ksm } }],
  });
  expect(Object.keys(record.steps[0].dump.processes)).toEqual(["__proto__"]);
});
