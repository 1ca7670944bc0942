/**
 * A search of the checker on several threads, each with its part of the states; this thread keeps them in step.
 *
 * What one thread hands to another comes through here: a round is thousands of states, so that costs little beside them.
 */
import { Worker } from "node:worker_threads";
import {
  type CheckConfiguration,
  type CheckOptions,
  type CheckWatch,
  type RoundRequest,
  StepsError,
  type WorkerPart,
  checkInParts,
  elaborate,
} from "../checker/index.ts";
import { type PartData, type PartReply, type PartRequest, buffersOf } from "./part-protocol.ts";
import type { TimedSearch } from "./search-in-thread.ts";

/** Searches on `workers` threads. Rejects with StepsError where the system, or what is asked of it, cannot be run. */
export async function searchInPartThreads(
  configuration: CheckConfiguration,
  options: CheckOptions,
  workers: number,
  watch: CheckWatch,
): Promise<TimedSearch> {
  const machine = elaborate(configuration);
  const threads = Array.from({ length: workers }, (_, part) => {
    return new PartThread({ configuration, options, part, parts: workers });
  });
  const began = performance.now();
  try {
    const result = await checkInParts(machine, options, threads, watch);
    return { result, elapsedMs: performance.now() - began };
  } finally {
    await Promise.all(threads.map(async (thread) => thread.end()));
  }
}

/** A thread that answers one question at a time. */
class PartThread implements WorkerPart {
  private readonly worker: Worker;

  constructor(data: PartData) {
    this.worker = new Worker(workerUrl(), { workerData: data, execArgv: [] });
  }

  readonly round: WorkerPart["round"] = async (request: RoundRequest) => {
    const reply = await this.ask({ type: "round", request }, buffersOf(request.arrivals));
    if (reply.type !== "round") throw new Error("a searching thread answered something else");
    return reply.report;
  };

  readonly stateOnWay: WorkerPart["stateOnWay"] = async (number: number) => {
    const reply = await this.ask({ type: "state", number }, []);
    if (reply.type !== "state") throw new Error("a searching thread answered something else");
    return reply.state;
  };

  private async ask(request: PartRequest, transfer: readonly ArrayBuffer[]): Promise<PartReply> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.worker.off("message", onMessage).off("error", onError).off("exit", onExit);
      };
      const onMessage = (reply: PartReply): void => {
        settle();
        if (reply.type === "refused") reject(new StepsError(reply.message));
        else resolve(reply);
      };
      const onError = (error: unknown): void => {
        settle();
        reject(error instanceof Error ? error : new Error(String(error)));
      };
      const onExit = (): void => reject(new Error("a searching thread ended early"));
      this.worker.on("message", onMessage).on("error", onError).on("exit", onExit);
      this.worker.postMessage(request, [...transfer]);
    });
  }

  async end(): Promise<void> {
    await this.worker.terminate();
  }
}

/** The worker's compiled file: beside this one, or in dist/ when this one runs as TypeScript (tests). */
function workerUrl(): URL {
  const beside = new URL("./part-worker.js", import.meta.url);
  if (!import.meta.url.endsWith(".ts")) return beside;
  return new URL(beside.href.replace("/src/study/", "/dist/study/"));
}
