/**
 * A Perfetto trace is what the project's schema says: read by a Protocol Buffers library that knows nothing of ours.
 */
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";
import { afterAll, expect, test } from "vitest";
import { openCapture } from "../../src/capture/index.ts";
import { Recorder } from "../../src/capture/recorder.ts";
import { type TracedCapture, formatPerfettoTrace } from "../../src/report/index.ts";
import { makeTestDirectory } from "../captured-child.ts";
import { foliometer } from "../foliometer-in-process.ts";
import { MADE_UP_RUNS, madeUpFacts, writeMadeUpCapture } from "../made-up-capture.ts";
import { SCHEME_IDS, madeUpReport } from "../report/made-up-report.ts";
import { SAMPLE } from "./reading.ts";

interface Packet {
  readonly timestamp?: string;
  readonly trustedPacketSequenceId?: number;
  readonly sequenceFlags?: number;
  readonly clockSnapshot?: {
    readonly primaryTraceClock: string;
    readonly clocks: readonly { readonly clockId: number; readonly timestamp: string }[];
  };
  readonly processTree?: {
    readonly processes: readonly { readonly pid: number; readonly ppid: number; readonly cmdline: readonly string[] }[];
    readonly threads: readonly { readonly tid: number; readonly tgid: number; readonly name: string }[];
  };
  readonly processStats?: { readonly processes: readonly Readonly<Record<string, string>>[] };
  readonly trackDescriptor?: {
    readonly uuid: string;
    readonly name?: string;
    readonly parentUuid?: string;
    readonly process?: { readonly pid: number; readonly processName: string };
    readonly counter?: { readonly unit: string };
  };
  readonly trackEvent?: { readonly type: string; readonly trackUuid: string; readonly counterValue: string };
}

const schema = protobuf.loadSync(fileURLToPath(new URL("perfetto-trace.proto", import.meta.url)));
const Trace = schema.lookupType("perfetto.protos.Trace");

function readTrace(bytes: Uint8Array): readonly Packet[] {
  const read = Trace.toObject(Trace.decode(bytes), { longs: String, enums: String }) as { readonly packet: Packet[] };
  return read.packet;
}

/** Values of counters by time: "seconds pid name" to bytes. */
function countersOf(packets: readonly Packet[]): Map<string, number> {
  const tracks = new Map(
    packets.flatMap(({ trackDescriptor: track }) => (track === undefined ? [] : [[track.uuid, track]])),
  );
  const values = new Map<string, number>();
  for (const { timestamp, trackEvent } of packets) {
    if (trackEvent === undefined) continue;
    const track = tracks.get(trackEvent.trackUuid);
    const parent = tracks.get(track?.parentUuid ?? "");
    expect(track?.counter).toEqual({ unit: "UNIT_SIZE_BYTES" });
    values.set(`${Number(timestamp) / 1e9} ${parent?.process?.pid} ${track?.name}`, Number(trackEvent.counterValue));
  }
  return values;
}

const directory = makeTestDirectory();
afterAll(() => directory.remove());

const REPORT = madeUpReport();
const CAPTURE: TracedCapture = { report: REPORT, uptimeSeconds: 5000.25 };
const HOW = { schemes: SCHEME_IDS, history: "most-private" } as const;

test("Perfetto's own counters hold the first scheme's smaps figures, in kB", () => {
  const packets = readTrace(formatPerfettoTrace([CAPTURE], HOW));
  const stats = packets.flatMap(({ processStats }) => processStats?.processes ?? []);
  const redis = REPORT.processes.find(({ pid }) => pid === 4021);
  expect(stats.find(({ pid }) => Number(pid) === 4021)).toEqual({
    pid: 4021,
    vmRssKb: "2229844",
    rssAnonKb: "2229844",
    rssFileKb: "0",
    rssShmemKb: "0",
    vmSwapKb: "0",
    smrRssKb: "2229844",
    smrPssKb: `${Math.floor((redis?.schemes["page"].pssBytes ?? 0) / 1024)}`,
    smrPssAnonKb: "1286541",
    smrPssFileKb: "0",
    smrPssShmemKb: "0",
  });
  expect(stats).toHaveLength(REPORT.processes.filter(({ refusal }) => refusal === null).length);
});

