/**
 * The thread that searches: one request, replies, the end.
 *
 * A search does not come back to its event loop, so a signal could not reach it: it looks at a shared word whenever it
 * tells how far it is.
 */
import { parentPort, workerData } from "node:worker_threads";
import { StepsError, checkMachine, checkRandomly, elaborate, seeLockOrder } from "../checker/index.ts";
import type { SearchReply, SearchRequest } from "./search-protocol.ts";

const request = workerData as SearchRequest;

function reply(message: SearchReply): void {
  parentPort?.postMessage(message);
}

function isToGoOn(): boolean {
  return Atomics.load(request.stop, 0) === 0;
}

function search(): void {
  const { configuration, options, schedules, lockOrderStates } = request;
  const machine = elaborate(configuration);
  const began = performance.now();
  const result =
    schedules === undefined
      ? checkMachine(machine, options, {
          now: () => performance.now(),
          progress: (progress) => {
            reply({ type: "states", progress });
            return isToGoOn();
          },
        })
      : checkRandomly(machine, options, schedules, (progress) => {
          reply({ type: "schedules", progress });
          return isToGoOn();
        });
  const elapsedMs = performance.now() - began;
  const lockOrder =
    lockOrderStates === undefined || !isToGoOn() ? undefined : seeLockOrder(machine, options, lockOrderStates);
  reply({ type: "result", result: lockOrder === undefined ? result : { ...result, lockOrder }, elapsedMs });
}

try {
  search();
} catch (error) {
  if (!(error instanceof StepsError)) throw error;
  reply({ type: "refused", message: error.message });
}
