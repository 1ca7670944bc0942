/**
 * The reader threads: one question at a time to each, answers as promises.
 */
import { Worker } from "node:worker_threads";
import type { WorkerReply, WorkerRequest } from "./worker-protocol.ts";

type ReplyOf<T extends WorkerReply["type"]> = Extract<WorkerReply, { type: T }>;

/** An error inside a reader thread, with the thread's own words. */
export class ReaderThreadError extends Error {
  readonly code: string | undefined;
  constructor(message: string, code: string | undefined, stack: string) {
    super(message);
    this.name = "ReaderThreadError";
    this.code = code;
    if (stack !== "") this.stack = stack;
  }
}

interface Waiting {
  readonly resolve: (reply: WorkerReply) => void;
  readonly reject: (error: Error) => void;
}

/** A set of threads. `stop` ends them, also in the middle of a request. */
export class ReaderThreads {
  private readonly workers: Worker[] = [];
  private readonly waiting: (Waiting | undefined)[] = [];
  readonly count: number;

  constructor(count: number) {
    this.count = count;
    for (let index = 0; index < count; index++) {
      const worker = new Worker(workerUrl(), { resourceLimits: { maxYoungGenerationSizeMb: 4 } });
      worker.on("message", (reply: WorkerReply) => this.settle(index, reply));
      worker.on("error", (error) => this.fail(index, error instanceof Error ? error : new Error(String(error))));
      worker.on("exit", () => this.fail(index, new Error("a reader thread ended early")));
      this.workers.push(worker);
      this.waiting.push(undefined);
    }
  }

  /** Asks one thread. */
  ask<T extends WorkerReply["type"]>(index: number, request: WorkerRequest, expected: T): Promise<ReplyOf<T>> {
    return new Promise((resolve, reject) => {
      this.waiting[index] = {
        reject,
        resolve: (reply) => {
          if (reply.type === "failed") reject(new ReaderThreadError(reply.message, reply.code, reply.stack));
          else if (reply.type === expected) resolve(reply as ReplyOf<T>);
          else reject(new Error(`a reader thread answered ${reply.type} to ${request.type}`));
        },
      };
      this.workers[index]!.postMessage(request);
    });
  }

  /** Asks all threads and waits for all. */
  askAll<T extends WorkerReply["type"]>(
    request: (index: number) => WorkerRequest,
    expected: T,
  ): Promise<ReplyOf<T>[]> {
    return Promise.all(this.workers.map((_, index) => this.ask(index, request(index), expected)));
  }

  async stop(): Promise<void> {
    for (const worker of this.workers) worker.removeAllListeners("exit");
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }

  private settle(index: number, reply: WorkerReply): void {
    const waiting = this.waiting[index];
    this.waiting[index] = undefined;
    waiting?.resolve(reply);
  }

  private fail(index: number, error: Error): void {
    const waiting = this.waiting[index];
    this.waiting[index] = undefined;
    waiting?.reject(error);
  }
}

/** The worker's compiled file: beside this one, or in dist/ when this one runs as TypeScript (tests). */
function workerUrl(): URL {
  const compiled = import.meta.url.endsWith(".ts") ? "../../dist/capture/capture-worker.js" : "./capture-worker.js";
  return new URL(compiled, import.meta.url);
}
