/**
 * A reader in a thread of its own: answers requests that come as messages.
 */
import { parentPort } from "node:worker_threads";
import type { ReaderReply, ReaderRequest } from "./reader-protocol.ts";
import { ReaderSession } from "./reader-session.ts";

const port = parentPort;
if (port === null) throw new Error("capture-worker.ts is a worker thread's entry");

const session = new ReaderSession();

port.on("message", (request: ReaderRequest) => {
  session.answer(request).then(
    (reply) => port.postMessage(reply),
    (error: NodeJS.ErrnoException) =>
      port.postMessage({
        type: "failed",
        message: error.message,
        code: error.code,
        stack: error.stack ?? "",
      } satisfies ReaderReply),
  );
});
