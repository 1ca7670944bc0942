/**
 * A small process to capture, and a small capture of it: a Node child that stands still, with its heap, its libraries
 * and its large folios of page cache.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Capture } from "../src/capture/capture.ts";

/** A child that has started and does nothing; `stop` ends it. */
export async function startChild(argument = "a child of a test"): Promise<{ readonly pid: number; stop(): void }> {
  const child: ChildProcess = spawn(
    process.execPath,
    ["-e", "process.stdout.write('up'); setInterval(() => undefined, 1e6)", argument],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  await new Promise((resolve, reject) => {
    child.stdout?.once("data", resolve);
    child.once("error", reject);
  });
  if (child.pid === undefined) throw new Error("the child has no pid");
  return { pid: child.pid, stop: () => void child.kill("SIGKILL") };
}

/** A directory of the test's own. */
export function makeTestDirectory(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "foliometer-capture-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** All pages by VMA, by a class that tells apart mapcount, kind and folio, and by attributes; and swap entries. */
export async function figuresOf(capture: Capture): Promise<Map<string, number>> {
  const { frames, folios } = capture;
  const numbers = new Map<string, number>();
  const classOfFrame = new Int32Array(new SharedArrayBuffer(Math.max(4, frames.frameCount * 4)));
  for (let pfn = 0; pfn < frames.frameCount; pfn++) {
    if (frames.mapcount[pfn] === 0 && frames.kind[pfn] === 0) continue;
    const key = `mapcount ${frames.mapcount[pfn]} kind ${frames.kind[pfn]}`;
    const known = numbers.get(key) ?? numbers.size + 1;
    numbers.set(key, known);
    classOfFrame[pfn] = known;
  }
  const names = ["none", ...numbers.keys()];
  const pages = new Map<string, number>();
  for (const histogram of await capture.countClasses(classOfFrame, names.length)) {
    for (let at = 0; at < histogram.triples.length; at += 3) {
      const index = histogram.triples[at + 1];
      const key = `vma ${histogram.triples[at]} ${names[Math.floor(index / 16)]} attributes ${index % 16}`;
      pages.set(key, (pages.get(key) ?? 0) + histogram.triples[at + 2]);
    }
    for (let at = 0; at < histogram.swap.length; at += 4) {
      const key = `vma ${histogram.swap[at]} swap type ${histogram.swap[at + 1] & 31} bits ${histogram.swap[at + 3]}`;
      pages.set(key, (pages.get(key) ?? 0) + histogram.swap[at + 2]);
    }
  }
  const rows = Array.from({ length: folios.count }, (_, row) => {
    const { order, kind, entries, pmdEntries, mappedPages, mmCount, pagesMapped, headExclusive } = folios;
    return `folio ${order[row]} ${kind[row]} ${entries[row]} ${pmdEntries[row]} ${mappedPages[row]} ${mmCount[row]} ${pagesMapped[row]} ${headExclusive[row]} ${folios.mappedOutside[row]} ${folios.observed[row]}`;
  });
  for (const row of rows) pages.set(row, (pages.get(row) ?? 0) + 1);
  return new Map([...pages].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** A copy of a capture's directory that a test may spoil. */
export function copyCapture(from: string, to: string): string {
  rmSync(to, { recursive: true, force: true });
  cpSync(from, to, { recursive: true });
  return to;
}

interface WrittenManifest {
  files: { name: string; bytes: number; sha256: string }[];
}

/** Makes the manifest fit files that a test has changed, as someone would who means harm. */
export function resealManifest(directory: string): void {
  editManifest(directory, (manifest) => {
    for (const file of manifest.files) {
      const bytes = readFileSync(join(directory, file.name));
      file.bytes = bytes.length;
      file.sha256 = createHash("sha256").update(bytes).digest("hex");
    }
  });
}

/** Rewrites the manifest. */
export function editManifest(
  directory: string,
  edit: (manifest: WrittenManifest & Record<string, unknown>) => void,
): void {
  const path = join(directory, "manifest.json");
  const manifest = JSON.parse(readFileSync(path, "utf8")) as WrittenManifest & Record<string, unknown>;
  edit(manifest);
  writeFileSync(path, JSON.stringify(manifest));
}
