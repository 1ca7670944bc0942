/**
 * Machine-wide figures of a capture: AnonPages, Mapped, kpagecount, exclusive bits, mapmax and partial mappings under each
 * scheme, and the large folios by order.
 */
import type { Capture } from "../capture/index.ts";
import { OF_MAPMAX, statisticsPages } from "../figures/index.ts";
import {
  FOLIO_KIND_NAMES,
  type FolioColumns,
  KIND_FILE,
  KIND_HUGETLB,
  KIND_SHMEM,
  PAGE_SIZE_BYTES,
  isAnonKind,
} from "../kernel/index.ts";
import type { FolioOrderReport, MachineFigures, ProcessReport, Range } from "./capture-report.ts";
import { type Noticed, noticedFolios, partialRows } from "./partial-folios.ts";
import type { CaptureSums } from "./report-on-capture.ts";

/** Figures by scheme id. */
export function machineFigures(
  capture: Capture,
  sums: CaptureSums,
  processes: readonly ProcessReport[],
): Record<string, MachineFigures> {
  return Object.fromEntries(
    sums.schemes.map(({ id }, index) => [id, figuresOfScheme(capture, sums, processes, { id, index })]),
  );
}

function figuresOfScheme(
  capture: Capture,
  sums: CaptureSums,
  processes: readonly ProcessReport[],
  scheme: { readonly id: string; readonly index: number },
): MachineFigures {
  const figures = processes.map((process) => process.schemes[scheme.id]);
  const range = (pick: (figure: (typeof figures)[number]) => Range): Range => ({
    least: figures.reduce((all, figure) => all + pick(figure).least, 0),
    most: figures.reduce((all, figure) => all + pick(figure).most, 0),
  });
  const statistics = mappedStatistics(capture.folios, sums, scheme.index);
  return {
    pssBytes: figures.reduce((all, { pssBytes }) => all + pssBytes, 0),
    ussBytes: range(({ ussBytes }) => ussBytes),
    anonPagesBytes: statistics.anon * PAGE_SIZE_BYTES,
    mappedBytes: statistics.file * PAGE_SIZE_BYTES,
    exclusiveEntries: range(({ exclusiveEntries }) => exclusiveEntries),
    ...kpagecountChanges(sums, scheme.index),
    mapmaxChangedVmas: mapmaxChanges(capture, sums, scheme.index),
    ...partialNoticed(capture.folios, sums, scheme.index),
  };
}

/** Pages in AnonPages and Mapped: small frames from their classes, large folios by the scheme's rule. */
function mappedStatistics(folios: FolioColumns, sums: CaptureSums, index: number): { anon: number; file: number } {
  const { rules } = sums.schemes[index];
  let anon = 0;
  let file = 0;
  for (const { kind, frames, large } of sums.classes.classes) {
    if (large) continue;
    if (isAnonKind(kind)) anon += frames;
    else if (kind === KIND_FILE || kind === KIND_SHMEM) file += frames;
  }
  for (let row = 0; row < folios.count; row++) {
    const kind = folios.kind[row];
    const pages = statisticsPages(rules, {
      order: folios.order[row],
      pmdEntries: folios.pmdEntries[row],
      pagesMapped: folios.pagesMapped[row],
    });
    if (isAnonKind(kind)) anon += pages;
    else if (kind === KIND_FILE || kind === KIND_SHMEM) file += pages;
  }
  return { anon, file };
}

function kpagecountChanges(
  { classes }: CaptureSums,
  index: number,
): { kpagecountChangedFrames: number; kpagecountDifference: number } {
  let changed = 0;
  let difference = 0;
  for (const { answers, mapcount, frames, kind } of classes.classes) {
    // hugetlb shows its entire mapcount in every configuration (kernel-facts 3.9).
    if (answers.length === 0 || kind === KIND_HUGETLB) continue;
    const off = Math.abs(answers[index].mapcount - mapcount);
    if (off === 0) continue;
    changed += frames;
    difference += off * frames;
  }
  return { kpagecountChangedFrames: changed, kpagecountDifference: difference };
}

