/**
 * A thread with one part of a search: it answers round after round until it is ended.
 */
import { parentPort, workerData } from "node:worker_threads";
import { type SearchPart, StepsError, createSearchPart, elaborate } from "../checker/index.ts";
import { type PartData, type PartReply, type PartRequest, buffersOf } from "./part-protocol.ts";

const { configuration, options, part, parts } = workerData as PartData;
let search: SearchPart | undefined;

function answer(asked: PartRequest): PartReply {
  search ??= createSearchPart(elaborate(configuration), options, { part, parts });
  if (asked.type === "round") return { type: "round", report: search.round(asked.request) };
  return { type: "state", state: search.stateOnWay(asked.number) };
}

parentPort?.on("message", (asked: PartRequest) => {
  let reply: PartReply;
  try {
    reply = answer(asked);
  } catch (error) {
    if (!(error instanceof StepsError)) throw error;
    reply = { type: "refused", message: error.message };
  }
  parentPort?.postMessage(reply, reply.type === "round" ? buffersOf(reply.report.departures) : []);
});
