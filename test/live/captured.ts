/**
 * Captures for tests: taken, looked at, closed, and nothing of them left in the file system.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ATTRIBUTES,
  ATTRIBUTE_PMD,
  ATTRIBUTE_PMD_HEAD,
  type CapturedProcess,
  type LiveCapture,
  type LiveCaptureOptions,
  captureLive,
} from "../../src/capture/index.ts";
import { FRAME_KIND_MASK, KIND_ANON, PAGE_SIZE_BYTES } from "../../src/kernel/index.ts";
import { SCHEMES } from "../../src/schemes/index.ts";
import { type CaptureReport, type ProcessReport, reportOnCapture } from "../../src/study/index.ts";

/** What a test may say about its capture. One thread unless it says otherwise: then no compiled worker is needed. */
export type CaptureWish = Omit<LiveCaptureOptions, "mappingsPath" | "keepMappings">;

/** Takes a capture, hands it to `body` and closes it. */
export async function withCapture<T>(wish: CaptureWish, body: (capture: LiveCapture) => T | Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "foliometer-capture-"));
  try {
    const mappingsPath = (thread: number): string => join(folder, `mappings-${thread}`);
    const capture = await captureLive({ threads: 1, ...wish, mappingsPath, keepMappings: false });
    try {
      return await body(capture);
    } finally {
      await capture.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The report on a capture of the whole machine, or of what the wish selects. */
export async function reportOf(wish: CaptureWish): Promise<CaptureReport> {
  return withCapture(wish, (capture) => reportOnCapture(capture, SCHEMES));
}

/** A wish for just these processes. */
export function only(...processes: readonly { readonly pid: number }[]): CaptureWish {
  const pids = new Set(processes.map(({ pid }) => pid));
  return { select: ({ pid }) => pids.has(pid) };
}

/** A process of a report, by pid. */
export function reported(report: CaptureReport, { pid }: { readonly pid: number }): ProcessReport {
  const found = report.processes.find((process) => process.pid === pid);
  if (found === undefined) throw new Error(`process ${pid} is not in the report`);
  return found;
}

/** A process of a capture, by pid. */
export function captured(capture: LiveCapture, { pid }: { readonly pid: number }): CapturedProcess {
  const found = capture.processes.find((process) => process.pid === pid);
  if (found === undefined) throw new Error(`process ${pid} is not in the capture`);
  return found;
}

/** Rows of VMAs with at least one present entry. */
export async function touchedVmas(capture: LiveCapture): Promise<Set<number>> {
  const oneClass = new Int32Array(new SharedArrayBuffer(capture.frames.frameCount * 4));
  const rows = new Set<number>();
  for (const { triples } of await capture.countClasses(oneClass, 1)) {
    for (let at = 0; at < triples.length; at += 3) rows.add(triples[at]);
  }
  return rows;
}

/** Bytes of anonymous memory that each VMA maps by PMDs: AnonHugePages, by row. */
export async function anonHugeBytes(capture: LiveCapture): Promise<Float64Array> {
  const { kind, frameCount } = capture.frames;
  const classOfFrame = new Int32Array(new SharedArrayBuffer(frameCount * 4));
  for (let pfn = 0; pfn < frameCount; pfn++) classOfFrame[pfn] = kind[pfn] & FRAME_KIND_MASK;
  const bytes = new Float64Array(capture.vmas.length);
  for (const { triples } of await capture.countClasses(classOfFrame, FRAME_KIND_MASK + 1)) {
    for (let at = 0; at < triples.length; at += 3) {
      const attributes = triples[at + 1] % ATTRIBUTES;
      if (Math.floor(triples[at + 1] / ATTRIBUTES) !== KIND_ANON) continue;
      if ((attributes & ATTRIBUTE_PMD) === 0 || (attributes & ATTRIBUTE_PMD_HEAD) !== 0) continue;
      bytes[triples[at]] += triples[at + 2] * PAGE_SIZE_BYTES;
    }
  }
  return bytes;
}

/** The sum of a column by VMA over a process. */
export function sumOf(byVma: Float64Array, { firstVma, endVma }: CapturedProcess): number {
  return byVma.subarray(firstVma, endVma).reduce((sum, value) => sum + value, 0);
}
