/**
 * Captures as a Perfetto trace: the process tree, and counters over time with the names that Perfetto gives them.
 *
 *     ProcessStats       of the first scheme: mem.rss, mem.rss.anon, mem.swap, mem.smaps.rss, mem.smaps.pss, ...
 *     counter tracks     under the process: "mem.smaps.pss mm-owner" of further schemes, "mem.smaps.uss page" of all
 *
 * Perfetto itself makes the names of the first kind from the fields of ProcessStats; Uss and other schemes have no field
 * there, so they are counter tracks. Times are CLOCK_BOOTTIME, with a snapshot that ties it to the time of day. A process
 * that is gone in a later capture falls to 0 there. What has not changed since the capture before is not written again,
 * as Perfetto itself does: a counter keeps its value. Field numbers: protos/perfetto/trace/ of the Perfetto project.
 */
import type { CaptureReport, ProcessFigures, ProcessReport } from "../study/index.ts";
import type { ExportHistory } from "./export-csv.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";

/** A capture in a trace: what it says and when it was taken on the clock of its boot. */
export interface TracedCapture {
  readonly report: CaptureReport;
  /** Seconds since boot when reading began. */
  readonly uptimeSeconds: number;
}

/** The id of our one packet sequence; any number but 0. */
const SEQUENCE_ID = 1;
const SEQ_INCREMENTAL_STATE_CLEARED = 1;
const CLOCK_REALTIME = 1;
const CLOCK_BOOTTIME = 6;
const TYPE_COUNTER = 4;
const UNIT_SIZE_BYTES = 3;

/** Fields of Trace and TracePacket. */
const TRACE_PACKET = 1;
const PACKET = {
  processTree: 2,
  clockSnapshot: 6,
  timestamp: 8,
  processStats: 9,
  trustedPacketSequenceId: 10,
  trackEvent: 11,
  sequenceFlags: 13,
  trackDescriptor: 60,
} as const;

/** Fields of ProcessStats.Process, in kB. */
const STATS = {
  pid: 1,
  vmRss: 3,
  rssAnon: 4,
  rssFile: 5,
  rssShmem: 6,
  vmSwap: 7,
  smapsRss: 16,
  smapsPss: 17,
  smapsPssAnon: 18,
  smapsPssFile: 19,
  smapsPssShmem: 20,
} as const;

interface Trace {
  readonly writer: ProtobufWriter;
  readonly schemes: readonly string[];
  readonly history: ExportHistory;
  /** Track ids of processes and of their counters, by key. */
  readonly tracks: Map<string, number>;
  /** Last values: of counters by track id, of ProcessStats by pid and field, of the process tree by pid. */
  readonly values: Map<number, number>;
  readonly stats: Map<number, ReadonlyMap<number, number>>;
  readonly identities: Map<number, string>;
}

/** How a trace is wanted. */
export interface PerfettoOptions {
  /** Of all captures; the first fills Perfetto's own counters. */
  readonly schemes: readonly string[];
  readonly history: ExportHistory;
}

/** A trace to which captures of one boot are added in the order of their time. */
export class PerfettoTrace {
  private readonly trace: Trace;
  private before: ReadonlyMap<number, ProcessReport> = new Map();
  private last = -1;

  constructor({ schemes, history }: PerfettoOptions) {
    const writer = new ProtobufWriter();
    const known = { values: new Map(), stats: new Map(), identities: new Map() };
    this.trace = { writer, schemes, history, tracks: new Map(), ...known };
  }

  /** O(processes * schemes). */
  add(capture: TracedCapture): void {
    const { trace, last } = this;
    const time = nanoseconds(capture.uptimeSeconds);
    if (time < last) throw new Error("captures are not in the order of their time");
    if (last < 0)
      writePacket(trace, time, () => trace.writer.number(PACKET.sequenceFlags, SEQ_INCREMENTAL_STATE_CLEARED));
    this.last = time;
    writeClocks(trace, capture);
    const processes = capture.report.processes.filter(({ refusal }) => refusal === null);
    const now = new Map(processes.map((process) => [process.pid, process]));
    const gone = [...this.before.values()].filter(({ pid }) => !now.has(pid)).map(withoutMemory);
    writeTree(trace, time, processes);
    writeStats(trace, time, [...processes, ...gone]);
    for (const process of [...processes, ...gone]) writeCounters(trace, time, process);
    this.before = now;
  }

  /** The whole trace. */
  finish(): Uint8Array {
    return this.trace.writer.finish();
  }
}

/** The trace of captures of one boot, in the order of their time. */
export function formatPerfettoTrace(captures: readonly TracedCapture[], options: PerfettoOptions): Uint8Array {
  const trace = new PerfettoTrace(options);
  for (const capture of captures) trace.add(capture);
  return trace.finish();
}

function writePacket({ writer }: Trace, time: number, body: () => void): void {
  writer.message(TRACE_PACKET, () => {
    writer.number(PACKET.timestamp, time);
    writer.number(PACKET.trustedPacketSequenceId, SEQUENCE_ID);
    body();
  });
}

function writeClocks(trace: Trace, { report, uptimeSeconds }: TracedCapture): void {
  const { writer } = trace;
  const clock = (id: number, writeTime: (field: number) => void): void =>
    writer.message(1, () => {
      writer.number(1, id);
      writeTime(2);
    });
  writePacket(trace, nanoseconds(uptimeSeconds), () =>
    writer.message(PACKET.clockSnapshot, () => {
      clock(CLOCK_BOOTTIME, (at) => writer.number(at, nanoseconds(uptimeSeconds)));
      // Nanoseconds since 1970 are beyond 2^53.
      clock(CLOCK_REALTIME, (at) => writer.product(at, Math.round(report.machine.beganAtMs), 1_000_000));
      writer.number(2, CLOCK_BOOTTIME);
    }),
  );
}

