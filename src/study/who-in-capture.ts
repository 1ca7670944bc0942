/**
 * The questions of `who` put to a whole capture, stored or just taken: the same answers as the narrow search gives, and
 * the one that it cannot give: who maps a frame of which nothing but the number is known.
 */
import {
  type Capture,
  type CapturedProcess,
  ENTRY_FILE,
  ENTRY_PRESENT,
  type FoundMappings,
  type NarrowQuestion,
  type NothingThere,
  type PageSelection,
  type SelectedRun,
  findFolioInCapture,
  findFramesInCapture,
  folioInCapture,
  intervalsOf,
  isVmaOfFile,
  pageInFile,
} from "../capture/index.ts";
import type { MapsVma } from "../kernel/index.ts";

/** What `who` can be asked. */
export type WhoQuestion = NarrowQuestion | { readonly kind: "frame"; readonly pfn: number };

/** What was found, or what is there instead; "unmapped": nobody who was read maps the frame. */
export type WhoFound =
  | { readonly found: FoundMappings }
  | { readonly nothing: NothingThere | { readonly state: "unmapped" } };

type How = "every-page-table" | "capture";

/** Asks a capture. O(runs). */
export async function findInCapture(capture: Capture, question: WhoQuestion, how: How): Promise<WhoFound> {
  switch (question.kind) {
    case "frame":
      return atFrame(capture, question.pfn, how);
    case "address":
      return atPage(capture, question, how);
    case "vmas":
      return inVmas(capture, question, how);
    case "file":
      return inFile(capture, question, how);
  }
}

async function atFrame(capture: Capture, pfn: number, how: How): Promise<WhoFound> {
  const folio = folioInCapture(capture, pfn);
  if (folio === undefined) return { nothing: { state: "unmapped" } };
  return { found: await findFolioInCapture(capture, folio, { askedFrame: pfn, how }) };
}

/** The process, if its page tables are in the capture. */
function readProcess({ processes }: Capture, pid: number): CapturedProcess | NothingThere {
  const process = processes.find((each) => each.pid === pid);
  if (process === undefined) return { state: "no-process" };
  if (process.refusal !== null) return { state: "refused", refusal: process.refusal };
  return process.state === "ended" ? { state: "ended" } : process;
}

async function atPage(
  capture: Capture,
  { pid, page }: Extract<WhoQuestion, { kind: "address" }>,
  how: How,
): Promise<WhoFound> {
  const process = readProcess(capture, pid);
  if (!("mm" in process)) return { nothing: process };
  const { vmas } = capture;
  let row = process.firstVma;
  while (row < process.endVma && vmas[row].endPage <= page) row++;
  if (row === process.endVma || vmas[row].startPage > page) return { nothing: { state: "not-mapped" } };
  const selection = noPages(capture);
  selection.startPage[row] = page;
  selection.endPage[row] = page + 1;
  const [run] = await capture.runsOfPages(selection);
  const vma = vmas[row];
  if (run === undefined) return { nothing: { state: "empty", vma } };
  const { bits, frame } = run;
  if ((bits & ENTRY_PRESENT) === 0) return { nothing: { state: "not-present", vma, bits, frame } };
  if (frame >= capture.frames.frameCount) return { nothing: { state: "beyond-frames", vma, frame } };
  return atFrame(capture, frame, how);
}

function noPages({ vmas }: Capture): PageSelection {
  return { startPage: new Float64Array(vmas.length), endPage: new Float64Array(vmas.length) };
}

async function inVmas(
  capture: Capture,
  { pid, wants }: Extract<WhoQuestion, { kind: "vmas" }>,
  how: How,
): Promise<WhoFound> {
  const process = readProcess(capture, pid);
  if (!("mm" in process)) return { nothing: process };
  const selection = noPages(capture);
  let first: MapsVma | undefined;
  for (let row = process.firstVma; row < process.endVma; row++) {
    const vma = capture.vmas[row];
    if (!wants(vma)) continue;
    first ??= vma;
    selection.startPage[row] = vma.startPage;
    selection.endPage[row] = vma.endPage;
  }
  if (first === undefined) return { nothing: { state: "not-mapped" } };
  return ofRuns(capture, await capture.runsOfPages(selection), { first, how });
}

async function ofRuns(
  capture: Capture,
  runs: readonly SelectedRun[],
  { first, how }: { readonly first: MapsVma; readonly how: How },
): Promise<WhoFound> {
  const { frameCount } = capture.frames;
  const inside = runs.filter(({ frame, pages, step }) => frame < frameCount && frame + step * (pages - 1) < frameCount);
  const intervals = intervalsOf(inside);
  if (intervals.length === 0) return { nothing: { state: "empty", vma: first } };
  return { found: await findFramesInCapture(capture, intervals, how) };
}

async function inFile(
  capture: Capture,
  { file, startPage, endPage, folio }: Extract<WhoQuestion, { kind: "file" }>,
  how: How,
): Promise<WhoFound> {
  const selection = noPages(capture);
  let first: MapsVma | undefined;
  for (const [row, vma] of capture.vmas.entries()) {
    if (!isVmaOfFile(vma, file)) continue;
    const atStart = pageInFile(vma, vma.startPage);
    const from = Math.max(vma.startPage, vma.startPage + startPage - atStart);
    const behind = Math.min(vma.endPage, vma.startPage + endPage - atStart);
    if (from >= behind) continue;
    first ??= vma;
    selection.startPage[row] = from;
    selection.endPage[row] = behind;
  }
  if (first === undefined) return { nothing: { state: "not-mapped" } };
  // A private copy is no page of the file.
  const runs = (await capture.runsOfPages(selection)).filter(
    ({ bits }) => (bits & ENTRY_FILE) !== 0 && (bits & ENTRY_PRESENT) !== 0,
  );
  if (!folio) return ofRuns(capture, runs, { first, how });
  const [run] = runs;
  return run === undefined ? { nothing: { state: "empty", vma: first } } : atFrame(capture, run.frame, how);
}
