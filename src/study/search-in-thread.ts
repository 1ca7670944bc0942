/**
 * A search of the checker in a thread of its own, so that the main thread hears signals and can end it cleanly.
 *
 * The checker is loaded where it is needed: this file stands on the way to every figure of a capture.
 */
import { Worker } from "node:worker_threads";
import type { CheckConfiguration, CheckOptions, CheckResult, CheckWatch } from "../checker/index.ts";
import type { Schedules, SearchProgress, SearchReply, SearchRequest } from "./search-protocol.ts";

/** What was found, and how long the search itself took (not the thread's start). */
export interface TimedSearch {
  readonly result: CheckResult;
  readonly elapsedMs: number;
}

/** A search that runs. */
export interface RunningSearch {
  /** @throws {StepsError} if the system cannot be run. */
  readonly done: Promise<TimedSearch>;
  /** Ends it soon: `done` resolves with what was explored so far. */
  stop(): void;
}

/** Starts a search. `onProgress` hears about ten times a second how far it is. */
export function startSearch(
  configuration: CheckConfiguration,
  options: CheckOptions,
  more: {
    readonly schedules?: Schedules;
    /** Also look for the order of locks, in so many states at most; not after `stop`. */
    readonly lockOrderStates?: number;
    /** Threads to search on, default 1. */
    readonly workers?: number;
    readonly onProgress?: (progress: SearchProgress) => void;
  } = {},
): RunningSearch {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const { schedules, lockOrderStates, workers = 1, onProgress } = more;
  const end = (): void => void Atomics.store(stop, 0, 1);
  if (workers > 1) {
    const watch: CheckWatch = {
      now: () => performance.now(),
      progress: (progress) => {
        onProgress?.({ type: "states", progress });
        return stop[0] === 0;
      },
    };
    const alone =
      schedules !== undefined ? "random schedules" : lockOrderStates !== undefined ? "the order of locks" : "";
    return { done: searchOnSeveral(configuration, options, { workers, watch, alone }), stop: end };
  }
  const request: SearchRequest = {
    configuration,
    options,
    stop,
    ...(schedules === undefined ? {} : { schedules }),
    ...(lockOrderStates === undefined ? {} : { lockOrderStates }),
  };
  const done = new Promise<TimedSearch>((resolve, reject) => {
    // The host's own arguments (--input-type, --loader, ...) are not meant for this file.
    const worker = new Worker(workerUrl(), { workerData: request, execArgv: [] });
    worker.on("message", (reply: SearchReply) => {
      if (reply.type === "result") resolve(reply);
      else if (reply.type === "refused") void refusal(reply.message).then(reject, reject);
      else onProgress?.(reply);
    });
    worker.on("error", reject);
    worker.on("exit", () => reject(new Error("the searching thread ended early")));
  });
  return { done, stop: end };
}

async function refusal(message: string): Promise<Error> {
  const { StepsError } = await import("../checker/index.ts");
  return new StepsError(message);
}

interface SeveralThreads {
  readonly workers: number;
  readonly watch: CheckWatch;
  /** What is asked for that one thread does alone; "" if nothing. */
  readonly alone: string;
}

async function searchOnSeveral(
  configuration: CheckConfiguration,
  options: CheckOptions,
  { workers, watch, alone }: SeveralThreads,
): Promise<TimedSearch> {
  if (alone !== "") throw await refusal(`${alone}: one worker does that alone`);
  const { searchInPartThreads } = await import("./search-in-part-threads.ts");
  return searchInPartThreads(configuration, options, workers, watch);
}

/** The worker's compiled file: beside this one, or in dist/ when this one runs as TypeScript (tests). */
function workerUrl(): URL {
  const beside = new URL("./search-worker.js", import.meta.url);
  if (!import.meta.url.endsWith(".ts")) return beside;
  return new URL(beside.href.replace("/src/study/", "/dist/study/"));
}
