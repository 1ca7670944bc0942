/**
 * The readers: the main thread and, where there are more processors, worker threads. One question at a time to each.
 *
 * The main thread reads too, because a thread more than there are processors costs its start and its compilation and
 * gains nothing. Between work items it serves its event loop (progress, signals).
 */
import { Worker } from "node:worker_threads";
import type { ReaderReply, ReaderRequest } from "./reader-protocol.ts";
import { ReaderSession } from "./reader-session.ts";

type ReplyOf<T extends ReaderReply["type"]> = Extract<ReaderReply, { type: T }>;

/** An error inside a reader thread, with the thread's own words. */
class ReaderError extends Error {
  readonly code: string | undefined;
  constructor(message: string, code: string | undefined, stack: string) {
    super(message);
    this.name = "ReaderError";
    this.code = code;
    if (stack !== "") this.stack = stack;
  }
}

interface Waiting {
  readonly resolve: (reply: ReaderReply) => void;
  readonly reject: (error: Error) => void;
}

/** Milliseconds of reading in the main thread before it serves its event loop. */
const SLICE_MS = 50;

/** A set of readers; reader 0 is this thread. `stop` ends the others, also in the middle of a request. */
export class Readers {
  readonly count: number;
  private readonly local = new ReaderSession();
  private readonly workers: Worker[] = [];
  private readonly waiting: (Waiting | undefined)[] = [];

  constructor(count: number) {
    this.count = count;
    for (let index = 0; index < count - 1; index++) {
      // The host's own arguments (--input-type, --loader, ...) are not meant for this file.
      const worker = new Worker(workerUrl(), { execArgv: [] });
      worker.on("message", (reply: ReaderReply) => this.settle(index, reply));
      worker.on("error", (error) => this.fail(index, error instanceof Error ? error : new Error(String(error))));
      worker.on("exit", () => this.fail(index, new Error("a reader thread ended early")));
      this.workers.push(worker);
      this.waiting.push(undefined);
    }
  }

  /**
   * Asks all readers. The threads begin at once; this thread answers its own part when `localAfter` has resolved
   * (before that it may be publishing work for the others).
   */
  async askAll<T extends ReaderReply["type"]>(
    requestOf: (reader: number) => ReaderRequest,
    expected: T,
    localAfter: Promise<void> = Promise.resolve(),
  ): Promise<ReplyOf<T>[]> {
    const remote = this.workers.map((_, index) => this.ask(index, requestOf(index + 1)));
    // If this thread fails first, the threads' answers are not waited for; they must not become unhandled rejections.
    for (const reply of remote) reply.catch(() => undefined);
    await localAfter;
    const local = await this.local.answer(requestOf(0), yieldingEvery(SLICE_MS));
    return [local, ...(await Promise.all(remote))].map((reply) => expectReply(reply, expected));
  }

  async stop(): Promise<void> {
    this.local.close();
    for (const worker of this.workers) worker.removeAllListeners("exit");
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }

  private ask(index: number, request: ReaderRequest): Promise<ReaderReply> {
    return new Promise((resolve, reject) => {
      this.waiting[index] = { resolve, reject };
      this.workers[index].postMessage(request);
    });
  }

  private settle(index: number, reply: ReaderReply): void {
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

function expectReply<T extends ReaderReply["type"]>(reply: ReaderReply, expected: T): ReplyOf<T> {
  if (reply.type === "failed") throw new ReaderError(reply.message, reply.code, reply.stack);
  if (reply.type !== expected) throw new Error(`a reader answered "${reply.type}" instead of "${expected}"`);
  return reply as ReplyOf<T>;
}

function yieldingEvery(sliceMs: number): () => Promise<void> {
  let since = performance.now();
  return async () => {
    if (performance.now() - since < sliceMs) return;
    await new Promise((resolve) => setImmediate(resolve));
    since = performance.now();
  };
}

/** The worker's compiled file: beside this one, or in dist/ when this one runs as TypeScript (tests). */
function workerUrl(): URL {
  const beside = new URL("./capture-worker.js", import.meta.url);
  if (!import.meta.url.endsWith(".ts")) return beside;
  return new URL(beside.href.replace(/\/src\/capture\/capture-worker\.js$/, "/dist/capture/capture-worker.js"));
}
