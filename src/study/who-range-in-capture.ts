/**
 * Who maps the pages of a VMA or file, from a whole capture: two looks at its runs, one at its frames.
 *
 * First the frames of the pages are marked, then each VMA's runs are added up by prefix sums over the marks: a run of half
 * a million pages costs as much as one of a single page.
 *
 *     frame      40  41  42  43  44
 *     marked      0   1   1   0   1
 *     before      0   0   1   2   2   3      a run on 41-43 maps before[44] - before[41] = 2 of the pages
 */
import type { Capture, CountVerdict, NothingThere, PresentRuns } from "../capture/index.ts";
import { FRAME_KIND_MASK, FRAME_LARGE, KIND_HUGETLB, KIND_NONE, KIND_UNCOUNTED } from "../kernel/index.ts";
import type { How, WhoQuestion } from "./who-in-capture.ts";
import { type MeantPages, meantPages } from "./who-in-capture.ts";
import { WHO_VERSION, whoMachineOf } from "./who-maps.ts";
import { MapperSums, RangePages, type WhoRangeReport } from "./who-range.ts";

/** The report, or what is there instead. O(runs + frames). */
export async function reportRangeInCapture(
  capture: Capture,
  question: Extract<WhoQuestion, { kind: "vmas" | "file" }>,
  how: How,
): Promise<WhoRangeReport | { readonly nothing: NothingThere }> {
  const started = performance.now();
  const meant = meantPages(capture, question);
  if ("state" in meant) return { nothing: meant };
  const parts = await capture.presentRuns();
  const marks = markFrames(parts, meant, capture.frames.frameCount);
  const pages = new RangePages();
  const before = addPages(capture, marks, pages);
  if (before.marked[marks.length] === 0) return { nothing: { state: "none-present", vma: meant.first } };
  const refused = capture.processes.filter(({ state }) => state === "refused").length;
  const isCapture = how === "capture";
  return {
    schema: "foliometer-who-range",
    version: WHO_VERSION,
    machine: whoMachineOf(capture),
    ...pages.finished(),
    mappers: sumRuns(parts, before).finished(capture),
    search: {
      how,
      processesRead: capture.processes.length - refused,
      processesRefused: refused,
      pagemapBytes: isCapture ? 0 : capture.cost.pagemapBytes,
      elapsedMs: isCapture ? performance.now() - started : capture.cost.elapsedMs,
      counts: verdictOf(capture, parts, marks),
    },
  };
}

/** What the capture's comparison with the kernel's counts says of the marked frames, and of no others. */
function verdictOf(capture: Capture, parts: readonly PresentRuns[], marks: Uint8Array): CountVerdict {
  const { agreement, frames, machine } = capture;
  if (!agreement.everyFrame || agreement.refusal !== null) return "unchecked";
  const averages = machine.mapcountConfig === "nopage";
  const entries = countEntries(parts, marks.length);
  const outside = averages ? outsideFolios(capture) : undefined;
  let counted = false;
  let fewer = false;
  let unproved = false;
  for (let pfn = 0; pfn < marks.length; pfn++) {
    const kind = frames.kind[pfn] & FRAME_KIND_MASK;
    if (marks[pfn] === 0 || kind === KIND_NONE || kind === KIND_UNCOUNTED) continue;
    counted = true;
    if (averages && (frames.kind[pfn] & FRAME_LARGE) !== 0 && kind !== KIND_HUGETLB) {
      if (outside?.[pfn] === 1) return "kernel-counts-more";
      unproved = true;
    } else if (frames.mapcount[pfn] > entries[pfn]) return "kernel-counts-more";
    else if (frames.mapcount[pfn] < entries[pfn]) fewer = true;
  }
  if (!counted) return "uncounted";
  if (fewer) return "kernel-counts-fewer";
  return unproved ? "average-agrees" : "explained";
}

/** Entries on each frame: what runs add at their first frame and take away behind their last, summed. */
function countEntries(parts: readonly PresentRuns[], frameCount: number): Int32Array {
  const entries = new Int32Array(frameCount + 1);
  for (const { count, frame, pages, step } of parts) {
    for (let row = 0; row < count; row++) {
      const lowest = step[row] < 0 ? frame[row] - pages[row] + 1 : frame[row];
      const times = step[row] === 0 ? pages[row] : 1;
      entries[lowest] += times;
      entries[step[row] === 0 ? lowest + 1 : lowest + pages[row]] -= times;
    }
  }
  for (let pfn = 1; pfn < entries.length; pfn++) entries[pfn] += entries[pfn - 1];
  return entries;
}

/** 1 for frames of folios that the kernel counts more mappings of than were found. */
function outsideFolios({ folios, frames }: Capture): Uint8Array {
  const outside = new Uint8Array(frames.frameCount);
  for (let row = 0; row < folios.count; row++) {
    const head = folios.headPfn[row];
    if (folios.mappedOutside[row] > 0) outside.fill(1, head, head + 2 ** folios.order[row]);
  }
  return outside;
}

/** 1 for every frame that a meant page has. */
function markFrames(
  parts: readonly PresentRuns[],
  { selection, privateToo }: MeantPages,
  frameCount: number,
): Uint8Array {
  const { startPage, endPage } = selection;
  const marks = new Uint8Array(frameCount);
  for (const { count, vma, page, frame, pages, step, file } of parts) {
    for (let row = 0; row < count; row++) {
      const first = Math.max(page[row], startPage[vma[row]]);
      const length = Math.min(page[row] + pages[row], endPage[vma[row]]) - first;
      if (length <= 0 || (file[row] === 0 && !privateToo)) continue;
      const from = frame[row] + step[row] * (first - page[row]);
      const lowest = step[row] < 0 ? from - length + 1 : from;
      marks.fill(1, lowest, step[row] === 0 ? lowest + 1 : lowest + length);
    }
  }
  return marks;
}

/** Marked frames before each frame, and those of them with one mapping. */
interface PrefixSums {
  readonly marked: Int32Array;
  readonly alone: Int32Array;
}

function addPages({ frames }: Capture, marks: Uint8Array, pages: RangePages): PrefixSums {
  const { kind, mapcount } = frames;
  const marked = new Int32Array(marks.length + 1);
  const alone = new Int32Array(marks.length + 1);
  let markedBefore = 0;
  let aloneBefore = 0;
  for (let pfn = 0; pfn < marks.length; pfn++) {
    if (marks[pfn] === 1) {
      pages.add(kind[pfn], mapcount[pfn]);
      markedBefore++;
      if (mapcount[pfn] === 1) aloneBefore++;
    }
    marked[pfn + 1] = markedBefore;
    alone[pfn + 1] = aloneBefore;
  }
  return { marked, alone };
}

function sumRuns(parts: readonly PresentRuns[], { marked, alone }: PrefixSums): MapperSums {
  const sums = new MapperSums();
  for (const { count, vma, frame, pages, step } of parts) {
    for (let row = 0; row < count; row++) {
      const lowest = step[row] < 0 ? frame[row] - pages[row] + 1 : frame[row];
      const isRepeated = step[row] === 0 && pages[row] > 1;
      const behind = isRepeated ? lowest + 1 : lowest + pages[row];
      const found = marked[behind] - marked[lowest];
      if (found > 0)
        sums.add(vma[row], isRepeated ? pages[row] : found, isRepeated ? 0 : alone[behind] - alone[lowest]);
    }
  }
  return sums;
}
