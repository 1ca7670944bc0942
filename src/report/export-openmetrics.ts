/**
 * A capture's figures as OpenMetrics: what processes have, with the scheme as a label, and beside it what a reader must
 * know to trust it: how much was read, how well it agreed with the kernel, and what the reading cost.
 *
 * Names follow the conventions of process exporters: base units at the end, process_memory_bytes with the kind of figure
 * as `memtype`. Figures that no scheme changes (rss, swap) have no scheme label. `uss` is the largest value that some
 * history of the folios allows, as the kernel's smaps would show it most often; `uss_least` the smallest.
 */
import type { CaptureReport, SummableFigures } from "../study/index.ts";
import { disagreeing } from "./coverage.ts";
import { type MetricFamily, type MetricSample, type MetricsDialect, formatMetrics } from "./openmetrics.ts";

/** How the text is wanted. */
export interface ExportMetricsOptions {
  readonly dialect: MetricsDialect;
  /** Schemes of the report whose figures are written. */
  readonly schemes: readonly string[];
  /** Whether every sample says when the capture ended. */
  readonly timestamps: boolean;
}

/** All families as text. */
export function formatExportMetrics(
  report: CaptureReport,
  { dialect, schemes, timestamps }: ExportMetricsOptions,
): string {
  const chosen = { ...report, schemes };
  return formatMetrics([...processFamilies(chosen), ...machineFamilies(chosen), ...captureFamilies(report)], {
    dialect,
    ...(timestamps ? { timestampMs: report.machine.endedAtMs } : {}),
  });
}

/** What each process has: one family, a sample a figure and scheme. */
export function processFamilies({ processes, schemes }: CaptureReport): MetricFamily[] {
  const samples: MetricSample[] = [];
  for (const process of processes) {
    if (process.refusal !== null) continue;
    const { pid, name, user, cgroup } = process;
    addMemorySamples({ pid, name, user, cgroup }, process, schemes, samples);
  }
  return [
    {
      name: "process_memory_bytes",
      type: "gauge",
      unit: "bytes",
      help: "Memory of a process: rss, swap, hugetlb and page tables; pss and uss as each scheme counts.",
      samples,
    },
  ];
}

/** The figures of whoever `identity` names: one process, or several together. Figures that no scheme changes have none. */
export function addMemorySamples(
  identity: MetricSample["labels"],
  process: SummableFigures,
  schemes: readonly string[],
  samples: MetricSample[],
): void {
  const add = (memtype: string, value: number, scheme = ""): void => {
    samples.push({ labels: { ...identity, memtype, scheme }, value });
  };
  add("rss", process.rssBytes);
  add("rss_anon", process.rssAnonBytes);
  add("rss_file", process.rssFileBytes);
  add("rss_shmem", process.rssShmemBytes);
  add("swap", process.swapBytes);
  add("hugetlb", process.hugetlbBytes);
  add("page_tables", process.pageTablesBytes);
  for (const id of schemes) {
    const figures = process.schemes[id];
    add("pss", figures.pssBytes, id);
    add("pss_anon", figures.pssAnonBytes, id);
    add("pss_file", figures.pssFileBytes, id);
    add("pss_shmem", figures.pssShmemBytes, id);
    add("uss", figures.ussBytes.most, id);
    add("uss_least", figures.ussBytes.least, id);
  }
}

/**
 * The whole machine: what meminfo would print under each scheme, large folios, and those partially mapped. What chosen
 * processes map is no figure of meminfo and is not given as one; of large folios theirs are.
 */
