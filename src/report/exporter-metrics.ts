/**
 * What `foliometer exporter` answers, as metric families: the figures, and how much they are to be trusted.
 *
 * Invariant: no figure stands without its reservations. If a process of the machine is missing, every figure has the label
 * partial="missing": its mappings are in nobody's count. If a group has processes that changed after they were read and
 * before time ran out, its figures have partial="stale". foliometer_left_out says how many processes and why, and is 0,
 * not absent, where nothing was left out. An answer without figures has foliometer_scrape_complete 0 and says "deadline".
 */
import type { FigureGroup, Scrape } from "../study/index.ts";
import { addMemorySamples, captureFamilies, machineFamilies } from "./export-openmetrics.ts";
import type { MetricFamily, MetricSample } from "./openmetrics.ts";

/** The exporter when it answers. Times in seconds. */
export interface ExporterState {
  /** undefined: there are no figures in this answer, because its deadline passed before they were there. */
  readonly scrape: Scrape | undefined;
  /** Processes that an answer without figures leaves out; NaN where no scrape has counted them yet. */
  readonly processes: number;
  /** How this answer came about; see `answers`. */
  readonly how: ExporterAnswer;
  /** Since the reading of the figures began. */
  readonly ageSeconds: number;
  /** Since the oldest reading that is part of them. */
  readonly oldestAgeSeconds: number;
  /** What this answer was given. */
  readonly budgetSeconds: number;
  readonly minIntervalSeconds: number;
  /** Answers since the start by how they came about, this one among them. */
  readonly answers: Readonly<Record<ExporterAnswer, number>>;
  /** Requests refused since the start, by reason. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Of the exporter's whole process since its start. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
}

/**
 * "fresh": the machine was read for it; "shared": another request's reading was under way; "cached": the last one was not
 * older than the least interval; "late": no figures by its deadline; "failed": reading failed.
 */
export type ExporterAnswer = "fresh" | "shared" | "cached" | "late" | "failed";

/** Everything that /metrics says. */
export function exporterFamilies(state: ExporterState): MetricFamily[] {
  const { scrape } = state;
  if (scrape === undefined) return [...stateFamilies(state)];
  const { report, groups } = scrape;
  const all = groups.rest === undefined ? groups.groups : [...groups.groups, groups.rest];
  const { unread, refused, stale } = scrape.gaps;
  const isMissing = unread + refused > 0;
  const partial = isMissing || !report.wholeMachine ? "missing" : stale > 0 ? "stale" : "";
  return [
    ...groupFamilies(all, report.schemes, isMissing),
    gauge("foliometer_folded_groups", `Groups whose figures are summed into "other".`, [[{}, groups.folded]]),
    ...machineFamilies(report).map((family) => reserve(family, partial)),
    ...captureFamilies(report),
    ...scrapeFamilies(scrape),
    ...stateFamilies(state),
  ];
}

/** The label on the machine's figures, but those that the kernel printed itself, which have an empty scheme. */
function reserve(family: MetricFamily, partial: string): MetricFamily {
  const samples = family.samples.map(({ labels, value }) => ({
    labels: labels["scheme"] === "" ? labels : { ...labels, partial },
    value,
  }));
  return { ...family, samples };
}

/** A group's figures; a missing process is missing in everybody's shares, a stale one in its own group. */
function groupFamilies(groups: readonly FigureGroup[], schemes: readonly string[], isMissing: boolean): MetricFamily[] {
  const memory: MetricSample[] = [];
  const spaces: MetricSample[] = [];
  for (const { labels, figures, addressSpaces, stale } of groups) {
    const partial = isMissing ? "missing" : stale > 0 ? "stale" : "";
    addMemorySamples({ ...labels, partial }, figures, schemes, memory);
    spaces.push({ labels, value: addressSpaces });
  }
  return [
    {
      name: "process_memory_bytes",
      type: "gauge",
      unit: "bytes",
      help:
        "Memory of processes, summed over address spaces: rss, swap, hugetlb and page tables; pss and uss as each scheme " +
        "counts. Only pss adds up to what is used. partial: see foliometer_left_out.",
      samples: memory,
    },
    { name: "foliometer_address_spaces", type: "gauge", help: "Address spaces of each sum.", samples: spaces },
  ];
}

/** What this scrape cost. */
function scrapeFamilies(scrape: Scrape): MetricFamily[] {
  return [
    seconds("foliometer_scrape_duration", "From the beginning of the reading to its figures.", [
      [{}, scrape.elapsedMs / 1000],
    ]),
    seconds("foliometer_scrape_phase", "Parts of that time.", [
      [{ phase: "read" }, scrape.phasesMs.read / 1000],
      [{ phase: "figures" }, scrape.phasesMs.figures / 1000],
    ]),
    seconds("foliometer_scrape_cpu", "CPU time of the exporter for it, all threads.", [[{}, scrape.cpuMs / 1000]]),
    seconds(
      "foliometer_scrape_longest_stall",
      "The longest single call that read page tables: its target's memory lock was held for about as long.",
      [[{}, scrape.longestStallMs / 1000]],
    ),
    gauge(
      "foliometer_scrape_read_processes",
      "Processes whose page tables were read for it; the others had not changed.",
      [[{}, scrape.processesRead]],
    ),
  ];
}

/** What is left out, how old the figures are, and what the exporter has done so far. */
function stateFamilies(state: ExporterState): MetricFamily[] {
  const { scrape, answers, refusals } = state;
  const gaps = scrape?.gaps;
  return [
    gauge(
      "foliometer_scrape_complete",
      "1 if all figures are here and of now: no process is refused, unread or stale.",
      [[{}, gaps === undefined || gaps.unread + gaps.stale + gaps.refused > 0 ? 0 : 1]],
    ),
    gauge(
      "foliometer_left_out",
      "Processes left out: budget: not read in time, nor before; stale: changed and not read again in time, an earlier " +
        "reading stands in; refused: by the kernel; ended: while read; deadline: all, the figures were not there in time.",
      [
        [{ reason: "budget" }, gaps?.unread ?? 0],
        [{ reason: "stale" }, gaps?.stale ?? 0],
        [{ reason: "refused" }, gaps?.refused ?? 0],
        [{ reason: "ended" }, gaps?.ended ?? 0],
        [{ reason: "deadline" }, scrape === undefined ? state.processes : 0],
      ],
    ),
    ...(scrape === undefined ? [] : ageFamilies(state)),
    seconds("foliometer_scrape_budget", "Time that this answer was given.", [[{}, state.budgetSeconds]]),
    seconds("foliometer_min_interval", "Figures younger than this are given again.", [[{}, state.minIntervalSeconds]]),
    {
      name: "foliometer_answers",
      type: "counter",
      help:
        "Answers by how they came about: fresh: the machine was read; shared: another's reading was under way; cached: " +
        "within the least interval; late: no figures by the deadline; failed.",
      samples: Object.entries(answers).map(([how, value]) => ({ labels: { how }, value })),
    },
    {
      name: "foliometer_refused_requests",
      type: "counter",
      help: "Requests that were refused.",
      samples: Object.entries(refusals).map(([reason, value]) => ({ labels: { reason }, value })),
    },
    {
      name: "foliometer_cpu_seconds",
      type: "counter",
      unit: "seconds",
      help: "CPU time of the exporter since its start, all threads.",
      samples: [{ labels: {}, value: state.cpuSeconds }],
    },
    {
      name: "foliometer_resident_bytes",
      type: "gauge",
      unit: "bytes",
      help: "Rss of the exporter.",
      samples: [{ labels: {}, value: state.residentBytes }],
    },
  ];
}

function ageFamilies({ ageSeconds, oldestAgeSeconds, how }: ExporterState): MetricFamily[] {
  return [
    seconds("foliometer_scrape_age", "Since the reading of these figures began.", [[{}, ageSeconds]]),
    seconds("foliometer_oldest_reading_age", "Since the oldest reading of a process that had not changed since.", [
      [{}, oldestAgeSeconds],
    ]),
    gauge("foliometer_scrape_cached", "1 if these figures were given before.", [[{}, how === "cached" ? 1 : 0]]),
  ];
}

type LabelledValue = readonly [MetricSample["labels"], number];

function gauge(name: string, help: string, values: readonly LabelledValue[]): MetricFamily {
  return { name, type: "gauge", help, samples: values.map(([labels, value]) => ({ labels, value })) };
}

function seconds(name: string, help: string, values: readonly LabelledValue[]): MetricFamily {
  return { ...gauge(`${name}_seconds`, help, values), unit: "seconds" };
}
