/**
 * A reader: holds the runs it read and answers one request after the other.
 *
 * Order of requests: `read` (live) or `load` (stored), `scanFolios`, then `countEnded`, `events`, `reread`, `histograms`,
 * `finish`. Tables over frames are shared memory; runs never leave their reader. The same class serves in a worker
 * thread (capture-worker.ts) and in the main thread, which is a reader too.
 */
import { FolioScanner } from "./folio-scan.ts";
import { loadSystemCalls } from "./ioctl.ts";
import { loadRuns } from "./load-runs.ts";
import { compareWindows } from "./mapcount-compare.ts";
import { MappingPart, StoredGroups } from "./mapping-part.ts";
import { PagemapReader } from "./pagemap-reader.ts";
import { collectPresentRuns } from "./present-runs.ts";
import { collectSwappedRuns } from "./swapped-runs.ts";
import { finishItem, takeItem } from "./read-plan.ts";
import type { ReaderReply, ReaderRequest } from "./reader-protocol.ts";
import { rereadFrames } from "./reread-frames.ts";
import { RunBlocks } from "./run-blocks.ts";
import { collectEvents, collectHistograms, countRuns } from "./run-passes.ts";
import { selectFrames, selectPages } from "./selected-runs.ts";

/** Full blocks kept in memory by a reader: 24 MiB. */
const MEMORY_BLOCKS = 24;
/** And where they are in a file anyway, to be read again from the page cache: 8 MiB. */
const MEMORY_BLOCKS_BESIDE_FILE = 8;
/** The same for a stored capture, whose blocks are in files that the system caches. */
const STORED_MEMORY_BLOCKS = 4;

/** One reader's state. */
export class ReaderSession {
  private runs = new RunBlocks(undefined, { memoryBlocks: MEMORY_BLOCKS, saveEveryBlock: false });
  private part: MappingPart | undefined;
  private stored: StoredGroups | undefined;

  /**
   * Answers a request. `pause` is awaited between work items of a long reading, so that a thread with an event loop to
   * serve can serve it.
   */
  async answer(request: ReaderRequest, pause?: () => Promise<void>): Promise<ReaderReply> {
    switch (request.type) {
      case "read":
        return this.read(request, pause);
      case "load":
        return this.load(request);
      case "countEnded":
        countRuns(this.runs, request.mmOfVma, request.mmEnded, request.difference, -1);
        return { type: "countedEnded" };
      case "scanFolios": {
        const scanner = new FolioScanner(request);
        for (let i = 0; i < request.windows.length; i += 2) scanner.scan(request.windows[i], request.windows[i + 1]);
        return { type: "folios", found: scanner.found };
      }
      case "compare":
        return { type: "compared", ...compareWindows(request) };
      case "reread":
        return { type: "reread", ...rereadFrames(this.runs, request) };
      case "events":
        return { type: "events", events: collectEvents(this.runs, request.tables) };
      case "histograms":
        return {
          type: "histograms",
          histograms: collectHistograms(this.runs, request.tables, request.classOfFrame, request.classCount),
        };
      case "presentRuns":
        return { type: "presentRuns", runs: collectPresentRuns(this.runs, request.tables, request.choice) };
      case "swappedRuns":
        return { type: "swappedRuns", runs: collectSwappedRuns(this.runs, request.tables, request.isWanted) };
      case "selectFrames":
        return { type: "selected", runs: selectFrames(this.runs, request.tables, request.intervals) };
      case "selectPages":
        return { type: "selected", runs: selectPages(this.runs, request.tables, request.selection) };
      case "finish":
        return { type: "finished", groups: this.part?.finish() ?? [] };
    }
  }

  /** Closes the files of runs. */
  close(): void {
    this.part?.close();
    this.stored?.close();
  }

  private async read(
    request: Extract<ReaderRequest, { type: "read" }>,
    pause: (() => Promise<void>) | undefined,
  ): Promise<ReaderReply> {
    const { plan } = request;
    const loaded = request.useSystemCalls ? loadSystemCalls() : { missing: "" };
    this.part = new MappingPart(request.partPath);
    this.runs = new RunBlocks(this.part, {
      memoryBlocks: request.keepPart ? MEMORY_BLOCKS_BESIDE_FILE : MEMORY_BLOCKS,
      saveEveryBlock: request.keepPart,
      // A capture file holds plain runs, which anyone can read; only runs that stay in memory refer to templates.
      useTemplates: !request.keepPart,
    });
    const calls = "calls" in loaded ? loaded.calls : undefined;
    const reader = new PagemapReader(plan.vmas, this.runs, request.difference, calls);
    for (let item = takeItem(plan); item >= 0; item = takeItem(plan)) {
      const status = reader.readItem(plan, item);
      finishItem(plan, item, status, reader.bytesRead);
      if (pause !== undefined) await pause();
    }
    this.runs.finish();
    reader.countTemplates();
    return { type: "read", totals: reader.totals };
  }

  private load(request: Extract<ReaderRequest, { type: "load" }>): ReaderReply {
    const store = new StoredGroups();
    this.stored = store;
    this.runs = new RunBlocks(store, { memoryBlocks: STORED_MEMORY_BLOCKS, saveEveryBlock: false });
    for (const group of request.groups) this.runs.addStored(store.addGroup(group), group.rows);
    return { type: "loaded", ...loadRuns(this.runs, request.tables, request.difference) };
  }
}
