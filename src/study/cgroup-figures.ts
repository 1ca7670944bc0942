/**
 * The memory control groups' share of what counts more when whole folios count: memory.stat's anon and file_mapped.
 *
 * A folio belongs to one group. Only partially mapped folios make a difference, so only their groups are asked for
 * (kernel-facts 2.6, 3.9: kpagecgroup).
 */
import type { Capture } from "../capture/index.ts";
import { statisticsPages } from "../figures/index.ts";
import { KIND_FILE, KIND_SHMEM, PAGE_SIZE_BYTES, isAnonKind } from "../kernel/index.ts";
import type { Scheme } from "../schemes/index.ts";
import type { CgroupReport } from "./capture-report.ts";

/** Groups whose figures differ from page counting under some scheme, largest difference first. */
export function reportCgroups(capture: Capture, schemes: readonly Scheme[]): CgroupReport[] {
  const { folios, folioCgroups } = capture;
  const groups = new Map<string, { anon: Record<string, number>; file: Record<string, number>; most: number }>();
  for (const [row, cgroup] of folioCgroups) {
    const kind = folios.kind[row];
    const isFile = kind === KIND_FILE || kind === KIND_SHMEM;
    if (!isAnonKind(kind) && !isFile) continue;
    const folio = {
      order: folios.order[row],
      pmdEntries: folios.pmdEntries[row],
      pagesMapped: folios.pagesMapped[row],
    };
    let group = groups.get(cgroup);
    if (group === undefined) groups.set(cgroup, (group = { anon: {}, file: {}, most: 0 }));
    for (const { id, rules } of schemes) {
      const precise = statisticsPages({ ...rules, statistics: "pages-mapped" }, folio);
      const extra = (statisticsPages(rules, folio) - precise) * PAGE_SIZE_BYTES;
      const record = isFile ? group.file : group.anon;
      record[id] = (record[id] ?? 0) + extra;
      group.most = Math.max(group.most, record[id]);
    }
  }
  return [...groups.entries()]
    .filter(([, { most }]) => most > 0)
    .toSorted(([, a], [, b]) => b.most - a.most)
    .map(([cgroup, { anon, file }]) => ({ cgroup, anonExtraBytes: anon, fileExtraBytes: file }));
}