function writeTree(trace: Trace, time: number, processes: readonly ProcessReport[]): void {
  const { writer, identities } = trace;
  const changed = processes.filter(({ pid, ppid, command, name, uid }) => {
    const identity = JSON.stringify([ppid, command, name, uid]);
    const isNew = identities.get(pid) !== identity;
    identities.set(pid, identity);
    return isNew;
  });
  if (changed.length === 0) return;
  writePacket(trace, time, () =>
    writer.message(PACKET.processTree, () => {
      for (const { pid, ppid, command, uid } of changed) {
        writer.message(1, () => {
          writer.number(1, pid);
          writer.number(2, ppid);
          writer.text(3, command);
          writer.number(5, uid);
        });
      }
      for (const { pid, name } of changed) {
        writer.message(2, () => {
          writer.number(1, pid);
          writer.text(2, name);
          writer.number(3, pid);
        });
      }
    }),
  );
}

function writeStats(trace: Trace, time: number, processes: readonly ProcessReport[]): void {
  const { writer, schemes, stats } = trace;
  const changes = processes.flatMap((process) => {
    const before = stats.get(process.pid);
    const now = statsOf(process, schemes[0]);
    stats.set(process.pid, now);
    const changed = [...now].filter(([field, kb]) => before?.get(field) !== kb);
    return changed.length === 0 ? [] : [{ pid: process.pid, changed }];
  });
  if (changes.length === 0) return;
  writePacket(trace, time, () =>
    writer.message(PACKET.processStats, () => {
      for (const { pid, changed } of changes) {
        writer.message(1, () => {
          writer.number(STATS.pid, pid);
          for (const [field, kb] of changed) writer.number(field, kb);
        });
      }
    }),
  );
}

/** Fields of ProcessStats.Process, in kB. */
function statsOf(process: ProcessReport, scheme: string): ReadonlyMap<number, number> {
  const figures = process.schemes[scheme];
  const kb = (bytes: number): number => Math.floor(bytes / 1024);
  return new Map([
    [STATS.vmRss, kb(process.rssBytes)],
    [STATS.rssAnon, kb(process.rssAnonBytes)],
    [STATS.rssFile, kb(process.rssFileBytes)],
    [STATS.rssShmem, kb(process.rssShmemBytes)],
    [STATS.vmSwap, kb(process.swapBytes)],
    [STATS.smapsRss, kb(process.rssBytes)],
    [STATS.smapsPss, kb(figures.pssBytes)],
    [STATS.smapsPssAnon, kb(figures.pssAnonBytes)],
    [STATS.smapsPssFile, kb(figures.pssFileBytes)],
    [STATS.smapsPssShmem, kb(figures.pssShmemBytes)],
  ]);
}

function writeCounters(trace: Trace, time: number, process: ProcessReport): void {
  const { schemes, history } = trace;
  for (const [index, id] of schemes.entries()) {
    const { pssBytes, ussBytes } = process.schemes[id];
    if (index > 0) writeCounter(trace, time, { process, name: `mem.smaps.pss ${id}`, value: pssBytes });
    const uss = history === "most-private" ? ussBytes.most : ussBytes.least;
    writeCounter(trace, time, { process, name: `mem.smaps.uss ${id}`, value: uss });
  }
}

interface Counter {
  readonly process: ProcessReport;
  readonly name: string;
  readonly value: number;
}

function writeCounter(trace: Trace, time: number, { process, name, value }: Counter): void {
  const { writer } = trace;
  const { pid } = process;
  const parent = trackOf(trace, `${pid}`, (uuid) => {
    writer.number(1, uuid);
    writer.message(3, () => {
      writer.number(1, pid);
      writer.text(2, process.command);
      writer.text(6, process.name);
    });
  });
  const track = trackOf(trace, `${pid} ${name}`, (uuid) => {
    writer.number(1, uuid);
    writer.text(2, name);
    writer.number(5, parent);
    writer.message(8, () => writer.number(3, UNIT_SIZE_BYTES));
  });
  if (trace.values.get(track) === value) return;
  trace.values.set(track, value);
  writePacket(trace, time, () =>
    writer.message(PACKET.trackEvent, () => {
      writer.number(9, TYPE_COUNTER);
      writer.number(11, track);
      writer.number(30, value);
    }),
  );
}

/** The id of a track; a new one is described first. Ids are the same for the same captures. */
function trackOf({ writer, tracks }: Trace, key: string, describe: (uuid: number) => void): number {
  const known = tracks.get(key);
  if (known !== undefined) return known;
  const uuid = tracks.size + 1;
  tracks.set(key, uuid);
  writer.message(TRACE_PACKET, () => {
    writer.number(PACKET.trustedPacketSequenceId, SEQUENCE_ID);
    writer.message(PACKET.trackDescriptor, () => describe(uuid));
  });
  return uuid;
}

/** What a process that ended has: nothing, under every scheme. */
function withoutMemory(process: ProcessReport): ProcessReport {
  const none = { least: 0, most: 0 };
  const figures = { pssBytes: 0, pssAnonBytes: 0, pssFileBytes: 0, pssShmemBytes: 0, ussBytes: none };
  const sizes = { rssBytes: 0, rssAnonBytes: 0, rssFileBytes: 0, rssShmemBytes: 0, swapBytes: 0 };
  const schemes = Object.entries(process.schemes).map(([id, now]) => [id, { ...now, ...figures }] as const);
  return { ...process, ...sizes, schemes: Object.fromEntries<ProcessFigures>(schemes) };
}

function nanoseconds(seconds: number): number {
  return Math.round(seconds * 1e9);
}
