/**
 * What the watcher shows below the list of processes: the VMAs of one, and what lies in one VMA, of the last moment.
 *
 * They are studied after a moment, while the view may move on at any time: to another process, whose VMAs are not known
 * before the reading that goes on is done. Invariant: what is shown is of the process and the VMA in view, or nothing.
 */
import type { WatchData, WatchView } from "../report/index.ts";
import type { VmaContents, WatchStudy, WatchedVma } from "../study/index.ts";

/** Details, and of whom they are. */
export interface WatchDetails {
  readonly pid: number;
  /** undefined: the process is gone, or was not read yet. */
  readonly vmas: readonly WatchedVma[] | undefined;
  /** The first page of the VMA whose contents were asked for. */
  readonly startPage: number | undefined;
  readonly contents: VmaContents | undefined;
}

/** Studies what the view shows of one process; undefined: nothing. The reader must not be reading meanwhile. */
export async function studyDetails(study: WatchStudy, view: WatchView): Promise<WatchDetails | undefined> {
  const { level, pid } = view;
  if (level === "processes" || pid === undefined) return undefined;
  const { studyVma, studyVmas } = await import("../study/index.ts");
  const startPage = level === "vma" ? view.startPage : undefined;
  const contents = startPage === undefined ? undefined : await studyVma(study, pid, startPage);
  return { pid, vmas: studyVmas(study, pid), startPage, contents };
}

/** What of the details is of the process and the VMA in view. */
export function detailsInView(
  details: WatchDetails | undefined,
  { pid, startPage }: WatchView,
): Pick<WatchData, "vmas" | "contents"> {
  if (details === undefined || details.pid !== pid) return {};
  const { vmas, contents } = details;
  const isOfVma = contents !== undefined && details.startPage === startPage;
  return { ...(vmas === undefined ? {} : { vmas }), ...(isOfVma ? { contents } : {}) };
}
