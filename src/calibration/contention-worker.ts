/**
 * A thread that contends: waits at the barrier until all have come, adds as often as it is told, says when.
 */
import { parentPort, workerData } from "node:worker_threads";
import {
  ARRIVED_WORD,
  type ContenderData,
  type ContentionReply,
  type ContentionRequest,
  targetOf,
} from "./contention-protocol.ts";

const { words, index } = workerData as ContenderData;

parentPort?.on("message", ({ mode, round, threads, operations }: ContentionRequest) => {
  const target = targetOf(mode, index);
  Atomics.add(words, ARRIVED_WORD, 1);
  // All are awake when the last one comes, so that they begin together; sleeping would cost one of them its start.
  while (Atomics.load(words, ARRIVED_WORD) < round * threads);
  const beganMs = performance.timeOrigin + performance.now();
  for (let i = 0; i < operations; i++) Atomics.add(words, target, 1);
  const reply: ContentionReply = { beganMs, endedMs: performance.timeOrigin + performance.now() };
  parentPort?.postMessage(reply);
});