test("Uss and further schemes are counter tracks below their process", () => {
  const counters = countersOf(readTrace(formatPerfettoTrace([CAPTURE], HOW)));
  const least = countersOf(readTrace(formatPerfettoTrace([CAPTURE], { ...HOW, history: "least-private" })));
  expect(counters.get("5000.25 4021 mem.smaps.pss mm-owner")).toBe(1_286_522 * 1024 + 511);
  expect(counters.has("5000.25 4021 mem.smaps.pss page")).toBe(false);
  expect(counters.get("5000.25 4021 mem.smaps.uss mm-owner")).toBe(348_688 * 1024);
  expect(least.get("5000.25 4021 mem.smaps.uss mm-owner")).toBe(2_100 * 1024);
  expect(counters.get("5000.25 4021 mem.smaps.uss page")).toBe(348_724 * 1024);
});

test("the process tree has names, command lines and parents, and the clocks are tied together", () => {
  const [first, ...packets] = readTrace(formatPerfettoTrace([CAPTURE], HOW));
  expect(first.sequenceFlags).toBe(1);
  for (const { trustedPacketSequenceId } of packets) expect(trustedPacketSequenceId).toBe(1);
  const tree = packets.find(({ processTree }) => processTree !== undefined)?.processTree;
  expect(tree?.processes).toContainEqual({ pid: 900, ppid: 1, cmdline: ["node"], uid: 0 });
  expect(tree?.threads).toContainEqual({ tid: 12_345, tgid: 12_345, name: "redis-rdb-bgsave" });
  const clocks = packets.find(({ clockSnapshot }) => clockSnapshot !== undefined)?.clockSnapshot;
  expect(clocks).toEqual({
    primaryTraceClock: "BUILTIN_CLOCK_BOOTTIME",
    clocks: [
      { clockId: 6, timestamp: "5000250000000" },
      { clockId: 1, timestamp: `${REPORT.machine.beganAtMs}000000` },
    ],
  });
});

test("a process that is gone in a later capture falls to 0, one that stays goes on on its track", () => {
  const later = {
    report: { ...REPORT, processes: REPORT.processes.filter(({ pid }) => pid !== 333) },
    uptimeSeconds: 5010,
  };
  const packets = readTrace(formatPerfettoTrace([CAPTURE, later], HOW));
  const counters = countersOf(packets);
  expect(counters.get("5000.25 333 mem.smaps.uss mm-owner")).toBe(12 * 1024);
  expect(counters.get("5010 333 mem.smaps.uss mm-owner")).toBe(0);
  // It keeps its value, so it is not written again.
  expect(counters.has("5010 4021 mem.smaps.uss page")).toBe(false);
  const names = packets.flatMap(({ trackDescriptor }) => trackDescriptor?.process?.pid ?? []);
  expect(names.length).toBe(new Set(names).size);
  const last = packets.filter(({ processStats }) => processStats !== undefined).at(-1)?.processStats;
  expect(last?.processes.find(({ pid }) => Number(pid) === 333)).toMatchObject({ vmRssKb: "0", smrPssKb: "0" });
});

test("what changes is written, on the same track, and what does not is not", () => {
  const changed = REPORT.processes.map((process) =>
    process.pid === 900 ? { ...process, rssBytes: process.rssBytes + 4096, name: "renamed" } : process,
  );
  const packets = readTrace(
    formatPerfettoTrace([CAPTURE, { report: { ...REPORT, processes: changed }, uptimeSeconds: 5010 }], HOW),
  );
  const later = packets.filter(({ timestamp }) => timestamp === "5010000000000");
  const stats = later.flatMap(({ processStats }) => processStats?.processes ?? []);
  expect(stats).toEqual([{ pid: 900, vmRssKb: "61208", smrRssKb: "61208" }]);
  expect(later.flatMap(({ processTree }) => processTree?.threads ?? [])).toEqual([
    { tid: 900, tgid: 900, name: "renamed" },
  ]);
  expect(later.filter(({ trackEvent }) => trackEvent !== undefined)).toEqual([]);
});

test("captures that go back in time are a bug", () => {
  const earlier = { ...CAPTURE, uptimeSeconds: 1 };
  expect(() => formatPerfettoTrace([CAPTURE, earlier], HOW)).toThrow(/not in the order of their time/);
});

