/**
 * A reader thread: holds the runs it read and answers one request after the other.
 *
 * Order of requests: `open` (live or stored), `read` or `load`, `scanFolios`, then `countEnded`, `events`, `histograms`,
 * `finish`. Tables over frames are shared memory; runs never leave the thread.
 */
import { parentPort } from "node:worker_threads";
import { FolioScanner } from "./folio-scan.ts";
import { loadSystemCalls } from "./ioctl.ts";
import { MappingPart, StoredGroups } from "./mapping-part.ts";
import { PagemapReader } from "./pagemap-reader.ts";
import { RunBlocks } from "./run-blocks.ts";
import { collectEvents, collectHistograms, countRuns } from "./run-passes.ts";
import { rereadFrames } from "./reread-frames.ts";
import type { WorkerReply, WorkerRequest } from "./worker-protocol.ts";

const port = parentPort;
if (port === null) throw new Error("capture-worker.ts is a worker thread's entry");

/** Full blocks kept in memory by a thread: 16 MiB. */
const MEMORY_BLOCKS = 16;

let runs = new RunBlocks(undefined, { memoryBlocks: MEMORY_BLOCKS, saveEveryBlock: false });
let part: MappingPart | undefined;

function answer(request: WorkerRequest): WorkerReply {
  switch (request.type) {
    case "open": {
      if (request.part !== undefined) part = new MappingPart(request.part);
      runs = new RunBlocks(part, { memoryBlocks: MEMORY_BLOCKS, saveEveryBlock: request.keepPart });
      return { type: "opened" };
    }
    case "read": {
      const loaded = request.useSystemCalls ? loadSystemCalls() : { missing: "" };
      const calls = "calls" in loaded ? loaded.calls : undefined;
      const reader = new PagemapReader(request.vmas, runs, request.difference, calls);
      const { plan } = request;
      for (;;) {
        const index = Atomics.add(plan.cursor, 0, 1);
        if (index >= plan.itemCount) break;
        reader.readItem(plan, index);
        Atomics.add(plan.cursor, 1, 1);
      }
      runs.finish();
      return { type: "read", totals: reader.totals };
    }
    case "load": {
      const store = new StoredGroups();
      runs = new RunBlocks(store, { memoryBlocks: MEMORY_BLOCKS, saveEveryBlock: false });
      for (const group of request.groups) runs.addStored(store.addGroup(group), group.rows);
      const outside = countRuns(runs, request.mmOfVma, request.mmAlive, request.difference, 1);
      return { type: "loaded", outside };
    }
    case "countEnded":
      countRuns(runs, request.mmOfVma, request.mmEnded, request.difference, -1);
      return { type: "countedEnded" };
    case "scanFolios": {
      const scanner = new FolioScanner(request);
      for (let i = 0; i < request.windows.length; i += 2) scanner.scan(request.windows[i]!, request.windows[i + 1]!);
      return { type: "folios", found: scanner.found };
    }
    case "reread":
      return { type: "reread", ...rereadFrames(runs, request) };
    case "events":
      return { type: "events", events: collectEvents(runs, request.tables) };
    case "histograms":
      return {
        type: "histograms",
        histograms: collectHistograms(runs, request.tables, request.classOfFrame, request.classCount),
      };
    case "finish":
      return { type: "finished", rows: part?.finish() ?? 0 };
  }
}

port.on("message", (request: WorkerRequest) => {
  try {
    port.postMessage(answer(request));
  } catch (error) {
    const failure = error as NodeJS.ErrnoException;
    port.postMessage({
      type: "failed",
      message: failure.message,
      code: failure.code,
      stack: failure.stack ?? "",
    } satisfies WorkerReply);
  }
});
