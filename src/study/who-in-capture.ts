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
  findFolioInCapture,
  folioInCapture,
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

/** Whether the capture was taken for the question, or stored before. */
export type How = "every-page-table" | "capture";

/** A question about one folio. */
export type FolioQuestion = Extract<WhoQuestion, { kind: "frame" | "address" | "file" }>;

/** Asks a capture about one folio. O(runs). */
export async function findInCapture(capture: Capture, question: FolioQuestion, how: How): Promise<WhoFound> {
  switch (question.kind) {
    case "frame":
      return atFrame(capture, question.pfn, how);
    case "address":
      return atPage(capture, question, how);
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

/** The VMAs that a question about ranges means, as pages by row of the VMA, and the first of them. */
export interface MeantPages {
  readonly selection: PageSelection;
  readonly first: MapsVma;
  /** Entries on pages that are no pages of a file are meant too. */
  readonly privateToo: boolean;
}

/** What a question about VMAs or a file means in a capture. O(VMAs). */
export function meantPages(
  capture: Capture,
  question: Extract<WhoQuestion, { kind: "vmas" | "file" }>,
): MeantPages | NothingThere {
  const selection = noPages(capture);
  let first: MapsVma | undefined;
  const mean = (row: number, startPage: number, endPage: number): void => {
    first ??= capture.vmas[row];
    selection.startPage[row] = startPage;
    selection.endPage[row] = endPage;
  };
  if (question.kind === "vmas") {
    const process = readProcess(capture, question.pid);
    if (!("mm" in process)) return process;
    for (let row = process.firstVma; row < process.endVma; row++) {
      const vma = capture.vmas[row];
      if (question.wants(vma)) mean(row, vma.startPage, vma.endPage);
    }
  } else {
    for (const [row, vma] of capture.vmas.entries()) {
      if (!isVmaOfFile(vma, question.file)) continue;
      const atStart = pageInFile(vma, vma.startPage);
      const from = Math.max(vma.startPage, vma.startPage + question.startPage - atStart);
      const behind = Math.min(vma.endPage, vma.startPage + question.endPage - atStart);
      if (from < behind) mean(row, from, behind);
    }
  }
  if (first === undefined) return { state: "not-mapped" };
  return { selection, first, privateToo: question.kind === "vmas" };
}

/** The folio at a place in a file: a private copy is no page of it. */
async function inFile(capture: Capture, question: Extract<WhoQuestion, { kind: "file" }>, how: How): Promise<WhoFound> {
  const meant = meantPages(capture, question);
  if ("state" in meant) return { nothing: meant };
  const runs = await capture.runsOfPages(meant.selection);
  const run = runs.find(({ bits }) => (bits & ENTRY_FILE) !== 0 && (bits & ENTRY_PRESENT) !== 0);
  return run === undefined
    ? { nothing: { state: "none-present", vma: meant.first } }
    : atFrame(capture, run.frame, how);
}