test("captures of one boot become one trace; those of another are refused", async () => {
  const path = join(directory.path, "week.pftrace");
  const [early, late] = [1_000, 2_000].map((uptimeSeconds) => {
    const facts = madeUpFacts();
    const to = join(directory.path, `at-${uptimeSeconds}`);
    writeMadeUpCapture(to, MADE_UP_RUNS, { ...facts, machine: { ...facts.machine, uptimeSeconds } });
    return to;
  });
  const given = await foliometer("export", late, early, "--format", "perfetto", "-o", path, "--threads", "1");
  // Processes of the made-up capture are refused.
  expect(given.code).toBe(3);
  expect(given.stderr.match(/^foliometer: incomplete: 2 processes could not be read\.$/gm)).toHaveLength(2);
  const times = readTrace(readFileSync(path))
    .filter(({ trackDescriptor }) => trackDescriptor === undefined)
    .map(({ timestamp }) => Number(timestamp));
  expect(new Set(times)).toEqual(new Set([1e12, 2e12]));
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  const { stderr, code } = await foliometer(
    "export",
    SAMPLE,
    early,
    "--format",
    "perfetto",
    "-o",
    path,
    "--threads",
    "1",
  );
  expect(stderr).toContain("foliometer: A trace has one clock: these captures are of different boots or machines.\n");
  expect(code).toBe(2);
});

test("a trace is incomplete if one of its captures is, whichever", async () => {
  const facts = madeUpFacts();
  const whole = await openCapture(SAMPLE, { threads: 1 });
  const { bootId } = whole.machine;
  await whole.close();
  const incomplete = join(directory.path, "incomplete");
  writeMadeUpCapture(incomplete, MADE_UP_RUNS, { ...facts, machine: { ...facts.machine, bootId } });
  const how = ["--format", "perfetto", "-o", join(directory.path, "both.pftrace"), "--threads", "1"];
  expect((await foliometer("export", SAMPLE, ...how)).code).toBe(0);
  for (const both of [
    [incomplete, SAMPLE],
    [SAMPLE, incomplete],
  ]) {
    expect((await foliometer("export", ...both, ...how)).code).toBe(3);
  }
});

/** Rss by pid and time, as Perfetto's counter mem.rss has it. */
function rssOf(packets: readonly Packet[]): Record<string, string> {
  const found = packets.flatMap(({ timestamp, processStats }) =>
    (processStats?.processes ?? []).flatMap(({ pid, vmRssKb }) =>
      vmRssKb === undefined ? [] : [[`${pid} at ${Number(timestamp) / 1e9}`, vmRssKb] as const],
    ),
  );
  return Object.fromEntries(found);
}

test("of a recording every capture is in the trace, and one that cannot be read is named", async () => {
  const recording = join(directory.path, "recording");
  const recorder = new Recorder(recording, { createdBy: "a test", append: false, keyEvery: 60 });
  for (const [index, runs] of [MADE_UP_RUNS, MADE_UP_RUNS.slice(0, 12), MADE_UP_RUNS].entries()) {
    const facts = madeUpFacts();
    const machine = { ...facts.machine, uptimeSeconds: 100 * (index + 1) };
    const when = { dueAtMs: 1_700_000_000_000 + index * 5000, intervalMs: 5000, missedIntervals: 0 };
    await recorder.add(when, (path) => void writeMadeUpCapture(path, runs, { ...facts, machine }));
  }
  const path = join(directory.path, "recording.pftrace");
  const whole = await foliometer("export", recording, "--format", "perfetto", "-o", path, "--threads", "1");
  expect(whole.code).toBe(3);
  const rss = rssOf(readTrace(readFileSync(path)));
  expect(rss["103 at 100"]).not.toBe("0");
  expect(rss).toMatchObject({ "103 at 200": "0", "103 at 300": rss["103 at 100"] });

  const single = await foliometer("export", `${recording}@1`, "--format", "csv", "--threads", "1");
  expect(single.stdout).toMatch(/^103,.*,0$/m);

  const [last = ""] = readdirSync(recording).filter((name) => name.endsWith("2"));
  for (const name of readdirSync(join(recording, last))) writeFileSync(join(recording, last, name), "damaged");
  const rest = await foliometer("export", recording, "--format", "perfetto", "-o", path, "--threads", "1");
  expect(rest.code).toBe(3);
  expect(rest.stderr).toMatch(/^foliometer: incomplete: capture 2 is left out: .+$/m);
  const { "103 at 300": gone, ...kept } = rss;
  expect(gone).toBeDefined();
  expect(rssOf(readTrace(readFileSync(path)))).toEqual(
    Object.fromEntries(Object.entries(kept).filter(([key]) => !key.endsWith("at 300"))),
  );
});

test("formats that hold one capture refuse two", async () => {
  const { stderr, code } = await foliometer("export", SAMPLE, SAMPLE, "--format", "csv");
  expect({ stderr, code }).toEqual({
    stderr: "foliometer: The format csv holds one capture; several go into --format perfetto.\n",
    code: 2,
  });
});
