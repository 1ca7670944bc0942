/**
 * The exporter's socket, with a limit on everything that a stranger can use up: connections, time for a request's head and
 * for all of it, the size of the head, time without a byte either way. Node answers 408 and 431 itself.
 *
 * The end is in order: no new connections, answers under way are finished, then the reading ends.
 */
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { type ListenAddress, formatListenAddress } from "./listen-address.ts";
import { type MetricsAppOptions, createMetricsApp } from "./metrics-app.ts";

/** The address cannot be listened on, in one sentence. */
export class CannotListen extends Error {
  constructor(message: string) {
    super(message);
    this.name = "CannotListen";
  }
}

/** Connections at once; more are dropped. */
const CONNECTIONS_MAX = 64;
/** Bytes of a request's head. */
const HEAD_BYTES_MAX = 8192;
/** Milliseconds for a request's head, and for all of it. */
const HEAD_MS_MAX = 5000;
const REQUEST_MS_MAX = 10_000;
const CHECK_EVERY_MS = 1000;
/** Prometheus asks every 15 s to 60 s and keeps its connection. */
const KEEP_ALIVE_MS = 65_000;
const SWEEP_EVERY_MS = 20;
/** Beyond the budget, without a byte read or written. */
const SILENCE_MS = 30_000;

/** A server that listens. */
export interface MetricsServer {
  /** Where /metrics is. */
  readonly url: string;
  /** Ends in order; resolves when all is closed. */
  close(): Promise<void>;
}

/** Listens. Throws CannotListen. */
export async function startMetricsServer(address: ListenAddress, options: MetricsAppOptions): Promise<MetricsServer> {
  const app = createMetricsApp(options);
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const server = createServer(
    {
      maxHeaderSize: HEAD_BYTES_MAX,
      headersTimeout: HEAD_MS_MAX,
      requestTimeout: REQUEST_MS_MAX,
      connectionsCheckingInterval: CHECK_EVERY_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    },
    (request, response) => {
      if (!server.listening) response.setHeader("Connection", "close");
      void listener(request, response);
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  server.setTimeout(options.budgetMs + SILENCE_MS);
  const port = await listen(server, address);
  return {
    url: `http://${formatListenAddress({ host: address.host, port })}/metrics`,
    async close() {
      await closeServer(server, options.budgetMs + CHECK_EVERY_MS);
      await options.shared.close();
    },
  };
}

async function listen(server: Server, { host, port }: ListenAddress): Promise<number> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException): void => reject(cannotListen({ host, port }, error));
    server.once("error", refuse);
    server.listen({ host, port }, () => {
      server.off("error", refuse);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function cannotListen(address: Pick<ListenAddress, "host" | "port">, { code, message }: NodeJS.ErrnoException): Error {
  const place = formatListenAddress(address);
  switch (code) {
    case "EADDRINUSE":
      return new CannotListen(`${place} is in use by another program; --listen takes another port.`);
    case "EADDRNOTAVAIL":
      return new CannotListen(`${place} is no address of this machine.`);
    case "EACCES":
      return new CannotListen(`Listening on ${place} is not permitted: ports below 1024 need a privilege.`);
    default:
      return new CannotListen(`Cannot listen on ${place}: ${code ?? message}.`);
  }
}

/** Answers under way have so long; then their connections are cut. */
async function closeServer(server: Server, graceMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), graceMs);
    // A connection kept alive becomes idle only when its answer is written.
    const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_EVERY_MS);
    server.close(() => {
      clearTimeout(cut);
      clearInterval(sweep);
      resolve();
    });
  });
}
