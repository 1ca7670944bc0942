/**
 * What an atomic takes on a line that another core has just written: threads that add to shared memory at the same time.
 *
 * Three ways in turn: all add to one word, each to a word of its own on one line (false sharing: as slow, because lines
 * travel and not words), each on a line of its own (as fast as alone). The second and third are the control: if they do not
 * come out so, the threads were not on different cores. A round is timed by the thread that is done first, and counts only
 * if all ran as long as that one did; where the machine has other things to do they often do not, and if too few rounds are
 * left there is no figure.
 */
import { Worker } from "node:worker_threads";
import { CannotMeasure } from "./bad-cost-profile.ts";
import {
  CONTENDERS_MAX,
  type ContenderData,
  type ContentionMode,
  type ContentionReply,
  type ContentionRequest,
  SHARED_WORDS,
} from "./contention-protocol.ts";
import type { Timings } from "./order-statistics.ts";

/** The names of a round's timings. */
export const CONTENTION_MODES: readonly ContentionMode[] = ["one-word", "one-line", "own-lines"];

export interface ContentionSizes {
  /** From 2 to CONTENDERS_MAX, and not more than there are processors. */
  readonly threads: number;
  readonly processors: number;
  /** That count; fewer come back where the threads seldom ran at once. */
  readonly rounds: number;
  readonly operations: number;
}

/** Of the first thread to be done, so much of its time the others ran, too; less, and the round does not count. */
const TOGETHER_AT_LEAST = 0.9;
/** Rounds that may fail for one that counts. */
const TRIES_A_ROUND = 20;
/** Fewer rounds make no median. */
const ROUNDS_AT_LEAST = 3;

/**
 * Rounds in which all threads ran at once, in nanoseconds an addition as a thread sees it. `onRound` is told the rounds
 * done. Throws CannotMeasure with a sentence. The threads have ended when it returns or throws.
 */
export async function timeContention(sizes: ContentionSizes, onRound: (done: number) => void): Promise<Timings[]> {
  const { threads, rounds } = sizes;
  const tries = rounds * TRIES_A_ROUND;
  if (threads < 2) throw new CannotMeasure("Contention needs two threads on two processors.");
  if (threads > sizes.processors)
    throw new CannotMeasure(`${threads} threads cannot run at the same time on ${sizes.processors} processors.`);
  if (threads > CONTENDERS_MAX)
    throw new CannotMeasure(`Contention is measured with at most ${CONTENDERS_MAX} threads.`);
  const words = new Int32Array(new SharedArrayBuffer(SHARED_WORDS * Int32Array.BYTES_PER_ELEMENT));
  const contenders = Array.from({ length: threads }, (_, index) => new Contender({ words, index }));
  const counted: Timings[] = [];
  let turn = 0;
  try {
    // The first finds loops that are not compiled yet.
    for (let attempt = 0; attempt <= tries && counted.length < rounds; attempt++) {
      const timings: Record<string, number> = {};
      for (const mode of CONTENTION_MODES) {
        const took = await runRound(contenders, { mode, round: ++turn, threads, operations: sizes.operations });
        if (took !== undefined) timings[mode] = took;
      }
      if (attempt > 0 && Object.keys(timings).length === CONTENTION_MODES.length) counted.push(timings);
      onRound(Math.max(counted.length, attempt / TRIES_A_ROUND));
    }
  } finally {
    await Promise.all(contenders.map(async (contender) => contender.end()));
  }
  if (counted.length >= ROUNDS_AT_LEAST) return counted;
  throw new CannotMeasure(
    `The ${threads} threads ran at the same time in ${counted.length} of ${tries} rounds only: too much else is running.`,
  );
}

/** Nanoseconds an operation; undefined if the threads did not all run at once. */
async function runRound(contenders: readonly Contender[], request: ContentionRequest): Promise<number | undefined> {
  const replies = await Promise.all(contenders.map(async (contender) => contender.ask(request)));
  const togetherMs =
    Math.min(...replies.map(({ endedMs }) => endedMs)) - Math.max(...replies.map(({ beganMs }) => beganMs));
  const shortestMs = Math.min(...replies.map(({ beganMs, endedMs }) => endedMs - beganMs));
  if (togetherMs < TOGETHER_AT_LEAST * shortestMs) return undefined;
  return (shortestMs / request.operations) * 1e6;
}

/** A thread that answers one request at a time. */
class Contender {
  private readonly worker: Worker;

  constructor(data: ContenderData) {
    this.worker = new Worker(workerUrl(), { workerData: data, execArgv: [] });
  }

  async ask(request: ContentionRequest): Promise<ContentionReply> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.worker.off("message", onMessage).off("error", reject).off("exit", onExit);
      };
      const onMessage = (reply: ContentionReply): void => {
        settle();
        resolve(reply);
      };
      const onExit = (): void => reject(new Error("a contending thread ended early"));
      this.worker.on("message", onMessage).on("error", reject).on("exit", onExit);
      this.worker.postMessage(request);
    });
  }

  async end(): Promise<void> {
    await this.worker.terminate();
  }
}

/** The worker's compiled file: beside this one, or in dist/ when this one runs as TypeScript (tests). */
function workerUrl(): URL {
  const beside = new URL("./contention-worker.js", import.meta.url);
  if (!import.meta.url.endsWith(".ts")) return beside;
  return new URL(beside.href.replace("/src/calibration/", "/dist/calibration/"));
}