/** VMAs whose mapmax is not the largest true mapcount. The vdso is not in numa_maps (kernel-facts 3.10). */
function mapmaxChanges(capture: Capture, sums: CaptureSums, index: number): number {
  const precise = sums.schemes.findIndex(({ rules }) => rules.privateBy === "page-mapcount");
  if (precise < 0) return 0;
  let changed = 0;
  const ours = sums.vmas.schemeAt(index) + OF_MAPMAX;
  const truth = sums.vmas.schemeAt(precise) + OF_MAPMAX;
  for (let row = 0; row < capture.vmas.length; row++) {
    if (sums.vmas.get(row, ours) !== sums.vmas.get(row, truth) && capture.vmas[row].name !== "[vdso]") changed++;
  }
  return changed;
}

function isPartial(folios: FolioColumns, row: number): boolean {
  const mapped = folios.pagesMapped[row];
  return mapped > 0 && mapped < 2 ** folios.order[row] && folios.pmdEntries[row] === 0;
}

function unmappedBytes(folios: FolioColumns, row: number): number {
  return (2 ** folios.order[row] - folios.pagesMapped[row]) * PAGE_SIZE_BYTES;
}

/** Only anonymous folios are queued for splitting when partially mapped (kernel-facts 2.7). */
function partialNoticed(
  folios: FolioColumns,
  { answers, schemes }: CaptureSums,
  index: number,
): Pick<MachineFigures, `partial${string}` & keyof MachineFigures> {
  const rows = partialRows(folios);
  const said = noticedFolios(schemes[index], folios, rows, answers[index].partial);
  const count = (isWanted: (noticed: Noticed) => boolean): { folios: number; bytes: number } => {
    const wanted = rows.filter((_, at) => isWanted(said[at]));
    return { folios: wanted.length, bytes: wanted.reduce((sum, row) => sum + unmappedBytes(folios, row), 0) };
  };
  const missed = count((noticed) => noticed !== "yes");
  const past = count((noticed) => noticed === "either");
  return {
    partialNoticed: rows.length - missed.folios,
    partialMissed: missed.folios,
    partialMissedBytes: missed.bytes,
    partialPastDecides: past.folios,
    partialPastDecidesBytes: past.bytes,
  };
}

/** Partially mapped anonymous folios in truth. */
export function partialFolios({ folios }: Capture): { folios: number; unmappedBytes: number } {
  const rows = partialRows(folios);
  return { folios: rows.length, unmappedBytes: rows.reduce((bytes, row) => bytes + unmappedBytes(folios, row), 0) };
}

/** Large folios with a mapping, by order and kind, orders ascending. */
export function reportFolios({ folios }: Capture): FolioOrderReport[] {
  const groups = new Map<number, { -readonly [K in keyof FolioOrderReport]: FolioOrderReport[K] }>();
  for (let row = 0; row < folios.count; row++) {
    const mapped = folios.pagesMapped[row];
    if (mapped === 0) continue;
    const order = folios.order[row];
    const kind = folios.kind[row];
    let group = groups.get(order * 8 + kind);
    if (group === undefined) {
      const name = FOLIO_KIND_NAMES[kind] ?? "other";
      group = {
        order,
        kind: name,
        folios: 0,
        bytes: 0,
        mappedBytes: 0,
        mappedByOne: 0,
        mappedByTwo: 0,
        mappedByMore: 0,
        partiallyMapped: 0,
      };
      groups.set(order * 8 + kind, group);
    }
    group.folios++;
    group.bytes += 2 ** order * PAGE_SIZE_BYTES;
    group.mappedBytes += mapped * PAGE_SIZE_BYTES;
    const spaces = folios.mmCount[row] + (folios.mappedOutside[row] > 0 ? 1 : 0);
    if (spaces <= 1) group.mappedByOne++;
    else if (spaces === 2) group.mappedByTwo++;
    else group.mappedByMore++;
    if (isPartial(folios, row)) group.partiallyMapped++;
  }
  return [...groups.entries()].toSorted(([a], [b]) => a - b).map(([, group]) => group);
}