export function machineFamilies(report: CaptureReport): MetricFamily[] {
  const { schemes, figures, folios, measured, machine, wholeMachine } = report;
  const meminfo = (field: string, value: number | null, scheme = ""): MetricSample[] =>
    value === null ? [] : [{ labels: { field, scheme }, value }];
  return [
    {
      name: "foliometer_meminfo_bytes",
      type: "gauge",
      unit: "bytes",
      help: "Fields of /proc/meminfo: without a scheme as the kernel printed them, with one (not in captures of chosen processes) as it would.",
      samples: [
        ...meminfo("MemTotal", machine.memTotalBytes),
        ...meminfo("AnonPages", measured.anonPagesBytes),
        ...meminfo("Mapped", measured.mappedBytes),
        ...(wholeMachine ? schemes : []).flatMap((id) => [
          ...meminfo("AnonPages", figures[id].anonPagesBytes, id),
          ...meminfo("Mapped", figures[id].mappedBytes, id),
        ]),
      ],
    },
    {
      name: "foliometer_large_folios",
      type: "gauge",
      help: "Large folios that the processes read map, by order and kind.",
      samples: folios.map(({ order, kind, folios: value }) => ({ labels: { order, kind }, value })),
    },
    {
      name: "foliometer_partially_mapped_folios",
      type: "gauge",
      help: "Partially mapped anonymous large folios, by whether a scheme noticed them; past: it depends on their past.",
      samples: schemes.flatMap((id) => [
        { labels: { scheme: id, noticed: "yes" }, value: figures[id].partialNoticed },
        { labels: { scheme: id, noticed: "no" }, value: figures[id].partialMissed - figures[id].partialPastDecides },
        { labels: { scheme: id, noticed: "past" }, value: figures[id].partialPastDecides },
      ]),
    },
  ];
}

/** What was read, how well it agreed, and what it cost. */
export function captureFamilies({ machine, coverage, cost, wholeMachine, schemes }: CaptureReport): MetricFamily[] {
  const gauge = (name: string, help: string, value: number, unit?: string): MetricFamily => ({
    name,
    type: "gauge",
    ...(unit === undefined ? {} : { unit }),
    help,
    samples: [{ labels: {}, value }],
  });
  const { kernelRelease: kernel_release, architecture, mapcountConfig: mapcount_config, bootId: boot_id } = machine;
  return [
    {
      name: "foliometer_capture",
      type: "info",
      help: "The kernel that was read, and the scheme by which it counts.",
      samples: [{ labels: { kernel_release, architecture, mapcount_config, boot_id, scheme: schemes[0] }, value: 1 }],
    },
    {
      name: "foliometer_capture_processes",
      type: "gauge",
      help: "Processes by how far their reading went.",
      samples: [
        { labels: { state: "read" }, value: coverage.processesRead },
        { labels: { state: "refused" }, value: coverage.processesRefused },
        { labels: { state: "ended" }, value: coverage.processesEnded },
      ],
    },
    gauge("foliometer_capture_whole_machine", "1 if every process was meant to be read.", Number(wholeMachine)),
    gauge("foliometer_capture_frames_checked", "Frames compared with /proc/kpagecount.", coverage.framesChecked),
    gauge(
      "foliometer_capture_frames_differing",
      "Frames of those that still differed after a second look, and not because others map them than were chosen.",
      disagreeing(coverage, wholeMachine),
    ),
    gauge("foliometer_capture_changed_bytes", "Memory that changed while it was read.", coverage.changedBytes, "bytes"),
    gauge("foliometer_capture_duration_seconds", "Time that the reading took.", cost.elapsedMs / 1000, "seconds"),
    gauge(
      "foliometer_capture_longest_scan_seconds",
      "The longest single PAGEMAP_SCAN: the target's mmap lock was held for about as long.",
      cost.longestScanMs / 1000,
      "seconds",
    ),
    {
      name: "foliometer_capture_read_bytes",
      type: "gauge",
      unit: "bytes",
      help: "Bytes read, by file of /proc.",
      samples: [
        { labels: { file: "pagemap" }, value: cost.pagemapBytes },
        { labels: { file: "kpageflags" }, value: cost.kpageflagsBytes },
        { labels: { file: "kpagecount" }, value: cost.kpagecountBytes },
      ],
    },
  ];
}
